/*
 * worker_main: the program lucio-worker: the process in which the jobs of a ProcessPoolExecutor run, one
 * after the other. Its standard input is the socket to the process that has started it, whose number is
 * its argument.
 * Invariant: it does not outlive that process, nor the socket. Ctrl-C is that process's matter.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel.h"
#include "job.h"
#include "settings.h"
#include "workplace.h"

struct worker {
    struct lc_workplace place; /* the first member */
    struct lc_channel channel;
    uint32_t serial; /* of the job that runs */
};

/* ---- the process ---- */

/* Children of jobs have Ctrl-C as by default, unlike with SIG_IGN. */
static void on_interrupt(int number)
{
    (void)number;
}

static void leave_interrupts(void)
{
    struct sigaction action;
    sigset_t set;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* The standard descriptors are open from now on; the socket is none of them. -1: it cannot be. */
static int take_socket(void)
{
    int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (fd < 0 || null < 0)
        return -1;
    dup2(null, STDIN_FILENO);
    for (int i = STDOUT_FILENO; i <= STDERR_FILENO; i++) {
        if (i != null && fcntl(i, F_GETFD) == -1)
            dup2(null, i);
    }
    if (null > STDERR_FILENO)
        close(null);
    else
        fcntl(null, F_SETFD, 0);
    return fd;
}

static bool is_socket(int fd)
{
    struct stat info;

    return fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
}

/* ---- frames ---- */

/* Waits for a frame. False: there is none any more. */
static bool receive(struct worker *worker)
{
    return lc_channel_receive(&worker->channel, true) == 1;
}

/* The settings and the initializer. NULL: they did not come. */
static struct lc_settings *receive_settings(struct worker *worker, int parent, unsigned ticket)
{
    struct lc_parcel parcel = {0};
    struct lc_settings *settings;

    if (!receive(worker) || worker->channel.in.kind != LC_FRAME_SETTINGS)
        return NULL;
    worker->place.index = (int)worker->channel.in.number;
    if (!lc_channel_take(&worker->channel, &parcel))
        return NULL;
    settings = lc_settings_read(&parcel, ticket);
    lc_parcel_clear(&parcel);
    if (settings == NULL) {
        if (getppid() != parent)
            return NULL; /* it has died, and we shall at once */
        fprintf(stderr, "lucio-worker: this program is not of the version that has started it\n");
        return NULL;
    }
    if (receive(worker) && worker->channel.in.kind == LC_FRAME_INITIALIZER &&
        lc_channel_take(&worker->channel, &settings->initializer))
        return settings;
    lc_settings_free(settings);
    return NULL;
}

/* lucio.worker.cancelled(): only cancellations come while a job runs. */
static void look(struct lc_workplace *place)
{
    struct worker *worker = (struct worker *)place;
    int result;

    while ((result = lc_channel_receive(&worker->channel, false)) == 1) {
        const struct lc_frame *frame = &worker->channel.in;

        if (frame->kind == LC_FRAME_CANCEL && frame->serial == worker->serial)
            atomic_store(&place->job->cancelled, true);
        lc_channel_take(&worker->channel, NULL);
    }
    if (result < 0)
        atomic_store(&place->job->cancelled, true);
}

/* lucio.worker.report(). A socket that cannot be written to is the end of us. */
static bool report(struct lc_workplace *place, const struct lc_parcel *parcel)
{
    struct worker *worker = (struct worker *)place;

    if (!lc_channel_begin(&worker->channel, LC_FRAME_REPORT, worker->serial, 0, parcel))
        return false;
    if (lc_channel_send(&worker->channel, true) != 1)
        exit(EXIT_FAILURE);
    return true;
}

/* Runs the job whose frame is there. False: its outcome cannot be sent. */
static bool run_job(struct worker *worker)
{
    struct lc_channel *channel = &worker->channel;
    struct lc_job job;
    bool ok, sent;

    memset(&job, 0, sizeof job);
    atomic_init(&job.cancelled, false);
    worker->serial = channel->in.serial;
    job.options = (enum lc_job_options)channel->in.number;
    ok = lc_channel_take(channel, &job.call);
    if (ok)
        ok = lc_workplace_run(&worker->place, &job);
    else
        lc_workplace_refuse(&worker->place, &job, errno);
    fflush(stdout);
    sent = lc_channel_begin(channel, ok ? LC_FRAME_RESULT : LC_FRAME_FAILURE, worker->serial, 0,
                            &job.result) &&
           lc_channel_send(channel, true) == 1;
    if (worker->place.lends)
        lc_workplace_forget(&worker->place, worker->place.keeper);
    lc_parcel_clear(&job.call);
    lc_parcel_clear(&job.result);
    return sent;
}

static bool serve(struct worker *worker)
{
    if (!lc_channel_begin(&worker->channel, LC_FRAME_READY, 0, 0, NULL) ||
        lc_channel_send(&worker->channel, true) != 1)
        return false;
    while (receive(worker)) {
        if (worker->channel.in.kind != LC_FRAME_JOB)
            lc_channel_take(&worker->channel, NULL); /* a cancellation that came too late */
        else if (!run_job(worker))
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct worker *worker;
    struct lc_settings *settings;
    bool served;
    int fd;

    if (argc != 3 || !is_socket(STDIN_FILENO)) {
        fprintf(stderr, "lucio-worker: it is lucio that starts this program\n");
        return EXIT_FAILURE;
    }
    /* before the look at the parent: that may end at any time */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != atoi(argv[1]))
        return EXIT_FAILURE;
    leave_interrupts();
    fd = take_socket();
    worker = calloc(1, sizeof *worker);
    if (fd < 0 || worker == NULL)
        return EXIT_FAILURE;
    lc_channel_init(&worker->channel, fd);
    settings = receive_settings(worker, atoi(argv[1]), (unsigned)atoi(argv[2]));
    if (settings == NULL)
        return EXIT_FAILURE;
    worker->place.settings = settings;
    worker->place.look = look;
    worker->place.keeper = worker;
    worker->place.report = report;
    lc_workplace_open(&worker->place);
    lc_workplace_initialize(&worker->place);
    served = serve(worker);
    lc_workplace_close(&worker->place);
    lc_channel_finish(&worker->channel);
    lc_settings_free(settings);
    free(worker);
    return served ? EXIT_SUCCESS : EXIT_FAILURE;
}
