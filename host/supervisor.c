#include "supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "seats.h"
#include "signals.h"

/* Seconds after which a process that has read the script and serves nothing counts as ready. */
#define READY_AFTER 2.0
/* Seconds that a socket is kept which no worker has. */
#define PORT_LIFE 10.0

/* ---- what workers say ---- */

static void answer_socket(struct lc_supervisor *s, struct lc_seat *seat, struct lc_member *member,
                          struct lc_message *message)
{
    int fd = -1;

    message->error = ESHUTDOWN;
    if (!s->stopping)
        fd = lc_ports_open(&s->ports, member->pid, seat->index, message);
    if (lc_hotline_send(member->channel, message, fd) || fd < 0)
        return;
    message->error = errno;
    lc_ports_closed(&s->ports, member->pid, message->id);
    lc_hotline_send(member->channel, message, -1);
}

static void take_message(struct lc_supervisor *s, struct lc_seat *seat, struct lc_member *member,
                         struct lc_message *message)
{
    switch ((enum lc_message_kind)message->kind) {
    case LC_SAY_LOADED:
        s->loaded = true;
        member->loaded = lc_monotonic_time();
        break;
    case LC_SAY_READY:
        member->ready = s->any_ready = s->loaded = true;
        break;
    case LC_ASK_SOCKET:
        answer_socket(s, seat, member, message);
        break;
    case LC_SAY_CLOSED:
        lc_ports_closed(&s->ports, member->pid, message->id);
        break;
    }
}

static void take_messages(struct lc_supervisor *s, struct lc_seat *seat, struct lc_member *member)
{
    struct lc_message message;
    int fd, how = 0;

    while (member->channel >= 0 && (how = lc_hotline_receive(member->channel, &message, &fd)) > 0) {
        if (fd >= 0)
            close(fd);
        take_message(s, seat, member, &message);
    }
    if (how < 0)
        lc_member_close(member);
}

/* Of all processes: what one has said before another one ended counts before that end. */
static void take_all_messages(struct lc_supervisor *s)
{
    for (int i = 0; i < 3 * s->count; i++) {
        struct lc_seat *seat = &s->seats[i / 3];

        take_messages(s, seat, lc_seat_member(seat, i % 3));
    }
}

static void reap(struct lc_supervisor *s)
{
    for (int i = 0; i < 3 * s->count; i++) {
        struct lc_seat *seat = &s->seats[i / 3];
        struct lc_member *member = lc_seat_member(seat, i % 3);
        int status;

        if (!lc_member_reap(member, &status))
            continue;
        take_all_messages(s);
        lc_seat_ended(s, seat, member, status);
    }
}

/* ---- signals ---- */

static void forward(struct lc_supervisor *s, int number)
{
    for (int i = 0; i < 3 * s->count; i++) {
        struct lc_member *member = lc_seat_member(&s->seats[i / 3], i % 3);

        if (member->pid != 0)
            kill(member->pid, number);
    }
}

static void ask_reload(struct lc_supervisor *s)
{
    if (s->stopping)
        return;
    if (s->reloading != 0) {
        s->reload_again = true;
        return;
    }
    s->reloading = 1;
    s->phase = LC_RELOAD_BEGIN;
}

static void take_signals(struct lc_supervisor *s)
{
    struct signalfd_siginfo info;

    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        switch (info.ssi_signo) {
        case SIGHUP:
            ask_reload(s);
            break;
        case SIGINT:
        case SIGTERM:
            lc_supervisor_stop(s, (int)info.ssi_signo);
            break;
        case SIGQUIT:
        case SIGUSR1:
            /* those that a terminal sends have reached the workers, too */
            if (info.ssi_code != SI_KERNEL)
                forward(s, (int)info.ssi_signo);
            break;
        default:
            break;
        }
    }
    reap(s);
}

/* ---- starting ---- */

/* The first process goes alone until it has read the script, so that a mistake in it is printed once. */
static bool may_start(const struct lc_supervisor *s, const struct lc_seat *seat)
{
    return seat->state == LC_SEAT_WAITING && !s->stopping && (s->loaded || seat == s->seats);
}

/* Starts a process of the seat. True: this is the process. */
static bool start(struct lc_supervisor *s, struct lc_seat *seat, struct lc_member *member)
{
    char what[128];

    fflush(NULL);
    if (lc_member_start(member)) {
        seat->state = LC_SEAT_UP;
        return member->pid == 0;
    }
    snprintf(what, sizeof what, "worker %d cannot be started: %s", seat->index, strerror(errno));
    if (member == &seat->next) {
        lc_supervisor_say("%s; the reload stops", what);
        s->reloading = 0;
    } else {
        member->started = lc_monotonic_time();
        lc_seat_crashed(s, seat, member, what, EXIT_FAILURE);
    }
    return false;
}

/* Goes on to the next seat. */
static void next_reload(struct lc_supervisor *s)
{
    s->phase = LC_RELOAD_BEGIN;
    if (++s->reloading <= s->count)
        return;
    s->reloading = s->reload_again ? 1 : 0;
    if (!s->reload_again)
        lc_supervisor_say("all workers are reloaded");
    s->reload_again = false;
}

/* The second process of a seat has taken over, or there was no first. */
static bool has_taken_over(struct lc_supervisor *s, struct lc_seat *seat)
{
    if (seat->next.pid == 0)
        return seat->state == LC_SEAT_OVER || seat->now.ready;
    if (!seat->next.ready)
        return false;
    seat->old = seat->now;
    seat->now = seat->next;
    lc_member_init(&seat->next);
    seat->crashes = seat->failures = 0;
    lc_member_stop(&seat->old, lc_supervisor_kill_limit(s));
    return true;
}

/* Takes a reload as far as it goes. True: this is a new process, whose seat is *mine. */
static bool reload(struct lc_supervisor *s, struct lc_seat **mine)
{
    while (s->reloading != 0) {
        struct lc_seat *seat = *mine = &s->seats[s->reloading - 1];

        switch (s->phase) {
        case LC_RELOAD_BEGIN:
            s->phase = LC_RELOAD_START;
            if (seat->state != LC_SEAT_UP)
                seat->crashes = seat->failures = 0;
            if (start(s, seat, seat->state == LC_SEAT_UP ? &seat->next : &seat->now))
                return true;
            break;
        case LC_RELOAD_START:
            if (!has_taken_over(s, seat))
                return false;
            s->phase = LC_RELOAD_END;
            break;
        case LC_RELOAD_END:
            if (seat->old.pid != 0)
                return false;
            next_reload(s);
            break;
        }
    }
    return false;
}

/* Looks after a process: it may have become ready, or it is to be killed. */
static void check_time(struct lc_supervisor *s, struct lc_member *member, double now)
{
    if (member->pid == 0)
        return;
    if (!member->ready && now - member->loaded >= READY_AFTER)
        member->ready = s->any_ready = true;
    if (now >= member->kill_at)
        lc_member_kill(member);
}

static bool all_are_up(const struct lc_supervisor *s)
{
    for (int i = 0; i < s->count; i++) {
        if (s->seats[i].state == LC_SEAT_WAITING)
            return false;
    }
    return s->reloading == 0;
}

/* Does what is due. True: this is a new process, whose member is *mine. */
static bool tend(struct lc_supervisor *s, struct lc_seat **mine)
{
    double now = lc_monotonic_time();

    for (int i = 0; i < 3 * s->count; i++)
        check_time(s, lc_seat_member(&s->seats[i / 3], i % 3), now);
    for (int i = 0; i < s->count; i++) {
        *mine = &s->seats[i];
        if (may_start(s, *mine) && now >= (*mine)->start_at && start(s, *mine, &(*mine)->now))
            return true;
    }
    if (reload(s, mine))
        return true;
    if (!s->stopping && all_are_up(s))
        lc_ports_expire(&s->ports, now, PORT_LIFE);
    return false;
}

/* ---- waiting ---- */

static double earlier(double a, double b)
{
    return a < b ? a : b;
}

static double next_time(struct lc_supervisor *s)
{
    /* sockets that nobody has are looked for now and then */
    double next = lc_monotonic_time() + PORT_LIFE / 2;

    for (int i = 0; i < 3 * s->count; i++) {
        const struct lc_member *member = lc_seat_member(&s->seats[i / 3], i % 3);

        if (member->pid != 0 && !member->ready)
            next = earlier(next, member->loaded + READY_AFTER);
        if (member->pid != 0)
            next = earlier(next, member->kill_at);
    }
    for (int i = 0; i < s->count; i++) {
        if (may_start(s, &s->seats[i]))
            next = earlier(next, s->seats[i].start_at);
    }
    return next;
}

/* Waits for signals, messages or the time of something. */
static void wait_for_something(struct lc_supervisor *s)
{
    double left = next_time(s) - lc_monotonic_time();

    s->polled[0] = (struct pollfd){.fd = s->signals, .events = POLLIN};
    for (int i = 0; i < 3 * s->count; i++) {
        const struct lc_member *member = lc_seat_member(&s->seats[i / 3], i % 3);

        s->polled[i + 1] = (struct pollfd){.fd = member->channel, .events = POLLIN};
    }
    if (poll(s->polled, 3 * (nfds_t)s->count + 1, left > 0 ? (int)(left * 1000) + 1 : 0) <= 0)
        return;
    for (int i = 0; i < 3 * s->count; i++) {
        struct lc_seat *seat = &s->seats[i / 3];

        if (s->polled[i + 1].revents != 0)
            take_messages(s, seat, lc_seat_member(seat, i % 3));
    }
    take_signals(s);
}

/* ---- beginning and end ---- */

static bool supervisor_open(struct lc_supervisor *s, int count, double drain_timeout)
{
    static const int signals[] = {SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
    sigset_t set;

    memset(s, 0, sizeof *s);
    s->signals = -1;
    lc_ports_init(&s->ports);
    s->count = count;
    s->drain_timeout = drain_timeout;
    s->seats = calloc((size_t)count, sizeof *s->seats);
    s->polled = calloc(3 * (size_t)count + 1, sizeof *s->polled);
    if (s->seats == NULL || s->polled == NULL)
        return false;
    for (int i = 0; i < 3 * count; i++)
        lc_member_init(lc_seat_member(&s->seats[i / 3], i % 3));
    for (int i = 0; i < count; i++)
        s->seats[i].index = i + 1;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(&set, signals[i]);
    sigprocmask(SIG_BLOCK, &set, &s->mask);
    /* ignored, it would take the exit status away */
    signal(SIGCHLD, SIG_DFL);
    /* whoever reads what is said may go */
    sigaction(SIGPIPE, NULL, &s->pipe);
    signal(SIGPIPE, SIG_IGN);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals >= 0;
}

/* Closes and frees all; the signals are blocked until the end. */
static void supervisor_close(struct lc_supervisor *s, bool is_supervisor)
{
    lc_ports_close(&s->ports, is_supervisor);
    for (int i = 0; s->seats != NULL && i < 3 * s->count; i++)
        lc_member_close(lc_seat_member(&s->seats[i / 3], i % 3));
    if (s->signals >= 0)
        close(s->signals);
    free(s->seats);
    free(s->polled);
}

/* What the supervisor is told by Ctrl-C and SIGHUP, it tells the workers. A handler is not inherited by programs
 * that they start. */
static void pass_over(int number)
{
    (void)number;
}

static void become_worker(struct lc_supervisor *s, struct lc_seat *seat,
                          struct lc_supervised *worker)
{
    struct lc_member *member = seat->now.pid == 0 ? &seat->now : &seat->next;
    struct sigaction action;
    char text[16];

    memset(worker, 0, sizeof *worker);
    worker->channel = member->channel;
    member->channel = -1;
    worker->index = seat->index;
    worker->drain_timeout = s->drain_timeout;
    snprintf(text, sizeof text, "%d", seat->index);
    supervisor_close(s, false);
    setenv("LUCIO_WORKER_INDEX", text, 1);
    memset(&action, 0, sizeof action);
    action.sa_handler = pass_over;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGPIPE, &s->pipe, NULL);
    /* the supervisor may be gone when the time is over */
    lc_terminate_install(lc_supervisor_kill_limit(s) + 1);
    sigprocmask(SIG_SETMASK, &s->mask, NULL);
}

static int final_status(const struct lc_supervisor *s)
{
    return s->stop_signal == SIGINT ? 128 + SIGINT : s->status;
}

int lc_supervise(int count, double drain_timeout, struct lc_supervised *worker)
{
    struct lc_supervisor supervisor;
    struct lc_seat *mine;
    int status;

    if (!supervisor_open(&supervisor, count, drain_timeout)) {
        lc_supervisor_say("cannot start workers: %s", strerror(errno));
        supervisor_close(&supervisor, true);
        return EXIT_FAILURE;
    }
    while (!lc_supervisor_is_over(&supervisor)) {
        if (tend(&supervisor, &mine)) {
            become_worker(&supervisor, mine, worker);
            return LC_IS_WORKER;
        }
        if (!lc_supervisor_is_over(&supervisor))
            wait_for_something(&supervisor);
    }
    status = final_status(&supervisor);
    supervisor_close(&supervisor, true);
    return status;
}
