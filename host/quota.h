/*
 * quota: a limit of memory that several Lua states share: a host's and those of its worker threads.
 * Invariant: `used` is what was taken and not given back; it is never above the limit.
 * Owner:     whoever holds it; the last one frees it.
 * Context:   any thread.
 */
#ifndef LC_QUOTA_H
#define LC_QUOTA_H

#include <stdbool.h>
#include <stddef.h>

struct lc_quota;

/* New quota, held once. NULL: no memory. */
struct lc_quota *lc_quota_new(size_t limit);

/* NULL stands for no limit, here and below. */
struct lc_quota *lc_quota_hold(struct lc_quota *quota);
void lc_quota_release(struct lc_quota *quota);

/* The limit; of NULL 0. */
size_t lc_quota_limit(const struct lc_quota *quota);

/* A block of old_size bytes becomes one of new_size. False: that is more than the limit allows; a block
 * that does not grow is never refused. */
bool lc_quota_change(struct lc_quota *quota, size_t old_size, size_t new_size);

/* A lua_Alloc over realloc; the data is the quota. */
void *lc_quota_realloc(void *data, void *block, size_t old_size, size_t new_size);

#endif
