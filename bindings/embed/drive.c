/*
 * drive: loading code, making tasks of it, running the host's loop.
 */
#include <errno.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "embed.h"
#include "future.h"
#include "guest.h"
#include "primitive.h"
#include "run.h"

/* What the protected parts below need. */
struct drive_args {
    struct lucio *h;
    const char *code, *name, *method;
    const struct lc_embed_method *methods;
    size_t length, n;
    const struct lucio_value *values;
    struct lc_slot *object;
    lucio_ref **made;
    struct lc_slot *future;
    lucio_future **task;
    enum lc_run how;
    enum lc_span span;
};

/* ---- code ---- */

static int load_string(lua_State *L)
{
    struct drive_args *args = lua_touserdata(L, 1);

    if (luaL_loadbufferx(L, args->code, args->length, args->name, "t") != LUA_OK)
        return lua_error(L);
    *args->made = lc_embed_ref_new(L, args->h);
    return 0;
}

int lucio_load_string(lucio *h, const char *code, size_t length, const char *name,
                      lucio_ref **function)
{
    struct drive_args args = {.h = h, .code = code, .length = length, .made = function};
    int status = lc_embed_enter_out(h, function);

    if (status == LUCIO_OK && code == NULL)
        status = lc_embed_refuse(h, LUCIO_INVALID, "lucio_load_string: no code");
    args.name = name != NULL ? name : "=string";
    return status != LUCIO_OK ? status : lc_embed_protect(h, load_string, &args);
}

static int load_file(lua_State *L)
{
    struct drive_args *args = lua_touserdata(L, 1);

    if (luaL_loadfilex(L, args->name, "t") != LUA_OK)
        return lua_error(L);
    *args->made = lc_embed_ref_new(L, args->h);
    return 0;
}

int lucio_load_file(lucio *h, const char *path, lucio_ref **function)
{
    struct drive_args args = {.h = h, .name = path, .made = function};
    int status = lc_embed_enter_out(h, function);

    if (status == LUCIO_OK && path == NULL)
        status = lc_embed_refuse(h, LUCIO_INVALID, "lucio_load_file: no path");
    return status != LUCIO_OK ? status : lc_embed_protect(h, load_file, &args);
}

/* (args, value) */
static int take(lua_State *L)
{
    struct drive_args *args = lua_touserdata(L, 1);

    *args->made = lc_embed_ref_new(L, args->h);
    return 0;
}

int lucio_take(lucio *h, lucio_ref **value)
{
    struct drive_args args = {.h = h, .made = value};
    int status = lc_embed_enter_out(h, value);
    lua_State *L;

    if (status != LUCIO_OK)
        return status;
    L = lc_embed_state(h);
    if (lua_gettop(L) == 0)
        return lc_embed_refuse(h, LUCIO_INVALID, "lucio_take: the stack is empty");
    lua_pushcfunction(L, take);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, &args);
    lua_insert(L, -2);
    return lua_pcall(L, 2, 0, 0) == LUA_OK ? LUCIO_OK : lc_embed_fail(h, L);
}

/* ---- tasks ---- */

/* The task on top gets its name and its handle. [-1, +0, m] */
static void finish_spawn(lua_State *L, struct drive_args *args)
{
    if (args->name != NULL) {
        lua_pushstring(L, args->name);
        lc_future_set_extra(L, -2, LC_EXTRA_NAME);
    }
    if (args->task != NULL)
        *args->task = lc_embed_future_new(L, args->h);
    else
        lua_pop(L, 1);
}

static int spawn(lua_State *L)
{
    struct drive_args *args = lua_touserdata(L, 1);
    struct lucio *h = args->h;

    lc_embed_push_held(L, args->object);
    if (!lc_is_callable(L, -1))
        lc_raise(L, h->host, LC_TYPE_ERROR, "lucio_spawn: function expected, got %s",
                 lc_type_name(L, -1));
    lc_unwrap_async(L, lua_gettop(L));
    lc_embed_push_values(L, h, args->n, args->values);
    lc_create_task(L, h->host, h->loop, (int)args->n, 0,
                   args->name != NULL ? LC_TASK_NAMED : LC_TASK_PLAIN);
    finish_spawn(L, args);
    return 0;
}

int lucio_spawn(lucio *h, lucio_ref *function, const char *name, size_t n,
                const struct lucio_value *arguments, lucio_future **task)
{
    struct drive_args args = {.h = h,
                              .object = lc_embed_find_ref(function),
                              .name = name,
                              .n = n,
                              .values = arguments,
                              .task = task};
    int status = lc_embed_enter(h);

    if (task != NULL)
        *task = NULL;
    if (status == LUCIO_OK && (args.object == NULL || args.object->h != h))
        status = lc_embed_refuse(h, LUCIO_INVALID, "lucio_spawn: no function of this host");
    return status != LUCIO_OK ? status : lc_embed_invalid(lc_embed_protect(h, spawn, &args));
}

/* The body of a call_method task: (object, method, ...). */
static int call_method_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_gettop(L);
}

static int call_method_body(lua_State *L)
{
    lua_pushvalue(L, 2);
    lua_gettable(L, 1);
    lua_insert(L, 1);
    lua_remove(L, 3);
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, call_method_k);
    return call_method_k(L, LUA_OK, 0);
}

/* Makes the task of the arguments and runs its first step. */
static int start(lua_State *L)
{
    struct drive_args *args = lua_touserdata(L, 1);
    struct lucio *h = args->h;
    int nargs = (int)args->n + 1;

    luaL_checkstack(L, 8, NULL);
    lua_settop(L, 1);
    lc_embed_push_held(L, args->object);
    if (args->methods != NULL) {
        lc_embed_push_method(L, h, 2, args->methods, args->name);
        lua_insert(L, 2);
    } else {
        lua_pushcfunction(L, call_method_body);
        lua_insert(L, 2);
        lua_pushstring(L, args->method);
        nargs++;
    }
    lc_embed_push_values(L, h, args->n, args->values);
    lc_create_task(L, h->host, h->loop, nargs, 0,
                   LC_TASK_EAGER | (args->name != NULL ? LC_TASK_NAMED : LC_TASK_PLAIN));
    finish_spawn(L, args);
    return 0;
}

static int start_in_loop(lua_State *L)
{
    struct drive_args *args = lua_touserdata(L, 1);

    lc_loop_call(L, args->h->loop, start, args);
    return 0;
}

/* The first step runs now, whether a tick does or not. */
static int run_start(lucio_ref *object, struct drive_args *args)
{
    int status = lc_embed_enter_ref(object, &args->object);

    if (args->task != NULL)
        *args->task = NULL;
    if (status != LUCIO_OK)
        return status;
    args->h = args->object->h;
    if (args->methods == NULL && args->method == NULL)
        return lc_embed_refuse(args->h, LUCIO_INVALID, "lucio_call_method: no method");
    status = lc_embed_protect(args->h, start_in_loop, args);
    if (status != LUCIO_OK && args->task != NULL) {
        lucio_future_free(*args->task);
        *args->task = NULL;
    }
    return status;
}

int lucio_call_method(lucio_ref *object, const char *method, size_t n,
                      const struct lucio_value *arguments, lucio_future **task)
{
    struct drive_args args = {.method = method, .n = n, .values = arguments, .task = task};

    return run_start(object, &args);
}

int lc_embed_call_native(lucio_ref *object, const struct lc_embed_method *methods, const char *name,
                         size_t n, const struct lucio_value *arguments, lucio_future **task)
{
    struct drive_args args = {
        .methods = methods, .name = name, .n = n, .values = arguments, .task = task};

    return run_start(object, &args);
}

/* ---- running ---- */

/* Whether the program may run the loop now. */
static int check_idle(struct lucio *h)
{
    if (h->depth > 0 || h->host->loop != NULL || h->host->current != NULL)
        return lc_embed_refuse(h, LUCIO_BUSY, "the host is running");
    return LUCIO_OK;
}

static int run_future(lua_State *L)
{
    struct drive_args *args = lua_touserdata(L, 1);
    struct lucio *h = args->h;
    struct lc_future *future;

    lc_embed_push_held(L, args->future);
    future = lc_to_future(L, -1);
    if (lc_future_loop(future) != h->loop)
        lc_raise(L, h->host, LC_VALUE_ERROR, "The future belongs to a different loop");
    switch (lc_run_future(L, h->loop, future)) {
    case LC_RUN_RAISED:
        return lua_error(L);
    case LC_RUN_STUCK:
        return lc_raise_stuck(L, h->loop);
    default:
        break;
    }
    if (!lc_future_is_done(future))
        lc_raise(L, h->host, LC_RUNTIME_ERROR, "Event loop stopped before Future completed.");
    return 0;
}

int lucio_run(lucio *h, lucio_future *future)
{
    struct drive_args args = {.h = h, .future = lc_slot_find(future, LC_SLOT_FUTURE)};
    int status = lc_embed_enter(h);

    if (status == LUCIO_OK)
        status = check_idle(h);
    if (status != LUCIO_OK)
        return status;
    if (args.future == NULL || args.future->h != h)
        return lc_embed_refuse(h, LUCIO_INVALID, "lucio_run: no future of this host");
    if (h->loop->guest != NULL)
        return lc_embed_refuse(h, LUCIO_INVALID,
                               "lucio_run: the loop is the program's, which runs it");
    status = lc_embed_protect(h, run_future, &args);
    if (status != LUCIO_OK)
        return status;
    status = lucio_future_status(future);
    if (status != LUCIO_ERROR && status != LUCIO_CANCELLED)
        return status;
    return lc_embed_note(h, lucio_future_error(future)) ? status : LUCIO_NO_MEMORY;
}

/* Runs the function and drops it; the task's handle goes to `task`, or is freed. */
static int run_function(lucio *h, lucio_ref *function, size_t n,
                        const struct lucio_value *arguments, lucio_future **task)
{
    lucio_future *future = NULL;
    int status = lucio_spawn(h, function, NULL, n, arguments, &future);

    lucio_ref_free(function);
    if (status == LUCIO_OK)
        status = lucio_run(h, future);
    if (task != NULL)
        *task = future;
    else
        lucio_future_free(future);
    return status;
}

int lucio_run_string(lucio *h, const char *code, lucio_future **task)
{
    lucio_ref *function;
    int status;

    if (task != NULL)
        *task = NULL;
    if (code == NULL)
        return LUCIO_INVALID;
    status = lucio_load_string(h, code, strlen(code), NULL, &function);
    return status != LUCIO_OK ? status : run_function(h, function, 0, NULL, task);
}

int lucio_run_file(lucio *h, const char *path, size_t n, const struct lucio_value *arguments,
                   lucio_future **task)
{
    lucio_ref *function;
    int status;

    if (task != NULL)
        *task = NULL;
    status = lucio_load_file(h, path, &function);
    return status != LUCIO_OK ? status : run_function(h, function, n, arguments, task);
}

static int run_span(lua_State *L)
{
    struct drive_args *args = lua_touserdata(L, 1);

    if (lc_loop_run_span(L, args->h->loop, args->span) == LC_RUN_RAISED)
        return lua_error(L);
    return 0;
}

int lucio_step(lucio *h)
{
    struct drive_args args = {.h = h, .span = LC_SPAN_TICK};
    int status = lc_embed_enter(h);

    if (status == LUCIO_OK)
        status = check_idle(h);
    return status != LUCIO_OK ? status : lc_embed_protect(h, run_span, &args);
}

int lucio_run_idle(lucio *h, double limit)
{
    double end = 0;
    int status = lc_embed_enter(h);

    if (status != LUCIO_OK)
        return status;
    if (limit >= 0)
        end = lc_loop_time(h->loop) + limit;
    do
        status = lucio_step(h);
    while (status == LUCIO_OK && lc_loop_timeout(h->loop) == 0 &&
           !(limit >= 0 && lc_loop_time(h->loop) >= end));
    return status;
}

int lucio_fd(lucio *h)
{
    int status = lc_embed_enter(h), fd;

    if (status != LUCIO_OK)
        return status;
    fd = lc_guest_fd(h->loop);
    if (fd >= 0)
        return fd;
    if (fd == -ENOTSUP)
        return lc_embed_refuse(h, LUCIO_INVALID,
                               "lucio_fd: only of a loop of the host's own on epoll");
    return lc_embed_refuse(h, LUCIO_NO_MEMORY, strerror(-fd));
}

double lucio_timeout(lucio *h)
{
    if (lc_embed_enter(h) != LUCIO_OK)
        return -1;
    if (h->loop->guest == NULL && check_idle(h) == LUCIO_OK)
        lc_loop_poll(h->loop);
    return lc_loop_timeout(h->loop);
}

size_t lucio_task_count(lucio *h)
{
    return h != NULL && h->host != NULL ? h->host->tasks : 0;
}
