/*
 * tls_server MODE MEGABYTES CERTIFICATE: the floor of the benchmarks of TLS: OpenSSL on a blocking socket, one
 * connection after the other, nothing else. echo sends back what comes, sink reads and says ".", source sends.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 65536

static char data[PIECE];

static void serve(SSL *ssl, const char *mode, double bytes)
{
    int size;

    if (strcmp(mode, "source") == 0) {
        for (; bytes > 0; bytes -= PIECE)
            SSL_write(ssl, data, PIECE);
        SSL_read(ssl, data, PIECE); /* the client's good-bye */
        return;
    }
    while ((size = SSL_read(ssl, data, PIECE)) > 0) {
        if (strcmp(mode, "echo") == 0)
            SSL_write(ssl, data, size);
        else if ((bytes -= size) <= 0)
            SSL_write(ssl, ".", 1);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    socklen_t size = sizeof address;
    struct pollfd ready[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};

    if (argc < 4 || SSL_CTX_use_certificate_chain_file(context, argv[3]) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, argv[3], SSL_FILETYPE_PEM) != 1)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0)
        return 1;
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    while (poll(ready, 2, -1) > 0 && ready[1].revents == 0) {
        int client = accept(fd, NULL, NULL);
        SSL *ssl = SSL_new(context);

        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        SSL_set_fd(ssl, client);
        if (SSL_accept(ssl) == 1)
            serve(ssl, argv[1], 1048576 * atof(argv[2]));
        SSL_shutdown(ssl);
        SSL_free(ssl);
        close(client);
    }
    return 0;
}
