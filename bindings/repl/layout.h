/*
 * layout: where on the screen a place in the line is, as libedit puts it there.
 */
#ifndef LC_LAYOUT_H
#define LC_LAYOUT_H

#include <wchar.h>

/* The row of the place `end` in the line that starts at `start`, counted from the row where the prompt
 * starts. Characters are as wide as the locale says. */
int lc_layout_row(int columns, const char *prompt, const wchar_t *start, const wchar_t *end);

#endif
