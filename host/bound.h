/*
 * bound: sockets bound to an address, which are to accept connections or to receive datagrams, and the files
 * of unix sockets.
 */
#ifndef LC_BOUND_H
#define LC_BOUND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

enum lc_bind_flag {
    LC_BIND_REUSE_ADDRESS = 1,
    LC_BIND_REUSE_PORT = 2,
    LC_BIND_KEEP_PATH = 4, /* the file of a unix socket is not to be removed with it */
    LC_BIND_DATAGRAM = 8,
};

/* The file of a unix socket, which another one may have taken the place of. */
struct lc_bound_file {
    bool is_there; /* and to be removed */
    dev_t device;
    ino_t inode;
};

/* A new socket, not yet listening. Returns 0, or an errno and -1 in *fd. */
int lc_bind_socket(const struct sockaddr *address, socklen_t size, uint32_t flags, int *fd,
                   struct lc_bound_file *file);

/* Removes the file of the unix socket if it is still its own. */
void lc_bound_remove(int fd, const struct lc_bound_file *file);

/* A socket that a server left behind is in the way of a path; any other kind of file is an error of bind. */
void lc_remove_stale_socket(const struct sockaddr *address);

#endif
