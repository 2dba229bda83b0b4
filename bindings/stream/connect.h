/*
 * connect: connections that begin; see connect.c.
 */
#ifndef LC_CONNECT_H
#define LC_CONNECT_H

#include <stddef.h>
#include <sys/socket.h>

#include <lua.h>

#include "stream.h"

struct lc_descriptor;
struct lc_filter_maker;
struct lc_host;
struct lc_task;

struct lc_socket_address {
    struct sockaddr_storage storage;
    socklen_t size;
};

/* A numeric host at `idx` and a port above it, or a path and nil. [-0, +0, v] */
void lc_check_socket_address(lua_State *L, int idx, const char *what,
                             struct lc_socket_address *out);
/* Pushes "('127.0.0.1', 8888)". [-0, +1, m] */
void lc_push_address_text(lua_State *L, const struct lc_socket_address *address);

/* Makes a reader and a writer of what the descriptor object owns, and returns them from the task when
 * the stream has begun. [-0, +2, y] */
int lc_connect_begin(lua_State *L, struct lc_task *task, struct lc_descriptor *descriptor,
                     enum lc_stream_kind kind, size_t limit, struct lc_filter_maker *maker);

/* The same with a transport and a protocol, which the function at `factory` makes. [-0, +2, y] */
int lc_protocol_begin(lua_State *L, struct lc_task *task, struct lc_descriptor *descriptor,
                      enum lc_stream_kind kind, int factory, struct lc_filter_maker *maker);

/* What lucio.streams has in C: pushes the table of functions. [-0, +1, m] */
int lc_open_streams(lua_State *L);

/* Makes the types, and open_connection and the like in the module table on top. [-0, +0, m] */
void lc_open_stream_types(lua_State *L, struct lc_host *host);

/* ---- server.c ---- */

int lc_stream_listen(lua_State *L);
int lc_stream_serve(lua_State *L);

/* Makes the types of readers, writers, servers... [-0, +0, m] */
void lc_open_reader(lua_State *L, struct lc_host *host);
void lc_open_writer(lua_State *L, struct lc_host *host);
void lc_open_transport(lua_State *L, struct lc_host *host);
void lc_open_socket(lua_State *L, struct lc_host *host);
void lc_open_listener(lua_State *L, struct lc_host *host);
void lc_open_server(lua_State *L, struct lc_host *host);
void lc_open_descriptor(lua_State *L, struct lc_host *host);
void lc_open_endpoint(lua_State *L, struct lc_host *host);
void lc_open_datagram_transport(lua_State *L, struct lc_host *host);

#endif
