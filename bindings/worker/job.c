#include "job.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "context.h"
#include "core.h"
#include "loan.h"
#include "traceback.h"

void lc_job_free(struct lc_job *job)
{
    while (job->variables != NULL) {
        struct lc_job_variable *variable = job->variables;

        job->variables = variable->next;
        lc_parcel_clear(&variable->parcel);
        free(variable);
    }
    lc_parcel_clear(&job->call);
    lc_parcel_clear(&job->result);
    free(job);
}

/* ---- reading the call ---- */

bool lc_job_begin_reading(struct lc_job *job)
{
    for (;;) {
        int state = LC_JOB_UNREAD;

        if (atomic_compare_exchange_strong(&job->reading, &state, LC_JOB_READING))
            return true;
        if (state != LC_JOB_COPYING)
            return false;
        sched_yield();
    }
}

void lc_job_end_reading(struct lc_job *job)
{
    int reading = LC_JOB_READING;

    atomic_compare_exchange_strong(&job->reading, &reading, LC_JOB_READ);
}

void lc_job_give_call(struct lc_job *job)
{
    atomic_store(&job->reading, LC_JOB_UNREAD);
}

void lc_job_clear_call(struct lc_job *job)
{
    bool begun = lc_job_begin_reading(job);

    lc_parcel_clear(&job->call);
    if (begun)
        lc_job_end_reading(job);
}

/* The strings of the call are about to go: the worker has read them, or gets copies, as a courier does, which may
 * be sending them. Waits while it is about it, which is no longer than copying takes. */
static void take_back(struct lc_job *job)
{
    int state;

    if (!job->lends)
        return;
    do {
        state = LC_JOB_UNREAD;
        if (atomic_compare_exchange_strong(&job->reading, &state, LC_JOB_COPYING)) {
            bool copied = lc_parcel_own(&job->call);

            atomic_store(&job->reading, copied ? LC_JOB_UNREAD : LC_JOB_DROPPED);
            return;
        }
        sched_yield();
    } while (state == LC_JOB_READING);
}

/* ---- the way back ---- */

/* (future, job): completes the future, if it still waits. */
static int complete(lua_State *L)
{
    struct lc_future *future = lc_to_future(L, 1);
    struct lc_job *job = lua_touserdata(L, 2);
    struct lc_host *host = future->loop->host;
    int n;

    if (lc_future_is_done(future))
        return 0;
    if (job->loss != LC_LOSS_NONE) {
        lc_job_push_loss(L, host, job);
        lc_future_set_error(L, 1);
        return 0;
    }
    lc_loan_read(job);
    if (job->failed && job->result.values == 0) {
        lua_pushliteral(L, "the error of the job cannot be passed on, or there is no memory");
        lc_future_set_error(L, 1);
        return 0;
    }
    n = lc_unpack(L, host, &job->result);
    lc_loan_end(job);
    if (!job->failed) {
        lc_future_set_result(L, 1, n);
        return 0;
    }
    lc_traceback_arrive(L, host);
    lc_future_set_error(L, 1);
    return 0;
}

/* (future, error): what came could not be taken. */
static int complete_failed(lua_State *L)
{
    if (!lc_future_is_done(lc_to_future(L, 1)))
        lc_future_set_error(L, 1);
    return 0;
}

/* The host is done with a job that was posted. */
static void leave(struct lc_job *job)
{
    lc_loan_end(job);
    lc_pool_forget(job->pool);
}

static void job_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_job *job = lc_container_of(entry, struct lc_job, errand.entry);
    lua_State *L = loop->L;
    int top = lua_gettop(L);

    lc_list_unlink(&job->watch.link);
    lc_errand_push_future(L, loop, &job->errand);
    if (job->lends) {
        lua_pushnil(L);
        lc_future_set_extra(L, top + 1, LC_EXTRA_LENT);
    }
    lua_pushcfunction(L, complete);
    lua_pushvalue(L, top + 1);
    lua_pushlightuserdata(L, job);
    if (lc_call(L, loop->host, 2, 0) != LUA_OK) {
        lua_pushcfunction(L, complete_failed);
        lua_insert(L, top + 1);
        lua_pcall(L, 2, 0, 0);
    }
    lua_settop(L, top);
    leave(job);
    lc_job_free(job);
}

static void job_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_job *job = lc_container_of(entry, struct lc_job, errand.entry);

    lc_list_unlink(&job->watch.link);
    leave(job);
    lc_anchor_drop(L, loop->host, &job->errand.future);
    lc_job_free(job);
}

static bool job_abandon(struct lc_errand *errand)
{
    struct lc_job *job = lc_container_of(errand, struct lc_job, errand);
    struct lc_pool *pool = job->pool;

    lc_list_unlink(&job->watch.link);
    lc_pool_forget(pool);
    if (lc_pool_orphan(pool, &job->queued)) {
        lc_job_free(job);
        return true;
    }
    atomic_store(&job->cancelled, true);
    lc_pool_nudge(pool);
    take_back(job);
    return false;
}

void lc_jobs_drop(struct lc_pool *pool)
{
    struct lc_pool_job *queued;

    while ((queued = lc_pool_pop(pool)) != NULL) {
        struct lc_job *job = lc_container_of(queued, struct lc_job, queued);

        if (!lc_errand_post(&job->errand))
            lc_job_free(job);
    }
}

static const struct lc_errand_type job_type = {{job_run, job_forget, NULL, NULL}, job_abandon};

/* Ends a job that no thread has. */
static void drop(lua_State *L, struct lc_loop *loop, struct lc_job *job)
{
    lc_list_unlink(&job->watch.link);
    lc_pool_forget(job->pool);
    lc_errand_withdraw(L, loop, &job->errand);
    lc_job_free(job);
}

/* The future is done before the job is: it was cancelled, most likely (TH3). */
static void watch_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_job *job = lc_container_of(entry, struct lc_job, watch);

    if (lc_pool_withdraw(job->pool, &job->queued)) {
        drop(loop->L, loop, job);
    } else {
        atomic_store(&job->cancelled, true);
        lc_pool_nudge(job->pool);
    }
}

static const struct lc_entry_type watch_entry = {watch_run, NULL, NULL, NULL};

void lc_job_cancel(lua_State *L, struct lc_host *host, struct lc_pool_job *queued)
{
    struct lc_job *job = lc_container_of(queued, struct lc_job, queued);
    int top = lua_gettop(L);

    /* an errand under way has an open loop */
    lc_anchor_push(L, host, job->errand.future);
    drop(L, lc_to_future(L, top + 1)->loop, job);
    lc_future_cancel(L, top + 1, 0);
    lua_settop(L, top);
}

/* ---- submitting ---- */

/* (variable, value, &parcel) */
static int pack_variable(lua_State *L)
{
    static const struct lc_pack_names names = {.what = "", .first = 1};

    lc_pack(L, lc_host_of(L), lua_touserdata(L, 3), 1, 2, &names);
    return 0;
}

/* Adds the variables that can cross. [-0, +0, m] */
static void pack_context(lua_State *L, struct lc_host *host, struct lc_job *job)
{
    int top = lua_gettop(L);

    luaL_checkstack(L, 10, NULL);
    lc_context_push_map(L, host);
    if (!lua_istable(L, -1)) {
        lua_settop(L, top);
        return;
    }
    lua_pushnil(L);
    while (lua_next(L, top + 1)) {
        struct lc_job_variable *variable = calloc(1, sizeof *variable);

        if (variable == NULL)
            luaL_error(L, "not enough memory");
        variable->next = job->variables;
        job->variables = variable;
        lc_context_unstore(L);
        lua_pushlightuserdata(L, host);
        lua_pushcclosure(L, pack_variable, 1);
        lua_pushvalue(L, top + 2);
        lua_pushvalue(L, top + 3);
        lua_pushlightuserdata(L, &variable->parcel);
        if (lua_pcall(L, 3, 0, 0) == LUA_ERRMEM)
            lua_error(L);
        if (lua_gettop(L) > top + 3) {
            job->variables = variable->next;
            lc_parcel_clear(&variable->parcel);
            free(variable);
        }
        lua_settop(L, top + 2);
    }
    lua_settop(L, top);
}

/* (loop, job, names, function, ...) -> future */
static int prepare(lua_State *L)
{
    struct lc_loop *loop = lua_touserdata(L, 1);
    struct lc_job *job = lua_touserdata(L, 2);
    struct lc_pack_names names = *(const struct lc_pack_names *)lua_touserdata(L, 3);
    int n = lua_gettop(L) - 3, lent;
    struct lc_future *future;

    lua_pushnil(L);
    lent = names.lent = lua_gettop(L);
    lc_pack(L, loop->host, &job->call, 4, n, &names);
    job->lends = !lua_isnil(L, lent);
    if (job->options & LC_JOB_CONTEXT)
        pack_context(L, loop->host, job);
    future = lc_future_new(L, loop);
    if (job->lends) {
        lua_pushvalue(L, lent);
        lc_future_set_extra(L, -2, LC_EXTRA_LENT);
    }
    if (job->options & LC_JOB_CONTEXT) {
        lua_pushstring(L, names.what); /* for who asks what the task waits for */
        lc_future_set_extra(L, -2, LC_EXTRA_NAME);
    }
    lc_errand_begin(L, loop, &job->errand, &job_type, -1);
    lc_entry_init(&job->watch, &watch_entry);
    lc_future_add_entry(future, &job->watch);
    return 1;
}

struct lc_job *lc_job_submit(lua_State *L, struct lc_loop *loop, struct lc_pool *pool, int first,
                             const struct lc_pack_names *names, enum lc_job_options options)
{
    int n = lua_gettop(L) - first + 1, error;
    struct lc_job *job = calloc(1, sizeof *job);

    if (job == NULL)
        luaL_error(L, "not enough memory");
    job->pool = pool;
    job->options = options;
    atomic_init(&job->cancelled, false);
    atomic_init(&job->reading, LC_JOB_UNREAD);
    atomic_init(&job->reports, 0);
    atomic_init(&job->held_up, false);
    lc_list_init(&job->queued.link);
    if (!lua_checkstack(L, n + 10)) {
        lc_job_free(job);
        luaL_error(L, "too many arguments");
    }
    lua_pushcfunction(L, prepare);
    lua_pushlightuserdata(L, loop);
    lua_pushlightuserdata(L, job);
    lua_pushlightuserdata(L, (void *)names);
    for (int i = 0; i < n; i++)
        lua_pushvalue(L, first + i);
    if (lua_pcall(L, 3 + n, 1, 0) != LUA_OK) {
        lc_job_free(job);
        lua_error(L);
    }
    error = lc_pool_submit(pool, &job->queued);
    if (error == 0)
        return job;
    lc_list_unlink(&job->watch.link);
    lc_errand_withdraw(L, loop, &job->errand);
    lc_job_free(job);
    lc_raise(L, loop->host, LC_RUNTIME_ERROR, "%s: cannot start a thread: %s", names->what,
             strerror(error));
}
