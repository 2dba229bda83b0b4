/*
 * file: an open file. Its position is its own (pread, pwrite), so that it is known whatever is under way.
 * Invariant: one transfer at a time; of input and output at most one has bytes. The position is
 *            offset - input + output. Who waits stands in `waiters` in order; while no transfer is under
 *            way, the first of them is no longer pending.
 * Owner:     Lua's collector; a transfer under way anchors its file. The input and the output are
 *            malloc's memory, because a thread fills and empties them.
 * Context:   loop thread.
 */
#ifndef LC_FILE_H
#define LC_FILE_H

#include <stdbool.h>

#include <lua.h>

#include "host.h"
#include "list.h"
#include "transfer.h"

/* What is read at once at least, and written at once. */
#define LC_FILE_BUFFER ((size_t)65536)

extern const struct lc_type lc_file_type;

/* User value 1: the path. */
struct lc_file {
    struct lc_object object;
    struct lc_host *host;
    struct lc_loop *loop; /* of those that wait or have waited last */
    uint32_t generation;
    struct lc_link waiters;
    struct lc_transfer *transfer; /* under way, or NULL */
    struct lc_bytes input, output;
    off_t offset; /* -1: what cannot be sought in */
    off_t found;  /* what the last transfer told in `size` */
    int fd;       /* -1: closed */
    int error;    /* of the last transfer, for who started it */
    bool readable;
    bool writable;
    bool append;
    bool ended;     /* the last read met the end */
    bool temporary; /* is removed when it is closed */
    bool finished;  /* the collector has it: the state closes under a transfer */
    bool closing;   /* is closed when nobody waits: a close was cancelled before its turn */
};

/* An operation tries: pushes its results and returns their number, or starts a transfer and returns
 * LC_FILE_WAIT to be called again when that is done. *phase is 0 at first and then its own. */
typedef int lc_file_step(lua_State *L, struct lc_file *file, int *phase);

#define LC_FILE_WAIT (-1)

struct lc_file_operation {
    const char *name;
    lc_file_step *step;
    bool on_closed; /* may be called on a closed file */
    bool closes;
};

/* Runs an operation for the file at 1 of the frame, whose arguments stand at 2 and 3, when its turn has
 * come. [-?, +n, ye] */
int lc_file_operate(lua_State *L, const struct lc_file_operation *operation);

/* Starts a read of the file at 1, of up to `room` bytes more; what was read and not taken stays in front
 * of them. It goes on until there are `wanted` of them, or the end has come. [-0, +0, v] */
void lc_file_start_read(lua_State *L, struct lc_file *file, enum lc_transfer_kind kind, size_t room,
                        size_t wanted);

/* Starts a write of all output, with what follows. [-0, +0, v] */
void lc_file_start_write(lua_State *L, struct lc_file *file, enum lc_transfer_then then,
                         off_t size);

/* What was read and not taken is forgotten: the position stays. */
void lc_file_drop_input(struct lc_file *file);

static inline size_t lc_bytes_size(const struct lc_bytes *bytes)
{
    return bytes->end - bytes->start;
}

#endif
