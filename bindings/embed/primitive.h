/*
 * primitive: the methods of queues, locks, events and conditions as C calls them: past the metatables, which a
 * script can change.
 */
#ifndef LC_EMBED_PRIMITIVE_H
#define LC_EMBED_PRIMITIVE_H

#include <stddef.h>

#include <lua.h>

struct lc_type;
struct lucio;
struct lucio_future;
struct lucio_ref;
struct lucio_value;

/* What serves objects of a type; a list of them ends with a type NULL. */
struct lc_embed_method {
    const struct lc_type *type;
    lua_CFunction fn;
};

extern const struct lc_embed_method lc_embed_acquire[];
extern const struct lc_embed_method lc_embed_condition_wait[];
extern const struct lc_embed_method lc_embed_event_wait[];
extern const struct lc_embed_method lc_embed_queue_get[];
extern const struct lc_embed_method lc_embed_queue_join[];
extern const struct lc_embed_method lc_embed_queue_put[];

/* Pushes the method that serves the object at `idx`. Raises TypeError when there is none; `what` is for
 * that. [-0, +1, v] */
void lc_embed_push_method(lua_State *L, struct lucio *h, int idx,
                          const struct lc_embed_method *methods, const char *what);

/* Calls the method that serves the object as lucio_call_method does; `name` names the task. drive.c */
int lc_embed_call_native(struct lucio_ref *object, const struct lc_embed_method *methods,
                         const char *name, size_t n, const struct lucio_value *arguments,
                         struct lucio_future **task);

#endif
