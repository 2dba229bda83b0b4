/*
 * shared: what several Lua states and processes use at once, and the objects that stand for it.
 * A thing is made of descriptors alone: whoever has those of another process has the thing. Threads
 * share it directly.
 * Owner: counted: each object of Lua and each parcel that has it holds it.
 */
#ifndef LC_SHARED_H
#define LC_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>

#include <lua.h>

#include "host.h"

struct lc_quota;
struct lc_shared;

/* The most that a thing is made of. */
#define LC_SHARED_DESCRIPTORS_MAX 5

struct lc_shared_type {
    int descriptors; /* how many it is made of */
    /* They stay the thing's. */
    void (*get)(const struct lc_shared *shared, int *descriptors);
    /* The thing that is made of them; they are its own then. NULL and errno: they are the caller's. */
    struct lc_shared *(*attach)(const int *descriptors);
    /* Nobody holds it any more. */
    void (*free)(struct lc_shared *shared);
    /* Pushes an object for it, or for its lock. [-0, +1, m] */
    void (*push)(lua_State *L, struct lc_host *host, struct lc_shared *shared, bool is_lock);
};

/* The first member of each thing; malloc's, since any thread may be the last. */
struct lc_shared {
    const struct lc_shared_type *type;
    atomic_uint users;
    struct lc_quota *quota; /* in which its memory counts, or NULL */
    size_t charged;
};

/* What stands for it in Lua. */
struct lc_shared_object {
    struct lc_object object;
    struct lc_shared *shared; /* NULL: a script has called its finalizer */
};

/* The types of things; the number of one is its place. */
extern const struct lc_shared_type lc_region_type;
extern const struct lc_shared_type lc_semaphore_type;
extern const struct lc_shared_type lc_queue_type;
extern const struct lc_shared_type lc_link_type;
extern const struct lc_shared_type *const lc_shared_types[];
#define LC_SHARED_TYPES 4

/* The types of objects. */
extern const struct lc_type lc_shared_value_type;
extern const struct lc_type lc_shared_bytes_type;
extern const struct lc_type lc_shared_lock_type;
extern const struct lc_type lc_shared_semaphore_type;
extern const struct lc_type lc_shared_queue_type;
extern const struct lc_type lc_shared_link_type;

/* A new thing, with one user. */
static inline void lc_shared_init(struct lc_shared *shared, const struct lc_shared_type *type)
{
    shared->type = type;
    atomic_init(&shared->users, 1);
    shared->quota = NULL;
    shared->charged = 0;
}

/* The thing that the object at `idx` stands for, or whose lock it is; or NULL. [-0, +0, -] */
struct lc_shared *lc_shared_to(lua_State *L, int idx, bool *is_lock);

/* The number of its type. */
unsigned lc_shared_number(const struct lc_shared *shared);

/* Holds it once more. */
void lc_shared_hold(struct lc_shared *shared);

/* Lets it go; the last one frees it. Any thread. NULL is harmless. */
void lc_shared_release(struct lc_shared *shared);

/* Pushes an object for it, or for its lock. [-0, +1, m] */
void lc_shared_push(lua_State *L, struct lc_host *host, struct lc_shared *shared, bool is_lock);

/* ---- for the types ---- */

/* New object without a thing. The metatables are made first if need be. [-0, +1, m] */
struct lc_shared_object *lc_shared_object_new(lua_State *L, struct lc_host *host,
                                              const struct lc_type *type, enum lc_ref ref);

/* The thing of a method's self. [-0, +0, v] */
struct lc_shared *lc_shared_check(lua_State *L, const struct lc_type *type, const char *what);

/* Counts the memory of a new thing, whose object owns it already, as the host's. Raises "not enough memory"
 * where the host has a limit. [-0, +0, m] */
void lc_shared_charge(lua_State *L, struct lc_host *host, struct lc_shared *shared, size_t size);
/* Gives a metatable an __index that gets the methods as its upvalue 2. [-0, +0, m] */
void lc_shared_set_index(lua_State *L, struct lc_host *host, enum lc_ref ref, lua_CFunction index);

/* __gc of all objects. */
int lc_shared_gc(lua_State *L);

/* Of each file: its metatable; its functions, into the table on top. [-0, +0, m] */
void lc_shared_value_open(lua_State *L, struct lc_host *host);
void lc_shared_value_add(lua_State *L, struct lc_host *host);
void lc_shared_bytes_open(lua_State *L, struct lc_host *host);
void lc_shared_bytes_add(lua_State *L, struct lc_host *host);
void lc_shared_lock_open(lua_State *L, struct lc_host *host);
void lc_shared_lock_add(lua_State *L, struct lc_host *host);
void lc_shared_semaphore_open(lua_State *L, struct lc_host *host);
void lc_shared_semaphore_add(lua_State *L, struct lc_host *host);
void lc_shared_queue_open(lua_State *L, struct lc_host *host);
void lc_shared_queue_add(lua_State *L, struct lc_host *host);
void lc_shared_link_open(lua_State *L, struct lc_host *host);

#endif
