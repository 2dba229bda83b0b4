/* Tests of what signals want of the Lua code that runs: it is found in whatever thread it goes on. The
 * signal is raised inside of a C function, so that the moment is exact. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "lucio.h"
#include "state.h"

/* So long an endless loop lasts before the test has failed. */
#define ENDLESS_SECONDS 60

/* (fn, ...): calls it, with two Ctrl-Cs between the call and its first instruction. */
static int interrupted_call(lua_State *L)
{
    raise(SIGINT);
    raise(SIGINT);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* (...): yields, after two Ctrl-Cs. */
static int interrupted_yield(lua_State *L)
{
    raise(SIGINT);
    raise(SIGINT);
    return lua_yield(L, lua_gettop(L));
}

static int interrupted_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_gettop(L) - 1;
}

/* (fn, ...): calls it, and may be suspended in it; two Ctrl-Cs come first. */
static int interrupted_wait(lua_State *L)
{
    raise(SIGINT);
    raise(SIGINT);
    lua_pushnil(L);
    lua_insert(L, 1);
    lua_callk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, interrupted_k);
    return interrupted_k(L, LUA_OK, 0);
}

static lua_State *open_state(struct memory *memory)
{
    lua_State *L = state_new(memory);

    luaL_requiref(L, "debug", luaopen_debug, 1);
    lua_pop(L, 1);
    lua_register(L, "interrupted_call", interrupted_call);
    lua_register(L, "interrupted_yield", interrupted_yield);
    lua_register(L, "interrupted_wait", interrupted_wait);
    state_do(L,
             "count = 0\n"
             "function endless() while true do count = count + 1 end end\n"
             "function is_interrupt(ok, e) return not ok and e.name == 'KeyboardInterrupt' end\n",
             0);
    return L;
}

/* Runs the body of a main task; `endless` may not count. Where it is `left`, run raises KeyboardInterrupt. */
static void run_main(const char *body, bool left)
{
    struct memory memory = {0};
    lua_State *L = open_state(&memory);

    alarm(ENDLESS_SECONDS);
    lua_pushfstring(L, "assert(%s(pcall(lucio.run, function()\n%s\nend)))",
                    left ? "is_interrupt" : "", body);
    state_do(L, lua_tostring(L, -1), 0);
    alarm(0);
    assert_int_equal(state_integer(L, "return count"), 0);
    lua_settop(L, 0);
    lua_close(L);
    assert_int_equal(memory.balance, 0);
}

static void run(const char *body)
{
    run_main(body, false);
}

static void a_coroutine_is_interrupted_before_its_first_instruction(void **state)
{
    (void)state;
    run("assert(is_interrupt(pcall(interrupted_call, coroutine.wrap(endless))))");
    run("local co = coroutine.create(endless)\n"
        "assert(is_interrupt(select(2, pcall(interrupted_call, coroutine.resume, co))))");
}

static void the_innermost_of_several_coroutines_is_interrupted(void **state)
{
    (void)state;
    run("local inner = coroutine.wrap(function() coroutine.wrap(endless)() end)\n"
        "assert(is_interrupt(pcall(interrupted_call, inner)))");
}

static void a_coroutine_that_goes_on_is_interrupted(void **state)
{
    (void)state;
    run("local step = coroutine.wrap(function() coroutine.yield() endless() end)\n"
        "step()\n"
        "assert(is_interrupt(pcall(interrupted_call, step)))");
}

static void who_resumed_a_coroutine_is_interrupted_when_it_gives_back(void **state)
{
    (void)state;
    run("assert(is_interrupt(pcall(function()\n"
        "  coroutine.wrap(interrupted_yield)()\n"
        "  endless()\n"
        "end)))");
    run("assert(is_interrupt(pcall(function()\n"
        "  coroutine.wrap(function() interrupted_call(coroutine.wrap(function() end)) end)()\n"
        "  endless()\n"
        "end)))");
}

static void a_generator_is_interrupted_before_its_first_instruction(void **state)
{
    (void)state;
    run("local generator = lucio.generator(endless)()\n"
        "assert(is_interrupt(pcall(interrupted_wait, generator.asend, generator)))");
}

static void the_next_task_or_callback_of_the_tick_is_interrupted(void **state)
{
    (void)state;
    run_main("lucio.create_task(interrupted_wait, lucio.sleep, 0)\n"
             "lucio.create_task(endless)\n"
             "lucio.sleep(1)",
             true);
    run_main("lucio.create_task(interrupted_wait, lucio.sleep, 0)\n"
             "lucio.get_running_loop():call_soon(endless)\n"
             "lucio.sleep(1)",
             true);
}

static void an_eager_task_and_who_made_it_are_interrupted(void **state)
{
    (void)state;
    run_main("lucio.get_running_loop():set_task_factory(lucio.eager_task_factory)\n"
             "interrupted_call(lucio.create_task, endless)\n"
             "lucio.sleep(1)",
             true);
    run("lucio.get_running_loop():set_task_factory(lucio.eager_task_factory)\n"
        "assert(is_interrupt(pcall(function()\n"
        "  lucio.create_task(interrupted_wait, lucio.sleep, 0)\n"
        "  endless()\n"
        "end)))");
}

static void an_exception_handler_is_interrupted(void **state)
{
    (void)state;
    run_main("local loop = lucio.get_running_loop()\n"
             "loop:set_exception_handler(endless)\n"
             "local function call() interrupted_call(loop.call_exception_handler, loop, {}) end\n"
             "coroutine.wrap(call)()\n"
             "lucio.sleep(1)",
             true);
}

static void the_clean_up_of_a_coroutine_that_is_closed_is_interrupted(void **state)
{
    (void)state;
    run("local co = coroutine.create(function()\n"
        "  local _ <close> = setmetatable({}, {__close = endless})\n"
        "  coroutine.yield()\n"
        "end)\n"
        "coroutine.resume(co)\n"
        "assert(is_interrupt(interrupted_call(coroutine.close, co)))");
    run("local co = coroutine.create(function()\n"
        "  local _ <close> = setmetatable({}, {__close = endless})\n"
        "  lucio.Future():await()\n"
        "end)\n"
        "lucio.create_task(coroutine.resume, co)\n"
        "lucio.sleep(0)\n"
        "assert(is_interrupt(interrupted_call(coroutine.close, co)))");
}

static void hooks_of_the_program_stay(void **state)
{
    (void)state;
    run("local lines, inner = {}, nil\n"
        "local function note(_, line) lines[#lines + 1] = line end\n"
        "local co = coroutine.create(function()\n"
        "  local ok = pcall(interrupted_yield)\n"
        "  inner = debug.gethook() == note\n"
        "end)\n"
        "debug.sethook(co, note, 'l')\n"
        "debug.sethook(note, 'l')\n"
        "local caught = is_interrupt(pcall(function() coroutine.resume(co) endless() end))\n"
        "local outer = debug.gethook() == note\n"
        "debug.sethook()\n"
        "coroutine.resume(co)\n"
        "assert(caught and outer and inner and #lines > 2)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_coroutine_is_interrupted_before_its_first_instruction),
        cmocka_unit_test(the_innermost_of_several_coroutines_is_interrupted),
        cmocka_unit_test(a_coroutine_that_goes_on_is_interrupted),
        cmocka_unit_test(who_resumed_a_coroutine_is_interrupted_when_it_gives_back),
        cmocka_unit_test(a_generator_is_interrupted_before_its_first_instruction),
        cmocka_unit_test(the_next_task_or_callback_of_the_tick_is_interrupted),
        cmocka_unit_test(an_eager_task_and_who_made_it_are_interrupted),
        cmocka_unit_test(an_exception_handler_is_interrupted),
        cmocka_unit_test(the_clean_up_of_a_coroutine_that_is_closed_is_interrupted),
        cmocka_unit_test(hooks_of_the_program_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
