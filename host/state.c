#include "state.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "slabs.h"

/* A sanitizer sees the use of a freed block only if every block is malloc's. */
#ifdef __SANITIZE_ADDRESS__
#define SLABS_ALLOWED false
#else
#define SLABS_ALLOWED true
#endif

/* What the state's warnings go through, as those of luaL_newstate. */
struct warnings {
    bool on;
    bool open; /* the last piece is to be continued */
};

static void on_warning(void *data, const char *message, int tocont)
{
    struct warnings *warnings = data;

    if (!warnings->open && !tocont && message[0] == '@') {
        if (strcmp(message, "@on") == 0)
            warnings->on = true;
        else if (strcmp(message, "@off") == 0)
            warnings->on = false;
        return;
    }
    if (warnings->on) {
        if (!warnings->open)
            lua_writestringerror("%s", "Lua warning: ");
        lua_writestringerror("%s", message);
        if (!tocont)
            lua_writestringerror("%s", "\n");
    }
    warnings->open = tocont != 0;
}

/* An error outside of every protected call: only the end of memory gets here. */
static int on_panic(lua_State *L)
{
    const char *message = lua_tostring(L, -1);

    lua_writestringerror("PANIC: unprotected error in call to Lua API (%s)\n",
                         message != NULL ? message : "error object is not a string");
    return 0;
}

lua_State *lc_state_new(bool no_env)
{
    const char *allocator = no_env ? NULL : getenv("LUCIO_ALLOCATOR");
    struct lc_slabs *slabs;
    struct warnings *warnings;
    lua_State *L;

    if (!SLABS_ALLOWED || (allocator != NULL && strcmp(allocator, "malloc") == 0))
        return luaL_newstate();
    slabs = lc_slabs_new();
    if (slabs == NULL)
        return NULL;
    L = lua_newstate(lc_slabs_realloc, slabs);
    warnings = L != NULL ? lc_slabs_realloc(slabs, NULL, 0, sizeof *warnings) : NULL;
    if (warnings == NULL) {
        if (L != NULL)
            lua_close(L);
        lc_slabs_free(slabs);
        return NULL;
    }
    *warnings = (struct warnings){false, false};
    lua_setwarnf(L, on_warning, warnings);
    lua_atpanic(L, on_panic);
    return L;
}

void lc_state_close(lua_State *L)
{
    void *data;
    bool has_slabs = lua_getallocf(L, &data) == lc_slabs_realloc;

    lua_close(L);
    if (has_slabs)
        lc_slabs_free(data);
}
