/*
 * mini: what a task layer over liblua5.4 and libev costs at the least; the floor of the benchmarks.
 * Tasks, futures, queues, locks and timeouts are userdata, coroutines are pooled, wakes go through a
 * ring in C, the kernel is polled at most once per 64 resumes. There is no cancellation, no error
 * handling, no traceback: it is a measure, not a library. It has the names of lucio, so that it
 * runs the same workloads: mini switch.lua.
 * Invariant: a task is in the ready ring or in one wait list, never in both.
 * Owner:     a running task is the lowest value on the stack of its coroutine; coroutines are
 *            anchored for good in a table by slot.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <ev.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#define POLL_EVERY 64

struct task;

struct fifo {
    struct task *head, *tail;
};

/* What a future and a task have in common; the value is user value 1. */
struct future {
    struct fifo waiters;
    bool done;
};

struct task {
    struct future future;
    lua_State *co;
    struct task *next; /* in the ready ring, in a wait list or, ended, in a group */
    struct group *group;
    lua_Integer index; /* in the list of the group */
    int args;          /* of the first resume */
    ev_timer timer;
};

struct group {
    struct fifo ended; /* as_completed: not yet handed out */
    struct task *waiter;
    lua_Integer pending;
    bool each; /* wake for each task, not for the last only */
};

struct queue {
    struct fifo getters, putters;
    lua_Integer head, count, max;
};

struct lock {
    struct fifo waiters;
    bool held;
};

struct event {
    struct fifo waiters;
    bool set;
};

static struct ev_loop *loop;
static struct fifo ready;
static struct task *current;
static lua_State **pool;
static size_t pooled, pool_size;
static int anchors, future_meta, timeout_meta; /* references in the registry */

static void fifo_push(struct fifo *fifo, struct task *task)
{
    task->next = NULL;
    if (fifo->tail)
        fifo->tail->next = task;
    else
        fifo->head = task;
    fifo->tail = task;
}

static struct task *fifo_pop(struct fifo *fifo)
{
    struct task *task = fifo->head;
    if (task && !(fifo->head = task->next))
        fifo->tail = NULL;
    return task;
}

static bool wake_one(struct fifo *waiters)
{
    struct task *task = fifo_pop(waiters);
    if (task)
        fifo_push(&ready, task);
    return task != NULL;
}

static void wake_all(struct fifo *waiters)
{
    while (wake_one(waiters))
        ;
}

/* The ring and the loop. */

static lua_State *thread_take(lua_State *L)
{
    if (pooled > 0)
        return pool[--pooled];
    lua_rawgeti(L, LUA_REGISTRYINDEX, anchors);
    lua_State *co = lua_newthread(L);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pop(L, 1);
    return co;
}

static void thread_give(lua_State *co)
{
    if (pooled == pool_size) {
        pool_size = pool_size ? pool_size * 2 : 64;
        pool = realloc(pool, pool_size * sizeof *pool);
        if (!pool)
            abort();
    }
    pool[pooled++] = co;
}

static void group_note(struct group *group, struct task *task)
{
    group->pending--;
    if (group->each)
        fifo_push(&group->ended, task);
    if (group->waiter && (group->each || group->pending == 0)) {
        fifo_push(&ready, group->waiter);
        group->waiter = NULL;
    }
}

static void task_end(struct task *task, int results)
{
    lua_State *co = task->co;
    lua_settop(co, results > 0 ? 2 : 1);
    if (results > 0)
        lua_setiuservalue(co, 1, 1);
    task->future.done = true;
    wake_all(&task->future.waiters);
    if (task->group)
        group_note(task->group, task);
    lua_settop(co, 0); /* the task may be garbage from here on */
    thread_give(co);
}

static void task_step(lua_State *L, struct task *task)
{
    int results, args = task->args;
    task->args = 0;
    current = task;
    int status = lua_resume(task->co, L, args, &results);
    if (status == LUA_YIELD)
        return;
    if (status != LUA_OK) {
        fprintf(stderr, "mini: %s\n", lua_tostring(task->co, -1));
        exit(1);
    }
    task_end(task, results - 1);
}

static void loop_until(lua_State *L, const bool *done)
{
    unsigned steps = 0;
    while (!*done) {
        if (!ready.head) {
            if (!ev_run(loop, EVRUN_ONCE) && !ready.head)
                luaL_error(L, "every task waits for ever");
            continue;
        }
        if (++steps % POLL_EVERY == 0)
            ev_run(loop, EVRUN_NOWAIT);
        task_step(L, fifo_pop(&ready));
    }
}

/* Tasks. */

/* Makes a task of the function and the arguments that are the whole stack. [-top, +1, m] */
static struct task *task_new(lua_State *L)
{
    int top = lua_gettop(L);
    struct task *task = lua_newuserdatauv(L, sizeof *task, 1);
    *task = (struct task){.args = top - 1};
    lua_rawgeti(L, LUA_REGISTRYINDEX, future_meta);
    lua_setmetatable(L, -2);
    task->co = thread_take(L);
    luaL_checkstack(task->co, top + 1, NULL);
    lua_pushvalue(L, -1);
    lua_xmove(L, task->co, 1);
    lua_insert(L, 1);
    lua_xmove(L, task->co, top);
    fifo_push(&ready, task);
    return task;
}

static int mini_create_task(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    task_new(L);
    return 1;
}

static int mini_run(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    struct task *task = task_new(L);
    loop_until(L, &task->future.done);
    lua_getiuservalue(L, -1, 1);
    return 1;
}

static void on_timer(struct ev_loop *lp, ev_timer *timer, int events)
{
    (void)lp;
    (void)events;
    fifo_push(&ready, (struct task *)((char *)timer - offsetof(struct task, timer)));
}

static int mini_sleep(lua_State *L)
{
    lua_Number delay = luaL_checknumber(L, 1);
    if (delay > 0) {
        ev_timer_init(&current->timer, on_timer, delay, 0);
        ev_timer_start(loop, &current->timer);
    } else {
        fifo_push(&ready, current);
    }
    return lua_yield(L, 0);
}

/* Futures. */

static struct future *check_future(lua_State *L)
{
    return luaL_checkudata(L, 1, "mini.future");
}

static int mini_future(lua_State *L)
{
    struct future *future = lua_newuserdatauv(L, sizeof *future, 1);
    *future = (struct future){0};
    lua_rawgeti(L, LUA_REGISTRYINDEX, future_meta);
    lua_setmetatable(L, -2);
    return 1;
}

static int future_result_k(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    lua_getiuservalue(L, 1, 1);
    return 1;
}

static int future_await(lua_State *L)
{
    struct future *future = check_future(L);
    if (future->done)
        return future_result_k(L, LUA_OK, 0);
    fifo_push(&future->waiters, current);
    return lua_yieldk(L, 0, 0, future_result_k);
}

static int future_result(lua_State *L)
{
    luaL_argcheck(L, check_future(L)->done, 1, "not done");
    return future_result_k(L, LUA_OK, 0);
}

static int future_set_result(lua_State *L)
{
    struct future *future = check_future(L);
    luaL_argcheck(L, !future->done, 1, "done already");
    lua_settop(L, 2);
    lua_setiuservalue(L, 1, 1);
    future->done = true;
    wake_all(&future->waiters);
    return 0;
}

static int future_done(lua_State *L)
{
    lua_pushboolean(L, check_future(L)->done);
    return 1;
}

/* Groups of tasks: gather and as_completed. */

/* Pushes the group of the list of tasks at index 1. */
static struct group *group_new(lua_State *L, bool each)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
    struct group *group = lua_newuserdatauv(L, sizeof *group, 0);
    *group = (struct group){.each = each};
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        struct task *task = luaL_checkudata(L, -1, "mini.future");
        task->index = i;
        task->group = group;
        if (task->future.done && each)
            fifo_push(&group->ended, task);
        else if (!task->future.done)
            group->pending++;
        lua_pop(L, 1);
    }
    return group;
}

static int gather_k(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
    lua_createtable(L, (int)n, 0);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        lua_getiuservalue(L, -1, 1);
        lua_rawseti(L, -3, i);
        lua_pop(L, 1);
    }
    return 1;
}

static int mini_gather(lua_State *L)
{
    struct group *group = group_new(L, false);
    if (group->pending == 0)
        return gather_k(L, LUA_OK, 0);
    group->waiter = current;
    return lua_yieldk(L, 0, 0, gather_k);
}

static int completed_next_k(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct group *group = lua_touserdata(L, lua_upvalueindex(1));
    struct task *task = fifo_pop(&group->ended);
    if (task) {
        lua_rawgeti(L, lua_upvalueindex(2), task->index);
        return 1;
    }
    if (group->pending == 0)
        return 0;
    group->waiter = current;
    return lua_yieldk(L, 0, 0, completed_next_k);
}

static int completed_next(lua_State *L)
{
    return completed_next_k(L, LUA_OK, 0);
}

static int mini_as_completed(lua_State *L)
{
    group_new(L, true);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, completed_next, 2);
    return 1;
}

/* Queue: a ring of items in the table of user value 1. */

static int mini_queue(lua_State *L)
{
    lua_Integer max = luaL_checkinteger(L, 1);
    struct queue *queue = lua_newuserdatauv(L, sizeof *queue, 1);
    *queue = (struct queue){.max = max};
    lua_createtable(L, (int)max, 0);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, "mini.queue");
    return 1;
}

static int queue_put_k(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    struct queue *queue = (struct queue *)context;
    if (queue->count == queue->max) {
        fifo_push(&queue->putters, current);
        return lua_yieldk(L, 0, context, queue_put_k);
    }
    lua_getiuservalue(L, 1, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, (queue->head + queue->count++) % queue->max + 1);
    wake_one(&queue->getters);
    return 0;
}

static int queue_put(lua_State *L)
{
    struct queue *queue = luaL_checkudata(L, 1, "mini.queue");
    lua_settop(L, 2);
    return queue_put_k(L, LUA_OK, (lua_KContext)queue);
}

static int queue_get_k(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    struct queue *queue = (struct queue *)context;
    if (queue->count == 0) {
        fifo_push(&queue->getters, current);
        return lua_yieldk(L, 0, context, queue_get_k);
    }
    lua_getiuservalue(L, 1, 1);
    lua_rawgeti(L, -1, queue->head + 1);
    queue->head = (queue->head + 1) % queue->max;
    queue->count--;
    wake_one(&queue->putters);
    return 1;
}

static int queue_get(lua_State *L)
{
    struct queue *queue = luaL_checkudata(L, 1, "mini.queue");
    return queue_get_k(L, LUA_OK, (lua_KContext)queue);
}

/* Lock: handed over in order of arrival. */

static int mini_lock(lua_State *L)
{
    struct lock *lock = lua_newuserdatauv(L, sizeof *lock, 0);
    *lock = (struct lock){0};
    luaL_setmetatable(L, "mini.lock");
    return 1;
}

static int lock_acquire_k(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    lua_settop(L, 1);
    return 1;
}

static int lock_acquire(lua_State *L)
{
    struct lock *lock = luaL_checkudata(L, 1, "mini.lock");
    if (lock->held) {
        fifo_push(&lock->waiters, current);
        return lua_yieldk(L, 0, 0, lock_acquire_k);
    }
    lock->held = true;
    return lock_acquire_k(L, LUA_OK, 0);
}

static int lock_release(lua_State *L)
{
    struct lock *lock = luaL_checkudata(L, 1, "mini.lock");
    if (!wake_one(&lock->waiters))
        lock->held = false;
    return 0;
}

/* Event. */

static int mini_event(lua_State *L)
{
    struct event *event = lua_newuserdatauv(L, sizeof *event, 0);
    *event = (struct event){0};
    luaL_setmetatable(L, "mini.event");
    return 1;
}

static int event_wait(lua_State *L)
{
    struct event *event = luaL_checkudata(L, 1, "mini.event");
    if (event->set)
        return 0;
    fifo_push(&event->waiters, current);
    return lua_yield(L, 0);
}

static int event_set(lua_State *L)
{
    struct event *event = luaL_checkudata(L, 1, "mini.event");
    event->set = true;
    wake_all(&event->waiters);
    return 0;
}

/* Timeouts: armed and disarmed, as nothing here can be cancelled. */

static void on_timeout(struct ev_loop *lp, ev_timer *timer, int events)
{
    (void)lp;
    (void)timer;
    (void)events;
    fputs("mini: a timeout fired\n", stderr);
    exit(1);
}

static int mini_timeout(lua_State *L)
{
    lua_Number delay = luaL_checknumber(L, 1);
    ev_timer *timer = lua_newuserdatauv(L, sizeof *timer, 0);
    ev_timer_init(timer, on_timeout, delay, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, timeout_meta);
    lua_setmetatable(L, -2);
    ev_timer_start(loop, timer);
    return 1;
}

static int timeout_close(lua_State *L)
{
    ev_timer_stop(loop, luaL_checkudata(L, 1, "mini.timeout"));
    return 0;
}

static int wait_for_k(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    ev_timer_stop(loop, (ev_timer *)context);
    return lua_gettop(L) - 1;
}

static int mini_wait_for(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_Number delay = luaL_checknumber(L, 2);
    ev_timer *timer = lua_newuserdatauv(L, sizeof *timer, 0);
    ev_timer_init(timer, on_timeout, delay, 0);
    ev_timer_start(loop, timer);
    lua_replace(L, 2);
    lua_insert(L, 1);
    lua_callk(L, 0, LUA_MULTRET, (lua_KContext)timer, wait_for_k);
    return wait_for_k(L, LUA_OK, (lua_KContext)timer);
}

/* The module and the command. */

static const luaL_Reg functions[] = {
    {"Event", mini_event},
    {"Future", mini_future},
    {"Lock", mini_lock},
    {"Queue", mini_queue},
    {"as_completed", mini_as_completed},
    {"create_task", mini_create_task},
    {"gather", mini_gather},
    {"run", mini_run},
    {"sleep", mini_sleep},
    {"timeout", mini_timeout},
    {"wait_for", mini_wait_for},
    {NULL, NULL},
};

static const luaL_Reg future_methods[] = {
    {"await", future_await},           {"done", future_done}, {"result", future_result},
    {"set_result", future_set_result}, {NULL, NULL},
};

static const luaL_Reg queue_methods[] = {{"get", queue_get}, {"put", queue_put}, {NULL, NULL}};

static const luaL_Reg lock_methods[] = {
    {"__close", lock_release},
    {"acquire", lock_acquire},
    {"release", lock_release},
    {NULL, NULL},
};

static const luaL_Reg event_methods[] = {{"set", event_set}, {"wait", event_wait}, {NULL, NULL}};

static const luaL_Reg timeout_methods[] = {{"__close", timeout_close}, {NULL, NULL}};

/* Makes a class and returns a reference to its metatable. */
static int class_new(lua_State *L, const char *name, const luaL_Reg *methods)
{
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

static int mini_open(lua_State *L)
{
    lua_newtable(L);
    anchors = luaL_ref(L, LUA_REGISTRYINDEX);
    future_meta = class_new(L, "mini.future", future_methods);
    timeout_meta = class_new(L, "mini.timeout", timeout_methods);
    class_new(L, "mini.queue", queue_methods);
    class_new(L, "mini.lock", lock_methods);
    class_new(L, "mini.event", event_methods);
    luaL_newlib(L, functions);
    return 1;
}

int main(int argc, char **argv)
{
    loop = ev_loop_new(EVFLAG_AUTO);
    lua_State *L = luaL_newstate();
    if (argc < 2 || !loop || !L) {
        fputs("usage: mini script.lua [argument...]\n", stderr);
        return 2;
    }
    luaL_openlibs(L);
    luaL_requiref(L, "lucio", mini_open, 0);
    lua_createtable(L, argc, 0);
    for (int i = 1; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - 1);
    }
    lua_setglobal(L, "arg");
    if (luaL_dofile(L, argv[1])) {
        fprintf(stderr, "mini: %s\n", lua_tostring(L, -1));
        return 1;
    }
    lua_close(L);
    ev_loop_destroy(loop);
    return 0;
}
