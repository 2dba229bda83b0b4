/*
 * signal: signal handlers of loops, and Ctrl-C. See host/signals.h.
 * Owner: a signal's record is a userdata that the host anchors while the handler is set.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <lauxlib.h>

#include "core.h"
#include "handle.h"
#include "loop_object.h"
#include "permit.h"
#include "signals.h"

#ifndef NSIG
#define NSIG 65
#endif

struct signal_record {
    struct lc_link link; /* loop->signals */
    struct lc_loop *loop;
    struct lc_handle *handle;
    struct sigaction old;
    atomic_int pending;
    int number;
    pid_t process; /* in the child of a fork it is the parent's, and nobody's */
};

/* The only state of the process: who has a signal, and what a worker process was told. */
static _Atomic(struct signal_record *) owners[NSIG];
static _Atomic(struct lc_interrupt *) interrupt_now;
static struct {
    bool installed;
    unsigned seconds; /* from the first SIGTERM to the alarm; 0: none */
    atomic_bool pending;
} terminate;

static const struct {
    const char *name;
    int number;
} signal_defs[] = {
    {"SIGHUP", SIGHUP},   {"SIGINT", SIGINT},       {"SIGQUIT", SIGQUIT}, {"SIGILL", SIGILL},
    {"SIGABRT", SIGABRT}, {"SIGFPE", SIGFPE},       {"SIGKILL", SIGKILL}, {"SIGSEGV", SIGSEGV},
    {"SIGPIPE", SIGPIPE}, {"SIGALRM", SIGALRM},     {"SIGTERM", SIGTERM}, {"SIGUSR1", SIGUSR1},
    {"SIGUSR2", SIGUSR2}, {"SIGCHLD", SIGCHLD},     {"SIGCONT", SIGCONT}, {"SIGSTOP", SIGSTOP},
    {"SIGTSTP", SIGTSTP}, {"SIGTTIN", SIGTTIN},     {"SIGTTOU", SIGTTOU}, {"SIGWINCH", SIGWINCH},
    {"SIGBUS", SIGBUS},   {"SIGURG", SIGURG},       {"SIGIO", SIGIO},     {"SIGSYS", SIGSYS},
    {"SIGTRAP", SIGTRAP}, {"SIGVTALRM", SIGVTALRM}, {"SIGXCPU", SIGXCPU}, {"SIGXFSZ", SIGXFSZ},
};

/* ---- signal handlers of the process ---- */

/* The main thread makes and frees what handlers look at: in another one it could go meanwhile. True: the signal
 * is on its way to the main thread. */
static bool pass_on(int number)
{
    if (syscall(SYS_gettid) == getpid())
        return false;
    syscall(SYS_tgkill, getpid(), getpid(), number);
    return true;
}

static void on_signal(int number)
{
    int saved = errno;
    struct signal_record *record = atomic_load(&owners[number]);

    if (record != NULL && !pass_on(number)) {
        atomic_fetch_add(&record->pending, 1);
        lc_loop_post(record->loop);
    }
    errno = saved;
}

/* Whether a first Ctrl-C is for the Lua code that runs now: an input at the prompt. */
static bool is_in_input(const struct lc_interrupt *interrupt)
{
    const struct lc_host *host = interrupt->loop->host;

    return interrupt->mode == LC_INTERRUPT_INPUT && interrupt->main != NULL &&
           host->running != NULL && host->current == interrupt->main;
}

/* In the Lua code that a second Ctrl-C interrupts, or in an input the first. */
static void serve_interrupt(lua_State *L, struct lc_host *host, bool can_raise)
{
    struct lc_interrupt *interrupt = atomic_load(&interrupt_now);
    int count;

    if (interrupt == NULL)
        return;
    count = atomic_load(&interrupt->count);
    if (count < 1 || interrupt->seen >= (count < 2 ? count : 2) ||
        (count == 1 && !is_in_input(interrupt)))
        return;
    if (!can_raise) {
        lc_hook_ask_again(L, host, LC_HOOK_INTERRUPT);
        return;
    }
    interrupt->seen = count < 2 ? 1 : 2;
    interrupt->loop->host->interrupted = true;
    lc_error_push_bare(L, interrupt->loop->host, LC_KEYBOARD_INTERRUPT);
    lua_error(L);
}

static void on_interrupt(int number)
{
    int saved = errno;
    struct lc_interrupt *interrupt = atomic_load(&interrupt_now);
    int count;

    if (interrupt == NULL || pass_on(number)) {
        errno = saved;
        return;
    }
    if (interrupt->mode == LC_INTERRUPT_PROMPT && interrupt->loop->host->running == NULL)
        atomic_store(&interrupt->count, 0);
    count = atomic_fetch_add(&interrupt->count, 1) + 1;
    if (count >= 3) {
        signal(number, SIG_DFL);
        raise(number);
    } else if (count == 2 || is_in_input(interrupt)) {
        lc_hook_ask(interrupt->loop->host, LC_HOOK_INTERRUPT, serve_interrupt);
    }
    lc_loop_post(interrupt->loop);
    errno = saved;
}

/* ---- SIGTERM in a worker process ---- */

static void on_terminate(int number)
{
    int saved = errno;
    struct lc_interrupt *interrupt = atomic_load(&interrupt_now);

    if (interrupt != NULL && pass_on(number)) {
        errno = saved;
        return;
    }
    atomic_store(&terminate.pending, true);
    if (terminate.seconds > 0)
        alarm(terminate.seconds);
    terminate.seconds = 0;
    if (interrupt != NULL)
        lc_loop_post(interrupt->loop);
    errno = saved;
}

void lc_terminate_install(double seconds)
{
    struct sigaction action;

    terminate.installed = true;
    terminate.seconds = seconds < 1e9 ? (unsigned)seconds + 1 : 0;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_terminate;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
}

static void take_terminate(struct lc_interrupt *interrupt)
{
    if (interrupt->main == NULL || lc_future_is_done(&interrupt->main->future) ||
        !atomic_exchange(&terminate.pending, false))
        return;
    interrupt->terminated = true;
    interrupt->seen = 1;
    lc_task_cancel(interrupt->loop->L, interrupt->main, 0);
}

/* ---- Ctrl-C ---- */

/* What the outer loop, which does not go on for now, was sent and did not act upon yet is for the new
 * one: it may be a Ctrl-C that came just before. */
static void take_over(struct lc_interrupt *interrupt, struct lc_interrupt *outer)
{
    int pending = atomic_load(&outer->count) - outer->seen;

    if (pending <= 0)
        return;
    atomic_store(&outer->count, outer->seen);
    atomic_fetch_add(&interrupt->count, pending);
    lc_loop_post(interrupt->loop);
}

void lc_interrupt_install(struct lc_host *host, struct lc_interrupt *interrupt,
                          struct lc_loop *loop, struct lc_task *main)
{
    struct sigaction action;

    memset(interrupt, 0, sizeof *interrupt);
    atomic_init(&interrupt->count, 0);
    interrupt->loop = loop;
    interrupt->main = main;
    if (syscall(SYS_gettid) != getpid() || sigaction(SIGINT, NULL, &interrupt->old) != 0)
        return;
    /* over the default one, ours, or the one that the lua interpreter sets */
    if (interrupt->old.sa_handler != SIG_DFL && interrupt->old.sa_handler != on_interrupt &&
        (!host->is_module || interrupt->old.sa_handler == SIG_IGN) && !terminate.installed)
        return;
    interrupt->outer = atomic_load(&interrupt_now);
    /* without a main task it is the end of a run */
    if (main != NULL && interrupt->outer == NULL)
        host->interrupted = false;
    atomic_store(&interrupt_now, interrupt);
    interrupt->installed = true;
    if (terminate.installed) {
        lc_loop_post(loop); /* it may have come before */
        return;
    }
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    if (main != NULL && interrupt->outer != NULL)
        take_over(interrupt, interrupt->outer);
}

void lc_interrupt_remove(struct lc_interrupt *interrupt)
{
    struct sigaction now;

    if (!interrupt->installed)
        return;
    if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == on_interrupt)
        sigaction(SIGINT, &interrupt->old, NULL);
    atomic_store(&interrupt_now, interrupt->outer);
    interrupt->installed = false;
}

void lc_interrupt_forget_main(struct lc_interrupt *interrupt)
{
    interrupt->main = NULL;
}

bool lc_interrupt_restart(struct lc_loop *loop, enum lc_interrupt_mode mode)
{
    struct lc_interrupt *interrupt = atomic_load(&interrupt_now);
    bool seen;

    if (interrupt == NULL || interrupt->loop != loop || interrupt->main == NULL)
        return false;
    seen = interrupt->seen > 0;
    interrupt->mode = mode;
    interrupt->seen = 0;
    loop->host->interrupted = false;
    atomic_store(&interrupt->count, 0);
    return seen;
}

/* In the loop's thread: acts upon the Ctrl-Cs that arrived. */
static void take_interrupts(struct lc_loop *loop)
{
    struct lc_interrupt *interrupt = atomic_load(&interrupt_now);
    int count;

    if (interrupt == NULL || interrupt->loop != loop)
        return;
    take_terminate(interrupt);
    count = atomic_load(&interrupt->count);
    if (count >= 1 && interrupt->seen == 0 && interrupt->main != NULL &&
        !lc_future_is_done(&interrupt->main->future)) {
        interrupt->seen = 1;
        loop->host->interrupted = true;
        lc_task_cancel(loop->L, interrupt->main, 0);
    }
    if (count >= 2 && interrupt->seen < 2) {
        interrupt->seen = 2;
        loop->host->interrupted = true;
        lc_error_push_bare(loop->L, loop->host, LC_KEYBOARD_INTERRUPT);
        lc_loop_raise(loop->L, loop);
    }
}

void lc_signals_take(struct lc_loop *loop)
{
    take_interrupts(loop);
    for (struct lc_link *link = loop->signals.next; link != &loop->signals; link = link->next) {
        struct signal_record *record = lc_container_of(link, struct signal_record, link);

        if (atomic_exchange(&record->pending, 0) > 0 &&
            !lc_entry_is_queued(&record->handle->timer.entry))
            lc_loop_ready(loop, &record->handle->timer.entry);
    }
}

/* ---- loop:add_signal_handler ---- */

static void record_remove(lua_State *L, struct signal_record *record)
{
    struct lc_host *host = record->loop->host;
    int top = lua_gettop(L);

    atomic_store(&owners[record->number], NULL);
    sigaction(record->number, &record->old, NULL);
    lc_list_unlink(&record->link);
    host->watchers--;
    lc_anchor_push(L, host, record->handle->anchor);
    lc_handle_cancel(L, record->handle, top + 1);
    lua_settop(L, top);
    lc_realloc(host, record, sizeof *record, 0);
}

void lc_signals_remove_all(lua_State *L, struct lc_loop *loop)
{
    while (!lc_list_empty(&loop->signals))
        record_remove(L, lc_container_of(loop->signals.next, struct signal_record, link));
}

int lc_check_signal(lua_State *L, struct lc_host *host, const char *what)
{
    lua_Integer number;

    if (lua_type(L, 2) == LUA_TSTRING) {
        for (size_t i = 0; i < sizeof signal_defs / sizeof signal_defs[0]; i++) {
            if (strcmp(signal_defs[i].name, lua_tostring(L, 2)) == 0)
                return signal_defs[i].number;
        }
        lc_raise(L, host, LC_VALUE_ERROR, "bad argument #1 to '%s' (unknown signal '%s')", what,
                 lua_tostring(L, 2));
    }
    number = lc_check_integer(L, 2, what, 1);
    if (number < 1 || number >= NSIG)
        lc_raise(L, host, LC_VALUE_ERROR, "bad argument #1 to '%s' (signal number out of range)",
                 what);
    return (int)number;
}

/* loop:add_signal_handler(signal, fn, ...) */
static int loop_add_signal_handler(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "add_signal_handler");
    struct lc_host *host = loop->host;
    int number = lc_check_signal(L, host, "add_signal_handler");
    struct signal_record *record;
    struct sigaction action;

    lc_permit_outside(L, host, "add_signal_handler");
    if (lua_tocfunction(L, 3) != NULL && lc_is_async_function(L, 3))
        lc_raise(L, host, LC_TYPE_ERROR, "coroutines cannot be used with add_signal_handler()");
    lc_check_callable(L, 3, "add_signal_handler", 2);
    if (number == SIGKILL || number == SIGSTOP)
        lc_raise(L, host, LC_RUNTIME_ERROR, "sig %d cannot be caught", number);
    if (syscall(SYS_gettid) != getpid())
        lc_raise(L, host, LC_RUNTIME_ERROR,
                 "add_signal_handler() can only be called from the main thread");
    record = atomic_load(&owners[number]);
    if (record != NULL && record->process != getpid())
        record = NULL;
    if (record != NULL && record->loop != loop)
        lc_raise(L, host, LC_RUNTIME_ERROR, "signal %d is handled by another event loop", number);
    if (record != NULL)
        record_remove(L, record);
    record = lc_realloc(host, NULL, 0, sizeof *record);
    if (record == NULL)
        return luaL_error(L, "not enough memory");
    memset(record, 0, sizeof *record);
    lc_list_init(&record->link);
    record->loop = loop;
    record->number = number;
    record->process = getpid();
    atomic_init(&record->pending, 0);
    record->handle = lc_handle_new(L, host, loop, 3, 0);
    record->handle->repeats = true;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    atomic_store(&owners[number], record);
    sigaction(number, &action, &record->old);
    lc_list_append(&loop->signals, &record->link);
    host->watchers++;
    return 0;
}

/* loop:remove_signal_handler(signal) -> boolean */
static int loop_remove_signal_handler(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "remove_signal_handler");
    int number = lc_check_signal(L, loop->host, "remove_signal_handler");
    struct signal_record *record = atomic_load(&owners[number]);

    if (record == NULL || record->loop != loop) {
        lua_pushboolean(L, 0);
        return 1;
    }
    record_remove(L, record);
    lua_pushboolean(L, 1);
    return 1;
}

void lc_open_signal(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"add_signal_handler", loop_add_signal_handler},
                                       {"remove_signal_handler", loop_remove_signal_handler},
                                       {NULL, NULL}};

    lc_loop_add_methods(L, host, methods);
    lua_newtable(L);
    for (size_t i = 0; i < sizeof signal_defs / sizeof signal_defs[0]; i++) {
        lua_pushinteger(L, signal_defs[i].number);
        lua_setfield(L, -2, signal_defs[i].name);
    }
    lua_setfield(L, -2, "signal");
}
