#include "timeout.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "args.h"
#include "error.h"
#include "exception_group.h"
#include "loop.h"
#include "report.h"
#include "task.h"
#include "traceback.h"

enum timeout_state { TIMEOUT_ACTIVE, TIMEOUT_EXPIRING, TIMEOUT_EXPIRED, TIMEOUT_FINISHED };

/* How far the chain of an error's causes is followed. */
#define CHAIN_LIMIT 1000

struct lc_timeout {
    struct lc_object object;
    struct lc_timer timer;
    struct lc_task *task; /* NULL once left */
    struct lc_timeout *outer;
    double when; /* infinite: never */
    int anchor;
    int cancelling; /* of the task at entry */
    enum timeout_state state;
    lc_place made;
};

static const struct lc_type timeout_type = {"Timeout", sizeof(struct lc_timeout)};

/* At the deadline: one cancel request. */
static void timeout_fire(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_timeout *timeout = lc_container_of(entry, struct lc_timeout, timer.entry);

    lc_task_cancel(loop->L, timeout->task, 0);
    timeout->state = TIMEOUT_EXPIRING;
}

static void timeout_push(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    lc_anchor_push(L, loop->host, lc_container_of(entry, struct lc_timeout, timer.entry)->anchor);
}

static const struct lc_entry_type timeout_entry = {timeout_fire, NULL, timeout_push, NULL};

/* A deadline already passed fires by way of the ready list (TO2). */
static void timeout_arm(lua_State *L, struct lc_timeout *timeout, double now)
{
    struct lc_loop *loop = timeout->task->future.loop;

    if (isinf(timeout->when) && timeout->when > 0)
        return;
    if (timeout->when <= now)
        lc_loop_ready(loop, &timeout->timer.entry);
    else
        lc_loop_set_timer(L, loop, &timeout->timer, timeout->when);
}

struct lc_timeout *lc_timeout_enter(lua_State *L, struct lc_host *host, double when, double now)
{
    struct lc_task *task = host->current;
    struct lc_timeout *timeout =
        lc_new_object(L, host, &timeout_type, LC_REF_TIMEOUT, sizeof *timeout, 0);

    lc_entry_init(&timeout->timer.entry, &timeout_entry);
    timeout->when = when;
    timeout->cancelling = task->cancelling;
    lua_pushvalue(L, -1);
    timeout->anchor = lc_anchor(L, host);
    timeout->task = task;
    timeout->outer = task->timeouts;
    task->timeouts = timeout;
    timeout_arm(L, timeout, now);
    return timeout;
}

/* Takes it from its task and its timer. */
static void timeout_release(lua_State *L, struct lc_timeout *timeout)
{
    struct lc_task *task = timeout->task;
    struct lc_timeout **at = &task->timeouts;

    while (*at != timeout)
        at = &(*at)->outer;
    *at = timeout->outer;
    lc_loop_unset_timer(task->future.loop, &timeout->timer);
    timeout->task = NULL;
    lc_anchor_drop(L, task->future.loop->host, &timeout->anchor);
}

/* Replaces the CancelledError in field `key` of the error on top by a TimeoutError that it caused.
 * False: it has none there; then what it has is on top. [-0, +(0|1), m] */
static bool replace_cancellation(lua_State *L, struct lc_host *host, const char *key)
{
    lua_pushstring(L, key);
    lua_rawget(L, -2);
    if (lc_error_kind(L, -1) != LC_KIND_CANCELLED)
        return false;
    lc_error_push_bare(L, host, LC_TIMEOUT_ERROR);
    lua_insert(L, -2);
    lua_setfield(L, -2, "cause");
    lua_setfield(L, -2, key);
    return true;
}

/* Another error on expiry gets a TimeoutError in front of the CancelledError in its chain of causes
 * and of the errors it replaced (TO7). The length of the chain is bounded: it may be a circle. */
static void insert_timeout_error(lua_State *L, struct lc_host *host, int error)
{
    int top = lua_gettop(L);

    luaL_checkstack(L, 8, NULL);
    lua_pushvalue(L, error);
    for (int i = 0; i < CHAIN_LIMIT && lc_is_error(L, -1); i++) {
        if (replace_cancellation(L, host, "cause"))
            break;
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            if (replace_cancellation(L, host, "context"))
                break;
        }
        lua_replace(L, -2);
    }
    lua_settop(L, top);
}

bool lc_timeout_exit(lua_State *L, struct lc_timeout *timeout, int error)
{
    struct lc_task *task = timeout->task;
    struct lc_host *host;

    if (task == NULL)
        return false;
    host = task->future.loop->host;
    luaL_checkstack(L, 10, NULL);
    if (timeout->state == TIMEOUT_ACTIVE) {
        timeout->state = TIMEOUT_FINISHED;
        timeout_release(L, timeout);
        return false;
    }
    timeout->state = TIMEOUT_EXPIRED;
    timeout_release(L, timeout);
    if (lc_task_uncancel(task) > timeout->cancelling || error == 0)
        return false;
    if (lc_error_kind(L, error) == LC_KIND_CANCELLED) {
        lc_error_push_bare(L, host, LC_TIMEOUT_ERROR);
        lua_pushvalue(L, error);
        lua_setfield(L, -2, "cause");
        lc_traceback_inherit(L, host, error);
        return true;
    }
    insert_timeout_error(L, host, error);
    if (lc_error_is(L, host, error, LC_EXCEPTION_GROUP) &&
        lc_exception_group_push_members(L, error)) {
        for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, -1); i++) {
            lua_rawgeti(L, -1, i);
            insert_timeout_error(L, host, lua_gettop(L));
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    return false;
}

bool lc_timeouts_next(const struct lc_task *task, double *when)
{
    bool found = false;

    for (const struct lc_timeout *t = task->timeouts; t != NULL; t = t->outer) {
        if (t->state != TIMEOUT_ACTIVE || isinf(t->when) || (found && t->when >= *when))
            continue;
        *when = t->when;
        found = true;
    }
    return found;
}

void lc_timeouts_disarm(lua_State *L, struct lc_task *task)
{
    while (task->timeouts != NULL) {
        if (task->timeouts->state == TIMEOUT_ACTIVE)
            task->timeouts->state = TIMEOUT_FINISHED;
        else
            task->timeouts->state = TIMEOUT_EXPIRED;
        timeout_release(L, task->timeouts);
    }
}

void lc_timeouts_explain(lua_State *L, struct lc_task *task)
{
    for (struct lc_timeout *t = task->timeouts; t != NULL; t = t->outer) {
        if (t->state != TIMEOUT_EXPIRING)
            continue;
        lc_place_push(L, task->future.loop->host, t->made);
        lc_error_push(L, task->future.loop->host, LC_CANCELLED_ERROR,
                      "the timeout made at %s expired but was never closed",
                      lua_isnil(L, -1) ? "?" : lua_tostring(L, -1));
        lua_replace(L, -2);
        lua_insert(L, -2);
        lua_setfield(L, -2, "cause");
        return;
    }
}

void lc_timeouts_report(lua_State *L, struct lc_task *task)
{
    const char *joint = " at ";
    int top = lua_gettop(L);

    luaL_checkstack(L, 12, NULL);
    lua_createtable(L, 0, 2);
    lua_pushliteral(L,
                    "A timeout was never closed, use local t <close> = lucio.timeout(...): made");
    for (struct lc_timeout *t = task->timeouts; t != NULL; t = t->outer) {
        if (t->made != 0) {
            lua_pushstring(L, joint);
            lc_place_push(L, task->future.loop->host, t->made);
            lua_concat(L, 3);
            joint = " and at ";
        }
    }
    lua_setfield(L, -2, "message");
    lc_task_push(L, task);
    lua_setfield(L, -2, "task");
    lc_report_call_handler(L, task->future.loop);
    lua_settop(L, top);
}

/* ---- Lua ---- */

static struct lc_timeout *check_timeout(lua_State *L, const char *what)
{
    return lc_check_self(L, &timeout_type, what);
}

static int push_entered(lua_State *L, struct lc_host *host, double when, double now)
{
    struct lc_timeout *timeout;

    if (host->current == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "Timeout should be used inside a task");
    timeout = lc_timeout_enter(L, host, when, now);
    timeout->made = lc_place_here(L, host);
    return 1;
}

/* lucio.timeout(delay) -> Timeout */
static int lucio_timeout(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    double delay = INFINITY, now = 0;

    if (lc_opt_seconds(L, 1, "timeout", 1, &delay) && host->loop != NULL)
        now = lc_loop_time(host->loop);
    return push_entered(L, host, now + delay, now);
}

/* lucio.timeout_at(when) -> Timeout */
static int lucio_timeout_at(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    double when = INFINITY, now = 0;

    if (lc_opt_seconds(L, 1, "timeout_at", 1, &when) && host->loop != NULL)
        now = lc_loop_time(host->loop);
    return push_entered(L, host, when, now);
}

static const char *state_name(enum timeout_state state)
{
    static const char *const names[] = {"active", "expiring", "expired", "finished"};

    return names[state];
}

/* timeout:reschedule(when or nil) */
static int timeout_reschedule(lua_State *L)
{
    struct lc_timeout *timeout = check_timeout(L, "reschedule");
    double when = INFINITY;

    lua_settop(L, 2);
    lc_opt_seconds(L, 2, "reschedule", 1, &when);
    if (timeout->state != TIMEOUT_ACTIVE)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "Cannot change state of %s Timeout",
                 state_name(timeout->state));
    lc_loop_unset_timer(timeout->task->future.loop, &timeout->timer);
    timeout->when = when;
    timeout_arm(L, timeout, lc_loop_time(timeout->task->future.loop));
    return 0;
}

/* timeout:when() -> seconds or nil */
static int timeout_when(lua_State *L)
{
    struct lc_timeout *timeout = check_timeout(L, "when");

    if (isinf(timeout->when) && timeout->when > 0)
        lua_pushnil(L);
    else
        lua_pushnumber(L, timeout->when);
    return 1;
}

/* timeout:expired() -> boolean */
static int timeout_expired(lua_State *L)
{
    struct lc_timeout *timeout = check_timeout(L, "expired");

    lua_pushboolean(L, timeout->state == TIMEOUT_EXPIRING || timeout->state == TIMEOUT_EXPIRED);
    return 1;
}

/* timeout:__close(error) */
static int timeout_close(lua_State *L)
{
    struct lc_timeout *timeout = check_timeout(L, "close");

    lua_settop(L, 2);
    return lc_timeout_exit(L, timeout, lua_isnil(L, 2) ? 0 : 2) ? lua_error(L) : 0;
}

static int timeout_tostring(lua_State *L)
{
    struct lc_timeout *timeout = check_timeout(L, "tostring");
    char when[64] = "";

    if (timeout->state == TIMEOUT_ACTIVE && isfinite(timeout->when))
        snprintf(when, sizeof when, " when=%.3f", timeout->when);
    else if (timeout->state == TIMEOUT_ACTIVE)
        snprintf(when, sizeof when, " when=nil");
    lua_pushfstring(L, "<Timeout [%s]%s>", state_name(timeout->state), when);
    return 1;
}

void lc_timeouts_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"reschedule", timeout_reschedule},
                                       {"when", timeout_when},
                                       {"expired", timeout_expired},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__close", timeout_close}, {"__tostring", timeout_tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"timeout", lucio_timeout}, {"timeout_at", lucio_timeout_at}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_TIMEOUT, "lucio.Timeout", methods, metamethods);
    lc_set_functions(L, host, functions);
}
