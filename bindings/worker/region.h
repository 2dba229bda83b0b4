/*
 * region: memory that threads and processes share: a memfd, mapped shared. A head says what is in it, so
 * that its descriptor is all that another process needs. In front of the elements stands a robust
 * mutex: one whose holder died is taken over.
 * Invariant: reading and writing one element is atomic, nothing more. The size never changes.
 */
#ifndef LC_REGION_H
#define LC_REGION_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list.h"
#include "shared.h"

enum lc_region_kind { LC_REGION_I64, LC_REGION_F64, LC_REGION_BOOL, LC_REGION_U8, LC_REGION_NONE };

/* As what it is used. */
enum lc_region_shape { LC_REGION_VALUE, LC_REGION_ARRAY, LC_REGION_BYTES, LC_REGION_LOCK };

/* The most elements. */
#define LC_REGION_MAX ((lua_Integer)1 << 40)

/* At the beginning of the memory. */
struct lc_region_head {
    uint64_t mark; /* LC_REGION_MARK: laid out as here */
    uint32_t kind;
    uint32_t shape;
    uint64_t count; /* of elements */
    uint64_t id;    /* of this memory, wherever it is mapped */
    uint32_t recursive;
    _Atomic(uint32_t) abandoned; /* who held the lock last died, or ended, without giving it back */
    /* of who holds the lock */
    _Atomic(uint64_t) owner; /* its host's number; anybody may look whether it is his */
    uint64_t task;           /* of the host's tasks; 0: none */
    uint64_t depth;
    pthread_mutex_t mutex; /* of what stands before it */
    _Alignas(16) char elements[];
};

struct lc_region {
    struct lc_shared shared;
    size_t size; /* of the mapping */
    int fd;
    struct lc_region_head *head;
    struct lc_link held; /* host->held_locks, of the host that holds the lock by this mapping */
};

/* A number that no other thing of its kind has; not 0. */
uint64_t lc_shared_random(void);

/* Makes a robust mutex for processes; it finds out who takes it twice. */
void lc_mutex_init(pthread_mutex_t *mutex);

/* The descriptor of new memory whose size cannot change, or -1 and errno. */
int lc_memory_new(size_t size);

/* New memory, all zero. NULL: errno says why. */
struct lc_region *lc_region_new(enum lc_region_shape shape, enum lc_region_kind kind, size_t count,
                                bool recursive);

static inline size_t lc_region_element_size(uint32_t kind)
{
    return kind == LC_REGION_I64 || kind == LC_REGION_F64 ? 8 : 1;
}

static inline struct lc_region *lc_region_of(struct lc_shared *shared)
{
    return (struct lc_region *)shared;
}

#endif
