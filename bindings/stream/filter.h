/*
 * filter: what stands between a stream's bytes and its user: TLS.
 * Invariant: with a filter, the user's `received` and `ended` are called by the filter alone, and what
 *            the user writes and closes goes to the filter first.
 * Owner:     the stream, from the moment it is given to it.
 */
#ifndef LC_FILTER_H
#define LC_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

struct lc_stream;

/* stream->error of a stream that its filter has ended: the filter raises the error itself. */
#define LC_FILTER_ERROR (-1)

struct lc_filter_type {
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
    /* Raises the error of LC_FILTER_ERROR. [-0, +0, v] */
    int (*raise)(lua_State *L, struct lc_stream *stream);
    /* What get_extra_info gives; false: nothing was pushed. [-0, +(0|1), m] */
    bool (*info)(lua_State *L, struct lc_stream *stream, const char *name);
};

struct lc_filter {
    const struct lc_filter_type *type;
};

#endif
