/*
 * report: what reaches the loop's exception handler: errors of callbacks, failures that nobody
 * retrieved, tasks destroyed while pending, slow callbacks.
 * A failed future has a report, a small userdata with a finalizer: a future itself needs none, so
 * that only failures pay for it. Invariant: a failure is retrieved or reported, exactly once.
 * Owner: the failed future's table of extras; the loop's list of reports holds no reference.
 */
#ifndef LC_REPORT_H
#define LC_REPORT_H

#include <lua.h>

struct lc_entry;
struct lc_future;
struct lc_host;
struct lc_loop;
struct lc_report;

/* For the pending future at `idx`, which fails with the error at `error`; the caller stores it in the
 * future. [-0, +0, m] */
struct lc_report *lc_report_new(lua_State *L, int idx, int error);

/* The failure was retrieved: it will not be reported. */
void lc_report_settle(struct lc_future *future);

/* The loop closes: reports all failures that nobody retrieved, and the tasks that are still pending
 * (TA13). Without memory some may be lost. [-0, +0, -] */
void lc_reports_close(lua_State *L, struct lc_loop *loop);

/* The error of a callback is on top, its handle at `handle` (0: none). KeyboardInterrupt and
 * SystemExit leave the run call instead. [-1, +0, -] */
void lc_report_callback(lua_State *L, struct lc_loop *loop, int handle);

/* Calls the exception handler with the context table on top. [-1, +0, -] */
void lc_report_call_handler(lua_State *L, struct lc_loop *loop);

/* Prints the context table at `idx` on stderr. [-0, +0, e] */
void lc_report_print(lua_State *L, struct lc_host *host, int idx);

/* Debug mode: reports a step that took long; what it ran is at `object`, or nil. [-0, +0, e] */
void lc_report_slow(lua_State *L, struct lc_loop *loop, int object, double seconds);

/* Debug mode: stores where the future at `idx` is made. [-0, +0, m] */
void lc_report_note_source(lua_State *L, int idx);

/* Pushes "file:line" of the Lua code that is running. [-0, +1, m] */
void lc_report_push_place(lua_State *L);

void lc_reports_open(lua_State *L, struct lc_host *host);

#endif
