/*
 * nudge: a signal to one thread, whose handler gets a pointer there: the way to set a hook in the Lua code
 * that another thread runs, whose state nobody else may touch.
 * Owner: a nudge is the process's: a real-time signal that nobody uses, taken while there are users. In the child of
 *        a fork it has none.
 */
#ifndef LC_NUDGE_H
#define LC_NUDGE_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct lc_nudge {
    pthread_mutex_t mutex;
    unsigned users;
    int number;
    struct sigaction old;
    pthread_once_t once;
    void (*watch_forks)(void); /* has lc_nudge_begin_again called in the children of forks */
};

/* clang-format off */
#define LC_NUDGE_INIT(watch) \
    {.mutex = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT, .watch_forks = (watch)}
/* clang-format on */

typedef void lc_nudge_handler(int number, siginfo_t *info, void *context);

/* Takes the first free real-time signal, or is one user more. False: there is none. */
bool lc_nudge_install(struct lc_nudge *nudge, lc_nudge_handler *handler, int flags);

/* What may still be on its way to this thread is thrown away first: its default is the end. */
void lc_nudge_remove(struct lc_nudge *nudge);

/* In the child of a fork, which has no thread that gets it. */
void lc_nudge_begin_again(struct lc_nudge *nudge);

/* Whether this thread gets it. */
void lc_nudge_allow(const struct lc_nudge *nudge, bool allowed);

/* Sends it to a thread of this process. */
void lc_nudge_send(const struct lc_nudge *nudge, pid_t thread, void *pointer);

/* In the handler: the pointer; NULL: another process sent the signal. */
void *lc_nudge_pointer(const siginfo_t *info);

#endif
