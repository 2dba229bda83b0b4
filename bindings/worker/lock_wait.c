#include "lock_wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "errand.h"
#include "held_lock.h"
#include "pool.h"
#include "region.h"
#include "region_lock.h"

/* How often a helper looks whether anybody still waits, milliseconds. */
#define SLICE 100
/* Of helpers; one for each lock that is waited for. */
#define HELPERS_MAX 10000

struct lock_wait {
    struct lc_errand errand;
    struct lc_pool_job queued;
    struct lc_link link; /* host->lock_waits */
    struct lc_loop *loop;
    struct lc_region *region; /* held */
    struct lc_link waiters;   /* stay until their task runs */
    bool under_way;           /* the helper is */
    atomic_bool unwanted;     /* nobody waits: the helper is to come back */
};

static const struct lc_wait_type lock_wait_type = {"shared lock", NULL};

static void wait_free(struct lock_wait *wait)
{
    lc_list_unlink(&wait->link);
    lc_shared_release(&wait->region->shared);
    free(wait);
}

/* Nobody waits any more. */
static void wait_leave(struct lock_wait *wait)
{
    if (wait->under_way)
        atomic_store(&wait->unwanted, true);
    else
        wait_free(wait);
}

/* ---- the helper ---- */

/* A helper has nothing to open or to close. */
static void leave_helper(struct lc_worker *worker)
{
    (void)worker;
}

static void run_helper(struct lc_worker *worker, struct lc_pool_job *queued)
{
    struct lock_wait *wait = lc_container_of(queued, struct lock_wait, queued);

    (void)worker;
    while (!lc_region_watch(wait->region, SLICE) && !atomic_load(&wait->unwanted))
        continue;
    if (!lc_errand_post(&wait->errand)) {
        lc_shared_release(&wait->region->shared);
        free(wait);
    }
}

static void free_nothing(void *data)
{
    (void)data;
}

static const struct lc_pool_type helpers = {
    .open = leave_helper, .run = run_helper, .close = leave_helper, .free = free_nothing};

/* ---- its way back ---- */

static void arrive(struct lock_wait *wait)
{
    lc_pool_forget(wait->loop->host->lock_pool);
    wait->under_way = false;
    atomic_store(&wait->unwanted, false);
}

static void wait_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lock_wait *wait = lc_container_of(entry, struct lock_wait, errand.entry);

    lc_errand_push_future(loop->L, loop, &wait->errand);
    lua_pop(loop->L, 1);
    arrive(wait);
    if (lc_list_empty(&wait->waiters))
        wait_free(wait);
    else
        lc_waiters_wake_one(&wait->waiters);
}

static void wait_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    struct lock_wait *wait = lc_container_of(entry, struct lock_wait, errand.entry);

    lc_anchor_drop(L, loop->host, &wait->errand.future);
    arrive(wait);
    wait_free(wait);
}

/* The loop closes, and its tasks are gone. */
static bool wait_abandon(struct lc_errand *errand)
{
    struct lock_wait *wait = lc_container_of(errand, struct lock_wait, errand);
    struct lc_pool *pool = wait->loop->host->lock_pool;

    lc_list_unlink(&wait->link);
    while (!lc_list_empty(&wait->waiters))
        lc_list_pop(&wait->waiters);
    lc_pool_forget(pool);
    if (lc_pool_withdraw(pool, &wait->queued)) {
        wait_free(wait);
        return true;
    }
    atomic_store(&wait->unwanted, true);
    return false;
}

static const struct lc_errand_type wait_errand = {{wait_run, wait_forget, NULL, NULL},
                                                  wait_abandon};

/* ---- waiting ---- */

static struct lock_wait *find(struct lc_host *host, const struct lc_region *region)
{
    for (struct lc_link *link = host->lock_waits.next; link != &host->lock_waits;
         link = link->next) {
        struct lock_wait *wait = lc_container_of(link, struct lock_wait, link);

        if (wait->loop == host->loop && wait->region->head->id == region->head->id)
            return wait;
    }
    return NULL;
}

static struct lock_wait *wait_new(lua_State *L, struct lc_host *host, struct lc_region *region)
{
    struct lock_wait *wait = calloc(1, sizeof *wait);

    if (wait == NULL)
        luaL_error(L, "not enough memory");
    wait->loop = host->loop;
    wait->region = region;
    lc_shared_hold(&region->shared);
    lc_list_init(&wait->waiters);
    lc_list_init(&wait->queued.link);
    atomic_init(&wait->unwanted, false);
    lc_list_append(&host->lock_waits, &wait->link);
    return wait;
}

/* (loop, errand, lock) */
static int begin_errand(lua_State *L)
{
    lc_errand_begin(L, lua_touserdata(L, 1), lua_touserdata(L, 2), &wait_errand, 3);
    return 0;
}

/* Sends the helper off. Raises when there can be none. */
static void start(lua_State *L, struct lc_host *host, struct lock_wait *wait, int idx)
{
    int error;

    if (host->lock_pool == NULL)
        host->lock_pool = lc_pool_new(host, &helpers, NULL, HELPERS_MAX);
    if (host->lock_pool == NULL)
        luaL_error(L, "not enough memory");
    lua_pushcfunction(L, begin_errand);
    lua_pushlightuserdata(L, host->loop);
    lua_pushlightuserdata(L, &wait->errand);
    lua_pushvalue(L, idx);
    lua_call(L, 3, 0);
    error = lc_pool_submit(host->lock_pool, &wait->queued);
    if (error != 0) {
        lc_errand_withdraw(L, host->loop, &wait->errand);
        lc_raise(L, host, LC_RUNTIME_ERROR, "cannot start a thread: %s", strerror(error));
    }
    wait->under_way = true;
}

int lc_lock_wait_begin(lua_State *L, struct lc_task *task, struct lc_region *region, int idx,
                       lua_KContext ctx, lua_KFunction k)
{
    struct lc_host *host = task->future.loop->host;
    struct lock_wait *wait = find(host, region);

    luaL_checkstack(L, 8, NULL);
    if (wait == NULL)
        wait = wait_new(L, host, region);
    atomic_store(&wait->unwanted, false);
    /* one who waits behind others of this host, or for one of them, is woken by them */
    if (!wait->under_way && !lc_region_is_held(host, region))
        start(L, host, wait, idx);
    if (ctx == 0)
        lc_list_append(&wait->waiters, &task->waiter.link);
    else /* it has had its turn, and keeps its place */
        lc_list_append(wait->waiters.next, &task->waiter.link);
    lc_wait_begin(L, task, &lock_wait_type, idx);
    return lc_wait_yield(L, task, 1, k);
}

void lc_lock_wait_done(lua_State *L, struct lc_task *task, struct lc_region *region)
{
    lc_list_unlink(&task->waiter.link);
    if (!lc_wait_end(L, task))
        return;
    lc_lock_wait_next(task->future.loop->host, region);
    lua_error(L);
}

void lc_lock_waits_free(struct lc_host *host)
{
    while (!lc_list_empty(&host->lock_waits))
        wait_free(lc_container_of(host->lock_waits.next, struct lock_wait, link));
}

void lc_lock_wait_next(struct lc_host *host, struct lc_region *region)
{
    struct lock_wait *wait = find(host, region);

    if (wait == NULL)
        return;
    if (lc_list_empty(&wait->waiters))
        wait_leave(wait);
    else if (!lc_region_is_held(host, region))
        lc_waiters_wake_one(&wait->waiters);
}
