/*
 * socket: what a script may know of a connection's descriptor: writer:get_extra_info.
 */
#include <string.h>

#include <lauxlib.h>

#include "connect.h"
#include "core.h"
#include "filter.h"
#include "pair.h"

struct socket {
    struct lc_object object;
    struct lc_stream *stream;
};

static const struct lc_type socket_type = {"socket", sizeof(struct socket)};

static struct lc_stream *check(lua_State *L, const char *what)
{
    return ((struct socket *)lc_check_self(L, &socket_type, what))->stream;
}

static int socket_getsockname(lua_State *L)
{
    lc_push_socket_name(L, check(L, "getsockname")->fd, false);
    return 1;
}

static int socket_getpeername(lua_State *L)
{
    lc_push_socket_name(L, check(L, "getpeername")->fd, true);
    return 1;
}

/* socket:fileno() -> descriptor, -1 once it is closed */
static int socket_fileno(lua_State *L)
{
    lua_pushinteger(L, check(L, "fileno")->fd);
    return 1;
}

static int socket_tostring(lua_State *L)
{
    lua_pushfstring(L, "<socket fd=%d>", check(L, "tostring")->fd);
    return 1;
}

static int socket_gc(lua_State *L)
{
    struct socket *socket = lc_to_finalize(L, &socket_type);

    if (socket == NULL)
        return 0;
    socket->object.type = NULL; /* an older object's finalizer may still have it */
    if (socket->stream != NULL)
        lc_stream_release(socket->stream);
    socket->stream = NULL;
    return 0;
}

int lc_stream_extra_info(lua_State *L, struct lc_stream *stream)
{
    const char *name;

    lua_settop(L, 3);
    if (lua_type(L, 2) != LUA_TSTRING)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, "get_extra_info", 1, "string", 2);
    name = lua_tostring(L, 2);
    if (stream->filter != NULL && stream->filter->type->info(L, stream, name))
        return 1;
    if (strcmp(name, stream->is_socket ? "socket" : "pipe") == 0) {
        struct socket *socket =
            lc_new_object(L, lc_host_of(L), &socket_type, LC_REF_SOCKET, sizeof *socket, 0);

        socket->stream = lc_stream_retain(stream);
        return 1;
    }
    if (strcmp(name, "peername") == 0 || strcmp(name, "sockname") == 0) {
        /* known at the beginning: still there when the connection is gone */
        lua_getiuservalue(L, 1, name[0] == 'p' ? 2 : 3);
        if (lua_isnil(L, -1))
            lc_push_stream_name(L, stream, name[0] == 'p');
        if (!lua_isnil(L, -1))
            return 1;
    }
    lua_settop(L, 3);
    return 1;
}

void lc_writer_note_names(lua_State *L, struct lc_stream *stream)
{
    socklen_t size = sizeof stream->peer;

    if (stream->peer.any.sa_family == AF_UNSPEC)
        getpeername(stream->fd, &stream->peer.any, &size);
    if (stream->peer.any.sa_family != AF_UNIX)
        return;
    lc_push_socket_name(L, stream->fd, true);
    lua_setiuservalue(L, -2, 2);
    lc_push_socket_name(L, stream->fd, false);
    lua_setiuservalue(L, -2, 3);
}

void lc_open_socket(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"getsockname", socket_getsockname},
                                       {"getpeername", socket_getpeername},
                                       {"fileno", socket_fileno},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__tostring", socket_tostring}, {"__gc", socket_gc}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_SOCKET, "lucio.socket", methods, metamethods);
}
