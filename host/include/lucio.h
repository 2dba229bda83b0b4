/*
 * lucio: tasks, futures and an event loop for Lua 5.4 in a C program.
 *
 * There are two ways to use this header.
 *
 * 1. A program that has a Lua state and wants scripts in it to have lucio needs only luaopen_lucio, at
 *    the end of this file.
 *
 * 2. A program that wants to run Lua as tasks opens a host. The rest of this file is about hosts:
 *
 *     lucio *host;
 *
 *     if (lucio_open(&host, NULL) != LUCIO_OK)
 *         return 1;
 *     if (lucio_run_string(host, "return require('lucio').sleep(0.1, 42)", NULL) != LUCIO_OK)
 *         fprintf(stderr, "%s\n", lucio_last_error(host)->message);
 *     lucio_close(host);
 *
 * Rules that hold everywhere:
 *
 * - Threads. A host belongs to the thread that opened it; only lucio_post, lucio_trigger_fire,
 *   lucio_retain and lucio_release may be called from others. Nothing is kept per process but the table
 *   of POSIX signals: any number of hosts live side by side, in one thread or in several.
 * - Forks. In the child of a fork, the parent's hosts must not be used, nor closed. It may open hosts of its own.
 * - Errors. A function that can fail returns LUCIO_OK or a negative status. What went wrong is in
 *   lucio_last_error until the next call that fails. No function jumps out of the caller's frame, and none of the
 *   program's may jump out of one that lucio calls: neither by longjmp nor by an exception of C++.
 * - Strings are UTF-8 or any bytes, with a length; those handed to lucio are copied. Time is in
 *   seconds, memory in bytes.
 * - Ownership. What a function makes for the caller (a reference, a future, a trigger) is the caller's
 *   to free by the function named with it; freeing NULL does nothing. They may be freed after their host
 *   was closed, and must be freed for its memory to go.
 * - Bad handles. NULL, a handle that was freed, one of a closed host, of another host or of another kind, and a
 *   lucio_call that is over, are refused: by a status, NULL or false, and lucio_last_error says why; a function
 *   that frees has no status, so that this is logged. The memory of handles is used again, and an old one may be
 *   taken for a newer one when 500 others of its kind have been freed since; so free each once. All that ends with
 *   the memory of the host: when it is closed, its last handle freed, and what lucio_retain gave, given back. From
 *   then on, and of pointers that never were handles, nothing can be told, and they must not be used.
 * - "Runs Lua" says that scripts may run before the function returns, and with them any C function
 *   registered here. A function that does not say so runs none.
 */
#ifndef LUCIO_H
#define LUCIO_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LUCIO_API __attribute__((visibility("default")))

#define LUCIO_VERSION       "0.1.0"
#define LUCIO_VERSION_MAJOR 0
#define LUCIO_VERSION_MINOR 1
#define LUCIO_VERSION_PATCH 0

struct lua_State;
struct ev_loop;

typedef struct lucio lucio;                 /* a host: a Lua state with a loop */
typedef struct lucio_ref lucio_ref;         /* a Lua value held by C */
typedef struct lucio_future lucio_future;   /* a Future or Task held by C */
typedef struct lucio_call lucio_call;       /* a call of a C function by Lua */
typedef struct lucio_trigger lucio_trigger; /* something that a signal handler may fire */

enum lucio_status {
    LUCIO_OK = 0,
    LUCIO_ERROR = -1,     /* Lua raised an error, or the awaited future failed */
    LUCIO_NO_MEMORY = -2, /* the allocator refused, or the memory limit is reached */
    LUCIO_INVALID = -3,   /* an argument is wrong: lucio_last_error names it */
    LUCIO_BUSY =
        -4, /* not now: the host is running, the state has a host already, or it would wait */
    LUCIO_CLOSED = -5,    /* the host was closed */
    LUCIO_CANCELLED = -6, /* the future was cancelled */
    LUCIO_EXIT = -7,      /* a script called lucio.exit or os.exit: see lucio_exit_code */
    LUCIO_PENDING = -8    /* the future is not done */
};

/* A constant text for the status. */
LUCIO_API const char *lucio_status_text(int status);

/* ---- Values ---- */

enum lucio_type {
    LUCIO_NIL,
    LUCIO_BOOLEAN,
    LUCIO_INTEGER,
    LUCIO_NUMBER,
    LUCIO_STRING,
    LUCIO_POINTER, /* light userdata */
    LUCIO_OBJECT   /* anything else: a table, function, userdata, coroutine */
};

/* A Lua value as C sees it. A string that lucio hands out belongs to lucio; each function says for how
 * long. An object that lucio hands out is a reference that the caller frees. */
struct lucio_value {
    enum lucio_type type;
    union {
        bool boolean;
        long long integer;
        double number;
        struct {
            const char *data;
            size_t length;
        } string;
        void *pointer;
        lucio_ref *object;
    } as;
};

/* Makers of values, for arguments and results. lucio_string takes a text that ends in a zero byte. */
LUCIO_API struct lucio_value lucio_nil(void);
LUCIO_API struct lucio_value lucio_boolean(bool boolean);
LUCIO_API struct lucio_value lucio_integer(long long integer);
LUCIO_API struct lucio_value lucio_number(double number);
LUCIO_API struct lucio_value lucio_string(const char *text);
LUCIO_API struct lucio_value lucio_bytes(const void *data, size_t length);
LUCIO_API struct lucio_value lucio_pointer(void *pointer);
LUCIO_API struct lucio_value lucio_object(lucio_ref *object);
/* The Future or Task itself, so that Lua can await or cancel it. */
LUCIO_API struct lucio_value lucio_awaitable(lucio_future *future);

/* ---- Errors ---- */

struct lucio_error {
    const char *class_name; /* "ValueError"...; "" for a bare Lua value */
    const char *message;
    const char *traceback; /* "" where there is none */
};

/* The error of the last call that failed; its texts are good until the next one that fails. Never NULL;
 * of a host on which nothing has failed all three are empty. */
LUCIO_API const struct lucio_error *lucio_last_error(lucio *host);

/* The status that a script asked for when a call returned LUCIO_EXIT. */
LUCIO_API int lucio_exit_code(lucio *host);

/* ---- Life ---- */

/* Libraries of Lua for a state that the host makes; lucio itself is always there. */
enum lucio_library {
    LUCIO_LIB_BASE = 1 << 0, /* with coroutine and require's package.preload */
    LUCIO_LIB_TABLE = 1 << 1,
    LUCIO_LIB_STRING = 1 << 2, /* with utf8 */
    LUCIO_LIB_MATH = 1 << 3,
    LUCIO_LIB_IO = 1 << 4,
    LUCIO_LIB_OS = 1 << 5,
    LUCIO_LIB_PACKAGE = 1 << 6, /* require looks for files */
    LUCIO_LIB_DEBUG = 1 << 7,
    LUCIO_LIB_ALL = (1 << 8) - 1
};

struct lucio_config {
    size_t size; /* of this struct, set by lucio_config_init: newer libraries know what is there */

    /* An open state of the program's to work in, or NULL: the host makes one and closes it. A state of
     * the program's must outlive lucio_close, and no Lua function of it may be running then. */
    struct lua_State *state;
    /* For a state that the host makes: its libraries, default LUCIO_LIB_ALL. */
    unsigned libraries;
    /* For a state that the host makes: as lua_Alloc of the Lua manual; NULL: realloc and free. The shell
     * of the host, references and futures are from it too. */
    void *(*alloc)(void *data, void *block, size_t old_size, size_t new_size);
    void *alloc_data;
    /* For a state that the host makes: bytes it may use at most, together with the states of its worker threads and
     * processes; scripts get Lua's "not enough memory". 0: no limit. */
    size_t memory_limit;

    /* Instructions of the Lua machine that a step of a task (from one wait to the next) or a callback, and
     * a task in all, may use; 0: no limit. Beyond it the script gets a BudgetError, which it may catch; a
     * tenth of the limit later the step is ended, whatever it catches. C functions that loop by
     * themselves are not counted. */
    long long step_instructions;
    long long task_instructions;

    /* For a state that the host makes, to run code that nobody trusts: only the libraries base, coroutine,
     * table, string, utf8 and math; no finalizers, no precompiled chunks, no settings of the collector.
     * Best with both limits above: functions such as string.find and table.move are then charged for
     * their loops in C too. What modules of the program offer is the program's own business. */
    bool sandbox;

    /* A libev loop of the program's, or NULL: the host makes one. On a loop of the program's the host is
     * a guest: the program calls ev_run, and tasks run among its own watchers. The loop must outlive
     * lucio_close. */
    struct ev_loop *loop;
    /* Of a loop that the host makes: "epoll", "poll", "select", "io_uring"; NULL: libev's choice. */
    const char *backend;

    bool debug;         /* debug mode: slow steps, forgotten awaits... */
    bool virtual_clock; /* time jumps to the next deadline when nothing is ready; not for guests */

    /* Gets each text that lucio would print on stderr, with its newline. NULL: stderr gets it. */
    void (*on_log)(lucio *host, const char *text, size_t length, void *data);
    /* Gets each error that reaches the loop's exception handler: of callbacks, and of tasks whose failure
     * nobody retrieved. It may not call lucio but for lucio_post. NULL: such errors are logged. */
    void (*on_error)(lucio *host, const struct lucio_error *error, void *data);
    void *data; /* passed to both */

    /* For a state that the host makes: what scripts may do outside of it, as kinds with lists:
     * "read=/srv/data,/tmp;net=127.0.0.1:*,example.com;env". The kinds are read, write (files and
     * directories, with all below), net (hosts, with or without a port), run (programs), env (variables)
     * and load (libraries of C); one without a list is allowed as a whole. A backslash takes its meaning
     * from a comma, a semicolon, or a backslash. All that is not named raises PermissionError; "" allows
     * nothing. NULL: everything is allowed, in a sandbox nothing. What functions of the program do is its own business. */
    const char *allow;

    /* Seconds that tasks have for their clean-up when the host closes; after that every wait of theirs fails
     * at once. Negative: LUCIO_SHUTDOWN_TIMEOUT of the environment, or 10. */
    double shutdown_timeout;
};

/* Fills in the defaults. Call it as lucio_config_init(&config). */
LUCIO_API void lucio_config_init_sized(struct lucio_config *config, size_t size);
#define lucio_config_init(config) lucio_config_init_sized((config), sizeof *(config))

/* What lucio_open would refuse about the configuration, for a message; NULL: nothing, but a backend that is not to
 * be had. */
LUCIO_API const char *lucio_config_check(const struct lucio_config *config);

/* Opens a host; NULL stands for the default configuration. On failure *host is NULL.
 * LUCIO_NO_MEMORY, LUCIO_INVALID (lucio_config_check says why, or the backend is not to be had), LUCIO_BUSY (the
 * state has a host). */
LUCIO_API int lucio_open(lucio **host, const struct lucio_config *config);

/* Closes the host: cancels all tasks, lets their clean-up run to its end (of a guest: as far as it gets
 * without waiting), closes the loop, and the state if the host made it. The errors of clean-up are
 * reported. May be called at any time but from inside of a call of the host's, where it does nothing and
 * returns LUCIO_BUSY. The host is good after that only as long as a handle of it is left, or what lucio_retain
 * gave; a second call then returns LUCIO_CLOSED. NULL is fine. Runs Lua. */
LUCIO_API int lucio_close(lucio *host);

/* A thread that posts to a host keeps the handle good by a reference of its own; the host's functions
 * return LUCIO_CLOSED once it is closed. Any thread. */
LUCIO_API lucio *lucio_retain(lucio *host);
LUCIO_API void lucio_release(lucio *host);

/* The host's Lua state: its main thread, for a program that uses the Lua API as well. NULL once the host
 * is closed. */
LUCIO_API struct lua_State *lucio_state(lucio *host);

/* The data pointer of the configuration. */
LUCIO_API void *lucio_data(lucio *host);

/* ---- Lua values ---- */

LUCIO_API void lucio_ref_free(lucio_ref *ref);
/* One more reference to the same value. NULL: no memory, or a bad handle. */
LUCIO_API lucio_ref *lucio_ref_copy(lucio_ref *ref);
/* The name of the value's type as errors show it: "table", "function", "lucio.task", "lucio.Queue"... Good while
 * the host is open; "closed" when it is not, or the handle is bad. */
LUCIO_API const char *lucio_ref_type(lucio_ref *ref);

/* Global variables, without metamethods. A string is good until the next lucio_get_... call. */
LUCIO_API int lucio_get_global(lucio *host, const char *name, struct lucio_value *value);
LUCIO_API int lucio_set_global(lucio *host, const char *name, struct lucio_value value);

/* Tables: fields by any key, without metamethods. A string is good until the next lucio_get_... call. */
LUCIO_API int lucio_table_new(lucio *host, lucio_ref **table);
LUCIO_API int lucio_get_field(lucio_ref *table, struct lucio_value key, struct lucio_value *value);
LUCIO_API int lucio_set_field(lucio_ref *table, struct lucio_value key, struct lucio_value value);
/* The length of a list, as Lua's rawlen; 0 for what has none. */
LUCIO_API size_t lucio_length(lucio_ref *table);

/* ---- Running ---- */

/* Compiles a chunk to a function that takes the script's arguments as `...`. `name` is for messages
 * ("=name" is shown as it is; NULL: "=string"). Only text is accepted, no precompiled chunks.
 * LUCIO_ERROR: the syntax is wrong. */
LUCIO_API int lucio_load_string(lucio *host, const char *code, size_t length, const char *name,
                                lucio_ref **function);
LUCIO_API int lucio_load_file(lucio *host, const char *path, lucio_ref **function);
/* Takes the value on top of lucio_state's stack, for programs that use the Lua API, and pops it. */
LUCIO_API int lucio_take(lucio *host, lucio_ref **value);

/* Makes a task that runs the function with n arguments; it starts in the next tick. `name` names it, NULL
 * leaves it a default name. With `task` NULL nobody holds the task; it runs all the same. */
LUCIO_API int lucio_spawn(lucio *host, lucio_ref *function, const char *name, size_t n,
                          const struct lucio_value *arguments, lucio_future **task);

/* Calls object:method(...) as a task whose first step runs now, whether or not the loop does: so it
 * stands in line, where there is one, before anybody who comes later. Runs Lua. */
LUCIO_API int lucio_call_method(lucio_ref *object, const char *method, size_t n,
                                const struct lucio_value *arguments, lucio_future **task);

/* Runs the loop until the future is done; what else is ready meanwhile runs too. Returns LUCIO_OK,
 * LUCIO_ERROR, LUCIO_CANCELLED as the future ended, or LUCIO_EXIT. LUCIO_INVALID: the loop is the
 * program's. LUCIO_BUSY: called from inside of a call of the host's. LUCIO_ERROR also when, under the
 * virtual clock, it waits for ever. Runs Lua. */
LUCIO_API int lucio_run(lucio *host, lucio_future *future);

/* Load, spawn and run in one. With `task` NULL the results are dropped; else there is a handle to free whenever the
 * chunk has run, also where it failed, and NULL when it could not be loaded. Tasks that the chunk leaves
 * behind go on whenever the loop is run, until lucio_close. Runs Lua. */
LUCIO_API int lucio_run_string(lucio *host, const char *code, lucio_future **task);
LUCIO_API int lucio_run_file(lucio *host, const char *path, size_t n,
                             const struct lucio_value *arguments, lucio_future **task);

/* One tick: polls without waiting, then runs what was ready, and nothing that this makes ready. Returns
 * LUCIO_OK or LUCIO_EXIT. Runs Lua. */
LUCIO_API int lucio_step(lucio *host);

/* Ticks until nothing is ready any more; later timers are not waited for. With a limit of seconds that
 * is not negative it ends with the tick in which they are over. Runs Lua. */
LUCIO_API int lucio_run_idle(lucio *host, double limit);

/* For a program with a loop that is not libev's: a descriptor to poll for reading and the seconds after
 * which to call lucio_step at the latest (0: at once; negative: no limit). Ask for both before each
 * poll: lucio_timeout also brings new descriptors to the kernel.
 * lucio_fd: LUCIO_INVALID for guests and for other back ends than epoll. */
LUCIO_API int lucio_fd(lucio *host);
LUCIO_API double lucio_timeout(lucio *host);

/* Unfinished tasks. */
LUCIO_API size_t lucio_task_count(lucio *host);

/* ---- Futures ---- */

/* A pending Future for C to complete. */
LUCIO_API int lucio_future_new(lucio *host, lucio_future **future);
/* The Future or Task of any awaitable: of another awaitable than those two it makes a task. */
LUCIO_API int lucio_future_of(lucio_ref *awaitable, lucio_future **future);
/* Frees the handle. The future lives on where Lua holds it; a task runs on. */
LUCIO_API void lucio_future_free(lucio_future *future);

/* Completing: those that wait go on in the next tick. LUCIO_INVALID: it is done already, or it is a task.
 * An error is of the class that `lucio` has under that name; one that nobody retrieves is reported. */
LUCIO_API int lucio_future_set_result(lucio_future *future, size_t n,
                                      const struct lucio_value *results);
LUCIO_API int lucio_future_set_error(lucio_future *future, const char *class_name,
                                     const char *message);
/* A cancel request, as future:cancel(message); NULL: no message. LUCIO_INVALID: it is done. */
LUCIO_API int lucio_future_cancel(lucio_future *future, const char *message);

/* LUCIO_PENDING, LUCIO_OK (it has results), LUCIO_ERROR, LUCIO_CANCELLED, LUCIO_CLOSED. */
LUCIO_API int lucio_future_status(lucio_future *future);
/* How many results it has. */
LUCIO_API size_t lucio_future_count(lucio_future *future);
/* Result number i, from 0; nil where there is none. A string is good while the handle is. */
LUCIO_API struct lucio_value lucio_future_result(lucio_future *future, size_t i);
/* The error of a failed or cancelled future, which counts as retrieved; good while the handle is. NULL:
 * it did not fail, or there is no memory. */
LUCIO_API const struct lucio_error *lucio_future_error(lucio_future *future);

/* Calls fn one tick after the future is done, once; a second call of this replaces what was set, NULL
 * takes it back. Not called when the host closes first or the handle is freed. fn may free the handle. */
LUCIO_API int lucio_future_on_done(lucio_future *future,
                                   void (*fn)(lucio_future *future, void *data), void *data);

/* The name of a task; NULL of a plain future. Good until the next call. */
LUCIO_API const char *lucio_task_name(lucio_future *task);
LUCIO_API int lucio_task_set_name(lucio_future *task, const char *name);

/* ---- Queues, locks, events ---- */

/*
 * These are Lua's own: a reference to one that C has made is given to Lua by lucio_object, and one that Lua
 * has made, as it comes out of lucio_call_object, is as good here. Both sides stand in the same lines, first
 * come first served. They are used from the host's thread, inside of a tick or outside.
 *
 * What may have to wait comes in three forms:
 *
 * - try: it is done now, or LUCIO_BUSY.
 * - With a future: a task does it, which stands in line when the function returns. lucio_future_on_done tells
 *   when it is done, the future's results are those of the Lua method, lucio_future_cancel leaves the line.
 *   With `future` NULL nobody learns of it.
 * - lucio_await_... in a C function that Lua calls, or in a C-level task: it waits itself; see below.
 *
 * LUCIO_INVALID: the object is of another kind, or may not do that now.
 */
enum lucio_order {
    LUCIO_FIFO,    /* Queue */
    LUCIO_LIFO,    /* LifoQueue */
    LUCIO_PRIORITY /* PriorityQueue: the smallest first, by Lua's < */
};

/* A queue for so many items at once; 0: any number. */
LUCIO_API int lucio_queue_new(lucio *host, enum lucio_order order, long long maxsize,
                              lucio_ref **queue);
/* Adds an item, once there is room. After shutdown: LUCIO_ERROR, of the future or here; QueueShutDown. */
LUCIO_API int lucio_queue_put(lucio_ref *queue, struct lucio_value item, lucio_future **future);
LUCIO_API int lucio_queue_try_put(lucio_ref *queue, struct lucio_value item);
/* Takes an item: the future's result. A string of try is good until the next lucio_get_... call. */
LUCIO_API int lucio_queue_get(lucio_ref *queue, lucio_future **future);
LUCIO_API int lucio_queue_try_get(lucio_ref *queue, struct lucio_value *item);
/* How many items are in it; negative: a status. */
LUCIO_API long long lucio_queue_size(lucio_ref *queue);
/* What was taken is done with; join waits until that is so of all that was put. */
LUCIO_API int lucio_queue_task_done(lucio_ref *queue);
LUCIO_API int lucio_queue_join(lucio_ref *queue, lucio_future **future);
/* No more puts; gets, too, fail once it is empty, which it is at once if `immediate`. */
LUCIO_API int lucio_queue_shutdown(lucio_ref *queue, bool immediate);

LUCIO_API int lucio_lock_new(lucio *host, lucio_ref **lock);
/* A Semaphore, or a BoundedSemaphore, of so many permits. */
LUCIO_API int lucio_semaphore_new(lucio *host, long long permits, bool bounded,
                                  lucio_ref **semaphore);
/* A Condition with the Lock, or with one of its own: NULL. */
LUCIO_API int lucio_condition_new(lucio *host, lucio_ref *lock, lucio_ref **condition);

/* Of a Lock, a Semaphore or a Condition. Once it is taken it is for C to release, also when the future was
 * freed before. */
LUCIO_API int lucio_lock_acquire(lucio_ref *lock, lucio_future **future);
LUCIO_API int lucio_lock_try_acquire(lucio_ref *lock);
LUCIO_API int lucio_lock_release(lucio_ref *lock);
/* 1 or 0: whether acquiring would wait; negative: a status. */
LUCIO_API int lucio_lock_locked(lucio_ref *lock);

/* Gives back the condition's lock, which must be taken, waits to be notified, and takes it again. */
LUCIO_API int lucio_condition_wait(lucio_ref *condition, lucio_future **future);
/* Wakes n who wait, negative: all. The lock must be taken. */
LUCIO_API int lucio_condition_notify(lucio_ref *condition, long long n);

LUCIO_API int lucio_event_new(lucio *host, lucio_ref **event);
LUCIO_API int lucio_event_wait(lucio_ref *event, lucio_future **future);
/* Those that wait go on in the next tick. */
LUCIO_API int lucio_event_set(lucio_ref *event);
LUCIO_API int lucio_event_clear(lucio_ref *event);
/* 1 or 0; negative: a status. */
LUCIO_API int lucio_event_is_set(lucio_ref *event);

/* ---- What the tasks do ---- */

/* Calls `write`, once, with the text that lucio.print_tasks() prints: every task, what it waits for, and below
 * it whom it awaits. */
LUCIO_API int lucio_print_tasks(lucio *host,
                                void (*write)(const char *text, size_t length, void *data),
                                void *data);

/* A line of it. Texts are never NULL, "" where there is nothing to say. */
struct lucio_task_info {
    size_t size; /* of this struct: newer libraries may have more at its end */
    int depth;   /* 0: nobody awaits it; else who does is the last one before it of depth - 1 */
    bool again; /* several await it, and it came in full before: only kind, name and id are there */
    bool circle;      /* `again`, because it awaits itself in the end */
    const char *kind; /* "task", or what stands between tasks: "gather", "TaskGroup"... */
    const char *name; /* of the task; or what stands between: "gather of 3, 1 done" */
    long long id; /* of the task, unique in its host; 0: it is no task. What follows is of tasks: */
    const char *state;     /* "running", "ready", "waiting" */
    const char *waits_for; /* "sleep (1.000 s more)", "queue.get"... */
    const char *place;     /* where it is: "file:line in function 'name'" */
    const char *created;   /* where it was made: "file:line" */
    double seconds;        /* for which it has waited; negative: nothing to say */
    bool cancelling;       /* a cancel request is under way */
};

/* Calls `visit` with one record after the other, in the order of the text, until it returns false. They are of
 * the moment of the call, whatever `visit` does; it may call any function of lucio. Texts are good until it
 * returns. */
LUCIO_API int lucio_visit_tasks(lucio *host,
                                bool (*visit)(const struct lucio_task_info *info, void *data),
                                void *data);

/* ---- C functions that Lua calls ---- */

/* A C function for Lua. It looks at its arguments, and ends by returning what one of lucio_return,
 * lucio_raise, lucio_await gives. The call is good until the function returns, for the function itself: not
 * for a function that runs inside of what it calls. */
typedef int lucio_function(lucio_call *call, void *data);

LUCIO_API lucio *lucio_call_host(lucio_call *call);
LUCIO_API size_t lucio_call_count(lucio_call *call);
/* Argument number i, from 1; nil where there is none. A string is good until the function returns, an
 * object is a reference to free. */
LUCIO_API struct lucio_value lucio_call_value(lucio_call *call, size_t i);

/* Checked arguments. False: the argument is not of that type; the function then returns
 * lucio_bad_argument, which raises a TypeError that names it. A string is as that of lucio_call_value; `length` may
 * be NULL. What is an object or awaitable is a handle to free. */
LUCIO_API bool lucio_call_boolean(lucio_call *call, size_t i, bool *boolean);
LUCIO_API bool lucio_call_integer(lucio_call *call, size_t i, long long *integer);
LUCIO_API bool lucio_call_number(lucio_call *call, size_t i, double *number);
LUCIO_API bool lucio_call_string(lucio_call *call, size_t i, const char **data, size_t *length);
LUCIO_API bool lucio_call_object(lucio_call *call, size_t i, lucio_ref **object);
LUCIO_API bool lucio_call_awaitable(lucio_call *call, size_t i, lucio_future **future);
LUCIO_API int lucio_bad_argument(lucio_call *call);

/* The results are the n values. */
LUCIO_API int lucio_return(lucio_call *call, size_t n, const struct lucio_value *results);
/* Raises an error of the class that `lucio` has under that name, as "ValueError", else (or for NULL) a RuntimeError;
 * `format` as printf. */
LUCIO_API int lucio_raise(lucio_call *call, const char *class_name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Raises again what lucio_call_error tells of. */
LUCIO_API int lucio_reraise(lucio_call *call);

/* Suspends the task that calls until the future is done; then `next` is called in its place, with the
 * future's results as its arguments. With `next` NULL they are the function's results, and an error of
 * the future is raised. A cancelled task cancels the future: who completes it learns that from
 * lucio_future_on_done, and its status LUCIO_CANCELLED; `next` sees the CancelledError in
 * lucio_call_error. The handle of the future stays the caller's. */
LUCIO_API int lucio_await(lucio_call *call, lucio_future *future, lucio_function *next, void *data);

/* The same for a call of object:method(...), which the task makes itself, as Lua code would: it stands in line
 * as itself, and goes on in the same tick as Lua code. What it returns are the arguments of `next`. Runs
 * Lua. */
LUCIO_API int lucio_await_method(lucio_call *call, lucio_ref *object, const char *method, size_t n,
                                 const struct lucio_value *arguments, lucio_function *next,
                                 void *data);

/* And for queues, locks, events: the task itself puts, gets, acquires, waits. */
LUCIO_API int lucio_await_queue_put(lucio_call *call, lucio_ref *queue, struct lucio_value item,
                                    lucio_function *next, void *data);
LUCIO_API int lucio_await_queue_get(lucio_call *call, lucio_ref *queue, lucio_function *next,
                                    void *data);
LUCIO_API int lucio_await_queue_join(lucio_call *call, lucio_ref *queue, lucio_function *next,
                                     void *data);
LUCIO_API int lucio_await_lock(lucio_call *call, lucio_ref *lock, lucio_function *next, void *data);
LUCIO_API int lucio_await_condition(lucio_call *call, lucio_ref *condition, lucio_function *next,
                                    void *data);
LUCIO_API int lucio_await_event(lucio_call *call, lucio_ref *event, lucio_function *next,
                                void *data);

/* In a `next`: how what was awaited ended: LUCIO_OK, LUCIO_ERROR or LUCIO_CANCELLED. */
LUCIO_API int lucio_call_status(lucio_call *call);
/* And its error, NULL where it has none; good until the function returns. A `next` that neither raises it
 * again nor anything else has dealt with it. */
LUCIO_API const struct lucio_error *lucio_call_error(lucio_call *call);

/* Makes a Lua function of a C function. `name` is for messages. `release` is called with the data when
 * Lua has no more use for it; NULL: nothing is. */
LUCIO_API int lucio_function_new(lucio *host, const char *name, lucio_function *fn, void *data,
                                 void (*release)(void *data), lucio_ref **function);

/* A task whose body is a C function: a Task to Lua, which can be named, cancelled and awaited. */
LUCIO_API int lucio_spawn_function(lucio *host, const char *name, lucio_function *fn, void *data,
                                   void (*release)(void *data), lucio_future **task);

/* ---- Modules ---- */

struct lucio_entry {
    const char *name;
    lucio_function *fn;
};

/* Makes a module of C functions that scripts get by require(name). The list ends with {NULL, NULL}. */
LUCIO_API int lucio_add_module(lucio *host, const char *name, const struct lucio_entry *entries,
                               void *data);
/* A module in Lua, compiled into the program as text; it runs when it is first required. */
LUCIO_API int lucio_add_lua_module(lucio *host, const char *name, const char *code, size_t length);
/* A module of the Lua API: a luaopen_ function. */
LUCIO_API int lucio_add_c_module(lucio *host, const char *name, int (*open)(struct lua_State *L));

/* ---- Other threads and signal handlers ---- */

/* Calls fn(host, data) in the host's thread, in the next tick of its loop, which wakes up for it; calls
 * come in the order of their posting. Any thread; not for signal handlers. After the host was closed:
 * LUCIO_CLOSED, or, if it was posted before, fn is called with NULL for the host, so that it can free
 * its data. */
LUCIO_API int lucio_post(lucio *host, void (*fn)(lucio *host, void *data), void *data);

/* Something to fire from a signal handler or any thread: fn is called in the host's thread, in the next
 * tick. Any number of firings before that are one call. Free it in the host's thread, when nothing can
 * fire it any more. */
LUCIO_API int lucio_trigger_new(lucio *host, void (*fn)(lucio *host, void *data), void *data,
                                lucio_trigger **trigger);
LUCIO_API void lucio_trigger_fire(lucio_trigger *trigger);
LUCIO_API void lucio_trigger_free(lucio_trigger *trigger);

/* ---- lucio in a state of the program's ---- */

/* Opens lucio in the state and pushes its module table; the second call pushes the same one. Raises a
 * Lua error when there is no memory. All of lucio's memory belongs to the state and goes with lua_close.
 *
 *     luaL_requiref(L, "lucio", luaopen_lucio, 0);
 *     lua_pop(L, 1);
 */
LUCIO_API int luaopen_lucio(struct lua_State *L);

/* The version of the library, such as "0.1.0". */
LUCIO_API const char *lucio_version(void);

#ifdef __cplusplus
}
#endif

#endif
