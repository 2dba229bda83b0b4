#include "slots.h"

#include <string.h>

#include "anchor.h"
#include "embed.h"

#define CHUNK 32 /* slots */

struct lc_slot_chunk {
    struct lc_slot_chunk *next;
    size_t size; /* of the block */
};

static size_t round_up(size_t size)
{
    return (size + LC_SLOT_ALIGN - 1) / LC_SLOT_ALIGN * LC_SLOT_ALIGN;
}

void lc_slots_init(struct lucio *h)
{
    for (int kind = 0; kind < LC_SLOT_KINDS; kind++)
        lc_list_init(&h->slots[kind].free);
}

void lc_slots_finish(struct lucio *h)
{
    for (int kind = 0; kind < LC_SLOT_KINDS; kind++) {
        struct lc_slot_chunk *chunk = h->slots[kind].chunks, *next;

        for (; chunk != NULL; chunk = next) {
            next = chunk->next;
            lc_embed_realloc(h, chunk, chunk->size, 0);
        }
    }
}

static bool grow(struct lucio *h, enum lc_slot_kind kind, size_t slot_size)
{
    struct lc_slots *slots = &h->slots[kind];
    size_t stride = round_up(slot_size);
    size_t size = sizeof(struct lc_slot_chunk) + LC_SLOT_ALIGN + CHUNK * stride;
    struct lc_slot_chunk *chunk = lc_embed_realloc(h, NULL, 0, size);
    char *first;

    if (chunk == NULL)
        return false;
    chunk->next = slots->chunks;
    chunk->size = size;
    slots->chunks = chunk;
    first = (char *)round_up((uintptr_t)(chunk + 1));
    for (size_t i = 0; i < CHUNK; i++) {
        struct lc_slot *slot = (struct lc_slot *)(first + i * stride);

        slot->h = h;
        slot->kind = (unsigned char)kind;
        atomic_init(&slot->mark, 0);
        lc_list_append(&slots->free, &slot->link);
    }
    slots->free_count += CHUNK;
    return true;
}

void *lc_slot_take(struct lucio *h, enum lc_slot_kind kind, size_t size)
{
    struct lc_slots *slots = &h->slots[kind];
    struct lc_slot *slot;

    if (slots->free_count <= LC_SLOT_SPARE && !grow(h, kind, size))
        return NULL;
    slot = lc_container_of(lc_list_pop(&slots->free), struct lc_slot, link);
    slots->free_count--;
    memset(slot + 1, 0, size - sizeof *slot);
    slot->anchor = LC_NO_ANCHOR;
    atomic_store_explicit(&slot->mark, atomic_load(&slot->mark) | LC_SLOT_LIVE,
                          memory_order_relaxed);
    return slot;
}

void lc_slot_give(struct lc_slot *slot)
{
    struct lc_slots *slots = &slot->h->slots[slot->kind];
    unsigned generation = atomic_load(&slot->mark) & ~LC_SLOT_LIVE;

    atomic_store_explicit(&slot->mark, (unsigned char)((generation + 1) % LC_SLOT_ALIGN),
                          memory_order_relaxed);
    lc_list_unlink(&slot->link);
    lc_list_append(&slots->free, &slot->link);
    slots->free_count++;
}

void *lc_slot_handle(const struct lc_slot *slot)
{
    return (char *)slot + (atomic_load_explicit(&slot->mark, memory_order_relaxed) & ~LC_SLOT_LIVE);
}

int lc_slot_refuse(const void *handle, const char *function)
{
    static const char *const freed[] = {
        [LC_SLOT_REF] = "the reference was freed",
        [LC_SLOT_FUTURE] = "the future's handle was freed",
        [LC_SLOT_TRIGGER] = "the trigger was freed",
        [LC_SLOT_CALL] = "the call is over",
    };
    uintptr_t bits = (uintptr_t)handle, generation = bits % LC_SLOT_ALIGN;
    const struct lc_slot *slot = (const struct lc_slot *)(bits - generation);
    const char *why;

    if (slot == NULL)
        return LUCIO_INVALID;
    why = atomic_load(&slot->mark) == (generation | LC_SLOT_LIVE) ? "the handle is of another kind"
                                                                  : freed[slot->kind];
    if (function != NULL && slot->h->host != NULL) {
        lc_host_log(slot->h->host, function);
        lc_host_log(slot->h->host, ": ");
        lc_host_log(slot->h->host, why);
        lc_host_log(slot->h->host, "\n");
    }
    return lc_embed_refuse(slot->h, LUCIO_INVALID, why);
}
