#include "worker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "context.h"
#include "core.h"
#include "job.h"
#include "module.h"
#include "permit.h"
#include "traceback.h"

/* What a new state is made of; written once, before the first thread starts. */
struct settings {
    char *name;
    char *path;
    char *cpath;
    unsigned libraries; /* bits of the table below */
    bool global;        /* lucio is a global */
    bool is_virtual;
    struct lc_options options;
    struct lc_permits *permits; /* NULL: everything is allowed */
    struct lc_parcel initializer;
};

/* A thread's own. */
struct state {
    lua_State *L; /* NULL: there was no memory for one */
    struct lc_host *host;
    struct lc_worker *worker;
    const struct settings *settings;
    struct lc_job *job;       /* that runs now, or NULL */
    struct lc_parcel failure; /* of the initializer; no values: it did not fail */
};

static const luaL_Reg libraries[] = {
    {LUA_GNAME, luaopen_base},
    {LUA_LOADLIBNAME, luaopen_package},
    {LUA_COLIBNAME, luaopen_coroutine},
    {LUA_TABLIBNAME, luaopen_table},
    {LUA_IOLIBNAME, luaopen_io},
    {LUA_OSLIBNAME, luaopen_os},
    {LUA_STRLIBNAME, luaopen_string},
    {LUA_MATHLIBNAME, luaopen_math},
    {LUA_UTF8LIBNAME, luaopen_utf8},
    {LUA_DBLIBNAME, luaopen_debug},
    {NULL, NULL},
};

/* ---- opening a state ---- */

/* lucio.worker.cancelled() */
static int worker_cancelled(lua_State *L)
{
    const struct state *state = lua_touserdata(L, lua_upvalueindex(1));

    lua_pushboolean(L, state->job != NULL && atomic_load(&state->job->cancelled));
    return 1;
}

/* print(...): a line in one piece, since other threads print too. */
static int worker_print(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_Buffer text;

    luaL_buffinit(L, &text);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addchar(&text, '\t');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&text);
    }
    luaL_addchar(&text, '\n');
    luaL_pushresult(&text);
    lua_writestring(lua_tostring(L, -1), lua_rawlen(L, -1));
    fflush(stdout);
    return 0;
}

static void set_path(lua_State *L, const char *field, const char *value)
{
    if (lua_getglobal(L, LUA_LOADLIBNAME) == LUA_TTABLE) {
        lua_pushstring(L, value);
        lua_setfield(L, -2, field);
    }
    lua_pop(L, 1);
}

/* The module on top gets the table `worker`. */
static void set_worker(lua_State *L, struct state *state)
{
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, lc_worker_index(state->worker));
    lua_setfield(L, -2, "index");
    lua_pushfstring(L, "%s_%d", state->settings->name, (int)lc_worker_index(state->worker) - 1);
    lua_setfield(L, -2, "name");
    lua_pushlightuserdata(L, state);
    lua_pushcclosure(L, worker_cancelled, 1);
    lua_setfield(L, -2, "cancelled");
    lua_setfield(L, -2, "worker");
}

/* Replaces "module:function" at 2 by that function. [-0, +0, e] */
static void resolve_name(lua_State *L, struct lc_host *host)
{
    const char *name = lua_tostring(L, 2), *colon = strchr(name, ':');

    lua_getglobal(L, "require");
    lua_pushlstring(L, name, (size_t)(colon - name));
    lua_call(L, 1, 1);
    lua_getfield(L, -1, colon + 1);
    if (!lc_is_callable(L, -1))
        lc_raise(L, host, LC_TYPE_ERROR, "'%s' is no function (%s)", name, lc_type_name(L, -1));
    lua_replace(L, 2);
    lua_pop(L, 1);
}

/* (state) */
static int open_state(lua_State *L)
{
    struct state *state = lua_touserdata(L, 1);
    const struct settings *settings = state->settings;

    for (int i = 0; libraries[i].name != NULL; i++) {
        if (settings->libraries & (1u << i)) {
            luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
            lua_pop(L, 1);
        }
    }
    set_path(L, "path", settings->path);
    set_path(L, "cpath", settings->cpath);
    if (settings->libraries & 1u) {
        lua_pushcfunction(L, worker_print);
        lua_setglobal(L, "print");
    }
    state->host = lc_host_open(L);
    state->host->worker = state->worker;
    state->host->options = settings->options;
    state->host->clock.is_virtual = settings->is_virtual;
    if (settings->permits != NULL && !lc_permits_inherit(state->host, settings->permits))
        luaL_error(L, "not enough memory");
    luaL_requiref(L, "lucio", luaopen_lucio, settings->global);
    set_worker(L, state);
    lua_settop(L, 1);
    if (settings->initializer.values > 0) {
        lc_unpack(L, state->host, &settings->initializer);
        if (lua_type(L, 2) == LUA_TSTRING)
            resolve_name(L, state->host);
        lua_call(L, 0, 0);
    }
    return 0;
}

/* ---- jobs ---- */

/* Appends to the traceback on top whose it was. */
static void end_traceback(lua_State *L, const struct state *state)
{
    lua_pushfstring(L, "%s\n\t(in worker '%s_%d')",
                    lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "stack traceback:",
                    state->settings->name, (int)lc_worker_index(state->worker) - 1);
    lua_replace(L, -2);
}

/* (state, error, parcel): packs the error and its traceback. */
static int pack_failure(lua_State *L)
{
    static const struct lc_pack_names names = {NULL, 1, true};
    struct state *state = lua_touserdata(L, 1);

    lc_traceback_push(L, state->host, 2);
    end_traceback(L, state);
    lua_insert(L, 3);
    lc_pack(L, state->host, lua_touserdata(L, 4), 2, 2, &names);
    return 0;
}

/* The error on top is what came of it. [-1, +0, -] */
static void take_failure(struct state *state, struct lc_parcel *parcel)
{
    lua_State *L = state->L;

    lc_parcel_clear(parcel);
    lua_pushcfunction(L, pack_failure);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, state);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, parcel);
    if (lua_pcall(L, 3, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
        lc_parcel_clear(parcel);
    }
}

static void set_context(lua_State *L, struct lc_host *host, const struct lc_job *job)
{
    const struct lc_job_variable *variable;

    for (variable = job->variables; variable != NULL; variable = variable->next) {
        lc_unpack(L, host, &variable->parcel);
        lc_context_var_set(L, host);
    }
}

/* The initializer has failed: so does every job. */
static void raise_broken(lua_State *L, struct state *state)
{
    lc_error_push(L, state->host, LC_RUNTIME_ERROR, "the initializer of the worker failed");
    lc_unpack(L, state->host, &state->failure);
    lua_pop(L, 1);
    lc_error_wrap(L, state->host);
    lua_setfield(L, -2, "cause");
    lua_error(L);
}

/* (state): runs the job and packs what it returns. */
static int run_job(lua_State *L)
{
    static const struct lc_pack_names names = {NULL, 1, false};
    struct state *state = lua_touserdata(L, 1);
    struct lc_job *job = state->job;
    int n;

    if (state->failure.values > 0)
        raise_broken(L, state);
    n = lc_unpack(L, state->host, &job->call);
    lc_parcel_clear(&job->call);
    set_context(L, state->host, job);
    if (lua_type(L, 2) == LUA_TSTRING)
        resolve_name(L, state->host);
    if (job->options & LC_JOB_EACH) {
        for (int i = 3; i <= n + 1; i++) {
            lua_pushvalue(L, 2);
            lua_pushvalue(L, i);
            lua_call(L, 1, 1);
            lua_replace(L, i);
        }
        lua_remove(L, 2);
    } else {
        lua_call(L, n - 1, LUA_MULTRET);
    }
    lc_pack(L, state->host, &job->result, 2, lua_gettop(L) - 1, &names);
    return 0;
}

static void run(struct lc_worker *worker, struct lc_pool_job *queued)
{
    struct lc_job *job = lc_container_of(queued, struct lc_job, queued);
    struct state *state = lc_worker_state(worker);

    job->failed = true;
    if (state != NULL && state->L != NULL) {
        lua_State *L = state->L;

        state->job = job;
        lua_pushcfunction(L, run_job);
        lua_pushlightuserdata(L, state);
        job->failed = lc_call(L, state->host, 1, 0) != LUA_OK;
        if (job->failed)
            take_failure(state, &job->result);
        state->job = NULL;
        lc_context_clear(L, state->host);
    }
    if (!lc_errand_post(&job->errand))
        lc_job_free(job);
}

static void close_worker(struct lc_worker *worker)
{
    struct state *state = lc_worker_state(worker);

    if (state == NULL)
        return;
    if (state->L != NULL)
        lua_close(state->L);
    lc_parcel_clear(&state->failure);
    free(state);
}

static void open_worker(struct lc_worker *worker)
{
    struct state *state = calloc(1, sizeof *state);

    pthread_setname_np(pthread_self(), "lucio-worker");
    lc_worker_set_state(worker, state);
    if (state == NULL)
        return;
    state->worker = worker;
    state->settings = lc_pool_data(lc_worker_pool(worker));
    state->L = luaL_newstate();
    if (state->L == NULL)
        return;
    lua_pushcfunction(state->L, open_state);
    lua_pushlightuserdata(state->L, state);
    if (lua_pcall(state->L, 1, 0, 0) == LUA_OK)
        return;
    if (state->host != NULL)
        take_failure(state, &state->failure);
    if (state->failure.values == 0) {
        lua_close(state->L);
        state->L = NULL;
    }
}

/* ---- making a pool ---- */

static void settings_free(void *data)
{
    struct settings *settings = data;

    lc_parcel_clear(&settings->initializer);
    free(settings->name);
    free(settings->path);
    free(settings->cpath);
    free(settings->permits);
    free(settings);
}

static const struct lc_pool_type threads_type = {open_worker, run, close_worker, settings_free};

static char *copy_path(lua_State *L, const char *field)
{
    char *copy = NULL;

    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_LOADLIBNAME) == LUA_TTABLE) {
        lua_pushstring(L, field);
        if (lua_rawget(L, -2) == LUA_TSTRING)
            copy = strdup(lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
    return copy;
}

/* (name, initializer, settings) */
static int fill_settings(lua_State *L)
{
    static const struct lc_pack_names names = {"ThreadPoolExecutor", 1, false};
    struct settings *settings = lua_touserdata(L, 3);
    struct lc_host *host = lc_host_open(L);

    settings->name = strdup(lua_tostring(L, 1));
    settings->path = copy_path(L, "path");
    settings->cpath = copy_path(L, "cpath");
    settings->is_virtual = host->clock.is_virtual;
    settings->options = host->options;
    settings->options.bad_variable = NULL;
    if (host->permits != NULL)
        settings->permits = lc_permits_copy(host->permits);
    if (settings->name == NULL || (host->permits != NULL && settings->permits == NULL))
        luaL_error(L, "not enough memory");
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    for (int i = 0; libraries[i].name != NULL; i++) {
        if (lua_getfield(L, -1, libraries[i].name) != LUA_TNIL)
            settings->libraries |= 1u << i;
        lua_pop(L, 1);
    }
    lua_pushglobaltable(L);
    lua_pushliteral(L, "lucio");
    lua_rawget(L, -2);
    lc_host_push_ref(L, host, LC_REF_MODULE);
    settings->global = lua_rawequal(L, -1, -2);
    lua_settop(L, 3);
    if (!lua_isnil(L, 2))
        lc_pack(L, host, &settings->initializer, 2, 1, &names);
    return 0;
}

struct lc_pool *lc_threads_new(lua_State *L, struct lc_host *host, const char *name, unsigned max,
                               int initializer)
{
    struct settings *settings;
    struct lc_pool *pool;

    if (host->sandboxed) /* workers have no limits, and all the libraries */
        lc_raise(L, host, LC_RUNTIME_ERROR, "a sandbox has no executors");
    initializer = lua_absindex(L, initializer);
    lua_pushcfunction(L, fill_settings);
    lua_pushstring(L, name);
    lua_pushvalue(L, initializer);
    settings = calloc(1, sizeof *settings);
    if (settings == NULL)
        luaL_error(L, "not enough memory");
    lua_pushlightuserdata(L, settings);
    if (lua_pcall(L, 3, 0, 0) != LUA_OK) {
        settings_free(settings);
        lua_error(L);
    }
    pool = lc_pool_new(host, &threads_type, settings, max);
    if (pool == NULL)
        luaL_error(L, "not enough memory");
    return pool;
}
