/*
 * submodule: the modules below lucio: lucio.log and the like, in C, in Lua, or in both.
 * Invariant: a module is opened once for each state, when it is first asked for.
 * Owner:     package.loaded holds what was opened; the sources are constants of the program.
 */
#ifndef LC_SUBMODULE_H
#define LC_SUBMODULE_H

#include <stddef.h>

#include <lua.h>

struct lc_host;

/* A module or a part of one written in Lua: made from lua/lucio/ by lua/embed.lua. */
struct lc_lua_source {
    const char *name;  /* below lucio: "http", "http.router"; NULL ends the table */
    const char *chunk; /* as tracebacks show it: "@lucio/http.lua" */
    const char *text;
    size_t size;
};

extern const struct lc_lua_source lc_lua_sources[];

/* The one of that name, or NULL. */
const struct lc_lua_source *lc_lua_source_find(const char *name);

/* The functions in C of the modules. [-0, +1, e] */
int lc_open_counter(lua_State *L);
int lc_open_fs(lua_State *L);
int lc_open_log(lua_State *L);
int lc_open_ssl(lua_State *L);
int lc_open_shared(lua_State *L);
int lc_open_testing(lua_State *L);

/* Makes the modules fields of the module table on top, and known to require. [-0, +0, m] */
void lc_open_submodules(lua_State *L, struct lc_host *host);

/* Adds functions of a module below lucio to the module table on top; the module is opened when the first
 * of them is called. The names end with NULL. [-0, +0, m] */
void lc_add_stand_ins(lua_State *L, struct lc_host *host, const char *module,
                      const char *const *names);

#endif
