/*
 * parcel: Lua values on their way from one Lua state to another, as bytes.
 * What crosses: nil, booleans, numbers, strings, tables with what they share and their cycles, Lua
 * functions with their upvalues, error objects and their classes; modules and their C functions by
 * name; by identity context variables, thread-local tables and shared memory.
 * Owner:   whoever has the parcel; it refers to no state. It may be unpacked several times.
 * Context: the memory is malloc's, because another thread frees it.
 */
#ifndef LC_PARCEL_H
#define LC_PARCEL_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

struct lc_host;
struct lc_quota;
struct lc_shared;

/* What stands for each value. */
enum lc_parcel_tag {
    LC_TAG_NIL,
    LC_TAG_FALSE,
    LC_TAG_TRUE,
    LC_TAG_INTEGER,
    LC_TAG_FLOAT,
    LC_TAG_STRING,   /* size, bytes */
    LC_TAG_BLOCK,    /* number of a block */
    LC_TAG_OLD,      /* number of an object that was there before */
    LC_TAG_TABLE,    /* a new object: number of items */
    LC_TAG_ERROR,    /* a new object: its class */
    LC_TAG_GROUP,    /* a new object, an exception group: its class */
    LC_TAG_FUNCTION, /* a new object: size, bytecode */
    LC_TAG_MODULE,   /* name */
    LC_TAG_FIELD,    /* C function: module, name */
    LC_TAG_CLASS,    /* see crossing.h */
    LC_TAG_VARIABLE, /* context variable: key, name, default */
    LC_TAG_LOCAL,    /* thread-local table: key */
    LC_TAG_SHARED,   /* a new object without contents: number of what is shared */
    LC_TAG_LOCK,     /* a new object, its lock: the same */
    LC_TAG_JOIN,     /* upvalue: the one that another function has, number of that and its index */
    LC_TAG_END
};

struct lc_parcel {
    char *data;
    size_t size, capacity;
    struct lc_block {
        char *data;
        size_t size;
        bool lent; /* it is a string of the state that packed it, which keeps that */
    } * blocks;    /* long strings, so that growing does not copy them again */
    size_t block_count;
    struct lc_shared **shared; /* held */
    size_t shared_count;
    int values;
    struct lc_quota *quota; /* held; NULL: of a state without a limit of memory */
    char *message; /* NULL, or where data and blocks are: it has come from another process */
};

/* How errors name what cannot be packed. */
struct lc_pack_names {
    const char *what; /* the function that got it as an argument; NULL: it is a job's result */
    int first;        /* position of the first value */
    bool lenient;     /* no errors: what cannot cross is replaced by its text */
    int lent; /* where on the stack the list is made of long strings that are not copied; 0: all are */
    lua_Integer
        item; /* the values behind the first are items of one list, from this one on; 0: not */
};

/* Packs the n values from `first` on into an empty parcel. Raises TypeError for what cannot cross. The
 * caller frees the parcel whatever happens. [-0, +0, v] */
void lc_pack(lua_State *L, struct lc_host *host, struct lc_parcel *parcel, int first, int n,
             const struct lc_pack_names *names);

/* Pushes the values; returns their number. [-0, +n, e] */
int lc_unpack(lua_State *L, struct lc_host *host, const struct lc_parcel *parcel);

/* Makes room for so many bytes more. [-0, +0, m] */
void lc_parcel_grow(lua_State *L, struct lc_parcel *parcel, size_t size);

/* Appends so many bytes, which the caller writes before the next ones. [-0, +0, m] */
static inline char *lc_parcel_room(lua_State *L, struct lc_parcel *parcel, size_t size)
{
    if (parcel->capacity - parcel->size < size)
        lc_parcel_grow(L, parcel, size);
    parcel->size += size;
    return parcel->data + parcel->size - size;
}

/* Appends to the parcel a long string, something shared; returns the number. Raise when there is no
 * memory. [-0, +0, m] */
size_t lc_parcel_add_block(lua_State *L, struct lc_parcel *parcel, const char *text, size_t size,
                           bool lend);
size_t lc_parcel_add_shared(lua_State *L, struct lc_parcel *parcel, struct lc_shared *shared);

/* How many bytes of the parcel are lent. */
size_t lc_parcel_lent(const struct lc_parcel *parcel);

/* Copies what is lent. False: no memory, and some is lent still. */
bool lc_parcel_own(struct lc_parcel *parcel);

/* Gives back what the parcel holds; it is empty then. */
void lc_parcel_clear(struct lc_parcel *parcel);

#endif
