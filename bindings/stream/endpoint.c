/*
 * endpoint: datagrams for tasks: lucio.open_datagram.
 * Who receives waits in turn, and the socket is read only while somebody waits: the kernel's buffer is the
 * queue, and drops what does not fit into it. One readiness may bring a few packets more than there are
 * receivers; they stay in `input` for the next ones, so a cancelled receiver loses nothing.
 * A socket that other workers read too is read by the receiver itself, when it runs again: what the process
 * has read when it is told to end would be lost.
 * Invariant: of a socket of its own no more receivers are woken than there are packets in `input` and an error,
 *            until it closes;
 *            who comes later waits behind those who are linked.
 */
#include <errno.h>

#include <lauxlib.h>

#include "core.h"
#include "datagram.h"
#include "pair.h"

/* Packets and bytes that one readiness reads at most. */
#define READ_MAX  64
#define BYTES_MAX ((size_t)256 * 1024)

const struct lc_type lc_endpoint_type = {"DatagramEndpoint", sizeof(struct lc_datagram)};

static const struct lc_wait_type receive_wait = {"a datagram", NULL};
static const struct lc_wait_type drain_wait = {"room in a datagram endpoint's buffer", NULL};
static const struct lc_wait_type close_wait = {"the end of a datagram endpoint", NULL};

/* ---- receiving ---- */

void lc_datagram_wake_receivers(struct lc_datagram *datagram)
{
    unsigned count = datagram->received + (datagram->error != 0);
    struct lc_link *list = &datagram->receivers;

    for (struct lc_link *link = list->next; link != list; link = link->next) {
        if (count == 0 && !datagram->closing)
            break;
        lc_waiter_wake(lc_waiter_of(link));
        count -= count > 0;
    }
}

static void keep_packet(struct lc_datagram *datagram, const struct lc_incoming *incoming)
{
    if (lc_packet_append(datagram->host, &datagram->input, &incoming->packet, &incoming->address,
                         incoming->data))
        datagram->received++;
    else
        datagram->error = ENOMEM;
}

static void read_packets(struct lc_datagram *datagram)
{
    unsigned count = datagram->is_unix ? 1 : LC_INCOMING_MAX;
    struct lc_incoming incoming[LC_INCOMING_MAX];
    int n;

    do {
        n = lc_datagram_read(datagram, incoming, count);
        if (n < 0)
            datagram->error = -n;
        for (int i = 0; i < n; i++)
            keep_packet(datagram, &incoming[i]);
    } while (n == (int)count && datagram->received < READ_MAX && datagram->error == 0 &&
             lc_buffer_size(&datagram->input) < BYTES_MAX);
}

/* Its receiver runs again: another worker may have been faster. */
static void read_shared(struct lc_datagram *datagram)
{
    struct lc_incoming incoming;
    int n;

    if (datagram->received > 0 || datagram->error != 0 || datagram->closing)
        return;
    n = lc_datagram_read(datagram, &incoming, 1);
    if (n > 0)
        keep_packet(datagram, &incoming);
    else if (n < 0)
        datagram->error = -n;
}

static void endpoint_readable(lua_State *L, struct lc_datagram *datagram)
{
    unsigned waiting = 0;

    (void)L;
    if (datagram->shared != 0) {
        lc_waiters_wake_one(&datagram->receivers);
        return;
    }
    for (struct lc_link *link = datagram->receivers.next; link != &datagram->receivers;
         link = link->next)
        waiting++;
    if (datagram->received < waiting && datagram->error == 0)
        read_packets(datagram);
    lc_datagram_wake_receivers(datagram);
}

static void endpoint_failed(lua_State *L, struct lc_datagram *datagram, int error)
{
    (void)L;
    datagram->error = error;
    lc_datagram_wake_receivers(datagram);
}

static void endpoint_resume(lua_State *L, struct lc_datagram *datagram)
{
    (void)L;
    lc_stream_wake(&datagram->drainers);
}

static void nothing(lua_State *L, struct lc_datagram *datagram)
{
    (void)L;
    (void)datagram;
}

const struct lc_datagram_user lc_endpoint_user = {nothing, endpoint_readable, endpoint_failed,
                                                  nothing, endpoint_resume,   nothing};

/* ---- methods ---- */

static struct lc_datagram *check(lua_State *L, const char *what)
{
    return lc_check_self(L, &lc_endpoint_type, what);
}

/* Raises the error that was kept, if there is one. */
static void raise_kept(lua_State *L, struct lc_datagram *datagram)
{
    int error = datagram->error;

    datagram->error = 0;
    if (error != 0)
        lc_raise_loss(L, datagram->host, error);
}

/* What came first: data, address, the size it had if it was cut off. The limit is at 2. */
static int push_packet(lua_State *L, struct lc_datagram *datagram)
{
    struct lc_socket_address address;
    struct lc_packet packet;
    const char *data = lc_packet_first(&datagram->input, &packet, &address);
    size_t size = packet.size;

    if (!lua_isnil(L, 2) && (lua_Unsigned)lua_tointeger(L, 2) < size)
        size = (size_t)lua_tointeger(L, 2);
    lua_pushlstring(L, data, size);
    lc_push_packet_address(L, (struct sockaddr *)&address.storage, address.size);
    lc_packet_consume(datagram->host, &datagram->input, &packet);
    datagram->received--;
    if (size == packet.whole)
        return 2;
    lua_pushinteger(L, (lua_Integer)packet.whole);
    return 3;
}

static int receive_k(lua_State *L, int status, lua_KContext ctx);

static int receive_wait_on(lua_State *L, struct lc_task *task, struct lc_datagram *datagram,
                           lua_KContext ctx)
{
    lc_datagram_watch_input(datagram, true);
    lc_wait_begin(L, task, &receive_wait, 1);
    return lc_wait_yield(L, task, ctx, receive_k);
}

/* ctx 1: the end is no error. */
static int receive(lua_State *L, struct lc_datagram *datagram, lua_KContext ctx)
{
    struct lc_task *task;

    if (lc_list_empty(&datagram->receivers)) {
        if (datagram->received > 0)
            return push_packet(L, datagram);
        raise_kept(L, datagram);
    }
    if (datagram->closing && ctx != 0)
        return 0;
    if (datagram->closing)
        lc_raise(L, datagram->host, LC_CONNECTION_ABORTED_ERROR,
                 "recvfrom: the endpoint is closed");
    task = lc_wait_task(L, datagram->host, "DatagramEndpoint:recvfrom");
    if (task->future.loop != datagram->loop)
        lc_raise(L, datagram->host, LC_RUNTIME_ERROR, "the endpoint belongs to a different loop");
    lc_list_append(&datagram->receivers, &task->waiter.link);
    return receive_wait_on(L, task, datagram, ctx);
}

static int receive_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;
    struct lc_datagram *datagram = lua_touserdata(L, 1);
    bool failed;

    (void)status;
    lc_list_unlink(&task->waiter.link);
    failed = lc_wait_end(L, task);
    if (!failed && datagram->shared != 0)
        read_shared(datagram);
    if (!failed && datagram->received == 0 && datagram->error == 0 && !datagram->closing) {
        /* it has the first turn again */
        lc_list_append(datagram->receivers.next, &task->waiter.link);
        return receive_wait_on(L, task, datagram, ctx);
    }
    if (lc_list_empty(&datagram->receivers))
        lc_datagram_watch_input(datagram, false);
    if (failed) {
        /* what it was woken for is the next one's */
        lc_datagram_wake_receivers(datagram);
        return lua_error(L);
    }
    if (datagram->received > 0)
        return push_packet(L, datagram);
    raise_kept(L, datagram);
    if (ctx != 0)
        return 0;
    return lc_raise(L, datagram->host, LC_CONNECTION_ABORTED_ERROR,
                    "recvfrom: the endpoint was closed");
}

/* endpoint:recvfrom(limit?) -> data, address, size if it was cut off. May suspend. */
static int endpoint_recvfrom(lua_State *L)
{
    struct lc_datagram *datagram = check(L, "recvfrom");

    lua_settop(L, 2);
    if (!lua_isnil(L, 2) && lc_check_integer(L, 2, "recvfrom", 1) < 0)
        lc_raise_value(L, datagram->host, "recvfrom", 1, "negative size");
    return receive(L, datagram, 0);
}

/* The iterator of endpoint:datagrams(). */
static int next_datagram(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushnil(L);
    return receive(L, check(L, "datagrams"), 1);
}

/* for data, address in endpoint:datagrams() do: until it is closed */
static int endpoint_datagrams(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    check(L, "datagrams");
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, next_datagram, 1);
    lua_pushvalue(L, 1);
    return 2;
}

/* ---- waiting for the rest ---- */

static int drain_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;
    struct lc_datagram *datagram = lua_touserdata(L, 1);

    (void)status;
    (void)ctx;
    lc_list_unlink(&task->waiter.link);
    if (lc_wait_end(L, task))
        return lua_error(L);
    if (datagram->lost)
        lc_raise(L, datagram->host, LC_CONNECTION_ABORTED_ERROR, "drain: the endpoint was closed");
    return 0;
}

/* endpoint:drain(). May suspend. */
static int endpoint_drain(lua_State *L)
{
    struct lc_datagram *datagram = check(L, "drain");
    struct lc_task *task;

    lua_settop(L, 1);
    if (lc_list_empty(&datagram->receivers))
        raise_kept(L, datagram);
    if (datagram->lost)
        lc_raise(L, datagram->host, LC_CONNECTION_ABORTED_ERROR, "drain: the endpoint is closed");
    if (!datagram->output_full)
        return 0;
    task = lc_wait_task(L, datagram->host, "DatagramEndpoint:drain");
    lc_list_append(&datagram->drainers, &task->waiter.link);
    lc_wait_begin(L, task, &drain_wait, 1);
    return lc_wait_yield(L, task, 0, drain_k);
}

static int closed_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;

    (void)status;
    (void)ctx;
    lc_list_unlink(&task->waiter.link);
    return lc_wait_end(L, task) ? lua_error(L) : 0;
}

static int wait_closed(lua_State *L, struct lc_datagram *datagram)
{
    struct lc_task *task;

    lua_settop(L, 1);
    if (datagram->lost)
        return 0;
    task = lc_wait_task(L, datagram->host, "DatagramEndpoint:wait_closed");
    lc_list_append(&datagram->closers, &task->waiter.link);
    lc_wait_begin(L, task, &close_wait, 1);
    return lc_wait_yield(L, task, 0, closed_k);
}

/* endpoint:wait_closed(). May suspend. */
static int endpoint_wait_closed(lua_State *L)
{
    return wait_closed(L, check(L, "wait_closed"));
}

/* __close(endpoint, error): an error does not wait for a peer that takes nothing. May suspend. */
static int endpoint_leave(lua_State *L)
{
    struct lc_datagram *datagram = check(L, "close");

    if (lua_isnoneornil(L, 2))
        lc_datagram_close(L, datagram, 1);
    else
        lc_datagram_abort(L, datagram, 1);
    if (datagram->host->current == NULL || !datagram->host->can_await)
        return 0;
    return wait_closed(L, datagram);
}

static int endpoint_tostring(lua_State *L)
{
    struct lc_datagram *datagram = check(L, "tostring");

    lua_pushfstring(L, "<DatagramEndpoint%s fd=%d>",
                    datagram->lost      ? " closed"
                    : datagram->closing ? " closing"
                                        : "",
                    datagram->fd);
    return 1;
}

/* Nobody can close it any more. */
static int endpoint_gc(lua_State *L)
{
    struct lc_datagram *datagram = lc_to_finalize(L, &lc_endpoint_type);

    if (datagram == NULL)
        return 0;
    if (datagram->host == NULL)
        return 0;
    if (!datagram->closing && !datagram->host->closed)
        lc_host_log(datagram->host, "ResourceWarning: unclosed datagram endpoint\n");
    lc_datagram_detach(datagram);
    lc_buffer_free(datagram->host, &datagram->input);
    if (!datagram->host->closed)
        lc_anchor_drop(L, datagram->host, &datagram->anchor);
    return 0;
}

void lc_open_endpoint(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"recvfrom", endpoint_recvfrom},
                                       {"datagrams", endpoint_datagrams},
                                       {"drain", endpoint_drain},
                                       {"wait_closed", endpoint_wait_closed},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__close", endpoint_leave},
                                           {"__tostring", endpoint_tostring},
                                           {"__gc", endpoint_gc},
                                           {NULL, NULL}};

    lc_new_type(L, host, LC_REF_ENDPOINT, "lucio.DatagramEndpoint", methods, metamethods);
    lc_host_push_ref(L, host, LC_REF_ENDPOINT);
    lua_getfield(L, -1, "__index");
    lc_set_functions(L, host, lc_datagram_shared);
    lua_pop(L, 2);
}
