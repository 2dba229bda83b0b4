/*
 * supervised: what a worker of `lucio --workers` knows of its supervisor, and asks of it.
 * Sockets that listen, or receive datagrams at a known address, are the supervisor's: it binds them once, keeps
 * them, and gives each worker a copy. So nothing in their queues is lost when a worker goes and another comes.
 * Owner:   the command's main function; the host of the script has its pointer.
 * Context: the loop's thread.
 */
#ifndef LC_SUPERVISED_H
#define LC_SUPERVISED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct lc_supervised {
    int channel;          /* to the supervisor */
    int index;            /* from 1 */
    double drain_timeout; /* for the connections of the servers at the end, seconds */
    uint32_t requests;
    bool ready;
};

/* Gets a copy of the socket that is bound to the address, not yet listening if it is to listen; waits for the supervisor. Returns 0
 * or an errno. `flags`: see bound.h; `*id` is the number for lc_supervised_closed. */
int lc_supervised_socket(struct lc_supervised *supervised, const struct sockaddr *address,
                         socklen_t size, uint32_t flags, int *fd, int *id);

/* The copy was closed. */
void lc_supervised_closed(struct lc_supervised *supervised, int id);

/* The script was read without an error; it has begun to accept connections, or
 * may receive datagrams. */
void lc_supervised_loaded(struct lc_supervised *supervised);
void lc_supervised_ready(struct lc_supervised *supervised);

#endif
