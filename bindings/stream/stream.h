/*
 * stream: a connected descriptor with a loop: bytes in, bytes out, one end (asyncio's transports).
 * Invariant: a stream is open until its end was told to its user, exactly once, from an entry of its own;
 *            after that it has no descriptor, no watcher and no entry. Nothing is read while its user
 *            has paused it, or once it is closing.
 * Owner:     counted references: its own while it is open, one of each Lua object that shows it.
 * Context:   loop thread. libev callbacks only queue entries.
 */
#ifndef LC_STREAM_H
#define LC_STREAM_H

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <ev.h>
#include <lua.h>

#include "buffer.h"
#include "entry.h"
#include "list.h"

struct lc_filter;
struct lc_host;
struct lc_loop;
struct lc_reader;
struct lc_server;
struct lc_stream;
struct lc_writer;

/* What a user has done with bytes. */
enum lc_fed { LC_FED, LC_FED_NO_MEMORY, LC_FED_NOTHING /* it wants to be called by `received` */ };

/* Who uses a stream: a reader and a writer, or a protocol. Each is called from an entry. */
struct lc_stream_user {
    /* The descriptor is there; NULL: that is of no interest. */
    void (*begun)(lua_State *L, struct lc_stream *stream);
    /* The stream is there, and its filter is ready: bytes come after this. */
    void (*made)(lua_State *L, struct lc_stream *stream);
    void (*received)(lua_State *L, struct lc_stream *stream, const char *data, size_t size);
    /* The same of a user that only records what came, NULL otherwise. Calls no Lua. */
    enum lc_fed (*feed)(struct lc_stream *stream, const char *data, size_t size);
    /* The peer sends no more. True: the sending side stays open. */
    bool (*ended)(lua_State *L, struct lc_stream *stream);
    /* The output has grown over the high-water mark, has shrunk to the low one. */
    void (*pause)(lua_State *L, struct lc_stream *stream);
    void (*resume)(lua_State *L, struct lc_stream *stream);
    /* The end. stream->error is 0 or an errno. */
    void (*lost)(lua_State *L, struct lc_stream *stream);
};

/* The name of one end of an internet connection; any other family: unknown. */
struct lc_socket_name {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    };
};

struct lc_stream {
    /* What a request needs comes first, in few lines of the processor's cache. */
    struct lc_loop *loop;
    const struct lc_stream_user *user;
    struct lc_filter *filter; /* between its bytes and its user, or NULL */
    struct lc_reader *reader; /* the object while it is alive, as the writer below */
    int fd;
    bool by_message; /* recv and send: a socket, also where it serves as a pipe */
    bool can_read;
    bool can_write;
    bool reading;   /* input is wanted */
    bool paused;    /* its user wants no input */
    bool got_end;   /* the peer sends no more */
    bool end_asked; /* write_eof: half-close when all is sent */
    bool closing;
    bool shutting;    /* closing, but the filter still waits for the peer */
    bool end_queued;  /* `turn` will be the end */
    bool lost;        /* the end was told */
    bool output_full; /* its user was told to pause writing */
    bool started;     /* its beginning is over */
    bool made;        /* `made` was called */
    bool is_socket;
    bool is_local;  /* nothing comes from outside of the process */
    bool tells_end; /* a write pipe that is watched for the end of its reader */
    ev_io in;
    struct lc_entry readable;
    struct lc_buffer output;
    size_t high; /* water marks of the output */
    size_t low;
    size_t step; /* at most so many bytes in a write, of a descriptor that may wait; else 0 */
    ev_io out;
    struct lc_entry writable;
    struct lc_entry turn; /* the beginning and the end */
    struct lc_link link;  /* loop->streams while it is open */
    uint32_t generation;  /* of the loop */
    unsigned references;
    unsigned dropped;    /* writes after the end */
    unsigned char delay; /* ticks until the beginning */
    struct lc_writer *writer;
    struct lc_link
        drainers; /* tasks that wait for room in the output, before that for the beginning */
    struct lc_link closers;   /* tasks that wait for the end */
    struct lc_server *server; /* that accepted it, or NULL */
    struct lc_link peers;     /* server->connections */
    struct lc_entry handled;  /* the end of the server's task for it */
    int handler;              /* anchor of that task */
    int transport;            /* anchor of a protocol's transport */
    int error;
    struct lc_socket_name peer;
    struct lc_socket_name own; /* filled in when the descriptor is closed */
};

enum lc_stream_kind {
    LC_STREAM_SOCKET,
    LC_STREAM_LOCAL /* whose peer is in this loop */,
    LC_STREAM_READ_PIPE,
    LC_STREAM_WRITE_PIPE
};

/* New stream of a descriptor, non-blocking unless it is a socket, which it owns from then on; its beginning comes after `delay`
 * more ticks. With one reference, the caller's. NULL: no memory, the descriptor is the caller's. */
struct lc_stream *lc_stream_new(struct lc_loop *loop, int fd, enum lc_stream_kind kind,
                                const struct lc_stream_user *user, unsigned delay);
struct lc_stream *lc_stream_retain(struct lc_stream *stream);
void lc_stream_release(struct lc_stream *stream);

/* Wakes all tasks that wait in the list. */
void lc_stream_wake(struct lc_link *waiters);

/* For a filter: it is ready, the user hears of the stream. [-0, +0, m] */
void lc_stream_made(lua_State *L, struct lc_stream *stream);

/* Whether it is told when there is room for the output. */
void lc_stream_watch_output(struct lc_stream *stream, bool on);

void lc_stream_pause(struct lc_stream *stream);
void lc_stream_resume(struct lc_stream *stream);

/* Stops reading, sends what is left, ends. */
void lc_stream_close(struct lc_stream *stream);
/* For a filter: the closing stream waits for nothing but what is left to send. */
void lc_stream_finish(struct lc_stream *stream);
/* Drops what is left and ends with the error (0: none). */
void lc_stream_abort(struct lc_stream *stream, int error);

/* Of an errno of a socket that says: not now. */
static inline bool lc_is_temporary(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* Whether a descriptor that others share, and that may wait for them, would not do so now; poll's events. False:
 * errno says so. */
bool lc_stream_is_ready(const struct lc_stream *stream, short events);

/* ---- output.c ---- */

/* Sends what the kernel takes at once and keeps the rest. Raises when there is no memory. [-0, +0, m] */
void lc_stream_write(lua_State *L, struct lc_stream *stream, const char *data, size_t size);
/* The same past the filter. False: there was no memory, and the stream ends. */
bool lc_stream_send(lua_State *L, struct lc_stream *stream, const char *data, size_t size);
/* The n strings of the list at `list`, without joining them. [-0, +0, v] */
void lc_stream_write_list(lua_State *L, struct lc_stream *stream, int list, lua_Integer n);
/* Half-close once all is sent. Raises when the kernel refuses. [-0, +0, e] */
void lc_stream_write_eof(lua_State *L, struct lc_stream *stream);
void lc_stream_set_limits(lua_State *L, struct lc_stream *stream, size_t high, size_t low);

/* Sends from the output; its entry. [-0, +0, m] */
void lc_stream_flush(lua_State *L, struct lc_stream *stream);

/* ---- address.c ---- */

/* Pushes an address object; of a unix socket its path. [-0, +1, m] */
void lc_push_address(lua_State *L, const struct sockaddr *address, socklen_t size);
/* Pushes the address of the descriptor's own end or of its peer; nil where there is none. [-0, +1, m] */
void lc_push_socket_name(lua_State *L, int fd, bool peer);
/* The same of a stream, also when it is closed. [-0, +1, m] */
void lc_push_stream_name(lua_State *L, const struct lc_stream *stream, bool peer);
void lc_open_address(lua_State *L, struct lc_host *host);

#endif
