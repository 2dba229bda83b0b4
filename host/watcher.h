/*
 * watcher: callbacks for readable and writable file descriptors; see bindings/core/watcher.c.
 */
#ifndef LC_WATCHER_H
#define LC_WATCHER_H

#include <lua.h>

struct lc_loop;

void lc_watchers_remove_all(lua_State *L, struct lc_loop *loop);
/* Pushes a list of their handles. [-0, +1, m] */
void lc_watchers_push(lua_State *L, struct lc_loop *loop);

#endif
