/*
 * seats: what a supervisor knows of its workers. A seat is what one worker after the other sits in: it keeps its
 * number, and how often they failed. It has three processes at most: the one that is there, the next one, and
 * the one before.
 * Phases of a seat: waiting (for the time of its next start), up, over.
 * Owner: supervisor.c; the functions here are for what ends.
 */
#ifndef LC_SEATS_H
#define LC_SEATS_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>

#include "member.h"
#include "ports.h"

enum lc_seat_state { LC_SEAT_WAITING, LC_SEAT_UP, LC_SEAT_OVER };

struct lc_seat {
    int index; /* from 1 */
    enum lc_seat_state state;
    struct lc_member now;
    struct lc_member next; /* will take its seat */
    struct lc_member old;  /* had it before */
    double start_at;
    unsigned crashes;
    unsigned failures;
};

enum lc_reload { LC_RELOAD_BEGIN, LC_RELOAD_START, LC_RELOAD_END };

struct lc_supervisor {
    struct lc_seat *seats;
    struct pollfd *polled;
    int count;
    int signals; /* a signalfd */
    sigset_t mask;
    struct sigaction pipe; /* what SIGPIPE did before */
    double drain_timeout;
    struct lc_ports ports;
    bool loaded;    /* a process has read the script */
    bool any_ready; /* a process was ready */
    bool stopping;
    int stop_signal;
    int status;
    int reloading; /* index of the seat, or 0 */
    enum lc_reload phase;
    bool reload_again;
};

/* The i-th of the processes that a seat may have. */
static inline struct lc_member *lc_seat_member(struct lc_seat *seat, int i)
{
    return i == 0 ? &seat->now : i == 1 ? &seat->next : &seat->old;
}

/* Says it on stderr. */
void lc_supervisor_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends all, because of that signal or none; a second time, at once. */
void lc_supervisor_stop(struct lc_supervisor *s, int number);
bool lc_supervisor_is_over(struct lc_supervisor *s);

/* Seconds that a process has from SIGTERM to SIGKILL. */
double lc_supervisor_kill_limit(const struct lc_supervisor *s);

/* The process of a seat has failed while nothing asked it to end; `what` says how. */
void lc_seat_crashed(struct lc_supervisor *s, struct lc_seat *seat, const struct lc_member *member,
                     const char *what, int status);

/* The process has ended and was reaped. */
void lc_seat_ended(struct lc_supervisor *s, struct lc_seat *seat, struct lc_member *slot,
                   int status);

#endif
