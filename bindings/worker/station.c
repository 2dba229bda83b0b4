#include "station.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "quota.h"
#include "reports.h"

/* Frames before the first job. */
#define GREETINGS 2
/* A job that is larger is not kept to be sent again. */
#define KEPT_MAX ((size_t)1024 * 1024)
/* How long a process may take to end by itself, seconds. */
#define LEAVE_TIME 5.0

static enum lc_collected collect(const struct lc_station *station, int *code)
{
    struct lc_child child = {station->pid, station->pidfd};

    return lc_child_collect(&child, false, code);
}

/* ---- starting ---- */

static int spawn(struct lc_station *station, const char *program, int theirs)
{
    struct lc_child child;
    int error;
    char parent[16], ticket[16];
    char name[] = "lucio-worker";
    char *argv[] = {name, parent, ticket, NULL};
    struct lc_spawn plan = {.program = program,
                            .argv = argv,
                            .stdio = {theirs, LC_STDIO_INHERIT, LC_STDIO_INHERIT},
                            .group = -1,
                            .holds_interrupt = true};
    const char *culprit;

    snprintf(parent, sizeof parent, "%d", (int)getpid());
    snprintf(ticket, sizeof ticket, "%u", station->ticket);
    error = lc_spawn(&plan, &child, &culprit);
    if (error != 0)
        return error;
    station->pid = child.pid;
    station->pidfd = child.pidfd;
    return child.pidfd < 0 ? ECHILD : 0; /* it has ended, and somebody else reaped it */
}

static int watch(struct lc_station *station, int epoll)
{
    struct epoll_event socket = {.events = EPOLLIN, .data.u64 = (uintptr_t)station};
    struct epoll_event end = {.events = EPOLLIN, .data.u64 = (uintptr_t)station | 1};
    int error;

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, station->channel.fd, &socket) != 0)
        return errno;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, station->pidfd, &end) != 0) {
        error = errno;
        /* closing would not do where another process has a copy */
        epoll_ctl(epoll, EPOLL_CTL_DEL, station->channel.fd, NULL);
        return error;
    }
    station->epoll = epoll;
    station->watched = true;
    return 0;
}

/* The process is there and nobody watches it. */
static void undo_start(struct lc_station *station)
{
    int code;

    pidfd_send_signal(station->pidfd, SIGKILL, NULL, 0);
    while (collect(station, &code) == LC_CHILD_RUNS)
        usleep(1000);
}

/* There is no process of it, or none any more. */
static void give_place(struct lc_station *station)
{
    if (station->quota != NULL)
        lc_quota_give_place(station->quota, station->ticket);
    station->quota = NULL;
}

struct lc_station *lc_station_start(const char *program, unsigned index, struct lc_quota *quota,
                                    int epoll, int *error)
{
    struct lc_station *station = calloc(1, sizeof *station);
    int fds[2];

    *error = ENOMEM;
    if (station == NULL)
        return NULL;
    lc_list_init(&station->link);
    station->index = index;
    station->deadline = INFINITY;
    station->pidfd = -1;
    if (quota != NULL) {
        station->ticket = lc_quota_take_place(quota);
        station->quota = quota;
        if (station->ticket == 0) {
            *error = EAGAIN;
            free(station);
            return NULL;
        }
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        *error = errno;
        give_place(station);
        free(station);
        return NULL;
    }
    lc_channel_init(&station->channel, fds[0]);
    *error = spawn(station, program, fds[1]);
    close(fds[1]);
    if (*error == 0 && (*error = watch(station, epoll)) != 0)
        undo_start(station);
    if (*error == 0)
        return station;
    lc_station_free(station);
    return NULL;
}

void lc_station_free(struct lc_station *station)
{
    lc_list_unlink(&station->link);
    give_place(station);
    lc_channel_finish(&station->channel);
    if (station->pidfd >= 0)
        close(station->pidfd);
    free(station);
}

/* ---- the end ---- */

static void unwatch_socket(struct lc_station *station)
{
    if (station->watched)
        epoll_ctl(station->epoll, EPOLL_CTL_DEL, station->channel.fd, NULL);
    station->watched = false;
}

void lc_station_kill(struct lc_station *station, int number, enum lc_job_loss verdict)
{
    if (station->verdict == LC_LOSS_NONE)
        station->verdict = verdict;
    if (number == SIGKILL && station->state != LC_STATION_GONE)
        station->state = LC_STATION_DYING;
    pidfd_send_signal(station->pidfd, number, NULL, 0);
}

void lc_station_dismiss(struct lc_station *station)
{
    station->state = LC_STATION_LEAVING;
    station->deadline = lc_monotonic_time() + LEAVE_TIME;
    station->charge = LC_LOSS_NONE;
    shutdown(station->channel.fd, SHUT_WR);
}

/* Nothing more can be sent or received. One that was not told to end does not live on without us. */
static void cut(struct lc_station *station, int error)
{
    unwatch_socket(station);
    if (error == ECONNRESET || error == EPIPE)
        station->untaken = true;
    else if (error != 0 && station->job != NULL && station->verdict == LC_LOSS_NONE) {
        station->job->loss_code = error;
        station->verdict = LC_LOSS_SENDING;
    }
    if (station->state == LC_STATION_IDLE || station->state == LC_STATION_BUSY) {
        station->state = LC_STATION_DYING;
        pidfd_send_signal(station->pidfd, SIGKILL, NULL, 0);
    }
}

bool lc_station_reap(struct lc_station *station, int *code)
{
    switch (collect(station, code)) {
    case LC_CHILD_RUNS:
        return false;
    case LC_CHILD_TAKEN:
        *code = LC_CODE_UNKNOWN;
        break;
    case LC_CHILD_ENDED:
        break;
    }
    unwatch_socket(station);
    epoll_ctl(station->epoll, EPOLL_CTL_DEL, station->pidfd, NULL);
    give_place(station); /* before its job is told of the end */
    station->state = LC_STATION_GONE;
    return true;
}

/* ---- jobs ---- */

static void change_watch(struct lc_station *station, bool held_up, bool output)
{
    struct epoll_event event = {.events = (held_up ? 0 : EPOLLIN) | (output ? EPOLLOUT : 0),
                                .data.u64 = (uintptr_t)station};

    if ((station->held_up == held_up && station->watches_output == output) || !station->watched)
        return;
    station->held_up = held_up;
    station->watches_output = output;
    epoll_ctl(station->epoll, EPOLL_CTL_MOD, station->channel.fd, &event);
}

static void watch_output(struct lc_station *station, bool on)
{
    change_watch(station, station->held_up, on);
}

/* Begins the next frame. False: no memory. */
static bool begin(struct lc_station *station, const struct lc_greeting *greeting)
{
    struct lc_channel *channel = &station->channel;

    if (station->greeted == 0)
        return lc_channel_begin(channel, LC_FRAME_SETTINGS, 0, station->index, &greeting->settings);
    if (station->greeted == 1)
        return lc_channel_begin(channel, LC_FRAME_INITIALIZER, 0, 0, greeting->initializer);
    return lc_channel_begin(channel, LC_FRAME_JOB, station->serial, station->job->options,
                            &station->job->call);
}

/* Sends of the next frame what the socket takes. As lc_channel_send; ENOMEM: the loop of the job has closed, and
 * could not leave copies of its strings. */
static int send_some(struct lc_station *station, const struct lc_greeting *greeting)
{
    struct lc_channel *channel = &station->channel;
    struct lc_job *job = station->greeted == GREETINGS ? station->job : NULL;
    int result;

    if (job != NULL && !lc_job_begin_reading(job)) {
        errno = ENOMEM;
        return -1;
    }
    if (job != NULL && channel->sending)
        lc_wire_renew(&channel->wire, &job->call);
    if (channel->sending || begin(station, greeting)) {
        result = lc_channel_send(channel, false);
    } else {
        errno = ENOMEM;
        result = -1;
    }
    if (job != NULL)
        lc_job_give_call(job);
    return result;
}

/* The job is sent. */
static void let_go(struct lc_station *station)
{
    struct lc_parcel *call = &station->job->call;
    size_t size = call->size;

    for (size_t i = 0; i < call->block_count; i++)
        size += call->blocks[i].lent ? 0 : call->blocks[i].size;
    if (size <= KEPT_MAX)
        return;
    lc_job_clear_call(station->job);
    station->cleared = true;
}

void lc_station_send(struct lc_station *station, const struct lc_greeting *greeting)
{
    bool sent = false;

    while (!sent && station->state == LC_STATION_BUSY) {
        switch (send_some(station, greeting)) {
        case 0:
            watch_output(station, true);
            return;
        case 1:
            sent = station->greeted == GREETINGS;
            station->greeted += !sent;
            break;
        default:
            cut(station, errno);
            return;
        }
    }
    watch_output(station, false);
    if (sent)
        let_go(station);
}

void lc_station_give(struct lc_station *station, const struct lc_greeting *greeting,
                     struct lc_job *job)
{
    station->state = LC_STATION_BUSY;
    station->job = job;
    station->serial++;
    station->told = station->cleared = false;
    station->deadline = INFINITY;
    lc_station_send(station, greeting);
}

void lc_station_tell(struct lc_station *station)
{
    struct lc_channel *channel = &station->channel;

    if (station->told || channel->sending || station->state != LC_STATION_BUSY)
        return;
    station->told = true;
    lc_channel_begin(channel, LC_FRAME_CANCEL, station->serial, 0, NULL);
    /* it is small: it is sent, or there is no room for it */
    lc_channel_send(channel, false);
    channel->sending = false;
}

/* ---- reports ---- */

/* The loop is to take reports before more of them are read. */
static bool is_held_up(struct lc_station *station)
{
    struct lc_job *job = station->job;

    if (job == NULL || lc_report_has_room(job))
        return false;
    atomic_store(&job->held_up, true);
    /* the loop may have taken them meanwhile */
    if (lc_report_has_room(job))
        return false;
    change_watch(station, true, station->watches_output);
    return true;
}

bool lc_station_take_up(struct lc_station *station)
{
    if (!station->held_up || (station->job != NULL && !lc_report_has_room(station->job)))
        return false;
    change_watch(station, false, station->watches_output);
    return true;
}

/* A report of the job is there. */
static void take_report(struct lc_station *station)
{
    struct lc_parcel parcel = {.data = NULL};

    if (!lc_channel_take(&station->channel, &parcel))
        cut(station, errno);
    else if (!lc_report_deliver(station->job, &parcel))
        cut(station, ENOMEM);
}

/* ---- outcomes ---- */

/* A frame is there: if it is the outcome of the job, that is returned. */
static struct lc_job *take_frame(struct lc_station *station)
{
    struct lc_channel *channel = &station->channel;
    struct lc_job *job = station->job;
    uint32_t kind = channel->in.kind, serial = channel->in.serial;

    if (kind == LC_FRAME_REPORT && job != NULL && serial == station->serial) {
        take_report(station);
        return NULL;
    }
    if (job == NULL || serial != station->serial ||
        (kind != LC_FRAME_RESULT && kind != LC_FRAME_FAILURE)) {
        station->ready |= kind == LC_FRAME_READY;
        lc_channel_take(channel, NULL);
        return NULL;
    }
    job->failed = kind == LC_FRAME_FAILURE;
    if (!lc_channel_take(channel, &job->result)) {
        job->failed = true;
        job->loss = LC_LOSS_SENDING;
        job->loss_code = errno;
    }
    station->job = NULL;
    station->deadline = INFINITY;
    if (station->state == LC_STATION_BUSY)
        station->state = LC_STATION_IDLE;
    return job;
}

struct lc_job *lc_station_receive(struct lc_station *station, bool all)
{
    while (station->watched && (all || !is_held_up(station))) {
        struct lc_job *job;

        switch (lc_channel_receive(&station->channel, false)) {
        case 1:
            job = take_frame(station);
            if (job != NULL)
                return job;
            break;
        case 0:
            return NULL;
        default:
            cut(station, errno);
            return NULL;
        }
    }
    return NULL;
}
