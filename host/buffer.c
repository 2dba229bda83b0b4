#include "buffer.h"

#include <stdint.h>
#include <string.h>

#include "host.h"

/* A block up to this size stays with an empty buffer: the next bytes come soon, or never. */
#define KEPT_MAX 1024

/* Room for `size` more bytes at the end. */
static bool make_room(struct lc_host *host, struct lc_buffer *buffer, size_t size)
{
    size_t used = lc_buffer_size(buffer), capacity = buffer->capacity;
    bool enough;
    char *block;

    if (size > SIZE_MAX / 4 - used)
        return false;
    /* moving the bytes to the front is cheap when at least half of the block is free */
    enough = used + size <= capacity && used <= capacity / 2;
    if (buffer->start > 0) {
        memmove(buffer->block, buffer->block + buffer->start, used);
        buffer->start = 0;
        buffer->end = used;
        if (enough)
            return true;
    }
    capacity = capacity ? capacity : 64;
    while (capacity < used + size || capacity / 2 < used)
        capacity *= 2;
    /* the system moves the pages of a large block, not its bytes */
    block = lc_realloc(host, buffer->block, buffer->capacity, capacity);
    if (block == NULL)
        return false;
    buffer->block = block;
    buffer->capacity = capacity;
    return true;
}

bool lc_buffer_append(struct lc_host *host, struct lc_buffer *buffer, const void *data, size_t size)
{
    if (size > buffer->capacity - buffer->end && !make_room(host, buffer, size))
        return false;
    if (size > 0)
        memcpy(buffer->block + buffer->end, data, size);
    buffer->end += size;
    return true;
}

void lc_buffer_consume(struct lc_host *host, struct lc_buffer *buffer, size_t size)
{
    buffer->start += size;
    if (buffer->start < buffer->end)
        return;
    buffer->start = buffer->end = 0;
    if (buffer->capacity > KEPT_MAX)
        lc_buffer_free(host, buffer);
}

void lc_buffer_free(struct lc_host *host, struct lc_buffer *buffer)
{
    if (buffer->block != NULL)
        lc_realloc(host, buffer->block, buffer->capacity, 0);
    memset(buffer, 0, sizeof *buffer);
}
