/*
 * pair: a reader and a writer on one stream, as asyncio's StreamReader and StreamWriter.
 * Invariant: the stream knows its reader and its writer while those objects are alive, they know it for
 *            ever. At most one task waits in a reader.
 */
#ifndef LC_PAIR_H
#define LC_PAIR_H

#include <lauxlib.h>
#include <lua.h>

#include "host.h"
#include "stream.h"

/* The limit of lines, and half of what is buffered at most (ST1). */
#define LC_STREAM_LIMIT 65536

extern const struct lc_type lc_reader_type, lc_writer_type, lc_transport_type;

struct lc_reader;
struct lc_want;

/* What a method tries: pushes its results and returns their number, or says that it needs more. */
typedef int lc_take_function(lua_State *L, struct lc_reader *reader, struct lc_want *want);

/* What a task wants of a reader; its argument, if it is no number, stands at 2 of the method's frame. */
struct lc_want {
    lc_take_function *take;
    size_t size;    /* bytes */
    size_t scanned; /* so many bytes of the buffer are known to have no separator in them */
    bool any;       /* any bytes will do, up to `size` of them */
};

struct lc_reader {
    struct lc_object object;
    struct lc_host *host;
    struct lc_stream *stream; /* NULL: what comes is fed by hand */
    struct lc_buffer buffer;
    struct lc_link waiters;
    size_t limit;
    struct lc_want want; /* of the task that waits */
    size_t delivered;    /* bytes that the task which waits has in its frame already, see feed.c */
    int error;           /* errno of the stream's end */
    bool ended;          /* no more will come */
    bool paused;         /* the stream, because there is too much */
};

/* A writer, or a protocol's transport. */
struct lc_writer {
    struct lc_object object;
    struct lc_host *host;
    struct lc_stream *stream;
    struct lc_reader *reader; /* the writer's, its user value 1; NULL: a transport */
};

extern const struct lc_stream_user lc_pair_user, lc_protocol_user;

/* Methods that writers and transports have. */
extern const luaL_Reg lc_writer_shared[];

/* Makes a reader and a writer of a stream to come. [-0, +2, m] */
void lc_pair_new(lua_State *L, struct lc_host *host, size_t limit);
/* Gives the pair on top its stream, and the caller's reference to it. [-0, +0, -] */
void lc_pair_attach(lua_State *L, struct lc_stream *stream);

/* New reader without a stream; its user value is free for what it has to keep. [-0, +1, m] */
struct lc_reader *lc_reader_new(lua_State *L, struct lc_host *host, size_t limit);
/* The water marks that a method was given at 2 and 3. [-0, +0, v] */
void lc_check_marks(lua_State *L, size_t *high, size_t *low);

/* ---- feed.c ---- */

/* More bytes, none of them or all. Calls no Lua. */
enum lc_fed lc_reader_feed(struct lc_reader *reader, const char *data, size_t size);
/* The same; raises when there is no memory. [-0, +0, m] */
void lc_reader_receive(lua_State *L, struct lc_reader *reader, const char *data, size_t size);
/* The end, with an errno or 0. */
void lc_reader_end(struct lc_reader *reader, int error);
/* Lets a stream go on that was paused because there was too much. */
void lc_reader_go_on(struct lc_reader *reader);
/* Puts what was delivered into the frame back into the buffer. False: no memory. */
bool lc_reader_put_back(lua_State *frame, struct lc_reader *reader);
/* The same where another task waits with it. */
bool lc_reader_settle(struct lc_reader *reader);

/* Bytes that came and were not taken. */
static inline size_t lc_reader_size(const struct lc_reader *reader)
{
    return reader->delivered + lc_buffer_size(&reader->buffer);
}

/* A `__close`: closes the stream and waits for its end, without raising its error. [-0, +0, y] */
int lc_stream_leave(lua_State *L, struct lc_stream *stream);

/* Raises the OSError of a stream that ended with that errno. Never returns. [-0, +0, v] */
int lc_raise_loss(lua_State *L, struct lc_host *host, int error) __attribute__((noreturn));
/* The same, or the filter's error. [-0, +0, v] */
int lc_stream_raise(lua_State *L, struct lc_stream *stream, int error) __attribute__((noreturn));

/* Keeps the names of both ends of a unix socket in the writer on top. [-0, +0, m] */
void lc_writer_note_names(lua_State *L, struct lc_stream *stream);
/* get_extra_info(name, default?) of the writer or transport at 1, see socket.c. [-0, +1, v] */
int lc_stream_extra_info(lua_State *L, struct lc_stream *stream);

/* Gives an open stream a new transport, left on top, in the place of that at 1, with the protocol that is on
 * top; nil: the same. [-1, +1, m] */
void lc_transport_renew(lua_State *L, struct lc_stream *stream);

/* Of serving.c, for transport.c: the callback of a server, or its factory of protocols. [-0, +1, -] */
void lc_server_push_callback(lua_State *L, struct lc_server *server);

/* Of serving.c: a connection that a server accepted begins, and ends. */
void lc_server_connected(lua_State *L, struct lc_stream *stream);
void lc_server_disconnected(lua_State *L, struct lc_stream *stream);
/* Its loop closes: nothing waits for the task of a connection, a server has no connections any more. [-0, +0, -] */
void lc_server_abandon_stream(lua_State *L, struct lc_stream *stream);
void lc_server_abandon(lua_State *L, struct lc_server *server);

#endif
