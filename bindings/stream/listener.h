/*
 * listener: a socket that accepts connections for a server; see listener.c.
 */
#ifndef LC_LISTENER_H
#define LC_LISTENER_H

#include <stdbool.h>

#include <ev.h>
#include <lua.h>

#include "bound.h"
#include "entry.h"
#include "host.h"
#include "stream.h"
#include "timer.h"

struct lc_loop;
struct lc_server;
struct lc_socket_address;

extern const struct lc_type lc_listener_type;

struct lc_listener {
    struct lc_object object;
    struct lc_host *host;
    struct lc_server *server; /* while it accepts */
    struct lc_loop *loop;     /* the same */
    struct lc_link link;      /* loop->listeners */
    ev_io io;
    struct lc_entry entry; /* it accepts */
    struct lc_timer retry; /* the end of a pause */
    double reported;       /* when a pause was last reported */
    bool paused;           /* a descriptor or memory was missing */
    int fd;
    int shared; /* its number at the supervisor, of a worker of lucio --workers; 0: it is this process's own */
    bool has_queue_alone; /* shared, but with no other worker */
    int backlog;
    struct lc_bound_file file;
};

/* Starts accepting. Raises OSError. [-0, +0, v] */
void lc_listener_start(lua_State *L, struct lc_listener *listener, struct lc_server *server,
                       struct lc_loop *loop);
/* Stops accepting and closes. [-0, +0, -] */
void lc_listener_close(struct lc_listener *listener);

/* The server may have become full, or have room again. */
void lc_listeners_update(struct lc_loop *loop, struct lc_server *server);

/* Raises the OSError of a bind that failed. [-0, +0, v] */
int lc_raise_bind(lua_State *L, struct lc_host *host, int error,
                  const struct lc_socket_address *address);

#endif
