/*
 * echo_load PORT CONNECTIONS BYTES SECONDS PID: the load of the echo benchmark: each connection has one
 * request outstanding. Prints requests per second, the 50th and 99th percentile of the latency in us, and the
 * us of processor time per request that the server PID took.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 16384
#define SLOTS           100000 /* of the histogram, 1 us each */

struct client {
    int fd;
    size_t received;
    double sent;
};

static struct client clients[CONNECTIONS_MAX];
static unsigned slots[SLOTS];
static char message[65536], answer[65536];

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* Processor time of a process, seconds. */
static double processor_time(const char *pid)
{
    unsigned long user = 0, system = 0;
    char path[64];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    file = fopen(path, "r");
    if (file == NULL ||
        fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2)
        fail(path);
    fclose(file);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void request(struct client *client, size_t size)
{
    client->received = 0;
    client->sent = now();
    if (send(client->fd, message, size, MSG_NOSIGNAL) != (ssize_t)size)
        fail("send");
}

static void connect_all(int epoll, int count, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
        int one = 1;

        clients[i].fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(clients[i].fd, (struct sockaddr *)&address, sizeof address) != 0)
            fail("connect");
        setsockopt(clients[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event);
    }
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

int main(int argc, char **argv)
{
    int count = argc == 6 ? atoi(argv[2]) : 0, epoll = epoll_create1(0);
    size_t size = argc == 6 ? (size_t)atol(argv[3]) : 0;
    struct epoll_event events[512];
    double begin, end, start, used = -1;
    unsigned long total = 0;

    if (count < 1 || count > CONNECTIONS_MAX || size < 1 || size > sizeof message)
        return 2;
    memset(message, 'x', size);
    connect_all(epoll, count, atoi(argv[1]));
    start = now();
    begin = start + 0.3; /* the first part is not counted */
    end = begin + atof(argv[4]);
    for (int i = 0; i < count; i++)
        request(&clients[i], size);
    for (double time = start; time < end; time = now()) {
        int ready;

        if (used < 0 && time >= begin)
            used = processor_time(argv[5]);
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
                double us = 1e6 * (now() - client->sent);

                slots[us < SLOTS - 1 ? (unsigned)us : SLOTS - 1]++;
                total++;
            }
            request(client, size);
        }
    }
    printf("%.0f %u %u %.2f\n", (double)total / (end - begin), percentile(total, 0.5),
           percentile(total, 0.99), 1e6 * (processor_time(argv[5]) - used) / (double)total);
    return 0;
}
