/*
 * streams: what the loop calls of bindings/stream when it closes.
 */
#ifndef LC_STREAMS_H
#define LC_STREAMS_H

#include <lua.h>

struct lc_loop;

/* Ends all streams without telling anybody. [-0, +0, -] */
void lc_streams_abandon(lua_State *L, struct lc_loop *loop);
/* Closes all sockets that accept. [-0, +0, -] */
void lc_listeners_abandon(lua_State *L, struct lc_loop *loop);
/* A descriptor was closed: those that lacked one try again. */
void lc_listeners_retry(struct lc_loop *loop);
/* Closes all sockets of datagrams. [-0, +0, -] */
void lc_datagrams_abandon(lua_State *L, struct lc_loop *loop);
/* Stops watching for tasks. */
void lc_descriptors_abandon(struct lc_loop *loop);

#endif
