/*
 * embed: what the files of the C interface (lucio.h) share.
 * What is behind a handle (reference, future, trigger) is a slot outside of Lua that outlives its Lua state if
 * it must: it keeps the host's shell by a reference, and learns from it that the host was closed. The types
 * of the handles are never defined: only slots.h leads from a handle to what it stands for.
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
#include "slots.h"

struct lc_call;
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
    int scratch;          /* anchor of the string last handed out by a lucio_get_... function */
    unsigned depth;       /* calls of the program's functions that are under way */
    struct lc_call *call; /* the innermost of them, if Lua made it */
    bool owns_state;      /* the host made the state */
    bool closing;
    bool closed; /* lucio_close has given up the program's reference */
    int exit_code;
    struct lc_quota *quota; /* of a state that the host made, or NULL */
    lua_State *caller;      /* the thread that called a C function which is under way, or NULL */
    struct lucio_config config;
    struct lc_link refs; /* all references and futures */
    struct lc_link triggers;
    struct lc_slots slots[LC_SLOT_KINDS];
    struct lc_error_texts failure;
    atomic_uint references;
    pthread_mutex_t mutex; /* guards what follows */
    struct lc_post *first, **last;
    bool posting; /* posts are taken: the loop is open */
    struct lc_entry posted;
};

/* Memory of the program's allocator. NULL: there is none. Size 0 frees. */
void *lc_embed_realloc(struct lucio *h, void *block, size_t old_size, size_t new_size);

/* The Lua thread to work in: the one that called the program, or the main one. */
lua_State *lc_embed_state(struct lucio *h);

/* LUCIO_OK when the host is open and its stack has room, else the status to return. */
int lc_embed_enter(struct lucio *h);

/* The same for the host of a handle; *slot is what is behind it. That of a reference may be a future, too. */
int lc_embed_enter_slot(const void *handle, enum lc_slot_kind kind, void *slot);
int lc_embed_enter_ref(lucio_ref *handle, struct lc_slot **ref);

/* What is behind a reference or a future; NULL as lc_slot_find. */
struct lc_slot *lc_embed_find_ref(const void *handle);

/* lc_embed_enter for a function that makes a handle: *out, a pointer to one, is NULL for now. */
int lc_embed_enter_out(struct lucio *h, void *out);
/* And for one that hands out a value, if `status` is LUCIO_OK. */
int lc_embed_enter_value(struct lucio *h, int status, struct lucio_value *out);

/* Calls fn(args) protected: LUCIO_OK, or the status of the error, which is noted. [-0, +0, -] */
int lc_embed_protect(struct lucio *h, lua_CFunction fn, void *args);

/* Notes the error on top as the last failure; its status. [-1, +0, -] */
int lc_embed_fail(struct lucio *h, lua_State *L);

/* The status of what runs no Lua: it has raised because an argument is wrong. */
int lc_embed_invalid(int status);

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

/* A handle of the value on top. [-1, +0, m] */
lucio_ref *lc_embed_ref_new(lua_State *L, struct lucio *h);
/* A slot of the kind and size that holds the value on top. [-1, +0, m] */
void *lc_embed_hold(lua_State *L, struct lucio *h, enum lc_slot_kind kind, size_t size);
/* Lets go of the value, of the slot, and of the host's shell. */
void lc_embed_let_go(struct lc_slot *slot);
/* Pushes the value. [-0, +1, -] */
void lc_embed_push_held(lua_State *L, const struct lc_slot *slot);

/* A handle of the future on top. [-1, +0, m] */
lucio_future *lc_embed_future_new(lua_State *L, struct lucio *h);
/* The future that a slot of an open host holds. */
struct lc_future *lc_embed_future(const struct lc_slot *slot);

/* The host closes: handles lose their Lua values, waiting calls their entries. */
void lc_embed_abandon_refs(struct lucio *h);
void lc_embed_abandon_future(struct lc_slot *slot);
void lc_embed_abandon_posts(struct lucio *h);

void lc_embed_open_posts(struct lucio *h);
void lc_embed_open_functions(lua_State *L, struct lucio *h);

/* Around a call of a function of the program's: for Lua's `call`, NULL: for another reason. The first returns
 * what the second takes. */
static inline struct lc_call *lc_embed_begin_call(struct lucio *h, struct lc_call *call)
{
    struct lc_call *outer = h->call;

    h->depth++;
    h->call = call;
    return outer;
}

static inline void lc_embed_end_call(struct lucio *h, struct lc_call *outer)
{
    h->depth--;
    h->call = outer;
}

#endif
