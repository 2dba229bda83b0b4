/*
 * os_error: OSError and the classes below it, from an errno.
 */
#include <errno.h>
#include <string.h>

#include <lauxlib.h>

#include "error.h"

/* The class that belongs to a number, as in Python (PEP 3151). */
static const struct {
    int number;
    enum lc_class class;
} classes[] = {
    {ECONNRESET, LC_CONNECTION_RESET_ERROR},
    {ECONNREFUSED, LC_CONNECTION_REFUSED_ERROR},
    {ECONNABORTED, LC_CONNECTION_ABORTED_ERROR},
    {EPIPE, LC_BROKEN_PIPE_ERROR},
    {ESHUTDOWN, LC_BROKEN_PIPE_ERROR},
    {ENOENT, LC_FILE_NOT_FOUND_ERROR},
    {EEXIST, LC_FILE_EXISTS_ERROR},
    {EACCES, LC_PERMISSION_ERROR},
    {EPERM, LC_PERMISSION_ERROR},
    {EISDIR, LC_IS_A_DIRECTORY_ERROR},
    {ENOTDIR, LC_NOT_A_DIRECTORY_ERROR},
    {ESRCH, LC_PROCESS_LOOKUP_ERROR},
    {ETIMEDOUT, LC_TIMEOUT_ERROR},
};

static enum lc_class class_of(int number)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (classes[i].number == number)
            return classes[i].class;
    }
    return LC_OS_ERROR;
}

void lc_error_push_os(lua_State *L, struct lc_host *host, int number, const char *filename,
                      const char *text)
{
    const char *code = strerrorname_np(number);

    luaL_checkstack(L, 4, NULL);
    lc_error_push(L, host, class_of(number), "%s", text);
    lua_pushinteger(L, number);
    lua_setfield(L, -2, "errno");
    lua_pushstring(L, code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, filename);
    lua_setfield(L, -2, "filename");
}

int lc_raise_errno(lua_State *L, struct lc_host *host, int number, const char *filename)
{
    char buffer[128];
    const char *text = strerror_r(number, buffer, sizeof buffer);

    if (filename != NULL)
        text = lua_pushfstring(L, "%s: %s", filename, text);
    lc_error_push_os(L, host, number, filename, text);
    lua_error(L);
    __builtin_unreachable();
}
