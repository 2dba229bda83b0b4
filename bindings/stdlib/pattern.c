#include "pattern.h"

#include <ctype.h>
#include <string.h>

#include <lauxlib.h>

#include "budget.h"
#include "host.h"

#define ESCAPE '%'

/* How deep patterns may nest, as in Lua. */
#define DEPTH_MAX 200

/* Steps are charged by so many. */
#define STEPS_CHARGED 1000

void lc_match_init(struct lc_match *match, lua_State *L, struct lc_host *host, const char *subject,
                   size_t subject_length, const char *pattern, size_t pattern_length)
{
    match->L = L;
    match->host = host;
    match->subject = subject;
    match->subject_end = subject + subject_length;
    match->pattern_end = pattern + pattern_length;
    match->captures = 0;
    match->depth = DEPTH_MAX;
    match->steps = 0;
}

void lc_match_charge(struct lc_match *match)
{
    int steps = match->steps;

    match->steps = 0;
    lc_budget_charge(match->L, match->host, steps);
}

static inline void count_step(struct lc_match *match)
{
    if (++match->steps >= STEPS_CHARGED)
        lc_match_charge(match);
}

/* ---- single characters ---- */

/* The pattern after the item at p: a character, a class, a set. */
static const char *item_end(struct lc_match *match, const char *p)
{
    if (*p == ESCAPE) {
        if (p + 1 == match->pattern_end)
            luaL_error(match->L, "malformed pattern (ends with '%%')");
        return p + 2;
    }
    if (*p != '[')
        return p + 1;
    p++;
    if (p < match->pattern_end && *p == '^')
        p++;
    /* a ']' that comes first is one of the set */
    do {
        if (p == match->pattern_end)
            luaL_error(match->L, "malformed pattern (missing ']')");
        if (*p++ == ESCAPE) {
            if (p == match->pattern_end)
                luaL_error(match->L, "malformed pattern (missing ']')");
            p++;
        }
    } while (p == match->pattern_end || *p != ']');
    return p + 1;
}

static bool in_class(int c, int class)
{
    bool found;

    switch (tolower(class)) {
    case 'a':
        found = isalpha(c);
        break;
    case 'c':
        found = iscntrl(c);
        break;
    case 'd':
        found = isdigit(c);
        break;
    case 'g':
        found = isgraph(c);
        break;
    case 'l':
        found = islower(c);
        break;
    case 'p':
        found = ispunct(c);
        break;
    case 's':
        found = isspace(c);
        break;
    case 'u':
        found = isupper(c);
        break;
    case 'w':
        found = isalnum(c);
        break;
    case 'x':
        found = isxdigit(c);
        break;
    case 'z': /* not documented any more, but there */
        found = c == '\0';
        break;
    default:
        return class == c;
    }
    return isupper(class) ? !found : found;
}

/* Whether the set from '[' at p to its ']' at `last` has the character. */
static bool in_set(int c, const char *p, const char *last)
{
    bool found = true;

    if (p[1] == '^') {
        found = false;
        p++;
    }
    while (++p < last) {
        if (*p == ESCAPE) {
            p++;
            if (in_class(c, (unsigned char)*p))
                return found;
        } else if (p[1] == '-' && p + 2 < last) {
            if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2])
                return found;
            p += 2;
        } else if ((unsigned char)*p == c) {
            return found;
        }
    }
    return !found;
}

/* Whether the item from p to `end` takes the character at s. */
static bool takes(struct lc_match *match, const char *s, const char *p, const char *end)
{
    int c;

    count_step(match);
    if (s >= match->subject_end)
        return false;
    c = (unsigned char)*s;
    switch (*p) {
    case '.':
        return true;
    case ESCAPE:
        return in_class(c, (unsigned char)p[1]);
    case '[':
        return in_set(c, p, end - 1);
    default:
        return (unsigned char)*p == c;
    }
}

/* ---- items with a meaning of their own ---- */

/* %bxy: the end of what is balanced, or NULL. */
static const char *match_balance(struct lc_match *match, const char *s, const char *p)
{
    int open = 1;

    if (p + 1 >= match->pattern_end)
        luaL_error(match->L, "malformed pattern (missing arguments to '%%b')");
    if (s >= match->subject_end || *s != p[0])
        return NULL;
    while (++s < match->subject_end) {
        count_step(match);
        if (*s == p[1]) {
            if (--open == 0)
                return s + 1;
        } else if (*s == p[0]) {
            open++;
        }
    }
    return NULL;
}

/* As many as there are, then fewer. */
static const char *match_longest(struct lc_match *match, const char *s, const char *p,
                                 const char *end)
{
    ptrdiff_t count = 0;

    while (takes(match, s + count, p, end))
        count++;
    for (; count >= 0; count--) {
        const char *found = lc_match_at(match, s + count, end + 1);

        if (found != NULL)
            return found;
    }
    return NULL;
}

/* As few as do, then more. */
static const char *match_shortest(struct lc_match *match, const char *s, const char *p,
                                  const char *end)
{
    for (;; s++) {
        const char *found = lc_match_at(match, s, end + 1);

        if (found != NULL)
            return found;
        if (!takes(match, s, p, end))
            return NULL;
    }
}

static const char *open_capture(struct lc_match *match, const char *s, const char *p,
                                ptrdiff_t length)
{
    int i = match->captures;
    const char *found;

    if (i >= LC_CAPTURES_MAX)
        luaL_error(match->L, "too many captures");
    match->capture[i].start = s;
    match->capture[i].length = length;
    match->captures = i + 1;
    found = lc_match_at(match, s, p);
    if (found == NULL)
        match->captures--;
    return found;
}

static const char *close_capture(struct lc_match *match, const char *s, const char *p)
{
    const char *found;
    int i = match->captures;

    while (--i >= 0 && match->capture[i].length != LC_CAPTURE_OPEN)
        ;
    if (i < 0)
        luaL_error(match->L, "invalid pattern capture");
    match->capture[i].length = s - match->capture[i].start;
    found = lc_match_at(match, s, p);
    if (found == NULL)
        match->capture[i].length = LC_CAPTURE_OPEN;
    return found;
}

/* %1: the end of what the capture has taken, or NULL. */
static const char *match_back(struct lc_match *match, const char *s, int digit)
{
    int i = digit - '1';
    size_t length;

    if (i < 0 || i >= match->captures || match->capture[i].length == LC_CAPTURE_OPEN)
        luaL_error(match->L, "invalid capture index %%%d", i + 1);
    length = (size_t)match->capture[i].length;
    if ((size_t)(match->subject_end - s) < length ||
        memcmp(match->capture[i].start, s, length) != 0)
        return NULL;
    return s + length;
}

/* %f[set]: whether s is where the set begins to hold. */
static bool at_frontier(struct lc_match *match, const char *s, const char *p, const char *end)
{
    int before = s == match->subject ? '\0' : (unsigned char)s[-1];
    int after = s < match->subject_end ? (unsigned char)*s : '\0';

    return !in_set(before, p, end - 1) && in_set(after, p, end - 1);
}

/* ---- the whole pattern ---- */

/* An item that begins with %: whether it is one with a meaning of its own. If so *s and *p are behind
 * it, *s NULL when it does not match. */
static bool match_special(struct lc_match *match, const char **s, const char **p)
{
    const char *end;

    switch ((*p)[1]) {
    case 'b':
        *s = match_balance(match, *s, *p + 2);
        *p += 4;
        return true;
    case 'f':
        *p += 2;
        if (*p >= match->pattern_end || **p != '[')
            luaL_error(match->L, "missing '[' after '%%f' in pattern");
        end = item_end(match, *p);
        if (!at_frontier(match, *s, *p, end))
            *s = NULL;
        *p = end;
        return true;
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        *s = match_back(match, *s, (unsigned char)(*p)[1]);
        *p += 2;
        return true;
    default:
        return false;
    }
}

static const char *match_items(struct lc_match *match, const char *s, const char *p)
{
    while (p != match->pattern_end) {
        const char *end;

        count_step(match);
        if (*p == '(')
            return p + 1 < match->pattern_end && p[1] == ')'
                       ? open_capture(match, s, p + 2, LC_CAPTURE_POSITION)
                       : open_capture(match, s, p + 1, LC_CAPTURE_OPEN);
        if (*p == ')')
            return close_capture(match, s, p + 1);
        if (*p == '$' && p + 1 == match->pattern_end)
            return s == match->subject_end ? s : NULL;
        if (*p == ESCAPE && p + 1 < match->pattern_end && match_special(match, &s, &p)) {
            if (s == NULL)
                return NULL;
            continue;
        }
        end = item_end(match, p);
        switch (end < match->pattern_end ? *end : '\0') {
        case '*':
            return match_longest(match, s, p, end);
        case '+':
            return takes(match, s, p, end) ? match_longest(match, s + 1, p, end) : NULL;
        case '-':
            return match_shortest(match, s, p, end);
        case '?': {
            const char *found = takes(match, s, p, end) ? lc_match_at(match, s + 1, end + 1) : NULL;

            if (found != NULL)
                return found;
            p = end + 1;
            break;
        }
        default:
            if (!takes(match, s, p, end))
                return NULL;
            s++;
            p = end;
        }
    }
    return s;
}

const char *lc_match_at(struct lc_match *match, const char *at, const char *pattern)
{
    const char *found;

    if (match->depth-- == 0)
        luaL_error(match->L, "pattern too complex");
    found = match_items(match, at, pattern);
    match->depth++;
    return found;
}

/* ---- captures ---- */

void lc_match_push_one(struct lc_match *match, int i, const char *at, const char *end)
{
    lua_State *L = match->L;

    if (i >= match->captures) {
        if (i != 0)
            luaL_error(L, "invalid capture index %%%d", i + 1);
        lua_pushlstring(L, at, (size_t)(end - at));
    } else if (match->capture[i].length == LC_CAPTURE_OPEN) {
        luaL_error(L, "unfinished capture");
    } else if (match->capture[i].length == LC_CAPTURE_POSITION) {
        lua_pushinteger(L, match->capture[i].start - match->subject + 1);
    } else {
        lua_pushlstring(L, match->capture[i].start, (size_t)match->capture[i].length);
    }
}

int lc_match_push(struct lc_match *match, const char *at, const char *end)
{
    int n = match->captures == 0 && at != NULL ? 1 : match->captures;

    luaL_checkstack(match->L, n, "too many captures");
    for (int i = 0; i < n; i++)
        lc_match_push_one(match, i, at, end);
    return n;
}
