#include "history.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>

/* What is read of the file. */
#define HISTORY_BYTES ((ssize_t)256 * 1024)

int lc_history_load(lua_State *L)
{
    const char *path = luaL_checkstring(L, 2);
    struct stat status;
    luaL_Buffer buffer;
    ssize_t n = 0;
    int fd;

    luaL_buffinitsize(L, &buffer, HISTORY_BYTES);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return 0;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        if (status.st_size > HISTORY_BYTES)
            (void)lseek(fd, -HISTORY_BYTES, SEEK_END);
        n = read(fd, luaL_buffaddr(&buffer), HISTORY_BYTES);
    }
    close(fd);
    luaL_pushresultsize(&buffer, n > 0 ? (size_t)n : 0);
    return 1;
}

int lc_history_save(lua_State *L)
{
    const char *path = luaL_checkstring(L, 2);
    size_t size;
    const char *line;
    struct stat status;
    int fd;

    luaL_checkstring(L, 3);
    lua_settop(L, 3);
    lua_pushliteral(L, "\n");
    lua_concat(L, 2);
    line = lua_tolstring(L, 3, &size);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    if (fd < 0) {
        lua_pushboolean(L, 0);
        return 1;
    }
    /* of a device or a pipe the user knows better */
    lua_pushboolean(L, fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                           fchmod(fd, 0600) == 0 && write(fd, line, size) == (ssize_t)size);
    close(fd);
    return 1;
}
