/*
 * gsub: string.gsub whose replacement, a function or the __index of a table, may wait: the walk from match
 * to match, by the matcher of pattern.h, and the result.
 * Invariant: the subject up to `copied` is in the result; nothing before `next` matches any more.
 * Owner:     a call's state is on its stack, see text.h.
 */
#include <stdint.h>
#include <string.h>

#include <lauxlib.h>

#include "operators.h"
#include "pattern.h"
#include "standard.h"
#include "text.h"

/* The stack of a call. */
enum slot { SUBJECT = 1, PATTERN, REPLACEMENT, STATE };

struct progress {
    lua_Integer count; /* matches so far... */
    lua_Integer limit; /* ...and at most */
    size_t next;       /* offset in the subject where the search goes on */
    size_t last_end;   /* end of the last match; SIZE_MAX: there was none */
    size_t copied;     /* offset in the subject: what is before is in the result */
    size_t start, end; /* of the match that is being replaced */
};

struct gsub {
    struct lc_text result;
    struct progress at;
};

/* What does not change from match to match. */
struct walk {
    const char *subject;
    size_t length;
    const char *pattern; /* behind the anchor */
    bool anchored;
    bool calls; /* the replacement is a function */
    struct lc_match match;
};

static void walk_init(lua_State *L, struct walk *walk, struct lc_host *host, bool calls)
{
    size_t pattern_length;

    walk->subject = lua_tolstring(L, SUBJECT, &walk->length);
    walk->pattern = lua_tolstring(L, PATTERN, &pattern_length);
    lc_match_init(&walk->match, L, host, walk->subject, walk->length, walk->pattern,
                  pattern_length);
    walk->anchored = pattern_length > 0 && *walk->pattern == '^';
    walk->pattern += walk->anchored;
    walk->calls = calls;
}

/* Finds the next match and pushes what the replacement is called with. Its number of values, or 0:
 * there is none. */
static int find_next(lua_State *L, struct walk *walk, struct progress *at)
{
    while (at->next <= walk->length && at->count < at->limit) {
        const char *start = walk->subject + at->next, *end;
        size_t end_at;

        walk->match.captures = 0;
        end = lc_match_at(&walk->match, start, walk->pattern);
        end_at = (size_t)(end - walk->subject);
        at->start = at->next++;
        if (end != NULL && end_at != at->last_end) {
            at->next = walk->anchored ? walk->length + 1 : end_at;
            at->end = at->last_end = end_at;
            at->count++;
            if (walk->calls) {
                lua_pushvalue(L, REPLACEMENT);
                return lc_match_push(&walk->match, start, end);
            }
            lc_match_push_one(&walk->match, 0, start, end);
            return 1;
        }
        if (walk->anchored)
            at->next = walk->length + 1;
    }
    return 0;
}

/* The value for a match is on top: adds it to the result unless it is nil or false. */
static inline struct gsub *add_value(lua_State *L, struct gsub *gsub, const char *subject)
{
    size_t size;
    const char *value = lua_tolstring(L, -1, &size);

    if (value != NULL) {
        size_t between = gsub->at.start - gsub->at.copied;

        if (between > 0)
            gsub = (struct gsub *)lc_text_add(L, STATE, &gsub->result, subject + gsub->at.copied,
                                              between);
        gsub = (struct gsub *)lc_text_add(L, STATE, &gsub->result, value, size);
        gsub->at.copied = gsub->at.end;
    } else if (lua_toboolean(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
    lua_settop(L, STATE);
    return gsub;
}

static int finish(lua_State *L, struct gsub *gsub, const struct walk *walk)
{
    lua_Integer count = gsub->at.count;

    if (gsub->at.copied == 0 && gsub->result.size == 0) {
        gsub->result.is_busy = false;
        lua_pushvalue(L, SUBJECT);
    } else {
        lc_text_end(L, STATE,
                    lc_text_add(L, STATE, &gsub->result, walk->subject + gsub->at.copied,
                                walk->length - gsub->at.copied));
    }
    lua_pushinteger(L, count);
    return 2;
}

static int gsub_k(lua_State *L, int status, lua_KContext ctx);

/* Replaces a match, whose n captures are on the stack (0: there is none), and all that follow. */
static int gsub_on(lua_State *L, struct walk *walk, struct gsub *gsub, int n)
{
    while (n > 0) {
        if (walk->calls)
            lua_callk(L, n, 1, 0, gsub_k);
        else
            lc_op_get(L, REPLACEMENT, 0, gsub_k); /* the first capture is the key */
        gsub = add_value(L, gsub, walk->subject);
        n = find_next(L, walk, &gsub->at);
    }
    return finish(L, gsub, walk);
}

static int gsub_k(lua_State *L, int status, lua_KContext ctx)
{
    struct walk walk;
    struct gsub *gsub;

    (void)status;
    (void)ctx;
    walk_init(L, &walk, lc_host_of(L), lua_type(L, REPLACEMENT) == LUA_TFUNCTION);
    gsub = add_value(L, lua_touserdata(L, STATE), walk.subject);
    return gsub_on(L, &walk, gsub, find_next(L, &walk, &gsub->at));
}

/* Whether the replacement, of that type, may wait. */
static bool waits(lua_State *L, struct lc_host *host, int type)
{
    return (type == LUA_TFUNCTION && lc_standard_may_wait(L, host)) ||
           (type == LUA_TTABLE && lc_op_way(L, REPLACEMENT, LC_CAN_READ) == LC_WAY_WAITS);
}

/* string.gsub(s, pattern, replacement, n) -> s, count */
static int string_gsub(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    int type = lua_type(L, REPLACEMENT), n;
    lua_Integer limit = LUA_MAXINTEGER;
    struct walk walk;
    struct gsub *gsub;

    if (!waits(L, host, type) || !lua_isstring(L, SUBJECT) || !lua_isstring(L, PATTERN))
        return lc_standard_original(L);
    if (!lua_isnoneornil(L, 4)) {
        int is_integer;

        limit = lua_tointegerx(L, 4, &is_integer);
        if (!is_integer)
            return lc_standard_original(L);
    }
    lua_settop(L, REPLACEMENT);
    walk_init(L, &walk, host, type == LUA_TFUNCTION);
    gsub = lc_text_push(L, sizeof *gsub);
    gsub->at = (struct progress){.limit = limit, .last_end = SIZE_MAX};
    n = find_next(L, &walk, &gsub->at);
    return gsub_on(L, &walk, gsub, n);
}

void lc_open_gsub(lua_State *L, struct lc_host *host)
{
    lc_standard_replace(L, host, "gsub", string_gsub);
}
