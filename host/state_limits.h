/*
 * state_limits: what the program that embeds a host gives its scripts at most, and what the states that a host
 * makes for its worker threads get in the same way: Lua's libraries, instructions, memory.
 * Owner: the quota is held by whoever has the limits.
 */
#ifndef LC_STATE_LIMITS_H
#define LC_STATE_LIMITS_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;
struct lc_quota;

struct lc_limits {
    unsigned libraries;     /* LUCIO_LIB_... */
    bool sandbox;           /* see lc_sandbox_close_in */
    long long step, task;   /* instructions; 0: no limit */
    struct lc_quota *quota; /* of memory, or NULL */
};

/* The limits of a host; its quota is held. */
void lc_limits_read(const struct lc_host *host, struct lc_limits *limits);

/* Opens those of Lua's libraries in a new state, as globals. [-0, +0, m] */
void lc_limits_open_libraries(lua_State *L, unsigned libraries);

/* Which of Lua's libraries the state has. [-0, +0, -] */
unsigned lc_limits_find_libraries(lua_State *L);

/* Puts the limits upon a new host, before lucio is opened in it. [-0, +0, m] */
void lc_limits_set(lua_State *L, struct lc_host *host, const struct lc_limits *limits);

#endif
