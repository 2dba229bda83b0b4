/*
 * stream_load MODE PORT PID ...: the load of the benchmarks of streams, for the server PID; see stream_server.c.
 * Prints numbers:
 *   echo CONNECTIONS BYTES SECONDS  one request outstanding on each connection: requests per second, the 50th
 *                                   and 99th of a hundred latencies, us of the server's time per request
 *   sink|lines|source MEGABYTES     megabytes per second, us of the server's time for each; lines have 16 bytes
 *   idle CONNECTIONS                connections made per second, bytes of the server's memory for each, then
 *                                   the latencies of one of them while the others are silent
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 16384
#define SLOTS           100000 /* of the histogram, 1 us each */
#define PIECE           65536
#define GROUP           64 /* connections made at once */

struct client {
    int fd;
    size_t received;
    double sent;
};

static struct client clients[CONNECTIONS_MAX];
static unsigned slots[SLOTS];
static char message[PIECE], answer[256 * 1024];
static clockid_t server_clock;
static const char *server;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec time;

    if (clock_gettime(clock, &time) != 0)
        fail("clock_gettime");
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double now(void)
{
    return seconds(CLOCK_MONOTONIC);
}

/* Resident memory of the server, bytes. */
static double resident(void)
{
    long size = 0, pages = 0;
    char path[64];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%s/statm", server);
    file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%ld %ld", &size, &pages) != 2)
        fail(path);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static int connected(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);

        if (sent <= 0)
            fail("send");
        data += sent;
        size -= (size_t)sent;
    }
}

static void note(double since)
{
    double us = 1e6 * (now() - since);

    slots[us < SLOTS - 1 ? (unsigned)us : SLOTS - 1]++;
}

static unsigned percentile(unsigned long total, double part)
{
    unsigned long seen = 0;

    for (unsigned i = 0; i < SLOTS; i++) {
        seen += slots[i];
        if ((double)seen >= part * (double)total)
            return i;
    }
    return SLOTS;
}

static void request(struct client *client, size_t size)
{
    client->received = 0;
    client->sent = now();
    send_all(client->fd, message, size);
}

static int load_echo(int port, int count, size_t size, double duration)
{
    struct epoll_event events[512];
    int epoll = epoll_create1(0);
    double begin, end, used = -1;
    unsigned long total = 0;

    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};

        clients[i].fd = connected(port);
        epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event);
    }
    begin = now() + 0.3; /* the first part is not counted */
    end = begin + duration;
    for (int i = 0; i < count; i++)
        request(&clients[i], size);
    for (double time = now(); time < end; time = now()) {
        int ready;

        if (used < 0 && time >= begin)
            used = seconds(server_clock);
        ready = epoll_wait(epoll, events, 512, 1000);
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            ssize_t n = recv(client->fd, answer, sizeof answer, 0);

            if (n <= 0)
                fail("recv");
            client->received += (size_t)n;
            if (client->received < size)
                continue;
            if (time >= begin) {
                note(client->sent);
                total++;
            }
            request(client, size);
        }
    }
    printf("%.0f %u %u %.3f\n", (double)total / (end - begin), percentile(total, 0.5),
           percentile(total, 0.99), 1e6 * (seconds(server_clock) - used) / (double)total);
    return 0;
}

static int load_bytes(int port, const char *mode, long megabytes)
{
    double used = seconds(server_clock), start = now(), time;
    long long left = (long long)megabytes << 20;
    int fd = connected(port);
    ssize_t n = 1;

    if (mode[0] == 'l') {
        for (size_t i = 15; i < sizeof message; i += 16)
            message[i] = '\n';
    }
    if (strcmp(mode, "source") != 0) {
        for (; left > 0; left -= PIECE)
            send_all(fd, message, PIECE);
        shutdown(fd, SHUT_WR);
        left = 1;
    }
    while (n > 0 && left > 0) {
        n = recv(fd, answer, sizeof answer, 0);
        left -= n;
    }
    if (left != 0)
        fail("the server ended too early");
    time = now() - start;
    printf("%.1f %.2f\n", (double)megabytes / time,
           1e6 * (seconds(server_clock) - used) / (double)megabytes);
    return 0;
}

static int load_idle(int port, int count)
{
    double before = resident(), start = now(), made, memory;
    unsigned long total = 0;

    for (int i = 0; i < count; i += GROUP) {
        int last = i + GROUP < count ? i + GROUP : count;

        for (int k = i; k < last; k++) {
            clients[k].fd = connected(port);
            send_all(clients[k].fd, "x", 1);
        }
        for (int k = i; k < last; k++) {
            if (recv(clients[k].fd, answer, 1, 0) != 1)
                fail("recv");
        }
    }
    made = now() - start;
    usleep(300000);
    memory = resident() - before;
    for (double end = now() + 1; now() < end; total++) {
        double sent = now();

        send_all(clients[count / 2].fd, message, 64);
        if (recv(clients[count / 2].fd, answer, 64, MSG_WAITALL) != 64)
            fail("recv");
        note(sent);
    }
    printf("%.0f %.0f %u %u\n", count / made, memory / count, percentile(total, 0.5),
           percentile(total, 0.99));
    return 0;
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    int port;

    if (argc < 5)
        return 2;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    memset(message, 'x', sizeof message);
    port = atoi(argv[2]);
    server = argv[3];
    if (clock_getcpuclockid((pid_t)atol(server), &server_clock) != 0)
        return 2;
    if (strcmp(argv[1], "idle") == 0 && atoi(argv[4]) <= CONNECTIONS_MAX)
        return load_idle(port, atoi(argv[4]));
    if (strcmp(argv[1], "echo") != 0)
        return load_bytes(port, argv[1], atol(argv[4]));
    if (argc < 7 || atoi(argv[4]) > CONNECTIONS_MAX || atol(argv[5]) > PIECE)
        return 2;
    return load_echo(port, atoi(argv[4]), (size_t)atol(argv[5]), atof(argv[6]));
}
