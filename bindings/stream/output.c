/*
 * output: what a stream sends: at once what the kernel takes, the rest from its buffer when there is room.
 * Invariant: while there is something in the output, its watcher is armed; what is written then goes behind it.
 * Context:   writing is called by tasks and callbacks, flushing by an entry; Lua is called by the user alone.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <lauxlib.h>

#include "filter.h"
#include "loop.h"
#include "pair.h"
#include "pipe.h"
#include "stream.h"

/* So many strings of a list go with one call. */
#define PIECES 64

static ssize_t stream_send(struct lc_stream *stream, const char *data, size_t size)
{
    if (stream->by_message)
        return send(stream->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (!lc_stream_is_ready(stream, POLLOUT))
        return -1;
    if (stream->step > 0 && size > stream->step)
        size = stream->step;
    return lc_pipe_write(stream->fd, data, size);
}

/* Sends from the output. False: the stream ended with an error. */
static bool send_output(struct lc_stream *stream)
{
    const char *data = lc_buffer_data(&stream->output);
    size_t left = lc_buffer_size(&stream->output);
    ssize_t size;

    if (left == 0)
        return true;
    size = stream_send(stream, data, left);
    if (size >= 0) {
        lc_buffer_consume(stream->loop->host, &stream->output, (size_t)size);
        return true;
    }
    if (lc_is_temporary(errno))
        return true;
    lc_stream_abort(stream, errno);
    return false;
}

void lc_stream_flush(lua_State *L, struct lc_stream *stream)
{
    if (!send_output(stream))
        return;
    if (stream->output_full && lc_buffer_size(&stream->output) <= stream->low) {
        stream->output_full = false;
        stream->user->resume(L, stream);
    }
    if (lc_buffer_size(&stream->output) > 0)
        return;
    lc_stream_watch_output(stream, false);
    if (stream->closing)
        lc_stream_finish(stream);
    else if (stream->end_asked)
        shutdown(stream->fd, SHUT_WR);
}

/* Tells the user when the output has grown over the mark. */
static void check_high_water(lua_State *L, struct lc_stream *stream)
{
    if (stream->output_full || lc_buffer_size(&stream->output) <= stream->high || !stream->made)
        return;
    stream->output_full = true;
    stream->user->pause(L, stream);
}

/* Keeps what the kernel did not take. False: no memory. */
static bool keep(struct lc_stream *stream, const char *data, size_t size)
{
    if (lc_buffer_append(stream->loop->host, &stream->output, data, size))
        return true;
    /* a part of what was written is gone: the peer must not get the rest */
    lc_stream_abort(stream, ENOMEM);
    return false;
}

/* There is something in the output. */
static void has_output(lua_State *L, struct lc_stream *stream)
{
    lc_stream_watch_output(stream, true);
    check_high_water(L, stream);
}

bool lc_stream_send(lua_State *L, struct lc_stream *stream, const char *data, size_t size)
{
    ssize_t sent = 0;

    if (size == 0 || stream->end_queued || stream->lost)
        return true;
    if (lc_buffer_size(&stream->output) == 0) {
        sent = stream_send(stream, data, size);
        if (sent < 0 && !lc_is_temporary(errno)) {
            lc_stream_abort(stream, errno);
            return true;
        }
        if (sent < 0)
            sent = 0;
        if ((size_t)sent == size)
            return true;
    }
    if (!keep(stream, data + sent, size - (size_t)sent))
        return false;
    has_output(L, stream);
    return true;
}

void lc_stream_write(lua_State *L, struct lc_stream *stream, const char *data, size_t size)
{
    if (stream->filter != NULL)
        stream->filter->type->write(L, stream, data, size);
    else if (!lc_stream_send(L, stream, data, size))
        luaL_error(L, "not enough memory");
}

/* Sends strings of the list from `first` on with one call; *total: how many bytes they have. As send does. */
static ssize_t send_pieces(lua_State *L, struct lc_stream *stream, int list, lua_Integer first,
                           lua_Integer last, size_t *total)
{
    struct iovec pieces[PIECES];
    struct msghdr message = {.msg_iov = pieces};

    *total = 0;
    for (lua_Integer i = first; i <= last; i++) {
        struct iovec *piece = &pieces[message.msg_iovlen++];

        /* the list holds the string, and nothing changes the list meanwhile */
        lua_rawgeti(L, list, i);
        piece->iov_base = (void *)lua_tolstring(L, -1, &piece->iov_len);
        *total += piece->iov_len;
        lua_pop(L, 1);
    }
    return sendmsg(stream->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Keeps the strings of the list from `first` on, without the first `sent` bytes. False: no memory. */
static bool keep_pieces(lua_State *L, struct lc_stream *stream, int list, lua_Integer first,
                        lua_Integer n, size_t sent)
{
    bool kept = true;

    for (lua_Integer i = first; i <= n && kept; i++) {
        size_t size, gone;
        const char *data;

        lua_rawgeti(L, list, i);
        data = lua_tolstring(L, -1, &size);
        gone = sent < size ? sent : size;
        sent -= gone;
        if (gone < size)
            kept = keep(stream, data + gone, size - gone);
        lua_pop(L, 1);
    }
    return kept;
}

/* The list of n strings, without joining them. False: there was no memory, and the stream ends. */
static bool send_list(lua_State *L, struct lc_stream *stream, int list, lua_Integer n)
{
    lua_Integer first = 1;
    size_t sent = 0;

    while (first <= n && lc_buffer_size(&stream->output) == 0) {
        lua_Integer last = n - first < PIECES ? n : first + PIECES - 1;
        size_t total;
        ssize_t size = send_pieces(L, stream, list, first, last, &total);

        if (size < 0 && !lc_is_temporary(errno)) {
            lc_stream_abort(stream, errno);
            return true;
        }
        sent = size > 0 ? (size_t)size : 0;
        if (sent < total)
            break;
        sent = 0;
        first = last + 1;
    }
    if (!keep_pieces(L, stream, list, first, n, sent))
        return false;
    if (lc_buffer_size(&stream->output) > 0)
        has_output(L, stream);
    return true;
}

void lc_stream_write_list(lua_State *L, struct lc_stream *stream, int list, lua_Integer n)
{
    luaL_Buffer all;

    if (stream->end_queued || stream->lost)
        return;
    if (stream->filter == NULL && stream->by_message) {
        if (!send_list(L, stream, list, n))
            luaL_error(L, "not enough memory");
        return;
    }
    luaL_buffinit(L, &all);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, list, i);
        luaL_addvalue(&all);
    }
    luaL_pushresult(&all);
    lc_stream_write(L, stream, lua_tostring(L, -1), lua_rawlen(L, -1));
}

void lc_stream_write_eof(lua_State *L, struct lc_stream *stream)
{
    if (stream->end_asked || stream->closing)
        return;
    stream->end_asked = true;
    if (!stream->is_socket)
        lc_stream_close(stream);
    else if (lc_buffer_size(&stream->output) == 0 && shutdown(stream->fd, SHUT_WR) != 0)
        lc_stream_raise(L, stream, errno);
}

void lc_stream_set_limits(lua_State *L, struct lc_stream *stream, size_t high, size_t low)
{
    stream->high = high;
    stream->low = low;
    check_high_water(L, stream);
}
