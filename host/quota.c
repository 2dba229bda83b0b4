#include "quota.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "large.h"

struct lc_quota {
    atomic_size_t used;
    size_t limit;
    atomic_uint users;
};

struct lc_quota *lc_quota_new(size_t limit)
{
    struct lc_quota *quota = malloc(sizeof *quota);

    if (quota == NULL)
        return NULL;
    atomic_init(&quota->used, 0);
    atomic_init(&quota->users, 1);
    quota->limit = limit;
    return quota;
}

struct lc_quota *lc_quota_hold(struct lc_quota *quota)
{
    if (quota != NULL)
        atomic_fetch_add(&quota->users, 1);
    return quota;
}

void lc_quota_release(struct lc_quota *quota)
{
    if (quota != NULL && atomic_fetch_sub(&quota->users, 1) == 1)
        free(quota);
}

size_t lc_quota_limit(const struct lc_quota *quota)
{
    return quota != NULL ? quota->limit : 0;
}

bool lc_quota_change(struct lc_quota *quota, size_t old_size, size_t new_size)
{
    size_t used;

    if (quota == NULL)
        return true;
    if (new_size <= old_size) {
        atomic_fetch_sub_explicit(&quota->used, old_size - new_size, memory_order_relaxed);
        return true;
    }
    used = atomic_load_explicit(&quota->used, memory_order_relaxed);
    do {
        if (new_size - old_size > quota->limit - used)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&quota->used, &used,
                                                    used + (new_size - old_size),
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

void *lc_quota_realloc(void *data, void *block, size_t old_size, size_t new_size)
{
    size_t old = block != NULL ? old_size : 0;
    void *fresh;

    if (!lc_quota_change(data, old, new_size))
        return NULL;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    fresh = block == NULL ? lc_alloc(new_size) : realloc(block, new_size);
    if (fresh == NULL)
        lc_quota_change(data, new_size, old);
    return fresh;
}
