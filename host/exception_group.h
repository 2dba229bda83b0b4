/*
 * exception_group: the error objects that hold other errors (SEMANTICS EG1-EG4).
 * A group is an error object with a record under a private key. The record keeps the text and the
 * members, which never change; a script reads them as `message` and `exceptions`.
 */
#ifndef LC_EXCEPTION_GROUP_H
#define LC_EXCEPTION_GROUP_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;

/* Groups nested deeper are refused where they are walked: that uses the C stack. */
#define LC_EXCEPTION_GROUP_DEPTH 100

/* Gives the two classes of groups what makes their objects groups. [-0, +0, m] */
void lc_exception_groups_open(lua_State *L, struct lc_host *host);

/* The same for a new class below them, which is on top. [-0, +0, m] */
void lc_exception_group_class_init(lua_State *L, struct lc_host *host);
/* Whether the class at `idx` had that. [-0, +0, -] */
bool lc_is_exception_group_class(lua_State *L, int idx);

/* Makes the error object at `group`, whose class is one of groups, a group of the message and the list of
 * members on top. The caller vouches for them. [-2, +0, m] */
void lc_exception_group_fill(lua_State *L, struct lc_host *host, int group);

/* The call of such a class: (class, message, list) -> group. [-0, +1, e] */
int lc_exception_group_construct(lua_State *L, struct lc_host *host);
/* Replaces the list of error objects on top by a group without a class of its own. [-1, +1, e] */
void lc_exception_group_from(lua_State *L, struct lc_host *host, const char *text);

/* [-0, +0, -] */
bool lc_is_exception_group(lua_State *L, int idx);
/* The text of the group at `idx`; false and nothing pushed if there is no group. [-0, +(0|1), -] */
bool lc_exception_group_push_message(lua_State *L, int idx);
/* The members as a plain table that nobody may change; as above. [-0, +(0|1), -] */
bool lc_exception_group_push_members(lua_State *L, int idx);

/* Pushes the part of the error at `idx` that the class, list of classes or function at `what`
 * selects, and the rest; either may be nil. Both indices are absolute. A group that is selected
 * whole, or not at all, is pushed itself; other parts are made by its derive. [-0, +2, e] */
void lc_exception_group_split(lua_State *L, struct lc_host *host, int idx, int what);

#endif
