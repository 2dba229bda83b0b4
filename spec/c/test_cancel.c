/* Tests of cancelling many tasks at once: the outcome of one after the other, with bounded work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <lauxlib.h>

#include "cancel_batch.h"
#include "host.h"
#include "lucio.h"
#include "state.h"

#define GRAPHS 300
#define CHAIN  20000

/* (list of tasks) -> how many tasks were walked by */
static int cancel_batch(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)lc_tasks_cancel(L, lc_host_open(L), 1));
    return 1;
}

/* run(seed, cancel) makes tasks that await each other, sleeps, futures, gathers... at random, cancels all that
 * are left with `cancel`, some a second time, and returns all that the tasks have seen, in order. */
static const char graphs[] =
    "local function make(seed, cancel)\n"
    "  local function random(n)\n"
    "    seed = (seed * 1103515245 + 12345) % 2147483648\n"
    "    return seed // 65536 % n + 1\n"
    "  end\n"
    "  local log, n = {}, random(14) + 1\n"
    "  local tasks, futures = {}, {lucio.Future(), lucio.Future()}\n"
    "  local event = lucio.Event()\n"
    "  local function other() return tasks[random(n)] end\n"
    "  local waits = {\n"
    "    function() other():await() end, function() other():await() end,\n"
    "    function() other():await() end, function() lucio.await(other()) end,\n"
    "    function() lucio.sleep(random(3)) end,\n"
    "    function() event:wait() end,\n"
    "    function() futures[random(2)]:await() end,\n"
    "    function() lucio.gather(other(), other()) end,\n"
    "    function() lucio.gather{other(), lucio.sleep, return_exceptions = true} end,\n"
    "    function() lucio.shield(other()):await() end,\n"
    "    function() lucio.wait({other(), other()}) end,\n"
    "    function() lucio.wait_for(other(), 2) end,\n"
    "    function() local _ <close> = lucio.timeout(random(3)) other():await() end,\n"
    "    function()\n"
    "      local group <close> = lucio.TaskGroup()\n"
    "      group:create_task(lucio.sleep, 1)\n"
    "      other():await()\n"
    "    end,\n"
    "    function() coroutine.wrap(function() other():await() end)() end}\n"
    "  local function note(i, ok, e)\n"
    "    local name = type(e) == 'table' and e.name or tostring(e)\n"
    "    log[#log + 1] = ('%d %s %s %d'):format(i, ok, name, tasks[i]:cancelling())\n"
    "  end\n"
    "  for i = 1, n do\n"
    "    local stubborn, wait, again = random(5) == 1, waits[random(#waits)], "
    "waits[random(#waits)]\n"
    "    tasks[i] = lucio.create_task(function()\n"
    "      lucio.sleep(0)\n"
    "      local ok, e = pcall(wait)\n"
    "      note(i, ok, e)\n"
    "      if stubborn then note(i, pcall(again)) elseif not ok then error(e, 0) end\n"
    "    end)\n"
    "  end\n"
    "  for _ = 1, random(4) do lucio.sleep(0) end\n"
    "  for _ = 1, random(3) do\n"
    "    local pending = {}\n"
    "    for i = 1, n do\n"
    "      if not tasks[i]:done() then pending[#pending + 1] = tasks[i] end\n"
    "    end\n"
    "    if random(3) == 1 then pending[#pending + 1] = pending[1] end\n"
    "    cancel(pending)\n"
    "    for i = 1, n do log[#log + 1] = i .. ' has ' .. tasks[i]:cancelling() end\n"
    "    for _ = 1, random(2) do lucio.sleep(0) end\n"
    "  end\n"
    "  lucio.sleep(10)\n"
    "  for i = 1, n do\n"
    "    local task = tasks[i]\n"
    "    log[#log + 1] = ('%d %s %s'):format(i, task:done(), task:done() and task:cancelled())\n"
    "    if not task:done() then lucio.wait({task}, {timeout = 0}) task:cancel() end\n"
    "    if task:done() and not task:cancelled() then task:exception() end\n"
    "  end\n"
    "  return table.concat(log, '\\n')\n"
    "end\n"
    "function one_by_one(list) for _, task in ipairs(list) do task:cancel() end end\n"
    "function run(seed, cancel)\n"
    "  local result\n"
    "  local ok, e = pcall(lucio.run, function()\n"
    "    lucio.get_running_loop():set_exception_handler(function() end)\n"
    "    result = make(seed, cancel)\n"
    "  end)\n"
    "  return result or tostring(e)\n"
    "end\n";

static void a_batch_has_the_outcome_of_one_after_the_other(void **state)
{
    struct memory memory = {0};
    lua_State *L = state_new(&memory);

    (void)state;
    lc_host_open(L)->clock.is_virtual = true;
    lua_register(L, "cancel_batch", cancel_batch);
    state_do(L, graphs, 0);
    for (int seed = 1; seed <= GRAPHS; seed++) {
        lua_pushfstring(L,
                        "local batch, single = run(%d, cancel_batch), run(%d, one_by_one)\n"
                        "assert(batch == single, 'seed %d:\\n' .. batch .. '\\n\\n' .. single)",
                        seed * 7919, seed * 7919, seed);
        state_do(L, lua_tostring(L, -1), 0);
        lua_settop(L, 0);
    }
    lua_close(L);
    assert_int_equal(memory.balance, 0);
}

static void a_chain_is_walked_once(void **state)
{
    struct memory memory = {0};
    lua_State *L = state_new(&memory);

    (void)state;
    lua_register(L, "cancel_batch", cancel_batch);
    lua_pushinteger(L, CHAIN);
    lua_setglobal(L, "n");
    state_do(L,
             "lucio.run(function()\n"
             "  local tasks = {}\n"
             "  for i = 1, n do\n"
             "    tasks[i] = lucio.create_task(function()\n"
             "      if i == n then lucio.Future():await() else tasks[i + 1]:await() end\n"
             "    end)\n"
             "  end\n"
             "  lucio.sleep(0)\n"
             "  walked = cancel_batch(tasks)\n"
             "  first, last = tasks[1]:cancelling(), tasks[n]:cancelling()\n"
             "end)",
             0);
    assert_int_equal(state_integer(L, "return walked"), CHAIN);
    assert_int_equal(state_integer(L, "return first"), 1);
    assert_int_equal(state_integer(L, "return last"), CHAIN);
    lua_close(L);
    assert_int_equal(memory.balance, 0);
}

static void a_chain_through_gathers_is_walked_once(void **state)
{
    struct memory memory = {0};
    lua_State *L = state_new(&memory);

    (void)state;
    lua_register(L, "cancel_batch", cancel_batch);
    state_do(L,
             "lucio.run(function()\n"
             "  local tasks = {}\n"
             "  for i = 1, 300 do\n"
             "    tasks[i] = lucio.create_task(function()\n"
             "      if i == 300 then lucio.Future():await()\n"
             "      elseif i == 100 then lucio.gather(tasks[101], tasks[200])\n"
             "      else tasks[i + 1]:await() end\n"
             "    end)\n"
             "  end\n"
             "  lucio.sleep(0)\n"
             "  walked = cancel_batch(tasks)\n"
             "end)",
             0);
    assert_int_equal(state_integer(L, "return walked"), 300);
    lua_close(L);
    assert_int_equal(memory.balance, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_has_the_outcome_of_one_after_the_other),
        cmocka_unit_test(a_chain_is_walked_once),
        cmocka_unit_test(a_chain_through_gathers_is_walked_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
