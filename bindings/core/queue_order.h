/*
 * queue_order: how the items of a PriorityQueue compare where the program gives no order of its own.
 */
#ifndef LC_QUEUE_ORDER_H
#define LC_QUEUE_ORDER_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;

/* Whether the item at `a` comes before the one at `b`: by `<`, tables without an `__lt` of their own as
 * Python's tuples do; TypeError where they cannot be compared. [-0, +0, e] */
bool lc_items_less(lua_State *L, struct lc_host *host, int a, int b);

#endif
