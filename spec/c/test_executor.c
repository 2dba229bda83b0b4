/*
 * Tests of executors in hosts that a program embeds: several threads, limits, closing, memory.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <lua.h>

#include "lucio.h"
#include "memory.h"

#define HOSTS 4

static const char work[] =
    "local lucio = require 'lucio'\n"
    "local Own = lucio.exception('Own')\n"
    "local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2}\n"
    "local function job(i)\n"
    "  if i % 5 == 0 then error(Own('five', i)) end\n"
    "  return i, {text = ('x'):rep(i)}\n"
    "end\n"
    "local futures, failed = {}, 0\n"
    "for i = 1, 200 do futures[i] = pool:submit(job, i) end\n"
    "for i = 1, 200, 9 do futures[i]:cancel() end\n"
    "for i, future in ipairs(futures) do\n"
    "  local ok, n, t = pcall(future.await, future)\n"
    "  if ok then assert(n == i and #t.text == i) else failed = failed + 1 end\n"
    "end\n"
    "assert(failed >= 36 and failed <= 60)\n";

/* The same with processes, one of which ends. */
static const char process_work[] =
    "local lucio = require 'lucio'\n"
    "local pool <close> = lucio.ProcessPoolExecutor{max_workers = 2}\n"
    "local total = lucio.shared.Value('i64', 0)\n"
    "local futures = {}\n"
    "for i = 1, 40 do\n"
    "  futures[i] = pool:submit(function()\n"
    "    if i == 20 then os.exit(7) end\n"
    "    total:add(1)\n"
    "    return i\n"
    "  end)\n"
    "end\n"
    "for i, future in ipairs(futures) do\n"
    "  local ok, n = pcall(future.await, future)\n"
    "  assert(ok and n == i or i == 20 and n.exitcode == 7)\n"
    "end\n"
    "assert(total.value == 39)\n";

/* A thread's host, from its opening to its closing; NULL: all went well. */
static void *live(void *unused)
{
    const char *problem = NULL;
    lucio *host;

    (void)unused;
    if (lucio_open(&host, NULL) != LUCIO_OK)
        return (void *)"cannot open";
    for (int i = 0; i < 3 && problem == NULL; i++) {
        if (lucio_run_string(host, work, NULL) != LUCIO_OK ||
            lucio_run_string(host, process_work, NULL) != LUCIO_OK)
            problem = "the script failed";
    }
    if (lucio_close(host) != LUCIO_OK)
        problem = "cannot close";
    return (void *)problem;
}

static void hosts_on_several_threads_have_executors(void **unused)
{
    pthread_t threads[HOSTS];

    (void)unused;
    for (int i = 0; i < HOSTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, live, NULL), 0);
    for (int i = 0; i < HOSTS; i++) {
        void *problem;

        pthread_join(threads[i], &problem);
        if (problem != NULL)
            fail_msg("%s", (const char *)problem);
    }
}

/* Runs the code in a host with that configuration; its status. */
static int run_with(const struct lucio_config *config, const char *code)
{
    lucio *host;
    int status;

    assert_int_equal(lucio_open(&host, config), LUCIO_OK);
    status = lucio_run_string(host, code, NULL);
    if (status != LUCIO_OK)
        print_message("%s\n", lucio_last_error(host)->message);
    assert_int_equal(lucio_close(host), LUCIO_OK);
    return status;
}

static void a_sandbox_has_none(void **unused)
{
    static const char refused[] = "local lucio = require 'lucio'\n"
                                  "local ok, e = pcall(lucio.to_thread, function() end)\n"
                                  "assert(not ok and lucio.isinstance(e, lucio.RuntimeError))\n"
                                  "assert(not pcall(lucio.ThreadPoolExecutor))\n"
                                  "assert(not pcall(lucio.ProcessPoolExecutor))\n";
    struct lucio_config config;

    (void)unused;
    lucio_config_init(&config);
    config.sandbox = true;
    assert_int_equal(run_with(&config, refused), LUCIO_OK);
}

static const char forking[] =
    "local lucio = require 'lucio'\n"
    "local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}\n"
    "local function job(n) return n end\n"
    "assert(pool:submit(job, 1):await() == 1)\n"
    "fork()\n"
    "assert(pool:submit(job, 2):await() == 2)\n"
    "local ok, e = pcall(lucio.await, pool:submit(os.execute, 'kill -9 $PPID'))\n"
    "assert(not ok and e.exitcode == -9)\n"
    "assert(pool:submit(job, 3):await() == 3)\n";

static pid_t copy;

/* fork(): the copy has all descriptors of the pool, and does nothing with them. */
static int fork_here(lua_State *L)
{
    (void)L;
    copy = fork();
    if (copy != 0)
        return 0;
    alarm(60); /* should the test fail */
    for (;;)
        pause();
}

static void a_fork_without_exec_does_not_disturb_a_pool(void **unused)
{
    lucio *host;
    int status;

    (void)unused;
    assert_int_equal(lucio_open(&host, NULL), LUCIO_OK);
    lua_register(lucio_state(host), "fork", fork_here);
    assert_int_equal(lucio_run_string(host, forking, NULL), LUCIO_OK);
    assert_int_equal(lucio_close(host), LUCIO_OK);
    assert_true(copy > 0);
    kill(copy, SIGKILL);
    assert_int_equal(waitpid(copy, &status, 0), copy);
}

/* ---- what a script may not do itself it may not do in a worker ---- */

static void a_worker_has_the_libraries_of_its_host(void **unused)
{
    /* a script can put anything into package.loaded and into the globals */
    static const char forged[] =
        "local lucio = require 'lucio'\n"
        "for _, name in ipairs{'io', 'os', 'debug', 'string'} do\n"
        "  package.loaded[name] = {}\n"
        "  _G[name] = {}\n"
        "end\n"
        "local function job()\n"
        "  assert(not (io or os or debug or string or table) and print)\n"
        "  assert(not pcall(function() return ('x').rep end))\n"
        "  return package.loadlib == nil, package.path == nil, #package.searchers\n"
        "end\n"
        "local no_loadlib, no_path, searchers = lucio.to_thread(job)\n"
        "assert(no_loadlib == no_library and no_path == no_library)\n"
        "assert(searchers == (no_library and 1 or 4))\n"
        "package.loaded.package = nil\n"
        "package.path, package.searchers = '/?.lua', {}\n"
        "local pool <close> = lucio.ThreadPoolExecutor(1)\n"
        "assert(pool:submit(job):await() == no_library)\n"
        "local processes <close> = lucio.ProcessPoolExecutor(1)\n"
        "assert(processes:submit(job):await() == no_library)\n";
    struct lucio_config config;

    (void)unused;
    for (int files = 0; files < 2; files++) {
        char code[sizeof forged + 40];

        lucio_config_init(&config);
        config.libraries = LUCIO_LIB_BASE | (files ? LUCIO_LIB_PACKAGE : 0);
        snprintf(code, sizeof code, "local no_library = %s\n%s", files ? "false" : "true", forged);
        assert_int_equal(run_with(&config, code), LUCIO_OK);
    }
}

static void a_worker_has_the_permissions_of_its_host(void **unused)
{
    static const char code[] =
        "local lucio = require 'lucio'\n"
        "local doors = {\n"
        "  function() return io.open('/etc/passwd') end,\n"
        "  function() return io.popen('true') end,\n"
        "  function() return os.execute('true') end,\n"
        "  function() return os.getenv('PATH') end,\n"
        "  function() return os.remove('/tmp/nothing') end,\n"
        "  function() return dofile('/etc/passwd') end,\n"
        "  function() return package.loadlib('/nothing.so', '*') end,\n"
        "  function() return debug.getregistry() end,\n"
        "  function() return require('lucio').fs.read_file('/etc/passwd') end,\n"
        "  function() return require('lucio').run(function()\n"
        "    return require('lucio').open_connection('127.0.0.1', 9)\n"
        "  end) end,\n"
        "  function() return require('lucio').run(function()\n"
        "    return require('lucio').create_subprocess_exec('true')\n"
        "  end) end,\n"
        "  function() return require('lucio').run(function()\n"
        "    return require('lucio').to_thread(function() return os.getenv('PATH') end)\n"
        "  end) end,\n"
        "}\n"
        "for i, door in ipairs(doors) do\n"
        "  assert(not pcall(lucio.to_thread, door), i)\n"
        "end\n";
    struct lucio_config config;

    (void)unused;
    lucio_config_init(&config);
    config.allow = "";
    assert_int_equal(run_with(&config, code), LUCIO_OK);
}

static void a_worker_has_the_instruction_budget_of_its_host(void **unused)
{
    static const char code[] =
        "local lucio = require 'lucio'\n"
        "local function fails(job, ...)\n"
        "  local ok, e = pcall(lucio.to_thread, job, ...)\n"
        "  return not ok and lucio.isinstance(e, lucio.BudgetError)\n"
        "end\n"
        "assert(fails(function() while true do end end))\n"
        "assert(fails(function() while true do pcall(function() while true do end end) end end))\n"
        "assert(fails(function() return ('a'):rep(1 << 16):find(('.-'):rep(20) .. 'b') end))\n"
        "assert(fails(function() return coroutine.wrap(function() while true do end end)() end))\n"
        "assert(fails(function()\n"
        "  return require('lucio').run(function() while true do end end)\n"
        "end))\n"
        "assert(fails(function()\n"
        "  if debug.sethook then debug.sethook() end\n"
        "  while true do end\n"
        "end))\n"
        "for i = 1, 20 do\n"
        "  assert(lucio.to_thread(function() for i = 1, 1000 do end return true end))\n"
        "end\n"
        "local pool <close> = lucio.ThreadPoolExecutor(1)\n"
        "local n = 0\n"
        "for _, y in pool:map(function(x) for i = 1, 5000 do end return x end,\n"
        "                     {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},\n"
        "                     {chunksize = 16}) do n = n + y end\n"
        "assert(n == 136)\n";
    struct lucio_config config;

    (void)unused;
    for (int of_task = 0; of_task < 2; of_task++) {
        lucio_config_init(&config);
        *(of_task ? &config.task_instructions : &config.step_instructions) = 50000;
        assert_int_equal(run_with(&config, code), LUCIO_OK);
    }
}

static void a_worker_takes_its_memory_from_its_hosts(void **unused)
{
    static const char code[] =
        "local lucio = require 'lucio'\n"
        "local function fails(fn, ...)\n"
        "  local ok, e = pcall(fn, ...)\n"
        "  collectgarbage()\n"
        "  return not ok and tostring(e):find('not enough memory', 1, true) ~= nil\n"
        "end\n"
        "assert(fails(lucio.to_thread, function() return #('x'):rep(20 << 20) end))\n"
        "assert(fails(lucio.to_thread, function()\n"
        "  local list = {}\n"
        "  while true do list[#list + 1] = {} end\n"
        "end))\n"
        /* what is queued, what comes back, and what is shared counts too */
        "local texts = {}\n"
        "for i = 1, 17 do texts[i] = ('x'):rep(60000 + i) end\n"
        "local pool, lock = lucio.ThreadPoolExecutor(1), lucio.shared.Lock()\n"
        "lock:acquire()\n"
        "pool:submit(function() lock:acquire() lock:release() end)\n"
        "assert(fails(function()\n"
        "  local futures = {}\n"
        "  for i = 1, 100 do futures[i] = pool:submit(rawlen, texts) end\n"
        "end))\n"
        "lock:release()\n"
        "pool:shutdown()\n"
        "assert(fails(lucio.shared.Array, 'd', 1 << 33))\n"
        "assert(fails(lucio.shared.Array, 'd', 4 << 20))\n"
        "for i = 1, 50 do lucio.shared.Array('d', 1 << 16) collectgarbage() end\n"
        "assert(lucio.to_thread(function() return 1 end) == 1)\n";
    struct memory memory = {0};
    struct lucio_config config;

    (void)unused;
    lucio_config_init(&config);
    config.memory_limit = 16 << 20;
    config.alloc = memory_alloc;
    config.alloc_data = &memory;
    for (int i = 0; i < 3; i++)
        assert_int_equal(run_with(&config, code), LUCIO_OK);
    assert_int_equal(memory.balance, 0);
}

static void worker_processes_take_theirs_from_it_too(void **unused)
{
    static const char code[] =
        "local lucio = require 'lucio'\n"
        "local a <close> = lucio.ProcessPoolExecutor{max_workers = 1}\n"
        "local b <close> = lucio.ProcessPoolExecutor{max_workers = 1}\n"
        /* the text is there twice while it is made */
        "local function make(size) kept = nil collectgarbage() kept = ('x'):rep(size) return true "
        "end\n"
        "local function keeps(pool)\n"
        "  local ok, e = pcall(function() return pool:submit(make, 6 << 20):await() end)\n"
        "  assert(ok or tostring(e):find('not enough memory', 1, true), e)\n"
        "  return ok\n"
        "end\n"
        "assert(keeps(a) and not keeps(b))\n"
        "assert(not pcall(make, 6 << 20))\n"
        "assert(not pcall(lucio.to_thread, make, 6 << 20))\n"
        "a:submit(make, 0):await()\n"
        "assert(keeps(b) and not keeps(a))\n"
        /* what a process had is given back when it dies */
        "local ok, e = pcall(function()\n"
        "  return b:submit(function() os.execute('kill -9 $PPID') end):await()\n"
        "end)\n"
        "assert(not ok and e.name == 'BrokenProcessPool', e)\n"
        "assert(keeps(a) and not keeps(b))\n"
        "a:shutdown()\n"
        "assert(make(6 << 20))\n";
    struct memory memory = {0};
    struct lucio_config config;

    (void)unused;
    lucio_config_init(&config);
    config.memory_limit = 16 << 20;
    config.alloc = memory_alloc;
    config.alloc_data = &memory;
    assert_int_equal(run_with(&config, code), LUCIO_OK);
    assert_int_equal(memory.balance, 0);
}

/* A process has a pool of its own, and is killed: nobody who counts reaps the one that it has started. */
static void what_processes_of_a_dead_one_had_is_given_back(void **unused)
{
    static const char code[] =
        "local lucio = require 'lucio'\n"
        "local function make(size) kept = nil collectgarbage() kept = ('x'):rep(size) return true "
        "end\n"
        "local function nest(number)\n"
        "  local lucio = require 'lucio'\n"
        "  lucio.run(function()\n"
        "    local own <close> = lucio.ProcessPoolExecutor{max_workers = 1}\n"
        "    own:submit(make, 6 << 20):await()\n"
        "    number.value = lucio.worker.pid\n"
        "    lucio.get_running_loop():create_future():await()\n"
        "  end)\n"
        "end\n"
        "local function wait_for(condition)\n"
        "  local last = os.time() + 60\n"
        "  while not condition() do\n"
        "    assert(os.time() < last, 'it did not come about')\n"
        "    lucio.sleep(0.001)\n"
        "  end\n"
        "end\n"
        "local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}\n"
        "for _ = 1, 4 do\n"
        "  local number = lucio.shared.Value('i64')\n"
        "  local job = pool:submit(nest, number)\n"
        "  wait_for(function() return number.value ~= 0 end)\n"
        "  assert(not pcall(make, 6 << 20))\n"
        "  os.execute('kill -9 ' .. number.value)\n"
        "  assert(not pcall(job.await, job))\n"
        "  wait_for(function() return pcall(make, 6 << 20) end)\n"
        "  make(0)\n"
        "end\n";
    struct memory memory = {0};
    struct lucio_config config;

    (void)unused;
    lucio_config_init(&config);
    config.memory_limit = 16 << 20;
    config.alloc = memory_alloc;
    config.alloc_data = &memory;
    assert_int_equal(run_with(&config, code), LUCIO_OK);
    assert_int_equal(memory.balance, 0);
}

static void closing_waits_for_jobs_and_leaves_no_memory(void **unused)
{
    static const char code[] =
        "local lucio = require 'lucio'\n"
        "local pool = lucio.ThreadPoolExecutor{max_workers = 2}\n"
        "for i = 1, 50 do\n"
        "  pool:submit(function(list) return #list + #('x'):rep(100000) end, {1, 2, {}})\n"
        "end\n"
        "lucio.get_running_loop():run_in_executor(nil, tostring, 1)\n";
    struct memory memory = {0};
    struct lucio_config config;

    (void)unused;
    lucio_config_init(&config);
    config.alloc = memory_alloc;
    config.alloc_data = &memory;
    for (int i = 0; i < 5; i++)
        assert_int_equal(run_with(&config, code), LUCIO_OK);
    assert_int_equal(memory.balance, 0);
    assert_int_equal(memory.wrong_sizes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_on_several_threads_have_executors),
        cmocka_unit_test(a_fork_without_exec_does_not_disturb_a_pool),
        cmocka_unit_test(a_sandbox_has_none),
        cmocka_unit_test(a_worker_has_the_libraries_of_its_host),
        cmocka_unit_test(a_worker_has_the_permissions_of_its_host),
        cmocka_unit_test(a_worker_has_the_instruction_budget_of_its_host),
        cmocka_unit_test(a_worker_takes_its_memory_from_its_hosts),
        cmocka_unit_test(worker_processes_take_theirs_from_it_too),
        cmocka_unit_test(what_processes_of_a_dead_one_had_is_given_back),
        cmocka_unit_test(closing_waits_for_jobs_and_leaves_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
