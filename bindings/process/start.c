/*
 * start: what a script says of a child, as what posix_spawn takes. The options were named and looked
 * through by lua/lucio/subprocess.lua.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "core.h"
#include "permit.h"
#include "process.h"

static const char *const stdio_names[] = {"stdin", "stdout", "stderr"};

/* The child's ends of pipes, closed in every case. */
struct ends {
    int fds[3];
};

/* A string without zero bytes. [-0, +0, v] */
static char *check_text(lua_State *L, int idx, const char *what)
{
    size_t length;
    const char *text;

    if (lua_type(L, idx) != LUA_TSTRING)
        lc_raise(L, lc_host_of(L), LC_TYPE_ERROR, "%s: string expected, got %s", what,
                 lc_type_name(L, idx));
    text = lua_tolstring(L, idx, &length);
    if (strlen(text) != length)
        lc_raise(L, lc_host_of(L), LC_VALUE_ERROR, "embedded null byte");
    return (char *)text;
}

/* The list at `idx` as an array that ends with NULL, on top. The strings stay the list's.
 * [-0, +1, v] */
static char **push_strings(lua_State *L, int idx, const char *what)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, idx);
    char **array = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *array, 0);

    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, idx, i);
        array[i - 1] = check_text(L, -1, what);
        lua_pop(L, 1);
    }
    array[n] = NULL;
    return array;
}

/* The option at `idx`: nil, one of lucio.subprocess's constants, a descriptor or a file. */
static int check_stdio(lua_State *L, int idx, int i)
{
    struct lc_host *host = lc_host_of(L);
    luaL_Stream *file = luaL_testudata(L, idx, LUA_FILEHANDLE);
    lua_Integer fd;
    int is_integer;

    if (lua_isnil(L, idx))
        return LC_STDIO_INHERIT;
    if (file != NULL) {
        if (file->closef == NULL)
            lc_raise(L, host, LC_VALUE_ERROR, "%s: the file is closed", stdio_names[i]);
        return fileno(file->f);
    }
    fd = lua_tointegerx(L, idx, &is_integer);
    if (!is_integer || lua_type(L, idx) != LUA_TNUMBER)
        lc_raise(L, host, LC_TYPE_ERROR,
                 "%s: PIPE, DEVNULL, a file or a file descriptor expected, got %s", stdio_names[i],
                 lc_type_name(L, idx));
    if (fd == LC_STDIO_STDOUT && i != 2)
        lc_raise(L, host, LC_VALUE_ERROR, "STDOUT can only be used for stderr");
    if (fd < LC_STDIO_NULL || fd > 1 << 24 || (fd >= 0 && fcntl((int)fd, F_GETFD) == -1))
        lc_raise_errno(L, host, EBADF, NULL);
    return (int)fd;
}

/* Makes the pipes: our ends go to the process. 0, or an errno. */
static int make_pipes(struct lc_process *process, struct lc_spawn *spawn, struct ends *ends)
{
    for (int i = 0; i < 3; i++) {
        int fds[2], ours = i == 0 ? 1 : 0;

        if (spawn->stdio[i] != LC_STDIO_PIPE)
            continue;
        if (pipe2(fds, O_CLOEXEC) != 0)
            return errno;
        process->pipes[i] = fds[ours];
        spawn->stdio[i] = ends->fds[i] = fds[1 - ours];
        if (fcntl(fds[ours], F_SETFL, O_NONBLOCK) != 0)
            return errno;
    }
    return 0;
}

static int start(struct lc_process *process, struct lc_spawn *spawn, const char **culprit)
{
    struct ends ends = {{-1, -1, -1}};
    int error = make_pipes(process, spawn, &ends);

    *culprit = NULL;
    if (error == 0)
        error = lc_spawn(spawn, &process->child, culprit);
    for (int i = 0; i < 3; i++) {
        if (ends.fds[i] >= 0)
            close(ends.fds[i]);
    }
    if (error != 0)
        lc_process_close_pipes(process);
    return error;
}

/* The fields of the table at 2, as Popen's arguments; `env` is a list of NAME=VALUE. What is pushed stays
 * below until the child is there. [-0, +?, v] */
static void check_spawn(lua_State *L, struct lc_spawn *spawn)
{
    luaL_checkstack(L, 16, NULL);
    spawn->argv = push_strings(L, 1, "argument");
    lua_getfield(L, 2, "executable");
    spawn->program = lua_isnil(L, -1) ? spawn->argv[0] : check_text(L, -1, "executable");
    for (int i = 0; i < 3; i++) {
        lua_getfield(L, 2, stdio_names[i]);
        spawn->stdio[i] = check_stdio(L, lua_gettop(L), i);
    }
    if (lua_getfield(L, 2, "cwd") != LUA_TNIL)
        spawn->cwd = check_text(L, -1, "cwd");
    if (lua_getfield(L, 2, "env") != LUA_TNIL)
        spawn->envp = push_strings(L, lua_gettop(L), "env");
    lua_getfield(L, 2, "start_new_session");
    spawn->new_session = lua_toboolean(L, -1);
    lua_getfield(L, 2, "process_group");
    spawn->group = lua_isnil(L, -1) ? -1 : (pid_t)lua_tointeger(L, -1);
}

/* Whether the environment of the child decides what code runs under the name of a program. */
static bool misleads(const struct lc_spawn *spawn)
{
    bool has_path = strchr(spawn->program, '/') != NULL;

    for (char **item = spawn->envp; item != NULL && *item != NULL; item++) {
        char name[64];
        size_t length = strcspn(*item, "=");
        const char *own;

        if (strncmp(*item, "LD_", 3) != 0 && (has_path || strncmp(*item, "PATH=", 5) != 0))
            continue;
        if (length >= sizeof name)
            return true;
        memcpy(name, *item, length);
        name[length] = '\0';
        own = getenv(name);
        if (own == NULL || strcmp(own, *item + length + ((*item)[length] == '=')) != 0)
            return true;
    }
    return false;
}

/* Raises unless the host may run the program. [-0, +?, v] */
static void permit_spawn(lua_State *L, struct lc_host *host, const struct lc_spawn *spawn)
{
    const char *program = spawn->program;

    if (lc_permits_has_all(host, LC_PERMIT_RUN))
        return;
    if (misleads(spawn))
        lc_permit_refuse(L, host, LC_PERMIT_RUN, program);
    if (strcmp(program, "/bin/sh") == 0 && lc_permits_has(host, LC_PERMIT_RUN, "sh"))
        return;
    if (program[0] != '/' && strchr(program, '/') != NULL && spawn->cwd != NULL)
        program = lua_pushfstring(L, "%s/%s", spawn->cwd, program);
    lc_permit(L, host, LC_PERMIT_RUN, program);
}

/* Sets the timer of the number of seconds at `idx`, if it is one. False: no memory. */
static bool set_limit(lua_State *L, struct lc_process *process, int idx)
{
    struct lc_loop *loop = process->loop;

    return lua_isnil(L, idx) || lc_timers_add(process->host, &loop->timers, &process->limit,
                                              lc_loop_time(loop) + lua_tonumber(L, idx));
}

/* spawn(argv, options) -> Process whose child runs; its pipes are no streams yet. */
int lc_process_spawn(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_spawn spawn = {0};
    struct lc_process *process;
    const char *culprit = NULL;
    int idx, error;

    lua_settop(L, 2);
    if (host->sandboxed)
        lc_raise(L, host, LC_RUNTIME_ERROR, "a sandbox has no child processes");
    check_spawn(L, &spawn);
    if (host->permits != NULL)
        permit_spawn(L, host, &spawn);
    lc_wait_task(L, host,
                 "create_subprocess"); /* nothing may be begun that could not be waited for */
    process = lc_process_new(L, host);
    idx = lua_gettop(L);
    process->leads = spawn.new_session || spawn.group == 0;
    lua_getfield(L, 2, "timeout");
    process->anchor = lc_anchor_reserve(L, host);
    error = set_limit(L, process, lua_gettop(L)) ? start(process, &spawn, &culprit) : ENOMEM;
    if (error != 0) {
        lc_process_release(L, process);
        lc_raise_errno(L, host, error, culprit);
    }
    lc_process_begin(L, process, idx);
    lua_settop(L, idx);
    return 1;
}
