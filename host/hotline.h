/*
 * hotline: messages between the supervisor of `lucio --workers` and a worker, whole ones, with a descriptor
 * beside them. It is a pair of sockets, one end for each.
 * Context: any process; neither call blocks, and neither raises SIGPIPE.
 */
#ifndef LC_HOTLINE_H
#define LC_HOTLINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum lc_message_kind {
    LC_SAY_LOADED, /* the worker's script has no syntax error */
    LC_SAY_READY,  /* the worker accepts connections or receives datagrams */
    LC_ASK_SOCKET, /* the worker wants a socket bound to `address`; answered by the same kind */
    LC_SAY_CLOSED, /* the worker has closed its copy of socket `id` */
};

struct lc_message {
    uint32_t kind;
    uint32_t flags;  /* of the socket: see bound.h */
    uint32_t number; /* of the request, repeated by the answer */
    int32_t id;      /* of the socket */
    int32_t error;   /* of the answer: 0 or an errno */
    socklen_t size;
    struct sockaddr_storage address;
};

/* Sends a message with a descriptor, -1: none. False: errno says why. */
bool lc_hotline_send(int fd, const struct lc_message *message, int descriptor);

/* Takes a message if there is one: 1; 0: there is none (yet); -1: there never will be. The descriptor, or -1,
 * is the caller's. */
int lc_hotline_receive(int fd, struct lc_message *message, int *descriptor);

#endif
