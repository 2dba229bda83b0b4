/*
 * filter: what stands between a stream's bytes and its user: TLS.
 * Invariant: with a filter, the user's `received` and `ended` are called by the filter alone, and what
 *            the user writes and closes goes to the filter first.
 * Owner:     the stream, from the moment it is given to it. A maker is Lua's collector's.
 */
#ifndef LC_FILTER_H
#define LC_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

#include "host.h"

struct lc_stream;

/* stream->error of a stream that its filter has ended: the filter raises the error itself. */
#define LC_FILTER_ERROR (-1)

struct lc_filter_type {
    /* The stream is there; the filter tells its user, by lc_stream_made, when it is ready. [-0, +0, m] */
    void (*made)(lua_State *L, struct lc_stream *stream);
    /* Bytes of the peer; it sends no more. Called from an entry. [-0, +0, m] */
    void (*received)(lua_State *L, struct lc_stream *stream, const char *data, size_t size);
    void (*ended)(lua_State *L, struct lc_stream *stream);
    /* Bytes of the user. [-0, +0, v] */
    void (*write)(lua_State *L, struct lc_stream *stream, const char *data, size_t size);
    /* The stream is closing; `stream->shutting` keeps it reading until lc_stream_finish. [-0, +0, -] */
    void (*close)(struct lc_stream *stream);
    /* The stream is off its loop. [-0, +0, -] */
    void (*detach)(struct lc_stream *stream);
    void (*free)(struct lc_stream *stream);
    /* Pushes the error of LC_FILTER_ERROR. [-0, +1, m] */
    void (*push_error)(lua_State *L, struct lc_stream *stream);
    /* What get_extra_info gives; false: nothing was pushed. [-0, +(0|1), m] */
    bool (*info)(lua_State *L, struct lc_stream *stream, const char *name);
};

struct lc_filter {
    const struct lc_filter_type *type;
    bool waiting; /* it has bytes for `received` that its user paused before */
};

/* What gives new streams a filter: settings, as an object of Lua. */
struct lc_filter_maker {
    struct lc_object object;
    /* NULL: no memory */
    struct lc_filter *(*make)(struct lc_filter_maker *maker, struct lc_stream *stream);
};

extern const struct lc_type lc_filter_maker_type;

/* The maker at `idx`, NULL for nil. [-0, +0, v] */
struct lc_filter_maker *lc_filter_check_maker(lua_State *L, int idx, const char *what);
/* Gives a new stream its filter; without memory it ends. A NULL maker gives none. */
void lc_filter_attach(struct lc_filter_maker *maker, struct lc_stream *stream);

#endif
