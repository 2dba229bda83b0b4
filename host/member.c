#include "member.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

void lc_member_init(struct lc_member *member)
{
    memset(member, 0, sizeof *member);
    member->channel = -1;
    member->loaded = member->kill_at = HUGE_VAL;
}

bool lc_member_start(struct lc_member *member)
{
    pid_t supervisor = getpid(), pid;
    int ends[2];

    lc_member_init(member);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    pid = fork();
    if (pid < 0) {
        int error = errno;

        close(ends[0]);
        close(ends[1]);
        errno = error;
        return false;
    }
    close(ends[pid == 0 ? 0 : 1]);
    member->pid = pid;
    member->channel = ends[pid == 0 ? 1 : 0];
    member->started = lc_monotonic_time();
    if (pid == 0) {
        /* it must not outlive the supervisor, not even one that ended before this call */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != supervisor)
            _exit(128 + SIGTERM);
    }
    return true;
}

void lc_member_stop(struct lc_member *member, double seconds)
{
    if (member->pid == 0 || member->told)
        return;
    member->told = true;
    member->kill_at = lc_monotonic_time() + seconds;
    kill(member->pid, SIGTERM);
}

void lc_member_kill(struct lc_member *member)
{
    if (member->pid == 0)
        return;
    member->killed = true;
    member->kill_at = HUGE_VAL;
    kill(member->pid, SIGKILL);
}

bool lc_member_reap(struct lc_member *member, int *status)
{
    int info;

    if (member->pid == 0 || waitpid(member->pid, &info, WNOHANG) != member->pid)
        return false;
    *status = WIFSIGNALED(info) ? 128 + WTERMSIG(info) : WEXITSTATUS(info);
    return true;
}

void lc_member_close(struct lc_member *member)
{
    if (member->channel >= 0)
        close(member->channel);
    member->channel = -1;
}
