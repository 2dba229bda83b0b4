#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>

#include "error.h"
#include "filter.h"
#include "host.h"
#include "loop.h"
#include "pair.h"
#include "report.h"
#include "streams.h"
#include "waiter.h"

/* The default marks (ST12). */
#define HIGH_WATER (64 * 1024)
#define LOW_WATER  (HIGH_WATER / 4)

/* A terminal that is said to be writable has room for so much; a pipe for PIPE_BUF. */
#define TERMINAL_STEP 256

/* ---- watchers ---- */

static void queue(struct lc_stream *stream, struct lc_entry *entry)
{
    if (!lc_entry_is_queued(entry))
        lc_loop_ready(stream->loop, entry);
}

static void on_readable(struct ev_loop *ev, ev_io *io, int events)
{
    struct lc_stream *stream = lc_container_of(io, struct lc_stream, in);

    (void)events;
    if (stream->reading)
        queue(stream, &stream->readable);
    else
        ev_io_stop(ev, io); /* paused */
}

static void on_writable(struct ev_loop *ev, ev_io *io, int events)
{
    struct lc_stream *stream = lc_container_of(io, struct lc_stream, out);

    (void)ev;
    (void)events;
    queue(stream, &stream->writable);
}

/* The loop waits for one thing more, or less, of the stream. */
static void count_watcher(struct lc_stream *stream, bool on)
{
    struct lc_loop *loop = stream->loop;

    loop->io += on ? 1 : -1;
    loop->local_io += on ? stream->is_local : -stream->is_local;
    loop->host->watchers += on ? 1 : -1;
}

void lc_stream_watch_output(struct lc_stream *stream, bool on)
{
    struct lc_loop *loop = stream->loop;

    if (on == (bool)ev_is_active(&stream->out))
        return;
    count_watcher(stream, on);
    if (on) {
        ev_io_start(loop->ev, &stream->out);
        loop->writing++;
    } else {
        ev_io_stop(loop->ev, &stream->out);
        lc_list_unlink(&stream->writable.link);
        loop->writing--;
    }
}

/* A pause leaves the watcher armed until something comes, since most are short. */
static void set_reading(struct lc_stream *stream, bool on, bool pause)
{
    if (on != stream->reading) {
        stream->reading = on;
        count_watcher(stream, on);
        lc_list_unlink(&stream->readable.link);
    }
    if (on)
        ev_io_start(stream->loop->ev, &stream->in);
    else if (!pause)
        ev_io_stop(stream->loop->ev, &stream->in);
}

static void watch_input(struct lc_stream *stream)
{
    bool wanted = stream->started && (stream->can_read || stream->tells_end) && !stream->got_end &&
                  (stream->shutting || !stream->closing);

    set_reading(stream, wanted && (stream->shutting || !stream->paused), wanted);
}

/* ---- the end ---- */

static void queue_end(struct lc_stream *stream)
{
    if (stream->end_queued)
        return;
    stream->end_queued = true;
    /* a beginning that is still to come comes first, and then the end */
    queue(stream, &stream->turn);
}

void lc_stream_close(struct lc_stream *stream)
{
    if (stream->closing || stream->lost)
        return;
    stream->closing = true;
    if (stream->filter != NULL)
        stream->filter->type->close(stream);
    lc_stream_finish(stream);
}

void lc_stream_finish(struct lc_stream *stream)
{
    watch_input(stream);
    if (!stream->shutting && lc_buffer_size(&stream->output) == 0)
        queue_end(stream);
}

void lc_stream_abort(struct lc_stream *stream, int error)
{
    if (stream->end_queued || stream->lost)
        return;
    stream->closing = true;
    stream->shutting = false;
    stream->error = error;
    watch_input(stream);
    lc_stream_watch_output(stream, false);
    lc_buffer_free(stream->loop->host, &stream->output);
    queue_end(stream);
}

/* Takes the stream off its loop. */
static void stream_detach(struct lc_stream *stream)
{
    struct lc_host *host = stream->loop->host;
    socklen_t size = sizeof stream->own;

    stream->closing = true;
    if (stream->filter != NULL)
        stream->filter->type->detach(stream);
    set_reading(stream, false, false);
    lc_stream_watch_output(stream, false);
    lc_list_unlink(&stream->turn.link);
    lc_list_unlink(&stream->link);
    lc_buffer_free(host, &stream->output);
    if (stream->is_socket && stream->writer != NULL)
        getsockname(stream->fd, &stream->own.any, &size);
    close(stream->fd);
    stream->fd = -1;
    stream->lost = true;
    if (stream->loop->starving > 0)
        lc_listeners_retry(stream->loop);
}

static void tell_end(lua_State *L, struct lc_stream *stream)
{
    stream->user->lost(L, stream);
}

/* There was no memory to tell the user: who waits goes on all the same. */
static void end_untold(lua_State *L, struct lc_stream *stream)
{
    if (stream->reader != NULL)
        lc_reader_end(stream->reader, stream->error);
    lc_stream_wake(&stream->drainers);
    lc_stream_wake(&stream->closers);
    lc_anchor_drop(L, stream->loop->host, &stream->transport);
    if (stream->server != NULL)
        lc_server_disconnected(L, stream);
}

void lc_streams_abandon(lua_State *L, struct lc_loop *loop)
{
    while (!lc_list_empty(&loop->streams)) {
        struct lc_stream *stream = lc_container_of(loop->streams.next, struct lc_stream, link);

        lc_list_unlink(&stream->link);
        lc_stream_retain(stream);
        if (!stream->lost) {
            stream_detach(stream);
            lc_stream_release(stream);
        }
        lc_server_abandon_stream(L, stream);
        lc_anchor_drop(L, loop->host, &stream->transport);
        lc_stream_release(stream);
    }
}

/* ---- entries ---- */

/* The entries call Lua only through the user, under a protected call: an error there ends the stream. */
struct stream_call {
    struct lc_stream *stream;
    void (*fn)(lua_State *L, struct lc_stream *stream);
};

static int call_protected(lua_State *L)
{
    struct stream_call *call = lua_touserdata(L, 1);

    lua_settop(L, 0);
    luaL_checkstack(L, 20, NULL);
    call->fn(L, call->stream);
    return 0;
}

static int report_protected(lua_State *L)
{
    struct lc_loop *loop = lua_touserdata(L, 1);

    lua_createtable(L, 0, 2);
    lua_pushliteral(L, "Fatal error in a stream");
    lua_setfield(L, -2, "message");
    lua_pushvalue(L, 2);
    if (!lc_is_error(L, -1))
        lc_error_wrap(L, loop->host);
    lua_setfield(L, -2, "exception");
    lc_report_call_handler(L, loop);
    return 0;
}

/* Pops an error and reports it: of a task factory, or the end of memory. */
static void report_error(struct lc_stream *stream)
{
    lua_State *L = stream->loop->L;

    lua_pushcfunction(L, report_protected);
    lua_pushlightuserdata(L, stream->loop);
    lua_rotate(L, -3, 2);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK)
        lua_pop(L, 1);
}

/* False: it failed, maybe before the function was called at all. */
static bool call_user(struct lc_stream *stream, void (*fn)(lua_State *L, struct lc_stream *stream))
{
    struct stream_call call = {stream, fn};
    lua_State *L = stream->loop->L;
    bool good;

    lc_stream_retain(stream);
    lua_pushcfunction(L, call_protected);
    lua_pushlightuserdata(L, &call);
    good = lua_pcall(L, 1, 0, 0) == LUA_OK;
    if (!good) {
        lc_stream_abort(stream, lua_type(L, -1) == LUA_TSTRING ? ENOMEM : ECONNABORTED);
        report_error(stream);
    }
    lc_stream_release(stream);
    return good;
}

bool lc_stream_is_ready(const struct lc_stream *stream, short events)
{
    struct pollfd now = {.fd = stream->fd, .events = events};

    if (stream->step == 0 || poll(&now, 1, 0) == 1)
        return true;
    errno = EAGAIN;
    return false;
}

/* A write pipe has become readable: its reader is gone, or it is a socket whose peer sends. (IO2) */
static void check_reader(struct lc_stream *stream)
{
    struct pollfd end = {.fd = stream->fd};

    if (poll(&end, 1, 0) != 1 || !(end.revents & (POLLERR | POLLHUP))) {
        stream->tells_end = false;
        watch_input(stream);
    } else if (lc_buffer_size(&stream->output) > 0) {
        lc_stream_abort(stream, EPIPE);
    } else {
        lc_stream_close(stream);
    }
}

static void receive(lua_State *L, struct lc_stream *stream, const char *data, size_t size)
{
    if (stream->filter != NULL)
        stream->filter->type->received(L, stream, data, size);
    else
        stream->user->received(L, stream, data, size);
}

static void input_ended(lua_State *L, struct lc_stream *stream)
{
    stream->got_end = true;
    watch_input(stream);
    if (stream->filter != NULL)
        stream->filter->type->ended(L, stream);
    else if (!stream->user->ended(L, stream) || !stream->can_write)
        lc_stream_close(stream);
}

/* Whether what comes is wanted. */
static bool takes_input(const struct lc_stream *stream)
{
    return !stream->got_end && (stream->shutting || (!stream->closing && !stream->paused));
}

/* Reads into the host's space, as `read` does. */
static ssize_t read_bytes(const struct lc_stream *stream)
{
    char *space = stream->loop->host->space;

    if (stream->by_message)
        return recv(stream->fd, space, LC_SPACE_SIZE, MSG_DONTWAIT);
    if (!lc_stream_is_ready(stream, POLLIN))
        return -1;
    return read(stream->fd, space, LC_SPACE_SIZE);
}

/* Reading has failed. */
static void input_failed(lua_State *L, struct lc_stream *stream, int error)
{
    if (lc_is_temporary(error))
        return;
    /* all was sent, and only the peer's last word is missing */
    if (stream->shutting && lc_buffer_size(&stream->output) == 0)
        input_ended(L, stream);
    else
        lc_stream_abort(stream, error);
}

static void read_input(lua_State *L, struct lc_stream *stream)
{
    ssize_t size;

    if (!takes_input(stream))
        return;
    if (stream->filter != NULL && stream->filter->waiting) {
        receive(L, stream, NULL, 0);
        return;
    }
    if (!stream->can_read) {
        check_reader(stream);
        return;
    }
    size = read_bytes(stream);
    if (size > 0)
        receive(L, stream, stream->loop->host->space, (size_t)size);
    else if (size == 0)
        input_ended(L, stream);
    else
        input_failed(L, stream, errno);
}

static void receive_space(lua_State *L, struct lc_stream *stream)
{
    struct lc_host *host = stream->loop->host;

    stream->user->received(L, stream, host->space, host->space_used);
}

static void raise_memory(lua_State *L, struct lc_stream *stream)
{
    (void)stream;
    luaL_error(L, "not enough memory");
}

/* The same for a user that only records what comes: nothing of Lua runs, and nothing is protected. */
static void feed_input(struct lc_stream *stream)
{
    struct lc_loop *loop = stream->loop;
    ssize_t size;

    if (!takes_input(stream))
        return;
    size = read_bytes(stream);
    if (size > 0) {
        switch (stream->user->feed(stream, loop->host->space, (size_t)size)) {
        case LC_FED:
            loop->quiet++;
            break;
        case LC_FED_NO_MEMORY:
            call_user(stream, raise_memory);
            break;
        case LC_FED_NOTHING:
            loop->host->space_used = (size_t)size;
            call_user(stream, receive_space);
            break;
        }
    } else if (size == 0) {
        call_user(stream, input_ended);
    } else if (!lc_is_temporary(errno)) {
        lc_stream_abort(stream, errno);
    }
}

void lc_stream_made(lua_State *L, struct lc_stream *stream)
{
    stream->made = true;
    stream->user->made(L, stream);
}

static void make_beginning(lua_State *L, struct lc_stream *stream)
{
    if (stream->user->begun != NULL)
        stream->user->begun(L, stream);
    if (stream->filter != NULL)
        stream->filter->type->made(L, stream);
    else
        lc_stream_made(L, stream);
    watch_input(stream);
}

static void readable_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_stream *stream = lc_container_of(entry, struct lc_stream, readable);

    (void)loop;
    if (stream->user->feed != NULL && stream->filter == NULL && stream->can_read)
        feed_input(stream);
    else
        call_user(stream, read_input);
}

static void writable_run(struct lc_loop *loop, struct lc_entry *entry)
{
    (void)loop;
    call_user(lc_container_of(entry, struct lc_stream, writable), lc_stream_flush);
}

static void turn_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_stream *stream = lc_container_of(entry, struct lc_stream, turn);

    if (!stream->started && stream->delay > 0) {
        stream->delay--;
        lc_loop_ready(loop, entry);
    } else if (!stream->started) {
        stream->started = true; /* once, also if there is no memory for it */
        call_user(stream, make_beginning);
        if (stream->end_queued && !stream->lost)
            queue(stream, entry);
    } else {
        stream_detach(stream);
        /* the loop still has to know it while its task goes on */
        if (stream->handler != LC_NO_ANCHOR)
            lc_list_append(&loop->streams, &stream->link);
        if (!call_user(stream, tell_end))
            end_untold(loop->L, stream);
        lc_stream_release(stream);
    }
}

static const struct lc_entry_type readable_entry = {readable_run, NULL, NULL, NULL};
static const struct lc_entry_type writable_entry = {writable_run, NULL, NULL, NULL};
static const struct lc_entry_type turn_entry = {turn_run, NULL, NULL, NULL};

/* ---- making ---- */

struct lc_stream *lc_stream_new(struct lc_loop *loop, int fd, enum lc_stream_kind kind,
                                const struct lc_stream_user *user, unsigned delay)
{
    struct lc_host *host = loop->host;
    struct lc_stream *stream;
    struct stat info;

    stream = lc_host_has_space(host) ? lc_realloc(host, NULL, 0, sizeof *stream) : NULL;
    if (stream == NULL)
        return NULL;
    memset(stream, 0, sizeof *stream);
    stream->loop = loop;
    stream->generation = loop->generation;
    stream->references = 2;
    stream->user = user;
    lc_list_init(&stream->drainers);
    lc_list_init(&stream->closers);
    lc_list_init(&stream->peers);
    stream->handler = LC_NO_ANCHOR;
    stream->transport = LC_NO_ANCHOR;
    stream->fd = fd;
    stream->is_local = kind == LC_STREAM_LOCAL;
    stream->is_socket = kind == LC_STREAM_SOCKET || stream->is_local;
    stream->by_message = stream->is_socket;
    stream->can_read = kind != LC_STREAM_WRITE_PIPE;
    stream->can_write = kind != LC_STREAM_READ_PIPE;
    stream->high = HIGH_WATER;
    stream->low = LOW_WATER;
    stream->delay = (unsigned char)delay;
    if (!stream->is_socket && fstat(fd, &info) == 0) {
        stream->by_message = S_ISSOCK(info.st_mode);
        stream->tells_end = !stream->can_read && !S_ISCHR(info.st_mode);
        if (!stream->by_message && !S_ISREG(info.st_mode) && !(fcntl(fd, F_GETFL) & O_NONBLOCK))
            stream->step = S_ISCHR(info.st_mode) ? TERMINAL_STEP : PIPE_BUF;
    }
    ev_io_init(&stream->in, on_readable, fd, EV_READ);
    ev_io_init(&stream->out, on_writable, fd, EV_WRITE);
    lc_entry_init(&stream->readable, &readable_entry);
    lc_entry_init(&stream->writable, &writable_entry);
    lc_entry_init(&stream->turn, &turn_entry);
    lc_list_append(&loop->streams, &stream->link);
    lc_loop_ready(loop, &stream->turn);
    return stream;
}

struct lc_stream *lc_stream_retain(struct lc_stream *stream)
{
    stream->references++;
    return stream;
}

void lc_stream_release(struct lc_stream *stream)
{
    if (--stream->references > 0)
        return;
    if (stream->filter != NULL)
        stream->filter->type->free(stream);
    lc_realloc(stream->loop->host, stream, sizeof *stream, 0);
}

void lc_stream_wake(struct lc_link *waiters)
{
    for (struct lc_link *link = waiters->next; link != waiters; link = link->next)
        lc_waiter_wake(lc_waiter_of(link));
}

void lc_stream_pause(struct lc_stream *stream)
{
    stream->paused = true;
    watch_input(stream);
}

void lc_stream_resume(struct lc_stream *stream)
{
    stream->paused = false;
    if (stream->lost)
        return;
    watch_input(stream);
    if (stream->filter != NULL && stream->filter->waiting && stream->reading)
        queue(stream, &stream->readable);
}
