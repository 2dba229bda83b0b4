/*
 * memory: a lua_Alloc that counts and checks, and can refuse requests.
 * Each block carries its size, so that a caller who names another size is found out.
 */
#ifndef LC_SPEC_MEMORY_H
#define LC_SPEC_MEMORY_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct memory {
    size_t balance;     /* bytes that are allocated now */
    size_t requests;    /* how often more memory was asked for */
    size_t fail_first;  /* the requests with these numbers are refused; 0: none */
    size_t fail_last;   /* the last of them */
    size_t wrong_sizes; /* blocks given back under another size than theirs */
};

#define MEMORY_HEADER 16 /* keeps the alignment of malloc */

/* [-0, +0, -] Lua counts on it that making a block smaller never fails. */
static inline void *memory_alloc(void *data, void *block, size_t old_size, size_t new_size)
{
    struct memory *memory = data;
    char *old = block != NULL ? (char *)block - MEMORY_HEADER : NULL;
    char *fresh;

    if (block == NULL) {
        old_size = 0;
    } else {
        size_t size;

        memcpy(&size, old, sizeof size);
        if (size != old_size)
            memory->wrong_sizes++;
        old_size = size;
    }
    if (new_size == 0) {
        memory->balance -= old_size;
        free(old);
        return NULL;
    }
    if (new_size > old_size) {
        memory->requests++;
        if (memory->requests >= memory->fail_first && memory->requests <= memory->fail_last)
            return NULL;
    }
    /* always another place: who keeps an old address is found by the sanitizers */
    fresh = malloc(new_size + MEMORY_HEADER);
    if (fresh == NULL)
        abort();
    memcpy(fresh, &new_size, sizeof new_size);
    if (old != NULL) {
        size_t kept = old_size < new_size ? old_size : new_size;

        memcpy(fresh + MEMORY_HEADER, old + MEMORY_HEADER, kept);
        free(old);
    }
    memory->balance = memory->balance - old_size + new_size;
    return fresh + MEMORY_HEADER;
}

#endif
