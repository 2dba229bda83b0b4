/*
 * crew: threads that do blocking jobs for loops, a limited number at a time.
 * Invariant: a submitted job runs once, in the order of submission, and then goes back to its loop as the
 *            errand that it is; when the loop has closed, its thread disposes of it.
 * Owner:     a crew is the process's: several hosts share its threads. A job is its thread's from its
 *            submission until it has come back, and its memory is malloc's.
 * Context:   any thread. No Lua in the threads; they take no signals, and end when idle for `idle_max`
 *            seconds. In the child of a fork a crew has no threads and no jobs, and begins again, whoever had
 *            its mutex.
 */
#ifndef LC_CREW_H
#define LC_CREW_H

#include <pthread.h>
#include <stdbool.h>

#include "errand.h"

struct lc_job;

struct lc_job {
    struct lc_errand errand;
    struct lc_job *next; /* in the queue */
    void (*work)(struct lc_job *job);
    void (*dispose)(struct lc_job *job); /* in the thread: the loop has closed */
};

struct lc_crew {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct lc_job *first, *last;
    unsigned queued, idle, workers, max;
    unsigned idle_max; /* seconds */
    pthread_once_t once;
    void (*watch_forks)(void); /* has lc_crew_begin_again called in the children of forks */
};

/* clang-format off */
#define LC_CREW_INIT(max, idle_max, watch_forks) \
    {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, NULL, 0, 0, 0, (max), (idle_max), \
     PTHREAD_ONCE_INIT, (watch_forks)}
/* clang-format on */

/* Queues the job. False: there is no thread and none can be started; the job is the caller's. */
bool lc_crew_submit(struct lc_crew *crew, struct lc_job *job);

/* How many threads it may have; those that it has stay. */
void lc_crew_set_max(struct lc_crew *crew, unsigned max);

/* In the child of a fork: nothing of the parent's is left. */
void lc_crew_begin_again(struct lc_crew *crew);

#endif
