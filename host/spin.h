/*
 * spin: looking at a flag for a moment before a thread goes to sleep for it. To wake a processor that
 * has nothing to do takes longer than many a job.
 * Invariant: a wait takes no longer for it than the limit; where it does not help, it is tried more and
 *            more seldom, and never on a single processor.
 * Owner:     one thread at a time.
 * Context:   whoever sets the flag needs no lock and is not told that anybody looks.
 */
#ifndef LC_SPIN_H
#define LC_SPIN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lc_spin_type {
    int64_t limit; /* nanoseconds of one try */
    unsigned rest; /* at most so many waits are left out after one that did not help */
    unsigned slow; /* so many in a row may help late, see LC_SPIN_QUICK */
};

/* What takes longer is not worth it: sleeping takes no more of the processor; nanoseconds. */
#define LC_SPIN_QUICK 20000

struct lc_spin {
    const struct lc_spin_type *type;
    bool counted;      /* the processors */
    bool alone;        /* there is one */
    unsigned failures; /* the more, the longer the rest */
    unsigned rest;     /* waits that are left out before the next try */
    unsigned slow;     /* those in a row that helped late */
    unsigned helped;   /* quickly, since one of them was forgotten */
};

void lc_spin_init(struct lc_spin *spin, const struct lc_spin_type *type);

/* Whether this wait is one to look first: each is asked for once. */
bool lc_spin_wants(struct lc_spin *spin);

/* Looks until the flag is set, or for as long as the limit says. */
bool lc_spin_look(struct lc_spin *spin, const atomic_bool *flag);

/* What lc_spin_look learns: whether the flag was set, after so many nanoseconds. */
void lc_spin_learn(struct lc_spin *spin, bool set, int64_t passed);

/* A mutex for what is held for a moment, by the one that sets the flag and the one that has looked: who
 * finds it locked looks a little, too. */
void lc_spin_mutex_init(pthread_mutex_t *mutex);

#endif
