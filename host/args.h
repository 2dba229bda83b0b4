/*
 * args: argument checks shared by all functions of the Lua API. Each raises an error object that
 * names the function, the argument, what was expected and what came (API.md, rule 9).
 * Argument positions are those the caller sees: a method's self is not counted.
 */
#ifndef LC_ARGS_H
#define LC_ARGS_H

#include <stdbool.h>

#include <lua.h>

#include "error.h"
#include "host.h"

struct lc_future;
struct lc_task;

/* "bad argument #pos to 'what' (expected expected, got type)". Never returns. [-0, +0, v] */
int lc_raise_argument(lua_State *L, struct lc_host *host, enum lc_class class, const char *what,
                      int pos, const char *expected, int idx) __attribute__((noreturn));

/* The same for a value of the right type: "(reason)". Never returns. */
int lc_raise_value(lua_State *L, struct lc_host *host, const char *what, int pos,
                   const char *reason) __attribute__((noreturn));

/* The name of a value's type as errors show it: of our objects the class. [-0, +0, -] */
const char *lc_type_name(lua_State *L, int idx);

/* self of a method; raises TypeError for anything else. [-0, +0, v] */
void *lc_check_self(lua_State *L, const struct lc_type *type, const char *what);
struct lc_future *lc_check_future(lua_State *L, int idx, const char *what);
struct lc_task *lc_check_task(lua_State *L, const char *what);

void lc_check_callable(lua_State *L, int idx, const char *what, int pos);
bool lc_is_callable(lua_State *L, int idx);

/* Seconds: any number but NaN. */
double lc_check_seconds(lua_State *L, int idx, const char *what, int pos);
/* nil: false and *seconds is untouched. */
bool lc_opt_seconds(lua_State *L, int idx, const char *what, int pos, double *seconds);
/* A limit in seconds: 0 or more. */
double lc_check_limit(lua_State *L, int idx, const char *what, int pos);
/* Reads such a limit ("inf" is one); false: the text is none. */
bool lc_parse_seconds(const char *text, double *seconds);
/* An integer that fits. nil is an error. */
lua_Integer lc_check_integer(lua_State *L, int idx, const char *what, int pos);

void lc_check_no_arguments(lua_State *L, const char *what);

/* The table at `idx` (nil: no options) has only the named string keys. */
void lc_check_options(lua_State *L, int idx, const char *what, int pos, const char *const *names);

/* The same for a list of n items that carries options: looks only at what follows the items. */
void lc_check_list_options(lua_State *L, int idx, const char *what, int pos,
                           const char *const *names, lua_Integer n);

/* Number of items of the list at `idx`: its field `n` or its length. An item after a hole is a
 * TypeError; a hole before that is for who reads the items to find. */
lua_Integer lc_check_list(lua_State *L, int idx, const char *what, int pos);

#endif
