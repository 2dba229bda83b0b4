/*
 * event: a flag that tasks wait for (SEMANTICS EV).
 */
#include <lauxlib.h>

#include "core.h"
#include "primitives.h"

struct event {
    struct lc_object object;
    struct lc_link waiters;
    struct lc_loop *loop;
    uint32_t generation;
    bool is_set;
};

const struct lc_type lc_core_event_type = {"Event", sizeof(struct event)};
static const struct lc_wait_type event_wait = {"event", NULL};

static int wait_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;

    (void)status;
    (void)ctx;
    lc_list_unlink(&task->waiter.link);
    if (lc_wait_end(L, task))
        return lua_error(L);
    lua_pushboolean(L, 1);
    return 1;
}

/* event:wait() -> true. May suspend. */
int lc_method_event_wait(lua_State *L)
{
    struct event *event = lc_check_self(L, &lc_core_event_type, "wait");
    struct lc_host *host = lc_host_of(L);
    struct lc_task *task;

    if (event->is_set) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_settop(L, 1);
    task = lc_wait_task(L, host, "Event:wait");
    lc_bind_loop(L, host, &event->loop, &event->generation, "Event");
    lc_list_append(&event->waiters, &task->waiter.link);
    lc_wait_begin(L, task, &event_wait, 1);
    return lc_wait_yield(L, task, 0, wait_k);
}

/* event:set() */
int lc_method_event_set(lua_State *L)
{
    struct event *event = lc_check_self(L, &lc_core_event_type, "set");

    if (event->is_set)
        return 0;
    event->is_set = true;
    for (struct lc_link *link = event->waiters.next; link != &event->waiters; link = link->next)
        lc_waiter_wake(lc_waiter_of(link));
    return 0;
}

int lc_method_event_clear(lua_State *L)
{
    struct event *event = lc_check_self(L, &lc_core_event_type, "clear");

    event->is_set = false;
    return 0;
}

int lc_method_event_is_set(lua_State *L)
{
    struct event *event = lc_check_self(L, &lc_core_event_type, "is_set");

    lua_pushboolean(L, event->is_set);
    return 1;
}

static int event_tostring(lua_State *L)
{
    struct event *event = lc_check_self(L, &lc_core_event_type, "tostring");

    lua_pushfstring(L, "<Event [%s%s]>", event->is_set ? "set" : "unset",
                    lc_push_waiters_text(L, &event->waiters));
    return 1;
}

int lc_method_event_new(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct event *event;

    lc_check_no_arguments(L, "Event");
    event = lc_new_object(L, host, &lc_core_event_type, LC_REF_EVENT, sizeof *event, 0);
    lc_list_init(&event->waiters);
    return 1;
}

void lc_open_event(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"wait", lc_method_event_wait},
                                       {"set", lc_method_event_set},
                                       {"clear", lc_method_event_clear},
                                       {"is_set", lc_method_event_is_set},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__tostring", event_tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"Event", lc_method_event_new}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_EVENT, "lucio.Event", methods, metamethods);
    lc_set_functions(L, host, functions);
}
