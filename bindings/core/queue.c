/*
 * queue: Queue, LifoQueue, PriorityQueue (SEMANTICS QU).
 * Invariant: an item stays queued until its getter runs; there is no hand-off. A woken waiter has
 *            left its list.
 * Owner: user value 1 is the table of items (a ring, a stack, or a heap of item and sequence pairs),
 *        2 the `less` function of a PriorityQueue.
 */
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "primitives.h"
#include "queue_order.h"

enum queue_kind { QUEUE_FIFO, QUEUE_LIFO, QUEUE_PRIORITY };

struct queue {
    struct lc_object object;
    enum queue_kind kind;
    bool shutdown;
    bool has_less;
    lua_Integer maxsize;
    lua_Integer count;
    lua_Integer head;     /* of the ring: index of the first item, from 0 */
    lua_Integer capacity; /* of the ring */
    lua_Integer sequence; /* of the next item of a heap */
    lua_Integer unfinished;
    struct lc_link getters;
    struct lc_link putters;
    struct lc_link joiners;
    struct lc_loop *loop;
    uint32_t generation;
};

const struct lc_type lc_core_queue_type = {"Queue", sizeof(struct queue)};
static const struct lc_wait_type get_wait = {"queue.get", NULL};
static const struct lc_wait_type put_wait = {"queue.put", NULL};
static const struct lc_wait_type join_wait = {"queue.join", NULL};

static bool queue_is_full(const struct queue *queue)
{
    return queue->maxsize > 0 && queue->count >= queue->maxsize;
}

/* ---- items; the table is on top ---- */

/* Doubles the ring in a new table. [-1, +1, m] */
static void ring_grow(lua_State *L, struct queue *queue, int self)
{
    lua_Integer capacity = queue->capacity ? queue->capacity * 2 : 8;

    lua_createtable(L, (int)(capacity < 1 << 20 ? capacity : 1 << 20), 0);
    for (lua_Integer i = 0; i < queue->count; i++) {
        lua_rawgeti(L, -2, (queue->head + i) % queue->capacity + 1);
        lua_rawseti(L, -2, i + 1);
    }
    lua_replace(L, -2);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, self, 1);
    queue->head = 0;
    queue->capacity = capacity;
}

static bool items_less(lua_State *L, struct queue *queue, int self, int a, int b)
{
    bool less;

    luaL_checkstack(L, 6, NULL);
    if (queue->has_less) {
        lua_getiuservalue(L, self, 2);
        lua_pushvalue(L, a);
        lua_pushvalue(L, b);
        lua_call(L, 2, 1);
        less = lua_toboolean(L, -1);
        lua_pop(L, 1);
        return less;
    }
    return lc_items_less(L, lc_host_of(L), a, b);
}

/* Entry i (from 1) of the heap: the item, and its sequence number. */
static lua_Integer heap_push_item(lua_State *L, int heap, lua_Integer i)
{
    lua_Integer sequence;

    lua_rawgeti(L, heap, 2 * i);
    sequence = lua_tointeger(L, -1);
    lua_pop(L, 1);
    lua_rawgeti(L, heap, 2 * i - 1);
    return sequence;
}

static void heap_move(lua_State *L, int heap, lua_Integer to, lua_Integer from)
{
    lua_rawgeti(L, heap, 2 * from - 1);
    lua_rawseti(L, heap, 2 * to - 1);
    lua_rawgeti(L, heap, 2 * from);
    lua_rawseti(L, heap, 2 * to);
}

/* Adds the item at `item`: first all comparisons, which may raise, then the moves. A tie keeps the
 * order of insertion, so an item goes up only past greater ones. */
static void heap_add(lua_State *L, struct queue *queue, int self, int heap, int item)
{
    lua_Integer last = queue->count + 1, place = last, count = queue->count;

    while (place > 1) {
        bool less;

        heap_push_item(L, heap, place / 2);
        less = items_less(L, queue, self, item, lua_gettop(L));
        lua_pop(L, 1);
        if (!less)
            break;
        place /= 2;
    }
    if (queue->count != count)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR,
                 "the PriorityQueue was changed while its items were compared");
    for (lua_Integer i = last; i > place; i /= 2)
        heap_move(L, heap, i, i / 2);
    lua_pushvalue(L, item);
    lua_rawseti(L, heap, 2 * place - 1);
    lua_pushinteger(L, queue->sequence++);
    lua_rawseti(L, heap, 2 * place);
}

/* Whether entry a of the heap comes before entry b. */
static bool entry_before(lua_State *L, struct queue *queue, int self, int heap, lua_Integer a,
                         lua_Integer b)
{
    int top = lua_gettop(L);
    lua_Integer sa = heap_push_item(L, heap, a), sb = heap_push_item(L, heap, b);
    bool before = items_less(L, queue, self, top + 1, top + 2) ||
                  (sa < sb && !items_less(L, queue, self, top + 2, top + 1));

    lua_settop(L, top);
    return before;
}

/* Pushes the first item and takes it out: first the path of smaller children, then the moves. */
static void heap_take(lua_State *L, struct queue *queue, int self, int heap)
{
    lua_Integer path[64];
    lua_Integer n = queue->count, at = 1;
    int depth = 0;

    luaL_checkstack(L, 10, NULL);
    path[depth++] = 1;
    while (2 * at < n) {
        lua_Integer child = 2 * at;

        if (child + 1 < n && entry_before(L, queue, self, heap, child + 1, child))
            child++;
        if (!entry_before(L, queue, self, heap, child, n))
            break;
        path[depth++] = child;
        at = child;
    }
    if (queue->count != n)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR,
                 "the PriorityQueue was changed while its items were compared");
    heap_push_item(L, heap, 1);
    for (int i = 1; i < depth; i++)
        heap_move(L, heap, path[i - 1], path[i]);
    heap_move(L, heap, path[depth - 1], n);
    lua_pushnil(L);
    lua_rawseti(L, heap, 2 * n - 1);
    lua_pushnil(L);
    lua_rawseti(L, heap, 2 * n);
}

/* Adds the value at `item`. [-0, +0, e] */
static void queue_add(lua_State *L, struct queue *queue, int self, int item)
{
    lua_getiuservalue(L, self, 1);
    switch (queue->kind) {
    case QUEUE_FIFO:
        if (queue->count == queue->capacity)
            ring_grow(L, queue, self);
        lua_pushvalue(L, item);
        lua_rawseti(L, -2, (queue->head + queue->count) % queue->capacity + 1);
        break;
    case QUEUE_LIFO:
        lua_pushvalue(L, item);
        lua_rawseti(L, -2, queue->count + 1);
        break;
    case QUEUE_PRIORITY:
        heap_add(L, queue, self, lua_gettop(L), item);
        break;
    }
    queue->count++;
    lua_pop(L, 1);
}

/* Pushes the next item and takes it out. [-0, +1, e] */
static void queue_take(lua_State *L, struct queue *queue, int self)
{
    lua_Integer at;

    lua_getiuservalue(L, self, 1);
    switch (queue->kind) {
    case QUEUE_FIFO:
        at = queue->head + 1;
        lua_rawgeti(L, -1, at);
        lua_pushnil(L);
        lua_rawseti(L, -3, at);
        queue->head = at % queue->capacity;
        break;
    case QUEUE_LIFO:
        at = queue->count;
        lua_rawgeti(L, -1, at);
        lua_pushnil(L);
        lua_rawseti(L, -3, at);
        break;
    case QUEUE_PRIORITY:
        heap_take(L, queue, self, lua_gettop(L));
        break;
    }
    queue->count--;
    lua_replace(L, -2);
}

/* ---- waiting ---- */

static void wake_next(struct lc_link *waiters)
{
    while (!lc_list_empty(waiters)) {
        struct lc_waiter *waiter = lc_waiter_of(lc_list_pop(waiters));

        if (lc_waiter_is_pending(waiter)) {
            lc_waiter_wake(waiter);
            return;
        }
    }
}

static void wake_all(struct lc_link *waiters)
{
    while (!lc_list_empty(waiters))
        lc_waiter_wake(lc_waiter_of(lc_list_pop(waiters)));
}

static int queue_suspend(lua_State *L, struct queue *queue, struct lc_link *list,
                         const struct lc_wait_type *type, const char *what, lua_KFunction k)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_task *task = lc_wait_task(L, host, what);

    lc_bind_loop(L, host, &queue->loop, &queue->generation, "Queue");
    lc_list_append(list, &task->waiter.link);
    lc_wait_begin(L, task, type, 1);
    return lc_wait_yield(L, task, 0, k);
}

static int raise_shut_down(lua_State *L)
{
    lc_error_push_bare(L, lc_host_of(L), LC_QUEUE_SHUT_DOWN);
    return lua_error(L);
}

static void put_now(lua_State *L, struct queue *queue)
{
    queue_add(L, queue, 1, 2);
    queue->unfinished++;
    wake_next(&queue->getters);
}

static int put_k(lua_State *L, int status, lua_KContext ctx)
{
    struct queue *queue = lua_touserdata(L, 1);

    (void)ctx;
    if (status == LUA_YIELD) {
        struct lc_task *task = lc_host_of(L)->current;
        bool woken = task->waiter.state == LC_WAIT_WOKEN;

        lc_list_unlink(&task->waiter.link);
        if (lc_wait_end(L, task)) {
            if (woken && !queue_is_full(queue))
                wake_next(&queue->putters);
            return lua_error(L);
        }
    }
    if (queue_is_full(queue)) {
        if (queue->shutdown)
            return raise_shut_down(L);
        return queue_suspend(L, queue, &queue->putters, &put_wait, "Queue:put", put_k);
    }
    if (queue->shutdown)
        return raise_shut_down(L);
    put_now(L, queue);
    return 0;
}

/* queue:put(item). May suspend. */
int lc_method_queue_put(lua_State *L)
{
    lc_check_self(L, &lc_core_queue_type, "put");
    lua_settop(L, 2);
    return put_k(L, LUA_OK, 0);
}

/* queue:put_nowait(item) */
int lc_method_queue_put_nowait(lua_State *L)
{
    struct queue *queue = lc_check_self(L, &lc_core_queue_type, "put_nowait");

    lua_settop(L, 2);
    if (queue->shutdown)
        return raise_shut_down(L);
    if (queue_is_full(queue)) {
        lc_error_push_bare(L, lc_host_of(L), LC_QUEUE_FULL);
        return lua_error(L);
    }
    put_now(L, queue);
    return 0;
}

/* A getter goes on. True: the error to raise was pushed, and a wake that it cannot use went to the
 * next one. */
static bool getter_failed(lua_State *L, struct queue *queue)
{
    struct lc_task *task = lc_host_of(L)->current;
    bool woken = task->waiter.state == LC_WAIT_WOKEN;

    lc_list_unlink(&task->waiter.link);
    if (!lc_wait_end(L, task))
        return false;
    if (woken && queue->count > 0)
        wake_next(&queue->getters);
    return true;
}

static int get_k(lua_State *L, int status, lua_KContext ctx)
{
    struct queue *queue = lua_touserdata(L, 1);

    (void)ctx;
    if (status == LUA_YIELD && getter_failed(L, queue))
        return lua_error(L);
    if (queue->count == 0) {
        if (queue->shutdown)
            return raise_shut_down(L);
        return queue_suspend(L, queue, &queue->getters, &get_wait, "Queue:get", get_k);
    }
    queue_take(L, queue, 1);
    wake_next(&queue->putters);
    return 1;
}

/* queue:get() -> item. May suspend. */
int lc_method_queue_get(lua_State *L)
{
    lc_check_self(L, &lc_core_queue_type, "get");
    lua_settop(L, 1);
    return get_k(L, LUA_OK, 0);
}

/* queue:get_nowait() -> item */
int lc_method_queue_get_nowait(lua_State *L)
{
    struct queue *queue = lc_check_self(L, &lc_core_queue_type, "get_nowait");

    lua_settop(L, 1);
    if (queue->count == 0) {
        lc_error_push_bare(L, lc_host_of(L), queue->shutdown ? LC_QUEUE_SHUT_DOWN : LC_QUEUE_EMPTY);
        return lua_error(L);
    }
    queue_take(L, queue, 1);
    wake_next(&queue->putters);
    return 1;
}

/* The iterator of queue:items(): (queue, i) -> i + 1, item; ends when the queue is shut down and
 * empty. */
static int items_k(lua_State *L, int status, lua_KContext ctx)
{
    struct queue *queue = lua_touserdata(L, 1);

    (void)ctx;
    if (status == LUA_YIELD && getter_failed(L, queue))
        return lua_error(L);
    lua_settop(L, 2);
    if (queue->count == 0) {
        if (queue->shutdown)
            return 0;
        return queue_suspend(L, queue, &queue->getters, &get_wait, "Queue:items", items_k);
    }
    lua_pushinteger(L, lua_tointeger(L, 2) + 1);
    queue_take(L, queue, 1);
    wake_next(&queue->putters);
    return 2;
}

static int items_next(lua_State *L)
{
    lc_check_self(L, &lc_core_queue_type, "items");
    lua_settop(L, 2);
    return items_k(L, LUA_OK, 0);
}

/* for i, item in queue:items() */
static int queue_items(lua_State *L)
{
    lc_check_self(L, &lc_core_queue_type, "items");
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushcclosure(L, items_next, 1);
    lua_insert(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

static int join_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;

    (void)status;
    (void)ctx;
    lc_list_unlink(&task->waiter.link);
    return lc_wait_end(L, task) ? lua_error(L) : 0;
}

/* queue:join(). May suspend. */
int lc_method_queue_join(lua_State *L)
{
    struct queue *queue = lc_check_self(L, &lc_core_queue_type, "join");

    lua_settop(L, 1);
    if (queue->unfinished == 0)
        return 0;
    return queue_suspend(L, queue, &queue->joiners, &join_wait, "Queue:join", join_k);
}

/* queue:task_done() */
int lc_method_queue_task_done(lua_State *L)
{
    struct queue *queue = lc_check_self(L, &lc_core_queue_type, "task_done");

    if (queue->unfinished <= 0)
        lc_raise(L, lc_host_of(L), LC_VALUE_ERROR, "task_done() called too many times");
    if (--queue->unfinished == 0)
        wake_all(&queue->joiners);
    return 0;
}

/* queue:shutdown(immediate = false) */
int lc_method_queue_shutdown(lua_State *L)
{
    struct queue *queue = lc_check_self(L, &lc_core_queue_type, "shutdown");

    lua_settop(L, 2);
    queue->shutdown = true;
    if (lua_toboolean(L, 2)) {
        lua_newtable(L);
        lua_setiuservalue(L, 1, 1);
        queue->unfinished -= queue->count < queue->unfinished ? queue->count : queue->unfinished;
        queue->count = 0;
        queue->head = 0;
        queue->capacity = 0;
        if (queue->unfinished == 0)
            wake_all(&queue->joiners);
    }
    wake_all(&queue->getters);
    wake_all(&queue->putters);
    return 0;
}

int lc_method_queue_qsize(lua_State *L)
{
    struct queue *queue = lc_check_self(L, &lc_core_queue_type, "qsize");

    lua_pushinteger(L, queue->count);
    return 1;
}

int lc_method_queue_empty(lua_State *L)
{
    struct queue *queue = lc_check_self(L, &lc_core_queue_type, "empty");

    lua_pushboolean(L, queue->count == 0);
    return 1;
}

int lc_method_queue_full(lua_State *L)
{
    lua_pushboolean(L, queue_is_full(lc_check_self(L, &lc_core_queue_type, "full")));
    return 1;
}

static int queue_tostring(lua_State *L)
{
    static const char *const names[] = {"Queue", "LifoQueue", "PriorityQueue"};
    struct queue *queue = lc_check_self(L, &lc_core_queue_type, "tostring");

    lua_pushfstring(L, "<%s maxsize=%I qsize=%I%s>", names[queue->kind],
                    (LUAI_UACINT)queue->maxsize, (LUAI_UACINT)queue->count,
                    queue->shutdown ? " shutdown" : "");
    return 1;
}

static const luaL_Reg queue_methods[] = {
    {"put", lc_method_queue_put},     {"put_nowait", lc_method_queue_put_nowait},
    {"get", lc_method_queue_get},     {"get_nowait", lc_method_queue_get_nowait},
    {"qsize", lc_method_queue_qsize}, {"empty", lc_method_queue_empty},
    {"full", lc_method_queue_full},   {"task_done", lc_method_queue_task_done},
    {"join", lc_method_queue_join},   {"shutdown", lc_method_queue_shutdown},
    {"items", queue_items},           {NULL, NULL},
};

/* Sets the metatable of the queue on top. `maxsize` is a plain field of the methods, so that a
 * method is found without a call: there is one metatable for each maxsize in use. */
static void set_metatable(lua_State *L, struct lc_host *host, lua_Integer maxsize)
{
    static const luaL_Reg metamethods[] = {{"__tostring", queue_tostring}, {NULL, NULL}};

    lc_host_push_ref(L, host, LC_REF_QUEUE);
    if (lua_rawgeti(L, -1, maxsize) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushliteral(L, "lucio.Queue");
        lua_setfield(L, -2, "__name");
        lc_set_functions(L, host, metamethods);
        lua_newtable(L);
        lc_set_functions(L, host, queue_methods);
        lua_pushinteger(L, maxsize);
        lua_setfield(L, -2, "maxsize");
        lua_setfield(L, -2, "__index");
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, maxsize);
    }
    lua_setmetatable(L, -3);
    lua_pop(L, 1);
}

static int queue_new(lua_State *L, enum queue_kind kind, const char *what)
{
    struct lc_host *host = lc_host_of(L);
    lua_Integer maxsize = lua_isnoneornil(L, 1) ? 0 : lc_check_integer(L, 1, what, 1);
    struct queue *queue;

    lua_settop(L, 2);
    if (kind == QUEUE_PRIORITY && !lua_isnil(L, 2))
        lc_check_callable(L, 2, what, 2);
    queue = lua_newuserdatauv(L, sizeof *queue, 2);
    memset(queue, 0, sizeof *queue);
    queue->object.type = &lc_core_queue_type;
    set_metatable(L, host, maxsize);
    queue->kind = kind;
    queue->maxsize = maxsize;
    queue->has_less = kind == QUEUE_PRIORITY && !lua_isnil(L, 2);
    lc_list_init(&queue->getters);
    lc_list_init(&queue->putters);
    lc_list_init(&queue->joiners);
    lua_newtable(L);
    lua_setiuservalue(L, 3, 1);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 3, 2);
    return 1;
}

int lc_method_queue_new(lua_State *L)
{
    return queue_new(L, QUEUE_FIFO, "Queue");
}

int lc_method_lifo_queue_new(lua_State *L)
{
    return queue_new(L, QUEUE_LIFO, "LifoQueue");
}

int lc_method_priority_queue_new(lua_State *L)
{
    return queue_new(L, QUEUE_PRIORITY, "PriorityQueue");
}

void lc_open_queue(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {{"Queue", lc_method_queue_new},
                                         {"LifoQueue", lc_method_lifo_queue_new},
                                         {"PriorityQueue", lc_method_priority_queue_new},
                                         {NULL, NULL}};

    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lc_host_set_ref(L, host, LC_REF_QUEUE);
    lc_set_functions(L, host, functions);
}
