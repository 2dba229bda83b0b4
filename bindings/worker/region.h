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

#include "shared.h"

enum lc_region_kind { LC_REGION_I64, LC_REGION_F64, LC_REGION_BOOL, LC_REGION_U8, LC_REGION_NONE };

/* As what it is used. */
enum lc_region_shape { LC_REGION_VALUE, LC_REGION_ARRAY, LC_REGION_LOCK };

/* At the beginning of the memory. */
struct lc_region_head {
    uint64_t mark; /* LC_REGION_MARK: laid out as here */
    uint32_t kind;
    uint32_t shape;
    uint64_t count; /* of elements */
    uint32_t recursive;
    uint32_t
        abandoned; /* under the mutex: who held it last died, or ended, without giving it back */
    pthread_mutex_t mutex;
    _Alignas(16) char elements[];
};

struct lc_region {
    struct lc_shared shared;
    size_t size; /* of the mapping */
    int fd;
    struct lc_region_head *head;
};

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
