/*
 * message_ring: messages in memory that threads and processes share, first in first out, of any number,
 * limited in bytes. Pages are the system's until a message needs them, and are given back when it is empty.
 * Five descriptors make it: the memory, two counters that can be waited for: of places, if their
 * number is limited, and of messages; and two sockets for descriptors that go with messages. A message takes
 * a place first and brings a count at last.
 * Invariant: a message is whole when it is counted; one that its writer died over was never there. Under the
 *            mutex the count is that of the messages; who takes it after one who died sees to that.
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
    int places;    /* readable: one is free */
    int messages;  /* readable: there is one, or there will be none any more */
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

/* Takes a place; it is given back, or put into. */
enum lc_ring_outcome lc_ring_take_place(struct lc_message_ring *ring);
void lc_ring_give_place(struct lc_message_ring *ring);

/* Puts a message, with at most LC_RIGHTS_MAX descriptors. On failure the place is given back. */
enum lc_ring_outcome lc_ring_put(struct lc_message_ring *ring, const struct lc_wire *wire);

/* Takes the first message. */
enum lc_ring_outcome lc_ring_get(struct lc_message_ring *ring, struct lc_ring_message *message);

/* Nothing is put any more; `immediate`: what is there is dropped. Wakes all who wait. */
void lc_ring_shut(struct lc_message_ring *ring, bool immediate);

/* How many there are, and may be. */
uint64_t lc_ring_count(struct lc_message_ring *ring);
uint64_t lc_ring_max(const struct lc_message_ring *ring);

#endif
