/*
 * buffer: bytes that grow at the end and are taken from the front.
 * Owner: whoever embeds it; its block is of the host's allocator.
 */
#ifndef LC_BUFFER_H
#define LC_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct lc_host;

struct lc_buffer {
    char *block;
    size_t start; /* the bytes are block[start..end - 1] */
    size_t end;
    size_t capacity;
};

static inline size_t lc_buffer_size(const struct lc_buffer *buffer)
{
    return buffer->end - buffer->start;
}

static inline const char *lc_buffer_data(const struct lc_buffer *buffer)
{
    return buffer->block + buffer->start;
}

/* False: no memory, nothing changed. */
bool lc_buffer_append(struct lc_host *host, struct lc_buffer *buffer, const void *data,
                      size_t size);

/* Takes the first `size` bytes away. An empty buffer gives up a large block. */
void lc_buffer_consume(struct lc_host *host, struct lc_buffer *buffer, size_t size);

void lc_buffer_free(struct lc_host *host, struct lc_buffer *buffer);

#endif
