/*
 * way: a path that is permitted where it leads, and then used there and nowhere else: a link that comes into it
 * meanwhile makes the use fail with ELOOP.
 * Where the whole kind is allowed the path is used as it is.
 */
#ifndef LC_WAY_H
#define LC_WAY_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include <lua.h>

#include "permit.h"

struct lc_way {
    const char *path;
    bool walked;         /* a list decided: what it said is good for `real` */
    char real[PATH_MAX]; /* where the path led */
};

void lc_way_init(struct lc_way *way, const char *path);

/* Whether that may be done with what the path leads to, or, without `follow`, with the entry itself. To be asked
 * with the same `follow` for all kinds that are needed. */
bool lc_way_has(struct lc_way *way, const struct lc_host *host, enum lc_permission kind,
                bool follow);

/* The same; raises PermissionError. [-0, +0, v] */
void lc_way_permit(lua_State *L, struct lc_way *way, enum lc_permission kind, bool follow);

/* As fopen(3), of a mode that lc_way_is_mode. */
FILE *lc_way_open(const struct lc_way *way, const char *mode);
bool lc_way_is_mode(const char *mode);

/* As remove(3) and rename(2), of entries. */
int lc_way_remove(const struct lc_way *way);
int lc_way_rename(const struct lc_way *from, const struct lc_way *to);

/* As luaL_loadfilex. [-0, +1, m] */
int lc_way_load(lua_State *L, const struct lc_way *way, const char *mode);

#endif
