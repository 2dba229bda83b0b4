/*
 * char_class: the patterns that most programs cut text with: a class of characters, repeated by `+`. Their
 * matches are the runs of those characters, found by a table of all 256.
 * Invariant: a run is the longest one, as in Lua. Classes are those of the C locale; in another one there
 *            is no table.
 * Owner:     tables are userdata, kept in a Lua table of who asks, for as many patterns as programs have.
 */
#ifndef LC_CHAR_CLASS_H
#define LC_CHAR_CLASS_H

#include <stdbool.h>

#include <lua.h>

struct lc_char_class {
    bool has[256];
};

/* If the string at `idx` is such a pattern: pushes its table, which is made if the Lua table at `kept` has none
 * yet. NULL, and nothing is pushed: it is another pattern, there are too many, or the locale is another one.
 * [-0, +(0|1), m] */
const struct lc_char_class *lc_char_class_push(lua_State *L, int kept, int idx);

#endif
