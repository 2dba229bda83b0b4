/*
 * echo_server: the floor of the echo benchmark: libev, one read and one write per request, nothing else.
 * Prints its port, ends when its standard input does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ev.h>

static char space[256 * 1024];

static void on_data(struct ev_loop *loop, ev_io *io, int events)
{
    ssize_t size = recv(io->fd, space, sizeof space, 0);

    (void)events;
    if (size > 0 && send(io->fd, space, (size_t)size, MSG_NOSIGNAL) == size)
        return;
    ev_io_stop(loop, io);
    close(io->fd);
    free(io);
}

static void on_connection(struct ev_loop *loop, ev_io *io, int events)
{
    int one = 1, fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ev_io *client;

    (void)events;
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    client = malloc(sizeof *client);
    if (client == NULL)
        abort();
    ev_io_init(client, on_data, fd, EV_READ);
    ev_io_start(loop, client);
}

static void on_end(struct ev_loop *loop, ev_io *io, int events)
{
    (void)io;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ev_io listener, end;

    if (loop == NULL || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 128) != 0)
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
