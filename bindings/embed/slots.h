/*
 * slots: the blocks of handles (references, futures, triggers, calls), by which a handle that was freed is told
 * from one that is good.
 * What the program gets is no address but that of the slot with its generation in the low bits, which alignment
 * leaves free; freeing changes the generation. The memory stays slots until the shell of the host goes.
 * Invariant: a slot is used again when LC_SLOT_SPARE others are free, the one that is free longest first.
 * Owner:     the shell of the host; a slot belongs to its handle while it is live.
 * Context:   the host's thread; lc_slot_find any.
 */
#ifndef LC_EMBED_SLOTS_H
#define LC_EMBED_SLOTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list.h"

struct lucio;

enum lc_slot_kind { LC_SLOT_REF, LC_SLOT_FUTURE, LC_SLOT_TRIGGER, LC_SLOT_CALL, LC_SLOT_KINDS };

#define LC_SLOT_ALIGN 32   /* bytes; as many generations */
#define LC_SLOT_LIVE  0x80 /* beside the generation */
#define LC_SLOT_SPARE 16   /* free slots of a kind that wait */

/* The head of what is behind each handle, and all of a reference. */
struct lc_slot {
    struct lucio *h;     /* of a free slot too */
    struct lc_link link; /* in a list of the shell's; of a free slot, among the free ones */
    int anchor;          /* of the Lua value that the handle holds, or LC_NO_ANCHOR */
    atomic_uchar mark;   /* generation, and LC_SLOT_LIVE while there is a handle */
    unsigned char kind;
};

struct lc_slot_chunk;

/* The slots of a kind. */
struct lc_slots {
    struct lc_link free;
    size_t free_count;
    struct lc_slot_chunk *chunks;
};

void lc_slots_init(struct lucio *h);
/* Gives the memory back; no slot may be live. */
void lc_slots_finish(struct lucio *h);

/* A slot of the kind, whose slots all have that size, zero but for its head. NULL: no memory. */
void *lc_slot_take(struct lucio *h, enum lc_slot_kind kind, size_t size);
/* Its handle is good no more. */
void lc_slot_give(struct lc_slot *slot);

/* What the program gets for the slot. */
void *lc_slot_handle(const struct lc_slot *slot);

/* What is behind the handle; NULL: nothing, because it is NULL, was freed, or is not of the kind. */
static inline void *lc_slot_find(const void *handle, enum lc_slot_kind kind)
{
    uintptr_t bits = (uintptr_t)handle, generation = bits % LC_SLOT_ALIGN;
    struct lc_slot *slot = (struct lc_slot *)(bits - generation);

    if (slot == NULL || slot->kind != kind ||
        atomic_load_explicit(&slot->mark, memory_order_relaxed) != (generation | LC_SLOT_LIVE))
        return NULL;
    return slot;
}

/* Where lc_slot_find has found nothing: notes why; LUCIO_INVALID. A function that returns no status gives its
 * name: that and why are logged. */
int lc_slot_refuse(const void *handle, const char *function);

#endif
