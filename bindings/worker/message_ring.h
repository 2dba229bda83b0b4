/*
 * message_ring: messages in memory that threads and processes share, first in first out, of any number,
 * limited in bytes. Pages are the system's until a message needs them, and are given back when it is empty.
 * Five descriptors make it: the memory; two flags that can be waited for: there is a place, if their
 * number is limited, and there is a message; and two sockets for descriptors that go with messages.
 * Invariant: a message is whole when it is there; one that its writer died over was never there. Nobody has a
 *            place or a message before it is put or taken under the mutex. A flag is raised before what it
 *            tells of is done, and lowered after it is over: it is never down when something can be had,
 *            whoever dies in between. Who takes the mutex after one who died sets the rest right.
 */
#ifndef LC_MESSAGE_RING_H
#define LC_MESSAGE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared.h"

struct lc_wire;

struct lc_message_ring {
    struct lc_shared shared;
    int memory;
    int places;    /* readable: one is free, or there are no more puts */
    int messages;  /* readable: there is one, or there are no more */
    int rights[2]; /* to send to, and to read from; see rights.h */
    size_t size;   /* of the mapping */
    struct lc_ring_head *head;
};

enum lc_ring_outcome {
    LC_RING_DONE,
    LC_RING_WAIT,           /* no place, or no message */
    LC_RING_SHUT,           /* no more puts; no more messages */
    LC_RING_FULL,           /* no room for so many bytes */
    LC_RING_MANY,           /* descriptors on their way: too many */
    LC_RING_NO_DESCRIPTORS, /* this process cannot have those of the message, which stays */
    LC_RING_NO_MEMORY
};

/* A message. */
struct lc_ring_message {
    char *bytes; /* malloc's */
    size_t size;
    int *descriptors; /* malloc's, or NULL */
    size_t descriptor_count;
};

/* `max` messages at most (0: any number), of so many bytes in all, 1 MB or more. NULL: errno says why. */
struct lc_message_ring *lc_message_ring_new(uint64_t max, uint64_t capacity);

/* What a put would come to, but for the message: LC_RING_DONE, LC_RING_WAIT or LC_RING_SHUT. */
enum lc_ring_outcome lc_ring_room(struct lc_message_ring *ring);

/* Puts a message, with at most LC_RIGHTS_MAX descriptors. */
enum lc_ring_outcome lc_ring_put(struct lc_message_ring *ring, const struct lc_wire *wire);

/* Takes the first message. */
enum lc_ring_outcome lc_ring_get(struct lc_message_ring *ring, struct lc_ring_message *message);

/* Nothing is put any more; `immediate`: what is there is dropped. Wakes all who wait. */
void lc_ring_shut(struct lc_message_ring *ring, bool immediate);

/* How many there are, and may be. */
uint64_t lc_ring_count(struct lc_message_ring *ring);
uint64_t lc_ring_max(const struct lc_message_ring *ring);

#endif
