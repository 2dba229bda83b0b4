/*
 * host: all that lucio keeps for one Lua state; nothing is kept per process but the signal table.
 * Owner:   the host is a userdata in the registry, made before any other object of ours, so that
 *          its finalizer runs last; it owns its loops, threads and anchors.
 * Context: one thread; every C function of the Lua API carries the host as its first upvalue.
 */
#ifndef LC_HOST_H
#define LC_HOST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "anchor.h"
#include "hook.h"
#include "list.h"
#include "place.h"
#include "threads.h"
#include "watchdog.h"

/* Size of lc_host.space: at most so much is read for one readiness (SEMANTICS TR4). */
#define LC_SPACE_SIZE ((size_t)256 * 1024)
/* Before it is room for what a filter makes of it, from the beginning of a TLS record that it had already. */
#define LC_SPACE_HEAD ((size_t)2 * 16384)

struct lc_budget;
struct lc_cancel_batch;
struct lc_loop;
struct lc_permits;
struct lc_quota;
struct lc_stop;
struct lc_task;
struct lucio;

/* What the first word of every userdata of ours points to; checked instead of the metatable,
 * which a script can replace. */
struct lc_type {
    const char *name;
    size_t size;
};

struct lc_object {
    const struct lc_type *type;
};

/* Lua values that the host holds in the registry from open to close. */
enum lc_ref {
    LC_REF_FUTURE,
    LC_REF_TASK,
    LC_REF_COROUTINE,
    LC_REF_COROUTINE_DEBUG,
    LC_REF_LOOP,
    LC_REF_HANDLE,
    LC_REF_CALLBACK,
    LC_REF_REPORT,
    LC_REF_TIMEOUT,
    LC_REF_GATHER,
    LC_REF_WAIT,
    LC_REF_WAIT_LIST,
    LC_REF_AS_COMPLETED,
    LC_REF_SHIELD,
    LC_REF_GROUP,
    LC_REF_GROUP_CHILD,
    LC_REF_LOCK,
    LC_REF_SEMAPHORE,
    LC_REF_EVENT,
    LC_REF_CONDITION,
    LC_REF_BARRIER,
    LC_REF_QUEUE, /* table with weak values: maxsize -> metatable */
    LC_REF_CONTEXT,
    LC_REF_CONTEXT_VAR,
    LC_REF_TOKEN,
    LC_REF_GENERATOR,
    LC_REF_FOR_LOOPS,         /* table with weak keys: function -> whether it has a faulty loop */
    LC_REF_GENERATOR_THREADS, /* table with weak keys: thread -> generator */
    LC_REF_RUNNER,
    LC_REF_RESOLVER,
    LC_REF_LOG_OUTPUT,
    LC_REF_CLASSES,  /* table: class number -> class, see error.h */
    LC_REF_WEAK,     /* table with weak values: slot -> future that has callbacks in Lua */
    LC_REF_POINTERS, /* table with weak values: lightuserdata of an object -> object */
    LC_REF_PASSABLE, /* table with weak keys: C function that may be suspended -> true */
    LC_REF_TRACED,   /* table with weak keys and values: coroutine -> error, see traceback.h */
    LC_REF_LOAD,
    LC_REF_LOADING, /* table with weak values: name of a module that a task loads -> its load */
    LC_REF_EXECUTOR,
    LC_REF_PROCESS_EXECUTOR,
    LC_REF_MAP,
    LC_REF_SHARED,
    LC_REF_SHARED_BYTES,
    LC_REF_SHARED_LOCK,
    LC_REF_SHARED_QUEUE,
    LC_REF_SHARED_QUEUE_ITEM,
    LC_REF_LOOP_LINK,
    LC_REF_REMOTE_FUTURE,
    LC_REF_SHARED_SEMAPHORE,
    LC_REF_CROSSED, /* see crossing.h */
    LC_REF_LOCALS,  /* table: key -> thread-local table */
    LC_REF_DUMPS,   /* table with weak keys: function -> bytecode */
    LC_REF_LOADED,  /* table: bytecode -> function; 1: how many */
    LC_REF_EAGER_FACTORY,
    LC_REF_C_FUNCTION,
    LC_REF_READER,
    LC_REF_WRITER,
    LC_REF_SOCKET,
    LC_REF_LISTENER,
    LC_REF_SERVER,
    LC_REF_DESCRIPTOR,
    LC_REF_ENDPOINT,
    LC_REF_DATAGRAM_TRANSPORT,
    LC_REF_PROCESS,
    LC_REF_FILE,
    LC_REF_TRANSPORT,
    LC_REF_WATCH,
    LC_REF_OPENSSL,
    LC_REF_TLS_CONTEXT,
    LC_REF_TLS_OBJECT,
    LC_REF_TLS_SESSION,
    LC_REF_TLS_SETTINGS,
    LC_REF_TLS_WIRE,
    LC_REF_MODULE,
    LC_REF_ACCESSES, /* table: name -> function, see handover.h; not there at first */
    LC_REF_COUNT
};

struct lc_clock {
    bool is_virtual;
    double now; /* of the virtual clock, seconds */
};

/* What shares the terminal with the program's output: the prompt. */
struct lc_display {
    /* Called before text is written to a terminal, by others than stdio, which tells by itself. */
    void (*make_room)(struct lc_display *display, const char *text, size_t size);
};

struct lc_options {
    bool debug;
    bool virtual_clock;
    bool no_control;
    const char *backend;      /* NULL: libev's choice */
    const char *fs_threads;   /* how many lucio.fs has, as text; NULL: its default */
    const char *worker;       /* the program of worker processes; NULL: the one that is found */
    const char *keylog;       /* where the secrets of TLS connections go; NULL: nowhere */
    double shutdown_timeout;  /* seconds */
    const char *bad_variable; /* a LUCIO_ variable whose value is refused when a loop is made */
};

/* While a message handler runs in a task of its own, until that suspends. */
struct lc_erring {
    lua_State *L;            /* where the error was raised... */
    struct lc_task *task;    /* ...and in which task */
    struct lc_task *handler; /* the handler's task; NULL: there is none */
};

struct lc_host {
    struct lc_object object;
    lua_State *L;            /* the state's main thread */
    struct lc_loop *loop;    /* the loop that runs now, or NULL */
    struct lc_task *current; /* the task being stepped, or NULL */
    lua_State *running;    /* the coroutine in which the task's code runs; awaits work only there */
    struct lc_hooks hooks; /* what signals want of the code that runs */
    struct lc_erring erring;
    bool awaiting;      /* set between an await's yield and the step that sees it */
    bool can_await;     /* false while a coroutine runs below a call that cannot be yielded */
    lua_State *blocked; /* while it is false: the coroutine that cannot be suspended... */
    int blocked_level;  /* ...and the level of its stack from where on the reason is found */
    bool is_command;    /* the lucio command owns the process */
    bool looks;         /* debug mode was on: pcall and xpcall look for swallowed cancellation */
    bool is_module;     /* loaded by require: the interpreter owns it */
    bool sandboxed;     /* runs code that nobody trusts: nothing may reach out of the state */
    bool closed;
    struct lc_display *display; /* NULL: nothing does */
    struct lc_task *script;     /* the command's script as a task: may start loops of its own */
    struct lc_link loops;       /* all loops, open ones first */
    struct lc_link old_loops;   /* closed loops, kept for their generation number */
    struct lc_link sinks;       /* outputs of logs, see sink.h */
    struct lc_anchors anchors;
    struct lc_threads threads;
    struct lc_places places;
    struct lc_clock clock;
    struct lc_options options;
    int callback_context;  /* anchor of the context in which a callback runs, or LC_NO_ANCHOR */
    int base_context;      /* anchor of the context outside of any loop */
    int traceback;         /* anchor of the traceback of the last bare value raised */
    unsigned cancel_depth; /* how many gathers a request is being passed through */
    struct lc_cancel_batch *cancel_batch; /* of lc_tasks_cancel while it runs, or NULL */
    unsigned task_names;                  /* how many default task names were given */
    uint32_t task_ids;                    /* how many tasks were made */
    size_t open_loops;
    size_t tasks;
    size_t watchers; /* readers, writers, signal handlers */
    size_t reports;
    size_t generators; /* unfinished async generators */
    /* The C interface's, NULL without it: a loop takes what other threads posted; the state closes. */
    void (*on_posted)(struct lc_loop *loop);
    void (*on_control)(struct lc_loop *loop); /* the command's: it does what its signals ask for */
    void (*on_close)(struct lc_host *host);
    void (*log)(struct lc_host *host, const char *text, size_t length);
    /* After a step of a task that is in a faulty `for` over a generator, see generator.c. */
    void (*after_step)(lua_State *L, struct lc_task *task);
    struct lucio *embed;
    struct lc_pulse pulse;
    struct lc_watchdog *watchdog;     /* NULL: nobody looks at the pulse */
    struct lc_budget *budget;         /* NULL: Lua code may run as long as it likes */
    struct lc_permits *permits;       /* NULL: scripts may do anything; see permit.h */
    struct lc_supervised *supervised; /* NULL: no supervisor started this process */
    struct lc_quota *quota;           /* NULL: the state's memory has no limit */
    unsigned libraries;        /* LUCIO_LIB_...: those that the state had when this was made */
    char *space;               /* where descriptors are read to; NULL until one is there... */
    size_t space_used;         /* ...and how much was, where it is handed on */
    struct lc_link pools;      /* worker threads, see pool.h */
    bool interrupted;          /* Ctrl-C ends what runs, or has ended it */
    bool is_worker;            /* the state of a thread that runs jobs */
    bool warns;                /* warnings are printed: so they are in workers */
    bool confined;             /* by the embedding program: no state without its limits is made */
    uint64_t crossing_id;      /* of the keys that this state makes, see crossing.h */
    uint64_t crossed;          /* how many it made */
    unsigned executors;        /* how many default names of executors were given */
    uint64_t shared_id;        /* its number as a holder of shared locks; 0: none yet */
    struct lc_link held_locks; /* those that it holds, see held_lock.h */
    struct lc_link lock_waits; /* and those that tasks wait for */
    struct lc_pool *lock_pool; /* threads that wait for locks in their place; NULL: none did yet */
    struct lc_stop *stop;      /* of a worker thread: how its jobs are ended; or NULL */
    int refs[LC_REF_COUNT];
};

/* Makes the host of L's state, or returns the one that exists. [-0, +0, m] */
struct lc_host *lc_host_open(lua_State *L);

/* Sets what no option and no variable of the environment says otherwise. */
void lc_host_set_defaults(struct lc_host *host);

/* The host in a C function's first upvalue. [-0, +0, -] */
static inline struct lc_host *lc_host_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* Sets `running`: the coroutine in which code is about to run or goes on, or NULL for a loop's own, which is
 * in L. What signals want of Lua code follows. [-0, +0, -] */
static inline void lc_host_enter(struct lc_host *host, lua_State *running, lua_State *L)
{
    host->running = running;
    /* a signal from here on finds it; one that came before is found here */
    atomic_signal_fence(memory_order_seq_cst);
    if (__builtin_expect(atomic_load_explicit(&host->hooks.asked, memory_order_relaxed) != 0, 0))
        lc_hook_set(running != NULL ? running : L, host);
}

static inline void lc_host_push_ref(lua_State *L, const struct lc_host *host, enum lc_ref ref)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, host->refs[ref]);
}

/* Pops a value and keeps it under `ref` until the host closes. [-1, +0, m] */
void lc_host_set_ref(lua_State *L, struct lc_host *host, enum lc_ref ref);

/* The object at idx if it is a userdata of that type, else NULL. [-0, +0, -] */
static inline void *lc_to_object(lua_State *L, int idx, const struct lc_type *type)
{
    const struct lc_object *object = lua_touserdata(L, idx);

    /* of a light userdata, rawlen is 0 */
    if (object == NULL || lua_rawlen(L, idx) < sizeof *object || object->type != type)
        return NULL;
    return (void *)object;
}

/* In a __gc: the object at 1 if it is of that type and it is the collector that calls; NULL where a script does,
 * which can get at metatables. [-0, +0, -] */
void *lc_to_finalize(lua_State *L, const struct lc_type *type);

/* New zeroed userdata of that type with its metatable set. [-0, +1, m] */
static inline void *lc_new_object(lua_State *L, struct lc_host *host, const struct lc_type *type,
                                  enum lc_ref ref, size_t size, int uservalues)
{
    struct lc_object *object = lua_newuserdatauv(L, size, uservalues);

    memset(object, 0, size); /* of a constant size, mostly */
    object->type = type;
    lc_host_push_ref(L, host, ref);
    lua_setmetatable(L, -2);
    return object;
}

/* Makes the object at `idx` findable from its pointer while it is alive. [-0, +0, m] */
void lc_pointer_register(lua_State *L, struct lc_host *host, int idx);
/* Pushes the object, or nil when the collector has it. [-0, +1, -] */
void lc_pointer_push(lua_State *L, struct lc_host *host, const void *object);

/* Makes the metatable of a type: `methods` become __index. [-0, +0, m] */
void lc_new_type(lua_State *L, struct lc_host *host, enum lc_ref ref, const char *name,
                 const luaL_Reg *methods, const luaL_Reg *metamethods);

/* luaL_setfuncs with the host as upvalue. [-0, +0, m] */
void lc_set_functions(lua_State *L, struct lc_host *host, const luaL_Reg *functions);

/* Memory from the state's own allocator. NULL when there is none; size 0 frees. */
void *lc_realloc(struct lc_host *host, void *block, size_t old_size, size_t new_size);

/* Makes host->space where it is not made yet. False: no memory. */
bool lc_host_has_space(struct lc_host *host);

/* Prints a text that is meant for stderr, or hands it to the embedding program. */
void lc_host_log(struct lc_host *host, const char *text);

/* Calls the Lua function on the stack with the traceback handler; the stack is as after lua_pcall.
 * [-(n + 1), +(results|1), -] */
int lc_call(lua_State *L, struct lc_host *host, int nargs, int nresults);

#endif
