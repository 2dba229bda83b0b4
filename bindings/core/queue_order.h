/*
 * queue_order: how the items of a PriorityQueue compare where the program gives no order of its own.
 */
#ifndef LC_QUEUE_ORDER_H
#define LC_QUEUE_ORDER_H

#include <stdbool.h>

#include <lua.h>

/* Whether the item at `a` comes before the one at `b`: by `<`, tables without an `__lt` of their own as
 * Python's tuples do. [-0, +0, e] */
bool lc_items_less(lua_State *L, int a, int b);

#endif
