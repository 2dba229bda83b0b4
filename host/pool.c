#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "host.h"
#include "pin.h"
#include "spin.h"

/* How long the host waits for daemon threads once they are told to end; seconds. */
#define DAEMON_SECONDS 1

/* What a thread does before it sleeps: a loop that is awake submits its next job soon after the last. */
static const struct lc_spin_type job_spin = {LC_SPIN_QUICK, 63, 1};

/* The memory of both is malloc's, since other threads use it. */
struct lc_worker {
    struct lc_worker *next;
    struct lc_pool *pool;
    pthread_t thread;
    unsigned index;
    void *state;
};

struct lc_pool {
    struct lc_link link; /* host->pools */
    struct lc_host *host;
    const struct lc_pool_type *type;
    void *data;
    unsigned max;
    bool daemon;               /* nobody waits for its threads */
    bool left;                 /* nobody refers to it but its jobs */
    unsigned jobs;             /* that its host has not done with */
    struct lc_worker *workers; /* all that were started */
    unsigned started;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    struct lc_link queue;
    unsigned queued, orphans; /* all in the queue; those of closed loops */
    unsigned idle;            /* threads that sleep */
    bool looking;             /* a thread looks for a job before it does: it needs no signal */
    atomic_bool news;         /* while one does: it finds something */
    struct lc_spin spin;      /* of the one that looks */
    unsigned alive;
    bool closed;
    bool orphan; /* its host is gone: the last thread frees it */
    struct lc_pool_end *ends;
};

struct lc_pool *lc_worker_pool(const struct lc_worker *worker)
{
    return worker->pool;
}

unsigned lc_worker_index(const struct lc_worker *worker)
{
    return worker->index;
}

void lc_worker_set_state(struct lc_worker *worker, void *state)
{
    worker->state = state;
}

void *lc_worker_state(const struct lc_worker *worker)
{
    return worker->state;
}

void lc_pool_set_daemon(struct lc_pool *pool)
{
    pool->daemon = true;
}

void *lc_pool_data(const struct lc_pool *pool)
{
    return pool->data;
}

unsigned lc_pool_max(const struct lc_pool *pool)
{
    return pool->max;
}

/* ---- the threads ---- */

/* Takes the job out of the queue. The mutex is held. */
static void unqueue(struct lc_pool *pool, struct lc_pool_job *job)
{
    lc_list_unlink(&job->link);
    job->queued = false;
    pool->queued--;
    if (job->orphan)
        pool->orphans--;
}

/* The first job of the queue, or NULL. The mutex is held. */
static struct lc_pool_job *pop_job(struct lc_pool *pool)
{
    struct lc_pool_job *job;

    if (lc_list_empty(&pool->queue))
        return NULL;
    job = lc_container_of(pool->queue.next, struct lc_pool_job, link);
    unqueue(pool, job);
    return job;
}

/* Looks for a job before the thread sleeps; one thread of a pool does. The mutex is held, but not
 * meanwhile. */
static void look_for_job(struct lc_pool *pool)
{
    if (pool->looking || pool->closed || !lc_list_empty(&pool->queue) ||
        !lc_spin_wants(&pool->spin))
        return;
    pool->looking = true;
    atomic_store(&pool->news, false);
    pthread_mutex_unlock(&pool->mutex);
    lc_spin_look(&pool->spin, &pool->news);
    pthread_mutex_lock(&pool->mutex);
    pool->looking = false;
}

/* Waits for a job; NULL: the pool is closed and there is none. The mutex is held. */
static struct lc_pool_job *wait_job(struct lc_pool *pool)
{
    look_for_job(pool);
    while (lc_list_empty(&pool->queue)) {
        if (pool->closed)
            return NULL;
        pool->idle++;
        pthread_cond_wait(&pool->changed, &pool->mutex);
        pool->idle--;
    }
    return pop_job(pool);
}

struct lc_pool_job *lc_pool_take(struct lc_pool *pool, bool *closed)
{
    struct lc_pool_job *job;

    pthread_mutex_lock(&pool->mutex);
    job = pop_job(pool);
    *closed = pool->closed;
    pthread_mutex_unlock(&pool->mutex);
    return job;
}

/* Tells who waits that the last thread has ended. */
static void post_ends(struct lc_pool_end *end)
{
    while (end != NULL) {
        struct lc_pool_end *next = end->next;

        if (!lc_errand_post(&end->errand))
            free(end);
        end = next;
    }
}

/* One job after the other until the pool is closed. */
static void run_jobs(struct lc_worker *worker)
{
    struct lc_pool *pool = worker->pool;
    struct lc_pool_job *job;

    pool->type->open(worker);
    for (;;) {
        pthread_mutex_lock(&pool->mutex);
        job = wait_job(pool);
        pthread_mutex_unlock(&pool->mutex);
        if (job == NULL)
            break;
        pool->type->run(worker, job);
    }
    pool->type->close(worker);
}

/* No thread is in it any more. */
static void pool_destroy(struct lc_pool *pool)
{
    while (pool->workers != NULL) {
        struct lc_worker *worker = pool->workers;

        pool->workers = worker->next;
        free(worker);
    }
    lc_list_unlink(&pool->link);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->mutex);
    pool->type->free(pool->data);
    free(pool);
}

static void *work(void *arg)
{
    struct lc_worker *worker = arg;
    struct lc_pool *pool = worker->pool;
    struct lc_pool_end *ends = NULL;
    bool last;

    if (pool->type->serve != NULL)
        pool->type->serve(worker);
    else
        run_jobs(worker);
    pthread_mutex_lock(&pool->mutex);
    if (--pool->alive == 0) {
        ends = pool->ends;
        pool->ends = NULL;
    }
    last = pool->alive == 0 && pool->orphan;
    if (pool->daemon)
        pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    post_ends(ends);
    if (last)
        pool_destroy(pool);
    return NULL;
}

/* Starts one more thread. 0 or an errno. */
static int start_worker(struct lc_pool *pool)
{
    struct lc_worker *worker = calloc(1, sizeof *worker);
    sigset_t all, before;
    int error;

    if (worker == NULL)
        return ENOMEM;
    worker->pool = pool;
    worker->index = pool->started + 1;
    pthread_mutex_lock(&pool->mutex);
    pool->alive++;
    pthread_mutex_unlock(&pool->mutex);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&worker->thread, NULL, work, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        pthread_mutex_lock(&pool->mutex);
        pool->alive--;
        pthread_mutex_unlock(&pool->mutex);
        free(worker);
        return error;
    }
    pool->started++;
    worker->next = pool->workers;
    pool->workers = worker;
    return 0;
}

/* ---- for the host's thread ---- */

/* Waits for the threads, which all end. */
static void pool_free(struct lc_pool *pool)
{
    for (struct lc_worker *worker = pool->workers; worker != NULL; worker = worker->next)
        pthread_join(worker->thread, NULL);
    pool_destroy(pool);
}

static bool has_ended(struct lc_pool *pool)
{
    bool ended;

    pthread_mutex_lock(&pool->mutex);
    ended = pool->closed && pool->alive == 0;
    pthread_mutex_unlock(&pool->mutex);
    return ended;
}

/* Waits a moment for the threads, which were told to end. */
static bool daemons_end(struct lc_pool *pool)
{
    struct timespec until;
    int error = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DAEMON_SECONDS;
    while (pool->alive > 0 && error == 0)
        error = pthread_cond_timedwait(&pool->changed, &pool->mutex, &until);
    return pool->alive == 0;
}

/* Frees a daemon pool whose threads end; leaves it to them if they do not. */
static void pool_leave_daemons(struct lc_pool *pool)
{
    bool ended;

    if (pool->type->hurry != NULL && !has_ended(pool))
        pool->type->hurry(pool);
    pthread_mutex_lock(&pool->mutex);
    ended = daemons_end(pool);
    if (!ended) {
        lc_pin_library();
        for (struct lc_worker *worker = pool->workers; worker != NULL; worker = worker->next)
            pthread_detach(worker->thread);
        lc_list_unlink(&pool->link);
        pool->orphan = true;
    }
    pthread_mutex_unlock(&pool->mutex);
    if (ended)
        pool_free(pool);
}

/* Frees the pools that nobody refers to and whose threads have ended. */
static void reap(struct lc_host *host)
{
    struct lc_link *link = host->pools.next;

    while (link != &host->pools) {
        struct lc_pool *pool = lc_container_of(link, struct lc_pool, link);

        link = link->next;
        if (pool->left && pool->jobs == 0 && has_ended(pool))
            pool_free(pool);
    }
}

struct lc_pool *lc_pool_new(struct lc_host *host, const struct lc_pool_type *type, void *data,
                            unsigned max)
{
    struct lc_pool *pool = calloc(1, sizeof *pool);

    reap(host);
    if (pool == NULL) {
        type->free(data);
        return NULL;
    }
    pool->host = host;
    pool->type = type;
    pool->data = data;
    pool->max = max;
    lc_spin_mutex_init(&pool->mutex);
    pthread_cond_init(&pool->changed, NULL);
    lc_spin_init(&pool->spin, &job_spin);
    atomic_init(&pool->news, false);
    lc_list_init(&pool->queue);
    lc_list_append(&host->pools, &pool->link);
    return pool;
}

bool lc_pool_is_served(const struct lc_pool *pool)
{
    return pool->type->serve != NULL;
}

bool lc_pool_is_closed(const struct lc_pool *pool)
{
    /* only the host's thread sets it */
    return pool->closed;
}

bool lc_pool_is_done(struct lc_pool *pool)
{
    bool done;

    pthread_mutex_lock(&pool->mutex);
    done = pool->closed && pool->queued == pool->orphans;
    pthread_mutex_unlock(&pool->mutex);
    return done;
}

int lc_pool_submit(struct lc_pool *pool, struct lc_pool_job *job)
{
    bool start, alone;
    int error;

    pool->jobs++;
    pthread_mutex_lock(&pool->mutex);
    lc_list_append(&pool->queue, &job->link);
    job->queued = true;
    job->orphan = false;
    pool->queued++;
    start = pool->queued > pool->idle + pool->looking && pool->started < pool->max;
    if (pool->idle > 0 && pool->queued > pool->looking)
        pthread_cond_signal(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    /* who looks finds the mutex free */
    atomic_store_explicit(&pool->news, true, memory_order_release);
    lc_pool_nudge(pool);
    if (!start)
        return 0;
    error = start_worker(pool);
    if (error == 0)
        return 0;
    pthread_mutex_lock(&pool->mutex);
    alone = pool->alive == 0;
    pthread_mutex_unlock(&pool->mutex);
    if (!alone)
        return 0;
    lc_pool_withdraw(pool, job);
    lc_pool_forget(pool);
    return error;
}

void lc_pool_forget(struct lc_pool *pool)
{
    pool->jobs--;
}

bool lc_pool_has_jobs(const struct lc_pool *pool)
{
    return pool->jobs > 0;
}

bool lc_pool_withdraw(struct lc_pool *pool, struct lc_pool_job *job)
{
    bool queued;

    pthread_mutex_lock(&pool->mutex);
    queued = job->queued;
    if (queued)
        unqueue(pool, job);
    pthread_mutex_unlock(&pool->mutex);
    return queued;
}

bool lc_pool_orphan(struct lc_pool *pool, struct lc_pool_job *job)
{
    const struct lc_host *host = pool->host;

    if (pool->daemon || host->interrupted || host->confined || host->budget != NULL)
        return lc_pool_withdraw(pool, job);
    pthread_mutex_lock(&pool->mutex);
    if (job->queued) {
        job->orphan = true;
        pool->orphans++;
    }
    pthread_mutex_unlock(&pool->mutex);
    return false;
}

struct lc_pool_job *lc_pool_pop(struct lc_pool *pool)
{
    bool closed;

    return lc_pool_take(pool, &closed);
}

void lc_pool_nudge(struct lc_pool *pool)
{
    if (pool->type->wake != NULL)
        pool->type->wake(pool);
}

void lc_pool_close(struct lc_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->closed = true;
    atomic_store(&pool->news, true);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    lc_pool_nudge(pool);
}

bool lc_pool_watch_end(struct lc_pool *pool, struct lc_pool_end *end)
{
    bool alive;

    pthread_mutex_lock(&pool->mutex);
    alive = pool->alive > 0;
    if (alive) {
        end->next = pool->ends;
        pool->ends = end;
    }
    pthread_mutex_unlock(&pool->mutex);
    return alive;
}

void lc_pool_leave(struct lc_pool *pool)
{
    pool->left = true;
    lc_pool_close(pool);
}

void lc_pools_close(struct lc_host *host)
{
    struct lc_link *link;

    for (link = host->pools.next; link != &host->pools; link = link->next) {
        struct lc_pool *pool = lc_container_of(link, struct lc_pool, link);

        lc_pool_close(pool);
        if (host->interrupted && pool->type->hurry != NULL)
            pool->type->hurry(pool);
    }
    while (!lc_list_empty(&host->pools)) {
        struct lc_pool *pool = lc_container_of(host->pools.next, struct lc_pool, link);

        if (pool->daemon)
            pool_leave_daemons(pool);
        else
            pool_free(pool);
    }
}
