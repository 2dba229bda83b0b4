/*
 * handover: functions in Lua that a variant in C calls to access a list whose metamethods may wait: Lua's
 * own instructions can be suspended there, functions of its C API cannot; lua/lucio/stdlib/accesses.lua.
 * Owner:   the host's table of them; each variant keeps its own as an upvalue.
 * Context: called by functions with the upvalues of lc_standard_replace.
 */
#ifndef LC_HANDOVER_H
#define LC_HANDOVER_H

#include <lua.h>

#include "standard.h"

/* Pushes the function of that name. [-0, +1, m] */
void lc_handover_load(lua_State *L, const char *name);

/* The same; the variant has it in that upvalue from then on. [-0, +1, m] */
static inline void lc_handover_push(lua_State *L, enum lc_upvalue upvalue, const char *name)
{
    if (lua_type(L, lua_upvalueindex(upvalue)) == LUA_TNIL) {
        lc_handover_load(L, name);
        lua_copy(L, -1, lua_upvalueindex(upvalue));
    } else {
        lua_pushvalue(L, lua_upvalueindex(upvalue));
    }
}

/* Beside the names in the source: sort for items with __lt, what its caller closes, since the items may have
 * become others by the time that they are compared; and for any others a comparator. */
#define LC_HANDOVER_SORT_ITEMS "sort_items"
#define LC_HANDOVER_GUARD      "guard"
#define LC_HANDOVER_COMPARE    "compare"

#endif
