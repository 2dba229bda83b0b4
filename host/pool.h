/*
 * pool: worker threads that take jobs from a queue, first in first out. A thread is started when a job
 * finds none that is free, up to the limit, and stays until the pool is closed and its queue empty.
 * Invariant: a job is queued, or taken by exactly one thread, or was taken back; a thread that has
 *            ended, ended all that it had opened.
 * Owner:     the host, in its list; what a thread has of Lua is that thread's alone.
 * Context:   the functions here are for the thread of the host; the callbacks of the type run in the
 *            workers' threads, which take no signals.
 */
#ifndef LC_POOL_H
#define LC_POOL_H

#include <stdbool.h>

#include "errand.h"
#include "list.h"

struct lc_host;
struct lc_pool;
struct lc_worker;

/* What a pool queues; a part of what its type runs. */
struct lc_pool_job {
    struct lc_link link;
    bool queued; /* under the pool's mutex, as the next one */
    bool orphan; /* its loop has closed: it is run, but nobody waits for it */
};

struct lc_pool_type {
    /* Either of a pool whose threads do the jobs... */
    void (*open)(struct lc_worker *worker); /* in its thread, before its first job */
    void (*run)(struct lc_worker *worker, struct lc_pool_job *job);
    void (*close)(struct lc_worker *worker);
    /* ...or of one with a single thread that has others do them: all that it does, with lc_pool_take; and
     * what tells it that there may be something to do. Any thread. */
    void (*serve)(struct lc_worker *worker);
    void (*wake)(struct lc_pool *pool);
    /* The host closes, and Ctrl-C was pressed: jobs are not waited for, and those of the queue dropped; so
     * are those of a daemon pool. NULL: they are waited for. */
    void (*hurry)(struct lc_pool *pool);
    void (*free)(void *data); /* of the pool; no thread is left */
};

/* Waits for the end of all threads. */
struct lc_pool_end {
    struct lc_errand errand; /* is posted then */
    struct lc_pool_end *next;
};

/* New pool for so many threads; `data` is the type's, from then on in any case. NULL: no memory. */
struct lc_pool *lc_pool_new(struct lc_host *host, const struct lc_pool_type *type, void *data,
                            unsigned max);
/* Its threads do not keep the host from closing: what does not end then is left to itself. */
void lc_pool_set_daemon(struct lc_pool *pool);
void *lc_pool_data(const struct lc_pool *pool);
unsigned lc_pool_max(const struct lc_pool *pool);
/* Whether others than its threads do the jobs. */
bool lc_pool_is_served(const struct lc_pool *pool);
bool lc_pool_is_closed(const struct lc_pool *pool);

/* Queues a job. 0, or the errno for which no thread could be started and none is there. The pool is
 * open. */
int lc_pool_submit(struct lc_pool *pool, struct lc_pool_job *job);

/* The host is done with a job that it submitted, whether a thread is or not. */
void lc_pool_forget(struct lc_pool *pool);

/* Whether there is one that it is not done with. */
bool lc_pool_has_jobs(const struct lc_pool *pool);

/* Takes back the job if no thread has it. False: one has, or had. */
bool lc_pool_withdraw(struct lc_pool *pool, struct lc_pool_job *job);

/* The loop of the job has closed. False: the job may stay where it is, and is run if no thread has it yet;
 * true: it was taken back, since the host is to end soon, or has limits. */
bool lc_pool_orphan(struct lc_pool *pool, struct lc_pool_job *job);

/* Takes back the first job of the queue, or NULL. */
struct lc_pool_job *lc_pool_pop(struct lc_pool *pool);

/* Whether it is closed and nobody waits for what is in its queue. Any thread. */
bool lc_pool_is_done(struct lc_pool *pool);

/* A job that a thread has is wanted no more. */
void lc_pool_nudge(struct lc_pool *pool);

/* No more jobs; threads end when the queue is empty. */
void lc_pool_close(struct lc_pool *pool);

/* Has `end` posted when the last thread of the closed pool has ended. False: it has already. */
bool lc_pool_watch_end(struct lc_pool *pool, struct lc_pool_end *end);

/* Nobody refers to the pool any more: it is closed, and freed once its threads have ended. */
void lc_pool_leave(struct lc_pool *pool);

/* The host closes: waits for the threads and frees all pools. */
void lc_pools_close(struct lc_host *host);

/* ---- for the type ---- */

/* Takes the first job of the queue, or NULL; then *closed says whether there will be none any more. */
struct lc_pool_job *lc_pool_take(struct lc_pool *pool, bool *closed);

struct lc_pool *lc_worker_pool(const struct lc_worker *worker);
/* 1 for the first thread of its pool. */
unsigned lc_worker_index(const struct lc_worker *worker);
void lc_worker_set_state(struct lc_worker *worker, void *state);
void *lc_worker_state(const struct lc_worker *worker);

#endif
