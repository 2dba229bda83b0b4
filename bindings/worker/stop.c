#include "stop.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <lauxlib.h>

#include "core.h"
#include "nudge.h"

/* The only state of the process. */
static void watch_forks(void);

static struct lc_nudge nudge = LC_NUDGE_INIT(watch_forks);

static void begin_again(void)
{
    lc_nudge_begin_again(&nudge);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, begin_again);
}

/* Pushes the error that ends the job. [-0, +1, m] */
static void push_error(lua_State *L, struct lc_host *host)
{
    switch ((enum lc_stop_reason)atomic_load(&host->stop->reason)) {
    case LC_STOP_TIMEOUT:
        lc_error_push(L, host, LC_TIMEOUT_ERROR, "the %s took too long and was stopped",
                      host->stop->job != NULL ? "job" : "initializer");
        break;
    case LC_STOP_SHUTDOWN:
        lc_error_push(L, host, LC_CANCELLED_ERROR, "the executor was shut down");
        break;
    default:
        lc_error_push(L, host, LC_CANCELLED_ERROR, "the job was cancelled");
    }
}

static bool is_asked(const struct lc_host *host)
{
    return host->stop != NULL && atomic_load(&host->stop->reason) != LC_STOP_NONE;
}

void lc_stop_check(lua_State *L, struct lc_host *host)
{
    if (!is_asked(host))
        return;
    push_error(L, host);
    lua_error(L);
}

/* ---- in Lua code ---- */

static void serve_stop(lua_State *L, struct lc_host *host, bool can_raise)
{
    if (is_asked(host) && (!can_raise || atomic_load(&host->stop->always)))
        lc_hook_ask_again(L, host, LC_HOOK_STOP);
    if (can_raise)
        lc_stop_check(L, host);
}

/* ---- in a loop of the job ---- */

static void end_loop(struct lc_loop *loop, struct lc_entry *entry)
{
    (void)entry;
    if (!is_asked(loop->host))
        return;
    push_error(loop->L, loop->host);
    lc_loop_raise(loop->L, loop);
}

static const struct lc_entry_type end_entry = {end_loop, NULL, NULL, NULL};

static void on_posted(struct lc_loop *loop)
{
    struct lc_stop *stop = loop->host->stop;

    if (stop != NULL && is_asked(loop->host) && !lc_entry_is_queued(&stop->entry))
        lc_loop_ready(loop, &stop->entry);
}

/* ---- the signal ---- */

static void on_nudge(int number, siginfo_t *info, void *context)
{
    struct lc_stop *stop = lc_nudge_pointer(info);
    struct lc_host *host = stop != NULL ? stop->host : NULL;

    (void)number;
    (void)context;
    if (host == NULL)
        return;
    lc_hook_ask(host, LC_HOOK_STOP, serve_stop);
    if (host->loop != NULL)
        lc_loop_post(host->loop);
}

bool lc_stop_install(void)
{
    /* a system call that blocks is to end */
    return lc_nudge_install(&nudge, on_nudge, 0);
}

void lc_stop_remove(void)
{
    lc_nudge_remove(&nudge);
}

void lc_stop_open(struct lc_stop *stop, struct lc_host *host)
{
    atomic_init(&stop->reason, LC_STOP_NONE);
    atomic_init(&stop->always, false);
    lc_list_init(&stop->link);
    lc_entry_init(&stop->entry, &end_entry);
    stop->thread = (pid_t)syscall(SYS_gettid);
    stop->host = host;
    if (host != NULL) {
        host->stop = stop;
        host->on_posted = on_posted;
    }
    lc_nudge_allow(&nudge, true);
}

void lc_stop_close(struct lc_stop *stop)
{
    lc_nudge_allow(&nudge, false);
    if (stop->host != NULL)
        stop->host->stop = NULL;
    stop->host = NULL;
}

void lc_stop_clear(struct lc_stop *stop)
{
    if (stop->host != NULL)
        lc_hook_withdraw(stop->host->L, stop->host, LC_HOOK_STOP);
}

void lc_stop_send(struct lc_stop *stop)
{
    lc_nudge_send(&nudge, stop->thread, stop);
}
