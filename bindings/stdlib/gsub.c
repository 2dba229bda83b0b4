/*
 * gsub: string.gsub whose replacement, a function or the __index of a table, may wait. The matches are
 * those of the original string.find, which runs in the frame of gsub, so that what it raises is what
 * gsub raises; what is done here is the walk from match to match and the result.
 * Invariant: the subject up to `copied` is in the result; nothing before `next` matches any more.
 * Owner:     a call's state is on its stack; one that has ended is kept for the next call.
 */
#include <stdint.h>
#include <string.h>

#include <lauxlib.h>

#include "operators.h"
#include "standard.h"

/* The stack of a call: where string.find expects its arguments, and what else there is. */
enum slot { SUBJECT = 1, PATTERN, INIT, PLAIN, REPLACEMENT, STATE };

#define CAPACITY_FIRST 512
#define CAPACITY_KEPT  4096

struct progress {
    lua_Integer count; /* matches so far... */
    lua_Integer limit; /* ...and at most */
    size_t next;       /* offset in the subject where the search goes on */
    size_t last_end;   /* end of the last match; SIZE_MAX: there was none */
    size_t copied;     /* offset in the subject: what is before is in the result */
    size_t start, end; /* of the match that is being replaced */
};

struct gsub {
    struct progress at;
    size_t size, capacity; /* of the result */
    char result[];
};

/* Puts a state on the stack: the one that is kept, or a new one. */
static struct gsub *state_take(lua_State *L, const struct progress *at)
{
    struct gsub *gsub;

    lua_copy(L, lua_upvalueindex(LC_UP_OWN), STATE);
    gsub = lua_touserdata(L, STATE);
    if (gsub != NULL) {
        lua_pushnil(L);
        lua_replace(L, lua_upvalueindex(LC_UP_OWN));
    } else {
        gsub = lua_newuserdatauv(L, sizeof *gsub + CAPACITY_FIRST, 0);
        gsub->capacity = CAPACITY_FIRST;
        lua_replace(L, STATE);
    }
    gsub->at = *at;
    gsub->size = 0;
    return gsub;
}

/* Makes room for `size` more bytes of the result; the state may move. */
static struct gsub *state_grow(lua_State *L, struct gsub *gsub, size_t size)
{
    size_t capacity = gsub->capacity;
    struct gsub *larger;

    if (size >= SIZE_MAX / 4 - gsub->size)
        luaL_error(L, "buffer too large");
    while (capacity < gsub->size + size)
        capacity *= 2;
    larger = lua_newuserdatauv(L, sizeof *gsub + capacity, 0);
    memcpy(larger, gsub, sizeof *gsub + gsub->size);
    larger->capacity = capacity;
    lua_replace(L, STATE);
    return larger;
}

static inline struct gsub *append(lua_State *L, struct gsub *gsub, const char *text, size_t size)
{
    if (size > gsub->capacity - gsub->size)
        gsub = state_grow(L, gsub, size);
    memcpy(gsub->result + gsub->size, text, size);
    gsub->size += size;
    return gsub;
}

/* Finds the next match. Returns how many captures are on the stack, or -1: there is none. */
static inline int find_next(lua_State *L, struct progress *at, lua_CFunction find,
                            const char *pattern, size_t length)
{
    int found;

    while (at->next <= length && at->count < at->limit && (at->count == 0 || *pattern != '^')) {
        lua_pushinteger(L, (lua_Integer)at->next + 1);
        lua_replace(L, INIT);
        found = find(L);
        if (found < 2)
            return -1;
        at->start = (size_t)lua_tointeger(L, -found) - 1;
        at->end = (size_t)lua_tointeger(L, 1 - found);
        /* behind an empty match the same one would be found again, which does not count */
        at->next = at->end + (at->start == at->end);
        if (at->end != at->last_end) {
            at->count++;
            at->last_end = at->end;
            return found - 2;
        }
        lua_settop(L, STATE);
    }
    return -1;
}

/* The value for a match is on top: adds it to the result unless it is nil or false. */
static struct gsub *add_value(lua_State *L, struct gsub *gsub, const char *subject)
{
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);

    if (text != NULL) {
        gsub = append(L, gsub, subject + gsub->at.copied, gsub->at.start - gsub->at.copied);
        gsub = append(L, gsub, text, size);
        gsub->at.copied = gsub->at.end;
    } else if (lua_toboolean(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
    lua_settop(L, STATE);
    return gsub;
}

static int finish(lua_State *L, struct gsub *gsub, const char *subject, size_t length)
{
    if (gsub->at.copied == 0 && gsub->size == 0) {
        lua_pushvalue(L, SUBJECT);
    } else {
        gsub = append(L, gsub, subject + gsub->at.copied, length - gsub->at.copied);
        lua_pushlstring(L, gsub->result, gsub->size);
    }
    lua_pushinteger(L, gsub->at.count);
    if (gsub->capacity <= CAPACITY_KEPT)
        lua_copy(L, STATE, lua_upvalueindex(LC_UP_OWN));
    return 2;
}

static int gsub_k(lua_State *L, int status, lua_KContext ctx);

/* Replaces a match, whose captures are on the stack (-1: there is none), and all that follow. */
static int gsub_on(lua_State *L, struct gsub *gsub, lua_CFunction find, int captures)
{
    bool calls = lua_type(L, REPLACEMENT) == LUA_TFUNCTION;
    const char *subject, *pattern = lua_tostring(L, PATTERN);
    size_t length;

    subject = lua_tolstring(L, SUBJECT, &length);
    for (; captures >= 0; captures = find_next(L, &gsub->at, find, pattern, length)) {
        if (calls)
            lua_copy(L, REPLACEMENT, STATE + 2);
        if (captures == 0) {
            lua_pushlstring(L, subject + gsub->at.start, gsub->at.end - gsub->at.start);
            captures = 1;
        }
        if (calls) {
            lua_callk(L, captures, 1, 0, gsub_k);
        } else {
            lua_settop(L, STATE + 3); /* the first capture is the key */
            lc_op_get(L, REPLACEMENT, 0, gsub_k);
        }
        gsub = add_value(L, gsub, subject);
    }
    lua_settop(L, STATE);
    return finish(L, gsub, subject, length);
}

static int gsub_k(lua_State *L, int status, lua_KContext ctx)
{
    lua_CFunction find = lua_tocfunction(L, lua_upvalueindex(LC_UP_HELPER));
    const char *pattern = lua_tostring(L, PATTERN), *subject;
    struct gsub *gsub;
    size_t length;

    (void)status;
    (void)ctx;
    subject = lua_tolstring(L, SUBJECT, &length);
    gsub = add_value(L, lua_touserdata(L, STATE), subject);
    return gsub_on(L, gsub, find, find_next(L, &gsub->at, find, pattern, length));
}

/* Whether string.find would look for the pattern as plain text, in which gsub sees a bad capture: then
 * no replacement is ever called. */
static bool is_bad_text(lua_State *L)
{
    size_t length;
    const char *pattern = lua_tolstring(L, PATTERN, &length);

    if (memchr(pattern, ')', length) == NULL)
        return false;
    for (size_t i = 0; i < length; i++)
        if (pattern[i] != '\0' && strchr("^$*+?.([%-", pattern[i]) != NULL)
            return false;
    return true;
}

/* Whether the arguments are right and the replacement may wait. */
static bool waits(lua_State *L)
{
    switch (lua_type(L, 3)) {
    case LUA_TFUNCTION:
        if (!lc_standard_may_wait(L, lc_host_of(L)))
            return false;
        break;
    case LUA_TTABLE:
        if (!lc_op_waits(L, 3, LC_CAN_READ))
            return false;
        break;
    default:
        return false;
    }
    return lua_isstring(L, 1) && lua_isstring(L, 2) && !is_bad_text(L);
}

/* string.gsub(s, pattern, replacement, n) -> s, count */
static int string_gsub(lua_State *L)
{
    lua_CFunction find = lua_tocfunction(L, lua_upvalueindex(LC_UP_HELPER));
    struct progress at = {.limit = LUA_MAXINTEGER, .last_end = SIZE_MAX};
    const char *pattern;
    size_t length;
    int captures;

    if (!waits(L))
        return lc_standard_original(L);
    if (!lua_isnoneornil(L, 4)) {
        int is_integer;

        at.limit = lua_tointegerx(L, 4, &is_integer);
        if (!is_integer)
            return lc_standard_original(L);
    }
    lua_settop(L, STATE);
    lua_copy(L, 3, REPLACEMENT);
    lua_copy(L, STATE, PLAIN);
    lua_tolstring(L, SUBJECT, &length);
    pattern = lua_tostring(L, PATTERN);
    captures = find_next(L, &at, find, pattern, length);
    if (captures >= 0)
        return gsub_on(L, state_take(L, &at), find, captures);
    lua_pushvalue(L, SUBJECT);
    lua_pushinteger(L, 0);
    return 2;
}

void lc_open_gsub(lua_State *L, struct lc_host *host)
{
    lua_getfield(L, -1, "find");
    if (!lc_standard_is_plain(L)) {
        lua_pop(L, 1);
        return;
    }
    lua_insert(L, -2);
    if (lc_standard_replace(L, host, "gsub", string_gsub)) {
        lua_getfield(L, -1, "gsub");
        lua_pushvalue(L, -3);
        lua_setupvalue(L, -2, LC_UP_HELPER);
        lua_pop(L, 1);
    }
    lua_remove(L, -2);
}
