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

enum lc_class lc_os_error_class(lua_Integer number)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (classes[i].number == number)
            return classes[i].class;
    }
    return LC_OS_ERROR;
}

/* Pushes 'name' or "name", as Python quotes it. [-0, +1, m] */
static void push_quoted(lua_State *L, const char *name)
{
    lua_pushfstring(L, strchr(name, '\'') != NULL ? "\"%s\"" : "'%s'", name);
}

void lc_push_os_text(lua_State *L, lua_Integer number, const char *text, const char *filename,
                     const char *filename2)
{
    luaL_checkstack(L, 4, NULL);
    lua_pushfstring(L, "[Errno %I] %s", (LUAI_UACINT)number, text);
    if (filename != NULL) {
        lua_pushliteral(L, ": ");
        push_quoted(L, filename);
        lua_concat(L, 3);
    }
    if (filename2 != NULL) {
        lua_pushliteral(L, " -> ");
        push_quoted(L, filename2);
        lua_concat(L, 3);
    }
}

void lc_error_push_os(lua_State *L, struct lc_host *host, int number, const char *filename,
                      const char *text)
{
    const char *code = strerrorname_np(number);
    char buffer[128];

    luaL_checkstack(L, 4, NULL);
    lc_error_push(L, host, lc_os_error_class(number), "%s", text);
    lua_pushinteger(L, number);
    lua_setfield(L, -2, "errno");
    lua_pushstring(L, code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, strerror_r(number, buffer, sizeof buffer));
    lua_setfield(L, -2, "strerror");
    lua_pushstring(L, filename);
    lua_setfield(L, -2, "filename");
}

void lc_error_push_errno(lua_State *L, struct lc_host *host, int number, const char *filename)
{
    char buffer[128];

    lc_push_os_text(L, number, strerror_r(number, buffer, sizeof buffer), filename, NULL);
    lc_error_push_os(L, host, number, filename, lua_tostring(L, -1));
    lua_remove(L, -2);
}

int lc_raise_errno(lua_State *L, struct lc_host *host, int number, const char *filename)
{
    lc_error_push_errno(L, host, number, filename);
    lua_error(L);
    __builtin_unreachable();
}
