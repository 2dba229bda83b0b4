/*
 * error_text: an error as a report shows it: what it is, its traceback, the members of a group as a
 * tree, and before it the errors that it came from, as Python prints them.
 */
#ifndef LC_ERROR_TEXT_H
#define LC_ERROR_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include <lua.h>

struct lc_host;

/* Whether what is printed there should be coloured: it is a terminal, and neither NO_COLOR nor
 * TERM=dumb is set. */
bool lc_wants_colour(FILE *file);

/* Pushes the text of the error at `idx`, of several lines, without a newline at its end.
 * [-0, +1, m] */
void lc_error_text_push(lua_State *L, struct lc_host *host, int idx, bool colour);

#endif
