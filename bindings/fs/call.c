/*
 * call: a function in Lua for each operation on a path: it makes the call, hands it to a thread, and
 * awaits the future that it completes.
 * A cancelled future is completed by nobody: the call goes on, and is disposed of when it has come back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "core.h"
#include "fs.h"

#define THREADS 8
/* Seconds after which an idle one ends. */
#define IDLE_MAX 10

static void watch_forks(void);

struct lc_crew lc_fs_crew = LC_CREW_INIT(THREADS, IDLE_MAX, watch_forks);

static void begin_again(void)
{
    lc_crew_begin_again(&lc_fs_crew);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, begin_again);
}

bool lc_fs_submit(struct lc_job *job)
{
    return lc_crew_submit(&lc_fs_crew, job);
}

static void call_dispose(struct lc_job *job)
{
    struct lc_fs_call *call = lc_container_of(job, struct lc_fs_call, job);

    if (call->fd >= 0) {
        close(call->fd);
        if (call->error == 0 && call->number[1])
            unlink(call->path);
    }
    if (call->is_made && call->data != NULL)
        rmdir(call->data);
    free(call->access);
    free(call->culprit);
    free(call->data);
    free(call);
}

static void call_work(struct lc_job *job)
{
    struct lc_fs_call *call = lc_container_of(job, struct lc_fs_call, job);

    if (call->access != NULL)
        lc_fs_work_pinned(call);
    else
        call->operation->work(call);
}

/* ---- errors ---- */

void lc_fs_push_error(lua_State *L, struct lc_host *host, int number, const char *path,
                      const char *other)
{
    char buffer[128];
    int top = lua_gettop(L);

    luaL_checkstack(L, 8, NULL);
    lc_push_os_text(L, number, strerror_r(number, buffer, sizeof buffer), path, other);
    lc_error_push_os(L, host, number, path, lua_tostring(L, top + 1));
    if (other != NULL) {
        lua_pushstring(L, other);
        lua_setfield(L, -2, "filename2");
    }
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
}

static void push_call_error(lua_State *L, struct lc_host *host, struct lc_fs_call *call)
{
    if (call->error == ENOMEM)
        lua_pushliteral(L, "not enough memory");
    else if (call->culprit != NULL)
        lc_fs_push_error(L, host, call->error, call->culprit, NULL);
    else
        lc_fs_push_error(L, host, call->error, call->path, call->both ? call->other : NULL);
}

/* ---- results ---- */

void lc_fs_push_kind(lua_State *L, char kind)
{
    static const char letters[] = "fdlpscb";
    static const char *const names[] = {"file",   "directory", "link",    "fifo", "socket",
                                        "device", "block",     "unknown", NULL};
    const char *letter = kind != '\0' ? strchr(letters, kind) : NULL;

    lua_pushstring(L, names[letter != NULL ? letter - letters : 7]);
}

static void set_time(lua_State *L, const char *name, const struct timespec *time)
{
    lua_pushnumber(L, (double)time->tv_sec + (double)time->tv_nsec * 1e-9);
    lua_setfield(L, -2, name);
}

static void set_integer(lua_State *L, const char *name, lua_Integer n)
{
    lua_pushinteger(L, n);
    lua_setfield(L, -2, name);
}

static int push_status(lua_State *L, struct lc_host *host, struct lc_fs_call *call)
{
    const struct stat *status = &call->status;

    (void)host;
    lua_createtable(L, 0, 13);
    set_integer(L, "size", status->st_size);
    set_time(L, "mtime", &status->st_mtim);
    set_time(L, "atime", &status->st_atim);
    set_time(L, "ctime", &status->st_ctim);
    set_integer(L, "mode", status->st_mode);
    set_integer(L, "ino", (lua_Integer)status->st_ino);
    set_integer(L, "dev", (lua_Integer)status->st_dev);
    set_integer(L, "nlink", (lua_Integer)status->st_nlink);
    set_integer(L, "uid", status->st_uid);
    set_integer(L, "gid", status->st_gid);
    lc_fs_push_kind(L, lc_fs_kind(status->st_mode));
    lua_setfield(L, -2, "type");
    return 1;
}

static int push_data(lua_State *L, struct lc_host *host, struct lc_fs_call *call)
{
    (void)host;
    lua_pushlstring(L, call->data, call->size);
    return 1;
}

static int push_directory(lua_State *L, struct lc_host *host, struct lc_fs_call *call)
{
    push_data(L, host, call);
    call->is_made = false;
    return 1;
}

static void drop_directory(lua_State *L)
{
    rmdir(lua_tostring(L, -1));
    lua_pop(L, 1);
}

static int push_number(lua_State *L, struct lc_host *host, struct lc_fs_call *call)
{
    (void)host;
    lua_pushinteger(L, call->number[2]);
    return 1;
}

/* Two lists: names, kinds. */
static int push_list(lua_State *L, struct lc_host *host, struct lc_fs_call *call)
{
    const char *at = call->data, *end = call->data + call->size;
    lua_Integer n = 0;

    (void)host;
    lua_newtable(L);
    lua_newtable(L);
    while (at < end) {
        size_t length = strlen(at + 1);

        lua_pushlstring(L, at + 1, length);
        lua_rawseti(L, -3, ++n);
        lc_fs_push_kind(L, *at);
        lua_rawseti(L, -2, n);
        at += length + 2;
    }
    return 2;
}

/* (call) -> the results. Protected: what raises here is the outcome. */
static int push_results(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct lc_fs_call *call = lua_touserdata(L, 1);

    luaL_checkstack(L, 8, NULL);
    if (call->error != 0) {
        push_call_error(L, host, call);
        return lua_error(L);
    }
    return call->operation->push != NULL ? call->operation->push(L, host, call) : 0;
}

/* (future, call) completes the future unless it was cancelled. */
static int complete(lua_State *L)
{
    struct lc_future *future = lc_to_future(L, 1);
    struct lc_host *host = future->loop->host;

    if (lc_future_is_done(future))
        return 0;
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, push_results, 1);
    lua_pushvalue(L, 2);
    if (lua_pcall(L, 1, LUA_MULTRET, 0) == LUA_OK)
        lc_future_set_result(L, 1, lua_gettop(L) - 2);
    else
        lc_future_set_error(L, 1);
    return 0;
}

static void call_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_fs_call *call = lc_container_of(entry, struct lc_fs_call, job.errand.entry);
    lua_State *L = loop->L;

    lua_pushcfunction(L, complete);
    lc_errand_push_future(L, loop, &call->job.errand);
    lua_pushlightuserdata(L, call);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK)
        lua_pop(L, 1);
    call_dispose(&call->job);
}

static void call_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_fs_call *call = lc_container_of(entry, struct lc_fs_call, job.errand.entry);

    lc_anchor_drop(L, loop->host, &call->job.errand.future);
    call_dispose(&call->job);
}

static const struct lc_errand_type call_type = {{call_run, call_forget, NULL, NULL}, NULL};

/* ---- arguments ---- */

const char *lc_fs_check_path(lua_State *L, struct lc_host *host, int idx, const char *what, int pos)
{
    const char *path;
    size_t length;

    if (lua_type(L, idx) != LUA_TSTRING)
        lc_raise_argument(L, host, LC_TYPE_ERROR, what, pos, "path as string", idx);
    path = lua_tolstring(L, idx, &length);
    if (strlen(path) != length)
        lc_raise_value(L, host, what, pos, "embedded null byte");
    return path;
}

static lua_Integer check_number(lua_State *L, struct lc_host *host, int idx, const char *what)
{
    lua_Integer n = lc_check_integer(L, idx, what, idx);

    if (n < 0 || n > 0x7fffffff)
        lc_raise_value(L, host, what, idx, "out of range");
    return n;
}

/* Checks the arguments, which stand from 1 on; returns the size of the paths with their ends. */
static size_t check_arguments(lua_State *L, struct lc_host *host,
                              const struct lc_fs_operation *operation)
{
    size_t size = 0;
    int idx = 1;

    for (const char *c = operation->arguments; *c != '\0'; c++, idx++) {
        if (*c == 'p')
            size += strlen(lc_fs_check_path(L, host, idx, operation->name, idx)) + 1;
        else if (*c == 's' && lua_type(L, idx) != LUA_TSTRING)
            lc_raise_argument(L, host, LC_TYPE_ERROR, operation->name, idx, "string", idx);
        else if (*c == 'i')
            check_number(L, host, idx, operation->name);
    }
    return size;
}

/* The call of the arguments, which were checked. NULL: no memory. */
static struct lc_fs_call *call_new(lua_State *L, const struct lc_fs_operation *operation,
                                   size_t text_size)
{
    struct lc_fs_call *call = calloc(1, sizeof *call + text_size + 1);
    char *text;
    int idx = 1, numbers = 0;

    if (call == NULL)
        return NULL;
    call->operation = operation;
    call->fd = -1;
    call->job.work = call_work;
    call->job.dispose = call_dispose;
    call->path = call->other = text = call->text;
    for (const char *c = operation->arguments; *c != '\0'; c++, idx++) {
        size_t length;
        const char *string;

        if (*c == 'i' || *c == 'b') {
            call->number[numbers++] = *c == 'i' ? lua_tointeger(L, idx) : lua_toboolean(L, idx);
            continue;
        }
        if (*c == 'w') {
            call->fd = lc_fs_copy_watch(L, idx);
            continue;
        }
        string = lua_tolstring(L, idx, &length);
        if (*c == 'p') {
            if (idx > 1)
                call->other = text;
            memcpy(text, string, length + 1);
            text += length + 1;
            continue;
        }
        call->data = malloc(length + 1);
        if (call->data == NULL) {
            free(call);
            return NULL;
        }
        memcpy(call->data, string, length);
        call->size = length;
    }
    return call;
}

/* Whether its end is waited for: a temporary file is removed again if nobody wants it. */
static bool is_lasting(const struct lc_fs_call *call)
{
    return call->operation->lasting || (call->operation->work == lc_fs_open && call->number[1]);
}

/* The call gets what its permissions say. False: no memory. */
static bool keep_access(struct lc_fs_call *call, const struct lc_fs_access access[2])
{
    if (access[0].way == LC_FS_PLAIN && access[1].way == LC_FS_PLAIN)
        return true;
    call->access = malloc(2 * sizeof *access);
    if (call->access != NULL)
        memcpy(call->access, access, 2 * sizeof *access);
    return call->access != NULL;
}

/* ---- calling ---- */

/* (loop, call) -> future */
static int make_errand(lua_State *L)
{
    struct lc_loop *loop = lua_touserdata(L, 1);
    struct lc_fs_call *call = lua_touserdata(L, 2);

    lc_future_new(L, loop);
    lua_pushfstring(L, "fs.%s", call->operation->name); /* for who asks what the task waits for */
    lc_future_set_extra(L, 3, LC_EXTRA_NAME);
    lc_errand_begin(L, loop, &call->job.errand, &call_type, 3);
    return 1;
}

/* The wait for an operation that has made something, whose ctx it is, is over. The future stands behind the
 * arguments. */
static int made_k(lua_State *L, int status, lua_KContext ctx)
{
    const struct lc_fs_operation *operation = (const struct lc_fs_operation *)ctx;
    int idx = (int)strlen(operation->arguments) + 1, n;
    struct lc_future *future = lua_touserdata(L, idx);

    (void)status;
    if (!lc_wait_end(L, lc_host_of(L)->current)) {
        lc_future_push_outcome(L, idx, &n);
        return n;
    }
    /* cancelled in the tick in which it was done */
    if (future->state == LC_FINISHED && lua_checkstack(L, 4)) {
        lc_future_push_outcome(L, idx, &n);
        operation->drop(L);
    }
    return lua_error(L);
}

/* The function of an operation. Upvalue 2: the operation. May suspend. */
static int do_call(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    const struct lc_fs_operation *operation = lua_touserdata(L, lua_upvalueindex(2));
    struct lc_fs_access access[2];
    struct lc_loop *loop;
    struct lc_fs_call *call;
    size_t text_size;

    lua_settop(L, (int)strlen(operation->arguments));
    text_size = check_arguments(L, host, operation);
    access[0].way = access[1].way = LC_FS_PLAIN;
    if (host->permits != NULL)
        lc_fs_permit(L, host, operation, access);
    loop = lc_wait_task(L, host, operation->name)->future.loop;
    lua_pushcfunction(L, make_errand);
    lua_pushlightuserdata(L, loop);
    call = call_new(L, operation, text_size);
    if (call == NULL || !keep_access(call, access)) {
        if (call != NULL)
            call_dispose(&call->job);
        return luaL_error(L, "not enough memory");
    }
    call->job.errand.lasting = is_lasting(call);
    lua_pushlightuserdata(L, call);
    if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
        call_dispose(&call->job);
        return lua_error(L);
    }
    if (!lc_fs_submit(&call->job)) {
        lc_errand_withdraw(L, loop, &call->job.errand);
        call_dispose(&call->job);
        lc_raise(L, host, LC_RUNTIME_ERROR, "%s: cannot start a thread", operation->name);
    }
    if (operation->drop != NULL)
        return lc_wait_future(L, host->current, lua_touserdata(L, -1), lua_gettop(L),
                              (lua_KContext)operation, made_k);
    return lc_await_future(L, host, lua_touserdata(L, -1), lua_gettop(L));
}

static const struct lc_fs_operation operations[] = {
    {"stat", "pb", lc_fs_stat, push_status, false, NULL},
    {"read_file", "p", lc_fs_read, push_data, false, NULL},
    {"write_file", "psi", lc_fs_write, NULL, true, NULL},
    {"mkdir", "pibb", lc_fs_mkdir, NULL, true, NULL},
    {"tempdir", "p", lc_fs_mkdtemp, push_directory, true, drop_directory},
    {"remove", "p", lc_fs_remove, NULL, true, NULL},
    {"rmdir", "p", lc_fs_rmdir, NULL, true, NULL},
    {"rmtree", "p", lc_fs_rmtree, NULL, true, NULL},
    {"rename", "pp", lc_fs_rename, NULL, true, NULL},
    {"copy", "pp", lc_fs_copy, NULL, true, NULL},
    {"symlink", "pp", lc_fs_symlink, NULL, true, NULL},
    {"readlink", "p", lc_fs_readlink, push_data, false, NULL},
    {"chmod", "pi", lc_fs_chmod, NULL, true, NULL},
    {"realpath", "p", lc_fs_realpath, push_data, false, NULL},
    {"list", "p", lc_fs_list, push_list, false, NULL},
    {"open", "pib", lc_fs_open, lc_fs_push_file, false, lc_fs_drop_file},
    {"watch", "pw", lc_fs_watch, push_number, false, NULL},
    {NULL, NULL, NULL, NULL, false, NULL},
};

void lc_fs_add_calls(lua_State *L, struct lc_host *host)
{
    for (const struct lc_fs_operation *row = operations; row->name != NULL; row++) {
        lua_pushlightuserdata(L, host);
        lua_pushlightuserdata(L, (void *)row);
        lua_pushcclosure(L, do_call, 2);
        lua_setfield(L, -2, row->name);
    }
}
