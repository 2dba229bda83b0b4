#include "quota.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "large.h"

/* So many processes can have the limit of one host. */
#define PLACES 250

/* A ticket: a place, and how often that was given back before it was taken. */
#define PLACE_BITS  8
#define TICKET_MASK (((uint32_t)1 << 30) - 1)

/*
 * A place:
 *   FREE -> PROMISED: lc_quota_take_place, for a process that is to be started
 *   PROMISED -> LIVES: lc_quota_share, by that process, which locks its byte of the ledger as long as it counts
 *   PROMISED, LIVES -> CLEARING -> FREE: free_place, by who reaped it, or who finds it gone
 * CLEARING and PROMISED go on only as long as who is at it lives.
 */
enum place_state { FREE, PROMISED, LIVES, CLEARING };

struct place {
    atomic_size_t used;
    _Atomic(uint64_t) word; /* see place_word; the first place is the host's own */
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
    int fd; /* of the ledger */
    unsigned ticket;
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

static unsigned place_of(unsigned ticket)
{
    return ticket & ((1U << PLACE_BITS) - 1);
}

static uint64_t place_word(unsigned ticket, unsigned holder, enum place_state state)
{
    return (uint64_t)ticket << 34 | (uint64_t)holder << 2 | state;
}

static unsigned ticket_of(uint64_t word)
{
    return (unsigned)(word >> 34);
}

static unsigned holder_of(uint64_t word)
{
    return (unsigned)(word >> 2 & TICKET_MASK);
}

static enum place_state state_of(uint64_t word)
{
    return (enum place_state)(word & 3);
}

static bool lock_place(const struct lc_quota *quota, int command, struct flock *lock)
{
    *lock = (struct flock){
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = place_of(quota->ticket), .l_len = 1};
    return fcntl(quota->fd, command, lock) == 0;
}

bool lc_quota_share(struct lc_quota *quota, const struct lc_ledger *shared, unsigned ticket)
{
    struct ledger *ledger = shared->memory;
    uint64_t word = atomic_load(&ledger->places[place_of(ticket)].word);
    struct flock lock;

    if (atomic_load(&quota->ledger) != NULL) {
        shared->release(shared->data);
        return true;
    }
    quota->ticket = ticket;
    quota->fd = shared->fd;
    quota->release = shared->release;
    quota->data = shared->data;
    if (ticket != 0 && (!lock_place(quota, F_SETLK, &lock) || ticket_of(word) != ticket ||
                        state_of(word) != PROMISED ||
                        !atomic_compare_exchange_strong(&ledger->places[place_of(ticket)].word,
                                                        &word, place_word(ticket, 0, LIVES))))
        return false;
    atomic_store(&quota->ledger, ledger);
    return true;
}

void *lc_quota_ledger(const struct lc_quota *quota)
{
    return atomic_load(&quota->ledger) != NULL ? quota->data : NULL;
}

/* Whether the process counts, that has the ticket. Anybody may ask but for itself: its own lock is no hindrance. */
static bool is_alive(const struct lc_quota *quota, const struct ledger *ledger, unsigned ticket)
{
    uint64_t word = atomic_load(&ledger->places[place_of(ticket)].word);
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = place_of(ticket), .l_len = 1};

    if (ticket == quota->ticket || place_of(ticket) == 0)
        return true;
    return ticket_of(word) == ticket && state_of(word) == LIVES &&
           (fcntl(quota->fd, F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK);
}

/* Gives back what was counted at a place, of which nobody counts any more. The one who changes the word does. */
static bool free_place(const struct lc_quota *quota, struct place *place, uint64_t word)
{
    unsigned ticket = ticket_of(word), next = (ticket + (1U << PLACE_BITS)) & TICKET_MASK;

    if (!atomic_compare_exchange_strong(&place->word, &word,
                                        place_word(ticket, quota->ticket, CLEARING)))
        return false;
    atomic_store(&place->used, 0);
    atomic_store(&place->word, place_word(next, 0, FREE));
    return true;
}

/* Gives back the places of processes that are gone and were reaped by nobody who counts here: those who took
 * the places are gone, too. False: there are none. */
static bool reclaim(const struct lc_quota *quota, struct ledger *ledger)
{
    bool found = false;

    for (unsigned i = 1; i <= atomic_load(&ledger->last); i++) {
        struct place *place = &ledger->places[i];
        uint64_t word = atomic_load(&place->word);
        unsigned holder = state_of(word) == LIVES ? ticket_of(word) : holder_of(word);

        if (state_of(word) != FREE && !is_alive(quota, ledger, holder))
            found |= free_place(quota, place, word);
    }
    return found;
}

/* 0: there is no place that is free. */
static unsigned take_free_place(const struct lc_quota *quota, struct ledger *ledger)
{
    for (unsigned i = 1; i < PLACES; i++) {
        struct place *place = &ledger->places[i];
        uint64_t word = atomic_load(&place->word);
        unsigned last = atomic_load(&ledger->last);
        /* of a new ledger the words are 0 */
        unsigned ticket = word == 0 ? i : ticket_of(word);

        if (state_of(word) != FREE ||
            !atomic_compare_exchange_strong(&place->word, &word,
                                            place_word(ticket, quota->ticket, PROMISED)))
            continue;
        while (last < i && !atomic_compare_exchange_weak(&ledger->last, &last, i))
            continue;
        return ticket;
    }
    return 0;
}

unsigned lc_quota_take_place(struct lc_quota *quota)
{
    struct ledger *ledger = atomic_load(&quota->ledger);
    unsigned ticket = take_free_place(quota, ledger);

    if (ticket == 0 && reclaim(quota, ledger))
        ticket = take_free_place(quota, ledger);
    return ticket;
}

void lc_quota_give_place(struct lc_quota *quota, unsigned ticket)
{
    struct place *place = &atomic_load(&quota->ledger)->places[place_of(ticket)];
    uint64_t word = atomic_load(&place->word);

    /* it may change once more, from PROMISED, before its process was reaped; then not by the process */
    while (ticket_of(word) == ticket && (state_of(word) == PROMISED || state_of(word) == LIVES) &&
           !free_place(quota, place, word))
        word = atomic_load(&place->word);
}

/* Takes at the quota's place. What was counted before there was a ledger, also by a thread that is just doing
 * it, is moved there. Of two who take at once, at least one sees what both have taken. */
static bool try_in_ledger(struct lc_quota *quota, struct ledger *ledger, size_t size)
{
    struct place *place = &ledger->places[place_of(quota->ticket)];
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

static bool take_in_ledger(struct lc_quota *quota, struct ledger *ledger, size_t size)
{
    return try_in_ledger(quota, ledger, size) ||
           (reclaim(quota, ledger) && try_in_ledger(quota, ledger, size));
}

/* ---- blocks ---- */

bool lc_quota_change(struct lc_quota *quota, size_t old_size, size_t new_size)
{
    struct ledger *ledger = quota != NULL ? atomic_load(&quota->ledger) : NULL;
    size_t used;

    if (quota == NULL)
        return true;
    if (new_size <= old_size) {
        atomic_fetch_sub_explicit(ledger != NULL ? &ledger->places[place_of(quota->ticket)].used
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
