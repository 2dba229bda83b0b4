/*
 * settings: what the Lua state of a worker is made of: limits, paths, options and permissions of the
 * state whose executor it is.
 * Invariant: written once, before the first worker starts.
 * Owner:     the executor's pool; a worker process has a copy, out of bytes.
 * Context:   the memory is malloc's, since workers read it.
 */
#ifndef LC_SETTINGS_H
#define LC_SETTINGS_H

#include <stdbool.h>

#include <lua.h>

#include "host.h"
#include "parcel.h"
#include "state_limits.h"

struct lc_permits;

struct lc_settings {
    char *name; /* of the executor */
    char *path; /* package.path and package.cpath, or NULL */
    char *cpath;
    struct lc_limits limits;
    bool confined; /* see struct lc_host */
    bool global;   /* lucio is a global */
    bool is_virtual;
    bool warns; /* warnings are printed */
    struct lc_options options;
    char *backend;              /* that the options name, or NULL */
    struct lc_permits *permits; /* NULL: everything is allowed */
    struct lc_parcel initializer;
};

/* Those of L's state; `what` makes the executor, the initializer, a function or nil, is at `initializer`.
 * [-0, +0, v] */
struct lc_settings *lc_settings_new(lua_State *L, struct lc_host *host, const char *what,
                                    const char *name, int initializer);

void lc_settings_free(struct lc_settings *settings);

/* All but the initializer, as bytes, in an empty parcel; with them goes the ledger of the memory limit. False: errno
 * says why. */
bool lc_settings_write(const struct lc_settings *settings, struct lc_parcel *parcel);

/* New settings out of such bytes, for a process that has that ticket for a place in the ledger. NULL: no
 * memory, the bytes are another version's, or the place is not its own, because its parent has died. */
struct lc_settings *lc_settings_read(const struct lc_parcel *parcel, unsigned ticket);

#endif
