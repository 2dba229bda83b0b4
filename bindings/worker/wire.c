#include "wire.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parcel.h"
#include "shared.h"

/* The message: this; the sizes of the blocks, 8 bytes each; the types of the shared things, a byte each;
 * the bytes; the blocks. */
struct head {
    uint64_t size; /* of the bytes */
    uint32_t values;
    uint32_t blocks;
    uint32_t shared;
    uint32_t descriptors;
};

static size_t head_size(const struct head *head)
{
    return sizeof *head + (size_t)head->blocks * sizeof(uint64_t) + head->shared;
}

/* ---- what leaves ---- */

static void fill_head(char *at, const struct lc_parcel *parcel, const struct head *head)
{
    memcpy(at, head, sizeof *head);
    at += sizeof *head;
    for (size_t i = 0; i < parcel->block_count; i++) {
        uint64_t size = parcel->blocks[i].size;

        memcpy(at, &size, sizeof size);
        at += sizeof size;
    }
    for (size_t i = 0; i < parcel->shared_count; i++)
        *at++ = (char)lc_shared_number(parcel->shared[i]);
}

static void add_vector(struct lc_wire *wire, char *base, size_t size)
{
    struct iovec *vector = &wire->vectors[wire->vector_count++];

    vector->iov_base = base;
    vector->iov_len = size;
    wire->size += size;
}

static size_t count_descriptors(const struct lc_parcel *parcel)
{
    size_t count = 0;

    for (size_t i = 0; i < parcel->shared_count; i++)
        count += (size_t)parcel->shared[i]->type->descriptors;
    return count;
}

bool lc_wire_open(struct lc_wire *wire, const struct lc_parcel *parcel)
{
    struct head head = {parcel->size, (uint32_t)parcel->values, (uint32_t)parcel->block_count,
                        (uint32_t)parcel->shared_count, (uint32_t)count_descriptors(parcel)};

    memset(wire, 0, sizeof *wire);
    wire->vectors = calloc(parcel->block_count + 2, sizeof *wire->vectors);
    wire->descriptors = calloc(head.descriptors + 1, sizeof *wire->descriptors);
    wire->head = malloc(head_size(&head));
    if (wire->vectors == NULL || wire->descriptors == NULL || wire->head == NULL) {
        lc_wire_finish(wire);
        return false;
    }
    fill_head(wire->head, parcel, &head);
    add_vector(wire, wire->head, head_size(&head));
    if (parcel->size > 0)
        add_vector(wire, parcel->data, parcel->size);
    for (size_t i = 0; i < parcel->block_count; i++)
        add_vector(wire, parcel->blocks[i].data, parcel->blocks[i].size);
    for (size_t i = 0; i < parcel->shared_count; i++) {
        const struct lc_shared *shared = parcel->shared[i];

        shared->type->get(shared, wire->descriptors + wire->descriptor_count);
        wire->descriptor_count += (size_t)shared->type->descriptors;
    }
    return true;
}

void lc_wire_renew(struct lc_wire *wire, const struct lc_parcel *parcel)
{
    struct iovec *blocks = wire->vectors + wire->vector_count - parcel->block_count;

    for (size_t i = 0; i < parcel->block_count; i++)
        blocks[i].iov_base = parcel->blocks[i].data;
}

void lc_wire_finish(struct lc_wire *wire)
{
    free(wire->vectors);
    free(wire->descriptors);
    free(wire->head);
    memset(wire, 0, sizeof *wire);
}

/* ---- what comes ---- */

/* Checks that the message has the size that its head says. */
static bool is_whole(const struct head *head, const char *message, size_t size, size_t descriptors)
{
    size_t left;

    if (head->blocks > size || head->shared > size || head_size(head) > size)
        return false;
    left = size - head_size(head);
    if (head->size > left || head->descriptors != descriptors)
        return false;
    left -= head->size;
    for (uint32_t i = 0; i < head->blocks; i++) {
        uint64_t block;

        memcpy(&block, message + sizeof *head + i * sizeof block, sizeof block);
        if (block > left)
            return false;
        left -= block;
    }
    return left == 0;
}

/* The blocks stay where they are in the message. */
static bool take_blocks(struct lc_parcel *parcel, const struct head *head)
{
    const char *sizes = parcel->message + sizeof *head;
    char *at = parcel->data + head->size;

    parcel->blocks = calloc((size_t)head->blocks + 1, sizeof *parcel->blocks);
    if (parcel->blocks == NULL)
        return false;
    for (; parcel->block_count < head->blocks; parcel->block_count++) {
        uint64_t size;

        memcpy(&size, sizes + parcel->block_count * sizeof size, sizeof size);
        parcel->blocks[parcel->block_count].data = at;
        parcel->blocks[parcel->block_count].size = size;
        at += size;
    }
    return true;
}

/* Takes the descriptors one after the other; *taken says how many. */
static bool take_shared(struct lc_parcel *parcel, const struct head *head, const int *descriptors,
                        size_t *taken)
{
    const char *types = parcel->data - head->shared;

    parcel->shared = calloc((size_t)head->shared + 1, sizeof(struct lc_shared *));
    if (parcel->shared == NULL)
        return false;
    for (uint32_t i = 0; i < head->shared; i++) {
        unsigned number = (unsigned char)types[i];
        const struct lc_shared_type *type =
            number < LC_SHARED_TYPES ? lc_shared_types[number] : NULL;
        struct lc_shared *shared;

        if (type == NULL || head->descriptors - *taken < (size_t)type->descriptors)
            return false;
        shared = type->attach(descriptors + *taken);
        if (shared == NULL)
            return false;
        *taken += (size_t)type->descriptors;
        parcel->shared[parcel->shared_count++] = shared;
    }
    return true;
}

bool lc_wire_accept(struct lc_parcel *parcel, char *message, size_t size, const int *descriptors,
                    size_t descriptor_count)
{
    struct head head;
    size_t taken = 0;
    bool good = false;
    int error;

    memset(parcel, 0, sizeof *parcel);
    errno = EPROTO;
    parcel->message = message;
    if (size >= sizeof head) {
        memcpy(&head, message, sizeof head);
        if (is_whole(&head, message, size, descriptor_count)) {
            parcel->data = message + head_size(&head);
            parcel->size = head.size;
            parcel->values = (int)head.values;
            good = take_blocks(parcel, &head) && take_shared(parcel, &head, descriptors, &taken);
        }
    }
    error = errno;
    for (; taken < descriptor_count; taken++)
        close(descriptors[taken]);
    if (!good)
        lc_parcel_clear(parcel);
    errno = error;
    return good;
}
