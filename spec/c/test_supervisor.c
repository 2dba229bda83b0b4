/* Tests of host/seats.h and host/ports.h: what follows a crash, and the sockets that workers share. */
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "bound.h"
#include "clock.h"
#include "ports.h"
#include "seats.h"

/* ---- crashes ---- */

struct crew {
    struct lc_supervisor supervisor;
    struct lc_seat seat;
};

static void crew_init(struct crew *crew)
{
    memset(crew, 0, sizeof *crew);
    lc_ports_init(&crew->supervisor.ports);
    crew->supervisor.seats = &crew->seat;
    crew->supervisor.count = 1;
    crew->supervisor.any_ready = true;
    crew->seat.index = 1;
    for (int i = 0; i < 3; i++)
        lc_member_init(lc_seat_member(&crew->seat, i));
}

/* A process that lived for so long fails. */
static void crash(struct crew *crew, double lived, bool ready)
{
    struct lc_member member;

    lc_member_init(&member);
    member.started = lc_monotonic_time() - lived;
    member.ready = ready;
    lc_seat_crashed(&crew->supervisor, &crew->seat, &member, "worker 1", 3);
}

/* The same; the next one starts after that pause. */
static void crash_and_pause(struct crew *crew, double lived, bool ready, double pause)
{
    double before = lc_monotonic_time();

    crash(crew, lived, ready);
    assert_int_equal(LC_SEAT_WAITING, crew->seat.state);
    assert_true(crew->seat.start_at >= before + pause - 1e-9);
    assert_true(crew->seat.start_at <= lc_monotonic_time() + pause + 1e-9);
}

static void pauses_double_up_to_ten_seconds(void **state)
{
    static const double pauses[] = {0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10, 10};
    struct crew crew;

    (void)state;
    crew_init(&crew);
    for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++)
        crash_and_pause(&crew, 1, true, pauses[i]);
    crash_and_pause(&crew, 11, true, 0.1);
    crash_and_pause(&crew, 1, true, 0.2);
}

static void ten_failures_before_ready_are_the_last(void **state)
{
    struct crew crew;

    (void)state;
    crew_init(&crew);
    for (int i = 0; i < 9; i++)
        crash(&crew, 0, false);
    /* one that was ready breaks the row */
    crash(&crew, 0, true);
    for (int i = 0; i < 9; i++) {
        crash(&crew, 0, false);
        assert_int_equal(LC_SEAT_WAITING, crew.seat.state);
    }
    crash(&crew, 0, false);
    assert_int_equal(LC_SEAT_OVER, crew.seat.state);
    assert_int_equal(3, crew.supervisor.status);
    assert_true(lc_supervisor_is_over(&crew.supervisor));
}

static void a_failure_before_any_worker_is_ready_ends_all(void **state)
{
    struct crew crew;

    (void)state;
    crew_init(&crew);
    crew.supervisor.any_ready = false;
    crash(&crew, 0, false);
    assert_true(crew.supervisor.stopping);
    assert_int_equal(3, crew.supervisor.status);
}

/* ---- sockets ---- */

static struct lc_message ask_at(in_port_t port, uint32_t flags)
{
    struct lc_message message = {.kind = LC_ASK_SOCKET, .flags = flags};
    struct sockaddr_in *address = (struct sockaddr_in *)&message.address;

    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address->sin_port = port;
    message.size = sizeof *address;
    return message;
}

static in_port_t port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;

    assert_int_equal(0, getsockname(fd, (struct sockaddr *)&address, &size));
    return address.sin_port;
}

static void processes_share_the_nth_socket_of_port_0(void **state)
{
    struct lc_ports ports;
    struct lc_message message;
    int first, second;

    (void)state;
    lc_ports_init(&ports);
    message = ask_at(0, 0);
    first = lc_ports_open(&ports, 100, 1, &message);
    message = ask_at(0, 0);
    second = lc_ports_open(&ports, 100, 1, &message);
    assert_true(first >= 0 && second >= 0 && first != second);
    message = ask_at(0, 0);
    assert_int_equal(first, lc_ports_open(&ports, 200, 2, &message));
    /* who closes one has it again the next time */
    lc_ports_closed(&ports, 100, message.id);
    message = ask_at(0, 0);
    assert_int_equal(first, lc_ports_open(&ports, 100, 1, &message));
    lc_ports_close(&ports, true);
}

static void a_port_is_a_process_s_once_and_may_be_in_use(void **state)
{
    struct lc_ports ports;
    struct lc_message message;
    in_port_t port;
    int fd = -1;

    (void)state;
    lc_ports_init(&ports);
    message = ask_at(0, 0);
    port = port_of(lc_ports_open(&ports, 100, 1, &message));
    /* another address for the table, and a used one for the system */
    message = ask_at(port, 0);
    assert_int_equal(-1, lc_ports_open(&ports, 200, 2, &message));
    assert_int_equal(EADDRINUSE, message.error);
    lc_ports_close(&ports, true);
    /* somebody else may have got it since */
    for (int i = 0; fd < 0 && i < 100; i++) {
        message = ask_at(0, LC_BIND_REUSE_ADDRESS);
        port = port_of(lc_ports_open(&ports, 100, 1, &message));
        lc_ports_close(&ports, true);
        message = ask_at(port, LC_BIND_REUSE_ADDRESS);
        fd = lc_ports_open(&ports, 100, 1, &message);
    }
    assert_true(fd >= 0);
    message = ask_at(port, LC_BIND_REUSE_ADDRESS);
    assert_int_equal(-1, lc_ports_open(&ports, 100, 1, &message));
    assert_int_equal(EADDRINUSE, message.error);
    lc_ports_ended(&ports, 100);
    message = ask_at(port, LC_BIND_REUSE_ADDRESS);
    assert_int_equal(fd, lc_ports_open(&ports, 101, 1, &message));
    lc_ports_close(&ports, true);
}

static void seats_have_sockets_of_their_own_at_one_port(void **state)
{
    struct lc_ports ports;
    struct lc_message message;
    int first, second;

    (void)state;
    lc_ports_init(&ports);
    message = ask_at(0, LC_BIND_REUSE_PORT);
    first = lc_ports_open(&ports, 100, 1, &message);
    message = ask_at(0, LC_BIND_REUSE_PORT);
    second = lc_ports_open(&ports, 200, 2, &message);
    assert_true(first >= 0 && second >= 0 && first != second);
    assert_int_equal(port_of(first), port_of(second));
    /* the successor in a seat has its socket */
    message = ask_at(0, LC_BIND_REUSE_PORT);
    assert_int_equal(first, lc_ports_open(&ports, 101, 1, &message));
    lc_ports_close(&ports, true);
}

static void what_nobody_holds_is_closed_after_its_time(void **state)
{
    struct lc_ports ports;
    struct lc_message message = ask_at(0, 0);
    double now;

    (void)state;
    lc_ports_init(&ports);
    assert_true(lc_ports_open(&ports, 100, 1, &message) >= 0);
    now = lc_monotonic_time();
    lc_ports_expire(&ports, now + 100, 10);
    assert_false(lc_list_empty(&ports.all));
    lc_ports_closed(&ports, 100, message.id);
    now = lc_monotonic_time();
    lc_ports_expire(&ports, now + 9, 10);
    assert_false(lc_list_empty(&ports.all));
    lc_ports_expire(&ports, now + 10.1, 10);
    assert_true(lc_list_empty(&ports.all));
}

static void the_supervisor_removes_the_file_of_a_unix_socket(void **state)
{
    struct lc_ports ports;
    struct lc_message message = {.kind = LC_ASK_SOCKET};
    struct sockaddr_un *address = (struct sockaddr_un *)&message.address;
    struct stat info;

    (void)state;
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof address->sun_path, "/tmp/lucio-test-%d", (int)getpid());
    message.size = sizeof *address;
    lc_ports_init(&ports);
    assert_true(lc_ports_open(&ports, 100, 1, &message) >= 0);
    assert_int_equal(0, stat(address->sun_path, &info));
    lc_ports_close(&ports, true);
    assert_int_not_equal(0, stat(address->sun_path, &info));
    message.error = 0;
    assert_true(lc_ports_open(&ports, 100, 1, &message) >= 0);
    lc_ports_close(&ports, false);
    assert_int_equal(0, stat(address->sun_path, &info));
    unlink(address->sun_path);
}

static void a_nonsensical_address_is_refused(void **state)
{
    struct lc_ports ports;
    struct lc_message message = {.kind = LC_ASK_SOCKET, .size = 1 << 20};

    (void)state;
    lc_ports_init(&ports);
    assert_int_equal(-1, lc_ports_open(&ports, 100, 1, &message));
    assert_int_not_equal(0, message.error);
    lc_ports_close(&ports, true);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_double_up_to_ten_seconds),
        cmocka_unit_test(ten_failures_before_ready_are_the_last),
        cmocka_unit_test(a_failure_before_any_worker_is_ready_ends_all),
        cmocka_unit_test(processes_share_the_nth_socket_of_port_0),
        cmocka_unit_test(a_port_is_a_process_s_once_and_may_be_in_use),
        cmocka_unit_test(seats_have_sockets_of_their_own_at_one_port),
        cmocka_unit_test(what_nobody_holds_is_closed_after_its_time),
        cmocka_unit_test(the_supervisor_removes_the_file_of_a_unix_socket),
        cmocka_unit_test(a_nonsensical_address_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
