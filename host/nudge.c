#include "nudge.h"

#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

bool lc_nudge_install(struct lc_nudge *nudge, lc_nudge_handler *handler, int flags)
{
    struct sigaction action;
    bool found;

    pthread_once(&nudge->once, nudge->watch_forks);
    pthread_mutex_lock(&nudge->mutex);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    sigemptyset(&action.sa_mask);
    found = nudge->users > 0;
    for (int number = SIGRTMIN + 3; !found && number < SIGRTMAX; number++) {
        found = sigaction(number, NULL, &nudge->old) == 0 && nudge->old.sa_handler == SIG_DFL &&
                sigaction(number, &action, NULL) == 0;
        nudge->number = number;
    }
    if (found)
        nudge->users++;
    pthread_mutex_unlock(&nudge->mutex);
    return found;
}

void lc_nudge_remove(struct lc_nudge *nudge)
{
    static const struct timespec no_time;
    sigset_t set, old;

    sigemptyset(&set);
    sigaddset(&set, nudge->number);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    while (sigtimedwait(&set, NULL, &no_time) > 0)
        continue;
    pthread_mutex_lock(&nudge->mutex);
    if (nudge->users > 0 && --nudge->users == 0)
        sigaction(nudge->number, &nudge->old, NULL);
    pthread_mutex_unlock(&nudge->mutex);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void lc_nudge_begin_again(struct lc_nudge *nudge)
{
    pthread_mutex_init(&nudge->mutex, NULL);
    if (nudge->users > 0)
        sigaction(nudge->number, &nudge->old, NULL);
    nudge->users = 0;
}

void lc_nudge_allow(const struct lc_nudge *nudge, bool allowed)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, nudge->number);
    pthread_sigmask(allowed ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}

void lc_nudge_send(const struct lc_nudge *nudge, pid_t thread, void *pointer)
{
    siginfo_t info;

    memset(&info, 0, sizeof info);
    info.si_signo = nudge->number;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = pointer;
    syscall(SYS_rt_tgsigqueueinfo, info.si_pid, thread, nudge->number, &info);
}

void *lc_nudge_pointer(const siginfo_t *info)
{
    if (info->si_code != SI_QUEUE || info->si_pid != getpid())
        return NULL;
    return info->si_value.sival_ptr;
}
