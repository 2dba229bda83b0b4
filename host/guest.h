/*
 * guest: a loop that the program drives: on its own libev loop, or from any other loop by a file
 * descriptor to poll and a timeout.
 * Invariant: a guest's tick runs from its prepare watcher, so before its libev loop can block, and never
 *            inside of another call of the host.
 * Owner:     the lc_loop, from lc_loop_lend to lc_loop_close.
 * Context:   loop thread; lc_guest_signal any thread or signal handler.
 */
#ifndef LC_GUEST_H
#define LC_GUEST_H

#include <ev.h>
#include <lua.h>

struct lc_guest;
struct lc_host;
struct lc_loop;

/* Called when KeyboardInterrupt or SystemExit leaves a guest's tick; the error is on top.
 * [-1, +0, -] */
typedef void lc_guest_raised(lua_State *L, struct lc_loop *loop);

/* NULL: no memory. */
struct lc_guest *lc_guest_new(struct lc_host *host);
void lc_guest_free(struct lc_host *host, struct lc_guest *guest);

/* Starts and stops the watchers on the program's libev loop. They do not keep it running; timers and
 * descriptors that tasks wait for do. */
void lc_guest_start(struct lc_loop *loop);
void lc_guest_stop(struct lc_loop *loop);

/* From a libev callback: the program's loop goes on for another round, in which a tick runs. */
void lc_guest_hurry(struct lc_loop *loop);

void lc_guest_on_raised(struct lc_loop *loop, lc_guest_raised *raised);

/* A descriptor that becomes readable when the loop has something to do before lc_loop_timeout is over.
 * Negative: an errno. The loop keeps it. Only of loops of our own, with the epoll backend. */
int lc_guest_fd(struct lc_loop *loop);

void lc_guest_close_fd(struct lc_loop *loop);
void lc_guest_signal(int fd);

#endif
