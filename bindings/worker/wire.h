/*
 * wire: a parcel between processes: bytes, and the descriptors that go with them (SCM_RIGHTS).
 * Bytes and descriptors are trusted: both ends are the same program.
 * Owner: the bytes that leave refer to the parcel's memory; a parcel that has come owns the message.
 */
#ifndef LC_WIRE_H
#define LC_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

struct lc_parcel;

/* What leaves. */
struct lc_wire {
    struct iovec *vectors; /* one message, in pieces */
    size_t vector_count;
    size_t size; /* of all of them */
    int *descriptors;
    size_t descriptor_count; /* there is no limit: what goes at once, SCM_MAX_FD says */
    char *head;              /* the first vector's */
};

/* Makes ready to leave: nothing is copied, and all refers to the parcel, which has to stay. Descriptors
 * stay the parcel's, too. False: no memory, and nothing to finish. */
bool lc_wire_open(struct lc_wire *wire, const struct lc_parcel *parcel);

/* The parcel's blocks may be elsewhere now. */
void lc_wire_renew(struct lc_wire *wire, const struct lc_parcel *parcel);

void lc_wire_finish(struct lc_wire *wire);

/* Makes a parcel of a message that has come; the parcel is empty before. The message, malloc's, and the
 * descriptors are the parcel's from then on, in any case. False and errno: it is no message (EPROTO), or there
 * is no memory; the parcel is empty. */
bool lc_wire_accept(struct lc_parcel *parcel, char *message, size_t size, const int *descriptors,
                    size_t descriptor_count);

#endif
