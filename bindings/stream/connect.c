/*
 * connect: sockets that connect, and descriptors that become streams. What to connect to is decided by
 * lua/lucio/streams.lua.
 * Phases of a connection: the socket connects, at once or while the task waits; the stream begins one tick
 * later, and then its filter; the task goes on in the tick after that, as in asyncio.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <lauxlib.h>

#include "connect.h"
#include "core.h"
#include "datagram.h"
#include "descriptor.h"
#include "filter.h"
#include "listener.h"
#include "pair.h"
#include "permit.h"
#include "submodule.h"

static const struct lc_wait_type begin_wait = {"a connection", NULL};

/* ---- addresses ---- */

void lc_check_socket_address(lua_State *L, int idx, const char *what, struct lc_socket_address *out)
{
    struct lc_host *host = lc_host_of(L);

    memset(out, 0, sizeof *out);
    if (lua_isnil(L, idx + 1)) {
        struct sockaddr_un *un = (struct sockaddr_un *)&out->storage;
        size_t length;
        const char *path;

        if (lua_type(L, idx) != LUA_TSTRING)
            lc_raise_argument(L, host, LC_TYPE_ERROR, what, 1, "path as string", idx);
        path = lua_tolstring(L, idx, &length);
        if (length == 0 || length >= sizeof un->sun_path)
            lc_raise_value(L, host, what, 1, length == 0 ? "empty path" : "path is too long");
        if (path[0] != '\0' && strlen(path) != length)
            lc_raise_value(L, host, what, 1, "path with a zero byte");
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, path, length);
        out->size =
            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] != '\0'));
    } else {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
        struct addrinfo *info;
        lua_Integer number = lc_check_integer(L, idx + 1, what, 2);
        char port[16];

        if (number < 0 || number > 65535)
            lc_raise_value(L, host, what, 2, "port must be in 0..65535");
        if (lua_type(L, idx) != LUA_TSTRING)
            lc_raise_argument(L, host, LC_TYPE_ERROR, what, 1, "address as string", idx);
        snprintf(port, sizeof port, "%d", (int)number);
        if (getaddrinfo(lua_tostring(L, idx), port, &hints, &info) != 0)
            lc_raise_value(L, host, what, 1, "not a numeric address");
        memcpy(&out->storage, info->ai_addr, info->ai_addrlen);
        out->size = info->ai_addrlen;
        freeaddrinfo(info);
    }
}

/* "('127.0.0.1', 8888)" or "'path'", as Python shows addresses. [-0, +1, m] */
void lc_push_address_text(lua_State *L, const struct lc_socket_address *address)
{
    lc_push_address(L, (const struct sockaddr *)&address->storage, address->size);
    if (lua_type(L, -1) == LUA_TSTRING) {
        lua_pushfstring(L, "'%s'", lua_tostring(L, -1));
    } else {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address->storage;
        const char *more = "";

        lua_getfield(L, -1, "host");
        lua_getfield(L, -2, "port");
        if (six->sin6_family == AF_INET6)
            more = lua_pushfstring(L, ", %d, %d", (int)ntohl(six->sin6_flowinfo),
                                   (int)six->sin6_scope_id);
        else
            lua_pushnil(L);
        lua_pushfstring(L, "('%s', %d%s)", lua_tostring(L, -3), (int)lua_tointeger(L, -2), more);
        lua_replace(L, -4);
        lua_pop(L, 2);
    }
    lua_replace(L, -2);
}

/* ---- the end of every connection's beginning ---- */

static int begin_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;
    struct lc_writer *writer = lua_touserdata(L, -1);

    (void)status;
    (void)ctx;
    lc_list_unlink(&task->waiter.link);
    if (lc_wait_end(L, task)) {
        lc_stream_abort(writer->stream, 0);
        return lua_error(L);
    }
    if (!writer->stream->made)
        lc_stream_raise(L, writer->stream, writer->stream->error);
    return 2;
}

int lc_connect_begin(lua_State *L, struct lc_task *task, struct lc_descriptor *descriptor,
                     enum lc_stream_kind kind, size_t limit, struct lc_filter_maker *maker)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_stream *stream;

    lc_pair_new(L, host, limit);
    stream = lc_stream_new(host->loop, descriptor->owned, kind, &lc_pair_user, 0);
    if (stream == NULL)
        return luaL_error(L, "not enough memory");
    lc_descriptor_give(descriptor);
    lc_filter_attach(maker, stream);
    lc_pair_attach(L, stream);
    if (kind == LC_STREAM_SOCKET)
        lc_writer_note_names(L, stream);
    lc_list_append(&stream->drainers, &task->waiter.link);
    lc_wait_begin(L, task, &begin_wait, lua_gettop(L));
    return lc_wait_yield(L, task, 0, begin_k);
}

/* The limit of a reader, or a factory of protocols, is at `idx`. */
static int begin(lua_State *L, struct lc_task *task, struct lc_descriptor *descriptor,
                 enum lc_stream_kind kind, int idx, struct lc_filter_maker *maker)
{
    if (lua_isinteger(L, idx))
        return lc_connect_begin(L, task, descriptor, kind, (size_t)lua_tointeger(L, idx), maker);
    return lc_protocol_begin(L, task, descriptor, kind, idx, maker);
}

/* ---- connect ---- */

static int raise_connect(lua_State *L, int error)
{
    struct lc_socket_address address;

    lc_check_socket_address(L, 1, "connect", &address);
    if (address.storage.ss_family == AF_UNIX)
        lc_raise_errno(L, lc_host_of(L), error, NULL);
    lc_push_address_text(L, &address);
    lua_pushfstring(L, "[Errno %d] Connect call failed %s", error, lua_tostring(L, -1));
    lc_error_push_os(L, lc_host_of(L), error, NULL, lua_tostring(L, -1));
    return lua_error(L);
}

/* Frame: 1, 2 address, 3, 4 local address, 5 descriptor. */
static int connected(lua_State *L, struct lc_descriptor *descriptor)
{
    int error = 0, one = 1;
    socklen_t size = sizeof error;

    getsockopt(descriptor->owned, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        lc_descriptor_close(descriptor);
        return raise_connect(L, error);
    }
    if (!lua_isnil(L, 2))
        setsockopt(descriptor->owned, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return 1;
}

static int connect_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;
    struct lc_descriptor *descriptor = lua_touserdata(L, 5);

    (void)status;
    (void)ctx;
    if (lc_descriptor_wait_end(L, task, descriptor))
        return lua_error(L);
    return connected(L, descriptor);
}

static void bind_local(lua_State *L, struct lc_descriptor *descriptor)
{
    struct lc_socket_address local;
    int error;

    if (lua_isnil(L, 3))
        return;
    lc_check_socket_address(L, 3, "connect", &local);
    if (bind(descriptor->owned, (struct sockaddr *)&local.storage, local.size) == 0)
        return;
    error = errno;
    lc_descriptor_close(descriptor);
    lc_raise_bind(L, lc_host_of(L), error, &local);
}

/* connect(host or path, port or nil, local host?, local port?) -> connected descriptor. Suspends. */
static int stream_connect(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_socket_address address;
    struct lc_descriptor *descriptor;
    struct lc_task *task;

    lua_settop(L, 4);
    lc_check_socket_address(L, 1, "connect", &address);
    lc_permit_address(L, host, (struct sockaddr *)&address.storage, address.size);
    task = lc_wait_task(L, host, "open_connection");
    descriptor = lc_descriptor_new(L, host);
    descriptor->owned =
        socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor->owned < 0)
        lc_raise_errno(L, host, errno, NULL);
    bind_local(L, descriptor);
    if (connect(descriptor->owned, (struct sockaddr *)&address.storage, address.size) == 0)
        return connected(L, descriptor);
    if (errno == EINPROGRESS || errno == EINTR)
        return lc_descriptor_wait(L, task, descriptor, 5, descriptor->owned, EV_WRITE, 0,
                                  connect_k);
    {
        int error = errno;

        lc_descriptor_close(descriptor);
        return raise_connect(L, error);
    }
}

static struct lc_descriptor *check_descriptor(lua_State *L, const char *what)
{
    struct lc_descriptor *descriptor = lc_to_object(L, 1, &lc_descriptor_type);

    if (descriptor == NULL || descriptor->owned < 0)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, 1, "open descriptor", 1);
    return descriptor;
}

/* begin(connected descriptor, limit, settings of TLS?) -> reader, writer; with a factory in the place of the
 * limit -> transport, protocol. Suspends. */
static int stream_begin(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_descriptor *descriptor = check_descriptor(L, "begin");
    struct lc_filter_maker *maker;

    lua_settop(L, 3);
    maker = lc_filter_check_maker(L, 3, "begin");
    return begin(L, lc_wait_task(L, host, "open_connection"), descriptor, LC_STREAM_SOCKET, 2,
                 maker);
}

/* close(connected descriptor): one that is not wanted. */
static int stream_close(lua_State *L)
{
    lc_descriptor_close(check_descriptor(L, "close"));
    return 0;
}

/* A descriptor for what `fd` stands for. Where that can be opened a second time it does not block; else it
 * stays as other processes share it, and the stream asks before each call whether that would wait. */
static int duplicate(int fd, bool reads, const struct stat *info)
{
    struct stat again;
    char path[32];
    int own;

    /* a socket is told at each call not to wait, a file never waits for long, and has one position */
    if (S_ISSOCK(info->st_mode) || S_ISREG(info->st_mode))
        return fcntl(fd, F_DUPFD_CLOEXEC, 3);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    own = open(path, (reads ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (own >= 0 && fstat(own, &again) == 0 && again.st_ino == info->st_ino &&
        again.st_rdev == info->st_rdev)
        return own;
    if (own >= 0)
        close(own);
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* open(name, position, fd, "r" or "w", limit or factory, files?) -> reader, writer: a duplicate of a
 * pipe, socket or terminal (IO2), or with `files` of a regular file. The name and the position are those
 * of the function that a script has called. */
static int stream_open(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    const char *what = luaL_checkstring(L, 1);
    int position = (int)luaL_checkinteger(L, 2);
    lua_Integer fd = lc_check_integer(L, 3, what, position);
    bool reads = luaL_checkstring(L, 4)[0] == 'r';
    struct lc_descriptor *descriptor;
    struct lc_task *task;
    struct stat info;

    if (fd < 0 || fd > 1 << 24 || fstat((int)fd, &info) != 0)
        lc_raise_value(L, host, what, position, "invalid file descriptor");
    lc_permit_descriptor(L, host, (int)fd, reads, what);
    if (!S_ISFIFO(info.st_mode) && !S_ISSOCK(info.st_mode) && !S_ISCHR(info.st_mode) &&
        !(S_ISREG(info.st_mode) && lua_toboolean(L, 6)))
        lc_raise(L, host, LC_VALUE_ERROR, "Pipe transport is for pipes/sockets only.");
    task = lc_wait_task(L, host, what);
    descriptor = lc_descriptor_new(L, host);
    if (fd == STDOUT_FILENO)
        fflush(stdout); /* what was printed before comes before */
    descriptor->owned = duplicate((int)fd, reads, &info);
    if (descriptor->owned < 0)
        lc_raise_errno(L, host, errno, NULL);
    return begin(L, task, descriptor, reads ? LC_STREAM_READ_PIPE : LC_STREAM_WRITE_PIPE, 5, NULL);
}

/* The functions of lucio.streams in C, as a table. [-0, +1, m] */
int lc_open_streams(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"connect", stream_connect},      {"begin", stream_begin},
        {"close", stream_close},          {"open", stream_open},
        {"datagram", lc_stream_datagram}, {"listen", lc_stream_listen},
        {"serve", lc_stream_serve},       {NULL, NULL}};
    struct lc_host *host = lc_host_of(L);

    lua_newtable(L);
    lc_set_functions(L, host, functions);
    return 1;
}

void lc_open_stream_types(lua_State *L, struct lc_host *host)
{
    static const char *const names[] = {
        "open_connection",   "open_unix_connection", "start_server",
        "start_unix_server", "connect_stdin",        "connect_stdout",
        "connect_stderr",    "open_datagram",        NULL};

    lc_open_address(L, host);
    lc_open_descriptor(L, host);
    lc_open_reader(L, host);
    lc_open_writer(L, host);
    lc_open_transport(L, host);
    lc_open_socket(L, host);
    lc_open_listener(L, host);
    lc_open_server(L, host);
    lc_open_endpoint(L, host);
    lc_open_datagram_transport(L, host);
    lc_add_stand_ins(L, host, "streams", names);
}
