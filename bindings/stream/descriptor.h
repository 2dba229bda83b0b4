/*
 * descriptor: a task that waits until a descriptor is ready; see descriptor.c.
 */
#ifndef LC_DESCRIPTOR_H
#define LC_DESCRIPTOR_H

#include <stdbool.h>

#include <ev.h>
#include <lua.h>

#include "entry.h"
#include "host.h"
#include "list.h"

struct lc_loop;
struct lc_task;

extern const struct lc_type lc_descriptor_type;

struct lc_descriptor {
    struct lc_object object;
    ev_io io;
    struct lc_loop *loop; /* while it watches */
    struct lc_link link;  /* loop->descriptors */
    struct lc_link waiters;
    struct lc_entry entry;
    int owned; /* a descriptor that goes with the object, or -1 */
};

/* [-0, +1, m] */
struct lc_descriptor *lc_descriptor_new(lua_State *L, struct lc_host *host);

/* Suspends the task until `fd` is readable or writable (EV_READ, EV_WRITE). The object is at `idx`. */
int lc_descriptor_wait(lua_State *L, struct lc_task *task, struct lc_descriptor *descriptor,
                       int idx, int fd, int events, lua_KContext ctx, lua_KFunction k);
/* In the continuation. True: the error to raise was pushed, what it owned is closed. */
bool lc_descriptor_wait_end(lua_State *L, struct lc_task *task, struct lc_descriptor *descriptor);

/* The owned descriptor is the caller's from now on. */
int lc_descriptor_give(struct lc_descriptor *descriptor);
void lc_descriptor_close(struct lc_descriptor *descriptor);

#endif
