#include "courier.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <lauxlib.h>

#include "clock.h"
#include "core.h"
#include "job.h"
#include "pool.h"
#include "settings.h"
#include "station.h"
#include "worker_program.h"

/* Events taken at once. */
#define EVENTS 32
/* How long an initializer may go on that no job waits for, seconds. */
#define LEAVE_TIME 1.0
#define LEAVE_LOOK 0.25
/* When no process could be started, how soon it is tried again, seconds. */
#define START_AGAIN 0.1
/* How many processes a job is sent to when they end before they have taken it. */
#define TRIES 3

struct courier {
    struct lc_settings *settings;
    struct lc_greeting greeting;
    struct lc_courier_limits limits;
    char *program;
    int epoll, event; /* the eventfd that wakes the thread */
    /* Any thread's. */
    atomic_bool woken;
    atomic_int signal;      /* to be sent; 0: none */
    _Atomic(double) ending; /* when all are killed, by the monotonic clock */
    /* The thread's own. */
    struct lc_pool *pool;
    struct lc_link stations;
    unsigned count; /* of them */
    double start;   /* when it is tried again to start a process; infinite: there is no need */
    struct lc_link again; /* jobs that lost their process before it had them, and first in line */
};

static struct lc_station *station_of(struct lc_link *link)
{
    return lc_container_of(link, struct lc_station, link);
}

static struct lc_job *job_of(struct lc_link *link)
{
    return lc_container_of(link, struct lc_job, queued.link);
}

/* ---- outcomes ---- */

static void finish(struct lc_job *job)
{
    lc_job_clear_call(job);
    if (!lc_errand_post(&job->errand))
        lc_job_free(job);
}

static void lose(struct lc_job *job, enum lc_job_loss loss, int pid, int code)
{
    job->failed = true;
    job->loss = loss;
    job->loss_pid = pid;
    if (loss != LC_LOSS_SENDING)
        job->loss_code = code;
    finish(job);
}

/* The process is gone: so is its job, if it had it. */
static void settle(struct courier *courier, struct lc_station *station, int code)
{
    struct lc_job *job = station->job;

    station->job = NULL;
    if (job == NULL)
        return;
    job->loss_early = !station->ready && courier->settings->initializer.values > 0;
    if (station->verdict != LC_LOSS_NONE)
        lose(job, station->verdict, station->pid, code);
    else if (station->ready && (!station->untaken || station->cleared))
        lose(job, LC_LOSS_DIED, station->pid, code);
    else if (station->cleared || ++job->tries == TRIES || atomic_load(&job->cancelled))
        lose(job, LC_LOSS_UNTAKEN, station->pid, code);
    else
        lc_list_append(&courier->again, &job->queued.link);
}

/* ---- giving jobs ---- */

static struct lc_station *find_idle(struct courier *courier)
{
    struct lc_link *link;

    for (link = courier->stations.next; link != &courier->stations; link = link->next) {
        if (station_of(link)->state == LC_STATION_IDLE)
            return station_of(link);
    }
    return NULL;
}

static unsigned free_index(struct courier *courier)
{
    unsigned index = 0;
    struct lc_link *link;

    do {
        index++;
        for (link = courier->stations.next; link != &courier->stations; link = link->next) {
            if (station_of(link)->index == index)
                break;
        }
    } while (link != &courier->stations);
    return index;
}

/* A process for the next job, or NULL; *error says why none could be started. */
static struct lc_station *find_station(struct courier *courier, int *error)
{
    struct lc_station *station = find_idle(courier);

    *error = 0;
    if (station != NULL || courier->count >= courier->limits.processes)
        return station;
    station = lc_station_start(courier->program, free_index(courier),
                               courier->settings->limits.quota, courier->epoll, error);
    if (station == NULL)
        return NULL;
    lc_list_append(&courier->stations, &station->link);
    courier->count++;
    return station;
}

static struct lc_job *next_job(struct courier *courier, bool *closed)
{
    struct lc_pool_job *queued;

    *closed = false;
    if (!lc_list_empty(&courier->again))
        return job_of(lc_list_pop(&courier->again));
    queued = lc_pool_take(courier->pool, closed);
    return queued != NULL ? lc_container_of(queued, struct lc_job, queued) : NULL;
}

static void give(struct courier *courier, struct lc_station *station, struct lc_job *job)
{
    lc_station_give(station, &courier->greeting, job);
    station->deadline = lc_monotonic_time() + courier->limits.job;
    station->charge = LC_LOSS_TIMEOUT;
}

/* Gives jobs as long as there are any and processes that are free. True: there will be none any more. */
static bool give_jobs(struct courier *courier)
{
    courier->start = INFINITY;
    for (;;) {
        struct lc_station *station = NULL;
        struct lc_job *job;
        bool closed;
        int error;

        if (find_idle(courier) == NULL && courier->count >= courier->limits.processes)
            return false;
        job = next_job(courier, &closed);
        if (job == NULL)
            return closed;
        station = find_station(courier, &error);
        if (station != NULL) {
            give(courier, station, job);
        } else if (courier->count == 0) {
            lose(job, LC_LOSS_START, 0, error);
        } else {
            /* another process will be free, or there are descriptors and memory again */
            lc_list_append(&courier->again, &job->queued.link);
            courier->start = lc_monotonic_time() + START_AGAIN;
            return false;
        }
    }
}

/* ---- what has happened ---- */

static void receive(struct courier *courier, struct lc_station *station, bool all)
{
    struct lc_job *job;

    while ((job = lc_station_receive(station, all)) != NULL) {
        finish(job);
        if (station->state == LC_STATION_IDLE && courier->limits.jobs > 0 &&
            station->serial >= courier->limits.jobs)
            lc_station_dismiss(station);
    }
}

static void take_event(struct courier *courier, const struct epoll_event *event)
{
    struct lc_station *station = (struct lc_station *)(uintptr_t)(event->data.u64 & ~(uint64_t)1);
    eventfd_t count;
    int code;

    if (station == NULL) {
        eventfd_read(courier->event, &count);
        atomic_store(&courier->woken, false);
    } else if (station->state == LC_STATION_GONE) {
        return;
    } else if (event->data.u64 & 1) {
        receive(courier, station, true); /* what it has sent before */
        if (lc_station_reap(station, &code))
            settle(courier, station, code);
    } else {
        if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            receive(courier, station, event->events & (EPOLLHUP | EPOLLERR));
        if (event->events & EPOLLOUT)
            lc_station_send(station, &courier->greeting);
    }
}

/* Loops have taken reports: their jobs are read again. */
static void take_up(struct courier *courier)
{
    struct lc_link *link;

    for (link = courier->stations.next; link != &courier->stations; link = link->next) {
        if (lc_station_take_up(station_of(link)))
            receive(courier, station_of(link), false);
    }
}

static void free_gone(struct courier *courier)
{
    struct lc_link *link = courier->stations.next;

    while (link != &courier->stations) {
        struct lc_station *station = station_of(link);

        link = link->next;
        if (station->state == LC_STATION_GONE) {
            lc_station_free(station);
            courier->count--;
        }
    }
}

/* ---- what is due ---- */

/* Its job is wanted no more. */
static void look_at_cancel(struct courier *courier, struct lc_station *station, double now)
{
    if (station->state != LC_STATION_BUSY || station->told ||
        !atomic_load(&station->job->cancelled))
        return;
    lc_station_tell(station);
    if (now + courier->limits.cancel < station->deadline) {
        station->deadline = now + courier->limits.cancel;
        station->charge = LC_LOSS_KILLED;
    }
}

/* Its initializer runs, and nobody waits for it any more: once the pool is closed it has a while. Returns when
 * to look again. */
static double look_at_leaving(struct courier *courier, struct lc_station *station, double now)
{
    if (station->state != LC_STATION_BUSY || station->ready ||
        station->deadline <= now + LEAVE_TIME || !atomic_load(&station->job->cancelled))
        return INFINITY;
    if (!lc_pool_is_done(courier->pool))
        return now + LEAVE_LOOK;
    station->deadline = now + LEAVE_TIME;
    station->charge = LC_LOSS_KILLED;
    return INFINITY;
}

/* Looks at every process; returns when to look again. */
static double look(struct courier *courier)
{
    double now = lc_monotonic_time(), next = courier->start, ending = atomic_load(&courier->ending);
    double again;
    int signal = atomic_exchange(&courier->signal, 0);
    struct lc_link *link;

    for (link = courier->stations.next; link != &courier->stations; link = link->next) {
        struct lc_station *station = station_of(link);

        if (signal != 0 && station->state <= LC_STATION_LEAVING)
            lc_station_kill(station, signal, LC_LOSS_KILLED);
        look_at_cancel(courier, station, now);
        again = look_at_leaving(courier, station, now);
        if (again < next)
            next = again;
        if (station->state > LC_STATION_LEAVING)
            continue;
        if (station->deadline <= now)
            lc_station_kill(station, SIGKILL, station->charge);
        else if (ending <= now)
            lc_station_kill(station, SIGKILL, LC_LOSS_KILLED);
        else if (station->deadline < next)
            next = station->deadline;
    }
    return ending < next && !lc_list_empty(&courier->stations) && ending > now ? ending : next;
}

/* Waits for events until then. */
static void wait(struct courier *courier, double until)
{
    struct epoll_event events[EVENTS];
    double left = until - lc_monotonic_time();
    int timeout = -1, count;

    if (left <= 0)
        timeout = 0;
    else if (left < 1e6)
        timeout = (int)(left * 1000) + 1;
    else if (isfinite(left))
        timeout = 1000000000;
    count = epoll_wait(courier->epoll, events, EVENTS, timeout);
    for (int i = 0; i < count; i++)
        take_event(courier, &events[i]);
    free_gone(courier);
}

static void dismiss_idle(struct courier *courier)
{
    struct lc_station *station;

    while ((station = find_idle(courier)) != NULL)
        lc_station_dismiss(station);
}

static void serve(struct lc_worker *worker)
{
    struct courier *courier = lc_pool_data(lc_worker_pool(worker));

    pthread_setname_np(pthread_self(), "lucio-courier");
    courier->pool = lc_worker_pool(worker);
    for (;;) {
        bool closed;

        take_up(courier);
        closed = give_jobs(courier);
        if (closed)
            dismiss_idle(courier);
        if (closed && lc_list_empty(&courier->stations))
            return;
        wait(courier, look(courier));
    }
}

/* ---- for other threads ---- */

static void wake(struct lc_pool *pool)
{
    struct courier *courier = lc_pool_data(pool);

    if (!atomic_exchange(&courier->woken, true))
        eventfd_write(courier->event, 1);
}

static void hurry(struct lc_pool *pool)
{
    lc_jobs_drop(pool);
    lc_courier_signal(pool, SIGKILL);
}

static void courier_free(void *data)
{
    struct courier *courier = data;

    if (courier->epoll >= 0)
        close(courier->epoll);
    if (courier->event >= 0)
        close(courier->event);
    lc_parcel_clear(&courier->greeting.settings);
    lc_settings_free(courier->settings);
    free(courier->program);
    free(courier);
}

static const struct lc_pool_type courier_type = {
    .serve = serve, .wake = wake, .hurry = hurry, .free = courier_free};

unsigned lc_courier_max(const struct lc_pool *pool)
{
    const struct courier *courier = lc_pool_data(pool);

    return courier->limits.processes;
}

void lc_courier_signal(struct lc_pool *pool, int number)
{
    struct courier *courier = lc_pool_data(pool);

    atomic_store(&courier->signal, number);
    wake(pool);
}

void lc_courier_limit(struct lc_pool *pool, double seconds)
{
    struct courier *courier = lc_pool_data(pool);

    atomic_store(&courier->ending, lc_monotonic_time() + seconds);
    wake(pool);
}

/* ---- making ---- */

/* 0, or an errno. */
static int open_courier(struct courier *courier)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0};

    errno = ENOMEM;
    if (!lc_settings_write(courier->settings, &courier->greeting.settings))
        return errno;
    courier->greeting.initializer = &courier->settings->initializer;
    courier->epoll = epoll_create1(EPOLL_CLOEXEC);
    courier->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (courier->epoll < 0 || courier->event < 0 ||
        epoll_ctl(courier->epoll, EPOLL_CTL_ADD, courier->event, &event) != 0)
        return errno;
    return 0;
}

struct lc_pool *lc_courier_new(lua_State *L, struct lc_host *host, const char *name,
                               const struct lc_courier_limits *limits, int initializer)
{
    struct lc_settings *settings =
        lc_settings_new(L, host, "ProcessPoolExecutor", name, initializer);
    struct courier *courier = calloc(1, sizeof *courier);
    struct lc_pool *pool;
    int error;

    if (courier == NULL) {
        lc_settings_free(settings);
        luaL_error(L, "not enough memory");
        return NULL;
    }
    courier->settings = settings;
    courier->limits = *limits;
    courier->epoll = courier->event = -1;
    atomic_init(&courier->woken, false);
    atomic_init(&courier->signal, 0);
    atomic_init(&courier->ending, INFINITY);
    courier->start = INFINITY;
    lc_list_init(&courier->stations);
    lc_list_init(&courier->again);
    courier->program = lc_worker_program(host->options.worker);
    error = courier->program == NULL ? errno : open_courier(courier);
    if (error == 0) {
        pool = lc_pool_new(host, &courier_type, courier, 1);
        if (pool != NULL)
            return pool;
        luaL_error(L, "not enough memory");
    }
    courier_free(courier);
    if (error == ENOENT)
        lc_raise(L, host, LC_RUNTIME_ERROR,
                 "the program lucio-worker is not there; LUCIO_WORKER may say where it is");
    lc_raise_errno(L, host, error, NULL);
}
