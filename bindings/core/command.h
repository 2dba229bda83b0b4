/*
 * command: what the lucio command needs of the Lua API.
 */
#ifndef LC_COMMAND_H
#define LC_COMMAND_H

#include <lua.h>

struct lc_host;

/* (main, ...) runs main as the script's task; upvalue 1 is the host. */
int lc_command_run(lua_State *L);

#endif
