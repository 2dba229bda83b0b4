/*
 * server: what the two files about servers share; see server.c for the server itself, serving.c for its
 * connections.
 */
#ifndef LC_SERVER_H
#define LC_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "filter.h"
#include "host.h"
#include "list.h"
#include "timer.h"

struct lc_loop;
struct lc_socket_name;

enum lc_server_state { LC_SERVER_MADE, LC_SERVER_SERVING, LC_SERVER_CLOSED };

struct lc_server {
    struct lc_object object;
    struct lc_host *host;
    struct lc_loop *loop;
    uint32_t generation;
    enum lc_server_state state;
    struct lc_link connections; /* streams, by `peers` */
    unsigned active;
    struct lc_link closers; /* tasks in wait_closed */
    struct lc_link forever; /* the task in serve_forever */
    size_t limit;           /* 0: the callback makes protocols */
    unsigned most;          /* connections at a time; 0: as many as come */
    double grace; /* seconds for the connections at the end; infinite: as long as they take */
    struct lc_timer deadline;      /* the end of that time */
    bool aborted;                  /* some did not end in time */
    struct lc_filter_maker *maker; /* of its connections' filters, or NULL */
    int anchor;
};

/* ---- serving.c ---- */

/* Whether it has as many connections as it may. */
bool lc_server_is_full(const struct lc_server *server);
/* Takes an accepted descriptor, which is the server's from then on. False: no memory. */
bool lc_server_accepted(struct lc_server *server, int fd, const struct lc_socket_name *peer);
/* The server cannot accept for now, for that errno. [-0, +0, -] */
void lc_server_exhausted(struct lc_server *server, int error);
/* Lets the collector have a server that does nothing any more, and wakes who waits for that. [-0, +0, -] */
void lc_server_settle(lua_State *L, struct lc_server *server);

#endif
