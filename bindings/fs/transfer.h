/*
 * transfer: what a file has one thread do at a time: read the next bytes, or write those it has, with
 * what follows the writing.
 * Owner: the file that started it, for its turn; its thread while the thread works. Its block goes back
 *        to the file when it has come back.
 * Context: lc_transfer_work and lc_transfer_dispose in a thread, and they know no Lua.
 */
#ifndef LC_TRANSFER_H
#define LC_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "crew.h"

struct lc_file;

/* Bytes of malloc's memory: block[start..end - 1]. */
struct lc_bytes {
    char *block;
    size_t start, end, capacity;
};

enum lc_transfer_kind { LC_TRANSFER_READ, LC_TRANSFER_READ_ALL, LC_TRANSFER_WRITE };

/* After a write that had no error; CLOSE in any case. */
enum lc_transfer_then {
    LC_THEN_NOTHING,
    LC_THEN_SYNC,
    LC_THEN_TRUNCATE, /* to `size` */
    LC_THEN_END,      /* tells the end of the file in `size` */
    LC_THEN_CLOSE
};

struct lc_transfer {
    struct lc_job job;
    struct lc_file *file; /* for the loop's thread alone */
    enum lc_transfer_kind kind;
    enum lc_transfer_then then;
    struct lc_bytes bytes;
    size_t wanted; /* of a read: goes on until it has so many more, or the end has come */
    off_t
        offset; /* where it begins; afterwards where it ended. -1: the descriptor's own position */
    off_t size;
    int fd;
    int error;
    bool append;
    bool ended;      /* a read that met the end */
    bool unattended; /* who started it does not wait any more */
    bool owns_fd;    /* the file is gone: the descriptor is closed with the transfer */
    char *temporary; /* malloc's: removed when it is closed; or NULL */
};

void lc_transfer_work(struct lc_job *job);
void lc_transfer_dispose(struct lc_job *job);

/* Writes the bytes; those that were written are taken away. Returns an errno or 0. */
int lc_bytes_write(struct lc_bytes *bytes, int fd, off_t *offset, bool append);

void lc_bytes_free(struct lc_bytes *bytes);

#endif
