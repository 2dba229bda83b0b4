/*
 * channel: frames between an executor's process and a worker process, over a stream socket. A frame has
 * a head, and a parcel or nothing.
 * Invariant: one frame is being sent at a time; what came belongs to the frames in its order, bytes and
 *            descriptors.
 * Owner:     the socket, what has come and was not taken, and the copies of descriptors.
 * Context:   one thread; knows no Lua. All memory is malloc's.
 */
#ifndef LC_CHANNEL_H
#define LC_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

struct lc_parcel;

enum lc_frame_kind {
    LC_FRAME_SETTINGS,    /* number: the worker's index */
    LC_FRAME_INITIALIZER, /* no values: there is none */
    LC_FRAME_JOB,         /* number: its options */
    LC_FRAME_CANCEL,      /* without a parcel */
    LC_FRAME_READY,       /* without a parcel: the initializer has been called */
    LC_FRAME_REPORT,
    LC_FRAME_RESULT,
    LC_FRAME_FAILURE
};

struct lc_frame {
    uint32_t kind;
    uint32_t serial; /* of the job that it is about */
    uint32_t number;
    uint32_t descriptors;
    uint64_t size; /* of the message that follows; 0: none does */
};

/* What is read along with a head; small messages are in it. */
#define LC_CHANNEL_SPACE 4096

struct lc_channel {
    int fd;
    /* what leaves */
    bool sending;
    struct lc_frame out;
    struct lc_wire wire;
    size_t head_sent;
    size_t vector, offset; /* of what leaves next */
    size_t descriptors_sent;
    /* what comes */
    struct lc_frame in;
    size_t head_got;
    char *message;
    size_t message_got;
    int *descriptors;
    size_t descriptor_count;
    bool truncated; /* descriptors of the frame did not come: this process may have no more */
    size_t space_at, space_end;
    char space[LC_CHANNEL_SPACE];
};

void lc_channel_init(struct lc_channel *channel, int fd);

/* Closes the socket and frees what was not taken. */
void lc_channel_finish(struct lc_channel *channel);

/* Begins to send a frame; the parcel stays until it is sent. NULL: a frame without one. False: no
 * memory. */
bool lc_channel_begin(struct lc_channel *channel, enum lc_frame_kind kind, uint32_t serial,
                      uint32_t number, const struct lc_parcel *parcel);

/* 1: the frame is sent; 0: the other side has to read first (not with `wait`); -1 and errno. */
int lc_channel_send(struct lc_channel *channel, bool wait);

/* 1: a frame is there, in channel->in, to be taken before the next call; 0: not yet (not with `wait`); -1
 * and errno, 0 at the end of the stream. */
int lc_channel_receive(struct lc_channel *channel, bool wait);

/* Takes the parcel of the frame that is there, NULL: throws it away. False and errno: no memory, or
 * descriptors did not come (EMFILE); those of later frames may be lost with them. */
bool lc_channel_take(struct lc_channel *channel, struct lc_parcel *parcel);

#endif
