/*
 * gsub: string.gsub whose replacement, a function or the __index of a table, may wait: the walk from match
 * to match, by the matcher of pattern.h, and the result.
 * Invariant: the subject up to `copied` is in the result; nothing before `next` matches any more.
 * Owner:     a call's state is on its stack; one that has ended is kept for the next call.
 */
#include <stdint.h>
#include <string.h>

#include <lauxlib.h>

#include "operators.h"
#include "pattern.h"
#include "standard.h"

/* The stack of a call. */
enum slot { SUBJECT = 1, PATTERN, REPLACEMENT, STATE };

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

/* Finds the next match and pushes what the replacement is called with. Its number of values, or 0:
 * there is none. */
static int find_next(lua_State *L, struct progress *at, const char *subject, size_t length)
{
    size_t pattern_length;
    const char *pattern = lua_tolstring(L, PATTERN, &pattern_length);
    bool anchored = pattern_length > 0 && *pattern == '^';
    struct lc_match match;

    lc_match_init(&match, L, lc_host_of(L), subject, length, pattern, pattern_length);
    while (at->next <= length && at->count < at->limit) {
        const char *start = subject + at->next;
        const char *end = lc_match_at(&match, start, pattern + anchored);
        bool found = end != NULL && (size_t)(end - subject) != at->last_end;

        at->start = at->next;
        if (found)
            at->next = at->end = at->last_end = (size_t)(end - subject);
        else
            at->next++;
        if (anchored)
            at->next = length + 1;
        if (found) {
            at->count++;
            if (lua_type(L, REPLACEMENT) == LUA_TFUNCTION) {
                lua_pushvalue(L, REPLACEMENT);
                return lc_match_push(&match, start, end);
            }
            lc_match_push_one(&match, 0, start, end);
            return 1;
        }
        match.captures = 0;
    }
    return 0;
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

/* Replaces a match, whose n captures are on the stack (0: there is none), and all that follow. */
static int gsub_on(lua_State *L, struct gsub *gsub, const char *subject, size_t length, int n)
{
    bool calls = lua_type(L, REPLACEMENT) == LUA_TFUNCTION;

    for (; n > 0; n = find_next(L, &gsub->at, subject, length)) {
        if (calls)
            lua_callk(L, n, 1, 0, gsub_k);
        else
            lc_op_get(L, REPLACEMENT, 0, gsub_k); /* the first capture is the key */
        gsub = add_value(L, gsub, subject);
    }
    lua_settop(L, STATE);
    return finish(L, gsub, subject, length);
}

static int gsub_k(lua_State *L, int status, lua_KContext ctx)
{
    struct gsub *gsub;
    const char *subject;
    size_t length;

    (void)status;
    (void)ctx;
    subject = lua_tolstring(L, SUBJECT, &length);
    gsub = add_value(L, lua_touserdata(L, STATE), subject);
    return gsub_on(L, gsub, subject, length, find_next(L, &gsub->at, subject, length));
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
    return lua_isstring(L, 1) && lua_isstring(L, 2);
}

/* string.gsub(s, pattern, replacement, n) -> s, count */
static int string_gsub(lua_State *L)
{
    struct progress at = {.limit = LUA_MAXINTEGER, .last_end = SIZE_MAX};
    const char *subject;
    size_t length;
    int n;

    if (!waits(L))
        return lc_standard_original(L);
    if (!lua_isnoneornil(L, 4)) {
        int is_integer;

        at.limit = lua_tointegerx(L, 4, &is_integer);
        if (!is_integer)
            return lc_standard_original(L);
    }
    lua_settop(L, REPLACEMENT);
    lua_pushnil(L);
    subject = lua_tolstring(L, SUBJECT, &length);
    n = find_next(L, &at, subject, length);
    if (n > 0)
        return gsub_on(L, state_take(L, &at), subject, length, n);
    lua_pushvalue(L, SUBJECT);
    lua_pushinteger(L, 0);
    return 2;
}

void lc_open_gsub(lua_State *L, struct lc_host *host)
{
    lc_standard_replace(L, host, "gsub", string_gsub);
}
