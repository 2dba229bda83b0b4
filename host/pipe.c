/*
 * pipe: writing to pipes. A library can neither ignore SIGPIPE, which is the whole process's, nor be
 * killed by it.
 * Invariant: the thread's signals are afterwards as they were.
 * Context:   any thread.
 */
#include "pipe.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* linux/fs.h, since Linux 6.18 */
#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100
#endif

/* The signal is blocked, and taken out of what is pending when it came from this write. */
static ssize_t write_masked(int fd, const void *data, size_t size)
{
    sigset_t pipe, before, pending;
    ssize_t n;
    int error;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    sigpending(&pending);
    n = write(fd, data, size);
    error = errno;
    if (n < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&pipe, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return n;
}

ssize_t lc_pipe_write(int fd, const void *data, size_t size)
{
    struct iovec vector = {(void *)data, size};
    ssize_t n = pwritev2(fd, &vector, 1, -1, RWF_NOSIGNAL);

    /* an older kernel does not know the flag, a file may not take it, or there is no such call */
    if (n < 0 && (errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS || errno == ESPIPE))
        return write_masked(fd, data, size);
    return n;
}
