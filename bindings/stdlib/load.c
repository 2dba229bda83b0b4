/*
 * load: a reader that may wait. The compiler cannot be suspended: the reader runs in a coroutine of its
 * own, and when that awaits, the compilation is given up. It is done again, with the pieces that are
 * there, when the next one has come. So the reader is called just as often as by the original, unless it
 * waits very often: then some more pieces are collected before the next attempt.
 * Owner: the closure in the reader's place on the stack of load holds all: user values 1 to 3 of the
 *        reading are the pieces, the coroutine, the reader.
 */
#include <string.h>

#include <lauxlib.h>

#include "coroutine.h"
#include "error.h"
#include "permit.h"
#include "standard.h"

/* Bytes may be compiled again so many times, on average, and so many bytes in any case. */
#define AGAIN_FACTOR 16
#define AGAIN_FREE   65536

enum uservalue { UV_PIECES = 1, UV_COROUTINE, UV_READER, UV_COUNT = UV_READER };

enum reading_state {
    READING,
    READING_AWAITS, /* the reader awaits: this compilation is for nothing */
    READING_FAILED, /* its error is behind the last piece */
    READING_ENDED   /* it has returned the end */
};

struct reading {
    struct lc_object object;
    enum reading_state state;
    int arguments;      /* of load */
    lua_Integer pieces; /* that were read... */
    lua_Integer next;   /* ...and the one that the compiler gets next, from 0 */
    size_t bytes;       /* of all pieces */
    size_t again;       /* bytes that were compiled for nothing */
};

static const struct lc_type reading_type = {"Reading", sizeof(struct reading)};

/* What the coroutine returned is on its stack. Pushes the piece and keeps it. The reading is at `idx`.
 * [-0, +1, m] */
static void take_piece(lua_State *L, struct reading *reading, int idx, lua_State *co, int results)
{
    size_t length = 0;

    lua_settop(co, lua_gettop(co) - results + (results > 0));
    if (results > 0)
        lua_xmove(co, L, 1);
    else
        lua_pushnil(L);
    lua_settop(co, 0);
    lua_getiuservalue(L, idx, UV_PIECES);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, ++reading->pieces);
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING)
        length = lua_rawlen(L, -1);
    reading->bytes += length;
    if (length == 0 && lua_type(L, -1) != LUA_TNUMBER)
        reading->state = READING_ENDED; /* or it is no string: load raises that */
}

/* Pushes what a resume of the reader came to: a piece, or its error. */
static void take_result(lua_State *L, struct reading *reading, int idx, lua_State *co, int status,
                        int results)
{
    if (status == LUA_OK) {
        take_piece(L, reading, idx, co, results);
        return;
    }
    if (status == LUA_YIELD)
        lua_pushliteral(L, "attempt to yield across a C-call boundary");
    else
        lua_xmove(co, L, 1);
    lua_getiuservalue(L, idx, UV_PIECES);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, reading->pieces + 1);
    lua_pop(L, 1);
    reading->state = READING_FAILED;
}

/* Puts the reader on the stack of its coroutine, which has ended or not begun. */
static lua_State *begin_call(lua_State *L, int idx)
{
    lua_State *co;

    lua_getiuservalue(L, idx, UV_COROUTINE);
    co = lua_tothread(L, -1);
    lua_getiuservalue(L, idx, UV_READER);
    lua_xmove(L, co, 1);
    lua_pop(L, 1);
    return co;
}

/* What load has as its reader. Upvalues: the host, the reading. */
static int read_piece(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct reading *reading = lua_touserdata(L, lua_upvalueindex(2));
    int status, results;
    lua_State *co;

    lua_settop(L, 0);
    if (reading->next < reading->pieces) {
        lua_getiuservalue(L, lua_upvalueindex(2), UV_PIECES);
        lua_rawgeti(L, -1, ++reading->next);
        return 1;
    }
    if (reading->state == READING) {
        co = begin_call(L, lua_upvalueindex(2));
        status = lc_coroutine_resume_below(L, host, co, 0, &results);
        if (results == LC_AWAITING) {
            reading->state = READING_AWAITS;
        } else {
            take_result(L, reading, lua_upvalueindex(2), co, status, results);
            reading->next = reading->pieces;
        }
    } else if (reading->state == READING_FAILED) {
        lua_getiuservalue(L, lua_upvalueindex(2), UV_PIECES);
        lua_rawgeti(L, -1, reading->pieces + 1);
    }
    /* the end is an error at most, which no message handler sees */
    if (reading->state == READING_AWAITS)
        return 0;
    return reading->state == READING_FAILED ? lua_error(L) : lua_gettop(L);
}

static int load_k(lua_State *L, int status, lua_KContext ctx);

/* Suspends load until its reader, which awaits, is woken. */
static int suspend(lua_State *L, struct lc_host *host)
{
    lua_settop(L, 4);
    lua_getupvalue(L, 1, 2);
    lua_getiuservalue(L, 5, UV_COROUTINE);
    return lc_coroutine_suspend(L, host, lua_tothread(L, 6), 0, load_k);
}

/* Compiles what has been read, and what can be read without a wait. */
static int compile(lua_State *L, struct lc_host *host, struct reading *reading)
{
    int results;

    reading->next = 0;
    lua_settop(L, reading->arguments);
    results = lc_standard_original(L);
    if (reading->state == READING_AWAITS) {
        reading->again += reading->bytes;
        return suspend(L, host);
    }
    if (reading->state == READING_FAILED && results == 2 && lua_isnil(L, -2)) {
        enum lc_kind kind = lc_error_kind(L, -1);

        if (kind != LC_KIND_VALUE && kind != LC_KIND_ORDINARY)
            return lua_error(L); /* a cancellation is no error of the chunk */
    }
    return results;
}

/* The reader may go on. Stack: the arguments, with the closure as reader, 5 the reading, 6 its
 * coroutine. */
static int load_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    struct reading *reading = lua_touserdata(L, 5);
    lua_State *co = lua_tothread(L, 6);
    int results;

    (void)status;
    (void)ctx;
    lc_coroutine_woken(co);
    reading->state = READING;
    for (;;) {
        status = lc_coroutine_resume(L, host, co, 0, &results);
        if (results == LC_AWAITING)
            return lc_coroutine_suspend(L, host, co, 0, load_k);
        take_result(L, reading, 5, co, status, results);
        if (reading->state != READING ||
            reading->again + reading->bytes <= AGAIN_FACTOR * reading->bytes + AGAIN_FREE)
            return compile(L, host, reading);
        lua_settop(L, 6);
        begin_call(L, 5);
    }
}

/* load(chunk, name, mode, environment) -> function, or nil and an error */
static int standard_load(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct reading *reading;
    int arguments;

    lc_permit_mode(L, host, 3);
    arguments = lua_gettop(L);
    if (lua_type(L, 1) != LUA_TFUNCTION || !lc_standard_may_wait(L, host))
        return lc_standard_original(L);
    if (arguments > 4)
        lua_settop(L, arguments = 4);
    lua_pushlightuserdata(L, host);
    reading = lua_newuserdatauv(L, sizeof *reading, UV_COUNT);
    memset(reading, 0, sizeof *reading);
    reading->object.type = &reading_type;
    reading->arguments = arguments;
    lua_newtable(L);
    lua_setiuservalue(L, -2, UV_PIECES);
    lua_newthread(L);
    lua_setiuservalue(L, -2, UV_COROUTINE);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, UV_READER);
    lua_pushcclosure(L, read_piece, 2);
    lua_replace(L, 1);
    return compile(L, host, reading);
}

void lc_open_load(lua_State *L, struct lc_host *host)
{
    lc_standard_replace(L, host, "load", standard_load);
}
