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

/* An item as it goes into the memory. */
struct packed {
    struct lc_parcel parcel;
    struct lc_wire wire; /* refers to what the parcel refers to */
};

/* One that waits for its place. */
struct held_item {
    struct lc_object object;
    struct packed packed;
};

static const struct lc_type held_item_type = {"item of a shared queue", sizeof(struct held_item)};

static void packed_clear(struct packed *packed)
{
    lc_wire_finish(&packed->wire);
    lc_parcel_clear(&packed->parcel);
}

/* (item, &packed) */
static int pack_item(lua_State *L)
{
    static const struct lc_pack_names names = {.what = "put", .first = 1};
    struct lc_host *host = lc_host_of(L);
    struct packed *packed = lua_touserdata(L, 2);

    lc_pack(L, host, &packed->parcel, 1, 1, &names);
    check_shared(L, host, &packed->parcel);
    if (!lc_wire_open(&packed->wire, &packed->parcel))
        luaL_error(L, "not enough memory");
    if (packed->wire.descriptor_count > LC_RIGHTS_MAX)
        lc_raise(L, host, LC_VALUE_ERROR,
                 "bad argument #1 to 'put' (its shared things have %d descriptors, more than %d)",
                 (int)packed->wire.descriptor_count, LC_RIGHTS_MAX);
    return 0;
}

/* (item, &packed) -> an object that has what was packed */
static int hold_item(lua_State *L)
{
    struct held_item *held =
        lc_new_object(L, lc_host_of(L), &held_item_type, LC_REF_SHARED_QUEUE_ITEM, sizeof *held, 0);

    held->packed = *(struct packed *)lua_touserdata(L, 2);
    return 1;
}

/* Calls one of these with the item at 2; what is packed is cleared if it raises. [-0, +results, v] */
static void call_with(lua_State *L, struct lc_host *host, lua_CFunction function,
                      struct packed *packed, int results)
{
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, function, 1);
    lua_pushvalue(L, 2);
    lua_pushlightuserdata(L, packed);
    if (lua_pcall(L, 2, results, 0) == LUA_OK)
        return;
    packed_clear(packed);
    lua_error(L);
}

/* What a put came to, with nothing packed any more. */
static int put_done(lua_State *L, struct lc_host *host, enum lc_ring_outcome outcome)
{
    if (outcome == LC_RING_SHUT)
        return raise_shut(L, host);
    if (outcome == LC_RING_WAIT) {
        lc_error_push_bare(L, host, LC_QUEUE_FULL);
        return lua_error(L);
    }
    if (outcome == LC_RING_FULL)
        lc_raise(L, host, LC_QUEUE_FULL, "the queue's memory has no room for the item");
    if (outcome == LC_RING_MANY)
        lc_raise(L, host, LC_QUEUE_FULL, "the queue has no room for more shared things");
    if (outcome == LC_RING_NO_MEMORY)
        luaL_error(L, "not enough memory");
    return 0;
}

static int put_k(lua_State *L, int status, lua_KContext ctx);

/* The item that waits is at 2. */
static int put_held(lua_State *L)
{
    struct lc_message_ring *ring = check_queue(L, "put");
    struct lc_host *host = lc_host_of(L);
    struct held_item *held = lua_touserdata(L, 2);
    enum lc_ring_outcome outcome;

    while ((outcome = lc_ring_put(ring, &held->packed.wire)) == LC_RING_WAIT) {
        if (lc_shared_suspends(host))
            return lc_shared_suspend(L, host, ring->places, "shared queue:put", 0, put_k);
        lc_shared_block(L, host, ring->places);
    }
    packed_clear(&held->packed);
    return put_done(L, host, outcome);
}

static int put_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    if (lc_shared_wait_end(L, lc_host_of(L))) {
        packed_clear(&((struct held_item *)lua_touserdata(L, 2))->packed);
        return lua_error(L);
    }
    return put_held(L);
}

/* A place is taken by putting the item into it, and not before: so nobody can die with one. */
static int put(lua_State *L, const char *what, bool waits)
{
    struct lc_message_ring *ring = check_queue(L, what);
    struct lc_host *host = lc_host_of(L);
    struct packed packed = {{.data = NULL}, {.vectors = NULL}};
    enum lc_ring_outcome outcome = lc_ring_room(ring);

    lua_settop(L, 2);
    luaL_checkstack(L, 10, NULL);
    if (outcome == LC_RING_SHUT || (outcome == LC_RING_WAIT && !waits))
        return put_done(L, host, outcome);
    call_with(L, host, pack_item, &packed, 0);
    outcome = lc_ring_put(ring, &packed.wire);
    if (outcome == LC_RING_WAIT && waits) {
        call_with(L, host, hold_item, &packed, 1);
        lua_replace(L, 2);
        return put_held(L);
    }
    packed_clear(&packed);
    return put_done(L, host, outcome);
}

/* queue:put(item). May suspend; without a loop it holds up the thread. */
static int queue_put(lua_State *L)
{
    return put(L, "put", true);
}

/* queue:put_nowait(item) */
static int queue_put_nowait(lua_State *L)
{
    return put(L, "put_nowait", false);
}

static int held_item_gc(lua_State *L)
{
    struct held_item *held = lc_to_finalize(L, &held_item_type);

    if (held != NULL)
        packed_clear(&held->packed);
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

    static const luaL_Reg item_metamethods[] = {{"__gc", held_item_gc}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_SHARED_QUEUE_ITEM, "lucio.shared.item", NULL, item_metamethods);
    lc_new_type(L, host, LC_REF_SHARED_QUEUE, "lucio.shared.queue", methods, metamethods);
    lc_shared_set_index(L, host, LC_REF_SHARED_QUEUE, queue_index);
}

void lc_shared_queue_add(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {{"Queue", shared_queue}, {NULL, NULL}};

    lc_set_functions(L, host, functions);
}
