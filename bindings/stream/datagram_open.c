/*
 * datagram_open: sockets of datagrams as they are made, their addresses, and the methods that endpoints and
 * transports share. Which addresses to use is decided by lua/lucio/streams/datagram.lua.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "bound.h"
#include "core.h"
#include "datagram.h"
#include "listener.h"
#include "pair.h"
#include "permit.h"
#include "supervised.h"

static const struct lc_wait_type begin_wait = {"a datagram endpoint", NULL};

/* ---- addresses ---- */

/* A field of an address: by its position or its name. [-0, +1, -] */
static void push_part(lua_State *L, int idx, int position, const char *name)
{
    if (lua_rawgeti(L, idx, position) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_pushstring(L, name);
        lua_rawget(L, idx);
    }
}

/* The same without getaddrinfo, where the host is a plain number. */
static bool parse_host(const char *host, int port, struct lc_socket_address *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&out->storage;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&out->storage;

    memset(&out->storage, 0, sizeof *six);
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        out->size = sizeof *four;
    } else if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)port);
        out->size = sizeof *six;
    } else {
        return false;
    }
    return true;
}

void lc_check_datagram_address(lua_State *L, int idx, const char *what, int pos,
                               struct lc_socket_address *out)
{
    struct lc_host *host = lc_host_of(L);
    int top = lua_gettop(L), is_port;
    lua_Integer port;

    if (lua_type(L, idx) == LUA_TSTRING) {
        lua_pushvalue(L, idx);
        lua_pushnil(L);
        lc_check_socket_address(L, top + 1, what, out);
        lua_settop(L, top);
        return;
    }
    if (lua_type(L, idx) != LUA_TTABLE)
        lc_raise_argument(L, host, LC_TYPE_ERROR, what, pos, "address", idx);
    push_part(L, idx, 1, "host");
    push_part(L, idx, 2, "port");
    port = lua_tointegerx(L, -1, &is_port);
    if (lua_type(L, -2) != LUA_TSTRING || !is_port)
        lc_raise(L, host, LC_TYPE_ERROR,
                 "bad argument #%d to '%s' (address as {host, port} expected, got {%s, %s})", pos,
                 what, lc_type_name(L, -2), lc_type_name(L, -1));
    if (port < 0 || port > 65535)
        lc_raise_value(L, host, what, pos, "port must be in 0..65535");
    if (!parse_host(lua_tostring(L, -2), (int)port, out)) {
        if (strchr(lua_tostring(L, -2), '%') == NULL)
            lc_raise_value(L, host, what, pos, "the host is not a numeric address");
        lc_check_socket_address(L, top + 1, what, out); /* an address with a zone */
    }
    lua_settop(L, top);
}

void lc_push_packet_address(lua_State *L, const struct sockaddr *address, socklen_t size)
{
    if (size > sizeof address->sa_family)
        lc_push_address(L, address, size);
    else
        lua_pushnil(L);
}

/* ---- opening ---- */

static int family_of(lua_State *L, int idx)
{
    const char *name = luaL_checkstring(L, idx);

    return strcmp(name, "inet") == 0 ? AF_INET : strcmp(name, "inet6") == 0 ? AF_INET6 : AF_UNIX;
}

static bool set_option(lua_State *L, int idx, int fd, int option)
{
    int one = 1;

    return !lua_toboolean(L, idx) || setsockopt(fd, SOL_SOCKET, option, &one, sizeof one) == 0;
}

static int connect_socket(struct lc_datagram *datagram)
{
    return connect(datagram->fd, (struct sockaddr *)&datagram->remote.storage,
                   datagram->remote.size);
}

/* Whether the supervisor has the socket, for all workers: where others send to knows nothing of them. What is sent
 * to a port that the system chose is an answer for this one. */
static bool is_shared(struct lc_datagram *datagram, const struct lc_socket_address *local)
{
    if (datagram->host->supervised == NULL || datagram->remote.size > 0)
        return false;
    switch (local->size > 0 ? local->storage.ss_family : AF_UNSPEC) {
    case AF_INET:
        return ((const struct sockaddr_in *)&local->storage)->sin_port != 0;
    case AF_INET6:
        return ((const struct sockaddr_in6 *)&local->storage)->sin6_port != 0;
    default:
        return local->size > sizeof local->storage.ss_family;
    }
}

/* The socket with the options of the frame of lc_stream_datagram. [-0, +0, v] */
static void open_shared(lua_State *L, struct lc_host *host, struct lc_datagram *datagram,
                        const struct lc_socket_address *local)
{
    uint32_t flags = LC_BIND_DATAGRAM | LC_BIND_KEEP_PATH;
    int error;

    if (lua_toboolean(L, 3) && !datagram->is_unix)
        flags |= LC_BIND_REUSE_PORT;
    error = lc_supervised_socket(host->supervised, (const struct sockaddr *)&local->storage,
                                 local->size, flags, &datagram->fd, &datagram->shared);
    if (error != 0)
        lc_raise_bind(L, host, error, local);
    if (set_option(L, 4, datagram->fd, SO_BROADCAST))
        return;
    error = errno;
    lc_datagram_detach(datagram);
    lc_raise_errno(L, host, error, NULL);
}

/* Makes its socket; the text of an error that is raised names the address it is about. Frame: see
 * lc_stream_datagram. [-0, +0, v] */
static void make_socket(lua_State *L, struct lc_host *host, struct lc_datagram *datagram,
                        const struct lc_socket_address *local)
{
    int family = family_of(L, 2), error = 0;

    datagram->is_unix = family == AF_UNIX;
    if (is_shared(datagram, local)) {
        open_shared(L, host, datagram, local);
        return;
    }
    datagram->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (datagram->fd < 0 || !set_option(L, 3, datagram->fd, SO_REUSEPORT) ||
        !set_option(L, 4, datagram->fd, SO_BROADCAST)) {
        error = errno;
        lc_datagram_detach(datagram);
        lc_raise_errno(L, host, error, NULL);
    }
    if (local->size > 0 && datagram->is_unix)
        lc_remove_stale_socket((const struct sockaddr *)&local->storage);
    if (local->size > 0 &&
        bind(datagram->fd, (const struct sockaddr *)&local->storage, local->size) != 0) {
        error = errno;
        lc_datagram_detach(datagram);
        lc_raise_errno(L, host, error, NULL);
    }
    /* connected to a broadcast address it would not see the answers */
    datagram->connected = datagram->remote.size > 0 && !lua_toboolean(L, 4);
    if (datagram->connected && connect_socket(datagram) != 0) {
        error = errno;
        lc_datagram_detach(datagram);
        lc_push_address_text(L, &datagram->remote);
        lua_pushfstring(L, "[Errno %d] Connect call failed %s", error, lua_tostring(L, -1));
        lc_error_push_os(L, host, error, NULL, lua_tostring(L, -1));
        lua_error(L);
    }
}

static int begin_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;
    int endpoint = lua_isnil(L, 1) ? lua_gettop(L) : lua_gettop(L) - 1;

    (void)status;
    (void)ctx;
    lc_list_unlink(&task->waiter.link);
    if (lc_wait_end(L, task)) {
        lc_datagram_abort(L, lua_touserdata(L, endpoint), endpoint);
        return lua_error(L);
    }
    return lua_isnil(L, 1) ? 1 : 2;
}

static int make_protocol(lua_State *L)
{
    lua_call(L, 0, 1);
    if (!lua_istable(L, -1) && !lua_isuserdata(L, -1))
        lc_raise(L, lc_host_open(L), LC_TYPE_ERROR,
                 "the protocol factory must return a table, got %s", lc_type_name(L, -1));
    return 1;
}

/* The parts of an address at idx, or nil there. [-0, +0, v] */
static void check_optional(lua_State *L, int idx, int pos, struct lc_socket_address *out)
{
    out->size = 0;
    if (lua_isnil(L, idx))
        return;
    lc_check_datagram_address(L, idx, "open_datagram", pos, out);
    lc_permit_address(L, lc_host_of(L), (struct sockaddr *)&out->storage, out->size);
}

/* datagram(factory or nil, family, reuse_port, allow_broadcast, local address or nil, remote address or nil)
 * -> endpoint, or with a factory -> transport, protocol */
int lc_stream_datagram(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_socket_address local, remote;
    struct lc_datagram *datagram;
    struct lc_task *task;
    bool plain;

    lua_settop(L, 6);
    plain = lua_isnil(L, 1);
    check_optional(L, 5, 1, &local);
    check_optional(L, 6, 2, &remote);
    task = lc_wait_task(L, host, "open_datagram");
    datagram = plain
                   ? lc_datagram_new(L, host, &lc_endpoint_type, LC_REF_ENDPOINT, &lc_endpoint_user)
                   : lc_datagram_new(L, host, &lc_datagram_transport_type,
                                     LC_REF_DATAGRAM_TRANSPORT, &lc_datagram_protocol_user);
    datagram->remote = remote;
    make_socket(L, host, datagram, &local);
    if (!plain) {
        lua_pushcfunction(L, make_protocol);
        lua_pushvalue(L, 1);
        if (lc_call(L, host, 1, 1) != LUA_OK) {
            lc_datagram_detach(datagram);
            return lua_error(L);
        }
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 7, 1);
    }
    lc_push_socket_name(L, datagram->fd, false);
    lua_setiuservalue(L, 7, 2);
    if (remote.size > 0) {
        lc_push_address(L, (struct sockaddr *)&remote.storage, remote.size);
        lua_setiuservalue(L, 7, 3);
    }
    lc_datagram_begin(L, datagram, 7, host->loop);
    if (datagram->shared != 0)
        lc_supervised_ready(host->supervised);
    lc_list_append(&datagram->drainers, &task->waiter.link);
    lc_wait_begin(L, task, &begin_wait, 7);
    return lc_wait_yield(L, task, 0, begin_k);
}

/* ---- methods of both ---- */

static struct lc_datagram *check(lua_State *L, const char *what)
{
    struct lc_datagram *datagram = lc_to_object(L, 1, &lc_datagram_transport_type);

    return datagram != NULL ? datagram : lc_check_self(L, &lc_endpoint_type, what);
}

static void check_remote(lua_State *L, struct lc_datagram *datagram,
                         const struct lc_socket_address *to)
{
    if (datagram->remote.size == 0 ||
        (to->size == datagram->remote.size &&
         memcmp(&to->storage, &datagram->remote.storage, to->size) == 0))
        return;
    lc_push_address_text(L, &datagram->remote);
    lc_raise(L, datagram->host, LC_VALUE_ERROR, "Invalid address: must be nil or %s",
             lua_tostring(L, -1));
}

/* endpoint:sendto(data, address?). Never suspends. (IO1) */
static int datagram_sendto(lua_State *L)
{
    struct lc_datagram *datagram = check(L, "sendto");
    struct lc_host *host = datagram->host;
    struct lc_socket_address to;
    const char *data;
    size_t size;
    int error;

    lua_settop(L, 3);
    if (lua_type(L, 2) != LUA_TSTRING)
        lc_raise_argument(L, host, LC_TYPE_ERROR, "sendto", 1, "string", 2);
    data = lua_tolstring(L, 2, &size);
    if (!lua_isnil(L, 3)) {
        lc_check_datagram_address(L, 3, "sendto", 2, &to);
        check_remote(L, datagram, &to);
        lc_permit_address(L, host, (struct sockaddr *)&to.storage, to.size);
    } else if (datagram->remote.size == 0) {
        lc_raise_argument(L, host, LC_TYPE_ERROR, "sendto", 2, "address", 3);
    }
    if (datagram->closing && datagram->user == &lc_endpoint_user)
        lc_raise(L, host, LC_CONNECTION_ABORTED_ERROR, "sendto: the endpoint is closed");
    if (datagram->closing)
        return 0;
    error = datagram->error;
    datagram->error = 0;
    if (error == 0)
        error = lc_datagram_send(L, datagram, 1, data, size,
                                 lua_isnil(L, 3) || datagram->remote.size > 0 ? NULL : &to);
    if (error == 0)
        return 0;
    if (datagram->user == &lc_endpoint_user)
        lc_raise_loss(L, host, error);
    datagram->user->failed(L, datagram, error);
    return 0;
}

static int datagram_close(lua_State *L)
{
    lc_datagram_close(L, check(L, "close"), 1);
    return 0;
}

static int datagram_abort(lua_State *L)
{
    lc_datagram_abort(L, check(L, "abort"), 1);
    return 0;
}

static int datagram_is_closing(lua_State *L)
{
    lua_pushboolean(L, check(L, "is_closing")->closing);
    return 1;
}

/* Pushes a name; that of an open socket as it is now: sending gives it a port. */
static void push_name(lua_State *L, struct lc_datagram *datagram, bool peer)
{
    if (!peer && datagram->fd >= 0) {
        lc_push_socket_name(L, datagram->fd, false);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, 2);
    } else {
        lua_getiuservalue(L, 1, peer ? 3 : 2);
    }
}

static int datagram_getsockname(lua_State *L)
{
    push_name(L, check(L, "getsockname"), false);
    return 1;
}

static int datagram_getpeername(lua_State *L)
{
    push_name(L, check(L, "getpeername"), true);
    return 1;
}

/* endpoint:fileno() -> descriptor, -1 once it is closed */
static int datagram_fileno(lua_State *L)
{
    lua_pushinteger(L, check(L, "fileno")->fd);
    return 1;
}

static int datagram_extra_info(lua_State *L)
{
    struct lc_datagram *datagram = check(L, "get_extra_info");
    const char *name;

    lua_settop(L, 3);
    if (lua_type(L, 2) != LUA_TSTRING)
        lc_raise_argument(L, datagram->host, LC_TYPE_ERROR, "get_extra_info", 1, "string", 2);
    name = lua_tostring(L, 2);
    if (strcmp(name, "socket") == 0) {
        lua_pushvalue(L, 1);
    } else if (strcmp(name, "peername") == 0 || strcmp(name, "sockname") == 0) {
        push_name(L, datagram, name[0] == 'p');
        if (lua_isnil(L, -1))
            lua_settop(L, 3);
    }
    return 1;
}

static int datagram_limits(lua_State *L)
{
    struct lc_datagram *datagram = check(L, "get_write_buffer_limits");

    lua_pushinteger(L, (lua_Integer)datagram->low);
    lua_pushinteger(L, (lua_Integer)datagram->high);
    return 2;
}

static int datagram_buffer_size(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check(L, "get_write_buffer_size")->unsent);
    return 1;
}

/* endpoint:set_write_buffer_limits(high?, low?) (ST12) */
static int datagram_set_limits(lua_State *L)
{
    struct lc_datagram *datagram = check(L, "set_write_buffer_limits");

    lua_settop(L, 3);
    lc_check_marks(L, &datagram->high, &datagram->low);
    if (!datagram->output_full && datagram->unsent > datagram->high) {
        datagram->output_full = true;
        datagram->user->pause(L, datagram);
    }
    return 0;
}

const luaL_Reg lc_datagram_shared[] = {{"sendto", datagram_sendto},
                                       {"close", datagram_close},
                                       {"abort", datagram_abort},
                                       {"is_closing", datagram_is_closing},
                                       {"getsockname", datagram_getsockname},
                                       {"getpeername", datagram_getpeername},
                                       {"fileno", datagram_fileno},
                                       {"get_extra_info", datagram_extra_info},
                                       {"set_write_buffer_limits", datagram_set_limits},
                                       {"get_write_buffer_limits", datagram_limits},
                                       {"get_write_buffer_size", datagram_buffer_size},
                                       {NULL, NULL}};
