#include "parcel.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "quota.h"
#include "shared.h"

/* realloc that raises. What is under way between two states counts as their memory. */
static void *resize(lua_State *L, struct lc_parcel *parcel, void *block, size_t old_size,
                    size_t size)
{
    void *fresh = lc_quota_realloc(parcel->quota, block, old_size, size);

    if (fresh == NULL)
        luaL_error(L, "not enough memory");
    return fresh;
}

void lc_parcel_grow(lua_State *L, struct lc_parcel *parcel, size_t size)
{
    size_t capacity = parcel->capacity < 128 ? 256 : 2 * parcel->capacity;

    while (capacity - parcel->size < size)
        capacity *= 2;
    parcel->data = resize(L, parcel, parcel->data, parcel->capacity, capacity);
    parcel->capacity = capacity;
}

/* Room for one item more in an array of n. */
static void *add_item(lua_State *L, struct lc_parcel *parcel, void *array, size_t n, size_t size)
{
    return resize(L, parcel, array, n * size, (n + 1) * size);
}

size_t lc_parcel_add_block(lua_State *L, struct lc_parcel *parcel, const char *text, size_t size,
                           bool lend)
{
    struct lc_block *block;

    parcel->blocks = add_item(L, parcel, parcel->blocks, parcel->block_count, sizeof *block);
    block = &parcel->blocks[parcel->block_count++];
    block->size = 0;
    block->data = NULL;
    block->lent = lend;
    if (lend) {
        block->data = (char *)text;
        block->size = size;
        return parcel->block_count - 1;
    }
    block->data = resize(L, parcel, NULL, 0, size);
    memcpy(block->data, text, size);
    block->size = size;
    return parcel->block_count - 1;
}

size_t lc_parcel_add_shared(lua_State *L, struct lc_parcel *parcel, struct lc_shared *shared)
{
    parcel->shared =
        add_item(L, parcel, parcel->shared, parcel->shared_count, sizeof(*parcel->shared));
    lc_shared_hold(shared);
    parcel->shared[parcel->shared_count] = shared;
    return parcel->shared_count++;
}

size_t lc_parcel_lent(const struct lc_parcel *parcel)
{
    size_t size = 0;

    for (size_t i = 0; i < parcel->block_count; i++) {
        if (parcel->blocks[i].lent)
            size += parcel->blocks[i].size;
    }
    return size;
}

bool lc_parcel_own(struct lc_parcel *parcel)
{
    for (size_t i = 0; i < parcel->block_count; i++) {
        struct lc_block *block = &parcel->blocks[i];
        char *data;

        if (!block->lent)
            continue;
        data = lc_quota_realloc(parcel->quota, NULL, 0, block->size);
        if (data == NULL)
            return false;
        memcpy(data, block->data, block->size);
        block->data = data;
        block->lent = false;
    }
    return true;
}

void lc_parcel_clear(struct lc_parcel *parcel)
{
    struct lc_quota *quota = parcel->quota;

    for (size_t i = 0; parcel->message == NULL && i < parcel->block_count; i++) {
        if (!parcel->blocks[i].lent)
            lc_quota_realloc(quota, parcel->blocks[i].data, parcel->blocks[i].size, 0);
    }
    for (size_t i = 0; i < parcel->shared_count; i++)
        lc_shared_release(parcel->shared[i]);
    lc_quota_realloc(quota, parcel->blocks, parcel->block_count * sizeof *parcel->blocks, 0);
    lc_quota_realloc(quota, parcel->shared, parcel->shared_count * sizeof(*parcel->shared), 0);
    if (parcel->message != NULL)
        free(parcel->message);
    else
        lc_quota_realloc(quota, parcel->data, parcel->capacity, 0);
    lc_quota_release(quota);
    memset(parcel, 0, sizeof *parcel);
}
