/*
 * reap: what a child process is told, and how its end is noticed and taken.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "core.h"
#include "guest.h"
#include "process.h"
#include "stream.h"

/* How long a loop that closes waits for a child that it has killed, ms. */
#define KILL_WAIT 10000

/* ---- signals ---- */

/* Whether its number is still its own. */
static bool is_ours(const struct lc_process *process)
{
    return !process->reaped && process->child.pidfd >= 0;
}

/* To the process itself, never to one that has its number later. 0, or an errno; one that has ended
 * takes any signal until that is known. */
int lc_process_signal(struct lc_process *process, int number)
{
    if (!is_ours(process) || pidfd_send_signal(process->child.pidfd, number, NULL, 0) == 0 ||
        errno == ESRCH)
        return 0;
    return errno;
}

int lc_process_signal_group(struct lc_process *process, int number)
{
    if (!is_ours(process) || kill(-process->child.pid, number) == 0 || errno == ESRCH)
        return 0;
    return errno;
}

void lc_process_kill(struct lc_process *process)
{
    if (process->leads)
        lc_process_signal_group(process, SIGKILL);
    lc_process_signal(process, SIGKILL); /* it may have left its group */
}

/* ---- the end ---- */

static void stop_watching(struct lc_process *process)
{
    struct lc_loop *loop = process->loop;

    if (!process->watching)
        return;
    process->watching = false;
    ev_io_stop(loop->ev, &process->exited);
    ev_child_stop(loop->ev, &process->on_child);
    loop->io--;
    loop->host->watchers--;
}

static void mark_reaped(struct lc_process *process)
{
    process->reaped = true;
    if (process->child.pidfd >= 0)
        close(process->child.pidfd);
    process->child.pidfd = -1;
}

void lc_process_release(lua_State *L, struct lc_process *process)
{
    lc_loop_unset_timer(process->loop, &process->limit);
    lc_list_unlink(&process->link);
    lc_anchor_drop(L, process->host, &process->anchor);
}

/* Reaps the child whose end is known but which kept its number for its group, see keeps_number. */
void lc_process_settle(lua_State *L, struct lc_process *process)
{
    int code;

    if (process->state != LC_PROCESS_DONE || process->reaped)
        return;
    lc_child_collect(&process->child, false, &code);
    mark_reaped(process);
    lc_process_release(L, process);
}

/* Whether the time limit has still to act. One that has expired is no longer set, but acts only later
 * in the tick, in which the end of the child may be taken before. */
static bool limit_is_pending(const struct lc_process *process)
{
    return lc_timer_is_set(&process->limit) || lc_entry_is_queued(&process->limit.entry);
}

/* With a time limit the group is killed even if the child itself has ended, as long as somebody may
 * still write to our pipes. Until then the child is not reaped: that keeps its number from others. */
static bool keeps_number(const struct lc_process *process)
{
    if (!process->leads || !limit_is_pending(process))
        return false;
    for (int i = 1; i < 3; i++) {
        if (process->streams[i] != NULL && !process->streams[i]->lost)
            return true;
    }
    return false;
}

static void warn_taken(struct lc_process *process)
{
    char text[128];

    snprintf(text, sizeof text,
             "lucio: child process pid %d exit status already read: will report returncode 255\n",
             (int)process->child.pid);
    lc_host_log(process->host, text);
}

/* False: it still runs. */
static bool take_status(struct lc_process *process)
{
    bool keep = keeps_number(process);

    if (process->reaped)
        return true; /* by libev, which told the status */
    switch (process->child.pidfd < 0 ? LC_CHILD_TAKEN
                                     : lc_child_collect(&process->child, keep, &process->code)) {
    case LC_CHILD_RUNS:
        return false;
    case LC_CHILD_ENDED:
        if (!keep)
            mark_reaped(process);
        return true;
    case LC_CHILD_TAKEN:
        process->code = 255;
        mark_reaped(process);
        warn_taken(process);
    }
    return true;
}

static void turn_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_process *process = lc_container_of(entry, struct lc_process, turn);

    switch (process->state) {
    case LC_PROCESS_RUNNING:
        if (!take_status(process))
            return;
        stop_watching(process);
        process->state = LC_PROCESS_ENDED;
        lc_loop_ready(loop, entry);
        break;
    case LC_PROCESS_ENDED:
        process->state = LC_PROCESS_KNOWN;
        lc_loop_ready(loop, entry);
        break;
    case LC_PROCESS_KNOWN:
        process->state = LC_PROCESS_DONE;
        for (struct lc_link *link = process->waiters.next; link != &process->waiters;
             link = link->next)
            lc_waiter_wake(lc_waiter_of(link));
        if (process->reaped)
            lc_process_release(loop->L, process);
        else if (!limit_is_pending(process))
            lc_process_settle(loop->L, process);
        break;
    case LC_PROCESS_DONE:
        break;
    }
}

static void limit_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_process *process = lc_container_of(entry, struct lc_process, limit.entry);

    process->timed_out = process->timed_out || !process->reaped;
    lc_process_kill(process);
    lc_process_settle(loop->L, process);
}

static const struct lc_entry_type turn_entry = {turn_run, NULL, NULL, NULL};
static const struct lc_entry_type limit_entry = {limit_run, NULL, NULL, NULL};

static void on_exited(struct ev_loop *ev, ev_io *io, int events)
{
    struct lc_process *process = lc_container_of(io, struct lc_process, exited);

    (void)ev;
    (void)events;
    if (!lc_entry_is_queued(&process->turn))
        lc_loop_ready(process->loop, &process->turn);
}

static void on_child(struct ev_loop *ev, ev_child *child, int events)
{
    struct lc_process *process = lc_container_of(child, struct lc_process, on_child);

    (void)ev;
    (void)events;
    process->code =
        WIFEXITED(child->rstatus) ? WEXITSTATUS(child->rstatus) : -WTERMSIG(child->rstatus);
    mark_reaped(process);
    lc_loop_ready(process->loop, &process->turn);
}

/* The loop closes: nobody would reap the child. */
static void abandon(lua_State *L, struct lc_process *process)
{
    char text[96];
    struct pollfd ended = {.fd = process->child.pidfd, .events = POLLIN};

    stop_watching(process);
    lc_list_unlink(&process->turn.link);
    if (!process->reaped && !take_status(process)) {
        snprintf(text, sizeof text, "ResourceWarning: process %d is still running: killed\n",
                 (int)process->child.pid);
        lc_host_log(process->host, text);
        lc_process_kill(process);
        poll(&ended, 1, KILL_WAIT);
        process->code = -SIGKILL;
        take_status(process);
    }
    process->state = LC_PROCESS_DONE;
    lc_process_settle(L, process);
    if (process->anchor != LC_NO_ANCHOR)
        lc_process_release(L, process);
}

void lc_processes_abandon(lua_State *L, struct lc_loop *loop)
{
    while (!lc_list_empty(&loop->processes))
        abandon(L, lc_container_of(loop->processes.next, struct lc_process, link));
}

/* ---- making ---- */

struct lc_process *lc_process_new(lua_State *L, struct lc_host *host)
{
    struct lc_process *process =
        lc_new_object(L, host, &lc_process_type, LC_REF_PROCESS, sizeof *process, 3);

    process->host = host;
    process->loop = host->loop;
    process->child.pidfd = -1;
    process->reaped = true; /* there is none yet */
    process->state = LC_PROCESS_DONE;
    lc_list_init(&process->link);
    lc_list_init(&process->waiters);
    lc_entry_init(&process->turn, &turn_entry);
    lc_entry_init(&process->limit.entry, &limit_entry);
    for (int i = 0; i < 3; i++)
        process->pipes[i] = -1;
    return process;
}

void lc_process_begin(lua_State *L, struct lc_process *process, int idx)
{
    struct lc_loop *loop = process->loop;

    lua_pushvalue(L, idx);
    lc_anchor_set(L, process->host, process->anchor);
    process->reaped = false;
    process->state = LC_PROCESS_RUNNING;
    lc_list_append(&loop->processes, &process->link);
    ev_io_init(&process->exited, on_exited, process->child.pidfd, EV_READ);
    ev_child_init(&process->on_child, on_child, process->child.pid, 0);
    if (process->child.pidfd < 0) {
        lc_loop_ready(loop, &process->turn);
        return;
    }
    if (loop->guest != NULL && ev_is_default_loop(loop->ev))
        ev_child_start(loop->ev, &process->on_child);
    else
        ev_io_start(loop->ev, &process->exited);
    process->watching = true;
    loop->io++;
    loop->host->watchers++;
}

void lc_process_close_pipes(struct lc_process *process)
{
    for (int i = 0; i < 3; i++) {
        if (process->pipes[i] >= 0)
            close(process->pipes[i]);
        process->pipes[i] = -1;
    }
}
