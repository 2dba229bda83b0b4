/*
 * stream_load [-t] [-s] MODE PORT PID ...: the load of the benchmarks of streams, for the server PID; see
 * stream_server.c. -t: over TLS, whatever the certificate; -s: of a server that gives no answer. Prints numbers:
 *   echo CONNECTIONS BYTES SECONDS  one request outstanding on each connection: requests per second, the 50th
 *                                   and 99th of a hundred latencies, us of the server's time per request
 *   sink|lines|source MEGABYTES     megabytes per second, us of the server's time for each; lines have 16 bytes
 *   idle CONNECTIONS                connections made per second, bytes of the server's memory for each, then
 *                                   the latencies of one of them while the others are silent
 *   hands|resumed SECONDS           connections made and ended one after the other, per second, us of the server's
 *                                   time; resumed: all have the TLS session of the first
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
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
    SSL *ssl; /* NULL: without TLS */
    size_t received;
    double sent;
};

static struct client clients[CONNECTIONS_MAX];
static unsigned slots[SLOTS];
static char message[PIECE], answer[256 * 1024];
static clockid_t server_clock;
static const char *server;
static SSL_CTX *context; /* NULL: without TLS */
static SSL_SESSION *session;
static int port, silent;

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

/* ---- connections ---- */

static void dial(struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;

    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (context == NULL)
        return;
    client->ssl = SSL_new(context);
    SSL_set_fd(client->ssl, client->fd);
    if (session != NULL)
        SSL_set_session(client->ssl, session);
    if (SSL_connect(client->ssl) != 1 || (session != NULL && !SSL_session_reused(client->ssl)))
        fail("SSL_connect");
}

static void hang_up(struct client *client)
{
    if (client->ssl != NULL) {
        SSL_shutdown(client->ssl);
        SSL_free(client->ssl);
    }
    close(client->fd);
}

static void put(struct client *client, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = client->ssl != NULL ? SSL_write(client->ssl, data, (int)size)
                                           : send(client->fd, data, size, MSG_NOSIGNAL);

        if (sent <= 0)
            fail("send");
        data += sent;
        size -= (size_t)sent;
    }
}

/* What is there, up to `size`; 0: the end. */
static size_t get(struct client *client, size_t size)
{
    ssize_t got = client->ssl != NULL ? SSL_read(client->ssl, answer, (int)size)
                                      : recv(client->fd, answer, size, 0);

    if (got < 0)
        fail("recv");
    return (size_t)got;
}

static void get_all(struct client *client, size_t size)
{
    for (size_t got; size > 0; size -= got) {
        got = get(client, size);
        if (got == 0)
            fail("the server ended too early");
    }
}

/* ---- loads ---- */

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
    put(client, message, size);
}

static int load_echo(int count, size_t size, double duration)
{
    struct epoll_event events[512];
    int epoll = epoll_create1(0);
    double begin, end, used = -1;
    unsigned long total = 0;

    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};

        dial(&clients[i]);
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
            size_t n = get(client, sizeof answer);

            if (n == 0)
                fail("the server ended too early");
            client->received += n;
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

/* That was all. A server that gives no answer has read it when it ends the connection. */
static void finish_sending(struct client *client)
{
    if (client->ssl == NULL)
        shutdown(client->fd, SHUT_WR);
    else if (silent)
        SSL_shutdown(client->ssl);
    if (!silent)
        get_all(client, 1);
    while (silent && recv(client->fd, answer, sizeof answer, 0) > 0)
        continue;
}

static int load_bytes(const char *mode, long megabytes)
{
    long long left = (long long)megabytes << 20;
    struct client *client = clients;
    double used, start, time;

    if (mode[0] == 'l') {
        for (size_t i = 15; i < sizeof message; i += 16)
            message[i] = '\n';
    }
    dial(client);
    used = seconds(server_clock);
    start = now();
    if (strcmp(mode, "source") != 0) {
        for (; left > 0; left -= PIECE)
            put(client, message, PIECE);
        finish_sending(client);
    }
    while (left > 0) {
        size_t got = get(client, sizeof answer);

        if (got == 0)
            fail("the server ended too early");
        left -= (long long)got;
    }
    time = now() - start;
    printf("%.1f %.2f\n", (double)megabytes / time,
           1e6 * (seconds(server_clock) - used) / (double)megabytes);
    return 0;
}

static int load_idle(int count)
{
    double before, start, made, memory;
    unsigned long total = 0;

    if (context != NULL) { /* what the first connection takes is not theirs */
        dial(clients);
        hang_up(clients);
        sleep(1);
    }
    before = resident();
    start = now();
    for (int i = 0; i < count; i += GROUP) {
        int last = i + GROUP < count ? i + GROUP : count;

        for (int k = i; k < last; k++) {
            dial(&clients[k]);
            put(&clients[k], "x", 1);
        }
        for (int k = i; k < last; k++)
            get_all(&clients[k], 1);
    }
    made = now() - start;
    usleep(300000);
    memory = resident() - before;
    for (double end = now() + 1; now() < end; total++) {
        double sent = now();

        put(&clients[count / 2], message, 64);
        get_all(&clients[count / 2], 64);
        note(sent);
    }
    printf("%.0f %.0f %u %u\n", count / made, memory / count, percentile(total, 0.5),
           percentile(total, 0.99));
    return 0;
}

static int load_hands(double limit, int resumed)
{
    struct client *client = clients;
    double start, used, count = 0;

    dial(client);
    put(client, message, 1);
    get_all(client, 1); /* its tickets have come */
    if (resumed)
        session = SSL_get1_session(client->ssl);
    hang_up(client);
    start = now();
    used = seconds(server_clock);
    for (; now() - start < limit; count++) {
        dial(client);
        hang_up(client);
    }
    printf("%.0f %.2f\n", count / (now() - start), 1e6 * (seconds(server_clock) - used) / count);
    return 0;
}

static int load(const char *mode, int count, char **numbers)
{
    double number = atof(numbers[0]);

    if (strcmp(mode, "idle") == 0 && number <= CONNECTIONS_MAX)
        return load_idle((int)number);
    if (strcmp(mode, "hands") == 0 || strcmp(mode, "resumed") == 0)
        return load_hands(number, mode[0] == 'r');
    if (strcmp(mode, "echo") != 0)
        return load_bytes(mode, (long)number);
    if (count < 3 || number > CONNECTIONS_MAX || atol(numbers[1]) > PIECE)
        return 2;
    return load_echo((int)number, (size_t)atol(numbers[1]), atof(numbers[2]));
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    int option, tls = 0;

    while ((option = getopt(argc, argv, "ts")) != -1) {
        if (option == '?')
            return 2;
        *(option == 't' ? &tls : &silent) = 1;
    }
    argv += optind;
    argc -= optind;
    if (argc < 4)
        return 2;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    memset(message, 'x', sizeof message);
    port = atoi(argv[1]);
    server = argv[2];
    if (clock_getcpuclockid((pid_t)atol(server), &server_clock) != 0)
        return 2;
    if (tls) {
        context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    }
    return load(argv[0], argc - 3, argv + 3);
}
