#include "command.h"

#include <lauxlib.h>

#include "core.h"

int lc_command_run(lua_State *L)
{
    return lc_run_main(L, lc_host_of(L), true);
}
