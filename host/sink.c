#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "pipe.h"

/* How a record gets to a descriptor on the spot. */
enum kind {
    KIND_QUEUED,   /* never */
    KIND_FILE,     /* by write: a regular file, a device that does not wait */
    KIND_TERMINAL, /* by a descriptor that does not wait */
    KIND_PIPE,     /* the same; without a reader it would be SIGPIPE */
    KIND_SOCKET    /* by send, which can be told not to wait */
};

/* Records one after the other: length, text. */
struct buffer {
    char *data;
    size_t used;
    size_t size;
};

struct lc_sink {
    struct lc_link link; /* host->sinks */
    int fd;
    bool owns_fd;
    enum kind kind;
    int now_fd;    /* of a pipe or terminal: opened once more, without waiting; or -1 */
    bool released; /* goes as soon as its thread has ended */
    bool threaded; /* the thread was started and not yet joined */
    pid_t process; /* in which it was */
    pthread_t thread;

    pthread_mutex_t mutex; /* over what follows */
    pthread_cond_t work;   /* to the thread: records, or the end */
    pthread_cond_t idle;   /* from the thread: nothing left */
    struct buffer front;   /* filled by the host's thread */
    unsigned long dropped; /* records that found it full, since the last swap */
    bool writing;          /* the thread has records under way */
    bool stopping;
    bool abandoned; /* the host has gone: the thread frees the sink */

    struct buffer back;  /* the thread's, between two swaps */
    unsigned long lost;  /* the thread's: records since writing began to fail */
    int failure;         /* the thread's: why, an errno */
    atomic_ulong queued; /* records ever put into front */
    atomic_ulong done;   /* of these, those written or lost */
    atomic_bool ended;   /* the thread is about to return */
    char name[];
};

/* ---- the thread ---- */

/* Writes it all, waiting as long as that takes. 0, or an errno. */
static int write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, text, size);

        if (n >= 0) {
            text += n;
            size -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};

            poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

/* Says on stderr, once, that nothing gets written any more. */
static void report_failure(const struct lc_sink *sink, int error)
{
    char text[512];
    int n;

    if (sink->fd == STDERR_FILENO)
        return;
    n = snprintf(text, sizeof text, "lucio.log: cannot write to %s: %s\n", sink->name,
                 strerrordesc_np(error));
    write_all(STDERR_FILENO, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* Writes a record, before it a line about those that were lost before it. */
static void write_record(struct lc_sink *sink, const char *text, size_t size)
{
    int error = 0;

    if (sink->lost > 0) {
        char notice[128];
        int n = snprintf(notice, sizeof notice, "lucio.log: %lu records lost: %s\n", sink->lost,
                         strerrordesc_np(sink->failure));

        error = write_all(sink->fd, notice, (size_t)n);
    }
    if (error == 0)
        error = write_all(sink->fd, text, size);
    if (error == 0) {
        sink->lost = 0;
    } else {
        if (sink->lost++ == 0)
            report_failure(sink, error);
        sink->failure = error;
    }
}

/* Writes what the back buffer has, then a line about the records that were dropped after it. */
static void write_back(struct lc_sink *sink, unsigned long dropped)
{
    for (size_t at = 0; at < sink->back.used;) {
        size_t size;

        memcpy(&size, sink->back.data + at, sizeof size);
        write_record(sink, sink->back.data + at + sizeof size, size);
        atomic_fetch_add(&sink->done, 1);
        at += sizeof size + size;
    }
    if (dropped > 0) {
        char notice[128];
        int n = snprintf(notice, sizeof notice,
                         "lucio.log: %lu records dropped: the output is too slow\n", dropped);

        write_record(sink, notice, (size_t)n);
    }
}

/* Writes all that is queued. The mutex is locked before and after, but not meanwhile. */
static void drain(struct lc_sink *sink)
{
    while (sink->front.used > 0 || sink->dropped > 0) {
        struct buffer taken = sink->front;
        unsigned long dropped = sink->dropped;

        sink->front = sink->back;
        sink->front.used = 0;
        sink->back = taken;
        sink->dropped = 0;
        sink->writing = true;
        pthread_mutex_unlock(&sink->mutex);
        write_back(sink, dropped);
        pthread_mutex_lock(&sink->mutex);
        sink->writing = false;
    }
    pthread_cond_broadcast(&sink->idle);
}

static void close_files(struct lc_sink *sink)
{
    if (sink->owns_fd)
        close(sink->fd);
    if (sink->now_fd >= 0)
        close(sink->now_fd);
}

/* Nothing of it is in use: its thread is at its end, or was joined, or there was none. */
static void sink_free(struct lc_sink *sink)
{
    if (!atomic_load(&sink->ended))
        close_files(sink);
    pthread_mutex_destroy(&sink->mutex);
    pthread_cond_destroy(&sink->work);
    pthread_cond_destroy(&sink->idle);
    free(sink->front.data);
    free(sink->back.data);
    free(sink);
}

static void *run_thread(void *argument)
{
    struct lc_sink *sink = argument;

    bool abandoned;

    pthread_mutex_lock(&sink->mutex);
    for (;;) {
        drain(sink);
        if (sink->stopping)
            break;
        pthread_cond_wait(&sink->work, &sink->mutex);
    }
    abandoned = sink->abandoned;
    pthread_mutex_unlock(&sink->mutex);
    if (abandoned) {
        sink_free(sink);
        return NULL;
    }
    /* now, and not when the host gets to it: who reads may be waiting for the end */
    close_files(sink);
    atomic_store(&sink->ended, true);
    return NULL;
}

/* ---- the host's side ---- */

static void init_locks(struct lc_sink *sink)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&sink->mutex, NULL);
    pthread_cond_init(&sink->work, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&sink->idle, &attr);
    pthread_condattr_destroy(&attr);
}

/* In a process that fork has made there is no thread; what was queued is for the parent to write. */
static void forget_parent(struct lc_sink *sink)
{
    if (!sink->threaded || sink->process == getpid())
        return;
    init_locks(sink);
    sink->threaded = false;
    sink->writing = false;
    sink->front.used = sink->back.used = 0;
    sink->dropped = sink->lost = 0;
    atomic_store(&sink->done, atomic_load(&sink->queued));
}

/* Starts the thread, which takes no signals: SIGPIPE becomes an error of write. If there can be no
 * thread now, records stay queued and the next one tries again. */
static void start_thread(struct lc_sink *sink)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    sink->threaded = pthread_create(&sink->thread, NULL, run_thread, sink) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    sink->process = getpid();
}

/* Makes room for so many more bytes in front. */
static bool reserve(struct lc_sink *sink, size_t more)
{
    struct buffer *front = &sink->front;
    size_t size = front->size > 0 ? front->size : 4096;
    char *data;

    while (size - front->used < more)
        size *= 2;
    if (size == front->size)
        return true;
    data = realloc(front->data, size);
    if (data == NULL)
        return false;
    front->data = data;
    front->size = size;
    return true;
}

/* Once a record was dropped, all are until the thread has taken what is there: order is kept. */
static bool queue(struct lc_sink *sink, const char *text, size_t size)
{
    size_t whole = sizeof size + size;
    bool taken;

    forget_parent(sink);
    pthread_mutex_lock(&sink->mutex);
    taken = sink->dropped == 0 &&
            (sink->front.used == 0 || whole <= LC_SINK_LIMIT - sink->front.used) &&
            reserve(sink, whole);
    if (taken) {
        memcpy(sink->front.data + sink->front.used, &size, sizeof size);
        memcpy(sink->front.data + sink->front.used + sizeof size, text, size);
        sink->front.used += whole;
        atomic_fetch_add(&sink->queued, 1);
    } else {
        sink->dropped++;
    }
    pthread_cond_signal(&sink->work);
    pthread_mutex_unlock(&sink->mutex);
    if (!sink->threaded)
        start_thread(sink);
    return taken;
}

static bool is_idle(struct lc_sink *sink)
{
    bool busy = false;

    forget_parent(sink);
    if (sink->threaded) {
        pthread_mutex_lock(&sink->mutex);
        busy = sink->writing || sink->front.used > 0 || sink->dropped > 0;
        pthread_mutex_unlock(&sink->mutex);
    }
    return !busy;
}

bool lc_sink_is_ready(struct lc_sink *sink, size_t size)
{
    struct pollfd ready = {.fd = sink->fd, .events = POLLOUT};

    if (sink->kind == KIND_QUEUED || !is_idle(sink))
        return false;
    /* a pipe that is ready takes PIPE_BUF bytes at least (pipe(7)); no reader: POLLERR */
    return sink->kind == KIND_FILE ||
           (size <= PIPE_BUF && poll(&ready, 1, 0) == 1 && ready.revents == POLLOUT);
}

static ssize_t write_now(struct lc_sink *sink, const char *text, size_t size)
{
    switch (sink->kind) {
    case KIND_PIPE:
        return lc_pipe_write(sink->now_fd, text, size);
    case KIND_TERMINAL:
        return write(sink->now_fd, text, size);
    case KIND_SOCKET:
        return send(sink->fd, text, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    default:
        return write(sink->fd, text, size);
    }
}

bool lc_sink_is_terminal(const struct lc_sink *sink)
{
    return sink->kind == KIND_TERMINAL;
}

bool lc_sink_write(struct lc_sink *sink, const char *text, size_t size)
{
    if (sink->kind != KIND_QUEUED && is_idle(sink)) {
        ssize_t n = write_now(sink, text, size);

        if (n == (ssize_t)size)
            return true;
        /* the rest, or all of it after an error, which the thread will meet again and report */
        if (n > 0) {
            text += n;
            size -= (size_t)n;
        }
    }
    return queue(sink, text, size);
}

/* Writes what is queued from here: there is no thread, and could not be one. */
static void drain_here(struct lc_sink *sink)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&sink->mutex);
    drain(sink);
    pthread_mutex_unlock(&sink->mutex);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static struct timespec after(double seconds)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += (time_t)seconds;
    return time;
}

bool lc_sink_flush(struct lc_sink *sink)
{
    bool idle;

    forget_parent(sink);
    if (!sink->threaded) {
        drain_here(sink);
        return true;
    }
    pthread_mutex_lock(&sink->mutex);
    for (;;) {
        unsigned long done = atomic_load(&sink->done);
        struct timespec limit = after(LC_SINK_PATIENCE);
        int error = 0;

        while (error == 0 && (sink->writing || sink->front.used > 0 || sink->dropped > 0))
            error = pthread_cond_timedwait(&sink->idle, &sink->mutex, &limit);
        idle = error == 0;
        if (idle || atomic_load(&sink->done) == done)
            break;
    }
    pthread_mutex_unlock(&sink->mutex);
    return idle;
}

int lc_sink_redirect(struct lc_sink *sink, int fd)
{
    int error = dup3(fd, sink->fd, O_CLOEXEC) < 0 ? errno : 0;

    close(fd);
    return error;
}

static void stop_thread(struct lc_sink *sink)
{
    pthread_mutex_lock(&sink->mutex);
    sink->stopping = true;
    pthread_cond_signal(&sink->work);
    pthread_mutex_unlock(&sink->mutex);
}

/* Frees the released sinks whose thread has ended. */
static void reap(struct lc_host *host)
{
    for (struct lc_link *link = host->sinks.next; link != &host->sinks;) {
        struct lc_sink *sink = lc_container_of(link, struct lc_sink, link);

        link = link->next;
        if (sink->released && atomic_load(&sink->ended)) {
            pthread_join(sink->thread, NULL);
            lc_list_unlink(&sink->link);
            sink_free(sink);
        }
    }
}

static enum kind kind_of(int fd)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return KIND_QUEUED;
    if (S_ISREG(info.st_mode))
        return KIND_FILE;
    if (S_ISCHR(info.st_mode))
        return isatty(fd) ? KIND_TERMINAL : KIND_FILE;
    if (S_ISFIFO(info.st_mode))
        return KIND_PIPE;
    return S_ISSOCK(info.st_mode) ? KIND_SOCKET : KIND_QUEUED;
}

/* A descriptor with a description of its own: to make the other one non-blocking would make it so for
 * all processes that share it. */
static void open_again(struct lc_sink *sink)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", sink->fd);
    sink->now_fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (sink->now_fd < 0)
        sink->kind = KIND_QUEUED;
}

struct lc_sink *lc_sink_new(struct lc_host *host, int fd, const char *name,
                            enum lc_sink_options options)
{
    size_t size = sizeof(struct lc_sink) + strlen(name) + 1;
    struct lc_sink *sink;

    reap(host);
    sink = calloc(1, size);
    if (sink == NULL)
        return NULL;
    memcpy(sink->name, name, strlen(name) + 1);
    sink->fd = fd;
    sink->owns_fd = options & LC_SINK_OWNS_FD;
    sink->kind = options & LC_SINK_DIRECT ? kind_of(fd) : KIND_QUEUED;
    sink->now_fd = -1;
    if (sink->kind == KIND_PIPE || sink->kind == KIND_TERMINAL)
        open_again(sink);
    init_locks(sink);
    lc_list_append(&host->sinks, &sink->link);
    return sink;
}

struct lc_sink *lc_sink_standard(struct lc_host *host, int fd)
{
    for (struct lc_link *link = host->sinks.next; link != &host->sinks; link = link->next) {
        struct lc_sink *sink = lc_container_of(link, struct lc_sink, link);

        if (sink->fd == fd && !sink->owns_fd)
            return sink;
    }
    return lc_sink_new(host, fd, fd == STDERR_FILENO ? "<stderr>" : "<stdout>", LC_SINK_DIRECT);
}

void lc_sink_release(struct lc_sink *sink)
{
    forget_parent(sink);
    if (!sink->threaded) {
        drain_here(sink);
        lc_list_unlink(&sink->link);
        sink_free(sink);
        return;
    }
    sink->released = true;
    stop_thread(sink);
}

void lc_sinks_settle(struct lc_host *host)
{
    for (struct lc_link *link = host->sinks.next; link != &host->sinks; link = link->next) {
        struct lc_sink *sink = lc_container_of(link, struct lc_sink, link);

        if (sink->fd == STDERR_FILENO)
            lc_sink_flush(sink);
    }
}

void lc_sinks_flush(struct lc_host *host)
{
    for (struct lc_link *link = host->sinks.next; link != &host->sinks; link = link->next)
        lc_sink_flush(lc_container_of(link, struct lc_sink, link));
}

/* Leaves a thread that is stuck in a write to itself, and says what may be lost. */
static void give_up(struct lc_sink *sink)
{
    char name[256], text[400];
    unsigned long left;
    bool silent = sink->fd == STDERR_FILENO;

    pthread_detach(sink->thread);
    snprintf(name, sizeof name, "%s", sink->name);
    pthread_mutex_lock(&sink->mutex);
    left = atomic_load(&sink->queued) - atomic_load(&sink->done) + sink->dropped;
    sink->abandoned = true;
    sink->stopping = true;
    pthread_cond_signal(&sink->work);
    pthread_mutex_unlock(&sink->mutex);
    snprintf(text, sizeof text, "lucio.log: %lu records not written to %s\n", left, name);
    if (!silent && left > 0)
        fputs(text, stderr);
}

void lc_sinks_close(struct lc_host *host)
{
    while (!lc_list_empty(&host->sinks)) {
        struct lc_sink *sink = lc_container_of(lc_list_pop(&host->sinks), struct lc_sink, link);

        if (!lc_sink_flush(sink)) {
            give_up(sink);
            continue;
        }
        if (sink->threaded) {
            stop_thread(sink);
            pthread_join(sink->thread, NULL);
        }
        sink_free(sink);
    }
}
