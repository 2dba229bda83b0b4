/*
 * datagram: a socket of datagrams with a loop: an endpoint of a script, or the transport of a protocol.
 * Invariant: it is open until its end was told to its user, exactly once, from an entry of its own; after
 *            that it has no descriptor, no watcher and no entry.
 * Owner:     Lua's collector; the loop anchors it while it has something to do for it that nobody waits for:
 *            its beginning, what is still to be sent, its end, and all the time if its user is a protocol.
 * Context:   loop thread. libev callbacks only queue entries.
 */
#ifndef LC_DATAGRAM_H
#define LC_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <ev.h>
#include <lua.h>

#include "buffer.h"
#include "connect.h"
#include "entry.h"
#include "host.h"
#include "list.h"

/* Packets that one call reads at most: of an internet socket none is longer than its part of the space. */
#define LC_INCOMING_MAX 4

struct lc_datagram;
struct lc_loop;

/* Who uses it: an endpoint's receivers, or a protocol. All but `pause` and `failed` are called from entries.
 * [-0, +0, -] */
struct lc_datagram_user {
    void (*made)(lua_State *L, struct lc_datagram *datagram);
    void (*readable)(lua_State *L, struct lc_datagram *datagram);
    /* What was kept could not be sent. */
    void (*failed)(lua_State *L, struct lc_datagram *datagram, int error);
    /* The output has grown over the high-water mark, has shrunk to the low one. */
    void (*pause)(lua_State *L, struct lc_datagram *datagram);
    void (*resume)(lua_State *L, struct lc_datagram *datagram);
    void (*lost)(lua_State *L, struct lc_datagram *datagram);
};

struct lc_datagram {
    struct lc_object object;
    struct lc_host *host;
    struct lc_loop *loop; /* until it is lost */
    struct lc_link link;  /* loop->datagrams until it is lost */
    const struct lc_datagram_user *user;
    ev_io in;
    ev_io out;
    struct lc_entry readable;
    struct lc_entry writable;
    struct lc_entry turn;     /* the beginning and the end */
    struct lc_buffer output;  /* packets that the kernel did not take yet */
    size_t unsent;            /* their bytes, without what is around them */
    size_t high, low;         /* water marks of `unsent` */
    struct lc_buffer input;   /* of an endpoint: packets that were read and not asked for yet */
    unsigned received;        /* how many */
    struct lc_link receivers; /* of an endpoint: tasks that wait for a packet, in turn */
    struct lc_link drainers;  /* for room in the output; before the beginning: for that */
    struct lc_link closers;   /* for the end */
    struct lc_socket_address remote; /* where everything goes; size 0: where each call says */
    int anchor;                      /* a slot for itself, empty while nothing is to do */
    int fd;
    int shared; /* the supervisor's number for the socket, which other workers read too; or 0 */
    int error;  /* of an endpoint: what the next call raises */
    bool connected;
    bool is_unix;
    bool started;
    bool output_full; /* its user was told to pause */
    bool closing;
    bool lost;
};

/* The head of what is kept of a packet; its address and its bytes follow. */
struct lc_packet {
    size_t size;
    size_t whole; /* bytes that it had on the way: more than `size` if it was cut off */
    socklen_t address_size;
};

extern const struct lc_type lc_endpoint_type, lc_datagram_transport_type;
extern const struct lc_datagram_user lc_endpoint_user, lc_datagram_protocol_user;

/* New one that owns nothing yet. User values: 1 the protocol, 2 the last known own name, 3 the peer's.
 * [-0, +1, m] */
struct lc_datagram *lc_datagram_new(lua_State *L, struct lc_host *host, const struct lc_type *type,
                                    enum lc_ref ref, const struct lc_datagram_user *user);

/* Begins in the next tick, with the socket in `fd` in its hands. It is at `idx`. [-0, +0, -] */
void lc_datagram_begin(lua_State *L, struct lc_datagram *datagram, int idx, struct lc_loop *loop);

/* Anchors the object at `idx`. [-0, +0, -] */
void lc_datagram_hold(lua_State *L, struct lc_datagram *datagram, int idx);

/* Reading is watched or not. */
void lc_datagram_watch_input(struct lc_datagram *datagram, bool on);

/* Sends now, or keeps what the kernel does not take; to NULL: to its remote address. It is at `idx`. Returns 0
 * or an errno. [-0, +0, -] */
int lc_datagram_send(lua_State *L, struct lc_datagram *datagram, int idx, const char *data,
                     size_t size, const struct lc_socket_address *to);

/* A packet in the host's receive buffer. */
struct lc_incoming {
    struct lc_packet packet;
    const char *data;
    struct sockaddr_storage address;
};

/* Reads up to `count` packets that are there, at most LC_INCOMING_MAX. Returns how many, or a negative errno. */
int lc_datagram_read(struct lc_datagram *datagram, struct lc_incoming *incoming, unsigned count);

/* Appends a packet to `buffer`. False: no memory. */
bool lc_packet_append(struct lc_host *host, struct lc_buffer *buffer,
                      const struct lc_packet *packet, const void *address, const char *data);
/* The first packet of the buffer, and where its address and its bytes are. */
const char *lc_packet_first(const struct lc_buffer *buffer, struct lc_packet *packet,
                            struct lc_socket_address *address);
/* Takes that packet away. */
void lc_packet_consume(struct lc_host *host, struct lc_buffer *buffer,
                       const struct lc_packet *packet);

/* Ends once all is sent; at once. It is at `idx`. [-0, +0, -] */
void lc_datagram_close(lua_State *L, struct lc_datagram *datagram, int idx);
void lc_datagram_abort(lua_State *L, struct lc_datagram *datagram, int idx);
/* Takes it off its loop, without telling anybody. */
void lc_datagram_detach(struct lc_datagram *datagram);

/* ---- endpoint.c ---- */

/* As many receivers are woken as there are packets; all, if no more will come. */
void lc_datagram_wake_receivers(struct lc_datagram *datagram);

/* ---- datagram_open.c ---- */

/* datagram(what, family, ...) of lucio.streams: see there. [-0, +(1|2), y] */
int lc_stream_datagram(lua_State *L);
/* An address that a script gives: a table of a numeric host and a port, or a unix socket's path.
 * [-0, +0, v] */
void lc_check_datagram_address(lua_State *L, int idx, const char *what, int pos,
                               struct lc_socket_address *out);
/* Where a packet came from: an address, or nil of a unix socket without a name. [-0, +1, m] */
void lc_push_packet_address(lua_State *L, const struct sockaddr *address, socklen_t size);
/* Methods that endpoints and transports have. */
extern const luaL_Reg lc_datagram_shared[];

#endif
