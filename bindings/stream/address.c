/*
 * address: the addresses of sockets as Lua sees them: {host, port} with the fields host, port and
 * family, and a text; of a unix socket its path.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sys/un.h>

#include <lauxlib.h>

#include "host.h"
#include "stream.h"

#define ADDRESS "lucio.address"

static void push_path(lua_State *L, const struct sockaddr_un *address, socklen_t size)
{
    size_t length = size > offsetof(struct sockaddr_un, sun_path)
                        ? size - offsetof(struct sockaddr_un, sun_path)
                        : 0;

    /* an abstract name begins with a zero byte and has no end of its own */
    if (length > 0 && address->sun_path[0] != '\0')
        length = strnlen(address->sun_path, length);
    lua_pushlstring(L, address->sun_path, length);
}

/* Writes the number of an internet address and returns its port. */
static int write_host(const struct sockaddr *address, socklen_t size, char host[NI_MAXHOST])
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;

    if (address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &four->sin_addr, host, NI_MAXHOST);
        return ntohs(four->sin_port);
    }
    if (address->sa_family != AF_INET6)
        return 0;
    /* the zone of a link is known to getnameinfo alone */
    if (six->sin6_scope_id == 0)
        inet_ntop(AF_INET6, &six->sin6_addr, host, NI_MAXHOST);
    else
        getnameinfo(address, size, host, NI_MAXHOST, NULL, 0, NI_NUMERICHOST);
    return ntohs(six->sin6_port);
}

void lc_push_address(lua_State *L, const struct sockaddr *address, socklen_t size)
{
    char host[NI_MAXHOST] = "";
    int number;

    luaL_checkstack(L, 4, NULL);
    if (address->sa_family == AF_UNIX) {
        push_path(L, (const struct sockaddr_un *)address, size);
        return;
    }
    number = write_host(address, size, host);
    lua_createtable(L, 2, 3);
    lua_pushstring(L, host);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, 1);
    lua_setfield(L, -2, "host");
    lua_pushinteger(L, number);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, 2);
    lua_setfield(L, -2, "port");
    lua_pushstring(L, address->sa_family == AF_INET6 ? "inet6" : "inet");
    lua_setfield(L, -2, "family");
    luaL_setmetatable(L, ADDRESS);
}

void lc_push_socket_name(lua_State *L, int fd, bool peer)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    int status;

    if (fd < 0)
        status = -1;
    else if (peer)
        status = getpeername(fd, (struct sockaddr *)&address, &size);
    else
        status = getsockname(fd, (struct sockaddr *)&address, &size);
    if (status == 0)
        lc_push_address(L, (struct sockaddr *)&address, size);
    else
        lua_pushnil(L);
}

static bool is_internet(const struct lc_socket_name *name)
{
    return name->any.sa_family == AF_INET || name->any.sa_family == AF_INET6;
}

void lc_push_stream_name(lua_State *L, const struct lc_stream *stream, bool peer)
{
    const struct lc_socket_name *name = peer ? &stream->peer : &stream->own;

    if (is_internet(name))
        lc_push_address(L, &name->any,
                        name->any.sa_family == AF_INET ? sizeof name->in : sizeof name->in6);
    else if (peer && stream->fd < 0 && name->any.sa_family == AF_UNIX)
        lua_pushliteral(L, ""); /* as most clients have; one that had another is gone */
    else
        lc_push_socket_name(L, stream->fd, peer);
}

/* tostring(address): "127.0.0.1:8888", "[::1]:8888" */
static int address_tostring(lua_State *L)
{
    lua_settop(L, 1);
    lua_getfield(L, 1, "host");
    lua_getfield(L, 1, "port");
    luaL_tolstring(L, 2, NULL);
    luaL_tolstring(L, 3, NULL);
    lua_pushfstring(L, strchr(lua_tostring(L, 4), ':') != NULL ? "[%s]:%s" : "%s:%s",
                    lua_tostring(L, 4), lua_tostring(L, 5));
    return 1;
}

void lc_open_address(lua_State *L, struct lc_host *host)
{
    (void)host;
    luaL_newmetatable(L, ADDRESS);
    lua_pushcfunction(L, address_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}
