/*
 * crew: threads that do blocking jobs for loops, a limited number at a time.
 * Invariant: a submitted job runs once, in the order of submission, and then goes back to its loop as the
 *            errand that it is; when the loop has closed, its thread disposes of it.
 * Owner:     a crew is the process's: several hosts share its threads. A job is its thread's from its
 *            submission until it has come back, and its memory is malloc's.
 * Context:   any thread. No Lua in the threads; they take no signals, and end when idle for a while.
 */
#ifndef LC_CREW_H
#define LC_CREW_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

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
    pid_t process; /* whose the threads are: a forked child has none of them */
    unsigned queued, idle, workers, max;
};

/* clang-format off */
#define LC_CREW_INIT(max) \
    {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, NULL, 0, 0, 0, 0, (max)}
/* clang-format on */

/* Queues the job. False: there is no thread and none can be started; the job is the caller's. */
bool lc_crew_submit(struct lc_crew *crew, struct lc_job *job);

/* How many threads it may have; those that it has stay. */
void lc_crew_set_max(struct lc_crew *crew, unsigned max);

#endif
