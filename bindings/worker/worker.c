#include "worker.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "job.h"
#include "loan.h"
#include "settings.h"
#include "stop.h"
#include "warden.h"
#include "workplace.h"

/* A pool's. */
struct threads {
    struct lc_settings *settings;
    struct lc_warden warden;
    struct lc_loans loans;
};

/* A thread's own. */
struct thread {
    struct lc_workplace place;
    struct lc_stop stop;
    struct lc_lender lender;
};

static void open_worker(struct lc_worker *worker)
{
    struct thread *thread = calloc(1, sizeof *thread);
    struct threads *threads = lc_pool_data(lc_worker_pool(worker));

    pthread_setname_np(pthread_self(), "lucio-worker");
    lc_worker_set_state(worker, thread);
    if (thread == NULL)
        return;
    thread->place.settings = threads->settings;
    thread->place.index = (int)lc_worker_index(worker);
    thread->place.is_thread = true;
    lc_workplace_open(&thread->place);
    lc_stop_open(&thread->stop, thread->place.L != NULL ? thread->place.host : NULL);
    lc_warden_begin(&threads->warden, &thread->stop, NULL);
    lc_workplace_initialize(&thread->place);
    lc_warden_end(&threads->warden, &thread->stop);
}

/* Lets go what loops have read. */
static void collect_loans(struct thread *thread)
{
    struct lc_loan *loan;

    while ((loan = lc_loan_collect(&thread->lender)) != NULL)
        lc_workplace_forget(&thread->place, loan);
}

/* Lets go what is too much with the job's result; NULL: all. */
static void make_room(struct thread *thread, const struct lc_job *job)
{
    struct lc_loan *loan;

    while ((loan = lc_loan_make_room(&thread->lender, job)) != NULL)
        lc_workplace_forget(&thread->place, loan);
}

/* Sends back a job whose result lends strings of the worker's state. */
static void post_lending(struct threads *threads, struct thread *thread, struct lc_job *job)
{
    make_room(thread, job);
    lc_loan_begin(&thread->lender, &threads->loans, job);
    if (lc_errand_post(&job->errand))
        return;
    lc_loan_drop(&thread->lender);
    lc_workplace_forget(&thread->place, lc_loan_next(&thread->lender));
    lc_job_free(job);
}

static void run(struct lc_worker *worker, struct lc_pool_job *queued)
{
    struct lc_job *job = lc_container_of(queued, struct lc_job, queued);
    struct threads *threads = lc_pool_data(lc_worker_pool(worker));
    struct thread *thread = lc_worker_state(worker);

    job->failed = true;
    if (thread != NULL) {
        collect_loans(thread);
        thread->place.keeper = lc_loan_next(&thread->lender);
        lc_warden_begin(&threads->warden, &thread->stop, job);
        job->failed = !lc_workplace_run(&thread->place, job);
        lc_warden_end(&threads->warden, &thread->stop);
    }
    if (thread != NULL && thread->place.lends)
        post_lending(threads, thread, job);
    else if (!lc_errand_post(&job->errand))
        lc_job_free(job);
}

static void close_worker(struct lc_worker *worker)
{
    struct thread *thread = lc_worker_state(worker);

    if (thread == NULL)
        return;
    make_room(thread, NULL);
    lc_stop_close(&thread->stop);
    lc_workplace_close(&thread->place);
    free(thread);
}

/* Something is cancelled, maybe, or the pool is closed. */
static void wake(struct lc_pool *pool)
{
    struct threads *threads = lc_pool_data(pool);

    lc_warden_look(&threads->warden);
    if (lc_pool_is_closed(pool))
        lc_warden_leave(&threads->warden, pool);
}

static void free_threads(void *data)
{
    struct threads *threads = data;

    lc_warden_finish(&threads->warden);
    lc_loans_finish(&threads->loans);
    lc_stop_remove();
    lc_settings_free(threads->settings);
    free(threads);
}

static int limit(struct lc_pool *pool, double seconds)
{
    struct threads *threads = lc_pool_data(pool);
    int error = lc_warden_start(&threads->warden);

    if (error == 0)
        lc_warden_end_all(&threads->warden, seconds);
    return error;
}

static void stop_all(struct lc_pool *pool)
{
    lc_jobs_drop(pool);
    limit(pool, 0);
}

static const struct lc_pool_type threads_type = {.open = open_worker,
                                                 .run = run,
                                                 .close = close_worker,
                                                 .wake = wake,
                                                 .hurry = stop_all,
                                                 .free = free_threads};

void lc_threads_limit(lua_State *L, struct lc_host *host, struct lc_pool *pool, double seconds)
{
    int error = limit(pool, seconds);

    if (error != 0)
        lc_raise(L, host, LC_RUNTIME_ERROR, "cannot start a thread: %s", strerror(error));
}

void lc_threads_end_initializers(struct lc_pool *pool)
{
    struct threads *threads = lc_pool_data(pool);

    lc_warden_end_initializers(&threads->warden);
}

/* NULL: there is no memory, or no signal. */
static struct threads *threads_new(struct lc_settings *settings,
                                   const struct lc_threads_limits *limits)
{
    struct threads *threads = calloc(1, sizeof *threads);

    if (threads == NULL || !lc_stop_install()) {
        free(threads);
        lc_settings_free(settings);
        return NULL;
    }
    threads->settings = settings;
    lc_loans_init(&threads->loans);
    lc_warden_init(&threads->warden, limits->job, limits->cancel);
    if ((isfinite(limits->job) || isfinite(limits->cancel)) &&
        lc_warden_start(&threads->warden) != 0) {
        free_threads(threads);
        return NULL;
    }
    return threads;
}

struct lc_pool *lc_threads_new(lua_State *L, struct lc_host *host, const char *name,
                               const struct lc_threads_limits *limits, int initializer)
{
    struct lc_settings *settings =
        lc_settings_new(L, host, "ThreadPoolExecutor", name, initializer);
    struct threads *threads = threads_new(settings, limits);
    struct lc_pool *pool =
        threads != NULL ? lc_pool_new(host, &threads_type, threads, limits->threads) : NULL;

    if (pool == NULL)
        luaL_error(L, "not enough memory");
    if (limits->daemon)
        lc_pool_set_daemon(pool);
    return pool;
}
