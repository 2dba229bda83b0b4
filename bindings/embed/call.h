/*
 * call: a call of a function of the program's by Lua, as its two sides see it: function.c, which the program
 * calls from inside of it, and trampoline.c, which makes it.
 * Invariant: a call is good from when the function of the program's is entered until it returns, and of
 *            several that are under way, one within the other, the innermost alone.
 * Owner:     the call is a slot that the trampoline takes and gives back; what outlives a suspension is on the
 *            Lua stack.
 */
#ifndef LC_EMBED_CALL_H
#define LC_EMBED_CALL_H

#include <lua.h>

#include "embed.h"

struct lc_c_function {
    struct lucio *h;
    lucio_function *fn;
    void *data;
    void (*release)(void *data);
    char name[];
};

/* How a suspended call goes on. */
struct lc_frame {
    lucio_function *next;
    void *data;
};

/* What the function wants when it returns. */
enum lc_outcome {
    LC_CALL_NOTHING,
    LC_CALL_RETURN, /* `results` values, on top */
    LC_CALL_RAISE,  /* the error on top */
    LC_CALL_AWAIT,  /* the future on top */
    LC_CALL_CALL /* a call of the function and its `results` arguments on top, in the same task */
};

/* How a call has ended. */
struct lc_end {
    enum lc_outcome outcome;
    int results;
    struct lc_frame frame; /* of an AWAIT, a CALL */
};

struct lc_call {
    struct lc_slot slot;
    lua_State *L;
    struct lc_c_function *function;
    int first; /* stack index of the first argument */
    int n;
    int status; /* of what was awaited, whose error is at `first` when it failed */
    struct lc_end end;
    struct lc_error_texts texts;
    size_t bad; /* argument that was not as expected, and what was */
    const char *expected;
};

/* A function to make. */
struct lc_function_args {
    struct lucio *h;
    const char *name;
    lucio_function *fn;
    void *data;
    void (*release)(void *data);
    lucio_ref **made;
    lucio_future **task;
    const struct lucio_entry *entries;
};

/* Pushes the Lua function of a C function. [-0, +1, m] */
void lc_embed_push_function(lua_State *L, const struct lc_function_args *args);

/* For a function that a call ends by: calls fn(data) protected; its results stay on the stack. False: the
 * error is what the call raises. [-0, +?, -] */
bool lc_embed_call_make(struct lc_call *call, lua_CFunction fn, void *data, int results);

/* The call behind the handle, when it may be used; NULL: it is over, which is noted. */
struct lc_call *lc_embed_find_call(lucio_call *handle);

#endif
