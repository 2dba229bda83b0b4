#include "channel.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "large.h"
#include "parcel.h"

/* How many descriptors go at once: the kernel's SCM_MAX_FD. */
#define DESCRIPTORS_MAX 253
/* How many pieces go at once. */
#define VECTORS_MAX 16
/* Without waiting, at most so much is read in one call, so that no worker keeps the others waiting. */
#define RECEIVE_MAX ((size_t)8 * 1024 * 1024)

/* What recvmsg and sendmsg need for descriptors. */
union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
};

void lc_channel_init(struct lc_channel *channel, int fd)
{
    memset(channel, 0, offsetof(struct lc_channel, space));
    channel->fd = fd;
}

/* The message and the descriptors of the frame are done with. */
static void reset_input(struct lc_channel *channel, size_t descriptors)
{
    channel->message = NULL;
    channel->head_got = channel->message_got = 0;
    channel->truncated = false;
    channel->descriptor_count -= descriptors;
    if (channel->descriptor_count == 0)
        return;
    memmove(channel->descriptors, channel->descriptors + descriptors,
            channel->descriptor_count * sizeof *channel->descriptors);
}

void lc_channel_finish(struct lc_channel *channel)
{
    if (channel->sending)
        lc_wire_finish(&channel->wire);
    for (size_t i = 0; i < channel->descriptor_count; i++)
        close(channel->descriptors[i]);
    free(channel->descriptors);
    free(channel->message);
    if (channel->fd >= 0)
        close(channel->fd);
    lc_channel_init(channel, -1);
}

/* ---- sending ---- */

bool lc_channel_begin(struct lc_channel *channel, enum lc_frame_kind kind, uint32_t serial,
                      uint32_t number, const struct lc_parcel *parcel)
{
    memset(&channel->wire, 0, sizeof channel->wire);
    if (parcel != NULL && !lc_wire_open(&channel->wire, parcel))
        return false;
    channel->out = (struct lc_frame){kind, serial, number, (uint32_t)channel->wire.descriptor_count,
                                     channel->wire.size};
    channel->head_sent = channel->vector = channel->offset = channel->descriptors_sent = 0;
    channel->sending = true;
    return true;
}

/* The pieces that leave next. */
static size_t next_vectors(struct lc_channel *channel, struct iovec vectors[VECTORS_MAX])
{
    size_t count = 0, offset = channel->offset;

    if (channel->head_sent < sizeof channel->out) {
        vectors[count].iov_base = (char *)&channel->out + channel->head_sent;
        vectors[count++].iov_len = sizeof channel->out - channel->head_sent;
    }
    for (size_t i = channel->vector; i < channel->wire.vector_count && count < VECTORS_MAX; i++) {
        vectors[count].iov_base = (char *)channel->wire.vectors[i].iov_base + offset;
        vectors[count++].iov_len = channel->wire.vectors[i].iov_len - offset;
        offset = 0;
    }
    return count;
}

/* So many bytes have left. */
static void advance(struct lc_channel *channel, size_t size)
{
    size_t head = sizeof channel->out - channel->head_sent;

    if (head > size)
        head = size;
    channel->head_sent += head;
    size -= head;
    while (channel->vector < channel->wire.vector_count) {
        size_t left = channel->wire.vectors[channel->vector].iov_len - channel->offset;

        if (size < left) {
            channel->offset += size;
            return;
        }
        size -= left;
        channel->vector++;
        channel->offset = 0;
    }
}

/* Adds the next descriptors to the message; returns how many. */
static size_t add_descriptors(const struct lc_channel *channel, struct msghdr *message,
                              union control *control)
{
    size_t count = channel->wire.descriptor_count - channel->descriptors_sent;
    struct cmsghdr *header;

    if (count == 0)
        return 0;
    if (count > DESCRIPTORS_MAX) {
        /* all but the last of them go with a byte each */
        count = DESCRIPTORS_MAX;
        message->msg_iovlen = 1;
        message->msg_iov->iov_len = 1;
    }
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(count * sizeof(int));
    header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), channel->wire.descriptors + channel->descriptors_sent,
           count * sizeof(int));
    return count;
}

int lc_channel_send(struct lc_channel *channel, bool wait)
{
    while (channel->head_sent < sizeof channel->out ||
           channel->vector < channel->wire.vector_count) {
        struct iovec vectors[VECTORS_MAX];
        struct msghdr message = {.msg_iov = vectors};
        union control control;
        size_t descriptors;
        ssize_t sent;

        message.msg_iovlen = next_vectors(channel, vectors);
        descriptors = add_descriptors(channel, &message, &control);
        sent = sendmsg(channel->fd, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
        if (sent < 0) {
            if (errno == EINTR)
                continue;
            return errno == EAGAIN && !wait ? 0 : -1;
        }
        channel->descriptors_sent += descriptors;
        advance(channel, (size_t)sent);
    }
    lc_wire_finish(&channel->wire);
    channel->sending = false;
    return 1;
}

/* ---- receiving ---- */

/* Keeps the descriptors that came. False: no memory; they are closed. */
static bool keep_descriptors(struct lc_channel *channel, struct msghdr *message)
{
    bool kept = true;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        const int *fds = (const int *)(void *)CMSG_DATA(header);
        int *fresh;

        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        fresh = realloc(channel->descriptors,
                        (channel->descriptor_count + count) * sizeof *channel->descriptors);
        if (fresh != NULL) {
            channel->descriptors = fresh;
            memcpy(fresh + channel->descriptor_count, fds, count * sizeof(int));
            channel->descriptor_count += count;
            continue;
        }
        for (size_t i = 0; i < count; i++)
            close(fds[i]);
        kept = false;
    }
    return kept;
}

/* Takes what was read beyond the last frame. */
static size_t take_space(struct lc_channel *channel, void *at, size_t size)
{
    size_t there = channel->space_end - channel->space_at;

    if (there > size)
        there = size;
    if (there == 0)
        return 0;
    memcpy(at, channel->space + channel->space_at, there);
    channel->space_at += there;
    return there;
}

/* Reads to `at`, and what there is more into the space, which is empty. As read(2). */
static ssize_t read_more(struct lc_channel *channel, void *at, size_t size, bool wait)
{
    struct iovec vectors[2] = {{at, size}, {channel->space, sizeof channel->space}};
    union control control;
    struct msghdr message = {.msg_iov = vectors,
                             .msg_iovlen = 2,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t got;

    do {
        got = recvmsg(channel->fd, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        if (got == 0)
            errno = 0;
        return got == 0 ? -1 : got;
    }
    if (message.msg_flags & MSG_CTRUNC)
        channel->truncated = true;
    if (message.msg_controllen > 0 && !keep_descriptors(channel, &message)) {
        errno = ENOMEM;
        return -1;
    }
    channel->space_at = 0;
    channel->space_end = (size_t)got > size ? (size_t)got - size : 0;
    return (size_t)got > size ? (ssize_t)size : got;
}

/* Fills `at` up to `size`, of which *got is there. As lc_channel_receive. */
static int fill(struct lc_channel *channel, void *at, size_t size, size_t *got, bool wait)
{
    size_t limit = RECEIVE_MAX;

    *got += take_space(channel, (char *)at + *got, size - *got);
    while (*got < size) {
        ssize_t count;

        if (!wait && limit == 0)
            return 0;
        count = read_more(channel, (char *)at + *got, size - *got, wait);
        if (count < 0)
            return errno == EAGAIN && !wait ? 0 : -1;
        *got += (size_t)count;
        limit -= (size_t)count < limit ? (size_t)count : limit;
    }
    return 1;
}

int lc_channel_receive(struct lc_channel *channel, bool wait)
{
    int result;

    if (channel->head_got < sizeof channel->in) {
        result = fill(channel, &channel->in, sizeof channel->in, &channel->head_got, wait);
        if (result <= 0)
            return result;
        if (channel->in.size > 0) {
            channel->message = lc_alloc(channel->in.size);
            if (channel->message == NULL) {
                errno = ENOMEM;
                return -1;
            }
        }
    }
    if (channel->in.size == 0)
        return 1;
    return fill(channel, channel->message, channel->in.size, &channel->message_got, wait);
}

bool lc_channel_take(struct lc_channel *channel, struct lc_parcel *parcel)
{
    size_t count = channel->in.descriptors;
    struct lc_parcel unwanted = {0};
    bool good, truncated = channel->truncated;

    if (count > channel->descriptor_count)
        count = channel->descriptor_count;
    if (channel->message == NULL) {
        reset_input(channel, 0);
        return true;
    }
    good = lc_wire_accept(parcel != NULL ? parcel : &unwanted, channel->message, channel->in.size,
                          channel->descriptors, count);
    if (parcel == NULL)
        lc_parcel_clear(&unwanted);
    reset_input(channel, count);
    if (!good && truncated)
        errno = EMFILE;
    return good;
}
