/*
 * feed: bytes that come into a reader.
 * They go to its buffer, but many at once, for which a task waits in read(n), go straight into the string
 * that it will get: the string is *delivered* into the task's frame before the task goes on.
 * Invariant: what was delivered comes before what is in the buffer; the first waiter has it, at 2 of its frame.
 * Context:   loop thread, entries; only lc_reader_receive calls Lua, for the string.
 */
#include <lauxlib.h>

#include "core.h"
#include "pair.h"

/* So many bytes are better copied once than a protected call is saved. */
#define DIRECT_MIN 8192

static void wake(struct lc_reader *reader)
{
    if (!lc_list_empty(&reader->waiters))
        lc_waiter_wake(lc_waiter_of(reader->waiters.next));
}

void lc_reader_go_on(struct lc_reader *reader)
{
    if (!reader->paused)
        return;
    reader->paused = false;
    lc_stream_resume(reader->stream);
}

/* More has come: wakes who waits for it, and stops the stream where it is too much (ST1). */
static void arrived(struct lc_reader *reader)
{
    wake(reader);
    if (reader->stream != NULL && !reader->paused && lc_reader_size(reader) > 2 * reader->limit) {
        reader->paused = true;
        lc_stream_pause(reader->stream);
    }
}

/* Whether a task waits for any bytes, and there are enough of them for a string of its own. */
static bool takes_string(const struct lc_reader *reader, size_t size)
{
    return size >= DIRECT_MIN && reader->want.any && reader->want.size >= DIRECT_MIN &&
           !lc_list_empty(&reader->waiters) &&
           lc_waiter_is_pending(lc_waiter_of(reader->waiters.next)) &&
           lc_reader_size(reader) == 0 && reader->stream != NULL;
}

enum lc_fed lc_reader_feed(struct lc_reader *reader, const char *data, size_t size)
{
    if (size == 0)
        return LC_FED;
    if (takes_string(reader, size))
        return LC_FED_NOTHING;
    if (!lc_reader_settle(reader) || !lc_buffer_append(reader->host, &reader->buffer, data, size))
        return LC_FED_NO_MEMORY;
    arrived(reader);
    return LC_FED;
}

void lc_reader_receive(lua_State *L, struct lc_reader *reader, const char *data, size_t size)
{
    size_t direct = 0;

    if (takes_string(reader, size)) {
        direct = size < reader->want.size ? size : reader->want.size;
        lua_pushlstring(L, data, direct);
        /* the collector may have run finalizers: it is looked at again */
        if (takes_string(reader, size) &&
            lua_checkstack(lc_waiter_of(reader->waiters.next)->L, 1)) {
            lua_State *frame = lc_waiter_of(reader->waiters.next)->L;

            lua_xmove(L, frame, 1);
            lua_replace(frame, 2);
            reader->delivered = direct;
        } else {
            lua_pop(L, 1);
            direct = 0;
        }
    }
    if ((direct == 0 && !lc_reader_settle(reader)) ||
        !lc_buffer_append(reader->host, &reader->buffer, data + direct, size - direct))
        luaL_error(L, "not enough memory");
    arrived(reader);
}

bool lc_reader_put_back(lua_State *frame, struct lc_reader *reader)
{
    struct lc_host *host = reader->host;
    struct lc_buffer all = {0};

    if (reader->delivered == 0)
        return true;
    if (!lc_buffer_append(host, &all, lua_tostring(frame, 2), reader->delivered) ||
        !lc_buffer_append(host, &all, lc_buffer_data(&reader->buffer),
                          lc_buffer_size(&reader->buffer))) {
        lc_buffer_free(host, &all);
        return false;
    }
    lc_buffer_free(host, &reader->buffer);
    reader->buffer = all;
    reader->delivered = 0;
    return true;
}

bool lc_reader_settle(struct lc_reader *reader)
{
    if (reader->delivered == 0)
        return true;
    if (!lc_list_empty(&reader->waiters))
        return lc_reader_put_back(lc_waiter_of(reader->waiters.next)->L, reader);
    reader->delivered = 0; /* its task was left behind by a loop that closed */
    return true;
}

void lc_reader_end(struct lc_reader *reader, int error)
{
    if (error != 0)
        reader->error = error;
    else
        reader->ended = true;
    wake(reader);
}
