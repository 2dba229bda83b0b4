/*
 * pinned_path: opening a path that lc_real_path has walked, and no other one: where a link has come into it
 * since, it fails with ELOOP.
 * openat2(2) does it; on kernels before 5.6, and where a filter of system calls refuses it, a walk from
 * directory to directory.
 */
#ifndef LC_PINNED_PATH_H
#define LC_PINNED_PATH_H

/* A descriptor of the absolute path without links, or -1 and errno. `flags` as open(2), without O_CREAT. */
int lc_pinned_open(const char *real, int flags);

/* A descriptor (O_PATH) of the directory of the path's last name, or -1 and errno. *name is that name in the
 * path; of the root it is ".". */
int lc_pinned_parent(const char *real, const char **name);

/* The walk. */
int lc_pinned_walk(const char *real, int flags);

#endif
