/*
 * real_path: where a path leads; see real_path.c.
 */
#ifndef LC_REAL_PATH_H
#define LC_REAL_PATH_H

#include <limits.h>
#include <stdbool.h>

/* The absolute path without links, `.` and `..` of what `path` names, whether that exists or not. Without
 * `follow` a link at the end stands for itself. False: it is too long, or has too many links, or there is
 * no current directory. */
bool lc_real_path(const char *path, bool follow, char out[PATH_MAX]);

#endif
