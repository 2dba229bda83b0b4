/*
 * shared_queue: lucio.shared.Queue: values from thread to thread, or to a process, in a message ring.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "message_ring.h"
#include "parcel.h"
#include "rights.h"
#include "shared.h"
#include "shared_wait.h"
#include "wire.h"

const struct lc_type lc_shared_queue_type = {"shared queue", sizeof(struct lc_shared_object)};

/* More items are never limited. */
#define SIZE_MAX_ITEMS ((lua_Integer)1 << 60)

/* Bytes of items; and in a host whose memory is limited, which then counts them at once. */
#define CAPACITY       (UINT64_C(256) << 20)
#define CAPACITY_SMALL (UINT64_C(4) << 20)

static struct lc_message_ring *check_queue(lua_State *L, const char *what)
{
    return (struct lc_message_ring *)lc_shared_check(L, &lc_shared_queue_type, what);
}

static int raise_shut(lua_State *L, struct lc_host *host)
{
    lc_error_push_bare(L, host, LC_QUEUE_SHUT_DOWN);
    return lua_error(L);
}

/* ---- put ---- */

/* Refuses what cannot be had again out of a queue. [-0, +0, v] */
static void check_shared(lua_State *L, struct lc_host *host, const struct lc_parcel *parcel)
{
    /* nobody would count what is on its way */
    if (parcel->shared_count > 0 && host->quota != NULL)
        lc_raise(
            L, host, LC_TYPE_ERROR,
            "bad argument #1 to 'put' (where memory is limited, shared memory goes to a job as "
            "an argument, not through a queue)");
    for (size_t i = 0; i < parcel->shared_count; i++) {
        if (parcel->shared[i]->type == &lc_link_type)
            lc_raise(L, host, LC_TYPE_ERROR,
                     "bad argument #1 to 'put' (a loop goes to a job as an argument, not through a "
                     "queue)");
    }
}

/* (item, &parcel, &wire) */
static int pack_item(lua_State *L)
{
    static const struct lc_pack_names names = {"put", 1, false, 0};
    struct lc_host *host = lc_host_of(L);
    struct lc_parcel *parcel = lua_touserdata(L, 2);
    struct lc_wire *wire = lua_touserdata(L, 3);

    lc_pack(L, host, parcel, 1, 1, &names);
    check_shared(L, host, parcel);
    if (!lc_wire_open(wire, parcel))
        luaL_error(L, "not enough memory");
    if (wire->descriptor_count > LC_RIGHTS_MAX)
        lc_raise(L, host, LC_VALUE_ERROR,
                 "bad argument #1 to 'put' (its shared things have %d descriptors, more than %d)",
                 (int)wire->descriptor_count, LC_RIGHTS_MAX);
    return 0;
}

/* A place is there: puts the item at 2 into it, or gives it back and raises. */
static void put_item(lua_State *L, struct lc_host *host, struct lc_message_ring *ring)
{
    enum lc_ring_outcome outcome = LC_RING_DONE;
    struct lc_parcel parcel = {.data = NULL};
    struct lc_wire wire = {.vectors = NULL};
    int error;

    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, pack_item, 1);
    lua_pushvalue(L, 2);
    lua_pushlightuserdata(L, &parcel);
    lua_pushlightuserdata(L, &wire);
    error = lua_pcall(L, 3, 0, 0);
    if (error == LUA_OK)
        outcome = lc_ring_put(ring, &wire);
    else
        lc_ring_give_place(ring);
    lc_wire_finish(&wire);
    lc_parcel_clear(&parcel);
    if (error != LUA_OK)
        lua_error(L);
    if (outcome == LC_RING_SHUT)
        raise_shut(L, host);
    if (outcome == LC_RING_FULL)
        lc_raise(L, host, LC_QUEUE_FULL, "the queue's memory has no room for the item");
    if (outcome == LC_RING_MANY)
        lc_raise(L, host, LC_QUEUE_FULL, "the queue has no room for more shared things");
    if (outcome == LC_RING_NO_MEMORY)
        luaL_error(L, "not enough memory");
}

static int put_k(lua_State *L, int status, lua_KContext ctx);

static int put(lua_State *L)
{
    struct lc_message_ring *ring = check_queue(L, "put");
    struct lc_host *host = lc_host_of(L);
    enum lc_ring_outcome outcome;

    luaL_checkstack(L, 10, NULL);
    while ((outcome = lc_ring_take_place(ring)) == LC_RING_WAIT) {
        if (lc_shared_suspends(host))
            return lc_shared_suspend(L, host, ring->places, "shared queue:put", 0, put_k);
        lc_shared_block(L, host, ring->places);
    }
    if (outcome == LC_RING_SHUT)
        return raise_shut(L, host);
    put_item(L, host, ring);
    return 0;
}

static int put_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lc_shared_resume(L, lc_host_of(L));
    return put(L);
}

/* queue:put(item). May suspend; without a loop it holds up the thread. */
static int queue_put(lua_State *L)
{
    lua_settop(L, 2);
    return put(L);
}

/* queue:put_nowait(item) */
static int queue_put_nowait(lua_State *L)
{
    struct lc_message_ring *ring = check_queue(L, "put_nowait");
    struct lc_host *host = lc_host_of(L);
    enum lc_ring_outcome outcome = lc_ring_take_place(ring);

    lua_settop(L, 2);
    if (outcome == LC_RING_WAIT) {
        lc_error_push_bare(L, host, LC_QUEUE_FULL);
        return lua_error(L);
    }
    if (outcome == LC_RING_SHUT)
        return raise_shut(L, host);
    put_item(L, host, ring);
    return 0;
}

/* ---- get ---- */

/* (&parcel) -> item */
static int unpack_item(lua_State *L)
{
    return lc_unpack(L, lc_host_of(L), lua_touserdata(L, 1));
}

/* Pushes the first item, if there is one. */
static enum lc_ring_outcome get_item(lua_State *L, struct lc_host *host,
                                     struct lc_message_ring *ring)
{
    struct lc_parcel parcel;
    struct lc_ring_message message;
    enum lc_ring_outcome outcome = lc_ring_get(ring, &message);
    int error;

    if (outcome == LC_RING_NO_MEMORY)
        luaL_error(L, "not enough memory");
    if (outcome == LC_RING_NO_DESCRIPTORS)
        lc_raise_errno(L, host, EMFILE, NULL);
    if (outcome != LC_RING_DONE)
        return outcome;
    error = lc_wire_accept(&parcel, message.bytes, message.size, message.descriptors,
                           message.descriptor_count)
                ? 0
                : errno;
    free(message.descriptors);
    if (error != 0)
        lc_raise_errno(L, host, error, NULL);
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, unpack_item, 1);
    lua_pushlightuserdata(L, &parcel);
    error = lua_pcall(L, 1, 1, 0);
    lc_parcel_clear(&parcel);
    if (error != LUA_OK)
        lua_error(L);
    return outcome;
}

enum get_mode { GET_ITEM, GET_NEXT };

static int get_k(lua_State *L, int status, lua_KContext ctx);

/* With GET_NEXT 2 is the number of the item before. */
static int get(lua_State *L, enum get_mode mode)
{
    struct lc_message_ring *ring = check_queue(L, "get");
    struct lc_host *host = lc_host_of(L);
    enum lc_ring_outcome outcome;

    luaL_checkstack(L, 10, NULL);
    if (mode == GET_NEXT)
        lua_pushinteger(L, lua_tointeger(L, 2) + 1);
    while ((outcome = get_item(L, host, ring)) == LC_RING_WAIT) {
        if (lc_shared_suspends(host)) {
            lua_settop(L, 2);
            return lc_shared_suspend(L, host, ring->messages, "shared queue:get", mode, get_k);
        }
        lc_shared_block(L, host, ring->messages);
    }
    if (outcome == LC_RING_DONE)
        return mode == GET_NEXT ? 2 : 1;
    return mode == GET_NEXT ? 0 : raise_shut(L, host);
}

static int get_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    lc_shared_resume(L, lc_host_of(L));
    return get(L, (enum get_mode)ctx);
}

/* queue:get() -> item. May suspend; without a loop it holds up the thread. */
static int queue_get(lua_State *L)
{
    lua_settop(L, 2);
    return get(L, GET_ITEM);
}

static int next_item(lua_State *L)
{
    lua_settop(L, 2);
    return get(L, GET_NEXT);
}

/* queue:get_nowait() -> item */
static int queue_get_nowait(lua_State *L)
{
    struct lc_message_ring *ring = check_queue(L, "get_nowait");
    struct lc_host *host = lc_host_of(L);
    enum lc_ring_outcome outcome = get_item(L, host, ring);

    if (outcome == LC_RING_DONE)
        return 1;
    lc_error_push_bare(L, host, outcome == LC_RING_SHUT ? LC_QUEUE_SHUT_DOWN : LC_QUEUE_EMPTY);
    return lua_error(L);
}

/* queue:items() -> for a `for` loop: number and item, until the queue is shut down and empty */
static int queue_items(lua_State *L)
{
    check_queue(L, "items");
    lua_settop(L, 1);
    lua_pushlightuserdata(L, lc_host_of(L));
    lua_pushcclosure(L, next_item, 1);
    lua_insert(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

/* ---- the rest ---- */

/* queue:shutdown(immediate?) */
static int queue_shutdown(lua_State *L)
{
    lc_ring_shut(check_queue(L, "shutdown"), lua_toboolean(L, 2));
    return 0;
}

static int queue_qsize(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)lc_ring_count(check_queue(L, "qsize")));
    return 1;
}

static int queue_empty(lua_State *L)
{
    lua_pushboolean(L, lc_ring_count(check_queue(L, "empty")) == 0);
    return 1;
}

static int queue_full(lua_State *L)
{
    struct lc_message_ring *ring = check_queue(L, "full");

    lua_pushboolean(L, lc_ring_max(ring) > 0 && lc_ring_count(ring) >= lc_ring_max(ring));
    return 1;
}

/* queue.maxsize; methods come from upvalue 2 */
static int queue_index(lua_State *L)
{
    struct lc_message_ring *ring = check_queue(L, "index");

    lua_settop(L, 2);
    if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "maxsize") == 0)
        lua_pushinteger(L, (lua_Integer)lc_ring_max(ring));
    else
        lua_rawget(L, lua_upvalueindex(2));
    return 1;
}

static int queue_tostring(lua_State *L)
{
    struct lc_message_ring *ring = check_queue(L, "tostring");

    lua_pushfstring(L, "<shared Queue maxsize=%I qsize=%I>", (LUAI_UACINT)lc_ring_max(ring),
                    (LUAI_UACINT)lc_ring_count(ring));
    return 1;
}

/* shared.Queue(maxsize?) */
static int shared_queue(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    lua_Integer max = lua_isnoneornil(L, 1) ? 0 : lc_check_integer(L, 1, "Queue", 1);
    struct lc_shared_object *object =
        lc_shared_object_new(L, host, &lc_shared_queue_type, LC_REF_SHARED_QUEUE);
    uint64_t capacity = host->quota != NULL ? CAPACITY_SMALL : CAPACITY;
    struct lc_message_ring *ring =
        lc_message_ring_new(max > 0 && max < SIZE_MAX_ITEMS ? (uint64_t)max : 0, capacity);

    if (ring == NULL)
        lc_raise_errno(L, host, errno, NULL);
    object->shared = &ring->shared;
    lc_shared_charge(L, host, &ring->shared, capacity);
    return 1;
}

void lc_shared_queue_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"put", queue_put},     {"put_nowait", queue_put_nowait},
                                       {"get", queue_get},     {"get_nowait", queue_get_nowait},
                                       {"items", queue_items}, {"shutdown", queue_shutdown},
                                       {"qsize", queue_qsize}, {"empty", queue_empty},
                                       {"full", queue_full},   {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__gc", lc_shared_gc}, {"__tostring", queue_tostring}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_SHARED_QUEUE, "lucio.shared.queue", methods, metamethods);
    lc_shared_set_index(L, host, LC_REF_SHARED_QUEUE, queue_index);
}

void lc_shared_queue_add(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {{"Queue", shared_queue}, {NULL, NULL}};

    lc_set_functions(L, host, functions);
}
