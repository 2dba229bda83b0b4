#include "parcel.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "shared.h"

/* realloc that raises. */
static void *resize(lua_State *L, void *block, size_t size)
{
    void *fresh = realloc(block, size);

    if (fresh == NULL)
        luaL_error(L, "not enough memory");
    return fresh;
}

void lc_parcel_put(lua_State *L, struct lc_parcel *parcel, const void *bytes, size_t size)
{
    if (parcel->capacity - parcel->size < size) {
        size_t capacity = parcel->capacity < 128 ? 256 : 2 * parcel->capacity;

        while (capacity - parcel->size < size)
            capacity *= 2;
        parcel->data = resize(L, parcel->data, capacity);
        parcel->capacity = capacity;
    }
    memcpy(parcel->data + parcel->size, bytes, size);
    parcel->size += size;
}

size_t lc_parcel_add_block(lua_State *L, struct lc_parcel *parcel, const char *text, size_t size)
{
    struct lc_block *block;

    parcel->blocks = resize(L, parcel->blocks, (parcel->block_count + 1) * sizeof *block);
    block = &parcel->blocks[parcel->block_count];
    block->data = resize(L, NULL, size);
    memcpy(block->data, text, size);
    block->size = size;
    return parcel->block_count++;
}

size_t lc_parcel_add_shared(lua_State *L, struct lc_parcel *parcel, struct lc_shared *shared)
{
    parcel->shared =
        resize(L, parcel->shared, (parcel->shared_count + 1) * sizeof(*parcel->shared));
    lc_shared_hold(shared);
    parcel->shared[parcel->shared_count] = shared;
    return parcel->shared_count++;
}

void lc_parcel_clear(struct lc_parcel *parcel)
{
    for (size_t i = 0; parcel->message == NULL && i < parcel->block_count; i++)
        free(parcel->blocks[i].data);
    for (size_t i = 0; i < parcel->shared_count; i++)
        lc_shared_release(parcel->shared[i]);
    free(parcel->blocks);
    free(parcel->shared);
    free(parcel->message != NULL ? parcel->message : parcel->data);
    memset(parcel, 0, sizeof *parcel);
}
