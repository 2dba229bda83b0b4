/*
 * child: a child process by posix_spawn, and the descriptor that stands for it. Knows no Lua and no loop.
 * Invariant: the child has the three standard descriptors and no other of ours, no signal blocked, and
 *            SIGPIPE and SIGXFSZ, which programs often ignore for themselves, as by default.
 * Owner:     of a child that was made, who called: its pidfd, and the duty to reap it.
 */
#ifndef LC_CHILD_H
#define LC_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/* What a standard descriptor of the child is, when it is none of ours. */
#define LC_STDIO_PIPE    (-1) /* for who makes the pipe; not for lc_spawn */
#define LC_STDIO_STDOUT  (-2) /* of stderr alone */
#define LC_STDIO_NULL    (-3)
#define LC_STDIO_INHERIT (-4)

struct lc_spawn {
    const char *program; /* a path if it has a slash, else looked up in PATH */
    char **argv;
    char **envp; /* NULL: ours */
    const char *cwd;
    int stdio[3];
    pid_t group; /* process group to join, 0: one of its own; negative: ours */
    bool new_session;
    bool holds_interrupt; /* SIGINT is blocked in it: it would come too early */
};

struct lc_child {
    pid_t pid;
    int pidfd; /* -1: somebody else has reaped it already */
};

/* Starts the child, which the caller reaps by its number. 0, or an errno; then *culprit is the file that
 * it is about. Any thread. */
int lc_spawn_process(const struct lc_spawn *spawn, pid_t *pid, const char **culprit);
/* The same with a descriptor that stands for the child. */
int lc_spawn(const struct lc_spawn *spawn, struct lc_child *child, const char **culprit);

enum lc_collected { LC_CHILD_RUNS, LC_CHILD_ENDED, LC_CHILD_TAKEN };

/* Looks whether the child has ended, without waiting, and reaps it unless `keep`. Sets *code to its exit
 * status, or to the negative number of the signal that ended it. TAKEN: somebody else reaped it. */
enum lc_collected lc_child_collect(const struct lc_child *child, bool keep, int *code);

#endif
