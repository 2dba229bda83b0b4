/*
 * resolver: loop:getaddrinfo (SEMANTICS LP27). A numeric address needs no thread; any other is looked
 * up by getaddrinfo(3) in a thread of its own, a limited number at a time.
 * Owner: a lookup is an errand: its worker's until it is done, then the loop's.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "crew.h"
#include "loop_object.h"
#include "permit.h"
#include "stream.h"

/* Threads that look names up at the same time, for the whole process. */
#define WORKERS_MAX 8

struct lookup {
    struct lc_job job;
    struct addrinfo hints;
    struct addrinfo *result;
    int error;
    char service[32];
    char name[];
};

static void watch_forks(void);

/* No thread is idle: what the system's resolver keeps for one goes with it. */
static struct lc_crew crew = LC_CREW_INIT(WORKERS_MAX, 0, watch_forks);

static void begin_again(void)
{
    lc_crew_begin_again(&crew);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, begin_again);
}

static void lookup_free(struct lookup *lookup)
{
    if (lookup->result != NULL)
        freeaddrinfo(lookup->result);
    free(lookup);
}

static void look_up(struct lc_job *job)
{
    struct lookup *lookup = lc_container_of(job, struct lookup, job);

    lookup->error = getaddrinfo(lookup->name, lookup->service[0] ? lookup->service : NULL,
                                &lookup->hints, &lookup->result);
}

static void lookup_dispose(struct lc_job *job)
{
    lookup_free(lc_container_of(job, struct lookup, job));
}

/* ---- results ---- */

/* Pushes the list of results: {family=, type=, address=, canonname=}. */
static void push_results(lua_State *L, const struct addrinfo *info)
{
    lua_Integer n = 0;

    lua_newtable(L);
    for (; info != NULL; info = info->ai_next) {
        if (info->ai_family != AF_INET && info->ai_family != AF_INET6)
            continue;
        lua_createtable(L, 0, 4);
        lua_pushstring(L, info->ai_family == AF_INET6 ? "inet6" : "inet");
        lua_setfield(L, -2, "family");
        lua_pushstring(L, info->ai_socktype == SOCK_DGRAM ? "dgram" : "stream");
        lua_setfield(L, -2, "type");
        lc_push_address(L, info->ai_addr, info->ai_addrlen);
        lua_setfield(L, -2, "address");
        lua_pushstring(L, info->ai_canonname);
        lua_setfield(L, -2, "canonname");
        lua_rawseti(L, -2, ++n);
    }
}

static void push_gai_error(lua_State *L, struct lc_host *host, int error, const char *name)
{
    lc_push_os_text(L, error, gai_strerror(error), NULL, NULL);
    lc_error_from(L, host, LC_GAI_ERROR);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "host");
    lua_pushinteger(L, error);
    lua_setfield(L, -2, "errno");
    lua_pushstring(L, error == EAI_NONAME   ? "EAI_NONAME"
                      : error == EAI_AGAIN  ? "EAI_AGAIN"
                      : error == EAI_FAMILY ? "EAI_FAMILY"
                                            : "EAI_FAIL");
    lua_setfield(L, -2, "code");
}

/* (future, lookup) completes the future unless it was cancelled. */
static int complete(lua_State *L)
{
    struct lookup *lookup = lua_touserdata(L, 2);
    struct lc_future *future = lc_to_future(L, 1);

    if (lc_future_is_done(future))
        return 0;
    if (lookup->error != 0) {
        push_gai_error(L, future->loop->host, lookup->error, lookup->name);
        lc_future_set_error(L, 1);
    } else {
        push_results(L, lookup->result);
        if (!lc_permits_found(future->loop->host, lookup->name, lookup->result))
            return luaL_error(L, "not enough memory");
        lc_future_set_result(L, 1, 1);
    }
    return 0;
}

static void lookup_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lookup *lookup = lc_container_of(entry, struct lookup, job.errand.entry);
    lua_State *L = loop->L;

    lua_pushcfunction(L, complete);
    lc_errand_push_future(L, loop, &lookup->job.errand);
    lua_pushlightuserdata(L, lookup);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK)
        lua_pop(L, 1);
    lookup_free(lookup);
}

static void lookup_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    struct lookup *lookup = lc_container_of(entry, struct lookup, job.errand.entry);

    lc_anchor_drop(L, loop->host, &lookup->job.errand.future);
    lookup_free(lookup);
}

static const struct lc_errand_type lookup_type = {{lookup_run, lookup_forget, NULL, NULL}, NULL};

/* ---- Lua ---- */

static int family_option(lua_State *L, struct lc_host *host, int options)
{
    const char *name;

    if (lua_isnil(L, options) || lua_getfield(L, options, "family") == LUA_TNIL)
        return AF_UNSPEC;
    name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    if (strcmp(name, "inet") == 0)
        return AF_INET;
    if (strcmp(name, "inet6") == 0)
        return AF_INET6;
    if (strcmp(name, "unspec") == 0)
        return AF_UNSPEC;
    lc_raise_value(L, host, "getaddrinfo", 3, "family: 'inet', 'inet6' or 'unspec' expected");
}

static int type_option(lua_State *L, struct lc_host *host, int options)
{
    const char *name;

    if (lua_isnil(L, options) || lua_getfield(L, options, "type") == LUA_TNIL)
        return SOCK_STREAM;
    name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    if (strcmp(name, "stream") == 0)
        return SOCK_STREAM;
    if (strcmp(name, "dgram") == 0)
        return SOCK_DGRAM;
    lc_raise_value(L, host, "getaddrinfo", 3, "type: 'stream' or 'dgram' expected");
}

/* A numeric address with a numeric port: looked up on the spot. */
static bool is_numeric(const char *name, const char *service)
{
    struct in6_addr address;

    for (const char *c = service; *c != '\0'; c++) {
        if (*c < '0' || *c > '9')
            return false;
    }
    return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

/* Makes the lookup of the arguments: 2 host, 3 port, 4 options. */
static struct lookup *lookup_new(lua_State *L, struct lc_host *host)
{
    static const char *const names[] = {"family", "type", NULL};
    const char *service = "";
    struct lookup *lookup;
    struct addrinfo hints = {0};
    size_t length;
    const char *name;

    if (lua_type(L, 2) != LUA_TSTRING)
        lc_raise_argument(L, host, LC_TYPE_ERROR, "getaddrinfo", 1, "host name", 2);
    name = lua_tolstring(L, 2, &length);
    if (strlen(name) != length || length == 0 || length > 1024)
        lc_raise_value(L, host, "getaddrinfo", 1, "not a host name");
    if (!lua_isnil(L, 3)) {
        if (lua_type(L, 3) != LUA_TSTRING) {
            lua_Integer port = lc_check_integer(L, 3, "getaddrinfo", 2);

            if (port < 0 || port > 65535)
                lc_raise_value(L, host, "getaddrinfo", 2, "port must be in 0..65535");
        }
        service = luaL_tolstring(L, 3, NULL);
        if (strlen(service) >= sizeof lookup->service)
            lc_raise_value(L, host, "getaddrinfo", 2, "service name is too long");
    }
    lc_check_options(L, 4, "getaddrinfo", 3, names);
    hints.ai_family = family_option(L, host, 4);
    hints.ai_socktype = type_option(L, host, 4);
    lookup = calloc(1, sizeof *lookup + length + 1);
    if (lookup == NULL)
        luaL_error(L, "not enough memory");
    memcpy(lookup->name, name, length + 1);
    snprintf(lookup->service, sizeof lookup->service, "%s", service);
    lookup->hints = hints;
    lookup->job.work = look_up;
    lookup->job.dispose = lookup_dispose;
    return lookup;
}

/* (loop, lookup) -> future */
static int make_errand(lua_State *L)
{
    struct lc_loop *loop = lua_touserdata(L, 1);
    struct lookup *lookup = lua_touserdata(L, 2);

    lc_future_new(L, loop);
    lua_pushliteral(L, "getaddrinfo"); /* for who asks what the task waits for */
    lc_future_set_extra(L, 3, LC_EXTRA_NAME);
    lc_errand_begin(L, loop, &lookup->job.errand, &lookup_type, 3);
    return 1;
}

/* Makes the lookup an errand and pushes its future; frees it when there is no memory. [-0, +1, m] */
static void begin_lookup(lua_State *L, struct lc_loop *loop, struct lookup *lookup)
{
    lua_pushcfunction(L, make_errand);
    lua_pushlightuserdata(L, loop);
    lua_pushlightuserdata(L, lookup);
    if (lua_pcall(L, 2, 1, 0) == LUA_OK)
        return;
    lookup_free(lookup);
    lua_error(L);
}

/* loop:getaddrinfo(host, port, {family=, type=}) -> list. May suspend. */
static int loop_getaddrinfo(lua_State *L)
{
    struct lc_loop *loop = lc_loop_check(L, "getaddrinfo");
    struct lc_host *host = loop->host;
    struct lookup *lookup;
    int future;

    lua_settop(L, 4);
    lookup = lookup_new(L, host);
    if (is_numeric(lookup->name, lookup->service)) {
        int error;

        lookup->hints.ai_flags |= AI_NUMERICHOST;
        error = getaddrinfo(lookup->name, lookup->service[0] ? lookup->service : NULL,
                            &lookup->hints, &lookup->result);
        if (error != 0) {
            push_gai_error(L, host, error, lookup->name);
            lookup_free(lookup);
            return lua_error(L);
        }
        push_results(L, lookup->result);
        lookup_free(lookup);
        return 1;
    }
    if (host->permits != NULL) {
        /* the lookup is C's alone: nothing may raise while it is */
        lookup_free(lookup);
        lc_permit_name(L, host, lua_tostring(L, 2),
                       lua_isnil(L, 3) ? "" : luaL_tolstring(L, 3, NULL));
        lookup = lookup_new(L, host);
    }
    if (host->loop != loop || host->current == NULL) {
        lookup_free(lookup);
        lc_raise(L, host, LC_RUNTIME_ERROR, "getaddrinfo: no running task to suspend");
    }
    begin_lookup(L, loop, lookup);
    if (!lc_crew_submit(&crew, &lookup->job)) {
        lc_errand_withdraw(L, loop, &lookup->job.errand);
        lookup_free(lookup);
        lc_raise(L, host, LC_RUNTIME_ERROR, "getaddrinfo: cannot start a thread");
    }
    future = lua_gettop(L);
    return lc_await_future(L, host, lua_touserdata(L, future), future);
}

void lc_open_resolver(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"getaddrinfo", loop_getaddrinfo}, {NULL, NULL}};

    lc_loop_add_methods(L, host, methods);
}
