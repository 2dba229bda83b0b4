/* Tests of host/sink.h on pipes: what is written by whom, and what is left behind. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host.h"
#include "sink.h"

#define RECORDS 3000 /* more than a pipe holds */
#define SIZE    100

struct fixture {
    struct lc_host host; /* only its list of sinks is in use */
    int pipe[2];
    size_t open_files;
};

static size_t count_open_files(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL)
        return -1;
    lc_list_init(&f->host.sinks);
    f->open_files = count_open_files();
    *state = f;
    return pipe(f->pipe);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    size_t left = count_open_files();

    assert_int_equal(left, f->open_files);
    free(f);
    return 0;
}

static void write_records(struct lc_sink *sink, int first, int last)
{
    char text[SIZE + 1];

    for (int i = first; i <= last; i++) {
        snprintf(text, sizeof text, "%0*d\n", SIZE - 1, i);
        assert_true(lc_sink_write(sink, text, SIZE));
    }
}

/* Reads all records to the end of the pipe; each must be the one after the last. */
static int read_records(int fd)
{
    FILE *file = fdopen(fd, "r");
    int expected = 1, number;

    assert_non_null(file);
    while (fscanf(file, "%d\n", &number) == 1)
        assert_int_equal(number, expected++);
    fclose(file);
    return expected - 1;
}

/* A released sink writes what it has by itself, and then lets go of its descriptor. */
static void released_sink_writes_all(void **state)
{
    struct fixture *f = *state;
    struct lc_sink *sink = lc_sink_new(&f->host, f->pipe[1], "pipe", LC_SINK_OWNS_FD);

    write_records(sink, 1, RECORDS);
    lc_sink_release(sink);
    assert_int_equal(read_records(f->pipe[0]), RECORDS);
    lc_sinks_close(&f->host);
}

/* Direct writes up to what the pipe takes, the thread's after that: one order. */
static void direct_and_queued_records_keep_their_order(void **state)
{
    struct fixture *f = *state;
    struct lc_sink *sink =
        lc_sink_new(&f->host, f->pipe[1], "pipe", LC_SINK_OWNS_FD | LC_SINK_DIRECT);

    write_records(sink, 1, RECORDS);
    lc_sink_release(sink);
    assert_int_equal(read_records(f->pipe[0]), RECORDS);
    lc_sinks_close(&f->host);
}

/* A host that closes does not wait for ever, but who reads later still gets everything. */
static void stuck_sink_outlives_its_host(void **state)
{
    struct fixture *f = *state;
    struct lc_sink *sink =
        lc_sink_new(&f->host, f->pipe[1], "pipe", LC_SINK_OWNS_FD | LC_SINK_DIRECT);

    write_records(sink, 1, RECORDS);
    lc_sinks_close(&f->host);
    assert_true(lc_list_empty(&f->host.sinks));
    assert_int_equal(read_records(f->pipe[0]), RECORDS);
}

/* After a fork, the child has a thread of its own, and the parent's records are the parent's. */
static void child_writes_its_own_records(void **state)
{
    struct fixture *f = *state;
    struct lc_sink *sink = lc_sink_new(&f->host, f->pipe[1], "pipe", LC_SINK_OWNS_FD);
    int status;
    pid_t child;

    write_records(sink, 1, RECORDS);
    child = fork();
    if (child == 0) {
        int fd = open("/dev/null", O_WRONLY);

        if (lc_sink_redirect(sink, fd) != 0)
            _exit(1);
        for (int i = 0; i < 10; i++)
            lc_sink_write(sink, "child\n", 6);
        lc_sinks_close(&f->host);
        _exit(lc_list_empty(&f->host.sinks) ? 0 : 2);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    lc_sink_release(sink);
    assert_int_equal(read_records(f->pipe[0]), RECORDS);
    lc_sinks_close(&f->host);
}

/* Without a reader nothing is raised: neither an error nor SIGPIPE. */
static void broken_pipe_is_no_signal(void **state)
{
    struct fixture *f = *state;
    struct lc_sink *sink =
        lc_sink_new(&f->host, f->pipe[1], "a pipe", LC_SINK_OWNS_FD | LC_SINK_DIRECT);

    write_records(sink, 1, 1);
    close(f->pipe[0]);
    write_records(sink, 2, 10);
    assert_true(lc_sink_flush(sink));
    lc_sinks_close(&f->host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(released_sink_writes_all, setup, teardown),
        cmocka_unit_test_setup_teardown(direct_and_queued_records_keep_their_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(stuck_sink_outlives_its_host, setup, teardown),
        cmocka_unit_test_setup_teardown(child_writes_its_own_records, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_pipe_is_no_signal, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
