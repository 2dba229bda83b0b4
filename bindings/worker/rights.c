#include "rights.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What sendmsg and recvmsg need for descriptors. */
union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(LC_RIGHTS_MAX * sizeof(int))];
};

int lc_rights_send(int socket, uint64_t serial, const int *descriptors, size_t count)
{
    struct iovec vector = {&serial, sizeof serial};
    union control control;
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control};
    struct cmsghdr *header;

    memset(&control, 0, sizeof control);
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    while (sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

/* The number of the first set, which is dropped without MSG_PEEK. False: there is none. */
static bool next_serial(int socket, int flags, uint64_t *serial)
{
    ssize_t size;

    do {
        /* without room for descriptors none are made */
        size = recv(socket, serial, sizeof *serial, MSG_DONTWAIT | flags);
    } while (size < 0 && errno == EINTR);
    return size == (ssize_t)sizeof *serial;
}

void lc_rights_drop(int socket, uint64_t serial)
{
    uint64_t first;

    while (next_serial(socket, MSG_PEEK, &first) && first <= serial)
        next_serial(socket, 0, &first);
}

/* Takes the descriptors out of the message. */
static size_t collect(struct msghdr *message, int *descriptors)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    size_t count;

    if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        return 0;
    count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(descriptors, CMSG_DATA(header), count * sizeof(int));
    return count;
}

int lc_rights_read(int socket, uint64_t serial, int *descriptors, size_t *count)
{
    uint64_t first;
    struct iovec vector = {&first, sizeof first};
    union control control;
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t size;

    lc_rights_drop(socket, serial - 1);
    do {
        size = recvmsg(socket, &message, MSG_DONTWAIT | MSG_PEEK | MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    *count = size >= 0 ? collect(&message, descriptors) : 0;
    if (size == (ssize_t)sizeof first && first == serial && !(message.msg_flags & MSG_CTRUNC))
        return 0;
    while (*count > 0)
        close(descriptors[--*count]);
    return size >= 0 && first == serial ? EMFILE : ESRCH;
}
