/*
 * slabs: the memory of the command's Lua state. Lua gives a block's size when it frees it, so that
 * blocks need no headers: small ones of one size stand side by side in slabs, large ones are malloc's.
 * Invariant: a slab holds blocks of one size; it is in its size's list exactly while it has room.
 * Owner:     whoever calls lc_slabs_new; the state must be closed before lc_slabs_free.
 * Context:   one thread.
 */
#ifndef LC_SLABS_H
#define LC_SLABS_H

#include <stddef.h>

struct lc_slabs;

/* NULL: no memory. */
struct lc_slabs *lc_slabs_new(void);
/* Takes NULL. */
void lc_slabs_free(struct lc_slabs *slabs);

/* A lua_Alloc; `slabs` is what lc_slabs_new returned. */
void *lc_slabs_realloc(void *slabs, void *block, size_t old_size, size_t new_size);

#endif
