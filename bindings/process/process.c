/*
 * process: what Lua sees of a child process, and its pipes as streams.
 */
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "pair.h"
#include "submodule.h"
#include "subprocess.h"

const struct lc_type lc_process_type = {"Process", sizeof(struct lc_process)};

static const struct lc_wait_type exit_wait = {"a process", NULL};
static const struct lc_wait_type pipe_wait = {"a pipe of a process", NULL};

/* ---- pipes ---- */

static struct lc_process *check_process(lua_State *L, const char *what)
{
    return lc_check_self(L, &lc_process_type, what);
}

static int connect_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;
    struct lc_process *process = lua_touserdata(L, 1);

    (void)status;
    lc_list_unlink(&task->waiter.link);
    if (lc_wait_end(L, task)) {
        lc_stream_abort(process->streams[ctx], 0);
        return lua_error(L);
    }
    return 0;
}

/* connect(process, i, limit): our end of the child's descriptor i becomes a stream, unless it is closed
 * by now. Waits. */
static int process_connect(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_process *process = check_process(L, "connect");
    int i = (int)luaL_checkinteger(L, 2);
    size_t limit = (size_t)luaL_checkinteger(L, 3);
    struct lc_task *task = lc_wait_task(L, host, "create_subprocess");
    struct lc_stream *stream;

    if (process->pipes[i] < 0)
        return 0;
    if (i == 0)
        lc_pair_new(L, host, limit);
    else
        lc_reader_new(L, host, limit);
    stream = lc_stream_new(process->loop, process->pipes[i],
                           i == 0 ? LC_STREAM_WRITE_PIPE : LC_STREAM_READ_PIPE, &lc_pair_user, 0);
    if (stream == NULL)
        return luaL_error(L, "not enough memory");
    process->pipes[i] = -1;
    process->streams[i] = lc_stream_retain(stream);
    if (i == 0) {
        lc_pair_attach(L, stream);
    } else {
        stream->reader = lua_touserdata(L, -1);
        stream->reader->stream = stream;
    }
    lua_setiuservalue(L, 1, i + 1);
    lc_list_append(&stream->drainers, &task->waiter.link);
    lc_wait_begin(L, task, &pipe_wait, 1);
    return lc_wait_yield(L, task, i, connect_k);
}

/* Kills what still runs, and closes all pipes. */
static void close_all(struct lc_process *process)
{
    lc_process_close_pipes(process);
    for (int i = 0; i < 3; i++) {
        if (process->streams[i] != NULL)
            lc_stream_abort(process->streams[i], 0);
    }
    if (process->state == LC_PROCESS_RUNNING || !process->reaped)
        lc_process_kill(process);
}

/* close(process) */
static int process_close(lua_State *L)
{
    struct lc_process *process = check_process(L, "close");

    close_all(process);
    lc_process_settle(L, process);
    return 0;
}

/* settle(process): all output was read. */
static int process_settle(lua_State *L)
{
    lc_process_settle(L, check_process(L, "settle"));
    return 0;
}

/* ---- methods ---- */

static int wait_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = lc_host_of(L)->current;
    struct lc_process *process = lua_touserdata(L, 1);

    (void)status;
    lc_list_unlink(&task->waiter.link);
    if (lc_wait_end(L, task))
        return lua_error(L);
    if (ctx != 0)
        return 0;
    lua_pushinteger(L, process->code);
    return 1;
}

static int wait_for_exit(lua_State *L, struct lc_process *process, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_task *task = lc_wait_task(L, host, "Process:wait");

    if (task->future.loop != process->loop)
        lc_raise(L, host, LC_RUNTIME_ERROR, "the process belongs to a different loop");
    lc_list_append(&process->waiters, &task->waiter.link);
    lc_wait_begin(L, task, &exit_wait, 1);
    return lc_wait_yield(L, task, ctx, wait_k);
}

/* process:wait() -> returncode. May suspend. (SP4, SP6) */
static int process_wait(lua_State *L)
{
    struct lc_process *process = check_process(L, "wait");

    lua_settop(L, 1);
    if (process->state < LC_PROCESS_KNOWN)
        return wait_for_exit(L, process, 0);
    lua_pushinteger(L, process->code);
    return 1;
}

/* __close: kills the child if it runs, and waits for its end. */
static int process_leave(lua_State *L)
{
    struct lc_process *process = check_process(L, "close");
    struct lc_host *host = lc_host_of(L);

    close_all(process);
    lc_process_settle(L, process);
    if (process->state >= LC_PROCESS_KNOWN || host->current == NULL || !host->can_await)
        return 0;
    lua_settop(L, 1);
    return wait_for_exit(L, process, 1);
}

/* Once the end is known there is nobody to send to (SP7). */
static void check_alive(lua_State *L, struct lc_process *process)
{
    if (process->state >= LC_PROCESS_KNOWN)
        lc_raise_errno(L, process->host, ESRCH, NULL);
}

static int raise_unless(lua_State *L, struct lc_process *process, int error)
{
    if (error != 0)
        lc_raise_errno(L, process->host, error, NULL);
    return 0;
}

/* process:send_signal(signal) (SP7) */
static int process_send_signal(lua_State *L)
{
    struct lc_process *process = check_process(L, "send_signal");
    int number = lc_check_signal(L, process->host, "send_signal");

    check_alive(L, process);
    return raise_unless(L, process, lc_process_signal(process, number));
}

static int process_terminate(lua_State *L)
{
    struct lc_process *process = check_process(L, "terminate");

    check_alive(L, process);
    return raise_unless(L, process, lc_process_signal(process, SIGTERM));
}

static int process_kill(lua_State *L)
{
    struct lc_process *process = check_process(L, "kill");

    check_alive(L, process);
    return raise_unless(L, process, lc_process_signal(process, SIGKILL));
}

/* process:killpg(signal?): to every process of the group that it leads; KILL by default. */
static int process_killpg(lua_State *L)
{
    struct lc_process *process = check_process(L, "killpg");
    int number = SIGKILL;

    if (!lua_isnoneornil(L, 2))
        number = lc_check_signal(L, process->host, "killpg");
    if (!process->leads)
        lc_raise(L, process->host, LC_RUNTIME_ERROR, "the process leads no group of its own");
    if (process->reaped)
        check_alive(L, process);
    return raise_unless(L, process, lc_process_signal_group(process, number));
}

static int push_field(lua_State *L, struct lc_process *process, const char *key)
{
    static const char *const streams[] = {"stdin", "stdout", "stderr"};

    if (strcmp(key, "pid") == 0) {
        lua_pushinteger(L, process->child.pid);
        return 1;
    }
    if (strcmp(key, "returncode") == 0 && process->state >= LC_PROCESS_KNOWN) {
        lua_pushinteger(L, process->code);
        return 1;
    }
    if (strcmp(key, "timed_out") == 0) {
        lua_pushboolean(L, process->timed_out);
        return 1;
    }
    for (int i = 0; i < 3; i++) {
        if (strcmp(key, streams[i]) == 0)
            return lua_getiuservalue(L, 1, i + 1) != LUA_TNONE;
    }
    return 0;
}

/* Upvalue 2: the methods. */
static int process_index(lua_State *L)
{
    struct lc_process *process = lc_to_object(L, 1, &lc_process_type);

    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
        return 1;
    if (process == NULL || lua_type(L, 2) != LUA_TSTRING)
        return 0;
    return push_field(L, process, lua_tostring(L, 2));
}

static int process_tostring(lua_State *L)
{
    struct lc_process *process = check_process(L, "tostring");

    lua_pushfstring(L, "<Process %d>", (int)process->child.pid);
    return 1;
}

static int process_gc(lua_State *L)
{
    struct lc_process *process = lc_to_finalize(L, &lc_process_type);

    if (process == NULL || process->host->closed)
        return 0;
    lc_process_close_pipes(process);
    for (int i = 0; i < 3; i++) {
        if (process->streams[i] != NULL)
            lc_stream_release(process->streams[i]);
        process->streams[i] = NULL;
    }
    return 0;
}

/* What lucio.subprocess has in C: a table of functions, and the methods for it to add to. [-0, +1, m] */
int lc_open_subprocess(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"wait", process_wait},           {"send_signal", process_send_signal},
        {"terminate", process_terminate}, {"kill", process_kill},
        {"killpg", process_killpg},       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__close", process_leave},
                                           {"__tostring", process_tostring},
                                           {"__gc", process_gc},
                                           {NULL, NULL}};
    static const luaL_Reg functions[] = {{"spawn", lc_process_spawn},
                                         {"connect", process_connect},
                                         {"close", process_close},
                                         {"settle", process_settle},
                                         {NULL, NULL}};
    struct lc_host *host = lc_host_of(L);

    luaL_checkstack(L, 8, NULL);
    lc_new_type(L, host, LC_REF_PROCESS, "lucio.Process", methods, metamethods);
    lc_host_push_ref(L, host, LC_REF_PROCESS);
    lua_newtable(L);
    lc_set_functions(L, host, functions);
    lua_getfield(L, -2, "__index");
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "methods");
    lua_pushlightuserdata(L, host);
    lua_insert(L, -2);
    lua_pushcclosure(L, process_index, 2);
    lua_setfield(L, -3, "__index");
    return 1;
}

void lc_open_process(lua_State *L, struct lc_host *host)
{
    static const char *const names[] = {"create_subprocess_exec", "create_subprocess_shell", NULL};

    lc_add_stand_ins(L, host, "subprocess", names);
}
