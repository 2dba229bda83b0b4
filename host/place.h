/*
 * place: where in the Lua code something was made, as file and line, in four bytes.
 * Invariant: a place keeps no Lua object alive; a chunk's name is kept once per host.
 * Owner:     the host keeps the names until it closes; a place is a plain value.
 * Context:   taking one allocates only for a chunk that is seen for the first time.
 */
#ifndef LC_PLACE_H
#define LC_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

struct lc_host;

/* Number of the chunk's name and line; 0: unknown. */
typedef uint32_t lc_place;

/* How many tasks may be created between two waits of the loop before their places are left out:
 * finding one takes an eighth of what a short task takes. */
enum { LC_PLACES_ROW = 1000 };

enum { LC_PLACE_CACHE = 16 };

struct lc_place_name {
    char text[LUA_IDSIZE]; /* as lua_Debug.short_src */
    char source[LUA_IDSIZE];
    size_t length; /* of the source, of which only a short one is kept */
};

struct lc_places {
    struct lc_place_name *names; /* name i is that of number i + 1 */
    uint16_t *slots;             /* hash table of numbers, 0: free */
    unsigned count;
    unsigned capacity; /* of names; the hash table has twice as many slots */
    unsigned left;     /* of LC_PLACES_ROW */
    uint16_t recent[LC_PLACE_CACHE];
};

/* The line that called the C function that runs, by itself or through another one. Without memory, or with too many chunks
 * or lines, it is unknown. [-0, +0, -] */
lc_place lc_place_here(lua_State *L, struct lc_host *host);

/* Pushes "file:line", or nil when it is unknown. [-0, +1, m] */
void lc_place_push(lua_State *L, const struct lc_host *host, lc_place place);

void lc_places_close(struct lc_host *host);

#endif
