/*
 * permit: what the scripts of a host may do outside of it: one place decides; see permit.c.
 */
#ifndef LC_PERMIT_H
#define LC_PERMIT_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

#include "host.h"

struct addrinfo;
struct sockaddr;

/* Kinds of permission; their names are in permit.c. */
enum lc_permission {
    LC_PERMIT_READ,
    LC_PERMIT_WRITE,
    LC_PERMIT_NET,
    LC_PERMIT_RUN,
    LC_PERMIT_ENV,
    LC_PERMIT_LOAD,
    LC_PERMIT_COUNT,
    LC_PERMIT_MODULES = LC_PERMIT_COUNT /* directories that require may read */
};

/* ---- making them ---- */

/* Refuses everything from now on, but for what is added. False: no memory. */
bool lc_permits_begin(struct lc_host *host);

/* Adds the items of a list, of which commas are between, or all targets for a NULL list. Returns what is
 * wrong with the list, or NULL. With host NULL it only looks. */
const char *lc_permits_add(struct lc_host *host, enum lc_permission kind, const char *list);

/* Adds the kinds and lists of a text such as "read=/srv,/tmp;net". As lc_permits_add. */
const char *lc_permits_add_text(struct lc_host *host, const char *text);

/* Adds one path as it is, whatever characters it has. False: no memory. */
bool lc_permits_add_path(struct lc_host *host, enum lc_permission kind, const char *path);

/* For a host in another thread: a copy for free(3), and the permissions of a copy for a host. NULL and
 * false: no memory. */
struct lc_permits *lc_permits_copy(const struct lc_permits *permits);
bool lc_permits_inherit(struct lc_host *host, const struct lc_permits *permits);

/* How many bytes they are: a copy of these is a copy of them. */
size_t lc_permits_size(const struct lc_permits *permits);

void lc_permits_free(struct lc_host *host);

/* ---- deciding ---- */

/* Whether the target is allowed. Of a path the link at its end is followed. */
bool lc_permits_has(const struct lc_host *host, enum lc_permission kind, const char *target);

/* Whether all targets of the kind are allowed. */
bool lc_permits_has_all(const struct lc_host *host, enum lc_permission kind);

/* The same for a path that was walked, as it is: what lc_real_path has given. */
bool lc_permits_has_walked(const struct lc_host *host, enum lc_permission kind, const char *real);

/* What lc_permit and the like do for a host that has permissions. [-0, +0, v] */
void lc_permit_target(lua_State *L, struct lc_host *host, enum lc_permission kind,
                      const char *target);
void lc_permit_socket(lua_State *L, struct lc_host *host, const struct sockaddr *address,
                      size_t size);
void lc_permit_lookup(lua_State *L, struct lc_host *host, const char *name, const char *service);

/* Raises a PermissionError that says which permission the target lacks. [-0, +0, v] */
int lc_permit_refuse(lua_State *L, struct lc_host *host, enum lc_permission kind,
                     const char *target) __attribute__((noreturn));

/* A name that is allowed has been looked up: its addresses are allowed too. False: no memory. */
bool lc_permits_found(struct lc_host *host, const char *name, const struct addrinfo *found);

/* Raises a PermissionError unless the host may do that: read or write a path (links followed), run a
 * program, see a variable, load a library. [-0, +0, v] */
static inline void lc_permit(lua_State *L, struct lc_host *host, enum lc_permission kind,
                             const char *target)
{
    if (host->permits != NULL)
        lc_permit_target(L, host, kind, target);
}

/* For what reaches past the state by itself, as a descriptor by its number or a signal does: raises
 * PermissionError in a sandbox. [-0, +0, v] */
void lc_permit_outside(lua_State *L, struct lc_host *host, const char *what);

/* For a descriptor by its number, which no list of paths or hosts names: with permissions only the standard
 * ones, or where all files may be read or written. [-0, +0, v] */
void lc_permit_descriptor(lua_State *L, struct lc_host *host, int fd, bool reads, const char *what);

/* Raises unless the host may connect to the address, send to it or listen there; a unix socket's path
 * needs reading and writing. [-0, +0, v] */
static inline void lc_permit_address(lua_State *L, struct lc_host *host,
                                     const struct sockaddr *address, size_t size)
{
    if (host->permits != NULL)
        lc_permit_socket(L, host, address, size);
}

/* Raises unless the name may be looked up; the service is a port or its name, or "". [-0, +0, v] */
static inline void lc_permit_name(lua_State *L, struct lc_host *host, const char *name,
                                  const char *service)
{
    if (host->permits != NULL)
        lc_permit_lookup(L, host, name, service);
}

/* With permissions, precompiled chunks are for those who may load any library, since they can reach
 * anything in the process: restricts the mode of load at `idx`. The stack grows to idx. [-0, +?, v] */
void lc_permit_mode(lua_State *L, struct lc_host *host, int idx);

#endif
