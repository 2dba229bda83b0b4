/*
 * ports: the bound sockets that a supervisor keeps for its workers. Each is bound when a worker asks for
 * its address the first time, and all workers get copies of that one; with LC_BIND_REUSE_PORT each worker's
 * seat has one of its own. What waits in the queue of a socket stays there, whichever workers come and go.
 * Port 0 is chosen by the system once: the nth socket that one worker has open at port 0 of an address is the
 * nth of every other.
 * Invariant: a holder is a running process that has not said that it closed its copy.
 * Owner:     the supervisor. Memory is malloc's, since there is no host.
 */
#ifndef LC_PORTS_H
#define LC_PORTS_H

#include <sys/types.h>

#include "hotline.h"
#include "list.h"

struct lc_ports {
    struct lc_link all;
    int ids;
};

void lc_ports_init(struct lc_ports *ports);

/* Answers LC_ASK_SOCKET of a process in a seat: fills in the answer and returns the descriptor to send, which
 * stays the table's, or -1. */
int lc_ports_open(struct lc_ports *ports, pid_t process, int seat, struct lc_message *message);

/* The process has closed socket `id`. */
void lc_ports_closed(struct lc_ports *ports, pid_t process, int id);

/* The process has ended. */
void lc_ports_ended(struct lc_ports *ports, pid_t process);

/* Closes what nobody has held for so many seconds. */
void lc_ports_expire(struct lc_ports *ports, double now, double seconds);

/* Closes all; a process that is not the supervisor leaves the files of unix sockets alone. */
void lc_ports_close(struct lc_ports *ports, bool is_supervisor);

#endif
