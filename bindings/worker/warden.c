#include "warden.h"

#include <math.h>
#include <signal.h>
#include <time.h>

#include "job.h"
#include "pool.h"
#include "stop.h"

/* How long what catches the error may go on, until the next one; seconds. */
#define GRACE 1.0

/* How long an initializer may go on that no job waits for, and how often that is looked at; seconds. */
#define LEAVE_TIME 1.0
#define LEAVE_LOOK 0.25

/* A wait is never longer; seconds. */
#define WAIT_MAX 3600.0

static double now_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- under the mutex ---- */

static void set_deadline(struct lc_stop *stop, double when, enum lc_stop_reason verdict)
{
    if (when >= stop->deadline || atomic_load(&stop->reason) != LC_STOP_NONE)
        return;
    stop->deadline = when;
    stop->verdict = verdict;
}

/* Asks the job to end; one that does not is asked again. */
static void ask(struct lc_stop *stop, double now)
{
    if (atomic_load(&stop->reason) != LC_STOP_NONE)
        atomic_store(&stop->always, true);
    else
        atomic_store(&stop->reason, stop->verdict);
    stop->deadline = now + GRACE;
    lc_stop_send(stop);
}

/* An initializer whose pool is closed: whether somebody still waits for it is looked at again and again. */
static void look_at_leaving(struct lc_warden *warden, struct lc_stop *stop, double now)
{
    if (stop->job != NULL || !isfinite(warden->leaving) || warden->leaving > now ||
        atomic_load(&stop->reason) != LC_STOP_NONE)
        return;
    if (lc_pool_is_done(warden->pool))
        set_deadline(stop, now, LC_STOP_SHUTDOWN);
}

/* When an initializer has to be looked at. */
static double next_look(const struct lc_warden *warden, const struct lc_stop *stop, double now)
{
    if (stop->job != NULL || !isfinite(warden->leaving) ||
        atomic_load(&stop->reason) != LC_STOP_NONE)
        return INFINITY;
    return warden->leaving > now ? warden->leaving : now + LEAVE_LOOK;
}

/* Asks all that are due; returns when the next one is. */
static double ask_due(struct lc_warden *warden)
{
    double now = now_seconds(), next = INFINITY, look;

    for (struct lc_link *link = warden->stops.next; link != &warden->stops; link = link->next) {
        struct lc_stop *stop = lc_container_of(link, struct lc_stop, link);

        look_at_leaving(warden, stop, now);
        if (stop->deadline <= now)
            ask(stop, now);
        if (stop->deadline < next)
            next = stop->deadline;
        look = next_look(warden, stop, now);
        if (look < next)
            next = look;
    }
    return next;
}

/* ---- the thread ---- */

static void wait_until(struct lc_warden *warden, double when)
{
    double latest = now_seconds() + WAIT_MAX;
    struct timespec until;

    if (when > latest)
        when = latest;
    until.tv_sec = (time_t)when;
    until.tv_nsec = (long)((when - (double)until.tv_sec) * 1e9);
    pthread_cond_timedwait(&warden->changed, &warden->mutex, &until);
}

static void *watch(void *arg)
{
    struct lc_warden *warden = arg;

    pthread_mutex_lock(&warden->mutex);
    while (!warden->quit)
        wait_until(warden, ask_due(warden));
    pthread_mutex_unlock(&warden->mutex);
    return NULL;
}

/* Under the mutex. 0 or an errno. */
static int start(struct lc_warden *warden)
{
    sigset_t all, before;
    int error;

    if (warden->started)
        return 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&warden->thread, NULL, watch, warden);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    warden->started = error == 0;
    return error;
}

int lc_warden_start(struct lc_warden *warden)
{
    int error;

    pthread_mutex_lock(&warden->mutex);
    error = start(warden);
    pthread_mutex_unlock(&warden->mutex);
    return error;
}

void lc_warden_init(struct lc_warden *warden, double job_timeout, double cancel_timeout)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&warden->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&warden->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    warden->started = warden->quit = false;
    warden->job_timeout = job_timeout;
    warden->cancel_timeout = cancel_timeout;
    warden->ending = warden->leaving = INFINITY;
    warden->pool = NULL;
    lc_list_init(&warden->stops);
}

void lc_warden_finish(struct lc_warden *warden)
{
    pthread_mutex_lock(&warden->mutex);
    warden->quit = true;
    pthread_cond_signal(&warden->changed);
    pthread_mutex_unlock(&warden->mutex);
    if (warden->started)
        pthread_join(warden->thread, NULL);
    pthread_cond_destroy(&warden->changed);
    pthread_mutex_destroy(&warden->mutex);
}

/* ---- jobs ---- */

void lc_warden_begin(struct lc_warden *warden, struct lc_stop *stop, const struct lc_job *job)
{
    pthread_mutex_lock(&warden->mutex);
    stop->job = job;
    stop->deadline = INFINITY;
    if (job == NULL && isfinite(warden->leaving))
        start(warden);
    if (warden->started) {
        set_deadline(stop, now_seconds() + warden->job_timeout, LC_STOP_TIMEOUT);
        set_deadline(stop, warden->ending, LC_STOP_SHUTDOWN);
        if (job != NULL && atomic_load(&job->cancelled))
            set_deadline(stop, now_seconds() + warden->cancel_timeout, LC_STOP_CANCELLED);
        if (isfinite(stop->deadline) || isfinite(warden->leaving))
            pthread_cond_signal(&warden->changed);
    }
    lc_list_append(&warden->stops, &stop->link);
    pthread_mutex_unlock(&warden->mutex);
}

void lc_warden_end(struct lc_warden *warden, struct lc_stop *stop)
{
    bool asked;

    pthread_mutex_lock(&warden->mutex);
    lc_list_unlink(&stop->link);
    stop->job = NULL;
    asked = atomic_exchange(&stop->reason, LC_STOP_NONE) != LC_STOP_NONE;
    atomic_store(&stop->always, false);
    pthread_mutex_unlock(&warden->mutex);
    if (asked)
        lc_stop_clear(stop);
}

void lc_warden_look(struct lc_warden *warden)
{
    double when;

    if (!isfinite(warden->cancel_timeout))
        return;
    pthread_mutex_lock(&warden->mutex);
    when = now_seconds() + warden->cancel_timeout;
    for (struct lc_link *link = warden->stops.next; link != &warden->stops; link = link->next) {
        struct lc_stop *stop = lc_container_of(link, struct lc_stop, link);

        if (stop->job != NULL && atomic_load(&stop->job->cancelled))
            set_deadline(stop, when, LC_STOP_CANCELLED);
    }
    pthread_cond_signal(&warden->changed);
    pthread_mutex_unlock(&warden->mutex);
}

void lc_warden_leave(struct lc_warden *warden, struct lc_pool *pool)
{
    pthread_mutex_lock(&warden->mutex);
    if (!isfinite(warden->leaving)) {
        warden->pool = pool;
        warden->leaving = now_seconds() + LEAVE_TIME;
        for (struct lc_link *link = warden->stops.next; link != &warden->stops; link = link->next) {
            if (lc_container_of(link, struct lc_stop, link)->job == NULL)
                start(warden);
        }
        pthread_cond_signal(&warden->changed);
    }
    pthread_mutex_unlock(&warden->mutex);
}

void lc_warden_end_initializers(struct lc_warden *warden)
{
    pthread_mutex_lock(&warden->mutex);
    for (struct lc_link *link = warden->stops.next; link != &warden->stops; link = link->next) {
        struct lc_stop *stop = lc_container_of(link, struct lc_stop, link);

        if (stop->job == NULL && start(warden) == 0)
            set_deadline(stop, now_seconds(), LC_STOP_SHUTDOWN);
    }
    pthread_cond_signal(&warden->changed);
    pthread_mutex_unlock(&warden->mutex);
}

void lc_warden_end_all(struct lc_warden *warden, double seconds)
{
    pthread_mutex_lock(&warden->mutex);
    warden->ending = now_seconds() + seconds;
    for (struct lc_link *link = warden->stops.next; link != &warden->stops; link = link->next)
        set_deadline(lc_container_of(link, struct lc_stop, link), warden->ending, LC_STOP_SHUTDOWN);
    pthread_cond_signal(&warden->changed);
    pthread_mutex_unlock(&warden->mutex);
}
