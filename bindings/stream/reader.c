/*
 * reader: the receiving end of a stream (SEMANTICS ST1..ST9).
 * Each method takes what it needs from the buffer, or waits for more and tries again; nothing is taken
 * until all is there, so that a cancelled read loses nothing.
 */
#include <errno.h>
#include <string.h>

#include <lauxlib.h>

#include "connect.h"
#include "core.h"
#include "filter.h"
#include "pair.h"

const struct lc_type lc_reader_type = {"StreamReader", sizeof(struct lc_reader)};

static const struct lc_wait_type reader_wait = {"data of a stream", NULL};

/* Of a take function: it needs more. */
#define MORE (-1)

struct lc_reader *lc_reader_new(lua_State *L, struct lc_host *host, size_t limit)
{
    struct lc_reader *reader =
        lc_new_object(L, host, &lc_reader_type, LC_REF_READER, sizeof *reader, 1);

    reader->host = host;
    reader->limit = limit;
    lc_list_init(&reader->waiters);
    return reader;
}

int lc_raise_loss(lua_State *L, struct lc_host *host, int error)
{
    if (error == ENOMEM)
        luaL_error(L, "not enough memory");
    lc_raise_errno(L, host, error, NULL);
    __builtin_unreachable();
}

int lc_stream_raise(lua_State *L, struct lc_stream *stream, int error)
{
    if (error == LC_FILTER_ERROR) {
        stream->filter->type->push_error(L, stream);
        lua_error(L);
    }
    lc_raise_loss(L, stream->loop->host, error);
}

/* ---- waiting ---- */

static int read_k(lua_State *L, int status, lua_KContext ctx);

static lc_take_function take_some, take_all, take_exactly;

/* As asyncio names it: its readline is a readuntil. */
static const char *take_name(lc_take_function *take)
{
    if (take == take_some || take == take_all)
        return "read";
    return take == take_exactly ? "readexactly" : "readuntil";
}

/* Tries; waits if there is not enough, or waits to be told so. The frame has 1 the reader, 2 the argument. */
static int read_on(lua_State *L, struct lc_reader *reader, struct lc_want *want)
{
    struct lc_task *task;
    int n;

    if (reader->error != 0)
        lc_stream_raise(L, reader->stream, reader->error);
    if (!lc_reader_settle(reader))
        return luaL_error(L, "not enough memory");
    n = want->take(L, reader, want);
    if (n != MORE) {
        if (reader->paused && lc_buffer_size(&reader->buffer) <= reader->limit)
            lc_reader_go_on(reader);
        return n;
    }
    task = lc_wait_task(L, reader->host, "StreamReader:read");
    if (!lc_list_empty(&reader->waiters))
        lc_raise(L, reader->host, LC_RUNTIME_ERROR,
                 "%s() called while another coroutine is already waiting for incoming data",
                 take_name(want->take));
    lc_reader_go_on(reader);
    reader->want = *want;
    lc_list_append(&reader->waiters, &task->waiter.link);
    lc_wait_begin(L, task, &reader_wait, 1);
    return lc_wait_yield(L, task, 0, read_k);
}

static int read_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_reader *reader = lua_touserdata(L, 1);
    struct lc_task *task = reader->host->current;
    struct lc_want want = reader->want;
    bool failed;

    (void)status;
    (void)ctx;
    lc_list_unlink(&task->waiter.link);
    failed = lc_wait_end(L, task);
    if (!failed && reader->delivered > 0 && reader->error == 0) {
        reader->delivered = 0;
        if (lc_buffer_size(&reader->buffer) <= reader->limit)
            lc_reader_go_on(reader);
        lua_settop(L, 2);
        return 1;
    }
    if (!lc_reader_put_back(L, reader))
        lc_stream_abort(reader->stream, ENOMEM);
    return failed ? lua_error(L) : read_on(L, reader, &want);
}

/* Pushes the first `size` bytes and takes them away. */
static void push_bytes(lua_State *L, struct lc_reader *reader, size_t size)
{
    lua_pushlstring(L, lc_buffer_data(&reader->buffer), size);
    lc_buffer_consume(reader->host, &reader->buffer, size);
}

/* ---- read ---- */

static int take_some(lua_State *L, struct lc_reader *reader, struct lc_want *want)
{
    size_t size = lc_buffer_size(&reader->buffer);

    if (size == 0 && !reader->ended)
        return MORE;
    push_bytes(L, reader, size < want->size ? size : want->size);
    return 1;
}

static int take_all(lua_State *L, struct lc_reader *reader, struct lc_want *want)
{
    (void)want;
    if (!reader->ended)
        return MORE;
    push_bytes(L, reader, lc_buffer_size(&reader->buffer));
    return 1;
}

/* reader:read(n?) -> string; "" at the end. May suspend. (ST2) */
static int reader_read(lua_State *L)
{
    struct lc_reader *reader = lc_check_self(L, &lc_reader_type, "read");
    struct lc_want want = {take_some, 0, 0, true};
    lua_Integer n = -1;

    if (!lua_isnoneornil(L, 2))
        n = lc_check_integer(L, 2, "read", 1);
    if (n == 0 && reader->error == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    want.size = (size_t)n;
    if (n < 0)
        want = (struct lc_want){take_all, 0, 0, false};
    return read_on(L, reader, &want);
}

static int take_exactly(lua_State *L, struct lc_reader *reader, struct lc_want *want)
{
    size_t size = lc_buffer_size(&reader->buffer);

    if (size >= want->size) {
        push_bytes(L, reader, want->size);
        return 1;
    }
    if (!reader->ended)
        return MORE;
    lc_class_push(L, reader->host, LC_INCOMPLETE_READ_ERROR);
    push_bytes(L, reader, size);
    lua_pushinteger(L, (lua_Integer)want->size);
    lua_call(L, 2, 1);
    return lua_error(L);
}

/* reader:readexactly(n) -> string. May suspend. (ST4) */
static int reader_readexactly(lua_State *L)
{
    struct lc_reader *reader = lc_check_self(L, &lc_reader_type, "readexactly");
    lua_Integer n = lc_check_integer(L, 2, "readexactly", 1);
    struct lc_want want = {take_exactly, (size_t)n, 0, false};

    if (n < 0)
        lc_raise(L, reader->host, LC_VALUE_ERROR, "readexactly size can not be less than zero");
    return read_on(L, reader, &want);
}

/* ---- readuntil ---- */

/* Offset of `what` in data[from..size), or size. */
static size_t find(const char *data, size_t size, size_t from, const char *what, size_t length)
{
    const char *found = from < size ? memmem(data + from, size - from, what, length) : NULL;

    return found != NULL ? (size_t)(found - data) : size;
}

struct match {
    size_t start, end; /* end 0: there is none */
    size_t longest;    /* of the separators */
};

static void match_one(lua_State *L, int idx, const char *data, size_t size, size_t from,
                      struct match *match)
{
    size_t length, at;
    const char *separator = lua_tolstring(L, idx, &length);

    if (length > match->longest)
        match->longest = length;
    at = find(data, size, from, separator, length);
    if (at < size && (match->end == 0 || at + length < match->end)) {
        match->start = at;
        match->end = at + length;
    }
}

/* The first newline. */
static struct match match_newline(struct lc_reader *reader, size_t from)
{
    const char *data = lc_buffer_data(&reader->buffer), *found = NULL;
    size_t size = lc_buffer_size(&reader->buffer);
    struct match match = {.longest = 1};

    if (from < size)
        found = memchr(data + from, '\n', size - from);
    if (found != NULL) {
        match.start = (size_t)(found - data);
        match.end = match.start + 1;
    }
    return match;
}

/* The match of the separator, or of the list of them, at 2 that ends first. */
static struct match match_any(lua_State *L, struct lc_reader *reader, size_t from)
{
    const char *data = lc_buffer_data(&reader->buffer);
    size_t size = lc_buffer_size(&reader->buffer);
    struct match match = {0};

    if (lua_type(L, 2) == LUA_TSTRING) {
        match_one(L, 2, data, size, from, &match);
        return match;
    }
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, 2); i++) {
        lua_rawgeti(L, 2, i);
        match_one(L, -1, data, size, from, &match);
        lua_pop(L, 1);
    }
    return match;
}

enum until { FOUND, NOT_YET, AT_END, OVER_LIMIT };

/* What follows from what was found; on FOUND and OVER_LIMIT *consumed is set. */
static enum until judge(struct lc_reader *reader, struct lc_want *want, const struct match *match,
                        size_t *consumed)
{
    size_t size = lc_buffer_size(&reader->buffer);

    if (match->end > 0) {
        *consumed = match->start;
        if (match->start > reader->limit)
            return OVER_LIMIT;
        *consumed = match->end;
        return FOUND;
    }
    want->scanned = size + 1 > match->longest ? size + 1 - match->longest : 0;
    *consumed = want->scanned;
    if (want->scanned > reader->limit)
        return OVER_LIMIT;
    return reader->ended ? AT_END : NOT_YET;
}

static int take_until(lua_State *L, struct lc_reader *reader, struct lc_want *want)
{
    struct match match = match_any(L, reader, want->scanned);
    struct lc_host *host = reader->host;
    size_t consumed;

    switch (judge(reader, want, &match, &consumed)) {
    case FOUND:
        push_bytes(L, reader, consumed);
        return 1;
    case NOT_YET:
        return MORE;
    case AT_END:
        lc_class_push(L, host, LC_INCOMPLETE_READ_ERROR);
        push_bytes(L, reader, lc_buffer_size(&reader->buffer));
        lua_pushnil(L);
        break;
    case OVER_LIMIT:
        lc_class_push(L, host, LC_LIMIT_OVERRUN_ERROR);
        lua_pushstring(L, match.end > 0 ? "Separator is found, but chunk is longer than limit"
                                        : "Separator is not found, and chunk exceed the limit");
        lua_pushinteger(L, (lua_Integer)consumed);
        break;
    }
    lua_call(L, 2, 1);
    return lua_error(L);
}

static void check_separator(lua_State *L, int idx)
{
    if (lua_type(L, idx) != LUA_TSTRING)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, "readuntil", 1,
                          "string or list of strings", idx);
    if (lua_rawlen(L, idx) == 0)
        lc_raise(L, lc_host_of(L), LC_VALUE_ERROR, "Separator should be at least one-byte string");
}

/* reader:readuntil(separator or list?) -> string with the separator. May suspend. (ST5, ST6) */
static int reader_readuntil(lua_State *L)
{
    struct lc_reader *reader = lc_check_self(L, &lc_reader_type, "readuntil");
    struct lc_want want = {take_until, 0, 0, false};

    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_pushliteral(L, "\n");
        lua_replace(L, 2);
    } else if (lua_type(L, 2) == LUA_TTABLE) {
        lua_Integer n = (lua_Integer)lua_rawlen(L, 2);

        if (n == 0)
            lc_raise(L, lc_host_of(L), LC_VALUE_ERROR,
                     "Separator should contain at least one element");
        /* a copy: the list may be changed while the task waits */
        lua_createtable(L, (int)n, 0);
        for (lua_Integer i = 1; i <= n; i++) {
            lua_rawgeti(L, 2, i);
            check_separator(L, -1);
            lua_rawseti(L, -2, i);
        }
        lua_replace(L, 2);
    } else {
        check_separator(L, 2);
    }
    return read_on(L, reader, &want);
}

/* ---- lines ---- */

/* Finds a line, with its newline, or the rest at the end: 1 and its size, or MORE. */
static int find_line(lua_State *L, struct lc_reader *reader, struct lc_want *want, size_t *size)
{
    struct match match = match_newline(reader, want->scanned);

    switch (judge(reader, want, &match, size)) {
    case FOUND:
        return 1;
    case NOT_YET:
        return MORE;
    case AT_END:
        *size = lc_buffer_size(&reader->buffer);
        return 1;
    case OVER_LIMIT:
        break;
    }
    lc_buffer_consume(reader->host, &reader->buffer,
                      match.end > 0 ? match.end : lc_buffer_size(&reader->buffer));
    if (lc_buffer_size(&reader->buffer) <= reader->limit)
        lc_reader_go_on(reader);
    lc_raise(L, reader->host, LC_VALUE_ERROR,
             match.end > 0 ? "Separator is found, but chunk is longer than limit"
                           : "Separator is not found, and chunk exceed the limit");
}

static int take_line(lua_State *L, struct lc_reader *reader, struct lc_want *want)
{
    size_t size;

    if (find_line(L, reader, want, &size) == MORE)
        return MORE;
    push_bytes(L, reader, size);
    return 1;
}

/* reader:readline() -> string with its newline; "" at the end. May suspend. (ST3) */
static int reader_readline(lua_State *L)
{
    struct lc_reader *reader = lc_check_self(L, &lc_reader_type, "readline");
    struct lc_want want = {take_line, 0, 0, false};

    return read_on(L, reader, &want);
}

/* A line for an iterator: nil at the end; upvalue 3 says whether it keeps its newline. */
static int take_next(lua_State *L, struct lc_reader *reader, struct lc_want *want)
{
    const char *data;
    size_t size, kept;

    if (find_line(L, reader, want, &size) == MORE)
        return MORE;
    data = lc_buffer_data(&reader->buffer);
    kept = size > 0 && data[size - 1] == '\n' && !lua_toboolean(L, lua_upvalueindex(3)) ? size - 1
                                                                                        : size;
    if (size == 0)
        lua_pushnil(L);
    else
        lua_pushlstring(L, data, kept);
    lc_buffer_consume(reader->host, &reader->buffer, size);
    return 1;
}

static int next_line(lua_State *L)
{
    struct lc_want want = {take_next, 0, 0, false};

    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(2));
    return read_on(L, lua_touserdata(L, 1), &want);
}

/* reader:lines(keep?) -> iterator of lines without newlines, with them if keep is true or "L". */
static int reader_lines(lua_State *L)
{
    bool keep;

    lc_check_self(L, &lc_reader_type, "lines");
    lua_settop(L, 2);
    if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "l") != 0 &&
        strcmp(lua_tostring(L, 2), "L") != 0)
        lc_raise_value(L, lc_host_of(L), "lines", 1, "'l', 'L' or a boolean expected");
    keep = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2)[0] == 'L' : lua_toboolean(L, 2);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_pushboolean(L, keep);
    lua_pushcclosure(L, next_line, 3);
    return 1;
}

/* ---- the rest ---- */

/* reader:at_eof() -> boolean (ST9) */
static int reader_at_eof(lua_State *L)
{
    struct lc_reader *reader = lc_check_self(L, &lc_reader_type, "at_eof");

    lua_pushboolean(L, reader->ended && lc_reader_size(reader) == 0);
    return 1;
}

/* reader:feed_data(string): for a reader without a stream. */
static int reader_feed_data(lua_State *L)
{
    struct lc_reader *reader = lc_check_self(L, &lc_reader_type, "feed_data");
    const char *data;
    size_t size;

    if (lua_type(L, 2) != LUA_TSTRING)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, "feed_data", 1, "string", 2);
    if (reader->ended)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "feed_data after feed_eof");
    data = lua_tolstring(L, 2, &size);
    lc_reader_receive(L, reader, data, size);
    return 0;
}

static int reader_feed_eof(lua_State *L)
{
    lc_reader_end(lc_check_self(L, &lc_reader_type, "feed_eof"), 0);
    return 0;
}

static int reader_tostring(lua_State *L)
{
    struct lc_reader *reader = lc_check_self(L, &lc_reader_type, "tostring");

    lua_pushfstring(L, "<StreamReader%s%s>", reader->ended ? " eof" : "",
                    reader->paused ? " paused" : "");
    if (lc_reader_size(reader) > 0) {
        lua_pushfstring(L, "<StreamReader %d bytes%s%s>", (int)lc_reader_size(reader),
                        reader->ended ? " eof" : "", reader->paused ? " paused" : "");
    }
    return 1;
}

/* __close: the end of the connection; nothing where it is fed by hand. */
static int reader_leave(lua_State *L)
{
    struct lc_reader *reader = lc_check_self(L, &lc_reader_type, "close");

    return reader->stream != NULL ? lc_stream_leave(L, reader->stream) : 0;
}

static int reader_gc(lua_State *L)
{
    struct lc_reader *reader = lc_to_finalize(L, &lc_reader_type);

    if (reader == NULL)
        return 0;
    reader->object.type = NULL; /* an older object's finalizer may still have it... */
    reader->error = 0;          /* ...or an iterator of its lines */
    reader->ended = true;
    if (reader->host == NULL || reader->host->closed)
        return 0;
    lc_buffer_free(reader->host, &reader->buffer);
    if (reader->stream != NULL) {
        reader->stream->reader = NULL;
        lc_stream_release(reader->stream);
        reader->stream = NULL;
    }
    return 0;
}

/* lucio.StreamReader{limit=} -> Reader: one that is fed by hand. */
static int lucio_stream_reader(lua_State *L)
{
    static const char *const names[] = {"limit", NULL};
    struct lc_host *host = lc_host_of(L);
    lua_Integer limit = LC_STREAM_LIMIT;

    lua_settop(L, 1);
    lc_check_options(L, 1, "StreamReader", 1, names);
    if (!lua_isnil(L, 1) && lua_getfield(L, 1, "limit") != LUA_TNIL)
        limit = lc_check_integer(L, -1, "StreamReader", 1);
    if (limit <= 0)
        lc_raise(L, host, LC_VALUE_ERROR, "Limit cannot be <= 0");
    lc_reader_new(L, host, (size_t)limit);
    return 1;
}

void lc_open_reader(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"read", reader_read},
                                       {"readline", reader_readline},
                                       {"readexactly", reader_readexactly},
                                       {"readuntil", reader_readuntil},
                                       {"lines", reader_lines},
                                       {"at_eof", reader_at_eof},
                                       {"feed_data", reader_feed_data},
                                       {"feed_eof", reader_feed_eof},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__close", reader_leave},
                                           {"__tostring", reader_tostring},
                                           {"__gc", reader_gc},
                                           {NULL, NULL}};
    static const luaL_Reg functions[] = {{"StreamReader", lucio_stream_reader}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_READER, "lucio.StreamReader", methods, metamethods);
    lc_set_functions(L, host, functions);
}
