/*
 * remote: run_coroutine_threadsafe: a coroutine of one thread that runs as a task in the loop of another
 * (SEMANTICS TH5). The function goes there in a parcel, as a job does; what comes of it comes back in one.
 * Phases: sent as a note; begun, as an errand of the loop, which the task's end or the loop's closing
 *         ends; settled: what came of it is there for who holds the future.
 * Owner:  counted: the future's object, each note under way, and the loop while the task runs.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>

#include "core.h"
#include "errand.h"
#include "loop_link.h"
#include "loop_object.h"
#include "parcel.h"
#include "shared_wait.h"
#include "stop.h"
#include "traceback.h"

/* How often a blocked thread looks whether its job is to end, seconds. */
#define SLICE 0.1

enum remote_state { REMOTE_PENDING, REMOTE_DONE, REMOTE_FAILED, REMOTE_CANCELLED };

struct remote {
    atomic_uint users;
    struct lc_errand_box *box; /* held */
    struct lc_note begin, stop;
    struct lc_parcel call; /* the function and its arguments */
    /* of the loop's thread */
    struct lc_errand errand; /* its anchor is the task */
    struct lc_entry watch;   /* in the task's callbacks */
    bool running;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    enum remote_state state;
    struct lc_parcel result; /* what it returned, or the error and its traceback */
    int fd;                  /* readable when it is settled; -1: nobody waits in a loop */
};

struct remote_object {
    struct lc_object object;
    struct remote *remote;
};

static const struct lc_type remote_type = {"ConcurrentFuture", sizeof(struct remote_object)};

static void remote_release(struct remote *remote)
{
    if (atomic_fetch_sub(&remote->users, 1) != 1)
        return;
    lc_errand_box_release(remote->box);
    lc_parcel_clear(&remote->call);
    lc_parcel_clear(&remote->result);
    if (remote->fd >= 0)
        close(remote->fd);
    pthread_cond_destroy(&remote->changed);
    pthread_mutex_destroy(&remote->mutex);
    free(remote);
}

static enum remote_state state_of(struct remote *remote)
{
    enum remote_state state;

    pthread_mutex_lock(&remote->mutex);
    state = remote->state;
    pthread_mutex_unlock(&remote->mutex);
    return state;
}

/* ---- in the loop ---- */

/* By the loop that knows what came of it, or by the future's cancel: the first one counts. */
static void settle(struct remote *remote, enum remote_state state, struct lc_parcel *result)
{
    pthread_mutex_lock(&remote->mutex);
    if (remote->state == REMOTE_PENDING) {
        remote->state = state;
        if (result != NULL) {
            remote->result = *result;
            *result = (struct lc_parcel){.data = NULL};
        }
        if (remote->fd >= 0)
            eventfd_write(remote->fd, 1);
        pthread_cond_broadcast(&remote->changed);
    }
    pthread_mutex_unlock(&remote->mutex);
    if (result != NULL)
        lc_parcel_clear(result);
}

/* (host, &parcel, error): packs the error and its traceback. */
static int pack_error(lua_State *L)
{
    static const struct lc_pack_names names = {.first = 1, .lenient = true};
    struct lc_host *host = lua_touserdata(L, 1);

    lc_traceback_push(L, host, 3);
    if (lua_isnil(L, -1)) {
        lua_pushliteral(L, "stack traceback:");
        lua_replace(L, -2);
    }
    lc_pack(L, host, lua_touserdata(L, 2), 3, 2, &names);
    return 0;
}

/* It fails with the error on top. [-1, +0, -] */
static void settle_error(lua_State *L, struct lc_host *host, struct remote *remote)
{
    enum remote_state state =
        lc_error_kind(L, -1) == LC_KIND_CANCELLED ? REMOTE_CANCELLED : REMOTE_FAILED;
    struct lc_parcel result = {.data = NULL};

    lua_pushcfunction(L, pack_error);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, host);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, &result);
    lua_insert(L, -2);
    if (lua_pcall(L, 3, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
        lc_parcel_clear(&result);
    }
    settle(remote, state, &result);
}

/* (host, &parcel, task): packs its results, or raises. */
static int pack_outcome(lua_State *L)
{
    static const struct lc_pack_names names = {.first = 1};
    struct lc_host *host = lua_touserdata(L, 1);
    int n;

    if (!lc_future_push_outcome(L, 3, &n)) {
        lc_traceback_restore(L, host, 3);
        return lua_error(L);
    }
    lc_pack(L, host, lua_touserdata(L, 2), 4, n, &names);
    return 0;
}

/* Passes on what came of the task. */
static void settle_task(lua_State *L, struct lc_host *host, struct remote *remote)
{
    struct lc_parcel result = {.data = NULL};

    lua_pushcfunction(L, pack_outcome);
    lua_pushlightuserdata(L, host);
    lua_pushlightuserdata(L, &result);
    lc_anchor_push(L, host, remote->errand.future);
    if (lua_pcall(L, 3, 0, 0) == LUA_OK) {
        settle(remote, REMOTE_DONE, &result);
    } else {
        lc_parcel_clear(&result);
        settle_error(L, host, remote);
    }
}

/* The task is done. Of one that was cancelled by its future, an error is nobody's: it is reported as such. */
static void watch_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct remote *remote = lc_container_of(entry, struct remote, watch);
    lua_State *L = loop->L;

    if (state_of(remote) == REMOTE_PENDING)
        settle_task(L, loop->host, remote);
    lc_errand_withdraw(L, loop, &remote->errand);
    remote->running = false;
    remote_release(remote);
}

static const struct lc_entry_type watch_entry = {watch_run, NULL, NULL, NULL};

/* The loop closes. */
static bool errand_abandon(struct lc_errand *errand)
{
    struct remote *remote = lc_container_of(errand, struct remote, errand);

    lc_list_unlink(&remote->watch.link);
    remote->running = false;
    settle(remote, REMOTE_CANCELLED, NULL);
    remote_release(remote);
    return true;
}

static const struct lc_errand_type remote_errand = {{NULL, NULL, NULL, NULL}, errand_abandon};

/* (loop, remote): makes the task. */
static int begin(lua_State *L)
{
    struct lc_loop *loop = lua_touserdata(L, 1);
    struct remote *remote = lua_touserdata(L, 2);
    int n = lc_unpack(L, loop->host, &remote->call);
    struct lc_task *task;

    lc_parcel_clear(&remote->call);
    task = lc_create_task(L, loop->host, loop, n - 1, 0, LC_TASK_PLAIN);
    lc_errand_begin(L, loop, &remote->errand, &remote_errand, -1);
    atomic_fetch_add(&remote->users, 1);
    remote->running = true;
    lc_entry_init(&remote->watch, &watch_entry);
    lc_future_add_entry(&task->future, &remote->watch);
    return 0;
}

static void begin_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct remote *remote = lc_container_of(entry, struct remote, begin.entry);
    lua_State *L = loop->L;

    lua_pushcfunction(L, begin);
    lua_pushlightuserdata(L, loop);
    lua_pushlightuserdata(L, remote);
    if (lc_call(L, loop->host, 2, 0) != LUA_OK)
        settle_error(L, loop->host, remote);
    remote_release(remote);
}

static void begin_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    struct remote *remote = lc_container_of(entry, struct remote, begin.entry);

    (void)L;
    (void)loop;
    settle(remote, REMOTE_CANCELLED, NULL);
    remote_release(remote);
}

static void stop_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct remote *remote = lc_container_of(entry, struct remote, stop.entry);
    lua_State *L = loop->L;

    if (remote->running) {
        lc_anchor_push(L, loop->host, remote->errand.future);
        lc_future_cancel(L, lua_gettop(L), 0);
        lua_pop(L, 1);
    }
    remote_release(remote);
}

static void stop_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    (void)L;
    (void)loop;
    remote_release(lc_container_of(entry, struct remote, stop.entry));
}

static const struct lc_entry_type begin_entry = {begin_run, begin_forget, NULL, NULL};
static const struct lc_entry_type stop_entry = {stop_run, stop_forget, NULL, NULL};

/* ---- the future in the caller's thread ---- */

static struct remote *check_remote(lua_State *L, const char *what)
{
    struct remote *remote = ((struct remote_object *)lc_check_self(L, &remote_type, what))->remote;

    if (remote == NULL)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "the future is finished");
    return remote;
}

/* What came of it, which is settled. */
static int give(lua_State *L, struct lc_host *host, struct remote *remote)
{
    enum remote_state state = state_of(remote);
    int n;

    if (remote->result.values > 0 || state == REMOTE_DONE) {
        n = lc_unpack(L, host, &remote->result);
        if (state == REMOTE_DONE)
            return n;
        lc_traceback_arrive(L, host);
        return lua_error(L);
    }
    if (state == REMOTE_CANCELLED)
        lc_error_push_bare(L, host, LC_CANCELLED_ERROR);
    else
        lc_error_push(L, host, LC_RUNTIME_ERROR, "the error of the coroutine cannot be passed on");
    return lua_error(L);
}

/* Blocks the thread for at most a slice. */
static void wait_slice(struct remote *remote, double seconds)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)(seconds * 1e9);
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&remote->mutex);
    if (remote->state == REMOTE_PENDING)
        pthread_cond_timedwait(&remote->changed, &remote->mutex, &until);
    pthread_mutex_unlock(&remote->mutex);
}

static double now_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Blocks the thread until it is settled. False: so many seconds were not enough. */
static bool block(lua_State *L, struct lc_host *host, struct remote *remote, double seconds)
{
    double end = now_seconds() + seconds;

    while (state_of(remote) == REMOTE_PENDING) {
        double left = end - now_seconds();

        if (left <= 0)
            return false;
        lc_stop_check(L, host);
        wait_slice(remote, left < SLICE ? left : SLICE);
    }
    return true;
}

static int result_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lc_shared_resume(L, lc_host_of(L));
    return give(L, lc_host_of(L), check_remote(L, "result"));
}

/* The descriptor for who waits in a loop. */
static int open_descriptor(lua_State *L, struct lc_host *host, struct remote *remote)
{
    int error = 0;

    pthread_mutex_lock(&remote->mutex);
    if (remote->fd < 0) {
        remote->fd = eventfd(remote->state != REMOTE_PENDING, EFD_NONBLOCK | EFD_CLOEXEC);
        error = remote->fd < 0 ? errno : 0;
    }
    pthread_mutex_unlock(&remote->mutex);
    if (error != 0)
        lc_raise_errno(L, host, error, NULL);
    return remote->fd;
}

/* Suspends the task until it is settled. The future is at 1. */
static int suspend(lua_State *L, struct lc_host *host, struct remote *remote)
{
    int fd = open_descriptor(L, host, remote);

    lua_settop(L, 1);
    return lc_shared_suspend(L, host, fd, "ConcurrentFuture:result", 0, result_k);
}

/* What wait_for runs. Upvalue 2 is the future. */
static int wait_in_task(lua_State *L)
{
    struct remote *remote;

    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(2));
    remote = check_remote(L, "result");
    if (state_of(remote) != REMOTE_PENDING)
        return give(L, lc_host_of(L), remote);
    return suspend(L, lc_host_of(L), remote);
}

static int return_all(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_gettop(L) - 1;
}

/* future:result(timeout?) -> what the coroutine returned. Blocks the thread; in a task it waits. */
static int remote_result(lua_State *L)
{
    struct remote *remote = check_remote(L, "result");
    struct lc_host *host = lc_host_of(L);
    double seconds = 1e9;
    bool limited = lc_opt_seconds(L, 2, "result", 1, &seconds);

    if (state_of(remote) != REMOTE_PENDING)
        return give(L, host, remote);
    if (!lc_shared_suspends(host)) {
        if (!block(L, host, remote, seconds))
            lc_raise(L, host, LC_TIMEOUT_ERROR, "the coroutine goes on");
        return give(L, host, remote);
    }
    lua_settop(L, 1);
    if (!limited)
        return suspend(L, host, remote);
    lc_host_push_ref(L, host, LC_REF_MODULE);
    lua_getfield(L, -1, "wait_for");
    lua_replace(L, -2);
    lua_pushlightuserdata(L, host);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, wait_in_task, 2);
    lua_pushnumber(L, seconds);
    lua_callk(L, 2, LUA_MULTRET, 0, return_all);
    return return_all(L, LUA_OK, 0);
}

/* future:cancel() -> whether it is cancelled. It is at once, and the task when its loop hears of it. */
static int remote_cancel(lua_State *L)
{
    struct remote *remote = check_remote(L, "cancel");

    if (state_of(remote) == REMOTE_PENDING) {
        settle(remote, REMOTE_CANCELLED, NULL);
        atomic_fetch_add(&remote->users, 1);
        if (!lc_errand_box_send(remote->box, &remote->stop))
            remote_release(remote);
    }
    lua_pushboolean(L, state_of(remote) == REMOTE_CANCELLED);
    return 1;
}

static int remote_done(lua_State *L)
{
    lua_pushboolean(L, state_of(check_remote(L, "done")) != REMOTE_PENDING);
    return 1;
}

static int remote_cancelled(lua_State *L)
{
    lua_pushboolean(L, state_of(check_remote(L, "cancelled")) == REMOTE_CANCELLED);
    return 1;
}

static int remote_gc(lua_State *L)
{
    struct remote_object *object = lc_to_finalize(L, &remote_type);

    if (object != NULL && object->remote != NULL)
        remote_release(object->remote);
    if (object != NULL)
        object->remote = NULL;
    return 0;
}

static int remote_tostring(lua_State *L)
{
    static const char *const names[] = {"pending", "finished", "failed", "cancelled"};

    lua_pushfstring(L, "<ConcurrentFuture %s>", names[state_of(check_remote(L, "tostring"))]);
    return 1;
}

/* ---- sending ---- */

/* The box stays the caller's. NULL: no memory. */
static struct remote *remote_new(struct lc_errand_box *box)
{
    struct remote *remote = calloc(1, sizeof *remote);

    if (remote == NULL)
        return NULL;
    atomic_init(&remote->users, 1);
    lc_errand_box_hold(box);
    remote->box = box;
    remote->fd = -1;
    lc_entry_init(&remote->begin.entry, &begin_entry);
    lc_entry_init(&remote->stop.entry, &stop_entry);
    lc_entry_init(&remote->watch, &watch_entry);
    pthread_mutex_init(&remote->mutex, NULL);
    pthread_cond_init(&remote->changed, NULL);
    return remote;
}

/* The coroutine at 1 goes to the loop of the box. */
static int send(lua_State *L, struct lc_host *host, struct lc_errand_box *box)
{
    static const struct lc_pack_names names = {.what = "run_coroutine_threadsafe", .first = 1};
    struct remote_object *object =
        lc_new_object(L, host, &remote_type, LC_REF_REMOTE_FUTURE, sizeof *object, 0);
    int first = lua_gettop(L) + 1, n;

    object->remote = remote_new(box);
    if (object->remote == NULL)
        return luaL_error(L, "not enough memory");
    n = lc_push_body(L, host, 1) + 1;
    lc_pack(L, host, &object->remote->call, first, n, &names);
    lua_settop(L, first - 1);
    atomic_fetch_add(&object->remote->users, 1);
    if (lc_errand_box_send(box, &object->remote->begin))
        return 1;
    remote_release(object->remote);
    return lc_raise(L, host, LC_RUNTIME_ERROR, "Event loop is closed");
}

/* lucio.run_coroutine_threadsafe(coro, loop) -> ConcurrentFuture; on a loop of this thread a Task */
static int lucio_run_coroutine_threadsafe(lua_State *L)
{
    static const char what[] = "run_coroutine_threadsafe";
    struct lc_host *host = lc_host_of(L);
    struct lc_errand_box *box;
    struct lc_loop *loop;
    bool is_link;

    lua_settop(L, 2);
    if (!lc_is_coroutine(L, 1) && !lua_isfunction(L, 1))
        lc_raise_argument(L, host, LC_TYPE_ERROR, what, 1, "coroutine or function", 1);
    box = lc_loop_link_box(L, 2, &is_link);
    if (is_link) {
        if (box == NULL)
            lc_raise(L, host, LC_RUNTIME_ERROR, "the loop is another process's");
        return send(L, host, box);
    }
    if (!lc_is_loop(L, 2, &loop))
        lc_raise_argument(L, host, LC_TYPE_ERROR, what, 2, "loop", 2);
    if (loop == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "Event loop is closed");
    lc_create_task(L, host, loop, lc_push_body(L, host, 1), 0, LC_TASK_PLAIN);
    return 1;
}

void lc_open_remote(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"result", remote_result},
                                       {"cancel", remote_cancel},
                                       {"done", remote_done},
                                       {"cancelled", remote_cancelled},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__gc", remote_gc}, {"__tostring", remote_tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"run_coroutine_threadsafe", lucio_run_coroutine_threadsafe}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_REMOTE_FUTURE, "lucio.ConcurrentFuture", methods, metamethods);
    lc_set_functions(L, host, functions);
}
