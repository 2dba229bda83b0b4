/*
 * rights: descriptors that go along with messages in shared memory, through a pair of sockets that all who
 * share the memory have. Each set of descriptors has the serial number of its message.
 * Invariant: under the memory's mutex a set is sent before its message is there, and dropped after its
 *            message was taken: one that nobody has a message for is older than all that have one, and is
 *            dropped by the next who looks.
 * Owner:     what was sent is the kernel's; what was read, the reader's.
 */
#ifndef LC_RIGHTS_H
#define LC_RIGHTS_H

#include <stddef.h>
#include <stdint.h>

/* The most of one message: the kernel's SCM_MAX_FD. */
#define LC_RIGHTS_MAX 253

/* 0, or an errno: EAGAIN, ENOBUFS and ETOOMANYREFS say that there are too many on their way. */
int lc_rights_send(int socket, uint64_t serial, const int *descriptors, size_t count);

/* Copies of the set with that number, which stays; there is room for LC_RIGHTS_MAX. 0, or an errno: EMFILE:
 * this process can have no more; ESRCH: there is no such set. */
int lc_rights_read(int socket, uint64_t serial, int *descriptors, size_t *count);

/* Drops the sets up to that number. */
void lc_rights_drop(int socket, uint64_t serial);

#endif
