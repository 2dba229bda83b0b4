/*
 * Tests of hosts that run code nobody trusts: budgets, sandboxes, patterns that are charged for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lucio.h"

static void drop_log(lucio *host, const char *text, size_t length, void *data)
{
    (void)host;
    (void)text;
    (void)length;
    (void)data;
}

static lucio *open_sandbox(long long step, long long task)
{
    struct lucio_config config;
    lucio *host;

    lucio_config_init(&config);
    config.sandbox = true;
    config.memory_limit = 8 << 20;
    config.step_instructions = step;
    config.task_instructions = task;
    config.virtual_clock = true;
    config.on_log = drop_log;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    return host;
}

static void run(lucio *host, const char *code)
{
    if (lucio_run_string(host, code, NULL) != LUCIO_OK)
        fail_msg("%s\n%s", lucio_last_error(host)->message, lucio_last_error(host)->traceback);
}

/* ---- hostile scripts ---- */

/* What a hostile script tries, and whether it gets an error of its own (else it just ends). */
static const struct {
    const char *code;
    bool fails;
} hostile[] = {
    {"while true do end", true},
    {"while true do pcall(function() while true do end end) end", true},
    {"local function f() pcall(f) while true do end end f()", true},
    {"local function f() return xpcall(f, f) end f() while true do f() end", true},
    {"local t = setmetatable({}, {__close = function() while true do end end})\n"
     "local a <close> = t\n"
     "local b <close> = t\n"
     "while true do end",
     true},
    {"local function nest(n)\n"
     "  local co = coroutine.wrap(function() while true do pcall(nest, n + 1) end end)\n"
     "  return co()\n"
     "end\n"
     "nest(1)",
     true},
    {"for co in function() return coroutine.create(function() end) end do coroutine.resume(co) end",
     true},
    {"local lucio = require 'lucio'\n"
     "lucio.get_running_loop():call_soon(function() while true do end end)\n"
     "lucio.create_task(function() while true do pcall(lucio.pcall, error) end end)\n"
     "lucio.sleep(0)",
     false},
    {"local lucio = require 'lucio'\n"
     "while true do pcall(lucio.sleep, 0) for _ = 1, 1000 do end end",
     true},
    {"local s = 'x' while true do s = s .. s end", true},
    {"local function deep() return 1 + deep() end deep()", true},
    {"return ('x'):rep(1 << 40)", true},
    {"local n = 0 while true do n = n + 1 pcall(string.rep, '', 1 << 60) end", true},
    {"local lucio = require 'lucio'\n"
     "local function bomb() while true do lucio.create_task(bomb) end end bomb()",
     true},
    /* C functions that would run for ever */
    {"return (('a'):rep(40)):find(('a?'):rep(40) .. ('a'):rep(40))", true},
    {"return (('a'):rep(100000)):match('.-.-.-.-b')", true},
    {"return (('a'):rep(100000)):gsub('.-.-.-.-b', '')", true},
    {"for _ in (('a'):rep(100000)):gmatch('.-.-.-.-b') do end", true},
    {"return require('lucio').counter.count(('a'):rep(100000), '.-.-.-.-b')", true},
    {"local text = ('a '):rep(40000) .. 'b'\n"
     "for _ = 1, 10 do require('lucio').counter.count(text) end",
     true},
    {"local counter, list = require('lucio').counter, {n = 10000}\n"
     "for i = 1, list.n do list[i] = i end\n"
     "for _ = 1, 100 do counter.total(counter.merge(counter.count_items(list), list)) end",
     true},
    {"table.move({}, 1, math.maxinteger - 1, 2)", true},
    {"table.move({}, math.mininteger, -2, 2)", true},
    {"table.insert(setmetatable({}, {__len = function() return 1 << 60 end}), 1, 1)", true},
    {"table.sort(setmetatable({}, {__len = function() return 1 << 30 end}), function() end)", true},
    {"table.concat(setmetatable({}, {__index = function() return '' end}), '', 1, 1 << 60)", true},
    {"table.concat(setmetatable({}, {__index = function() return '' end,\n"
     "  __len = function() return 1 << 60 end}))",
     true},
    /* games with our own objects */
    {"local lucio = require 'lucio'\n"
     "local mt = getmetatable(lucio.Future())\n"
     "for _, object in ipairs {{}, 1, 'x', lucio.Queue(), lucio.Future(), lucio.Lock()} do\n"
     "  for _, class in ipairs {lucio.Future(), lucio.Queue(), lucio.Lock(), lucio.Event(),\n"
     "      lucio.Semaphore(1), lucio.Condition(), lucio.Barrier(2), lucio.StreamReader(),\n"
     "      lucio.get_running_loop(), lucio.current_task(), lucio.copy_context()} do\n"
     "    local methods = getmetatable(class).__index\n"
     "    if type(methods) == 'table' then\n"
     "      for _, method in pairs(methods) do\n"
     "        if type(method) == 'function' then\n"
     "          lucio.create_task(function()\n"
     "            pcall(lucio.wait_for, function() method(object) end, 0.01)\n"
     "          end)\n"
     "        end\n"
     "      end\n"
     "    end\n"
     "  end\n"
     "end\n"
     "lucio.sleep(1)",
     false},
    {"setmetatable({}, {__gc = function() while true do end end})", true},
    {"local t = setmetatable({}, {__gc = 1})", true},
    {"load(string.dump(function() end))()", true},
    {"collectgarbage('stop')", true},
    {"local t = {} t.__index = function(_, k) return t[k] end setmetatable(t, t) return t.x", true},
    {"return tostring(setmetatable({}, {__tostring = function() return {} end}))", true},
    {"string.gmatch = nil string.format = nil table.unpack = nil error = nil", false},
};

static void none_crashes_or_stalls_its_host(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        lucio *host = open_sandbox(200000, 2000000);
        int status;

        alarm(60);
        status = lucio_run_string(host, hostile[i].code, NULL);
        if ((status != LUCIO_OK) != hostile[i].fails)
            fail_msg("script %zu: %s", i, lucio_last_error(host)->message);
        /* the host goes on, though what the script left alive may hold all memory */
        status = lucio_run_string(host, "return 1", NULL);
        if (status != LUCIO_OK && status != LUCIO_NO_MEMORY)
            fail_msg("after script %zu: %s", i, lucio_last_error(host)->message);
        assert_int_equal(lucio_close(host), LUCIO_OK);
        alarm(0);
    }
}

static void nothing_reaches_out_of_a_sandbox(void **unused)
{
    lucio *host = open_sandbox(0, 0);

    (void)unused;
    run(host, "assert(not (io or os or debug or dofile or loadfile))\n"
              "assert(not pcall(require, 'os') and package.loadlib == nil)\n"
              "assert(load('return 1')() == 1 and load('return x', 'c', 'bt', {x = 2})() == 2)\n"
              "assert(not load('\\27Lua'))\n"
              "assert(collectgarbage('count') > 0 and collectgarbage() == 0)\n"
              "local lucio = require 'lucio'\n"
              "assert(not pcall(lucio.open_connection, '127.0.0.1', 1))\n"
              "assert(not pcall(lucio.fs.read_file, '/dev/null'))\n"
              "assert(not pcall(function() lucio.ThreadPoolExecutor(1):submit(print) end))\n"
              "local t = setmetatable({}, {__index = {x = 1}})\n"
              "local three = setmetatable({}, {__len = function() return 3 end,\n"
              "  __index = function(_, i) lucio.sleep(0) return i end})\n"
              "assert(#table.move(three, 1, 3, 1, {}) == 3 and table.unpack(three, 2) == 2)\n"
              "assert(t.x == 1 and require('lucio').sleep(1, 2) == 2)\n"
              "local ok, e = pcall(require('lucio').create_subprocess_shell, 'true')\n"
              "assert(not ok and e.message == 'a sandbox has no child processes')\n");
    assert_int_equal(lucio_close(host), LUCIO_OK);
}

struct logged {
    char text[4096];
    size_t size;
};

static void keep_log(lucio *host, const char *text, size_t length, void *data)
{
    struct logged *logged = data;

    (void)host;
    if (length > sizeof logged->text - 1 - logged->size)
        length = sizeof logged->text - 1 - logged->size;
    memcpy(logged->text + logged->size, text, length);
    logged->size += length;
    logged->text[logged->size] = '\0';
}

static void a_sandbox_logs_to_its_program(void **unused)
{
    struct logged logged = {.size = 0};
    struct lucio_config config;
    lucio *host;

    (void)unused;
    lucio_config_init(&config);
    config.sandbox = true;
    config.on_log = keep_log;
    config.data = &logged;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    run(host, "local log = require 'lucio.log'\n"
              "log.getLogger('early'):warning('last resort')\n"
              "log.basicConfig{level = 'INFO', format = '%(levelname)s %(lineno)d %(message)s'}\n"
              "local logger = log.getLogger 'script'\n"
              "logger:info('a line')\n"
              "local dated = log.StreamHandler()\n"
              "dated:setFormatter(log.Formatter('%(asctime)s %(message)s', '%Y'))\n"
              "logger:addHandler(dated)\n"
              "logger:warning {'with stack', stack_info = true}\n"
              "logger:info('%d', 'no number')\n"
              "assert(not pcall(log.FileHandler, '/tmp/never'))\n");
    assert_int_equal(lucio_close(host), LUCIO_OK);
    assert_non_null(strstr(logged.text, "last resort\n"));
    assert_non_null(strstr(logged.text, "INFO 5 a line\n"));
    assert_non_null(strstr(logged.text, "WARNING 9 with stack\nstack traceback:\n"));
    assert_non_null(strstr(logged.text, "20"));
    assert_non_null(strstr(logged.text, "--- Logging error ---\n"));
}

static void a_sandbox_has_no_share_in_its_process(void **unused)
{
    static const char *const doors[] = {
        "lucio.watchdog(0.1, {kill = true})",
        "loop:add_reader(0, print)",
        "loop:add_writer(1, print)",
        "loop:connect_read_pipe(print, 0)",
        "loop:connect_write_pipe(print, 1)",
        "lucio.connect_stdin()",
        "loop.shutdown_timeout = 1e9",
        "loop:add_signal_handler('SIGINT', print)",
        "lucio.new_event_loop()",
        "lucio.Runner()",
        "return lucio.shared.Array('d', 9)",
        "return lucio.testing.virtual_clock()",
        "lucio.ProcessPoolExecutor()",
        "lucio.create_subprocess_exec('true')",
    };
    lucio *host = open_sandbox(100000, 0);

    (void)unused;
    run(host, "lucio = require 'lucio' loop = lucio.get_running_loop()");
    for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++) {
        if (lucio_run_string(host, doors[i], NULL) != LUCIO_ERROR)
            fail_msg("open: %s", doors[i]);
        if (strstr(lucio_last_error(host)->message, "sandbox") == NULL)
            fail_msg("%s: %s", doors[i], lucio_last_error(host)->message);
    }
    assert_int_equal(lucio_close(host), LUCIO_OK);
}

/* Descriptors of the program's are in no list of paths. */
static void permissions_hold_for_descriptors(void **unused)
{
    struct lucio_config config;
    lucio *host;
    int ends[2];

    (void)unused;
    assert_int_equal(pipe(ends), 0);
    for (int allowed = 0; allowed < 2; allowed++) {
        char code[200];

        lucio_config_init(&config);
        config.allow = allowed ? "read" : "read=/tmp";
        assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
        snprintf(code, sizeof code,
                 "local loop = require('lucio').get_running_loop()\n"
                 "assert(pcall(loop.connect_read_pipe, loop, function() return {} end, %d) == %s)",
                 ends[0], allowed ? "true" : "false");
        run(host, code);
        assert_int_equal(lucio_close(host), LUCIO_OK);
    }
    close(ends[0]);
    close(ends[1]);
}

static int told;

static void count_told(lucio *host, const char *text, size_t length, void *data)
{
    static const char expected[] = "did not end within shutdown_timeout (0.05 s)";

    (void)host;
    (void)data;
    told += memmem(text, length, expected, sizeof expected - 1) != NULL;
}

/* What swallows its cancellation is given the time that the program says. */
static void closing_waits_no_longer_than_told(void **unused)
{
    struct lucio_config config;
    lucio *host;

    (void)unused;
    lucio_config_init(&config);
    config.sandbox = true;
    config.step_instructions = 100000;
    config.shutdown_timeout = 0.05;
    config.on_log = count_told;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    run(host, "local lucio = require 'lucio'\n"
              "for i = 1, 10 do\n"
              "  lucio.create_task(function() while true do pcall(lucio.sleep, 1e6) end end)\n"
              "end\n"
              "lucio.sleep(0.001)\n");
    told = 0;
    assert_int_equal(lucio_close(host), LUCIO_OK);
    assert_true(told > 0);
}

/* ---- budgets ---- */

static void a_budget_can_be_caught_and_is_per_step(void **unused)
{
    struct lucio_config config;
    lucio *host;

    (void)unused;
    lucio_config_init(&config);
    config.step_instructions = 100000;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    run(host,
        "local lucio = require 'lucio'\n"
        "assert(debug.sethook == nil)\n"
        "local ok, e = pcall(function() while true do end end)\n"
        "assert(not ok and e.name == 'BudgetError' and lucio.isinstance(e, lucio.RuntimeError))\n"
        "assert(tostring(e) == 'the step has used more than 100000 instructions')\n"
        "for _ = 1, 20 do lucio.sleep(0) for _ = 1, 20000 do end end\n");
    assert_int_equal(lucio_close(host), LUCIO_OK);
    config.step_instructions = 0;
    config.task_instructions = 300000;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    run(host,
        "local lucio = require 'lucio'\n"
        "local function work() for _ = 1, 100 do lucio.sleep(0) for _ = 1, 5000 do end end end\n"
        "local ok, e = pcall(lucio.await, lucio.create_task(work))\n"
        "assert(not ok and e.name == 'BudgetError')\n"
        "assert(tostring(e) == 'the task has used more than 300000 instructions')\n");
    assert_int_equal(lucio_close(host), LUCIO_OK);
    config.task_instructions = -1;
    assert_int_equal(lucio_open(&host, &config), LUCIO_INVALID);
}

/* ---- patterns ---- */

/* Random patterns on random strings: all results, errors included, as one long text. */
static const char compare[] =
    "local seed = ...\n"
    "local function random(n) seed = (seed * 1103515245 + 12345) % 2147483648\n"
    "  return seed // 65536 % n + 1 end\n"
    "local items = {'a', 'b', '.', '%a', '%d', '[ab]', '[^a]', '[a-c]', '%b()', '%f[%a]', '(', "
    "')',\n"
    "  '()', '%1', '%', '[', ']', '$', '^', '*', '+', '-', '?', '%%', '%.', 'x', '[%w_]', '[]]', ' "
    "'}\n"
    "local chars = {'a', 'b', 'c', '(', ')', '1', ' ', 'x', ']', '%', '^', '$', '-'}\n"
    "local news = {'<%0>', '%1', 'x', '%%', '%2', '%', '%9', '', 'y%'}\n"
    "local function text(list, n)\n"
    "  local t = {} for i = 1, random(n) - 1 do t[i] = list[random(#list)] end\n"
    "  return table.concat(t)\n"
    "end\n"
    "local out = {}\n"
    "local function note(...)\n"
    "  for _, v in ipairs({...}, 1) do out[#out + 1] = tostring(v):gsub('^.-: ', '', 1) end\n"
    "  out[#out + 1] = ';'\n"
    "end\n"
    "for _ = 1, 3000 do\n"
    "  local s, p = text(chars, 14), text(items, 7)\n"
    "  note(pcall(string.find, s, p)) note(pcall(string.find, s, p, random(8) - 4))\n"
    "  note(pcall(string.find, s, p, 1, true)) note(pcall(string.match, s, p, random(5) - 2))\n"
    "  note(pcall(string.gsub, s, p, news[random(#news)], random(4) == 1 and random(3) or nil))\n"
    "  note(pcall(string.gsub, s, p, function(a, b) return random(3) == 1 and a end))\n"
    "  note(pcall(string.gsub, s, p, {a = 'A', ['1'] = 1, b = false}))\n"
    "  note(pcall(function() for a, b in s:gmatch(p, random(3)) do note(a, b) end end))\n"
    "end\n"
    "return table.concat(out, ',')\n";

/* The text that the script gives for that seed. */
static lucio_future *compared(lucio *host, long long seed)
{
    struct lucio_value argument = lucio_integer(seed);
    lucio_ref *function;
    lucio_future *task;

    assert_int_equal(lucio_load_string(host, compare, sizeof compare - 1, "=compare", &function),
                     LUCIO_OK);
    assert_int_equal(lucio_spawn(host, function, NULL, 1, &argument, &task), LUCIO_OK);
    lucio_ref_free(function);
    if (lucio_run(host, task) != LUCIO_OK)
        fail_msg("%s", lucio_last_error(host)->message);
    return task;
}

static void patterns_match_as_lua_does(void **unused)
{
    struct lucio_config config;
    lucio *plain, *charged;

    (void)unused;
    assert_int_equal(lucio_open(&plain, NULL), LUCIO_OK);
    lucio_config_init(&config);
    config.step_instructions = 2000000000;
    assert_int_equal(lucio_open(&charged, &config), LUCIO_OK);
    for (int seed = 1; seed <= 5; seed++) {
        lucio_future *a = compared(plain, seed), *b = compared(charged, seed);
        struct lucio_value x = lucio_future_result(a, 0), y = lucio_future_result(b, 0);
        size_t i = 0;

        while (i < x.as.string.length && i < y.as.string.length &&
               x.as.string.data[i] == y.as.string.data[i])
            i++;
        if (i < x.as.string.length || i < y.as.string.length) {
            size_t from = i > 150 ? i - 150 : 0;

            fail_msg("seed %d differs at %zu:\n%.250s\n%.250s", seed, i, x.as.string.data + from,
                     y.as.string.data + from);
        }
        lucio_future_free(a);
        lucio_future_free(b);
    }
    lucio_close(plain);
    lucio_close(charged);
}

/* ---- permissions ---- */

/* Runs the code in a host with these permissions. */
static void run_allowed(const char *allow, const char *code)
{
    struct lucio_config config;
    lucio *host;

    lucio_config_init(&config);
    config.allow = allow;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    run(host, code);
    assert_int_equal(lucio_close(host), LUCIO_OK);
}

static void permissions_say_what_a_script_reaches(void **unused)
{
    (void)unused;
    run_allowed(NULL, "assert(io.open('/dev/null') and os.getenv('HOME') ~= 1)\n"
                      "assert(type(debug.getregistry()) == 'table')\n");
    run_allowed("", "local lucio = require 'lucio'\n"
                    "local ok, e = pcall(io.open, '/dev/null')\n"
                    "assert(not ok and lucio.isinstance(e, lucio.PermissionError))\n"
                    "assert(e.code == 'EACCES' and e.filename == '/dev/null')\n"
                    "assert(tostring(e) == \"reading '/dev/null' needs permission: read\")\n"
                    "assert(not pcall(debug.getregistry) and not pcall(os.getenv, 'HOME'))\n"
                    "assert(not pcall(require, 'no such module'))\n"
                    "assert(not pcall(lucio.open_connection, '127.0.0.1', 1))\n");
    run_allowed("read=/dev/zero,/dev/null;env=HOME;net=[::1]:1,127.0.0.1:*",
                "local lucio = require 'lucio'\n"
                "assert(io.open('/dev/null') and not pcall(io.open, '/dev/null', 'w'))\n"
                "assert(os.getenv('HOME') ~= 1 and not pcall(os.getenv, 'PATH'))\n"
                "local _, e = pcall(lucio.open_connection, '127.0.0.1', 1)\n"
                "assert(e.name == 'ConnectionRefusedError')\n"
                "_, e = pcall(lucio.open_connection, '::1', 2)\n"
                "assert(tostring(e) == \"network access to '[::1]:2' needs permission: net\")\n"
                "local executor <close> = lucio.ThreadPoolExecutor(1)\n"
                "assert(executor:submit(function() return pcall(os.getenv, 'PATH') end):await() "
                "== false)\n");
    run_allowed("read;write=/dev/null;", "assert(io.open('/dev/zero'))\n"
                                         "assert(io.open('/dev/null', 'w'))\n"
                                         "assert(not pcall(io.open, '/dev/zero', 'w'))\n");
}

static void permissions_that_cannot_be_read_are_refused(void **unused)
{
    static const char *const bad[] = {"reading=/",     "read=", "read=a,,b",
                                      "net=host:port", ";",     "=x"};
    struct lucio_config config;
    lucio *host;

    (void)unused;
    lucio_config_init(&config);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config.allow = bad[i];
        assert_int_equal(lucio_open(&host, &config), LUCIO_INVALID);
    }
    /* a program that was built with a header that has no permissions */
    config.size = offsetof(struct lucio_config, allow);
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    run(host, "assert(io.open('/dev/null'))");
    assert_int_equal(lucio_close(host), LUCIO_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_crashes_or_stalls_its_host),
        cmocka_unit_test(nothing_reaches_out_of_a_sandbox),
        cmocka_unit_test(a_sandbox_logs_to_its_program),
        cmocka_unit_test(a_sandbox_has_no_share_in_its_process),
        cmocka_unit_test(permissions_hold_for_descriptors),
        cmocka_unit_test(closing_waits_no_longer_than_told),
        cmocka_unit_test(a_budget_can_be_caught_and_is_per_step),
        cmocka_unit_test(patterns_match_as_lua_does),
        cmocka_unit_test(permissions_say_what_a_script_reaches),
        cmocka_unit_test(permissions_that_cannot_be_read_are_refused),
    };

    return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
