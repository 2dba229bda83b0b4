/*
 * anchor: registry references held by C objects, counted.
 * Invariant: every taken slot is given back exactly once; a free slot holds `false`.
 * Owner:     one field per anchor, LC_NO_ANCHOR when it holds none.
 */
#ifndef LC_ANCHOR_H
#define LC_ANCHOR_H

#include <stddef.h>

#include <lua.h>

#define LC_NO_ANCHOR 0

struct lc_host;

struct lc_anchors {
    int table; /* registry index of the table slot -> value */
    int *free; /* stack of free slots */
    size_t free_count;
    size_t capacity; /* of `free`; slots 1..capacity exist */
    size_t held;
};

void lc_anchors_open(lua_State *L, struct lc_host *host);
void lc_anchors_close(struct lc_host *host);

/* Pops a value, keeps it, returns its slot. [-1, +0, m] */
int lc_anchor(lua_State *L, struct lc_host *host);

/* Takes a slot without a value yet: setting it later cannot fail. [-0, +0, m] */
int lc_anchor_reserve(lua_State *L, struct lc_host *host);

/* Pops a value and keeps it in a slot that is held already. [-1, +0, -] */
void lc_anchor_set(lua_State *L, struct lc_host *host, int slot);

/* [-0, +1, -] */
void lc_anchor_push(lua_State *L, struct lc_host *host, int slot);

/* Gives the slot back and resets the owner's field. [-0, +0, -] */
void lc_anchor_drop(lua_State *L, struct lc_host *host, int *slot);

#endif
