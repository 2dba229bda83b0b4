/*
 * warden: sees to it that the jobs of a thread pool end: those that take too long, those that nobody wants,
 * and all of them when the executor is shut down with a limit; and so do initializers. A thread of its own looks when the next is
 * due; there is none while no job has a limit.
 * Invariant: a job that runs is in the list; under the mutex its worker's thread is there to be asked.
 * Owner:     the pool's data; the thread is joined before that is freed.
 * Context:   any thread.
 */
#ifndef LC_WARDEN_H
#define LC_WARDEN_H

#include <pthread.h>
#include <stdbool.h>

#include "list.h"

struct lc_job;
struct lc_pool;
struct lc_stop;

struct lc_warden {
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    pthread_t thread;
    bool started, quit;
    double job_timeout;    /* seconds that each may take; infinite: as long as it likes */
    double cancel_timeout; /* and that it may go on once it is cancelled */
    double ending;         /* when all end, by the monotonic clock; infinite: not yet */
    double leaving;        /* when initializers that nobody waits for end; the same */
    struct lc_pool *pool;  /* that says whether somebody does, once it is closed */
    struct lc_link stops;
};

void lc_warden_init(struct lc_warden *warden, double job_timeout, double cancel_timeout);

/* No job runs any more. */
void lc_warden_finish(struct lc_warden *warden);

/* Starts its thread, unless there is one. 0 or an errno. */
int lc_warden_start(struct lc_warden *warden);

/* In the worker's thread: a job begins, and ends. NULL: the initializer. */
void lc_warden_begin(struct lc_warden *warden, struct lc_stop *stop, const struct lc_job *job);
void lc_warden_end(struct lc_warden *warden, struct lc_stop *stop);

/* A job that may run was cancelled. */
void lc_warden_look(struct lc_warden *warden);

/* The pool is closed: initializers that no job waits for end in a while. */
void lc_warden_leave(struct lc_warden *warden, struct lc_pool *pool);

/* Ends the initializers that run now. */
void lc_warden_end_initializers(struct lc_warden *warden);

/* All that run in so many seconds, or begin later, end. Its thread was started. */
void lc_warden_end_all(struct lc_warden *warden, double seconds);

#endif
