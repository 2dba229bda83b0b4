/*
 * entry: something that a loop runs in a later tick. Entries live in their objects (a task, a
 * handle, a timer, a callback); a list of them allocates nothing.
 * Invariant: an entry is in at most one list: a future's callbacks or a loop's ready list.
 */
#ifndef LC_ENTRY_H
#define LC_ENTRY_H

#include <lua.h>

#include "list.h"

struct lc_entry;
struct lc_future;
struct lc_loop;
struct lc_task;
struct lc_timer;

/* Who awaits a future by an entry in its callbacks: a task, or a future in turn. */
struct lc_awaiter {
    struct lc_task *task;         /* NULL: no task */
    struct lc_future *future;     /* NULL: no future */
    const void *node;             /* what several entries share (a gather...); NULL: nothing */
    const char *name;             /* of the node */
    int count;                    /* how many futures the node has; 0: unknown */
    int done;                     /* how many of them are */
    const struct lc_timer *timer; /* the node's time limit, or NULL */
};

struct lc_entry_type {
    /* Called once by the loop with the entry out of every list. May call Lua in protected mode. */
    void (*run)(struct lc_loop *loop, struct lc_entry *entry);
    /* Called instead of run when the loop closes with the entry queued: gives anchors back.
     * NULL: nothing to do. [-0, +0, -] */
    void (*forget)(lua_State *L, struct lc_loop *loop, struct lc_entry *entry);
    /* Pushes the object that the entry stands for, for reports; NULL: none. [-0, +1, m] */
    void (*push)(lua_State *L, struct lc_loop *loop, struct lc_entry *entry);
    /* Of an entry in a future's callbacks: says who awaits it. NULL: nobody. */
    void (*awaiter)(const struct lc_entry *entry, struct lc_awaiter *awaiter);
};

struct lc_entry {
    struct lc_link link;
    const struct lc_entry_type *type;
};

static inline void lc_entry_init(struct lc_entry *entry, const struct lc_entry_type *type)
{
    lc_list_init(&entry->link);
    entry->type = type;
}

/* Whether the entry waits in a list. */
static inline bool lc_entry_is_queued(const struct lc_entry *entry)
{
    return entry->link.next != &entry->link;
}

#endif
