/*
 * log: what lucio.log (lua/lucio/log.lua) cannot do in Lua, or not in a sandbox: outputs over sinks, the
 * name of the running task, the text of an error with its traceback, who called.
 * Owner: an output holds its sink from the first record on; that of stdout or stderr is the host's.
 *        One that the collector has finished opens its sink again when it is written to: finalizers
 *        may log while the state closes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "core.h"
#include "error_text.h"
#include "permit.h"
#include "sink.h"
#include "stack_text.h"
#include "submodule.h"

struct log_output {
    struct lc_object object;
    struct lc_sink *sink; /* NULL: not open */
    luaL_Stream *stream;  /* user value 1; NULL: user value 1 is the path of a file */
    bool is_standard;     /* the sink is the host's */
    bool truncate;        /* at the next opening */
    bool was_open;
};

static const struct lc_type output_type = {"lucio.log.output", sizeof(struct log_output)};

static struct log_output *check_output(lua_State *L, const char *what)
{
    return lc_check_self(L, &output_type, what);
}

/* ---- opening ---- */

/* The path is for messages. A FIFO that nobody reads is an error, and not waited for. [-0, +0, v] */
static int open_path(lua_State *L, struct lc_host *host, const char *path, bool truncate)
{
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd;

    lc_permit(L, host, LC_PERMIT_WRITE, path);
    fd = open(path, flags | (truncate ? O_TRUNC : 0), 0666);
    if (fd < 0)
        lc_raise_errno(L, host, errno, path);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return fd;
}

static FILE *check_open(lua_State *L, struct lc_host *host, const struct log_output *output)
{
    if (output->stream->closef == NULL)
        lc_raise(L, host, LC_VALUE_ERROR, "the stream of a log handler is closed");
    return output->stream->f;
}

/* The descriptor of a stream, also where the command's prompt has put one of its own in the place of
 * stdout or stderr; -1: it has none. */
static int stream_fd(FILE *file)
{
    int fd = fileno(file);

    if (fd < 0 && file == stderr)
        return STDERR_FILENO;
    if (fd < 0 && file == stdout)
        return STDOUT_FILENO;
    return fd;
}

/* Opens the sink of a stream: a descriptor of its own, but for stdout and stderr. [-0, +0, v] */
static struct lc_sink *open_stream_sink(lua_State *L, struct lc_host *host,
                                        struct log_output *output)
{
    int fd = stream_fd(check_open(L, host, output));
    struct lc_sink *sink;

    output->is_standard = fd == STDOUT_FILENO || fd == STDERR_FILENO;
    if (output->is_standard)
        return lc_sink_standard(host, fd);
    fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        lc_raise_errno(L, host, errno, NULL);
    sink = lc_sink_new(host, fd, "<file>", LC_SINK_OWNS_FD | LC_SINK_DIRECT);
    if (sink == NULL)
        close(fd);
    return sink;
}

/* The output is at 1. [-0, +0, v] */
static struct lc_sink *open_sink(lua_State *L, struct lc_host *host, struct log_output *output)
{
    /* what it wrote before it was closed comes first */
    if (output->was_open)
        lc_sinks_flush(host);
    output->was_open = true;
    if (output->stream != NULL) {
        output->sink = open_stream_sink(L, host, output);
    } else {
        const char *path;
        int fd;

        lua_getiuservalue(L, 1, 1);
        path = lua_tostring(L, -1);
        fd = open_path(L, host, path, output->truncate);
        output->truncate = false;
        output->sink = lc_sink_new(host, fd, path, LC_SINK_OWNS_FD);
        if (output->sink == NULL)
            close(fd);
        lua_pop(L, 1);
    }
    if (output->sink == NULL)
        luaL_error(L, "not enough memory");
    return output->sink;
}

static struct log_output *new_output(lua_State *L, struct lc_host *host)
{
    return lc_new_object(L, host, &output_type, LC_REF_LOG_OUTPUT, sizeof(struct log_output), 1);
}

/* open_file(path, truncate) -> output. The file is opened by the first record or by open. */
static int log_open_file(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct log_output *output;
    char directory[PATH_MAX];
    size_t length;
    const char *path;

    if (lua_type(L, 1) != LUA_TSTRING)
        lc_raise_argument(L, host, LC_TYPE_ERROR, "FileHandler", 1, "string", 1);
    path = lua_tolstring(L, 1, &length);
    if (length == 0 || strlen(path) != length)
        lc_raise_value(L, host, "FileHandler", 1, "not a path");
    output = new_output(L, host);
    output->truncate = lua_toboolean(L, 2);
    /* the process may go to another directory before the file is opened again */
    if (path[0] != '/' && getcwd(directory, sizeof directory) != NULL)
        lua_pushfstring(L, "%s/%s", directory, path);
    else
        lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

/* open_stream(file) -> output */
static int log_open_stream(lua_State *L)
{
    struct log_output *output = new_output(L, lc_host_of(L));

    output->stream = luaL_checkudata(L, 1, LUA_FILEHANDLE);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

/* ---- methods ---- */

/* What an object with a finalizer older than the host logs after the host has closed. */
static void write_late(lua_State *L, struct log_output *output, const char *text, size_t size)
{
    int fd = output->is_standard ? stream_fd(output->stream->f) : -1;

    (void)L;
    while (fd >= 0 && size > 0) {
        ssize_t n = write(fd, text, size);

        if (n < 0)
            return;
        text += n;
        size -= (size_t)n;
    }
}

/* Writes to a stream that has no descriptor, but functions of some library. */
static bool write_stream(FILE *file, const char *text, size_t size)
{
    return fwrite(text, 1, size, file) == size && fflush(file) == 0;
}

/* output:write(text) -> false where the record was dropped */
static int output_write(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct log_output *output = check_output(L, "write");
    struct lc_sink *sink = output->sink;
    size_t size, pending;
    const char *text = luaL_checklstring(L, 2, &size);

    if (host->closed) {
        write_late(L, output, text, size);
        return 0;
    }
    if (output->stream != NULL && stream_fd(check_open(L, host, output)) < 0) {
        lua_pushboolean(L, write_stream(output->stream->f, text, size));
        return 1;
    }
    if (sink == NULL)
        sink = open_sink(L, host, output);
    /* what print has left in the buffer comes first, if that needs no wait */
    pending = output->stream != NULL ? __fpending(output->stream->f) : 0;
    if (pending > 0 && lc_sink_is_ready(sink, pending))
        fflush(output->stream->f);
    if (host->display != NULL && lc_sink_is_terminal(sink))
        host->display->make_room(host->display, text, size);
    lua_pushboolean(L, lc_sink_write(sink, text, size));
    return 1;
}

/* output:open(): opens the file now, and not with the first record */
static int output_open(lua_State *L)
{
    struct log_output *output = check_output(L, "open");

    if (output->sink == NULL)
        open_sink(L, lc_host_of(L), output);
    return 0;
}

/* output:reopen(): goes on in a file of that name, a new one after the old was moved away */
static int output_reopen(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct log_output *output = check_output(L, "reopen");
    const char *path;
    int error;

    if (output->sink == NULL) {
        open_sink(L, host, output);
        return 0;
    }
    lua_getiuservalue(L, 1, 1);
    path = lua_tostring(L, -1);
    error = lc_sink_redirect(output->sink, open_path(L, host, path, false));
    if (error != 0)
        lc_raise_errno(L, host, error, path);
    return 0;
}

/* output:flush() -> whether all is written. Holds up the loop meanwhile. */
static int output_flush(lua_State *L)
{
    struct log_output *output = check_output(L, "flush");

    lua_pushboolean(L, output->sink == NULL || lc_sink_flush(output->sink));
    return 1;
}

/* output:close(): also when it is collected; what is queued still gets written */
static int output_close(lua_State *L)
{
    struct log_output *output = check_output(L, "close");
    struct lc_sink *sink = output->sink;

    output->sink = NULL;
    if (sink != NULL && !output->is_standard && !lc_host_of(L)->closed)
        lc_sink_release(sink);
    return 0;
}

/* output:name() -> the path of the file, "<stderr>"... */
static int output_name(lua_State *L)
{
    struct log_output *output = check_output(L, "name");
    int fd;

    lua_getiuservalue(L, 1, 1);
    if (output->stream == NULL)
        return 1;
    fd = output->stream->closef != NULL ? stream_fd(output->stream->f) : -1;
    lua_pushstring(L, fd == STDERR_FILENO   ? "<stderr>"
                      : fd == STDOUT_FILENO ? "<stdout>"
                                            : "<file>");
    return 1;
}

/* ---- about the moment ---- */

/* now() -> seconds since the epoch */
static int log_now(lua_State *L)
{
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    lua_pushnumber(L, (lua_Number)time.tv_sec + (lua_Number)time.tv_nsec * 1e-9);
    return 1;
}

/* process() -> its id */
static int log_process(lua_State *L)
{
    lua_pushinteger(L, getpid());
    return 1;
}

/* task_name() -> the running task's name, nil outside of tasks */
static int log_task_name(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    if (host->current == NULL)
        return 0;
    lc_task_push(L, host->current);
    lua_getfield(L, -1, "get_name");
    lua_insert(L, -2);
    lua_call(L, 1, 1);
    return 1;
}

/* error_text(e) -> as the command shows an uncaught error */
static int log_error_text(lua_State *L)
{
    lua_settop(L, 1);
    lc_error_text_push(L, lc_host_of(L), 1, false);
    return 1;
}

/* caller(level) -> path, line and name of the function at that level, counted as by debug.getinfo; nothing
 * without a line */
static int log_caller(lua_State *L)
{
    lua_Debug ar;

    if (!lua_getstack(L, (int)luaL_checkinteger(L, 1), &ar) || !lua_getinfo(L, "Sln", &ar) ||
        ar.currentline <= 0)
        return 0;
    lua_pushstring(L, ar.source[0] == '@' ? ar.source + 1 : ar.short_src);
    lua_pushinteger(L, ar.currentline);
    if (ar.name != NULL)
        lua_pushstring(L, ar.name);
    else if (ar.what[0] == 'm')
        lua_pushliteral(L, "<main>");
    else
        lua_pushfstring(L, "<%s:%d>", ar.short_src, ar.linedefined);
    return 3;
}

/* traceback(nil, level): debug.traceback, where that is not there */
static int log_traceback(lua_State *L)
{
    luaL_traceback(L, L, NULL, (int)luaL_checkinteger(L, 2));
    lc_stack_text_strip(L);
    return 1;
}

/* host_log(text): to the embedding program */
static int log_host_log(lua_State *L)
{
    lc_host_log(lc_host_of(L), luaL_checkstring(L, 1));
    return 0;
}

/* Adds os.date, which a sandbox has not got, to the table on top. */
static void add_date(lua_State *L)
{
    lua_pushcfunction(L, luaopen_os);
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "date");
    lua_setfield(L, -3, "date");
    lua_pop(L, 1);
}

int lc_open_log(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"write", output_write},
        {"open", output_open},
        {"reopen", output_reopen},
        {"flush", output_flush},
        {"close", output_close},
        {"name", output_name},
        {NULL, NULL},
    };
    static const luaL_Reg metamethods[] = {{"__gc", output_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"open_file", log_open_file},
        {"open_stream", log_open_stream},
        {"now", log_now},
        {"process", log_process},
        {"task_name", log_task_name},
        {"error_text", log_error_text},
        {"caller", log_caller},
        {"traceback", log_traceback},
        {"host_log", log_host_log},
        {NULL, NULL},
    };
    struct lc_host *host = lc_host_of(L);

    if (host->refs[LC_REF_LOG_OUTPUT] == 0)
        lc_new_type(L, host, LC_REF_LOG_OUTPUT, "lucio.log.output", methods, metamethods);
    lua_newtable(L);
    lc_set_functions(L, host, functions);
    add_date(L);
    return 1;
}
