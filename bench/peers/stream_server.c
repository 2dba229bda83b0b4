/*
 * stream_server echo|sink|source|lines [MEGABYTES]: the floor of the benchmarks of streams: libev, the system
 * calls that the work takes, nothing else. Prints its port, ends when its standard input does.
 *   echo    sends back what comes
 *   sink    reads to the end, then answers with one byte
 *   source  sends so many megabytes, 64 KiB in each write
 *   lines   counts lines to the end, then answers with one byte
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ev.h>

#define PIECE 65536

struct client {
    ev_io io;
    size_t left; /* of a source */
    size_t lines;
};

static char space[256 * 1024], piece[PIECE];
static const char *mode;
static size_t total;

static void finish(struct ev_loop *loop, struct client *client)
{
    ev_io_stop(loop, &client->io);
    close(client->io.fd);
    free(client);
}

static void on_echo(struct ev_loop *loop, ev_io *io, int events)
{
    ssize_t size = recv(io->fd, space, sizeof space, 0);

    (void)events;
    if (size > 0 && send(io->fd, space, (size_t)size, MSG_NOSIGNAL) == size)
        return;
    finish(loop, (struct client *)io);
}

static void on_input(struct ev_loop *loop, ev_io *io, int events)
{
    struct client *client = (struct client *)io;
    ssize_t size = recv(io->fd, space, sizeof space, 0);

    (void)events;
    if (size > 0) {
        if (mode[0] != 'l')
            return;
        for (char *at = space; (at = memchr(at, '\n', (size_t)(space + size - at))) != NULL; at++)
            client->lines++;
        return;
    }
    if (size == 0 && send(io->fd, ".", 1, MSG_NOSIGNAL) < 0)
        perror("send");
    finish(loop, client);
}

static void on_room(struct ev_loop *loop, ev_io *io, int events)
{
    struct client *client = (struct client *)io;
    size_t wanted = client->left < PIECE ? client->left : PIECE;
    ssize_t size = send(io->fd, piece, wanted, MSG_NOSIGNAL);

    (void)events;
    if (size > 0)
        client->left -= (size_t)size;
    if (client->left == 0)
        finish(loop, client);
}

static void on_connection(struct ev_loop *loop, ev_io *io, int events)
{
    int one = 1, fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct client *client;

    (void)events;
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    client = calloc(1, sizeof *client);
    if (client == NULL)
        abort();
    client->left = total;
    if (strcmp(mode, "source") == 0)
        ev_io_init(&client->io, on_room, fd, EV_WRITE);
    else
        ev_io_init(&client->io, strcmp(mode, "echo") == 0 ? on_echo : on_input, fd, EV_READ);
    ev_io_start(loop, &client->io);
}

static void on_end(struct ev_loop *loop, ev_io *io, int events)
{
    (void)io;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ev_io listener, end;

    mode = argc > 1 ? argv[1] : "echo";
    total = argc > 2 ? (size_t)atol(argv[2]) << 20 : 0;
    if (loop == NULL || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 1024) != 0)
        return 1;
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    ev_io_init(&listener, on_connection, fd, EV_READ);
    ev_io_start(loop, &listener);
    ev_io_init(&end, on_end, 0, EV_READ);
    ev_io_start(loop, &end);
    ev_run(loop, 0);
    return 0;
}
