#include "crew.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "pin.h"

/* Under the mutex: the next job; NULL when none came for as long as threads are idle. */
static struct lc_job *take_job(struct lc_crew *crew)
{
    struct lc_job *job;

    while (crew->first == NULL) {
        struct timespec until;
        int error;

        if (crew->idle_max == 0)
            return NULL;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += crew->idle_max;
        crew->idle++;
        error = pthread_cond_timedwait(&crew->wake, &crew->mutex, &until);
        crew->idle--;
        if (error == ETIMEDOUT && crew->first == NULL)
            return NULL;
    }
    job = crew->first;
    crew->first = job->next;
    crew->queued--;
    return job;
}

static void *run_worker(void *data)
{
    struct lc_crew *crew = data;
    struct lc_job *job;

    pthread_mutex_lock(&crew->mutex);
    while ((job = take_job(crew)) != NULL) {
        pthread_mutex_unlock(&crew->mutex);
        job->work(job);
        if (!lc_errand_post(&job->errand))
            job->dispose(job);
        pthread_mutex_lock(&crew->mutex);
    }
    crew->workers--;
    pthread_mutex_unlock(&crew->mutex);
    return NULL;
}

static bool start_worker(struct lc_crew *crew)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    bool started;

    lc_pin_library();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    started = pthread_create(&thread, &attr, run_worker, crew) == 0;
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void lc_crew_begin_again(struct lc_crew *crew)
{
    pthread_mutex_init(&crew->mutex, NULL);
    pthread_cond_init(&crew->wake, NULL);
    crew->first = crew->last = NULL;
    crew->queued = crew->idle = crew->workers = 0;
}

bool lc_crew_submit(struct lc_crew *crew, struct lc_job *job)
{
    bool taken = true;

    pthread_once(&crew->once, crew->watch_forks);
    pthread_mutex_lock(&crew->mutex);
    if (crew->idle <= crew->queued && crew->workers < crew->max) {
        if (start_worker(crew))
            crew->workers++;
        else
            taken = crew->workers > 0;
    }
    if (taken) {
        job->next = NULL;
        if (crew->first == NULL)
            crew->first = job;
        else
            crew->last->next = job;
        crew->last = job;
        crew->queued++;
        pthread_cond_signal(&crew->wake);
    }
    pthread_mutex_unlock(&crew->mutex);
    return taken;
}

void lc_crew_set_max(struct lc_crew *crew, unsigned max)
{
    pthread_once(&crew->once, crew->watch_forks);
    pthread_mutex_lock(&crew->mutex);
    crew->max = max;
    pthread_mutex_unlock(&crew->mutex);
}
