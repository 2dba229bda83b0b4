/*
 * packer: what the files that write a parcel share: its state while one is written, and its bytes.
 * Owner:   lc_pack, for the time of its call.
 * Context: raise when there is no memory.
 */
#ifndef LC_PACKER_H
#define LC_PACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <lua.h>

#include "parcel.h"

struct lc_packer {
    lua_State *L;
    struct lc_host *host;
    struct lc_parcel *parcel;
    const struct lc_pack_names *names;
    int objects;   /* index of the table: number -> object; object, upvalue's id, address of
                    * what is shared -> number */
    int paths;     /* index of the table number -> text, or 0 */
    int count;     /* of objects */
    int parent;    /* object whose contents are being packed; 0: none */
    int root;      /* position of the value that is being packed, or came from */
    char step[80]; /* from the parent to the value that is being packed; with notes only */
};

static inline void lc_put_bytes(struct lc_packer *packer, const void *bytes, size_t size)
{
    memcpy(lc_parcel_room(packer->L, packer->parcel, size), bytes, size);
}

static inline void lc_put_tag(struct lc_packer *packer, enum lc_parcel_tag tag)
{
    *lc_parcel_room(packer->L, packer->parcel, 1) = (char)tag;
}

static inline void lc_put_size(struct lc_packer *packer, size_t size)
{
    lc_put_bytes(packer, &size, sizeof size);
}

/* A tag and eight bytes. */
static inline void lc_put_tagged(struct lc_packer *packer, enum lc_parcel_tag tag,
                                 const void *eight)
{
    char *at = lc_parcel_room(packer->L, packer->parcel, 9);

    at[0] = (char)tag;
    memcpy(at + 1, eight, 8);
}

static inline void lc_put_numbered(struct lc_packer *packer, enum lc_parcel_tag tag, size_t number)
{
    lc_put_tagged(packer, tag, &number);
}

/* The string at `idx`. [-0, +0, m] */
void lc_put_string(struct lc_packer *packer, int idx);

/* In pack_name.c: the value at `idx`, by the name under which the other state finds it. False: it has none.
 * [-0, +0, m] */
bool lc_put_module(struct lc_packer *packer, int idx);
bool lc_put_c_function(struct lc_packer *packer, int idx);

/* The class of errors at `idx`. [-0, +0, v] */
void lc_put_class(struct lc_packer *packer, int idx);

#endif
