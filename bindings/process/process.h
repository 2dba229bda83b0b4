/*
 * process: a child process on a loop, as asyncio's Process.
 * Invariant: running, then ended (its status is taken), known (the script sees it) and done (who waits
 *            is woken), one tick each, as in asyncio. Reaped exactly once; no signal is sent after that.
 * Owner:     the host anchors a process until it is reaped and done; the loop knows it so long.
 * Context:   loop thread; libev callbacks only queue the entry.
 */
#ifndef LC_PROCESS_H
#define LC_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <ev.h>
#include <lua.h>

#include "child.h"
#include "entry.h"
#include "host.h"
#include "list.h"
#include "timer.h"

struct lc_loop;
struct lc_stream;

enum lc_process_state {
    LC_PROCESS_RUNNING,
    LC_PROCESS_ENDED,
    LC_PROCESS_KNOWN,
    LC_PROCESS_DONE,
};

struct lc_process {
    struct lc_object object;
    struct lc_host *host;
    struct lc_loop *loop;
    struct lc_link link;    /* loop->processes until it is released */
    struct lc_link waiters; /* for the exit */
    struct lc_entry turn;   /* each step of the exit */
    struct lc_timer limit;  /* the option timeout */
    struct lc_child child;
    ev_io exited;      /* of the pidfd... */
    ev_child on_child; /* ...or where libev itself reaps children */
    struct lc_stream *streams[3];
    int pipes[3]; /* our ends until they become streams, or -1 */
    int anchor;
    int code; /* the returncode from LC_PROCESS_ENDED on */
    enum lc_process_state state;
    bool watching;
    bool reaped;
    bool leads;     /* a process group */
    bool timed_out; /* the limit killed it */
};

extern const struct lc_type lc_process_type;

/* New object without a child. [-0, +1, m] */
struct lc_process *lc_process_new(lua_State *L, struct lc_host *host);

/* The object at `idx` has its child from now on. [-0, +0, -] */
void lc_process_begin(lua_State *L, struct lc_process *process, int idx);

/* Sends a signal to the process itself, never to one that has its number later. 0, or an errno; one that
 * has ended takes any signal until that is known. */
int lc_process_signal(struct lc_process *process, int number);
/* The same to the group that it leads. */
int lc_process_signal_group(struct lc_process *process, int number);
/* Kills it, and the group that it leads. */
void lc_process_kill(struct lc_process *process);

/* Reaps a child that is done but keeps its number for its group's sake. [-0, +0, -] */
void lc_process_settle(lua_State *L, struct lc_process *process);

/* Gives back what the object holds of the host and the loop. [-0, +0, -] */
void lc_process_release(lua_State *L, struct lc_process *process);

/* Closes our ends of pipes that have not become streams. */
void lc_process_close_pipes(struct lc_process *process);

/* spawn(argv, options) -> Process: see start.c. */
int lc_process_spawn(lua_State *L);

#endif
