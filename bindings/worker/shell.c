#include "shell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "child.h"

/* What io.popen gives: Lua's file, which knows its child. */
struct popened {
    luaL_Stream stream; /* first */
    pid_t pid;
};

/* Starts `command` with those descriptors. 0 or an errno. */
static int start_shell(const char *command, int input, int output, pid_t *pid)
{
    char name[] = "sh", option[] = "-c";
    char *argv[] = {name, option, (char *)command, NULL};
    struct lc_spawn spawn = {.program = "/bin/sh",
                             .argv = argv,
                             .stdio = {input, output, LC_STDIO_INHERIT},
                             .group = -1};
    const char *culprit;

    return lc_spawn_process(&spawn, pid, &culprit);
}

/* Waits for the child. Its status, or -1 with errno. */
static int collect(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return status;
}

/* os.execute([command]) */
static int execute(lua_State *L)
{
    const char *command = luaL_optstring(L, 1, NULL);
    pid_t pid;
    int error;

    if (command == NULL) {
        lua_pushboolean(L, access("/bin/sh", X_OK) == 0);
        return 1;
    }
    error = start_shell(command, LC_STDIO_INHERIT, LC_STDIO_INHERIT, &pid);
    errno = error;
    return luaL_execresult(L, error != 0 ? -1 : collect(pid));
}

static int close_popened(lua_State *L)
{
    struct popened *file = luaL_checkudata(L, 1, LUA_FILEHANDLE);

    fclose(file->stream.f);
    errno = 0;
    return luaL_execresult(L, collect(file->pid));
}

/* The file of one end of a new pipe; the child gets the other. 0 or an errno. */
static int open_pipe(struct popened *file, const char *command, bool reads)
{
    int fds[2], error;
    int ours = reads ? 0 : 1;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return errno;
    file->stream.f = fdopen(fds[ours], reads ? "r" : "w");
    error = file->stream.f == NULL ? errno : 0;
    if (error == 0)
        error = start_shell(command, reads ? LC_STDIO_INHERIT : fds[0],
                            reads ? fds[1] : LC_STDIO_INHERIT, &file->pid);
    close(fds[!ours]);
    if (error != 0 && file->stream.f != NULL)
        fclose(file->stream.f);
    else if (error != 0)
        close(fds[ours]);
    return error;
}

/* io.popen(command, [mode]) */
static int popen_file(lua_State *L)
{
    const char *command = luaL_checkstring(L, 1);
    const char *mode = luaL_optstring(L, 2, "r");
    struct popened *file;
    int error;

    luaL_argcheck(L, (mode[0] == 'r' || mode[0] == 'w') && mode[1] == '\0', 2, "invalid mode");
    file = lua_newuserdatauv(L, sizeof *file, 0);
    file->stream.closef = NULL; /* Lua's word for a file that is closed */
    luaL_setmetatable(L, LUA_FILEHANDLE);
    error = open_pipe(file, command, mode[0] == 'r');
    if (error != 0) {
        errno = error;
        return luaL_fileresult(L, 0, command);
    }
    file->stream.closef = close_popened;
    return 1;
}

static void replace(lua_State *L, const char *library, const char *name, lua_CFunction function)
{
    if (lua_getglobal(L, library) == LUA_TTABLE) {
        lua_pushcfunction(L, function);
        lua_setfield(L, -2, name);
    }
    lua_pop(L, 1);
}

void lc_open_shell(lua_State *L)
{
    replace(L, LUA_OSLIBNAME, "execute", execute);
    replace(L, LUA_IOLIBNAME, "popen", popen_file);
}
