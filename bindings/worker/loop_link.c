#include "loop_link.h"

#include <errno.h>
#include <stdlib.h>

#include <lauxlib.h>

#include "core.h"
#include "errand.h"
#include "parcel.h"
#include "report.h"
#include "shared.h"

const struct lc_type lc_shared_link_type = {"LoopLink", sizeof(struct lc_shared_object)};

struct link {
    struct lc_shared shared;
    struct lc_errand_box *box; /* held; NULL: the loop is another process's */
};

/* ---- as a shared thing ---- */

static void link_get(const struct lc_shared *shared, int *descriptors)
{
    (void)shared;
    (void)descriptors;
}

/* In another process there is no way to the loop. */
static struct lc_shared *link_attach(const int *descriptors)
{
    struct link *link = calloc(1, sizeof *link);

    (void)descriptors;
    if (link == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    lc_shared_init(&link->shared, &lc_link_type);
    return &link->shared;
}

static void link_free(struct lc_shared *shared)
{
    struct link *link = (struct link *)shared;

    if (link->box != NULL)
        lc_errand_box_release(link->box);
    free(link);
}

static void link_push(lua_State *L, struct lc_host *host, struct lc_shared *shared, bool is_lock)
{
    struct link *link = (struct link *)shared;
    struct lc_loop *own = link->box != NULL ? lc_errand_box_loop(link->box, host) : NULL;
    struct lc_shared_object *object;

    (void)is_lock;
    if (own != NULL) {
        lc_loop_push_object(L, own);
        return;
    }
    object = lc_shared_object_new(L, host, &lc_shared_link_type, LC_REF_LOOP_LINK);
    lc_shared_hold(shared);
    object->shared = shared;
}

const struct lc_shared_type lc_link_type = {0, link_get, link_attach, link_free, link_push};

struct lc_shared *lc_loop_link_push(lua_State *L, struct lc_host *host, struct lc_loop *loop)
{
    struct lc_shared_object *object =
        lc_shared_object_new(L, host, &lc_shared_link_type, LC_REF_LOOP_LINK);

    object->shared = link_attach(NULL);
    if (object->shared == NULL)
        luaL_error(L, "not enough memory");
    if (loop != NULL)
        ((struct link *)object->shared)->box = lc_errand_box_of(L, loop);
    return object->shared;
}

struct lc_errand_box *lc_loop_link_box(lua_State *L, int idx, bool *is_link)
{
    struct lc_shared_object *object = lc_to_object(L, idx, &lc_shared_link_type);

    *is_link = object != NULL;
    if (object == NULL || object->shared == NULL)
        return NULL;
    return ((struct link *)object->shared)->box;
}

/* ---- calls ---- */

/* A call that another thread wants; malloc's. */
struct call {
    struct lc_note note;
    struct lc_parcel parcel; /* the function and its arguments */
};

static void call_free(struct call *call)
{
    lc_parcel_clear(&call->parcel);
    free(call);
}

/* (loop, &parcel): loop:call_soon(function, ...) */
static int call_soon(lua_State *L)
{
    struct lc_loop *loop = lua_touserdata(L, 1);
    int n;

    lc_loop_push_object(L, loop);
    lua_getfield(L, -1, "call_soon");
    lua_insert(L, -2);
    n = lc_unpack(L, loop->host, lua_touserdata(L, 2));
    lua_call(L, n + 1, 0);
    return 0;
}

static void call_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct call *call = lc_container_of(entry, struct call, note.entry);
    lua_State *L = loop->L;

    lua_pushcfunction(L, call_soon);
    lua_pushlightuserdata(L, loop);
    lua_pushlightuserdata(L, &call->parcel);
    if (lc_call(L, loop->host, 2, 0) != LUA_OK)
        lc_report_callback(L, loop, 0);
    call_free(call);
}

static void call_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    (void)L;
    (void)loop;
    call_free(lc_container_of(entry, struct call, note.entry));
}

static const struct lc_entry_type call_entry = {call_run, call_forget, NULL, NULL};

/* (&parcel, function, ...) */
static int pack_call(lua_State *L)
{
    static const struct lc_pack_names names = {.what = "call_soon_threadsafe", .first = 1};

    lc_pack(L, lc_host_of(L), lua_touserdata(L, 1), 2, lua_gettop(L) - 1, &names);
    return 0;
}

static int raise_gone(lua_State *L, const struct link *link)
{
    return lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR,
                    link->box == NULL ? "the loop is another process's" : "Event loop is closed");
}

/* link:call_soon_threadsafe(fn, ...) */
static int link_call_soon(lua_State *L)
{
    struct link *link =
        (struct link *)lc_shared_check(L, &lc_shared_link_type, "call_soon_threadsafe");
    int n = lua_gettop(L);
    struct call *call;

    lc_check_callable(L, 2, "call_soon_threadsafe", 1);
    if (link->box == NULL)
        return raise_gone(L, link);
    luaL_checkstack(L, n + 4, "too many arguments");
    call = calloc(1, sizeof *call);
    if (call == NULL)
        return luaL_error(L, "not enough memory");
    lc_entry_init(&call->note.entry, &call_entry);
    lua_pushlightuserdata(L, lc_host_of(L));
    lua_pushcclosure(L, pack_call, 1);
    lua_pushlightuserdata(L, &call->parcel);
    for (int i = 2; i <= n; i++)
        lua_pushvalue(L, i);
    if (lua_pcall(L, n, 0, 0) != LUA_OK) {
        call_free(call);
        return lua_error(L);
    }
    if (lc_errand_box_send(link->box, &call->note))
        return 0;
    call_free(call);
    return raise_gone(L, link);
}

/* link:is_closed() */
static int link_is_closed(lua_State *L)
{
    struct link *link = (struct link *)lc_shared_check(L, &lc_shared_link_type, "is_closed");

    lua_pushboolean(L, link->box == NULL || !lc_errand_box_is_open(link->box));
    return 1;
}

static int link_tostring(lua_State *L)
{
    lc_shared_check(L, &lc_shared_link_type, "tostring");
    lua_pushliteral(L, "<LoopLink>");
    return 1;
}

void lc_shared_link_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {
        {"call_soon_threadsafe", link_call_soon}, {"is_closed", link_is_closed}, {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__gc", lc_shared_gc}, {"__tostring", link_tostring}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_LOOP_LINK, "lucio.LoopLink", methods, metamethods);
}
