/*
 * station: a worker process as its courier sees it.
 * Phases: STARTED or IDLE; BUSY with a job, which is sent, and of which the result comes; LEAVING: it was
 *         told that there is no more; DYING: it was killed, or its end of the socket is closed; GONE: it
 *         was reaped.
 * Invariant: a process that was started is reaped; the job of a BUSY one gets its result, or is lost with
 *            the process.
 * Owner:  its courier; the pidfd and the socket are the station's.
 * Context: the courier's thread.
 */
#ifndef LC_STATION_H
#define LC_STATION_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "channel.h"
#include "job.h"
#include "list.h"

/* The exit code of a process that somebody else has reaped. */
#define LC_CODE_UNKNOWN INT_MIN

struct lc_quota;

enum lc_station_state {
    LC_STATION_IDLE,
    LC_STATION_BUSY,
    LC_STATION_LEAVING,
    LC_STATION_DYING,
    LC_STATION_GONE
};

struct lc_station {
    struct lc_link link; /* courier's */
    enum lc_station_state state;
    unsigned index;         /* from 1; a new process may have the index of one that is gone */
    struct lc_quota *quota; /* the pool's; NULL: there is no limit of memory */
    unsigned ticket;        /* for its place in the ledger */
    int pid, pidfd;
    struct lc_channel channel;
    int epoll;
    bool watched;        /* the socket is */
    bool watches_output; /* for sending, too */
    bool held_up;        /* it is not read for now: the loop has to take reports first */
    unsigned greeted;    /* how many of the frames that come before the first job were sent */
    bool ready;          /* it has called the initializer */
    struct lc_job *job;
    uint32_t serial;          /* of its jobs: how many it was given */
    bool told;                /* that its job is cancelled */
    bool untaken;             /* the process ended with bytes of the job unread */
    bool cleared;             /* the job cannot be sent again: its call was let go */
    enum lc_job_loss verdict; /* for what it is being killed; NONE: it is not */
    double deadline;          /* when it will be killed, by the monotonic clock; infinite: never */
    enum lc_job_loss charge;  /* then */
};

/* What all processes of a pool are told first. */
struct lc_greeting {
    struct lc_parcel settings;
    const struct lc_parcel *initializer;
};

/* Starts a process; epoll will tell of it with its address, for the pidfd with the lowest bit set. NULL:
 * *error is an errno. */
struct lc_station *lc_station_start(const char *program, unsigned index, struct lc_quota *quota,
                                    int epoll, int *error);

/* Gives it a job, if it is idle. */
void lc_station_give(struct lc_station *station, const struct lc_greeting *greeting,
                     struct lc_job *job);

/* Sends what there is to be sent, as far as the socket takes it. */
void lc_station_send(struct lc_station *station, const struct lc_greeting *greeting);

/* Reads, `all`: what there is, though its reports have no room. Returns the job if its outcome is there: it
 * is set, and the station idle; or NULL. */
struct lc_job *lc_station_receive(struct lc_station *station, bool all);

/* Whether it was held up, and is no more: it has to be read. */
bool lc_station_take_up(struct lc_station *station);

/* Tells the process that its job is cancelled, once. */
void lc_station_tell(struct lc_station *station);

/* Tells the process that there are no more jobs. */
void lc_station_dismiss(struct lc_station *station);

/* Kills the process, or sends it another signal. */
void lc_station_kill(struct lc_station *station, int number, enum lc_job_loss verdict);

/* The process may have ended. True: it has, and is reaped; *code is how, as lc_child_collect says it. */
bool lc_station_reap(struct lc_station *station, int *code);

void lc_station_free(struct lc_station *station);

#endif
