#include "transfer.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is read at once of a file that does not say its size. */
#define CHUNK 65536

void lc_bytes_free(struct lc_bytes *bytes)
{
    free(bytes->block);
    memset(bytes, 0, sizeof *bytes);
}

/* ---- reading ---- */

/* Reads once to the end of the block. False: the end, or an error. */
static bool read_once(struct lc_transfer *transfer)
{
    struct lc_bytes *bytes = &transfer->bytes;
    size_t room = bytes->capacity - bytes->end;
    ssize_t n;

    do {
        n = transfer->offset < 0
                ? read(transfer->fd, bytes->block + bytes->end, room)
                : pread(transfer->fd, bytes->block + bytes->end, room, transfer->offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        transfer->error = errno;
    if (n == 0)
        transfer->ended = true;
    if (n <= 0)
        return false;
    bytes->end += (size_t)n;
    if (transfer->offset >= 0)
        transfer->offset += n;
    return true;
}

static bool grow(struct lc_transfer *transfer, size_t capacity)
{
    char *block = realloc(transfer->bytes.block, capacity);

    if (block == NULL) {
        transfer->error = ENOMEM;
        return false;
    }
    transfer->bytes.block = block;
    transfer->bytes.capacity = capacity;
    return true;
}

static void read_wanted(struct lc_transfer *transfer)
{
    size_t until = transfer->bytes.end + transfer->wanted;

    while (transfer->bytes.end < until && read_once(transfer))
        continue;
}

static void read_all(struct lc_transfer *transfer)
{
    struct lc_bytes *bytes = &transfer->bytes;
    struct stat status;
    size_t more = CHUNK;

    /* one byte more: the end is seen without growing */
    if (transfer->offset >= 0 && fstat(transfer->fd, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_size > transfer->offset)
        more = (size_t)(status.st_size - transfer->offset) + 1;
    if (bytes->capacity - bytes->end < more && !grow(transfer, bytes->end + more))
        return;
    while (read_once(transfer)) {
        if (bytes->end == bytes->capacity &&
            !grow(transfer, bytes->capacity < SIZE_MAX / 4 ? bytes->capacity * 2 : SIZE_MAX))
            break;
    }
}

/* ---- writing ---- */

int lc_bytes_write(struct lc_bytes *bytes, int fd, off_t *offset, bool append)
{
    int error = 0;

    while (bytes->start < bytes->end && error == 0) {
        size_t size = bytes->end - bytes->start;
        ssize_t n = *offset < 0 || append ? write(fd, bytes->block + bytes->start, size)
                                          : pwrite(fd, bytes->block + bytes->start, size, *offset);

        if (n > 0) {
            bytes->start += (size_t)n;
            if (*offset >= 0)
                *offset += n;
        } else if (n < 0 && errno != EINTR) {
            error = errno;
        }
    }
    if (bytes->start == bytes->end)
        bytes->start = bytes->end = 0;
    /* where the end is, others may have moved */
    if (append && *offset >= 0)
        *offset = lseek(fd, 0, SEEK_CUR);
    return error;
}

/* Closes the descriptor; an error that was there already is kept. */
static void close_fd(struct lc_transfer *transfer)
{
    if (close(transfer->fd) < 0 && transfer->error == 0)
        transfer->error = errno;
    transfer->fd = -1;
    if (transfer->temporary != NULL && unlink(transfer->temporary) < 0 && errno != ENOENT &&
        transfer->error == 0)
        transfer->error = errno;
}

static void write_then(struct lc_transfer *transfer)
{
    if (transfer->bytes.end > transfer->bytes.start)
        transfer->error =
            lc_bytes_write(&transfer->bytes, transfer->fd, &transfer->offset, transfer->append);
    if (transfer->then == LC_THEN_CLOSE) {
        close_fd(transfer);
        return;
    }
    if (transfer->error != 0)
        return;
    if (transfer->then == LC_THEN_SYNC && fsync(transfer->fd) < 0)
        transfer->error = errno;
    if (transfer->then == LC_THEN_TRUNCATE && ftruncate(transfer->fd, transfer->size) < 0)
        transfer->error = errno;
    if (transfer->then == LC_THEN_END) {
        transfer->size = lseek(transfer->fd, 0, SEEK_END);
        if (transfer->size < 0)
            transfer->error = errno;
    }
}

void lc_transfer_work(struct lc_job *job)
{
    struct lc_transfer *transfer = (struct lc_transfer *)job;

    switch (transfer->kind) {
    case LC_TRANSFER_READ:
        read_wanted(transfer);
        break;
    case LC_TRANSFER_READ_ALL:
        read_all(transfer);
        break;
    case LC_TRANSFER_WRITE:
        write_then(transfer);
        break;
    }
}

void lc_transfer_dispose(struct lc_job *job)
{
    struct lc_transfer *transfer = (struct lc_transfer *)job;

    if (transfer->owns_fd && transfer->fd >= 0)
        close_fd(transfer);
    free(transfer->temporary);
    lc_bytes_free(&transfer->bytes);
    free(transfer);
}
