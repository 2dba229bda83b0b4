/*
 * fs: what the files of lucio.fs share.
 * A *call* is one operation on a path, done by one job in a thread; its results complete a future. What
 * is done in a thread knows no Lua: a function gets the call, and leaves a result or an errno in it.
 * Owner: a call is its thread's until it has come back, then the loop's, which disposes of it.
 */
#ifndef LC_FS_H
#define LC_FS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <lua.h>

#include "crew.h"

struct lc_host;
struct lc_fs_call;

struct lc_fs_operation {
    const char *name;
    const char *arguments; /* p: path, s: string, i: integer, b: boolean, w: watch, in their turn */
    void (*work)(struct lc_fs_call *call);
    /* Pushes the results and returns their number. NULL: none. [-0, +n, m] */
    int (*push)(lua_State *L, struct lc_host *host, struct lc_fs_call *call);
    bool lasting; /* changes something that is not to be left half done */
    /* Takes back the result on top, whose task was cancelled before it could have it. NULL: it is
     * nothing that would be left. [-1, +0, -] */
    void (*drop)(lua_State *L);
};

/* How an operation gets at a path. */
enum lc_fs_way {
    LC_FS_PLAIN, /* by its name */
    LC_FS_FILE,  /* what it leads to, which is there */
    LC_FS_NEW,   /* the same, or what is made there */
    LC_FS_ENTRY  /* the name in its directory */
};

/* A path that a host with permissions was allowed: where it led then. */
struct lc_fs_access {
    enum lc_fs_way way;
    size_t exists; /* of mkdir with parents: so many bytes of the path were there */
    char real[PATH_MAX];
};

struct lc_fs_call {
    struct lc_job job;
    const struct lc_fs_operation *operation;
    int error;     /* errno, or 0 */
    bool both;     /* the error is about both paths */
    char *culprit; /* malloc's: what the error is about when it is not the path; or NULL */
    char *path, *other;
    struct lc_fs_access *access; /* of both paths, malloc's; NULL: by their names */
    bool pinned;                 /* path and other are those of descriptors */
    int no_follow[2];            /* O_NOFOLLOW for opening them, or 0 */
    long long number[3];
    char *data; /* malloc's: what is written, or the result */
    size_t size;
    size_t capacity;
    struct stat status;
    int fd;       /* opened, and nobody's yet; or -1 */
    bool is_made; /* a temporary directory, and nobody's yet */
    char text[];  /* the paths */
};

/* How LC_FS_WRITE's first number says it; also the mode of files. */
enum lc_fs_write { LC_FS_TRUNCATE, LC_FS_APPEND, LC_FS_EXCLUSIVE, LC_FS_ATOMIC };

/* The threads that do all of it. */
extern struct lc_crew lc_fs_crew;

/* Pushes the OSError of a number, with the paths as Python shows them; both may be NULL.
 * [-0, +1, m] */
void lc_fs_push_error(lua_State *L, struct lc_host *host, int number, const char *path,
                      const char *other);

/* Hands a job to the threads. False: there is none. */
bool lc_fs_submit(struct lc_job *job);

/* ---- path.c: in a thread ---- */

void lc_fs_stat(struct lc_fs_call *call);  /* number: whether links are followed */
void lc_fs_read(struct lc_fs_call *call);  /* the whole file -> data */
void lc_fs_write(struct lc_fs_call *call); /* number: enum lc_fs_write */
void lc_fs_mkdir(struct lc_fs_call *call); /* number: mode, parents, exist_ok */
void lc_fs_mkdtemp(struct lc_fs_call *call);
void lc_fs_remove(struct lc_fs_call *call);
void lc_fs_rmdir(struct lc_fs_call *call);
void lc_fs_rename(struct lc_fs_call *call);
void lc_fs_symlink(struct lc_fs_call *call);
void lc_fs_readlink(struct lc_fs_call *call);
void lc_fs_chmod(struct lc_fs_call *call);
void lc_fs_realpath(struct lc_fs_call *call);
void lc_fs_open(struct lc_fs_call *call); /* number: flags, whether the path is a template -> fd */

/* ---- tree.c: in a thread ---- */

void lc_fs_list(struct lc_fs_call *call);   /* -> data: for each name its kind, it, a zero byte */
void lc_fs_rmtree(struct lc_fs_call *call); /* a directory with all in it; links are not followed */
void lc_fs_copy(struct lc_fs_call *call);   /* contents and permissions, by chunks */

/* A letter for the kind of a file: one of "fdlpscb?". */
char lc_fs_kind(mode_t mode);

/* Writes all of it; returns an errno or 0. */
int lc_fs_write_all(int fd, const char *data, size_t size);

/* ---- call.c ---- */

/* Adds the functions of all operations to the table on top. [-0, +0, m] */
void lc_fs_add_calls(lua_State *L, struct lc_host *host);
/* Pushes the name of a kind. */
void lc_fs_push_kind(lua_State *L, char kind);
/* The path that is the argument at `idx`. [-0, +0, v] */
const char *lc_fs_check_path(lua_State *L, struct lc_host *host, int idx, const char *what,
                             int pos);

/* ---- access.c ---- */

/* Raises unless the host may do the operation with the arguments, which were checked; says how its two paths
 * are got at. For hosts with permissions. [-0, +0, v] */
void lc_fs_permit(lua_State *L, struct lc_host *host, const struct lc_fs_operation *operation,
                  struct lc_fs_access access[2]);

/* ---- pinned.c: in a thread ---- */

/* Does the operation with the paths that were permitted. */
void lc_fs_work_pinned(struct lc_fs_call *call);

/* ---- file.c ---- */

/* Makes the type of files. [-0, +0, m] */
void lc_fs_open_files(lua_State *L, struct lc_host *host);
/* Pushes the file of a descriptor that was opened. [-0, +1, m] */
int lc_fs_push_file(lua_State *L, struct lc_host *host, struct lc_fs_call *call);
/* Closes the file on top, which nobody has got. [-1, +0, -] */
void lc_fs_drop_file(lua_State *L);

/* ---- watch.c ---- */

/* In a thread: has the descriptor tell of the path -> its number. */
void lc_fs_watch(struct lc_fs_call *call);
/* A copy of the descriptor of the watch at `idx`; -1: it is none, or closed. [-0, +0, -] */
int lc_fs_copy_watch(lua_State *L, int idx);
/* Makes the type of watches, adds inotify() to the table on top. [-0, +0, m] */
void lc_fs_add_watch(lua_State *L, struct lc_host *host);

#endif
