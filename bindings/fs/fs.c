/*
 * fs: opens what lucio.fs (lua/lucio/fs.lua) cannot do in Lua.
 */
#include "fs.h"

#include <fcntl.h>
#include <stdlib.h>

#include "core.h"
#include "submodule.h"

/* Sets how many threads there are; a bad value is refused. */
static void set_threads(lua_State *L, struct lc_host *host)
{
    const char *text = host->options.fs_threads;
    char *end;
    long n;

    if (text == NULL)
        return;
    n = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || n < 1 || n > 1024)
        lc_raise(L, host, LC_VALUE_ERROR, "LUCIO_FS_THREADS: a number from 1 to 1024 expected");
    lc_crew_set_max(&lc_fs_crew, (unsigned)n);
}

static void add_flags(lua_State *L)
{
    static const struct {
        const char *name;
        int value;
    } flags[] = {{"O_WRONLY", O_WRONLY}, {"O_RDWR", O_RDWR},   {"O_CREAT", O_CREAT},
                 {"O_EXCL", O_EXCL},     {"O_TRUNC", O_TRUNC}, {"O_APPEND", O_APPEND}};

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        lua_pushinteger(L, flags[i].value);
        lua_setfield(L, -2, flags[i].name);
    }
}

int lc_open_fs(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    set_threads(L, host);
    lc_fs_open_files(L, host);
    lua_newtable(L);
    add_flags(L);
    lc_fs_add_calls(L, host);
    lc_fs_add_watch(L, host);
    return 1;
}
