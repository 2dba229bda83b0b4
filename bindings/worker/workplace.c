#include "workplace.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "budget.h"
#include "context.h"
#include "core.h"
#include "job.h"
#include "lucio.h"
#include "module.h"
#include "permit.h"
#include "quota.h"
#include "reports.h"
#include "settings.h"
#include "shell.h"
#include "state_limits.h"
#include "traceback.h"

/* ---- opening a state ---- */

/* lucio.worker.cancelled() */
static int worker_cancelled(lua_State *L)
{
    struct lc_workplace *place = lua_touserdata(L, lua_upvalueindex(1));

    if (place->job != NULL && place->look != NULL)
        place->look(place);
    lua_pushboolean(L, place->job != NULL && atomic_load(&place->job->cancelled));
    return 1;
}

/* lucio.worker.report(value) */
static int worker_report(lua_State *L)
{
    struct lc_workplace *place = lua_touserdata(L, lua_upvalueindex(1));
    struct lc_parcel parcel = {.data = NULL};
    bool sent;

    lua_settop(L, 1);
    if (place->job == NULL)
        lc_raise(L, place->host, LC_RUNTIME_ERROR, "no job runs");
    if (place->is_thread) {
        lc_report_send(L, place->host, place->job);
        return 0;
    }
    lc_report_pack(L, place->host, &parcel);
    sent = place->report(place, &parcel);
    lc_parcel_clear(&parcel);
    return sent ? 0 : luaL_error(L, "not enough memory");
}

/* print(...): a line in one piece, since other workers print too. */
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
static void set_worker(lua_State *L, struct lc_workplace *place)
{
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, place->index);
    lua_setfield(L, -2, "index");
    lua_pushfstring(L, "%s_%d", place->settings->name, place->index - 1);
    lua_setfield(L, -2, "name");
    if (!place->is_thread) {
        lua_pushinteger(L, getpid());
        lua_setfield(L, -2, "pid");
    }
    lua_pushlightuserdata(L, place);
    lua_pushcclosure(L, worker_cancelled, 1);
    lua_setfield(L, -2, "cancelled");
    lua_pushlightuserdata(L, place);
    lua_pushcclosure(L, worker_report, 1);
    lua_setfield(L, -2, "report");
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

/* (place) */
static int open_state(lua_State *L)
{
    struct lc_workplace *place = lua_touserdata(L, 1);
    const struct lc_settings *settings = place->settings;

    lc_limits_open_libraries(L, settings->limits.libraries);
    if (place->is_thread)
        lc_open_shell(L);
    if (settings->warns)
        lua_warning(L, "@on", 0);
    if (settings->limits.libraries & LUCIO_LIB_PACKAGE) {
        set_path(L, "path", settings->path);
        set_path(L, "cpath", settings->cpath);
    }
    if (settings->limits.libraries & LUCIO_LIB_BASE) {
        lua_pushcfunction(L, worker_print);
        lua_setglobal(L, "print");
    }
    place->host = lc_host_open(L);
    place->host->is_worker = place->is_thread;
    place->host->warns = settings->warns;
    place->host->options = settings->options;
    place->host->clock.is_virtual = settings->is_virtual;
    place->host->confined = settings->confined;
    lc_limits_set(L, place->host, &settings->limits);
    if (settings->permits != NULL && !lc_permits_inherit(place->host, settings->permits))
        luaL_error(L, "not enough memory");
    luaL_requiref(L, "lucio", luaopen_lucio, settings->global);
    set_worker(L, place);
    return 0;
}

static void begin_step(struct lc_host *host)
{
    if (host->budget != NULL)
        lc_budget_begin(host, NULL, false);
}

/* (place) */
static int initialize(lua_State *L)
{
    struct lc_workplace *place = lua_touserdata(L, 1);

    begin_step(place->host);
    lc_unpack(L, place->host, &place->settings->initializer);
    if (lua_type(L, 2) == LUA_TSTRING)
        resolve_name(L, place->host);
    lua_call(L, 0, 0);
    return 0;
}

/* ---- jobs ---- */

/* Appends to the traceback on top whose it was. */
static void end_traceback(lua_State *L, const struct lc_workplace *place)
{
    lua_pushfstring(L, "%s\n\t(in worker '%s_%d')",
                    lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "stack traceback:",
                    place->settings->name, place->index - 1);
    lua_replace(L, -2);
}

/* (place, error, parcel): packs the error and its traceback. */
static int pack_failure(lua_State *L)
{
    static const struct lc_pack_names names = {.first = 1, .lenient = true};
    struct lc_workplace *place = lua_touserdata(L, 1);

    lc_traceback_push(L, place->host, 2);
    end_traceback(L, place);
    lua_insert(L, 3);
    lc_pack(L, place->host, lua_touserdata(L, 4), 2, 2, &names);
    return 0;
}

/* The error on top is what came of it. [-1, +0, -] */
static void take_failure(struct lc_workplace *place, struct lc_parcel *parcel)
{
    lua_State *L = place->L;

    lc_parcel_clear(parcel);
    lua_pushcfunction(L, pack_failure);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, place);
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
static void raise_broken(lua_State *L, struct lc_workplace *place)
{
    lc_error_push(L, place->host, LC_RUNTIME_ERROR, "the initializer of the worker failed");
    if (lc_unpack(L, place->host, &place->failure) == 0)
        lua_error(L);
    lua_pop(L, 1);
    lc_error_wrap(L, place->host);
    lua_setfield(L, -2, "cause");
    lua_error(L);
}

/* Packs all above the place at 1. Long strings are lent; the state keeps them. */
static void pack_result(lua_State *L, struct lc_workplace *place)
{
    struct lc_pack_names names = {.first = 1, .lent = 2};
    int n = lua_gettop(L) - 1;

    lua_pushnil(L);
    lua_insert(L, 2);
    lc_pack(L, place->host, &place->job->result, lua_gettop(L) - n + 1, n, &names);
    if (!lua_isnil(L, names.lent)) {
        lua_pushvalue(L, names.lent);
        lua_rawsetp(L, LUA_REGISTRYINDEX, place->keeper);
        place->lends = true;
    }
}

/* (place): runs the job and packs what it returns. */
static int run_job(lua_State *L)
{
    struct lc_workplace *place = lua_touserdata(L, 1);
    struct lc_job *job = place->job;
    int n;

    begin_step(place->host);
    if (place->failed)
        raise_broken(L, place);
    if (!lc_job_begin_reading(job))
        lc_raise(L, place->host, LC_CANCELLED_ERROR, "the loop of the job has closed");
    n = lc_unpack(L, place->host, &job->call);
    lc_parcel_clear(&job->call);
    lc_job_end_reading(job);
    set_context(L, place->host, job);
    if (lua_type(L, 2) == LUA_TSTRING)
        resolve_name(L, place->host);
    if (job->options & LC_JOB_EACH) {
        for (int i = 3; i <= n + 1; i++) {
            begin_step(place->host);
            lua_pushvalue(L, 2);
            lua_pushvalue(L, i);
            lua_call(L, 1, 1);
            lua_replace(L, i);
        }
        lua_remove(L, 2);
    } else {
        lua_call(L, n - 1, LUA_MULTRET);
    }
    pack_result(L, place);
    return 0;
}

bool lc_workplace_run(struct lc_workplace *place, struct lc_job *job)
{
    lua_State *L = place->L;
    bool ok;

    if (L == NULL)
        return false;
    place->job = job;
    place->lends = false;
    lua_pushcfunction(L, run_job);
    lua_pushlightuserdata(L, place);
    ok = lc_call(L, place->host, 1, 0) == LUA_OK;
    lc_job_end_reading(job); /* had it failed there */
    if (!ok) {
        place->lends = false;
        take_failure(place, &job->result);
    }
    place->job = NULL;
    lc_context_clear(L, place->host);
    return ok;
}

void lc_workplace_forget(struct lc_workplace *place, const void *keeper)
{
    /* the field is there: nothing is allocated */
    lua_pushnil(place->L);
    lua_rawsetp(place->L, LUA_REGISTRYINDEX, keeper);
}

/* (place, error) */
static int raise_refusal(lua_State *L)
{
    struct lc_workplace *place = lua_touserdata(L, 1);
    int error = (int)lua_tointeger(L, 2);

    lua_pushfstring(L, "the job cannot be taken: %s", strerror(error));
    lc_error_push_os(L, place->host, error, NULL, lua_tostring(L, -1));
    return lua_error(L);
}

void lc_workplace_refuse(struct lc_workplace *place, struct lc_job *job, int error)
{
    lua_State *L = place->L;

    if (L == NULL)
        return;
    lua_pushcfunction(L, raise_refusal);
    lua_pushlightuserdata(L, place);
    lua_pushinteger(L, error);
    if (lc_call(L, place->host, 2, 0) != LUA_OK)
        take_failure(place, &job->result);
}

/* A new state, with no more memory than the host whose executor it is has left. */
static lua_State *new_state(const struct lc_settings *settings)
{
    if (settings->limits.quota == NULL) {
        lua_State *L = luaL_newstate();

        if (L != NULL)
            lua_setallocf(L, lc_quota_realloc, NULL); /* malloc's, too */
        return L;
    }
    return lua_newstate(lc_quota_realloc, settings->limits.quota);
}

void lc_workplace_open(struct lc_workplace *place)
{
    place->L = new_state(place->settings);
    if (place->L == NULL)
        return;
    lua_pushcfunction(place->L, open_state);
    lua_pushlightuserdata(place->L, place);
    if (lua_pcall(place->L, 1, 0, 0) == LUA_OK)
        return;
    place->failed = true;
    if (place->host != NULL)
        take_failure(place, &place->failure);
    if (place->failure.values == 0) {
        lua_close(place->L);
        place->L = NULL;
    }
}

void lc_workplace_initialize(struct lc_workplace *place)
{
    lua_State *L = place->L;

    if (L == NULL || place->failed || place->settings->initializer.values == 0)
        return;
    lua_pushcfunction(L, initialize);
    lua_pushlightuserdata(L, place);
    if (lc_call(L, place->host, 1, 0) == LUA_OK)
        return;
    place->failed = true;
    take_failure(place, &place->failure);
}

void lc_workplace_close(struct lc_workplace *place)
{
    if (place->L != NULL)
        lua_close(place->L);
    place->L = NULL;
    lc_parcel_clear(&place->failure);
}
