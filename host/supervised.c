#include "supervised.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "hotline.h"

/* Seconds to wait for an answer of the supervisor, which does nothing that takes long. */
#define ANSWER_LIMIT 10.0

static void say(struct lc_supervised *supervised, enum lc_message_kind kind, int id)
{
    struct lc_message message = {.kind = kind, .id = id};

    lc_hotline_send(supervised->channel, &message, -1);
}

/* Waits for the answer to the last request. */
static int take_answer(struct lc_supervised *supervised, struct lc_message *answer, int *fd)
{
    double end = lc_monotonic_time() + ANSWER_LIMIT;
    double left;

    while ((left = end - lc_monotonic_time()) > 0) {
        struct pollfd ready = {.fd = supervised->channel, .events = POLLIN};

        switch (lc_hotline_receive(supervised->channel, answer, fd)) {
        case 1:
            if (answer->number == supervised->requests)
                return answer->error;
            /* of a request that was given up */
            if (*fd >= 0)
                close(*fd);
            break;
        case 0:
            poll(&ready, 1, (int)(left * 1000) + 1);
            break;
        default:
            return ECONNRESET;
        }
    }
    return ETIMEDOUT;
}

int lc_supervised_socket(struct lc_supervised *supervised, const struct sockaddr *address,
                         socklen_t size, uint32_t flags, int *fd, int *id)
{
    struct lc_message message = {.kind = LC_ASK_SOCKET, .flags = flags, .size = size};
    int error;

    message.number = ++supervised->requests;
    memcpy(&message.address, address, size);
    *fd = -1;
    if (!lc_hotline_send(supervised->channel, &message, -1))
        return errno;
    error = take_answer(supervised, &message, fd);
    *id = error == 0 ? message.id : 0;
    if (error == 0 && *fd < 0) {
        /* the kernel could not put it into this process */
        lc_supervised_closed(supervised, *id);
        error = EMFILE;
    }
    return error;
}

void lc_supervised_closed(struct lc_supervised *supervised, int id)
{
    say(supervised, LC_SAY_CLOSED, id);
}

void lc_supervised_loaded(struct lc_supervised *supervised)
{
    say(supervised, LC_SAY_LOADED, 0);
}

void lc_supervised_ready(struct lc_supervised *supervised)
{
    if (!supervised->ready)
        say(supervised, LC_SAY_READY, 0);
    supervised->ready = true;
}
