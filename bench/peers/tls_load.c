/*
 * tls_load MODE PORT PID ...: the load of the benchmarks of TLS, for the server PID. Prints numbers:
 *   echo CONNECTIONS BYTES SECONDS  one request outstanding on each connection: requests per second, the 50th
 *                                   and 99th of a hundred latencies, us of the server's time per request
 *   sink|source MEGABYTES           megabytes per second, us of the server's time for each
 *   hands SECONDS                   full handshakes per second, one after the other, us of the server's time
 *   resumed SECONDS                 the same with resumed sessions
 *   idle CONNECTIONS                bytes of the server's memory for each connection
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 16384
#define SLOTS           100000 /* of the histogram, 1 us each */
#define PIECE           65536

struct client {
    SSL *ssl;
    size_t received;
    double sent;
};

static struct client clients[CONNECTIONS_MAX];
static unsigned slots[SLOTS];
static char message[PIECE], answer[PIECE];
static clockid_t server_clock;
static const char *server;
static SSL_CTX *context;
static int port;

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
    char path[64];
    long pages = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%s/statm", server);
    file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        fail(path);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static SSL *dial(SSL_SESSION *session)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    SSL *ssl = SSL_new(context);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    SSL_set_fd(ssl, fd);
    if (session != NULL)
        SSL_set_session(ssl, session);
    if (SSL_connect(ssl) != 1)
        fail("SSL_connect");
    return ssl;
}

static void hang_up(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);

    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

/* ---- loads ---- */

static void request(struct client *client, size_t bytes)
{
    client->sent = now();
    client->received = 0;
    if (SSL_write(client->ssl, message, (int)bytes) != (int)bytes)
        fail("SSL_write");
}

static double percentile(unsigned long total, double part)
{
    unsigned long seen = 0;

    for (int i = 0; i < SLOTS; i++) {
        seen += slots[i];
        if ((double)seen >= part * (double)total)
            return i;
    }
    return SLOTS;
}

static void echo(int count, size_t bytes, double limit)
{
    struct epoll_event events[64], event = {.events = EPOLLIN};
    int epoll = epoll_create1(0);
    unsigned long total = 0;
    double start, cpu;

    for (int i = 0; i < count; i++) {
        clients[i].ssl = dial(NULL);
        event.data.ptr = &clients[i];
        epoll_ctl(epoll, EPOLL_CTL_ADD, SSL_get_fd(clients[i].ssl), &event);
        request(&clients[i], bytes);
    }
    start = now();
    cpu = seconds(server_clock);
    while (now() - start < limit) {
        int n = epoll_wait(epoll, events, 64, 1000);

        for (int i = 0; i < n; i++) {
            struct client *client = events[i].data.ptr;
            int size = SSL_read(client->ssl, answer, sizeof answer);
            double took;

            if (size <= 0)
                fail("SSL_read");
            client->received += (size_t)size;
            if (client->received < bytes)
                continue;
            took = 1e6 * (now() - client->sent);
            slots[took < SLOTS - 1 ? (int)took : SLOTS - 1]++;
            total++;
            request(client, bytes);
        }
    }
    cpu = seconds(server_clock) - cpu;
    printf("%.0f %.0f %.0f %.2f\n", (double)total / (now() - start), percentile(total, 0.5),
           percentile(total, 0.99), 1e6 * cpu / (double)total);
}

static void sink(double megabytes)
{
    SSL *ssl = dial(NULL);
    double start = now(), cpu = seconds(server_clock);

    for (double left = megabytes * 16; left > 0; left--)
        if (SSL_write(ssl, message, PIECE) != PIECE)
            fail("SSL_write");
    /* an answer says that all has come; a server that gives none has read all when it has nothing to do */
    if (getenv("SILENT") != NULL)
        SSL_shutdown(ssl);
    else if (SSL_read(ssl, answer, 1) != 1)
        fail("SSL_read");
    while (getenv("SILENT") != NULL && recv(SSL_get_fd(ssl), answer, sizeof answer, 0) > 0)
        continue;
    printf("%.0f %.2f\n", megabytes / (now() - start),
           1e6 * (seconds(server_clock) - cpu) / megabytes);
}

static void source(double megabytes)
{
    double left = megabytes * 1048576, start, cpu;
    SSL *ssl = dial(NULL);

    start = now();
    cpu = seconds(server_clock);
    while (left > 0) {
        int size = SSL_read(ssl, answer, sizeof answer);

        if (size <= 0)
            fail("SSL_read");
        left -= size;
    }
    printf("%.0f %.2f\n", megabytes / (now() - start),
           1e6 * (seconds(server_clock) - cpu) / megabytes);
}

static void hands(double limit, int resumed)
{
    double start, cpu, count = 0;
    SSL_SESSION *session = NULL;
    SSL *ssl = dial(NULL);

    SSL_write(ssl, message, 1);
    SSL_read(ssl, answer, 1); /* its tickets have come */
    if (resumed)
        session = SSL_get1_session(ssl);
    hang_up(ssl);
    start = now();
    cpu = seconds(server_clock);
    while (now() - start < limit) {
        ssl = dial(session);
        if (resumed && !SSL_session_reused(ssl))
            fail("not resumed");
        hang_up(ssl);
        count++;
    }
    printf("%.0f %.2f\n", count / (now() - start), 1e6 * (seconds(server_clock) - cpu) / count);
}

static void idle(int count)
{
    double before;

    hang_up(dial(NULL));
    sleep(1);
    before = resident();
    for (int i = 0; i < count; i++) {
        clients[i].ssl = dial(NULL);
        SSL_write(clients[i].ssl, message, 64);
        if (SSL_read(clients[i].ssl, answer, 64) != 64)
            fail("SSL_read");
    }
    sleep(1);
    printf("%.0f\n", (resident() - before) / count);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    port = atoi(argv[2]);
    server = argv[3];
    if (clock_getcpuclockid(atoi(argv[3]), &server_clock) != 0)
        fail("clock_getcpuclockid");
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    if (strcmp(argv[1], "echo") == 0 && argc > 6)
        echo(atoi(argv[4]), (size_t)atoi(argv[5]), atof(argv[6]));
    else if (strcmp(argv[1], "sink") == 0)
        sink(atof(argv[4]));
    else if (strcmp(argv[1], "source") == 0)
        source(atof(argv[4]));
    else if (strcmp(argv[1], "hands") == 0 || strcmp(argv[1], "resumed") == 0)
        hands(atof(argv[4]), argv[1][0] == 'r');
    else if (strcmp(argv[1], "idle") == 0)
        idle(atoi(argv[4]));
    else
        return 2;
    return 0;
}
