/*
 * life: opening and closing a host.
 * Phases of the end: tasks are cancelled and their clean-up runs; posts and handles are cut off; the loop
 * is closed; the state is closed if the host made it; the shell goes with the last handle.
 * Owner: the program owns the shell by references: its own one until lucio_close, one of each handle.
 */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "cancel_batch.h"
#include "embed.h"
#include "guest.h"
#include "loop_object.h"
#include "module.h"
#include "permit.h"
#include "quota.h"
#include "report.h"
#include "run.h"
#include "state_limits.h"
#include "task.h"

void lucio_config_init_sized(struct lucio_config *config, size_t size)
{
    memset(config, 0, size);
    config->size = size;
    if (size >= offsetof(struct lucio_config, libraries) + sizeof config->libraries)
        config->libraries = LUCIO_LIB_ALL;
    if (size >= offsetof(struct lucio_config, shutdown_timeout) + sizeof config->shutdown_timeout)
        config->shutdown_timeout = -1;
}

/* ---- memory ---- */

static void *default_alloc(void *data, void *block, size_t old_size, size_t new_size)
{
    (void)data;
    (void)old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

void *lc_embed_realloc(struct lucio *h, void *block, size_t old_size, size_t new_size)
{
    return h->config.alloc(h->config.alloc_data, block, old_size, new_size);
}

/* lua_Alloc of a state that the host made: no more than its quota. */
static void *state_alloc(void *data, void *block, size_t old_size, size_t new_size)
{
    struct lucio *h = data;
    size_t old = block != NULL ? old_size : 0;
    void *fresh;

    if (!lc_quota_change(h->quota, old, new_size))
        return NULL;
    fresh = h->config.alloc(h->config.alloc_data, block, old_size, new_size);
    if (fresh == NULL && new_size > 0)
        lc_quota_change(h->quota, new_size, old);
    return fresh;
}

/* ---- calls into Lua ---- */

lua_State *lc_embed_state(struct lucio *h)
{
    if (h->caller != NULL)
        return h->caller;
    return h->loop->L != NULL ? h->loop->L : h->L;
}

int lc_embed_enter(struct lucio *h)
{
    if (h == NULL)
        return LUCIO_INVALID;
    if (h->host == NULL)
        return LUCIO_CLOSED;
    if (!lua_checkstack(lc_embed_state(h), 20))
        return lc_embed_refuse(h, LUCIO_NO_MEMORY, "not enough memory");
    return LUCIO_OK;
}

int lc_embed_enter_slot(const void *handle, enum lc_slot_kind kind, void *slot)
{
    struct lc_slot *found = lc_slot_find(handle, kind);

    *(void **)slot = found;
    return found != NULL ? lc_embed_enter(found->h) : lc_slot_refuse(handle, NULL);
}

int lc_embed_enter_out(struct lucio *h, void *out)
{
    int status = lc_embed_enter(h);

    if (out != NULL)
        *(void **)out = NULL;
    else if (status == LUCIO_OK)
        status = lc_embed_refuse(h, LUCIO_INVALID, "there is no place for the result");
    return status;
}

int lc_embed_enter_value(struct lucio *h, int status, struct lucio_value *out)
{
    if (out != NULL)
        *out = lucio_nil();
    else if (status == LUCIO_OK)
        status = lc_embed_refuse(h, LUCIO_INVALID, "there is no place for the result");
    return status;
}

int lc_embed_protect(struct lucio *h, lua_CFunction fn, void *args)
{
    lua_State *L = lc_embed_state(h);

    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, args);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
        return LUCIO_OK;
    return lc_embed_fail(h, L);
}

/* ---- opening ---- */

/* (loop, context): what reaches the exception handler of a host with on_error. */
static int on_exception(lua_State *L)
{
    struct lucio *h = lua_touserdata(L, lua_upvalueindex(1));
    struct lc_error_texts texts = {0};
    struct lc_call *outer;

    lua_settop(L, 2);
    lua_getfield(L, 2, "exception");
    if (lua_isnil(L, -1)) {
        lua_getfield(L, 2, "message");
        lc_embed_read_error(L, h, -1, &texts);
    } else {
        lc_embed_read_error(L, h, -1, &texts);
    }
    outer = lc_embed_begin_call(h, NULL);
    h->config.on_error(h, &texts.error, h->config.data);
    lc_embed_end_call(h, outer);
    lc_embed_free_texts(h, &texts);
    return 0;
}

static void on_log(struct lc_host *host, const char *text, size_t length)
{
    struct lucio *h = host->embed;

    h->config.on_log(h, text, length, h->config.data);
}

/* KeyboardInterrupt and SystemExit of a guest have no call to leave: they are reported. */
static void on_raised(lua_State *L, struct lc_loop *loop)
{
    struct lucio *h = loop->host->embed;
    struct lc_call *outer;

    if (h == NULL)
        lua_pop(L, 1);
    else if (lc_embed_fail(h, L) == LUCIO_EXIT && h->config.on_error != NULL) {
        outer = lc_embed_begin_call(h, NULL);
        h->config.on_error(h, &h->failure.error, h->config.data);
        lc_embed_end_call(h, outer);
    }
}

static void on_state_closed(struct lc_host *host);

static void open_loop(lua_State *L, struct lucio *h, struct lc_host *host)
{
    struct lc_loop *loop;

    if (h->config.loop != NULL)
        loop = lc_loop_object_lend(L, host, h->config.loop);
    else
        loop = lc_loop_object_new(L, host, h->config.backend);
    h->loop_anchor = lc_anchor(L, host);
    h->loop = loop;
    if (loop->guest != NULL)
        lc_guest_on_raised(loop, on_raised);
    if (h->config.on_error != NULL) {
        lua_pushlightuserdata(L, h);
        lua_pushcclosure(L, on_exception, 1);
        loop->exception_handler = lc_anchor(L, host);
    }
}

/* The libraries of a sandbox: nothing that reaches out of the state. */
#define SAFE_LIBRARIES (LUCIO_LIB_BASE | LUCIO_LIB_TABLE | LUCIO_LIB_STRING | LUCIO_LIB_MATH)

/* Which libraries a state that the host makes has. */
static unsigned state_libraries(const struct lucio *h)
{
    return h->config.libraries & (h->config.sandbox ? SAFE_LIBRARIES : ~0u);
}

/* What the configuration limits, of a state that the host made and of one of the program's. */
static void open_limits(lua_State *L, struct lucio *h, struct lc_host *host)
{
    const struct lc_limits limits = {.libraries = h->owns_state ? state_libraries(h)
                                                                : lc_limits_find_libraries(L),
                                     .sandbox = h->config.sandbox,
                                     .step = h->config.step_instructions,
                                     .task = h->config.task_instructions,
                                     .quota = h->quota};

    lc_limits_set(L, host, &limits);
}

/* A sandbox that is told nothing else allows nothing. */
static void open_permits(lua_State *L, struct lucio *h, struct lc_host *host)
{
    const char *allow = h->config.allow;

    if (allow == NULL && h->config.sandbox)
        allow = "";
    if (allow != NULL && (!lc_permits_begin(host) || lc_permits_add_text(host, allow) != NULL))
        luaL_error(L, "not enough memory");
}

/* (h) */
static int open_host(lua_State *L)
{
    struct lucio *h = lua_touserdata(L, 1);
    struct lc_host *host;

    if (h->owns_state) {
        luaL_checkversion(L);
        lc_limits_open_libraries(L, state_libraries(h));
    }
    host = lc_host_open(L);
    h->L = host->L;
    if (host->embed != NULL)
        return luaL_error(L, "the state has a host already");
    if (h->owns_state || h->config.debug)
        host->options.debug = h->config.debug;
    host->options.backend = h->config.backend;
    if (h->config.shutdown_timeout >= 0)
        host->options.shutdown_timeout = h->config.shutdown_timeout;
    host->clock.is_virtual = h->config.virtual_clock;
    open_limits(L, h, host);
    open_permits(L, h, host);
    luaL_requiref(L, "lucio", luaopen_lucio, 0);
    lua_pop(L, 1);
    host->is_module = false;
    lc_embed_open_functions(L, h);
    h->scratch = lc_anchor_reserve(L, host);
    open_loop(L, h, host);
    host->confined = h->config.sandbox || h->config.step_instructions > 0 ||
                     h->config.task_instructions > 0 || h->config.memory_limit > 0 ||
                     (h->owns_state && state_libraries(h) != LUCIO_LIB_ALL);
    if (h->config.on_log != NULL)
        host->log = on_log;
    lc_embed_open_posts(h);
    host->embed = h;
    host->on_close = on_state_closed;
    h->host = host;
    return 0;
}

static struct lucio *shell_new(const struct lucio_config *config)
{
    struct lucio *h = calloc(1, sizeof *h);

    if (h == NULL)
        return NULL;
    lucio_config_init(&h->config);
    if (config != NULL)
        memcpy(&h->config, config,
               config->size < sizeof h->config ? config->size : sizeof h->config);
    if (h->config.alloc == NULL)
        h->config.alloc = default_alloc;
    lc_list_init(&h->refs);
    lc_list_init(&h->triggers);
    lc_slots_init(h);
    h->loop_anchor = LC_NO_ANCHOR;
    h->scratch = LC_NO_ANCHOR;
    atomic_init(&h->references, 1);
    pthread_mutex_init(&h->mutex, NULL);
    return h;
}

/* The permissions of a configuration; programs that know none have a shorter one. */
static const char *config_allow(const struct lucio_config *config)
{
    size_t size = offsetof(struct lucio_config, allow) + sizeof config->allow;

    return config->size >= size ? config->allow : NULL;
}

const char *lucio_config_check(const struct lucio_config *config)
{
    if (config == NULL)
        return NULL;
    if (config->size < offsetof(struct lucio_config, libraries))
        return "the configuration was not initialised by lucio_config_init";
    if (config->sandbox && config->state != NULL)
        return "a sandbox needs a state of the host's own";
    if (config->step_instructions < 0 || config->task_instructions < 0)
        return "a limit of instructions is negative";
    if (config_allow(config) != NULL && config->state != NULL)
        return "permissions need a state of the host's own";
    if (config_allow(config) != NULL && lc_permits_add_text(NULL, config_allow(config)) != NULL)
        return "what is allowed cannot be read";
    if (config->loop != NULL && config->virtual_clock)
        return "a guest has no virtual clock";
    return NULL;
}

/* Opening failed: gives back what there is. */
static int open_failed(struct lucio *h, int status)
{
    lua_State *L = h->L;

    if (h->owns_state && L != NULL)
        lua_close(L);
    lucio_release(h);
    return status;
}

int lucio_open(lucio **out, const struct lucio_config *config)
{
    struct lucio *h;
    lua_State *L;
    int status;

    if (out == NULL)
        return LUCIO_INVALID;
    *out = NULL;
    if (lucio_config_check(config) != NULL)
        return LUCIO_INVALID;
    h = shell_new(config);
    if (h == NULL)
        return LUCIO_NO_MEMORY;
    L = h->config.state;
    h->owns_state = L == NULL;
    if (h->owns_state && h->config.memory_limit > 0) {
        h->quota = lc_quota_new(h->config.memory_limit);
        if (h->quota == NULL)
            return open_failed(h, LUCIO_NO_MEMORY);
    }
    if (h->owns_state)
        L = lua_newstate(state_alloc, h);
    if (L == NULL)
        return open_failed(h, LUCIO_NO_MEMORY);
    h->L = L;
    if (!lua_checkstack(L, 20))
        return open_failed(h, LUCIO_NO_MEMORY);
    lua_pushcfunction(L, open_host);
    lua_pushlightuserdata(L, h);
    status = lua_pcall(L, 1, 0, 0);
    if (status == LUA_OK) {
        *out = h;
        return LUCIO_OK;
    }
    status =
        status == LUA_ERRMEM || lua_type(L, -1) == LUA_TSTRING ? LUCIO_NO_MEMORY : LUCIO_INVALID;
    if (lua_type(L, -1) == LUA_TSTRING && strstr(lua_tostring(L, -1), "host already") != NULL)
        status = LUCIO_BUSY;
    lua_pop(L, 1);
    return open_failed(h, status);
}

/* ---- closing ---- */

/* Turns that the clean-up of a guest may take: a task that never ends must not keep it from closing. */
#define GUEST_TURNS_MAX 10000

/* A guest cannot wait: clean-up runs as far as it gets without. */
static void shut_down_guest(lua_State *L, struct lc_loop *loop)
{
    lc_tasks_push(L, loop);
    lc_tasks_cancel(L, loop->host, -1);
    lua_pop(L, 1);
    for (int turns = 0; turns < GUEST_TURNS_MAX && loop->host->tasks > 0; turns++) {
        if (lc_loop_timeout(loop) != 0)
            break;
        if (lc_loop_run_span(L, loop, LC_SPAN_TURN) == LC_RUN_RAISED)
            lua_error(L);
    }
}

/* (h) */
static int shut_down(lua_State *L)
{
    struct lucio *h = lua_touserdata(L, 1);

    if (h->loop->guest != NULL)
        shut_down_guest(L, h->loop);
    else if (lc_shut_down(L, h->loop))
        return lua_error(L);
    return 0;
}

/* Cuts all off that leads from the program to the state. Without room on the stack the loop is left to
 * the state's own end. */
static void detach(struct lucio *h, bool has_room)
{
    struct lc_host *host = h->host;

    lc_embed_abandon_posts(h);
    lc_embed_abandon_refs(h);
    if (has_room) {
        lc_loop_close(h->L, h->loop);
        lc_anchor_drop(h->L, host, &h->loop_anchor);
        lc_anchor_drop(h->L, host, &h->scratch);
    }
    host->embed = NULL;
    host->log = NULL;
    host->on_close = NULL;
    host->on_posted = NULL;
    h->host = NULL;
    h->loop = NULL;
}

/* The program closed its state under the host. */
static void on_state_closed(struct lc_host *host)
{
    struct lucio *h = host->embed;

    lc_embed_abandon_posts(h);
    lc_embed_abandon_refs(h);
    h->host = NULL;
    h->loop = NULL;
}

int lucio_close(lucio *h)
{
    bool has_room;

    if (h == NULL)
        return LUCIO_OK;
    if (h->closed)
        return LUCIO_CLOSED;
    if (h->host != NULL) {
        if (h->closing || h->depth > 0 || h->host->loop != NULL || h->host->current != NULL)
            return LUCIO_BUSY;
        h->closing = true;
        has_room = lua_checkstack(h->L, 40);
        if (has_room && lc_embed_protect(h, shut_down, h) != LUCIO_OK) {
            lc_host_log(h->host, "lucio_close: ");
            lc_host_log(h->host, h->failure.error.message);
            lc_host_log(h->host, "\n");
        }
        detach(h, has_room);
        if (h->owns_state)
            lua_close(h->L);
        h->L = NULL;
    }
    h->closed = true;
    lucio_release(h);
    return LUCIO_OK;
}

lucio *lucio_retain(lucio *h)
{
    if (h != NULL)
        atomic_fetch_add(&h->references, 1);
    return h;
}

void lucio_release(lucio *h)
{
    if (h == NULL || atomic_fetch_sub(&h->references, 1) != 1)
        return;
    lc_embed_free_texts(h, &h->failure);
    lc_slots_finish(h);
    lc_quota_release(h->quota);
    pthread_mutex_destroy(&h->mutex);
    free(h);
}

struct lua_State *lucio_state(lucio *h)
{
    return h != NULL && h->host != NULL ? h->L : NULL;
}

void *lucio_data(lucio *h)
{
    return h != NULL ? h->config.data : NULL;
}
