#include "watchdog.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>

#include "error.h"
#include "future.h"
#include "host.h"
#include "loop.h"
#include "nudge.h"
#include "task.h"

/* How often the thread looks while a limit lasts; seconds between two looks. */
#define LOOKS    4
#define LOOK_MIN 0.002
#define LOOK_MAX 1.0

/* Levels of a stack that are printed at its top and at its bottom. */
#define STACK_TOP    10
#define STACK_BOTTOM 11

/* Longer reports are cut. */
#define TEXT_MAX 4096

/* What the hook is asked to do. */
enum { ASK_NOTE = 1, ASK_PRINT = 2, ASK_RAISE = 4, ASK_RAISE_ALWAYS = 8 };

struct lc_watchdog {
    struct lc_host *host;
    pid_t pid; /* a fork has no such thread */
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows, which the loop's thread writes */
    pthread_cond_t changed;
    bool quit;
    bool kill;
    double limit; /* seconds; 0: none */
    double slow;  /* of debug mode; 0: none */
    /* of the thread alone */
    double since;      /* when the step that runs was seen first */
    double next;       /* how long it may hold the loop until the next report */
    bool noted;        /* its line was asked for */
    bool raised;       /* the error was asked for */
    double asked_when; /* of the last report; 0: none without an answer */
    /* of both */
    atomic_int tid; /* the loop's thread */
    atomic_uint asked;
    atomic_bool raising;         /* the step that runs is raised in until it ends */
    _Atomic(double) asked_since; /* when the step was seen first */
    /* of the loop's thread alone */
    bool has_place;
    char place[LUA_IDSIZE + 16];
};

static double now_seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* ---- the hook, in the Lua code that holds the loop ---- */

/* The text of a report. It is made without a call that could fail: a hook may stand anywhere. */
struct text {
    size_t length;
    char data[TEXT_MAX];
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    size_t room = sizeof text->data - text->length;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text->data + text->length, room, format, args);
    va_end(args);
    if (n > 0)
        text->length += (size_t)n < room ? (size_t)n : room - 1;
}

static void add_frame(struct text *text, lua_State *L, lua_Debug *ar)
{
    lua_getinfo(L, "Sln", ar);
    if (ar->currentline > 0)
        add(text, "\n\t%s:%d: in ", ar->short_src, ar->currentline);
    else
        add(text, "\n\t%s: in ", ar->short_src);
    if (ar->name != NULL)
        add(text, "%s '%s'", ar->namewhat[0] != '\0' ? ar->namewhat : "function", ar->name);
    else if (ar->what[0] == 'm')
        add(text, "main chunk");
    else if (ar->what[0] == 'C')
        add(text, "?");
    else
        add(text, "function <%s:%d>", ar->short_src, ar->linedefined);
}

static void add_stack(struct text *text, lua_State *L)
{
    lua_Debug ar;
    int depth = 0;

    while (lua_getstack(L, depth, &ar))
        depth++;
    for (int level = 0; level < depth && lua_getstack(L, level, &ar); level++) {
        if (level == STACK_TOP && depth > STACK_TOP + STACK_BOTTOM) {
            level = depth - STACK_BOTTOM - 1;
            add(text, "\n\t... (%d levels)", level - STACK_TOP + 1);
            continue;
        }
        add_frame(text, L, &ar);
    }
}

static void add_name(struct text *text, lua_State *L, struct lc_task *task)
{
    if (task == NULL) {
        add(text, "a callback");
    } else if (task->number != 0 || !lua_checkstack(L, 6)) {
        add(text, "Task-%u", task->number);
    } else {
        lc_task_push(L, task);
        lc_future_push_extra(L, -1, LC_EXTRA_NAME);
        add(text, "%s", lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "Task-1");
        lua_pop(L, 2);
    }
}

static void print_step(lua_State *L, struct lc_host *host, double seconds)
{
    struct lc_task *task = host->current;
    struct text text = {.length = 0};

    add(&text, "lucio: watchdog: ");
    add_name(&text, L, task);
    add(&text, " has held the loop for %.2f s\nstack traceback:", seconds);
    add_stack(&text, L);
    if (task != NULL && task->thread != NULL && task->thread != L) {
        add(&text, "\nin a coroutine of:");
        add_stack(&text, task->thread);
    }
    if (text.length > TEXT_MAX - 2)
        text.length = TEXT_MAX - 2;
    add(&text, "\n");
    lc_host_log(host, text.data);
}

static void note_place(lua_State *L, struct lc_watchdog *watchdog)
{
    lua_Debug ar;

    if (!lc_find_position(L, &ar))
        return;
    snprintf(watchdog->place, sizeof watchdog->place, "%s:%d", ar.short_src, ar.currentline);
    watchdog->has_place = true;
}

static int raise_stuck_step(lua_State *L, struct lc_host *host)
{
    char text[32];

    snprintf(text, sizeof text, "%.3g", host->watchdog->limit);
    return lc_raise(L, host, LC_RUNTIME_ERROR, "step ran longer than %s s (watchdog)", text);
}

static void serve_step(lua_State *L, struct lc_host *host, bool can_raise)
{
    struct lc_watchdog *watchdog = host->watchdog;
    bool is_over = atomic_load(&host->pulse.begun); /* first: see forget_step */
    unsigned asked, later = 0;

    if (watchdog == NULL)
        return;
    asked = atomic_exchange(&watchdog->asked, 0);
    if (is_over)
        return;
    if (!can_raise)
        later = asked & (ASK_RAISE | ASK_RAISE_ALWAYS);
    atomic_fetch_or(&watchdog->asked, later);
    /* at every instruction until the step is over, so that no pcall goes on */
    if (later != 0 || atomic_load(&watchdog->raising))
        lc_hook_ask_again(L, host, LC_HOOK_WATCHDOG);
    if (asked & ASK_NOTE)
        note_place(L, watchdog);
    if (asked & ASK_PRINT)
        print_step(L, host, now_seconds() - atomic_load(&watchdog->asked_since));
    if (can_raise && (atomic_load(&watchdog->raising) || (asked & ASK_RAISE)))
        raise_stuck_step(L, host);
}

/* ---- the signal, in the loop's thread ---- */

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

static void on_nudge(int number, siginfo_t *info, void *context)
{
    struct lc_watchdog *watchdog = lc_nudge_pointer(info);

    (void)number;
    (void)context;
    if (watchdog != NULL && watchdog->host->loop != NULL)
        lc_hook_ask(watchdog->host, LC_HOOK_WATCHDOG, serve_step);
}

/* Asks the hook for something, by way of the loop's thread. */
static void ask(struct lc_watchdog *watchdog, unsigned what)
{
    atomic_store(&watchdog->asked_since, watchdog->since);
    atomic_fetch_or(&watchdog->asked, what);
    lc_nudge_send(&nudge, atomic_load(&watchdog->tid), watchdog);
}

/* ---- the thread ---- */

/* No Lua code took the last report: the step is inside of a C function. */
static void report_silence(double held)
{
    char text[160];
    int length = snprintf(text, sizeof text,
                          "lucio: watchdog: a step has held the loop for %.2f s, inside of a C "
                          "function\n",
                          held);

    /* not by stdio, whose lock the step may hold */
    if (write(STDERR_FILENO, text, (size_t)length) < 0)
        return;
}

/* The step has run for longer than it may. */
static void overrun(struct lc_watchdog *watchdog, double held, double now)
{
    unsigned what = ASK_PRINT;

    /* what no Lua code took yet stays as it is */
    if (watchdog->kill && watchdog->raised && atomic_load(&watchdog->asked) == 0)
        what = ASK_RAISE_ALWAYS;
    else if (watchdog->kill)
        what = ASK_PRINT | ASK_RAISE;
    if (what == ASK_RAISE_ALWAYS)
        atomic_store(&watchdog->raising, true);
    watchdog->raised = watchdog->kill;
    watchdog->next = watchdog->kill ? held + watchdog->limit : held * 2;
    watchdog->asked_when = now;
    ask(watchdog, what);
}

/* Another step has begun, or none runs. */
static void forget_step(struct lc_watchdog *watchdog, double now)
{
    watchdog->since = now;
    watchdog->next = watchdog->limit;
    watchdog->noted = false;
    watchdog->raised = false;
    watchdog->asked_when = 0;
    /* before the pulse is set back, so that no hook takes the next step for the one it was meant for */
    atomic_store(&watchdog->raising, false);
    atomic_store(&watchdog->asked, 0);
    atomic_store(&watchdog->host->pulse.begun, false);
}

static void look(struct lc_watchdog *watchdog)
{
    struct lc_pulse *pulse = &watchdog->host->pulse;
    double now = now_seconds(), held;

    if (atomic_load(&pulse->begun) || !atomic_load(&pulse->active)) {
        forget_step(watchdog, now);
        return;
    }
    held = now - watchdog->since;
    if (watchdog->slow > 0 && held >= watchdog->slow && !watchdog->noted) {
        watchdog->noted = true;
        ask(watchdog, ASK_NOTE);
    }
    if (watchdog->limit <= 0)
        return;
    if (watchdog->asked_when > 0 && now > watchdog->asked_when) {
        watchdog->asked_when = 0;
        if (atomic_load(&watchdog->asked) != 0)
            report_silence(held);
    }
    if (held >= watchdog->next)
        overrun(watchdog, held, now);
}

/* Seconds until the next look; 0: there is nothing to look for. */
static double look_period(const struct lc_watchdog *watchdog)
{
    double least = watchdog->limit;
    double period;

    if (watchdog->slow > 0 && (least <= 0 || watchdog->slow < least))
        least = watchdog->slow;
    period = least / LOOKS;
    if (period > 0 && period < LOOK_MIN)
        return LOOK_MIN;
    return period < LOOK_MAX ? period : LOOK_MAX;
}

static void *thread_main(void *argument)
{
    struct lc_watchdog *watchdog = argument;

    pthread_mutex_lock(&watchdog->mutex);
    while (!watchdog->quit) {
        double period = look_period(watchdog), until = now_seconds() + period;
        struct timespec ts = {(time_t)until, (long)((until - floor(until)) * 1e9)};

        if (period <= 0)
            pthread_cond_wait(&watchdog->changed, &watchdog->mutex);
        else if (pthread_cond_timedwait(&watchdog->changed, &watchdog->mutex, &ts) == ETIMEDOUT)
            look(watchdog);
    }
    pthread_mutex_unlock(&watchdog->mutex);
    return NULL;
}

/* Starts the thread with all signals masked. Returns an errno. */
static int thread_start(struct lc_watchdog *watchdog)
{
    pthread_condattr_t attributes;
    sigset_t all, old;
    int error;

    pthread_mutex_init(&watchdog->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watchdog->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&watchdog->thread, NULL, thread_main, watchdog);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return error;
}

/* ---- life ---- */

/* Makes the host's watchdog, unless it has one. Returns an errno. */
static int watchdog_open(struct lc_host *host)
{
    struct lc_watchdog *watchdog = host->watchdog;
    int error;

    if (watchdog != NULL)
        return watchdog->pid == getpid() ? 0 : ENOTSUP;
    watchdog = lc_realloc(host, NULL, 0, sizeof *watchdog);
    if (watchdog == NULL)
        return ENOMEM;
    memset(watchdog, 0, sizeof *watchdog);
    watchdog->host = host;
    watchdog->pid = getpid();
    atomic_init(&watchdog->tid, (int)syscall(SYS_gettid));
    error = lc_nudge_install(&nudge, on_nudge, SA_RESTART) ? 0 : EAGAIN;
    if (error == 0) {
        error = thread_start(watchdog);
        if (error == 0) {
            host->watchdog = watchdog;
            return 0;
        }
        lc_nudge_remove(&nudge);
    }
    lc_realloc(host, watchdog, sizeof *watchdog, 0);
    return error;
}

void lc_watchdog_set(lua_State *L, struct lc_host *host, double seconds, bool kill)
{
    struct lc_watchdog *watchdog;
    int error;

    if (seconds <= 0 && host->watchdog == NULL)
        return;
    error = watchdog_open(host);
    if (error != 0)
        lc_raise(L, host, LC_RUNTIME_ERROR, "cannot start the watchdog: %s", strerror(error));
    watchdog = host->watchdog;
    pthread_mutex_lock(&watchdog->mutex);
    watchdog->limit = isfinite(seconds) ? seconds : 0;
    watchdog->kill = kill;
    atomic_store(&host->pulse.begun, true);
    pthread_cond_signal(&watchdog->changed);
    pthread_mutex_unlock(&watchdog->mutex);
}

void lc_watchdog_watch(struct lc_host *host, struct lc_loop *loop)
{
    double slow =
        loop->debug && isfinite(loop->slow_callback_duration) && loop->slow_callback_duration > 0
            ? loop->slow_callback_duration
            : 0;
    struct lc_watchdog *watchdog;

    /* without the thread only the line is not known */
    if ((host->watchdog == NULL && slow == 0) || watchdog_open(host) != 0)
        return;
    watchdog = host->watchdog;
    atomic_store(&watchdog->tid, (int)syscall(SYS_gettid));
    pthread_mutex_lock(&watchdog->mutex);
    if (watchdog->slow != slow) {
        watchdog->slow = slow;
        pthread_cond_signal(&watchdog->changed);
    }
    pthread_mutex_unlock(&watchdog->mutex);
}

const char *lc_watchdog_place(struct lc_host *host)
{
    struct lc_watchdog *watchdog = host->watchdog;

    if (watchdog == NULL || !watchdog->has_place)
        return NULL;
    watchdog->has_place = false;
    return watchdog->place;
}

void lc_watchdog_free(struct lc_host *host)
{
    struct lc_watchdog *watchdog = host->watchdog;

    if (watchdog == NULL)
        return;
    host->watchdog = NULL;
    if (watchdog->pid == getpid()) {
        pthread_mutex_lock(&watchdog->mutex);
        watchdog->quit = true;
        pthread_cond_signal(&watchdog->changed);
        pthread_mutex_unlock(&watchdog->mutex);
        pthread_join(watchdog->thread, NULL);
        lc_nudge_remove(&nudge);
        pthread_cond_destroy(&watchdog->changed);
        pthread_mutex_destroy(&watchdog->mutex);
    }
    lc_realloc(host, watchdog, sizeof *watchdog, 0);
}
