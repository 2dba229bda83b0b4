#include "quota.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "large.h"

/* So many processes can have the limit of one host. */
#define PLACES 250

struct place {
    atomic_size_t used;
    atomic_bool taken; /* by a worker process; the first one is the host's own */
};

struct ledger {
    atomic_uint last; /* the last place that was ever taken */
    struct place places[PLACES];
};

struct lc_quota {
    size_t limit;
    atomic_uint users;
    atomic_size_t used; /* what is not counted in the ledger */
    struct ledger *_Atomic ledger;
    unsigned place;
    void (*release)(void *data);
    void *data;
};

struct lc_quota *lc_quota_new(size_t limit)
{
    struct lc_quota *quota = calloc(1, sizeof *quota);

    if (quota == NULL)
        return NULL;
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
    if (quota == NULL || atomic_fetch_sub(&quota->users, 1) != 1)
        return;
    if (quota->release != NULL)
        quota->release(quota->data);
    free(quota);
}

size_t lc_quota_limit(const struct lc_quota *quota)
{
    return quota != NULL ? quota->limit : 0;
}

/* ---- among processes ---- */

size_t lc_ledger_size(void)
{
    return sizeof(struct ledger);
}

void lc_quota_share(struct lc_quota *quota, void *ledger, unsigned place,
                    void (*release)(void *data), void *data)
{
    if (atomic_load(&quota->ledger) != NULL) {
        release(data);
        return;
    }
    quota->place = place;
    quota->release = release;
    quota->data = data;
    atomic_store(&quota->ledger, ledger);
}

void *lc_quota_ledger(const struct lc_quota *quota)
{
    return atomic_load(&quota->ledger) != NULL ? quota->data : NULL;
}

unsigned lc_quota_take_place(struct lc_quota *quota)
{
    struct ledger *ledger = atomic_load(&quota->ledger);

    for (unsigned i = 1; i < PLACES; i++) {
        unsigned last = atomic_load(&ledger->last);

        if (atomic_exchange(&ledger->places[i].taken, true))
            continue;
        while (last < i && !atomic_compare_exchange_weak(&ledger->last, &last, i))
            continue;
        return i;
    }
    return 0;
}

void lc_quota_give_place(struct lc_quota *quota, unsigned place)
{
    struct ledger *ledger = atomic_load(&quota->ledger);

    atomic_store(&ledger->places[place].used, 0);
    atomic_store(&ledger->places[place].taken, false);
}

/* Takes at the quota's place. What was counted before there was a ledger, also by a thread that is just doing
 * it, is moved there. Of two who take at once, at least one sees what both have taken. */
static bool take_in_ledger(struct lc_quota *quota, struct ledger *ledger, size_t size)
{
    struct place *place = &ledger->places[quota->place];
    unsigned last = atomic_load(&ledger->last);
    size_t used = 0;

    if (atomic_load(&quota->used) != 0)
        atomic_fetch_add(&place->used, atomic_exchange(&quota->used, 0));
    atomic_fetch_add(&place->used, size);
    for (unsigned i = 0; i <= last; i++)
        used += atomic_load(&ledger->places[i].used);
    if (used <= quota->limit)
        return true;
    atomic_fetch_sub(&place->used, size);
    return false;
}

/* ---- blocks ---- */

bool lc_quota_change(struct lc_quota *quota, size_t old_size, size_t new_size)
{
    struct ledger *ledger = quota != NULL ? atomic_load(&quota->ledger) : NULL;
    size_t used;

    if (quota == NULL)
        return true;
    if (new_size <= old_size) {
        atomic_fetch_sub_explicit(ledger != NULL ? &ledger->places[quota->place].used
                                                 : &quota->used,
                                  old_size - new_size, memory_order_relaxed);
        return true;
    }
    if (new_size - old_size > quota->limit)
        return false;
    if (ledger != NULL)
        return take_in_ledger(quota, ledger, new_size - old_size);
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
