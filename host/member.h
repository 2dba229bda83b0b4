/*
 * member: a worker process of `lucio --workers`, as its supervisor sees it.
 * Invariant: pid is not 0 exactly while the process is not reaped; only then it is sent signals.
 * Owner:     its seat, see seats.h.
 */
#ifndef LC_MEMBER_H
#define LC_MEMBER_H

#include <stdbool.h>
#include <sys/types.h>

struct lc_member {
    pid_t pid;
    int channel; /* -1: none any more */
    double started;
    double loaded;  /* when it had read the script; infinite: not yet */
    double kill_at; /* infinite: it is not to end, or has all the time it wants */
    bool ready;     /* accepts connections, or has run the script for a while */
    bool told;      /* to end */
    bool killed;
};

void lc_member_init(struct lc_member *member);

/* Forks. In the worker pid is then 0 and channel its own end, the worker's to close. False: errno says why there is
 * none. */
bool lc_member_start(struct lc_member *member);

/* Asks it to end within so many seconds; kills it. Both are harmless when there is no process. */
void lc_member_stop(struct lc_member *member, double seconds);
void lc_member_kill(struct lc_member *member);

/* Takes its exit status if it has ended: false: it has not. 128 + the signal that ended it. */
bool lc_member_reap(struct lc_member *member, int *status);

/* Closes this end of the channel. */
void lc_member_close(struct lc_member *member);

#endif
