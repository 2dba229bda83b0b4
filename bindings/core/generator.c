/*
 * generator: async generators (SEMANTICS AG): a body that yields values to who advances it and may
 * await in between.
 * States: made, suspended at a yield, running (also while it awaits), finished.
 * Owner: Lua's collector. User value 1 is the body's thread, 2 the coroutine whose `for` goes through
 *        it and will not close it. A started generator is in its loop's list, and is closed by a
 *        task of the loop when it is collected or the run ends.
 */
#include "generator.h"

#include <lauxlib.h>

#include "budget.h"
#include "core.h"
#include "coroutine.h"
#include "for_loop.h"
#include "report.h"
#include "traceback.h"

enum generator_state { GENERATOR_MADE, GENERATOR_SUSPENDED, GENERATOR_RUNNING, GENERATOR_FINISHED };

/* What a suspended yield does when the body goes on. */
enum advance { ADVANCE_SEND, ADVANCE_THROW };

struct generator {
    struct lc_object object;
    struct lc_link link;   /* loop->generators */
    struct lc_entry entry; /* of the close that the collector asks for */
    struct lc_loop *loop;
    uint32_t generation;
    lua_State *thread;
    enum generator_state state;
    enum advance advance;
    bool failed;
    bool closing;
    int anchor;
};

static const struct lc_type generator_type = {"Generator", sizeof(struct generator)};

static struct generator *check_generator(lua_State *L, const char *what)
{
    return lc_check_self(L, &generator_type, what);
}

/* ---- the body ---- */

static int body_k(lua_State *L, int status, lua_KContext ctx)
{
    struct generator *generator = (struct generator *)ctx;

    (void)L;
    generator->failed = status != LUA_OK && status != LUA_YIELD;
    return generator->failed ? 1 : 0;
}

/* (handler, fn, ...) in the generator's own thread; `<close>` variables may await. */
static int body(lua_State *L)
{
    struct generator *generator = lua_touserdata(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 2, (lua_KContext)generator, body_k);

    return body_k(L, status, (lua_KContext)generator);
}

static struct generator *generator_of_thread(lua_State *L, struct lc_host *host)
{
    struct generator *generator;

    lc_host_push_ref(L, host, LC_REF_GENERATOR_THREADS);
    lua_pushthread(L);
    lua_rawget(L, -2);
    generator = lc_to_object(L, -1, &generator_type);
    lua_pop(L, 2);
    return generator;
}

bool lc_generator_is_thread(lua_State *L, struct lc_host *host)
{
    return generator_of_thread(L, host) != NULL;
}

static int yield_k(lua_State *L, int status, lua_KContext ctx)
{
    struct generator *generator = (struct generator *)ctx;

    (void)status;
    if (generator->advance == ADVANCE_THROW)
        return lua_error(L);
    return 1;
}

int lc_generator_yield(lua_State *L, struct lc_host *host)
{
    struct generator *generator = generator_of_thread(L, host);

    return lua_yieldk(L, lua_gettop(L), (lua_KContext)generator, yield_k);
}

/* ---- advancing ---- */

static void finish(struct lc_host *host, struct generator *generator)
{
    if (generator->state == GENERATOR_FINISHED)
        return;
    if (generator->state != GENERATOR_MADE)
        lc_list_unlink(&generator->link);
    generator->state = GENERATOR_FINISHED;
    host->generators--;
}

static int advance_k(lua_State *L, int status, lua_KContext ctx);

/* Runs the body until it yields, ends or fails. Stack: 1 the generator. */
static int advance_on(lua_State *L, struct lc_host *host, struct generator *generator, int nargs)
{
    lua_State *co = generator->thread;
    int results, status;

    status = lc_coroutine_resume(L, host, co, nargs, &results);
    if (results == LC_AWAITING) {
        lua_settop(L, 1);
        return lc_coroutine_suspend(L, host, co, 0, advance_k);
    }
    if (status == LUA_YIELD) {
        generator->state = GENERATOR_SUSPENDED;
        luaL_checkstack(L, results + 1, "too many values");
        lua_xmove(co, L, results);
        return results;
    }
    finish(host, generator);
    if (status == LUA_OK && !generator->failed) {
        lua_settop(co, 0);
        lua_pushnil(L);
        return 1;
    }
    lua_xmove(co, L, 1);
    lc_traceback_pass(L, host, -1, -1);
    return lua_error(L);
}

static int advance_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    struct generator *generator = lua_touserdata(L, 1);

    (void)status;
    (void)ctx;
    lc_coroutine_woken(generator->thread);
    return advance_on(L, host, generator, 0);
}

/* First advance: the loop gets to know it. */
static void start(lua_State *L, struct lc_host *host, struct generator *generator)
{
    (void)L;
    if (host->loop->closing_generators)
        lua_writestringerror("%s\n", "ResourceWarning: an async generator was first advanced while "
                                     "those of its loop were being closed");
    generator->loop = host->loop;
    generator->generation = host->loop->generation;
    lc_list_append(&host->loop->generators, &generator->link);
}

/* Advances with the value on top of the stack, which is sent or thrown. */
static int advance(lua_State *L, struct lc_host *host, struct generator *generator,
                   enum advance how, const char *what)
{
    int nargs = 1;

    if (generator->state == GENERATOR_RUNNING)
        lc_raise(L, host, LC_RUNTIME_ERROR, "%s: asynchronous generator is already running", what);
    if (generator->state == GENERATOR_FINISHED) {
        if (how == ADVANCE_THROW)
            return lua_error(L);
        lua_pushnil(L);
        return 1;
    }
    if (host->loop == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "%s: no running event loop", what);
    if (generator->state == GENERATOR_MADE) {
        if (how == ADVANCE_THROW) {
            finish(host, generator);
            return lua_error(L);
        }
        if (!lua_isnil(L, -1))
            lc_raise(L, host, LC_TYPE_ERROR,
                     "can't send non-nil value to a just-started async generator");
        start(L, host, generator);
        nargs = lua_gettop(generator->thread) - 1;
    } else {
        lua_xmove(L, generator->thread, 1);
    }
    generator->advance = how;
    generator->state = GENERATOR_RUNNING;
    lua_settop(L, 1);
    return advance_on(L, host, generator, nargs);
}

/* ---- loops that do not close what they go through ---- */

/* Looks at the loops of a task that has made a step: a generator whose loop was left is closed by a task
 * of its own. (task) */
static int close_left_loops(lua_State *L)
{
    struct lc_task *task = lua_touserdata(L, 1);
    struct lc_loop *loop = task->future.loop;
    lua_Integer kept = 0, count;

    lc_task_push(L, task); /* 2 */
    lc_future_push_extra(L, 2, LC_EXTRA_LOOPS);
    count = (lua_Integer)lua_rawlen(L, 3);
    for (lua_Integer i = 1; i <= count; i++) {
        struct generator *generator;

        lua_settop(L, 3);
        lua_rawgeti(L, 3, i);
        generator = lua_touserdata(L, 4);
        lua_getiuservalue(L, 4, 2);
        if (generator->state == GENERATOR_FINISHED)
            continue;
        if (generator->state == GENERATOR_RUNNING ||
            lc_for_is_active(lua_tothread(L, 5), generator)) {
            lua_pushvalue(L, 4);
            lua_rawseti(L, 3, ++kept);
            continue;
        }
        lua_settop(L, 4);
        lc_generator_push_close(L, loop->host, 0);
        lua_insert(L, 4);
        lc_task_new(L, loop, 1, 0, LC_TASK_PLAIN);
    }
    lua_settop(L, 3);
    for (lua_Integer i = count; i > kept; i--) {
        lua_pushnil(L);
        lua_rawseti(L, 3, i);
    }
    task->in_loops = kept > 0;
    return 0;
}

static void after_step(lua_State *L, struct lc_task *task)
{
    struct lc_host *host = task->future.loop->host;

    luaL_checkstack(L, 4, NULL);
    host->current = NULL;
    lua_pushcfunction(L, close_left_loops);
    lua_pushlightuserdata(L, task);
    /* without memory they stay as they are: the end of the loop closes them */
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        lua_pop(L, 1);
    host->current = task;
}

/* The running task begins a `for` over the generator at 1 that will not close it. */
static void watch_loop(lua_State *L, struct lc_host *host)
{
    struct lc_task *task = host->current;

    lua_pushthread(L);
    lua_setiuservalue(L, 1, 2);
    lc_task_push(L, task);
    lc_future_push_extra(L, -1, LC_EXTRA_LOOPS);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lc_future_set_extra(L, -3, LC_EXTRA_LOOPS);
    }
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    task->in_loops = true;
}

/* generator(state, control) in a `for`: the next values, nil at the end. generator() without
 * arguments gives the four values of a `for` whose break closes it. */
static int generator_call(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct generator *generator = check_generator(L, "generator");

    if (lua_gettop(L) == 1) {
        lua_pushnil(L);
        lua_pushnil(L);
        if (lc_for_closes(L, host)) {
            lua_pushvalue(L, 1);
            return 4;
        }
        if (host->current != NULL)
            watch_loop(L, host);
        lua_settop(L, 1);
        return 1;
    }
    lua_settop(L, 1);
    lua_pushnil(L);
    return advance(L, host, generator, ADVANCE_SEND, "generator");
}

/* generator:asend(value) -> the next values. May suspend. */
static int generator_asend(lua_State *L)
{
    struct generator *generator = check_generator(L, "asend");

    lua_settop(L, 2);
    return advance(L, lc_host_of(L), generator, ADVANCE_SEND, "asend");
}

/* generator:athrow(error) -> the next values. May suspend. */
static int generator_athrow(lua_State *L)
{
    struct generator *generator = check_generator(L, "athrow");

    lua_settop(L, 2);
    if (lc_is_class(L, 2)) {
        lua_pushvalue(L, 2);
        lua_call(L, 0, 1);
    }
    return advance(L, lc_host_of(L), generator, ADVANCE_THROW, "athrow");
}

/* After aclose's throw. Stack: 1 the generator, 2 the handler, then what came. */
static int aclose_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    struct generator *generator = lua_touserdata(L, 1);

    (void)ctx;
    generator->closing = false;
    if (status == LUA_OK || status == LUA_YIELD) {
        if (generator->state == GENERATOR_SUSPENDED)
            lc_raise(L, host, LC_RUNTIME_ERROR, "async generator ignored GeneratorExit");
        return 0;
    }
    if (lc_error_is(L, host, -1, LC_GENERATOR_EXIT))
        return 0;
    return lua_error(L);
}

/* generator:aclose(). May suspend. */
static int generator_aclose(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct generator *generator = check_generator(L, "aclose");
    int status;

    lua_settop(L, 1);
    if (generator->state == GENERATOR_FINISHED)
        return 0;
    if (generator->state == GENERATOR_MADE) {
        finish(host, generator);
        return 0;
    }
    if (generator->state == GENERATOR_RUNNING)
        lc_raise(L, host, LC_RUNTIME_ERROR, "aclose: asynchronous generator is already running");
    generator->closing = true;
    lua_pushcfunction(L, lc_traceback_handler);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushcclosure(L, generator_athrow, 1);
    lua_pushvalue(L, 1);
    lc_error_push_bare(L, host, LC_GENERATOR_EXIT);
    status = lua_pcallk(L, 2, 0, 2, 0, aclose_k);
    return aclose_k(L, status, 0);
}

void lc_generator_push_close(lua_State *L, struct lc_host *host, int idx)
{
    (void)idx;
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, generator_aclose, 1);
}

/* ---- collected unfinished ---- */

static void collected_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct generator *generator = lc_container_of(entry, struct generator, entry);
    lua_State *L = loop->L;

    luaL_checkstack(L, 8, NULL);
    lc_generator_push_close(L, loop->host, 0);
    lc_anchor_push(L, loop->host, generator->anchor);
    lc_anchor_drop(L, loop->host, &generator->anchor);
    lc_task_new(L, loop, 1, 0, LC_TASK_PLAIN)->must_cancel = false; /* of a doomed loop too */
    lua_pop(L, 1);
}

static void collected_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    lc_anchor_drop(L, loop->host, &lc_container_of(entry, struct generator, entry)->anchor);
}

static const struct lc_entry_type collected_entry = {collected_run, collected_forget, NULL, NULL};

/* The collector found it: a task of its loop closes it (AG1). */
static int generator_gc(lua_State *L)
{
    struct generator *generator = lc_to_finalize(L, &generator_type);
    struct lc_loop *loop = generator != NULL ? generator->loop : NULL;

    if (generator == NULL || generator->state == GENERATOR_FINISHED)
        return 0;
    if (loop == NULL || generator->state != GENERATOR_SUSPENDED ||
        loop->generation != generator->generation || loop->state == LC_LOOP_CLOSED ||
        loop->host->closed)
        return 0;
    lua_settop(L, 1);
    generator->anchor = lc_anchor(L, loop->host);
    lc_loop_ready(loop, &generator->entry);
    return 0;
}

void lc_generators_push(lua_State *L, struct lc_loop *loop)
{
    lua_Integer n = 0;

    lua_newtable(L);
    for (struct lc_link *link = loop->generators.next; link != &loop->generators;
         link = link->next) {
        lc_pointer_push(L, loop->host, lc_container_of(link, struct generator, link));
        if (lua_isnil(L, -1))
            lua_pop(L, 1);
        else
            lua_rawseti(L, -2, ++n);
    }
}

/* lucio.generator(fn, ...) -> Generator */
static int lucio_generator(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    int n = lua_gettop(L);
    struct generator *generator;
    lua_State *co;

    lc_check_callable(L, 1, "generator", 1);
    generator = lc_new_object(L, host, &generator_type, LC_REF_GENERATOR, sizeof *generator, 2);
    lua_insert(L, 1);
    lc_list_init(&generator->link);
    lc_entry_init(&generator->entry, &collected_entry);
    lc_pointer_register(L, host, 1);
    co = lua_newthread(L);
    lc_budget_charge_thread(L, host, co);
    lua_setiuservalue(L, 1, 1);
    lc_host_push_ref(L, host, LC_REF_GENERATOR_THREADS);
    lua_getiuservalue(L, 1, 1);
    lua_pushvalue(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    if (!lua_checkstack(co, n + 4))
        return luaL_error(L, "too many arguments to a generator");
    lua_pushcfunction(co, body);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcfunction(co, lc_traceback_handler);
    lua_xmove(L, co, n);
    generator->thread = co;
    host->generators++;
    return 1;
}

static int generator_tostring(lua_State *L)
{
    static const char *const names[] = {"made", "suspended", "running", "finished"};
    struct generator *generator = check_generator(L, "tostring");

    lua_pushfstring(L, "<Generator %s>", names[generator->state]);
    return 1;
}

void lc_open_generator(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"asend", generator_asend},
                                       {"athrow", generator_athrow},
                                       {"aclose", generator_aclose},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__call", generator_call},
                                           {"__close", generator_aclose},
                                           {"__gc", generator_gc},
                                           {"__tostring", generator_tostring},
                                           {NULL, NULL}};
    static const luaL_Reg functions[] = {{"generator", lucio_generator}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_GENERATOR, "lucio.Generator", methods, metamethods);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lc_host_set_ref(L, host, LC_REF_GENERATOR_THREADS);
    lc_open_for_loop(L, host);
    host->after_step = after_step;
    lc_set_functions(L, host, functions);
}
