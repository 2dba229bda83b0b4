/* Tests of lucio in Lua states of a C program: many of them, side by side, opened and closed. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <lauxlib.h>

#include "lucio.h"
#include "state.h"

/* Closes the state; everything it allocated must be given back. */
static void close_state(lua_State *L, struct memory *memory)
{
    lua_close(L);
    assert_int_equal(memory->balance, 0);
    assert_int_equal(memory->wrong_sizes, 0);
}

static void open_gives_the_same_module_twice(void **state)
{
    struct memory memory = {0};
    lua_State *L = state_new(&memory);

    (void)state;
    assert_int_equal(luaopen_lucio(L), 1);
    assert_int_equal(luaopen_lucio(L), 1);
    assert_true(lua_rawequal(L, -1, -2));
    lua_pushfstring(L, "lucio %s", lucio_version());
    lua_getfield(L, -2, "_VERSION");
    assert_true(lua_rawequal(L, -1, -2));
    close_state(L, &memory);
}

/* Runs a chunk in a Lua thread of its own, in a thread of its own. */
static void *call_from_thread(void *argument)
{
    lua_State *L = argument;

    if (lua_pcall(L, 0, 0, 0) == LUA_OK)
        lua_pushliteral(L, "no error");
    return NULL;
}

/* (function): calls it from another thread; returns the error's text. */
static int call_elsewhere(lua_State *L)
{
    lua_State *other = lua_newthread(L);
    pthread_t thread;

    lua_pushvalue(L, 1);
    lua_xmove(L, other, 1);
    pthread_create(&thread, NULL, call_from_thread, other);
    pthread_join(thread, NULL);
    lua_pushstring(L, luaL_tolstring(other, -1, NULL));
    return 1;
}

static void debug_mode_refuses_other_threads(void **state)
{
    struct memory memory = {0};
    lua_State *L = state_new(&memory);

    (void)state;
    lua_register(L, "call_elsewhere", call_elsewhere);
    state_do(L,
             "lucio.run(function()\n"
             "  local loop = lucio.get_running_loop()\n"
             "  local function call() loop:call_soon(function() end) end\n"
             "  assert(call_elsewhere(call) == 'no error')\n"
             "  loop:set_debug(true)\n"
             "  local text = call_elsewhere(call)\n"
             "  assert(text == \"call_soon: called from another thread than the loop's\", text)\n"
             "  call()\n"
             "end)",
             0);
    close_state(L, &memory);
}

static void *watch_and_close(void *argument)
{
    struct memory memory = {0};
    lua_State *L = state_new(&memory);

    (void)argument;
    state_do(L, state_work, 0);
    for (int i = 0; i < 20; i++) {
        state_do(L,
                 "lucio.watchdog(0.004, {kill = true})\n"
                 "local ok, e = pcall(lucio.run, function() while true do local _ = {} end end)\n"
                 "assert(not ok and lucio.isinstance(e, lucio.RuntimeError))\n"
                 "lucio.watchdog(60) lucio.run(main) lucio.watchdog()",
                 0);
    }
    state_do(L, "lucio.watchdog(0.004)", 0);
    close_state(L, &memory);
    return NULL;
}

static void each_state_has_a_watchdog_of_its_own(void **state)
{
    pthread_t threads[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, watch_and_close, NULL), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

static void two_hundred_states_leave_nothing(void **state)
{
    size_t files = state_open_files();

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct memory memory = {0};
        lua_State *L = state_new(&memory);

        if (i % 10 == 0) {
            state_do(L, state_work, 0);
            state_do(L, "assert(lucio.run(main) == 'done')", 0);
        }
        close_state(L, &memory);
    }
    assert_int_equal(state_open_files(), files);
}

static void a_state_can_be_closed_with_everything_under_way(void **state)
{
    size_t files = state_open_files();
    struct memory memory = {0};
    lua_State *L = state_new(&memory);

    (void)state;
    state_do(L,
             "loop = lucio.new_event_loop()\n"
             "loop:set_exception_handler(function() end)\n"
             "local queue, lock = lucio.Queue(1), lucio.Lock()\n"
             "local function stuck()\n"
             "  local _ <close> = setmetatable({}, {__close = function() lucio.sleep(1) end})\n"
             "  lucio.gather(lucio.Future(), function() queue:get() end)\n"
             "end\n"
             "loop:create_task(stuck)\n"
             "loop:create_task(lucio.sleep, 100)\n"
             "loop:create_task(function() local _ <close> = lock:acquire() lock:acquire() end)\n"
             "loop:create_task(function() local _ <close> = lucio.timeout(9) queue:get() end)\n"
             "loop:create_task(error, 'lost')\n"
             "loop:create_task(function()\n"
             "  for _ in lucio.generator(function() coroutine.yield(1) end)() do\n"
             "    lucio.Event():wait()\n"
             "  end\n"
             "end)\n"
             "loop:call_later(50, function() end)\n"
             "loop:add_reader(0, function() end)\n"
             "loop:add_signal_handler('SIGUSR1', function() end)\n"
             "for _ = 1, 3 do loop:call_soon(loop.stop, loop) loop:run_forever() end\n"
             "loop:create_task(lucio.sleep, 1)\n",
             0);
    assert_true(state_integer(L, "return lucio.stats().tasks") > 5);
    close_state(L, &memory);
    assert_int_equal(state_open_files(), files);
}

static void runs_in_one_state_do_not_add_up(void **state)
{
    struct memory memory = {0};
    lua_State *L = state_new(&memory);
    size_t before = 0;

    (void)state;
    state_do(L, state_work, 0);
    for (int i = 0; i < 60; i++) {
        state_do(L, "assert(lucio.run(main) == 'done')", 0);
        lua_gc(L, LUA_GCCOLLECT);
        lua_gc(L, LUA_GCCOLLECT);
        /* weak tables are rehashed now and then: the most of several runs */
        if (i <= 10 && memory.balance > before)
            before = memory.balance;
    }
    /* what is kept may name a task, whose number has more digits by now */
    assert_in_range(memory.balance, 1, before + 8);
    close_state(L, &memory);
}

static const char counter[] = "loop, count = lucio.new_event_loop(), 0\n"
                              "task = loop:create_task(function()\n"
                              "  while true do count = count + 1 lucio.sleep(0) end\n"
                              "end)\n"
                              "function step()\n"
                              "  loop:call_soon(loop.stop, loop)\n"
                              "  loop:run_forever()\n"
                              "  return count\n"
                              "end\n"
                              "function finish()\n"
                              "  task:cancel()\n"
                              "  pcall(loop.run_until_complete, loop, task)\n"
                              "  loop:close()\n"
                              "end\n";

static void two_hosts_take_turns(void **state)
{
    struct memory memories[2] = {{0}, {0}};
    lua_State *states[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        states[i] = state_new(&memories[i]);
        state_do(states[i], counter, 0);
    }
    for (int turn = 1; turn <= 100; turn++) {
        for (int i = 0; i < 2; i++)
            assert_int_equal(state_integer(states[i], "return step()"), turn);
    }
    for (int i = 0; i < 2; i++)
        state_do(states[i], "finish()", 0);
    close_state(states[0], &memories[0]);
    assert_int_equal(state_integer(states[1], "return count"), 100);
    close_state(states[1], &memories[1]);
}

/* step() of the state in upvalue 1 */
static int step_other(lua_State *L)
{
    lua_State *other = lua_touserdata(L, lua_upvalueindex(1));

    lua_pushinteger(L, state_integer(other, "return step()"));
    return 1;
}

static void a_task_can_run_the_loop_of_another_host(void **state)
{
    struct memory memories[2] = {{0}, {0}};
    lua_State *outer = state_new(&memories[0]);
    lua_State *inner = state_new(&memories[1]);

    (void)state;
    state_do(inner, counter, 0);
    lua_pushlightuserdata(outer, inner);
    lua_pushcclosure(outer, step_other, 1);
    lua_setglobal(outer, "step_other");
    state_do(outer,
             "lucio.run(function()\n"
             "  local function body()\n"
             "    for _ = 1, 10 do step_other() lucio.sleep(0) end\n"
             "    return lucio.current_task():get_name()\n"
             "  end\n"
             "  local names = lucio.gather(lucio.create_task{body, name = 'a'},\n"
             "    lucio.create_task{body, name = 'b'})\n"
             "  assert(names[1] == 'a' and names[2] == 'b')\n"
             "end)\n",
             0);
    assert_int_equal(state_integer(inner, "return count"), 20);
    state_do(inner, "finish()", 0);
    close_state(outer, &memories[0]);
    close_state(inner, &memories[1]);
}

static void *run_in_thread(void *data)
{
    struct memory *memory = data;

    for (int i = 0; i < 10; i++) {
        lua_State *L = state_new(memory);

        state_do(L, state_work, 0);
        for (int run = 0; run < 5; run++)
            state_do(L, "assert(lucio.run(main) == 'done')", 0);
        lua_close(L);
    }
    return NULL;
}

static void each_thread_can_have_a_host(void **state)
{
    struct memory memories[4] = {{0}, {0}, {0}, {0}};
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_in_thread, &memories[i]), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(memories[i].balance, 0);
        assert_int_equal(memories[i].wrong_sizes, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_gives_the_same_module_twice),
        cmocka_unit_test(debug_mode_refuses_other_threads),
        cmocka_unit_test(each_state_has_a_watchdog_of_its_own),
        cmocka_unit_test(two_hundred_states_leave_nothing),
        cmocka_unit_test(a_state_can_be_closed_with_everything_under_way),
        cmocka_unit_test(runs_in_one_state_do_not_add_up),
        cmocka_unit_test(two_hosts_take_turns),
        cmocka_unit_test(a_task_can_run_the_loop_of_another_host),
        cmocka_unit_test(each_thread_can_have_a_host),
    };

    setenv("LUCIO_CLOCK", "virtual", 1);
    return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
