/*
 * gmatch: string.gmatch of the patterns that most programs cut text with: a class of characters, repeated by
 * `+`. Their matches are the runs of those characters, found by a table of all 256; every other pattern
 * is the original's.
 * Invariant: a run is the longest one, as in Lua. Classes are those of the C locale; in another one the
 *            original is asked.
 * Owner:     tables are kept with the function, for as many patterns as programs have.
 */
#include <locale.h>
#include <string.h>

#include <lauxlib.h>

#include "pattern.h"
#include "standard.h"

/* Longer patterns are the original's. */
#define PATTERN_MAX 64
/* So many tables are kept; patterns beyond them are the original's. */
#define CLASSES_MAX 32
/* Key of their number. */
#define COUNT 1

struct class
{
    bool has[256];
};

/* ---- the pattern ---- */

/* Length of the set that begins the pattern; 0: it has no end. */
static size_t set_length(const char *pattern, size_t length)
{
    size_t at = pattern[1] == '^' ? 2 : 1;

    /* a ']' that comes first is one of the set */
    do {
        if (at < length && pattern[at] == '%')
            at++;
        at++;
        if (at >= length)
            return 0;
    } while (pattern[at] != ']');
    return at + 1;
}

/* Length of the single character, class or set that begins the pattern; 0: something else does. */
static size_t item_length(const char *pattern, size_t length)
{
    if (pattern[0] == '[')
        return set_length(pattern, length);
    if (pattern[0] == '%')
        return pattern[1] == 'b' || pattern[1] == 'f' || (pattern[1] >= '0' && pattern[1] <= '9')
                   ? 0
                   : 2;
    return memchr("^$*+?.()-\0", pattern[0], 10) == NULL ? 1 : 0;
}

/* Whether the pattern is an item and `+`. */
static bool is_run(const char *pattern, size_t length)
{
    return length >= 2 && length <= PATTERN_MAX && pattern[length - 1] == '+' &&
           item_length(pattern, length) == length - 1;
}

/* Fills the table of a run's pattern. */
static void class_fill(lua_State *L, struct class *class, const char *pattern, size_t length)
{
    struct lc_host *host = lc_host_of(L);

    for (int c = 0; c < 256; c++) {
        char subject = (char)c;
        struct lc_match match;

        lc_match_init(&match, L, host, &subject, 1, pattern, length - 1);
        class->has[c] = lc_match_at(&match, &subject, pattern) != NULL;
    }
}

/* Pushes the table for the pattern at 2, made if need be; false, and pushes nothing: there are too many. */
static bool push_class(lua_State *L, const char *pattern, size_t length)
{
    int classes = lua_upvalueindex(LC_UP_OWN);
    lua_Integer count;

    lua_pushvalue(L, 2);
    if (lua_rawget(L, classes) == LUA_TUSERDATA)
        return true;
    lua_rawgeti(L, classes, COUNT);
    count = lua_tointeger(L, -1);
    lua_pop(L, 2);
    if (count == CLASSES_MAX)
        return false;
    class_fill(L, lua_newuserdatauv(L, sizeof(struct class), 0), pattern, length);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, classes);
    lua_pushinteger(L, count + 1);
    lua_rawseti(L, classes, COUNT);
    return true;
}

/* ---- the matches ---- */

/* Where the rest of the subject is that has not been looked at. */
struct rest {
    const unsigned char *at, *end;
    const bool *has;
};

/* The iterator. Upvalues: where it is; the table and the subject, which it points into. */
static int next_run(lua_State *L)
{
    struct rest *rest = lua_touserdata(L, lua_upvalueindex(1));
    const unsigned char *at = rest->at, *end = rest->end, *start;
    const bool *has = rest->has;

    while (at < end && !has[*at])
        at++;
    start = at;
    while (at < end && has[*at])
        at++;
    rest->at = at;
    if (start == end)
        return 0;
    lua_pushlstring(L, (const char *)start, (size_t)(at - start));
    return 1;
}

/* string.gmatch(s, pattern, init?) */
static int string_gmatch(lua_State *L)
{
    const char *pattern;
    struct rest *rest;
    size_t length;

    if (lua_type(L, 1) != LUA_TSTRING || lua_type(L, 2) != LUA_TSTRING || !lua_isnoneornil(L, 3))
        return lc_standard_original(L);
    pattern = lua_tolstring(L, 2, &length);
    if (!is_run(pattern, length) || strcmp(setlocale(LC_CTYPE, NULL), "C") != 0)
        return lc_standard_original(L);
    lua_settop(L, 2);
    if (!push_class(L, pattern, length))
        return lc_standard_original(L);
    lua_replace(L, 2);
    rest = lua_newuserdatauv(L, sizeof *rest, 0);
    rest->at = (const unsigned char *)lua_tolstring(L, 1, &length);
    rest->end = rest->at + length;
    rest->has = ((struct class *)lua_touserdata(L, 2))->has;
    lua_insert(L, 1);
    lua_pushcclosure(L, next_run, 3);
    return 1;
}

void lc_open_gmatch(lua_State *L, struct lc_host *host)
{
    if (!lc_standard_replace(L, host, "gmatch", string_gmatch))
        return;
    lua_getfield(L, -1, "gmatch");
    lua_newtable(L);
    lua_setupvalue(L, -2, LC_UP_OWN);
    lua_pop(L, 1);
}
