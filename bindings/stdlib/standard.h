/*
 * standard: functions of Lua's libraries in variants that may be suspended while they call Lua code.
 * A variant is entered only in a task, and only where a call into Lua code can happen; everywhere
 * else the original C function runs in the very same frame, so that its errors name it.
 */
#ifndef LC_STANDARD_H
#define LC_STANDARD_H

#include <stdbool.h>

#include <lua.h>

#include "host.h"

/* Replaces functions of Lua's libraries, which are loaded; the module table stays on top.
 * [-0, +0, m] */
void lc_open_standard(lua_State *L, struct lc_host *host);

void lc_open_debug(lua_State *L, struct lc_host *host);
void lc_open_format(lua_State *L, struct lc_host *host);
void lc_open_gmatch(lua_State *L, struct lc_host *host);
void lc_open_gsub(lua_State *L, struct lc_host *host);
void lc_open_ipairs(lua_State *L, struct lc_host *host);
void lc_open_load(lua_State *L, struct lc_host *host);
void lc_open_require(lua_State *L, struct lc_host *host);
void lc_open_sort(lua_State *L, struct lc_host *host);
void lc_open_table(lua_State *L, struct lc_host *host);
void lc_open_tostring(lua_State *L, struct lc_host *host);
void lc_open_xpcall(lua_State *L, struct lc_host *host);

/* Whether the value on top is a C function without upvalues, which any frame can run. [-0, +0, -] */
bool lc_standard_is_plain(lua_State *L);

/* Replaces `name` of the library on top by `function`, with the upvalues below. What is no plain C
 * function (a program has put something else there) stays as it is: false. [-0, +0, m] */
bool lc_standard_replace(lua_State *L, struct lc_host *host, const char *name,
                         lua_CFunction function);

/* Pushes `function` with these upvalues; the original is on top. [-1, +1, m] */
void lc_standard_push(lua_State *L, struct lc_host *host, lua_CFunction function);

/* The upvalues of a function that stands for one of Lua's, after the host. */
enum lc_upvalue {
    LC_UP_ORIGINAL = 2,
    LC_UP_OWN, /* what the function wants to keep, nil at first */
    LC_UP_INDEX,
    LC_UP_NEWINDEX,
    LC_UP_LEN,
    LC_UP_LT,     /* names of metamethods: a look-up is cheaper with the string at hand */
    LC_UP_HELPER, /* another function of Lua's that it runs, nil at first */
    LC_UP_COUNT = LC_UP_HELPER
};

/* Whether L runs in a task that may wait, unless a foreign function in C is in the way. [-0, +0, -] */
static inline bool lc_standard_is_in_task(lua_State *L, const struct lc_host *host)
{
    return host->current != NULL && host->running == L && host->can_await;
}

/* Whether code that L calls may suspend the task. Else the original does. [-0, +0, -] */
static inline bool lc_standard_may_wait(lua_State *L, const struct lc_host *host)
{
    return lc_standard_is_in_task(L, host) && lua_isyieldable(L);
}

/* Runs the original in this frame: it has no upvalues, so that nobody can tell. [-?, +?, e] */
static inline int lc_standard_original(lua_State *L)
{
    return lua_tocfunction(L, lua_upvalueindex(LC_UP_ORIGINAL))(L);
}

#endif
