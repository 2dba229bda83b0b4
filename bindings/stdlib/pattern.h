/*
 * pattern: Lua's patterns. Where the host has a budget each step is charged to it.
 * Context: everything may raise: a malformed pattern, BudgetError.
 */
#ifndef LC_PATTERN_H
#define LC_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

#define LC_CAPTURES_MAX 32

struct lc_host;

struct lc_capture {
    const char *start;
    ptrdiff_t length; /* or LC_CAPTURE_OPEN, LC_CAPTURE_POSITION */
};

enum { LC_CAPTURE_OPEN = -1, LC_CAPTURE_POSITION = -2 };

struct lc_match {
    lua_State *L;
    struct lc_host *host;
    const char *subject;
    const char *subject_end;
    const char *pattern_end;
    int captures;
    int depth; /* of the recursion that may still come */
    int steps; /* not yet charged */
    struct lc_capture capture[LC_CAPTURES_MAX];
};

void lc_match_init(struct lc_match *match, lua_State *L, struct lc_host *host, const char *subject,
                   size_t subject_length, const char *pattern, size_t pattern_length);

/* Matches the pattern at exactly this place: the end of the match, or NULL. [-0, +0, v] */
const char *lc_match_at(struct lc_match *match, const char *at, const char *pattern);

/* Pushes the captures; of a pattern without any the whole match, unless `at` is NULL. Their number.
 * [-0, +n, v] */
int lc_match_push(struct lc_match *match, const char *at, const char *end);
/* Pushes one of them, counted from 0. [-0, +1, v] */
void lc_match_push_one(struct lc_match *match, int i, const char *at, const char *end);

/* Charges the steps that were made. [-0, +0, v] */
void lc_match_charge(struct lc_match *match);

#endif
