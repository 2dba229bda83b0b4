/*
 * search: string.find, match, gmatch and gsub for hosts with a budget: as Lua's own, but a pattern that
 * backtracks without end is charged for it.
 */
#include <string.h>

#include <lauxlib.h>

#include "host.h"
#include "pattern.h"
#include "sandbox.h"

/* Start of the search as an offset; SIZE_MAX: behind the end. */
static size_t start_offset(lua_State *L, int idx, size_t length)
{
    lua_Integer start = luaL_optinteger(L, idx, 1);

    if (start > 0)
        return (size_t)start - 1 > length ? SIZE_MAX : (size_t)start - 1;
    if (start == 0 || start < -(lua_Integer)length)
        return 0;
    return (size_t)((lua_Integer)length + start);
}

static bool is_plain(const char *pattern, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (strchr("^$*+?.([%-", pattern[i]) != NULL && pattern[i] != '\0')
            return false;
    }
    return true;
}

static int find_plain(lua_State *L, const char *subject, size_t length, const char *pattern,
                      size_t pattern_length, size_t start)
{
    const char *found = pattern_length == 0
                            ? subject + start
                            : memmem(subject + start, length - start, pattern, pattern_length);

    if (found == NULL) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, found - subject + 1);
    lua_pushinteger(L, found - subject + (lua_Integer)pattern_length);
    return 2;
}

static int search(lua_State *L, bool find)
{
    size_t length, pattern_length, start;
    const char *subject = luaL_checklstring(L, 1, &length);
    const char *pattern = luaL_checklstring(L, 2, &pattern_length);
    const char *at, *end;
    struct lc_match match;
    bool anchored;

    start = start_offset(L, 3, length);
    if (start == SIZE_MAX) {
        lua_pushnil(L);
        return 1;
    }
    if (find && (lua_toboolean(L, 4) || is_plain(pattern, pattern_length)))
        return find_plain(L, subject, length, pattern, pattern_length, start);
    anchored = pattern_length > 0 && pattern[0] == '^';
    lc_match_init(&match, L, lc_host_of(L), subject, length, pattern, pattern_length);
    at = subject + start;
    do {
        match.captures = 0;
        end = lc_match_at(&match, at, pattern + anchored);
        if (end != NULL) {
            lc_match_charge(&match);
            if (!find)
                return lc_match_push(&match, at, end);
            lua_pushinteger(L, at - subject + 1);
            lua_pushinteger(L, end - subject);
            return lc_match_push(&match, NULL, NULL) + 2;
        }
    } while (at++ < match.subject_end && !anchored);
    lc_match_charge(&match);
    lua_pushnil(L);
    return 1;
}

/* string.find(s, pattern, init?, plain?) */
static int string_find(lua_State *L)
{
    return search(L, true);
}

/* string.match(s, pattern, init?) */
static int string_match(lua_State *L)
{
    return search(L, false);
}

/* The iterator of gmatch. Upvalues: 2 the string, 3 the pattern, 4 the offset of the next match, 5 that
 * of the last one's end, -1 at first. */
static int next_match(lua_State *L)
{
    size_t length, pattern_length;
    const char *subject = lua_tolstring(L, lua_upvalueindex(2), &length);
    const char *pattern = lua_tolstring(L, lua_upvalueindex(3), &pattern_length);
    const char *at = subject + lua_tointeger(L, lua_upvalueindex(4));
    lua_Integer last = lua_tointeger(L, lua_upvalueindex(5));
    struct lc_match match;

    lc_match_init(&match, L, lc_host_of(L), subject, length, pattern, pattern_length);
    for (; at <= match.subject_end; at++) {
        const char *end;

        match.captures = 0;
        end = lc_match_at(&match, at, pattern);
        if (end == NULL || end - subject == last)
            continue;
        lc_match_charge(&match);
        lua_pushinteger(L, end - subject);
        lua_copy(L, -1, lua_upvalueindex(4));
        lua_copy(L, -1, lua_upvalueindex(5));
        return lc_match_push(&match, at, end);
    }
    lc_match_charge(&match);
    return 0;
}

/* string.gmatch(s, pattern, init?) */
static int string_gmatch(lua_State *L)
{
    size_t length, start;

    luaL_checklstring(L, 1, &length);
    luaL_checkstring(L, 2);
    start = start_offset(L, 3, length);
    lua_settop(L, 2);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_pushinteger(L, start == SIZE_MAX ? (lua_Integer)length + 1 : (lua_Integer)start);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, next_match, 5);
    return 1;
}

/* ---- gsub ---- */

/* Adds the replacement string at 3 with its captures filled in. */
static void add_string(struct lc_match *match, luaL_Buffer *buffer, const char *at, const char *end)
{
    lua_State *L = match->L;
    size_t length;
    const char *text = lua_tolstring(L, 3, &length), *escape;

    while ((escape = memchr(text, '%', length)) != NULL) {
        luaL_addlstring(buffer, text, (size_t)(escape - text));
        escape++;
        if (*escape == '%') {
            luaL_addchar(buffer, '%');
        } else if (*escape == '0') {
            luaL_addlstring(buffer, at, (size_t)(end - at));
        } else if (*escape >= '1' && *escape <= '9') {
            lc_match_push_one(match, *escape - '1', at, end);
            luaL_tolstring(L, -1, NULL);
            lua_remove(L, -2);
            luaL_addvalue(buffer);
        } else {
            luaL_error(L, "invalid use of '%%' in replacement string");
        }
        length -= (size_t)(escape + 1 - text);
        text = escape + 1;
    }
    luaL_addlstring(buffer, text, length);
}

/* Adds what replaces the match; whether that is another text. */
static bool add_replacement(struct lc_match *match, luaL_Buffer *buffer, const char *at,
                            const char *end)
{
    lua_State *L = match->L;

    switch (lua_type(L, 3)) {
    case LUA_TFUNCTION:
        lua_pushvalue(L, 3);
        lua_call(L, lc_match_push(match, at, end), 1);
        break;
    case LUA_TTABLE:
        lc_match_push_one(match, 0, at, end);
        lua_gettable(L, 3);
        break;
    default:
        add_string(match, buffer, at, end);
        return true;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(buffer, at, (size_t)(end - at));
        return false;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    luaL_addvalue(buffer);
    return true;
}

/* string.gsub(s, pattern, replacement, n?) */
static int string_gsub(lua_State *L)
{
    size_t length, pattern_length;
    const char *subject = luaL_checklstring(L, 1, &length);
    const char *pattern = luaL_checklstring(L, 2, &pattern_length);
    const char *at = subject, *last = NULL;
    lua_Integer count = 0, limit = luaL_optinteger(L, 4, (lua_Integer)length + 1);
    bool anchored = pattern_length > 0 && pattern[0] == '^', changed = false;
    int type = lua_type(L, 3);
    struct lc_match match;
    luaL_Buffer buffer;

    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
                         type == LUA_TTABLE,
                     3, "string/function/table");
    lc_match_init(&match, L, lc_host_of(L), subject, length, pattern, pattern_length);
    luaL_buffinit(L, &buffer);
    while (count < limit) {
        const char *end;

        match.captures = 0;
        end = lc_match_at(&match, at, pattern + anchored);
        if (end != NULL && end != last) {
            count++;
            changed = add_replacement(&match, &buffer, at, end) || changed;
            at = last = end;
        } else if (at < match.subject_end) {
            luaL_addchar(&buffer, *at++);
        } else {
            break;
        }
        if (anchored)
            break;
    }
    lc_match_charge(&match);
    luaL_addlstring(&buffer, at, (size_t)(match.subject_end - at));
    luaL_pushresult(&buffer);
    if (!changed)
        lua_pushvalue(L, 1);
    lua_pushinteger(L, count);
    return 2;
}

void lc_sandbox_open_search(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {{"find", string_find},
                                         {"match", string_match},
                                         {"gmatch", string_gmatch},
                                         {"gsub", string_gsub},
                                         {NULL, NULL}};

    lc_set_functions(L, host, functions);
}
