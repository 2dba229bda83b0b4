/*
 * embed: what the files of the C interface (lucio.h) share.
 * A handle (host, reference, future, trigger) is a block outside of Lua that outlives its Lua state if
 * it must: it keeps the host's shell by a reference, and learns from it that the host was closed.
 * Invariant: h->host is NULL once the host is closed, and no handle has an anchor then.
 * Context:   the host's thread, except what post.c says.
 */
#ifndef LC_EMBED_H
#define LC_EMBED_H

#include <pthread.h>
#include <stdatomic.h>

#include <lua.h>

#include "entry.h"
#include "error.h"
#include "host.h"
#include "list.h"
#include "loop.h"
#include "lucio.h"

struct lc_quota;

/* The texts of an error in C's hands, in one block. */
struct lc_error_texts {
    struct lucio_error error;
    char *block;
    size_t size;
};

struct lucio {
    struct lc_host *host;
    struct lc_loop *loop;
    lua_State *L; /* the state's main thread */
    int loop_anchor;
    int scratch;     /* anchor of the string last handed out by a lucio_get_... function */
    unsigned depth;  /* calls of the program's functions that are under way */
    bool owns_state; /* the host made the state */
    bool closing;
    int exit_code;
    struct lc_quota *quota; /* of a state that the host made, or NULL */
    lua_State *caller;      /* the thread that called a C function which is under way, or NULL */
    struct lucio_config config;
    struct lc_link refs; /* all references and futures */
    struct lc_link triggers;
    struct lc_error_texts failure;
    atomic_uint references;
    pthread_mutex_t mutex; /* guards what follows */
    struct lc_post *first, **last;
    bool posting; /* posts are taken: the loop is open */
    struct lc_entry posted;
};

struct lucio_ref {
    struct lucio *h;
    struct lc_link link; /* h->refs */
    int anchor;
    bool is_future;
};

/* Memory of the program's allocator. NULL: there is none. Size 0 frees. */
void *lc_embed_realloc(struct lucio *h, void *block, size_t old_size, size_t new_size);

/* The Lua thread to work in: the one that called the program, or the main one. */
lua_State *lc_embed_state(struct lucio *h);

/* LUCIO_OK when the host is open and its stack has room, else the status to return. */
int lc_embed_enter(struct lucio *h);

/* Calls fn(args) protected: LUCIO_OK, or the status of the error, which is noted. [-0, +0, -] */
int lc_embed_protect(struct lucio *h, lua_CFunction fn, void *args);

/* Notes the error on top as the last failure; its status. [-1, +0, -] */
int lc_embed_fail(struct lucio *h, lua_State *L);

/* Notes a failure that Lua had no part in; returns `status`. */
int lc_embed_refuse(struct lucio *h, int status, const char *message);

/* Notes a copy of the error; NULL stands for the end of memory. False: that is what it is. */
bool lc_embed_note(struct lucio *h, const struct lucio_error *error);

/* Reads the texts of the error at `idx`. [-0, +0, m] */
void lc_embed_read_error(lua_State *L, struct lucio *h, int idx, struct lc_error_texts *texts);
void lc_embed_free_texts(struct lucio *h, struct lc_error_texts *texts);

/* Makes an error object of the class that the module has under that name. [-0, +1, m] */
void lc_embed_push_error(lua_State *L, struct lucio *h, const char *class_name,
                         const char *message);

/* [-0, +1, v] */
void lc_embed_push_value(lua_State *L, struct lucio *h, const struct lucio_value *value);
void lc_embed_push_values(lua_State *L, struct lucio *h, size_t n,
                          const struct lucio_value *values);

/* The value at `idx`: a string is the one on the stack, an object a new reference. [-0, +0, m] */
struct lucio_value lc_embed_to_value(lua_State *L, struct lucio *h, int idx);

/* Hands out the value on top; a string is kept until the next one. [-1, +0, m] */
void lc_embed_give_out(lua_State *L, struct lucio *h, struct lucio_value *value);

/* A handle of `size` bytes that holds the value on top. [-1, +0, m] */
struct lucio_ref *lc_embed_ref_new(lua_State *L, struct lucio *h, size_t size);
/* Lets go of the value and of the host's shell, and frees. */
void lc_embed_ref_drop(struct lucio_ref *ref, size_t size);

/* A handle of the future on top. [-1, +0, m] */
struct lucio_future *lc_embed_future_new(lua_State *L, struct lucio *h);
/* The future behind the handle of an open host. */
struct lc_future *lc_embed_future(struct lucio_future *future);

/* The host closes: handles lose their Lua values, waiting calls their entries. */
void lc_embed_abandon_refs(struct lucio *h);
void lc_embed_abandon_future(struct lucio_future *future);
void lc_embed_abandon_posts(struct lucio *h);

void lc_embed_open_posts(struct lucio *h);
void lc_embed_open_functions(lua_State *L, struct lucio *h);

/* Around a call of a function of the program's. */
static inline void lc_embed_begin_call(struct lucio *h)
{
    h->depth++;
}

static inline void lc_embed_end_call(struct lucio *h)
{
    h->depth--;
}

#endif
