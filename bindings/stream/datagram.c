#include "datagram.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "core.h"
#include "streams.h"
#include "supervised.h"

/* The default marks of the output, as those of streams. */
#define HIGH_WATER (64 * 1024)
#define LOW_WATER  (HIGH_WATER / 4)

/* ---- watchers ---- */

static void queue(struct lc_datagram *datagram, struct lc_entry *entry)
{
    if (!lc_entry_is_queued(entry))
        lc_loop_ready(datagram->loop, entry);
}

static void on_readable(struct ev_loop *ev, ev_io *io, int events)
{
    struct lc_datagram *datagram = lc_container_of(io, struct lc_datagram, in);

    (void)ev;
    (void)events;
    queue(datagram, &datagram->readable);
}

static void on_writable(struct ev_loop *ev, ev_io *io, int events)
{
    struct lc_datagram *datagram = lc_container_of(io, struct lc_datagram, out);

    (void)ev;
    (void)events;
    queue(datagram, &datagram->writable);
}

static void watch(struct lc_datagram *datagram, ev_io *io, struct lc_entry *entry, bool on)
{
    struct lc_loop *loop = datagram->loop;

    if (on == (bool)ev_is_active(io))
        return;
    if (on) {
        ev_io_start(loop->ev, io);
        loop->io++;
        loop->host->watchers++;
    } else {
        ev_io_stop(loop->ev, io);
        lc_list_unlink(&entry->link);
        loop->io--;
        loop->host->watchers--;
    }
}

void lc_datagram_watch_input(struct lc_datagram *datagram, bool on)
{
    if (!datagram->lost)
        watch(datagram, &datagram->in, &datagram->readable,
              on && datagram->started && !datagram->closing);
}

/* ---- packets ---- */

static bool is_temporary(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

bool lc_packet_append(struct lc_host *host, struct lc_buffer *buffer,
                      const struct lc_packet *packet, const void *address, const char *data)
{
    size_t before = lc_buffer_size(buffer);

    if (lc_buffer_append(host, buffer, packet, sizeof *packet) &&
        lc_buffer_append(host, buffer, address, packet->address_size) &&
        lc_buffer_append(host, buffer, data, packet->size))
        return true;
    buffer->end = buffer->start + before;
    return false;
}

const char *lc_packet_first(const struct lc_buffer *buffer, struct lc_packet *packet,
                            struct lc_socket_address *address)
{
    const char *at = lc_buffer_data(buffer);

    memcpy(packet, at, sizeof *packet);
    memcpy(&address->storage, at + sizeof *packet, packet->address_size);
    address->size = packet->address_size;
    return at + sizeof *packet + packet->address_size;
}

void lc_packet_consume(struct lc_host *host, struct lc_buffer *buffer,
                       const struct lc_packet *packet)
{
    lc_buffer_consume(host, buffer, sizeof *packet + packet->address_size + packet->size);
}

int lc_datagram_read(struct lc_datagram *datagram, struct lc_incoming *incoming, unsigned count)
{
    struct mmsghdr messages[LC_INCOMING_MAX];
    struct iovec parts[LC_INCOMING_MAX];
    size_t room = LC_SPACE_SIZE / count;
    int n;

    for (unsigned i = 0; i < count; i++) {
        parts[i] = (struct iovec){datagram->host->space + i * room, room};
        messages[i].msg_hdr = (struct msghdr){.msg_name = &incoming[i].address,
                                              .msg_namelen = sizeof incoming[i].address,
                                              .msg_iov = &parts[i],
                                              .msg_iovlen = 1};
    }
    /* with MSG_TRUNC the length is that which the packet had on the way */
    n = recvmmsg(datagram->fd, messages, count, MSG_DONTWAIT | MSG_TRUNC, NULL);
    if (n < 0)
        return is_temporary(errno) ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        size_t whole = messages[i].msg_len;

        incoming[i].packet =
            (struct lc_packet){whole < room ? whole : room, whole, messages[i].msg_hdr.msg_namelen};
        incoming[i].data = parts[i].iov_base;
    }
    return n;
}

/* ---- sending ---- */

static int send_now(struct lc_datagram *datagram, const char *data, size_t size,
                    const struct lc_socket_address *to)
{
    const struct sockaddr *address = to->size > 0 ? (const struct sockaddr *)&to->storage : NULL;
    ssize_t sent = sendto(datagram->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL, address, to->size);

    return sent >= 0 ? 0 : errno;
}

int lc_datagram_send(lua_State *L, struct lc_datagram *datagram, int idx, const char *data,
                     size_t size, const struct lc_socket_address *to)
{
    static const struct lc_socket_address connected;
    struct lc_packet packet = {.size = size, .whole = size};

    if (to == NULL)
        to = datagram->connected ? &connected : &datagram->remote;
    if (lc_buffer_size(&datagram->output) == 0) {
        int error = send_now(datagram, data, size, to);

        if (!is_temporary(error))
            return error;
    }
    packet.address_size = to->size;
    if (!lc_packet_append(datagram->host, &datagram->output, &packet, &to->storage, data))
        return ENOMEM;
    datagram->unsent += size;
    lc_datagram_hold(L, datagram, idx);
    watch(datagram, &datagram->out, &datagram->writable, true);
    if (!datagram->output_full && datagram->unsent > datagram->high) {
        datagram->output_full = true;
        datagram->user->pause(L, datagram);
    }
    return 0;
}

/* ---- beginning and end ---- */

struct lc_datagram *lc_datagram_new(lua_State *L, struct lc_host *host, const struct lc_type *type,
                                    enum lc_ref ref, const struct lc_datagram_user *user)
{
    struct lc_datagram *datagram = lc_new_object(L, host, type, ref, sizeof *datagram, 3);

    datagram->host = host;
    datagram->user = user;
    datagram->fd = -1;
    datagram->lost = true;
    datagram->closing = true;
    datagram->high = HIGH_WATER;
    datagram->low = LOW_WATER;
    datagram->anchor = LC_NO_ANCHOR;
    lc_list_init(&datagram->link);
    lc_list_init(&datagram->receivers);
    lc_list_init(&datagram->drainers);
    lc_list_init(&datagram->closers);
    datagram->anchor = lc_anchor_reserve(L, host);
    if (!lc_host_has_space(host))
        luaL_error(L, "not enough memory");
    return datagram;
}

void lc_datagram_hold(lua_State *L, struct lc_datagram *datagram, int idx)
{
    lua_pushvalue(L, idx);
    lc_anchor_set(L, datagram->host, datagram->anchor);
}

/* A protocol's is held until its end. */
static void let_go(struct lc_datagram *datagram)
{
    lua_State *L = datagram->loop->L;

    if (datagram->user != &lc_endpoint_user || datagram->closing)
        return;
    lua_pushboolean(L, 0);
    lc_anchor_set(L, datagram->host, datagram->anchor);
}

static void queue_end(struct lc_datagram *datagram)
{
    /* a beginning that is still to come comes first, and then the end */
    queue(datagram, &datagram->turn);
}

void lc_datagram_close(lua_State *L, struct lc_datagram *datagram, int idx)
{
    if (datagram->closing)
        return;
    lc_datagram_watch_input(datagram, false);
    datagram->closing = true;
    lc_datagram_hold(L, datagram, idx);
    if (lc_buffer_size(&datagram->output) == 0)
        queue_end(datagram);
    lc_datagram_wake_receivers(datagram);
}

void lc_datagram_abort(lua_State *L, struct lc_datagram *datagram, int idx)
{
    if (datagram->lost)
        return;
    lc_datagram_close(L, datagram, idx);
    watch(datagram, &datagram->out, &datagram->writable, false);
    lc_buffer_free(datagram->host, &datagram->output);
    queue_end(datagram);
}

void lc_datagram_detach(struct lc_datagram *datagram)
{
    if (!datagram->lost) {
        watch(datagram, &datagram->in, &datagram->readable, false);
        watch(datagram, &datagram->out, &datagram->writable, false);
        lc_list_unlink(&datagram->turn.link);
        lc_list_unlink(&datagram->link);
        lc_buffer_free(datagram->host, &datagram->output);
    }
    if (datagram->fd >= 0) {
        close(datagram->fd);
        if (datagram->shared != 0)
            lc_supervised_closed(datagram->host->supervised, datagram->shared);
    }
    datagram->fd = -1;
    datagram->closing = true;
    datagram->lost = true;
    datagram->loop = NULL;
}

static void datagram_end(struct lc_datagram *datagram)
{
    struct lc_loop *loop = datagram->loop;
    struct lc_host *host = datagram->host;
    lua_State *L = loop->L;

    /* its user and this function need it until here */
    lc_anchor_push(L, host, datagram->anchor);
    datagram->user->lost(L, datagram);
    lc_datagram_detach(datagram);
    lc_stream_wake(&datagram->drainers);
    lc_stream_wake(&datagram->closers);
    lc_anchor_drop(L, host, &datagram->anchor);
    lua_pop(L, 1);
}

void lc_datagrams_abandon(lua_State *L, struct lc_loop *loop)
{
    while (!lc_list_empty(&loop->datagrams)) {
        struct lc_datagram *datagram =
            lc_container_of(loop->datagrams.next, struct lc_datagram, link);

        lc_datagram_detach(datagram);
        lc_anchor_drop(L, loop->host, &datagram->anchor);
    }
}

/* ---- entries ---- */

static void readable_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_datagram *datagram = lc_container_of(entry, struct lc_datagram, readable);

    if (!datagram->closing)
        datagram->user->readable(loop->L, datagram);
}

/* Sends from the output until the kernel takes no more. Returns the errno of what failed. */
static int send_output(struct lc_datagram *datagram)
{
    while (lc_buffer_size(&datagram->output) > 0) {
        struct lc_socket_address address;
        struct lc_packet packet;
        const char *data = lc_packet_first(&datagram->output, &packet, &address);
        int error = send_now(datagram, data, packet.size, &address);

        if (is_temporary(error))
            return 0;
        lc_packet_consume(datagram->host, &datagram->output, &packet);
        datagram->unsent -= packet.size;
        if (error != 0)
            return error;
    }
    return 0;
}

static void writable_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_datagram *datagram = lc_container_of(entry, struct lc_datagram, writable);
    int error = send_output(datagram);

    if (error != 0)
        datagram->user->failed(loop->L, datagram, error);
    if (!datagram->lost && datagram->output_full && datagram->unsent <= datagram->low) {
        datagram->output_full = false;
        datagram->user->resume(loop->L, datagram);
    }
    if (datagram->lost || lc_buffer_size(&datagram->output) > 0)
        return;
    watch(datagram, &datagram->out, &datagram->writable, false);
    if (datagram->closing)
        queue_end(datagram);
    else
        let_go(datagram);
}

static void turn_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_datagram *datagram = lc_container_of(entry, struct lc_datagram, turn);

    if (datagram->started) {
        datagram_end(datagram);
        return;
    }
    datagram->started = true;
    datagram->user->made(loop->L, datagram);
    lc_stream_wake(&datagram->drainers);
    if (!datagram->closing)
        let_go(datagram);
    else if (lc_buffer_size(&datagram->output) == 0)
        queue_end(datagram);
}

static const struct lc_entry_type readable_entry = {readable_run, NULL, NULL, NULL};
static const struct lc_entry_type writable_entry = {writable_run, NULL, NULL, NULL};
static const struct lc_entry_type turn_entry = {turn_run, NULL, NULL, NULL};

void lc_datagram_begin(lua_State *L, struct lc_datagram *datagram, int idx, struct lc_loop *loop)
{
    ev_io_init(&datagram->in, on_readable, datagram->fd, EV_READ);
    ev_io_init(&datagram->out, on_writable, datagram->fd, EV_WRITE);
    lc_entry_init(&datagram->readable, &readable_entry);
    lc_entry_init(&datagram->writable, &writable_entry);
    lc_entry_init(&datagram->turn, &turn_entry);
    datagram->loop = loop;
    datagram->closing = false;
    datagram->lost = false;
    lc_list_append(&loop->datagrams, &datagram->link);
    lc_loop_ready(loop, &datagram->turn);
    lc_datagram_hold(L, datagram, idx);
}
