#include "settings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "core.h"
#include "permit.h"
#include "quota.h"
#include "region.h"

/* ---- making them ---- */

void lc_settings_free(struct lc_settings *settings)
{
    if (settings == NULL)
        return;
    lc_parcel_clear(&settings->initializer);
    lc_quota_release(settings->limits.quota);
    free(settings->name);
    free(settings->path);
    free(settings->cpath);
    free(settings->backend);
    free(settings->permits);
    free(settings);
}

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

/* What a job does outside of tasks is one step. */
static void copy_limits(const struct lc_host *host, struct lc_settings *settings)
{
    lc_limits_read(host, &settings->limits);
    if (settings->limits.step == 0)
        settings->limits.step = settings->limits.task;
    settings->confined = host->confined;
}

static void copy_options(lua_State *L, struct lc_host *host, struct lc_settings *settings)
{
    settings->is_virtual = host->clock.is_virtual;
    settings->warns = host->warns;
    settings->options = host->options;
    settings->options.bad_variable = NULL;
    if (host->options.backend != NULL)
        settings->options.backend = settings->backend = strdup(host->options.backend);
    if (host->permits != NULL)
        settings->permits = lc_permits_copy(host->permits);
    if ((host->options.backend != NULL && settings->backend == NULL) ||
        (host->permits != NULL && settings->permits == NULL))
        luaL_error(L, "not enough memory");
}

/* (name, initializer, settings, what) */
static int fill(lua_State *L)
{
    struct lc_settings *settings = lua_touserdata(L, 3);
    struct lc_pack_names names = {.what = lua_touserdata(L, 4), .first = 1};
    struct lc_host *host = lc_host_open(L);

    settings->name = strdup(lua_tostring(L, 1));
    settings->path = copy_path(L, "path");
    settings->cpath = copy_path(L, "cpath");
    if (settings->name == NULL)
        luaL_error(L, "not enough memory");
    copy_limits(host, settings);
    copy_options(L, host, settings);
    lua_pushglobaltable(L);
    lua_pushliteral(L, "lucio");
    lua_rawget(L, -2);
    lc_host_push_ref(L, host, LC_REF_MODULE);
    settings->global = lua_rawequal(L, -1, -2);
    lua_settop(L, 4);
    if (!lua_isnil(L, 2))
        lc_pack(L, host, &settings->initializer, 2, 1, &names);
    return 0;
}

struct lc_settings *lc_settings_new(lua_State *L, struct lc_host *host, const char *what,
                                    const char *name, int initializer)
{
    struct lc_settings *settings;

    if (host->sandboxed) /* a job that never ends would keep the host from closing */
        lc_raise(L, host, LC_RUNTIME_ERROR, "a sandbox has no executors");
    initializer = lua_absindex(L, initializer);
    lua_pushcfunction(L, fill);
    lua_pushstring(L, name);
    lua_pushvalue(L, initializer);
    settings = calloc(1, sizeof *settings);
    if (settings == NULL)
        luaL_error(L, "not enough memory");
    lua_pushlightuserdata(L, settings);
    lua_pushlightuserdata(L, (void *)what);
    if (lua_pcall(L, 4, 0, 0) != LUA_OK) {
        lc_settings_free(settings);
        lua_error(L);
    }
    return settings;
}

/* ---- as bytes ---- */

/* What has no pointers; texts and permissions follow. */
struct fixed {
    uint32_t size; /* of this, and the version behind it, tell a program that is not ours */
    uint32_t libraries;
    double shutdown_timeout;
    uint64_t permits_size;
    int64_t step, task;
    uint64_t memory; /* 0: no limit */
    bool sandbox, confined;
    bool global, is_virtual, warns, debug, virtual_clock, no_control;
};

static const char version[] = LUCIO_VERSION;

/* Appends; with `at` NULL it only counts. */
static size_t put(char *at, size_t size, const void *bytes, size_t count)
{
    if (at != NULL && count > 0)
        memcpy(at + size, bytes, count);
    return size + count;
}

/* A byte says whether there is a text. */
static size_t put_text(char *at, size_t size, const char *text)
{
    char is_there = text != NULL;

    size = put(at, size, &is_there, 1);
    return text != NULL ? put(at, size, text, strlen(text) + 1) : size;
}

static size_t put_all(char *at, const struct lc_settings *settings)
{
    struct fixed fixed;
    size_t size;

    memset(&fixed, 0, sizeof fixed);
    fixed.size = sizeof fixed;
    fixed.libraries = settings->limits.libraries;
    fixed.step = settings->limits.step;
    fixed.task = settings->limits.task;
    fixed.memory = lc_quota_limit(settings->limits.quota);
    fixed.sandbox = settings->limits.sandbox;
    fixed.confined = settings->confined;
    fixed.shutdown_timeout = settings->options.shutdown_timeout;
    fixed.permits_size = settings->permits != NULL ? lc_permits_size(settings->permits) : 0;
    fixed.global = settings->global;
    fixed.is_virtual = settings->is_virtual;
    fixed.warns = settings->warns;
    fixed.debug = settings->options.debug;
    fixed.virtual_clock = settings->options.virtual_clock;
    fixed.no_control = settings->options.no_control;
    size = put(at, 0, &fixed, sizeof fixed);
    size = put_text(at, size, version);
    size = put_text(at, size, settings->name);
    size = put_text(at, size, settings->path);
    size = put_text(at, size, settings->cpath);
    size = put_text(at, size, settings->backend);
    return put(at, size, settings->permits, fixed.permits_size);
}

static void release_ledger(void *region)
{
    lc_shared_release(region);
}

static bool share_ledger(struct lc_quota *quota, struct lc_region *region, unsigned ticket)
{
    struct lc_ledger ledger = {region->head->elements, region->fd, release_ledger, region};

    return lc_quota_share(quota, &ledger, ticket);
}

/* The ledger of the memory limit goes along. False: errno says why. */
static bool put_ledger(struct lc_quota *quota, struct lc_parcel *parcel)
{
    struct lc_region *region;

    if (quota == NULL)
        return true;
    if (lc_quota_ledger(quota) == NULL) {
        region = lc_region_new(LC_REGION_BYTES, LC_REGION_U8, lc_ledger_size(), false);
        if (region == NULL)
            return false;
        share_ledger(quota, region, 0);
    }
    parcel->shared = malloc(sizeof(*parcel->shared));
    if (parcel->shared == NULL)
        return false;
    parcel->shared[0] = lc_quota_ledger(quota);
    parcel->shared_count = 1;
    lc_shared_hold(parcel->shared[0]);
    return true;
}

bool lc_settings_write(const struct lc_settings *settings, struct lc_parcel *parcel)
{
    size_t size = put_all(NULL, settings);

    if (!put_ledger(settings->limits.quota, parcel))
        return false;
    parcel->data = malloc(size);
    if (parcel->data == NULL)
        return false;
    parcel->size = parcel->capacity = put_all(parcel->data, settings);
    return true;
}

/* The bytes come from lc_settings_write of the same version, and are trusted. */
static char *get_text(const char **at)
{
    const char *text = *at + 1;

    if (*(*at)++ == 0)
        return NULL;
    *at += strlen(text) + 1;
    return strdup(text);
}

static bool get_permits(struct lc_settings *settings, const char *at, size_t size)
{
    if (size == 0)
        return true;
    settings->permits = malloc(size);
    if (settings->permits == NULL)
        return false;
    memcpy(settings->permits, at, size);
    return true;
}

/* A process counts its memory at its place in the ledger that has come. */
static bool get_quota(struct lc_settings *settings, size_t limit, const struct lc_parcel *parcel,
                      unsigned ticket)
{
    struct lc_region *region;

    if (parcel->shared_count != 1 || parcel->shared[0]->type != &lc_region_type)
        return false;
    region = lc_region_of(parcel->shared[0]);
    settings->limits.quota = lc_quota_new(limit);
    if (region->head->count != lc_ledger_size() || settings->limits.quota == NULL)
        return false;
    lc_shared_hold(&region->shared);
    return share_ledger(settings->limits.quota, region, ticket);
}

static bool get_limits(struct lc_settings *settings, const struct fixed *fixed,
                       const struct lc_parcel *parcel, unsigned ticket)
{
    settings->limits = (struct lc_limits){.libraries = fixed->libraries,
                                          .sandbox = fixed->sandbox,
                                          .step = fixed->step,
                                          .task = fixed->task};
    settings->confined = fixed->confined;
    return fixed->memory == 0 || get_quota(settings, fixed->memory, parcel, ticket);
}

static bool is_ours(const struct lc_parcel *parcel, const struct fixed *fixed)
{
    return fixed->size == sizeof *fixed && parcel->size > sizeof *fixed + sizeof version &&
           memcmp(parcel->data + sizeof *fixed + 1, version, sizeof version) == 0;
}

struct lc_settings *lc_settings_read(const struct lc_parcel *parcel, unsigned ticket)
{
    struct fixed fixed;
    struct lc_settings *settings;
    const char *at;

    if (parcel->size < sizeof fixed)
        return NULL;
    memcpy(&fixed, parcel->data, sizeof fixed);
    if (!is_ours(parcel, &fixed))
        return NULL;
    settings = calloc(1, sizeof *settings);
    if (settings == NULL)
        return NULL;
    settings->options.shutdown_timeout = fixed.shutdown_timeout;
    settings->global = fixed.global;
    settings->is_virtual = fixed.is_virtual;
    settings->warns = fixed.warns;
    settings->options.debug = fixed.debug;
    settings->options.virtual_clock = fixed.virtual_clock;
    settings->options.no_control = fixed.no_control;
    at = parcel->data + sizeof fixed + 1 + sizeof version;
    settings->name = get_text(&at);
    settings->path = get_text(&at);
    settings->cpath = get_text(&at);
    settings->options.backend = settings->backend = get_text(&at);
    if (settings->name == NULL || !get_permits(settings, at, fixed.permits_size) ||
        !get_limits(settings, &fixed, parcel, ticket)) {
        lc_settings_free(settings);
        return NULL;
    }
    return settings;
}
