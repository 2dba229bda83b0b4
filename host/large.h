/*
 * large: new blocks of memory, of which the long ones ask the kernel for large pages: to touch 100 MB
 * for the first time then takes half of the time.
 * Invariant: a block is malloc's, which realloc and free take, and no longer than without.
 * Context:   any thread.
 */
#ifndef LC_LARGE_H
#define LC_LARGE_H

#include <stddef.h>
#include <stdlib.h>

/* What is this long glibc's malloc always maps anew; what is shorter has most often been used before. */
#define LC_LARGE_MIN ((size_t)32 * 1024 * 1024)

/* NULL: no memory. */
void *lc_large_alloc(size_t size);

static inline void *lc_alloc(size_t size)
{
    return size < LC_LARGE_MIN ? malloc(size) : lc_large_alloc(size);
}

#endif
