#include "seats.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* The pause after a crash: doubled by each further one, up to the last; a process that has lived for so long
 * starts the row anew. */
#define FIRST_PAUSE 0.1
#define LAST_PAUSE  10.0
#define LONG_LIFE   10.0
/* Failures in a row, none of them ready, after which a seat is given up. */
#define MOST_FAILURES 10
/* Seconds from the end of the connections' time to the kill. */
#define KILL_AFTER 5.0
void lc_supervisor_say(const char *format, ...)
{
    char text[256];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    fprintf(stderr, "lucio: %s\n", text);
}

double lc_supervisor_kill_limit(const struct lc_supervisor *s)
{
    return s->drain_timeout + KILL_AFTER;
}

/* ---- the end of everything ---- */

void lc_supervisor_stop(struct lc_supervisor *s, int number)
{
    bool again = s->stopping;

    s->stopping = true;
    s->reloading = 0;
    if (!again)
        s->stop_signal = number;
    /* whoever tries to connect from now on shall hear that nobody is there */
    lc_ports_close(&s->ports, true);
    for (int i = 0; i < 3 * s->count; i++) {
        struct lc_member *member = lc_seat_member(&s->seats[i / 3], i % 3);

        if (again)
            lc_member_kill(member);
        else
            lc_member_stop(member, lc_supervisor_kill_limit(s));
    }
}

bool lc_supervisor_is_over(struct lc_supervisor *s)
{
    for (int i = 0; i < 3 * s->count; i++) {
        if (lc_seat_member(&s->seats[i / 3], i % 3)->pid != 0)
            return false;
    }
    for (int i = 0; i < s->count; i++) {
        if (!s->stopping && s->seats[i].state != LC_SEAT_OVER)
            return false;
    }
    return true;
}

/* ---- processes that end ---- */

static void describe(char *text, size_t size, const struct lc_seat *seat, pid_t pid, int status)
{
    if (status > 128)
        snprintf(text, size, "worker %d (process %d) was ended by signal %d (%s)", seat->index,
                 (int)pid, status - 128, strsignal(status - 128));
    else
        snprintf(text, size, "worker %d (process %d) ended with status %d", seat->index, (int)pid,
                 status);
}

static double pause_after(unsigned crashes)
{
    double pause = FIRST_PAUSE;

    while (--crashes > 0 && pause < LAST_PAUSE)
        pause *= 2;
    return pause < LAST_PAUSE ? pause : LAST_PAUSE;
}

void lc_seat_crashed(struct lc_supervisor *s, struct lc_seat *seat, const struct lc_member *member,
                     const char *what, int status)
{
    double now = lc_monotonic_time();

    if (now - member->started >= LONG_LIFE)
        seat->crashes = 0;
    seat->crashes++;
    seat->failures = member->ready ? 0 : seat->failures + 1;
    if (!s->any_ready) {
        lc_supervisor_say("%s before any worker was ready", what);
        s->status = status;
        lc_supervisor_stop(s, 0);
    } else if (seat->failures >= MOST_FAILURES) {
        lc_supervisor_say("%s, the %u. failure in a row; it is not started again", what,
                          seat->failures);
        s->status = status;
        seat->state = LC_SEAT_OVER;
    } else {
        seat->state = LC_SEAT_WAITING;
        seat->start_at = now + pause_after(seat->crashes);
        lc_supervisor_say("%s; it starts again in %g s", what, pause_after(seat->crashes));
    }
}

static void now_ended(struct lc_supervisor *s, struct lc_seat *seat, const struct lc_member *member,
                      const char *what, int status)
{
    if (s->stopping) {
        seat->state = LC_SEAT_OVER;
    } else if (seat->next.pid != 0) {
        /* the reload comes just in time */
        seat->now = seat->next;
        lc_member_init(&seat->next);
    } else if (status == 0) {
        s->any_ready = true;
        seat->state = LC_SEAT_OVER;
    } else {
        lc_seat_crashed(s, seat, member, what, status);
    }
}

void lc_seat_ended(struct lc_supervisor *s, struct lc_seat *seat, struct lc_member *slot,
                   int status)
{
    struct lc_member member = *slot;
    char what[128];

    describe(what, sizeof what, seat, member.pid, status);
    lc_ports_ended(&s->ports, member.pid);
    lc_member_close(slot);
    lc_member_init(slot);
    if (member.killed && !s->stopping)
        lc_supervisor_say("%s: it did not end in time", what);
    if (member.killed && s->stopping && s->status == 0)
        s->status = EXIT_FAILURE;
    if (slot == &seat->now) {
        now_ended(s, seat, &member, what, status);
    } else if (slot == &seat->next && !s->stopping) {
        lc_supervisor_say("%s; the reload stops, the old workers go on", what);
        s->reloading = 0;
        s->reload_again = false;
    }
}
