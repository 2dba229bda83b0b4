/*
 * history: the file of the prompt's history: lines of text that only the user may read. What is no
 * plain file is left alone.
 */
#ifndef LC_HISTORY_H
#define LC_HISTORY_H

#include <lua.h>

/* terminal:load_history(path) -> the end of the file's text, or nil when there is no such file */
int lc_history_load(lua_State *L);

/* terminal:save_history(path, line) -> whether it was appended */
int lc_history_save(lua_State *L);

#endif
