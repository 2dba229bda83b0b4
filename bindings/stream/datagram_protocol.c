/*
 * datagram_protocol: datagrams for a protocol, a table of Lua whose methods are called as things happen:
 * loop:create_datagram_endpoint (SEMANTICS IO1, TR1).
 * Invariant: connection_made comes first, connection_lost last, each once; one datagram is read for each
 *            readiness, as in asyncio.
 * Owner:     the loop anchors the transport, and through it the protocol, until connection_lost.
 */
#include <errno.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "datagram.h"
#include "pair.h"
#include "report.h"

const struct lc_type lc_datagram_transport_type = {"DatagramTransport", sizeof(struct lc_datagram)};

/* What a call of the protocol is about: the arguments of its method are pushed by `push`. */
struct protocol_call {
    struct lc_datagram *datagram;
    const char *method;
    int (*push)(lua_State *L, struct protocol_call *call);
    const struct lc_incoming *incoming;
    int error;
};

static int push_nothing(lua_State *L, struct protocol_call *call)
{
    (void)L;
    (void)call;
    return 0;
}

static int push_transport(lua_State *L, struct protocol_call *call)
{
    lc_anchor_push(L, call->datagram->host, call->datagram->anchor);
    return 1;
}

static int push_error(lua_State *L, struct protocol_call *call)
{
    if (call->error == 0)
        lua_pushnil(L);
    else
        lc_error_push_errno(L, call->datagram->host, call->error, NULL);
    return 1;
}

static int push_message(lua_State *L, struct protocol_call *call)
{
    const struct lc_incoming *incoming = call->incoming;

    lua_pushlstring(L, incoming->data, incoming->packet.size);
    lc_push_packet_address(L, (struct sockaddr *)&incoming->address, incoming->packet.address_size);
    return 2;
}

/* Calls the method; nothing happens where the protocol has none. */
static int call_method(lua_State *L)
{
    struct protocol_call *call = lua_touserdata(L, 1);

    luaL_checkstack(L, 20, NULL);
    lc_anchor_push(L, call->datagram->host, call->datagram->anchor);
    lua_getiuservalue(L, -1, 1);
    if (lua_getfield(L, -1, call->method) == LUA_TNIL)
        return 0;
    lua_insert(L, -2);
    lua_call(L, 1 + call->push(L, call), 0);
    return 0;
}

/* (call, error): tells the exception handler. The socket goes on, as in asyncio. */
static int report_failure(lua_State *L)
{
    struct protocol_call *call = lua_touserdata(L, 1);
    struct lc_host *host = call->datagram->host;

    lua_settop(L, 2);
    if (!lc_is_error(L, 2))
        lc_error_wrap(L, host);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, 2);
    lua_setfield(L, 3, "exception");
    lua_pushfstring(L, "Exception in protocol.%s()", call->method);
    lua_setfield(L, 3, "message");
    lc_anchor_push(L, host, call->datagram->anchor);
    lua_getiuservalue(L, -1, 1);
    lua_setfield(L, 3, "protocol");
    lua_setfield(L, 3, "transport");
    lc_report_call_handler(L, call->datagram->loop);
    return 0;
}

static void call_protocol(lua_State *L, struct protocol_call *call)
{
    struct lc_loop *loop = call->datagram->loop;

    lua_pushcfunction(L, call_method);
    lua_pushlightuserdata(L, call);
    if (lc_call(L, loop->host, 1, 0) == LUA_OK)
        return;
    if (lc_error_kind(L, -1) == LC_KIND_EXIT) {
        lc_loop_raise(L, loop);
        return;
    }
    lua_pushcfunction(L, report_failure);
    lua_pushlightuserdata(L, call);
    lua_rotate(L, -3, 2);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK)
        lua_pop(L, 1);
}

/* ---- what the socket tells ---- */

static void protocol_made(lua_State *L, struct lc_datagram *datagram)
{
    call_protocol(L, &(struct protocol_call){datagram, "connection_made", push_transport, NULL, 0});
    lc_datagram_watch_input(datagram, true);
}

static void protocol_failed(lua_State *L, struct lc_datagram *datagram, int error)
{
    call_protocol(L, &(struct protocol_call){datagram, "error_received", push_error, NULL, error});
}

static void protocol_readable(lua_State *L, struct lc_datagram *datagram)
{
    struct lc_incoming incoming;
    int n = lc_datagram_read(datagram, &incoming, 1);

    if (n < 0)
        protocol_failed(L, datagram, -n);
    else if (n > 0)
        call_protocol(
            L, &(struct protocol_call){datagram, "datagram_received", push_message, &incoming, 0});
}

static void protocol_pause(lua_State *L, struct lc_datagram *datagram)
{
    call_protocol(L, &(struct protocol_call){datagram, "pause_writing", push_nothing, NULL, 0});
}

static void protocol_resume(lua_State *L, struct lc_datagram *datagram)
{
    call_protocol(L, &(struct protocol_call){datagram, "resume_writing", push_nothing, NULL, 0});
}

static void protocol_lost(lua_State *L, struct lc_datagram *datagram)
{
    call_protocol(L, &(struct protocol_call){datagram, "connection_lost", push_error, NULL, 0});
}

const struct lc_datagram_user lc_datagram_protocol_user = {protocol_made,   protocol_readable,
                                                           protocol_failed, protocol_pause,
                                                           protocol_resume, protocol_lost};

/* ---- methods ---- */

static struct lc_datagram *check(lua_State *L, const char *what)
{
    return lc_check_self(L, &lc_datagram_transport_type, what);
}

static int transport_get_protocol(lua_State *L)
{
    check(L, "get_protocol");
    lua_getiuservalue(L, 1, 1);
    return 1;
}

static int transport_set_protocol(lua_State *L)
{
    struct lc_datagram *datagram = check(L, "set_protocol");

    if (!lua_istable(L, 2) && !lua_isuserdata(L, 2))
        lc_raise_argument(L, datagram->host, LC_TYPE_ERROR, "set_protocol", 1, "protocol as table",
                          2);
    lua_settop(L, 2);
    lua_setiuservalue(L, 1, 1);
    return 0;
}

static int transport_tostring(lua_State *L)
{
    struct lc_datagram *datagram = check(L, "tostring");

    lua_pushfstring(L, "<DatagramTransport%s fd=%d>",
                    datagram->lost      ? " closed"
                    : datagram->closing ? " closing"
                                        : "",
                    datagram->fd);
    return 1;
}

static int transport_gc(lua_State *L)
{
    struct lc_datagram *datagram = lc_to_finalize(L, &lc_datagram_transport_type);

    if (datagram == NULL)
        return 0;
    if (datagram->host == NULL)
        return 0;
    lc_datagram_detach(datagram);
    if (!datagram->host->closed)
        lc_anchor_drop(L, datagram->host, &datagram->anchor);
    return 0;
}

void lc_open_datagram_transport(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"get_protocol", transport_get_protocol},
                                       {"set_protocol", transport_set_protocol},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__tostring", transport_tostring}, {"__gc", transport_gc}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_DATAGRAM_TRANSPORT, "lucio.DatagramTransport", methods,
                metamethods);
    lc_host_push_ref(L, host, LC_REF_DATAGRAM_TRANSPORT);
    lua_getfield(L, -1, "__index");
    lc_set_functions(L, host, lc_datagram_shared);
    lua_pop(L, 2);
}
