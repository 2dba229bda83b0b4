#include "hotline.h"

#include <errno.h>
#include <string.h>

bool lc_hotline_send(int fd, const struct lc_message *message, int descriptor)
{
    char space[CMSG_SPACE(sizeof descriptor)] = {0};
    struct iovec data = {(void *)message, sizeof *message};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};
    ssize_t n;

    if (descriptor >= 0) {
        struct cmsghdr *control;

        header.msg_control = space;
        header.msg_controllen = sizeof space;
        control = CMSG_FIRSTHDR(&header);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(sizeof descriptor);
        memcpy(CMSG_DATA(control), &descriptor, sizeof descriptor);
    }
    do
        n = sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

int lc_hotline_receive(int fd, struct lc_message *message, int *descriptor)
{
    char space[CMSG_SPACE(sizeof *descriptor)] = {0};
    struct iovec data = {message, sizeof *message};
    struct msghdr header = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr *control;
    ssize_t n;

    *descriptor = -1;
    do
        n = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
    control = CMSG_FIRSTHDR(&header);
    if (control != NULL && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS)
        memcpy(descriptor, CMSG_DATA(control), sizeof *descriptor);
    return n == (ssize_t)sizeof *message ? 1 : -1;
}
