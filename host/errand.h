/*
 * errand: what another thread does for a loop, and how it comes back.
 * Invariant: an errand that began ends exactly once: in the loop, as an entry, after its thread has
 *            posted it; or with its thread, when the loop closed first.
 * Owner:     its thread until it is posted, then the loop. The box through which it comes back is shared
 *            by the loop and the errands under way, and outlives the loop if need be.
 * Context:   lc_errand_post any thread; all else the loop's.
 */
#ifndef LC_ERRAND_H
#define LC_ERRAND_H

#include <stdbool.h>

#include <lua.h>

#include "entry.h"

struct lc_errand;
struct lc_errand_box;
struct lc_host;
struct lc_loop;

struct lc_errand_type {
    struct lc_entry_type entry; /* run: it was posted; forget: the same, but the loop closes */
    /* The loop closes while the errand is under way. True: no thread has it, and it was freed; else its
     * thread goes on alone. NULL: nothing to do. */
    bool (*abandon)(struct lc_errand *errand);
};

struct lc_errand {
    struct lc_entry entry;
    struct lc_link link;       /* loop->errands, while it is under way */
    struct lc_errand_box *box; /* while it is under way */
    struct lc_errand *next;    /* in the box */
    int future;                /* anchor of what it will complete */
    bool lasting;              /* changes something outside: the end of a run waits for it */
};

/* What another thread sends to a loop beside errands. Its memory is the sender's; its entry's run or forget
 * is its end. */
struct lc_note {
    struct lc_entry entry;
    struct lc_note *next; /* in the box */
};

/* Makes an errand of the loop, which completes the future at `idx`. Nothing is owed before it returns.
 * [-0, +0, m] */
void lc_errand_begin(lua_State *L, struct lc_loop *loop, struct lc_errand *errand,
                     const struct lc_errand_type *type, int idx);

/* Sends it back: it will run in its loop. False: the loop has closed, the errand is the caller's. */
bool lc_errand_post(struct lc_errand *errand);

/* The loop's box, held: the way to the loop for other threads. [-0, +0, m] */
struct lc_errand_box *lc_errand_box_of(lua_State *L, struct lc_loop *loop);
void lc_errand_box_hold(struct lc_errand_box *box);
void lc_errand_box_release(struct lc_errand_box *box);

/* Sends a note. What one thread sends runs in its order, notes before errands. False: the loop has closed,
 * the note is the caller's. */
bool lc_errand_box_send(struct lc_errand_box *box, struct lc_note *note);

/* The loop if it is open and the host's; only that host's thread may ask. */
struct lc_loop *lc_errand_box_loop(struct lc_errand_box *box, const struct lc_host *host);

/* Whether the loop is open, for now. */
bool lc_errand_box_is_open(struct lc_errand_box *box);

/* Takes back an errand that no thread has taken. [-0, +0, -] */
void lc_errand_withdraw(lua_State *L, struct lc_loop *loop, struct lc_errand *errand);

/* From its entry: pushes the future, which is let go. [-0, +1, -] */
void lc_errand_push_future(lua_State *L, struct lc_loop *loop, struct lc_errand *errand);

/* Queues what was posted. */
void lc_errands_take(struct lc_loop *loop);

/* The loop closes. [-0, +0, -] */
void lc_errands_abandon(lua_State *L, struct lc_loop *loop);

#endif
