#include "slabs.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "large.h"
#include "list.h"

/* Sizes are multiples of GRAIN; what is larger than SMALL_MAX is malloc's. */
#define GRAIN     8
#define SMALL_MAX 1024
#define CLASSES   (SMALL_MAX / GRAIN)

/* Regions are aligned to their size, so that a block's address leads to its slab's header: a region
 * begins with the headers, in place of its first slab. */
#define SLAB_SIZE   ((size_t)1 << 16)
#define REGION_SIZE ((size_t)1 << 22)
#define SLABS       (REGION_SIZE / SLAB_SIZE)

/* From so many slabs on, the pages of a new one are asked of the system at once: a fault for each
 * would cost more than what is done with the memory. */
#define POPULATE_FROM 64

struct slab {
    struct lc_link link; /* in the list of its size while it has room, or of the empty ones */
    void *freed;         /* blocks given back; each begins with a pointer to the next */
    char *fresh;         /* never used from here... */
    char *end;           /* ...to here */
    uint32_t size;       /* of its blocks */
    uint32_t used;       /* blocks in use */
    bool populated;
};

struct region {
    struct slab slabs[SLABS];
    struct region *next, *prev;
    size_t used; /* slabs that are not empty */
};

struct lc_slabs {
    struct lc_link open[CLASSES]; /* slabs with room, by size */
    struct lc_link empty;         /* slabs of no size, last emptied first */
    struct region *regions;
    size_t used; /* slabs that are not empty... */
    size_t idle; /* ...and that are */
};

static inline size_t class_of(size_t size)
{
    return (size - 1) / GRAIN;
}

static inline struct region *region_of(void *pointer)
{
    return (struct region *)((uintptr_t)pointer & ~(uintptr_t)(REGION_SIZE - 1));
}

static inline struct slab *slab_of(void *block)
{
    return &region_of(block)->slabs[((uintptr_t)block & (REGION_SIZE - 1)) / SLAB_SIZE];
}

static inline bool slab_is_full(const struct slab *slab)
{
    return slab->freed == NULL && slab->fresh == slab->end;
}

struct lc_slabs *lc_slabs_new(void)
{
    struct lc_slabs *slabs = calloc(1, sizeof *slabs);

    if (slabs == NULL)
        return NULL;
    for (size_t i = 0; i < CLASSES; i++)
        lc_list_init(&slabs->open[i]);
    lc_list_init(&slabs->empty);
    return slabs;
}

void lc_slabs_free(struct lc_slabs *slabs)
{
    struct region *next;

    if (slabs == NULL)
        return;
    for (struct region *region = slabs->regions; region != NULL; region = next) {
        next = region->next;
        munmap(region, REGION_SIZE);
    }
    free(slabs);
}

/* Maps one region; the rest of what has to be mapped to get it aligned is given back. */
static struct region *region_map(void)
{
    char *start =
        mmap(NULL, 2 * REGION_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *region;

    if (start == MAP_FAILED)
        return NULL;
    region = (char *)region_of(start + REGION_SIZE - 1);
    if (region > start)
        munmap(start, (size_t)(region - start));
    munmap(region + REGION_SIZE, (size_t)(start + REGION_SIZE - region));
    return (struct region *)region;
}

static bool region_new(struct lc_slabs *slabs)
{
    struct region *region = region_map();

    if (region == NULL)
        return false;
    region->next = slabs->regions;
    if (region->next != NULL)
        region->next->prev = region;
    slabs->regions = region;
    for (size_t i = 1; i < SLABS; i++)
        lc_list_append(&slabs->empty, &region->slabs[i].link);
    slabs->idle += SLABS - 1;
    return true;
}

/* Gives a region of empty slabs back to the system. */
static void region_drop(struct lc_slabs *slabs, struct region *region)
{
    for (size_t i = 1; i < SLABS; i++)
        lc_list_unlink(&region->slabs[i].link);
    slabs->idle -= SLABS - 1;
    if (region->prev != NULL)
        region->prev->next = region->next;
    else
        slabs->regions = region->next;
    if (region->next != NULL)
        region->next->prev = region->prev;
    munmap(region, REGION_SIZE);
}

static struct slab *slab_open(struct lc_slabs *slabs, size_t class)
{
    struct slab *slab;
    struct region *region;
    char *memory;

    if (lc_list_empty(&slabs->empty) && !region_new(slabs))
        return NULL;
    slab = lc_container_of(lc_list_pop(&slabs->empty), struct slab, link);
    region = region_of(slab);
    memory = (char *)region + (size_t)(slab - region->slabs) * SLAB_SIZE;
    slab->size = (uint32_t)((class + 1) * GRAIN);
    slab->used = 0;
    slab->freed = NULL;
    slab->fresh = memory;
    slab->end = memory + SLAB_SIZE / slab->size * slab->size;
    if (slabs->used >= POPULATE_FROM && !slab->populated)
        slab->populated = madvise(memory, SLAB_SIZE, MADV_POPULATE_WRITE) == 0;
    region->used++;
    slabs->used++;
    slabs->idle--;
    lc_list_append(&slabs->open[class], &slab->link);
    return slab;
}

/* A process that was larger once keeps as much as it is large now, and a bit. */
static void regions_trim(struct lc_slabs *slabs)
{
    struct region *next;

    for (struct region *region = slabs->regions; region != NULL; region = next) {
        next = region->next;
        if (slabs->idle <= slabs->used + 2 * SLABS)
            return;
        if (region->used == 0)
            region_drop(slabs, region);
    }
}

/* The slab is empty and not the only one with room for its size. */
static void slab_close(struct lc_slabs *slabs, struct slab *slab)
{
    lc_list_unlink(&slab->link);
    lc_list_append(slabs->empty.next, &slab->link);
    slabs->used--;
    slabs->idle++;
    if (--region_of(slab)->used == 0)
        regions_trim(slabs);
}

static inline void *block_take(struct lc_slabs *slabs, size_t size)
{
    size_t class = class_of(size);
    struct lc_link *open = &slabs->open[class];
    struct slab *slab = lc_container_of(open->next, struct slab, link);
    void *block;

    if (lc_list_empty(open) && (slab = slab_open(slabs, class)) == NULL)
        return NULL;
    block = slab->freed;
    if (block != NULL) {
        slab->freed = *(void **)block;
    } else {
        block = slab->fresh;
        slab->fresh += slab->size;
    }
    slab->used++;
    if (slab_is_full(slab))
        lc_list_unlink(&slab->link);
    return block;
}

static inline void block_give(struct lc_slabs *slabs, void *block)
{
    struct slab *slab = slab_of(block);
    struct lc_link *open = &slabs->open[class_of(slab->size)];

    if (slab_is_full(slab))
        lc_list_append(open, &slab->link);
    *(void **)block = slab->freed;
    slab->freed = block;
    if (--slab->used == 0 && open->next != open->prev)
        slab_close(slabs, slab);
}

static inline void *memory_take(struct lc_slabs *slabs, size_t size)
{
    return size <= SMALL_MAX ? block_take(slabs, size) : lc_alloc(size);
}

static inline void memory_give(struct lc_slabs *slabs, void *block, size_t size)
{
    if (size <= SMALL_MAX)
        block_give(slabs, block);
    else
        free(block);
}

void *lc_slabs_realloc(void *data, void *block, size_t old_size, size_t new_size)
{
    struct lc_slabs *slabs = data;
    void *moved;

    /* without a block, old_size says what kind of object it is for */
    if (block == NULL)
        return new_size > 0 ? memory_take(slabs, new_size) : NULL;
    if (new_size == 0) {
        memory_give(slabs, block, old_size);
        return NULL;
    }
    if (old_size > SMALL_MAX && new_size > SMALL_MAX)
        return realloc(block, new_size);
    if (old_size <= SMALL_MAX && new_size <= SMALL_MAX && class_of(old_size) == class_of(new_size))
        return block;
    moved = memory_take(slabs, new_size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, old_size < new_size ? old_size : new_size);
    memory_give(slabs, block, old_size);
    return moved;
}
