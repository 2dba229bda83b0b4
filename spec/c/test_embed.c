/*
 * Tests of the C interface: hosts, values, running, futures, C functions that await, other threads.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>
#include <lauxlib.h>
#include <lualib.h>

#include "lucio.h"
#include "memory.h"
#include "state.h"

/* A host on counted memory, with the virtual clock. */
static lucio *open_counted(struct memory *memory)
{
    struct lucio_config config;
    lucio *host;

    lucio_config_init(&config);
    config.alloc = memory_alloc;
    config.alloc_data = memory;
    config.virtual_clock = true;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    return host;
}

static void close_counted(lucio *host, struct memory *memory)
{
    assert_int_equal(lucio_close(host), LUCIO_OK);
    assert_int_equal(memory->balance, 0);
    assert_int_equal(memory->wrong_sizes, 0);
}

static void run(lucio *host, const char *code)
{
    if (lucio_run_string(host, code, NULL) != LUCIO_OK)
        fail_msg("%s\n%s", lucio_last_error(host)->message, lucio_last_error(host)->traceback);
}

static long long global_integer(lucio *host, const char *name)
{
    struct lucio_value value;

    assert_int_equal(lucio_get_global(host, name, &value), LUCIO_OK);
    assert_int_equal(value.type, LUCIO_INTEGER);
    return value.as.integer;
}

/* ---- life ---- */

static void ten_thousand_hosts_leave_nothing(void **unused)
{
    struct memory memory = {0};
    size_t files = state_open_files();

    (void)unused;
    for (int i = 0; i < 10000; i++) {
        struct lucio_config config;
        lucio *host;

        lucio_config_init(&config);
        config.alloc = memory_alloc;
        config.alloc_data = &memory;
        config.libraries = LUCIO_LIB_BASE;
        assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
        if (i % 100 == 0)
            run(host, "require('lucio').create_task(require('lucio').sleep, 1)");
        close_counted(host, &memory);
    }
    assert_int_equal(state_open_files(), files);
}

static void the_header_is_of_the_librarys_version(void **unused)
{
    char version[32];

    (void)unused;
    snprintf(version, sizeof version, "%d.%d.%d", LUCIO_VERSION_MAJOR, LUCIO_VERSION_MINOR,
             LUCIO_VERSION_PATCH);
    assert_string_equal(lucio_version(), version);
    assert_string_equal(lucio_version(), LUCIO_VERSION);
}

static void a_wrong_configuration_is_refused(void **unused)
{
    struct lucio_config config;
    struct ev_loop *loop = ev_loop_new(0);
    lucio *host;

    (void)unused;
    memset(&config, 0, sizeof config);
    assert_int_equal(lucio_open(&host, &config), LUCIO_INVALID);
    assert_null(host);
    assert_string_equal(lucio_config_check(&config),
                        "the configuration was not initialised by lucio_config_init");
    lucio_config_init(&config);
    assert_null(lucio_config_check(&config));
    config.backend = "quantum";
    assert_int_equal(lucio_open(&host, &config), LUCIO_INVALID);
    lucio_config_init(&config);
    config.loop = loop;
    config.virtual_clock = true;
    assert_int_equal(lucio_open(&host, &config), LUCIO_INVALID);
    assert_string_equal(lucio_config_check(&config), "a guest has no virtual clock");
    ev_loop_destroy(loop);
}

static void a_state_of_the_program_outlives_its_host(void **unused)
{
    struct memory memory = {0};
    lua_State *L = state_new(&memory);
    struct lucio_config config;
    lucio *host, *second;
    lucio_ref *function;

    (void)unused;
    lucio_config_init(&config);
    config.state = L;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    assert_int_equal(lucio_open(&second, &config), LUCIO_BUSY);
    assert_ptr_equal(lucio_state(host), L);
    luaL_loadstring(L, "value = 6 * 7");
    assert_int_equal(lucio_take(host, &function), LUCIO_OK);
    assert_int_equal(lua_gettop(L), 0);
    assert_int_equal(lucio_spawn(host, function, NULL, 0, NULL, NULL), LUCIO_OK);
    assert_int_equal(lucio_step(host), LUCIO_OK);
    lucio_ref_free(function);
    assert_int_equal(global_integer(host, "value"), 42);
    assert_int_equal(lucio_close(host), LUCIO_OK);
    assert_int_equal(state_integer(L, "return value"), 42);
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    assert_int_equal(lucio_close(host), LUCIO_OK);
    lua_close(L);
    assert_int_equal(memory.balance, 0);
}

static void closing_the_state_under_a_host_closes_its_handles(void **unused)
{
    struct memory memory = {0};
    lua_State *L = state_new(&memory);
    struct lucio_config config;
    lucio_future *future;
    lucio *host;

    (void)unused;
    lucio_config_init(&config);
    config.state = L;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    assert_int_equal(lucio_future_new(host, &future), LUCIO_OK);
    lua_close(L);
    assert_int_equal(lucio_step(host), LUCIO_CLOSED);
    assert_int_equal(lucio_future_status(future), LUCIO_CLOSED);
    lucio_future_free(future);
    assert_int_equal(lucio_close(host), LUCIO_OK);
    assert_int_equal(memory.balance, 0);
}

static void closing_runs_the_clean_up_of_tasks(void **unused)
{
    struct memory memory = {0};
    lucio *host = open_counted(&memory);
    lucio_ref *table;
    struct lucio_value value;

    (void)unused;
    run(host, "log = {}\n"
              "local lucio = require 'lucio'\n"
              "lucio.create_task(function()\n"
              "  local _ <close> = setmetatable({}, {__close = function()\n"
              "    lucio.sleep(1) log[1] = 'cleaned'\n"
              "  end})\n"
              "  lucio.sleep(math.huge)\n"
              "end)\n"
              "lucio.sleep(0)\n");
    assert_int_equal(lucio_task_count(host), 1);
    assert_int_equal(lucio_get_global(host, "log", &value), LUCIO_OK);
    table = value.as.object;
    lucio_retain(host);
    assert_int_equal(lucio_close(host), LUCIO_OK);
    assert_int_equal(lucio_get_field(table, lucio_integer(1), &value), LUCIO_CLOSED);
    assert_int_equal(lucio_step(host), LUCIO_CLOSED);
    lucio_ref_free(table);
    lucio_release(host);
    assert_int_equal(memory.balance, 0);
}

/* (call): the host cannot be closed or run from inside. */
static int try_to_close(lucio_call *call, void *data)
{
    lucio *host = lucio_call_host(call);
    struct lucio_value results[3] = {lucio_integer(lucio_close(host)),
                                     lucio_integer(lucio_step(host)),
                                     lucio_integer(lucio_run_string(host, "", NULL))};

    (void)data;
    return lucio_return(call, 3, results);
}

static void a_host_is_busy_inside_of_its_calls(void **unused)
{
    static const struct lucio_entry entries[] = {{"close", try_to_close}, {NULL, NULL}};
    struct memory memory = {0};
    lucio *host = open_counted(&memory);

    (void)unused;
    assert_int_equal(lucio_add_module(host, "c", entries, NULL), LUCIO_OK);
    run(host, "close, step, run = require('c').close()");
    assert_int_equal(global_integer(host, "close"), LUCIO_BUSY);
    assert_int_equal(global_integer(host, "step"), LUCIO_BUSY);
    assert_int_equal(global_integer(host, "run"), LUCIO_BUSY);
    close_counted(host, &memory);
}

/* ---- values and errors ---- */

static void values_go_both_ways(void **unused)
{
    struct memory memory = {0};
    lucio *host = open_counted(&memory);
    struct lucio_value value;
    lucio_ref *table, *copy;
    int here;

    (void)unused;
    assert_int_equal(lucio_table_new(host, &table), LUCIO_OK);
    lucio_set_field(table, lucio_integer(1), lucio_bytes("a\0b", 3));
    lucio_set_field(table, lucio_integer(2), lucio_number(0.5));
    lucio_set_field(table, lucio_string("flag"), lucio_boolean(true));
    lucio_set_field(table, lucio_string("here"), lucio_pointer(&here));
    assert_int_equal(lucio_length(table), 2);
    assert_string_equal(lucio_ref_type(table), "table");
    assert_int_equal(lucio_set_field(table, lucio_nil(), lucio_nil()), LUCIO_INVALID);
    assert_string_equal(lucio_last_error(host)->class_name, "ValueError");
    lucio_get_field(table, lucio_integer(1), &value);
    assert_int_equal(value.as.string.length, 3);
    assert_memory_equal(value.as.string.data, "a\0b", 4);
    lucio_get_field(table, lucio_string("here"), &value);
    assert_ptr_equal(value.as.pointer, &here);
    copy = lucio_ref_copy(table);
    lucio_set_global(host, "t", lucio_object(table));
    lucio_ref_free(table);
    run(host, "assert(t[2] == 0.5 and t.flag and #t[1] == 3) t.flag = nil");
    lucio_get_field(copy, lucio_string("flag"), &value);
    assert_int_equal(value.type, LUCIO_NIL);
    lucio_ref_free(copy);
    close_counted(host, &memory);
}

static void a_reference_of_another_host_is_refused(void **unused)
{
    struct memory memory = {0};
    lucio *host = open_counted(&memory), *other = open_counted(&memory);
    lucio_ref *table;

    (void)unused;
    assert_int_equal(lucio_table_new(other, &table), LUCIO_OK);
    assert_int_equal(lucio_set_global(host, "t", lucio_object(table)), LUCIO_INVALID);
    assert_string_equal(lucio_last_error(host)->class_name, "ValueError");
    assert_int_equal(lucio_spawn(host, table, NULL, 0, NULL, NULL), LUCIO_INVALID);
    lucio_ref_free(table);
    assert_int_equal(lucio_close(other), LUCIO_OK);
    close_counted(host, &memory);
}

static void errors_come_with_class_message_and_traceback(void **unused)
{
    struct memory memory = {0};
    lucio *host = open_counted(&memory);
    const struct lucio_error *error;
    lucio_future *task;
    lucio_ref *function;

    (void)unused;
    assert_int_equal(lucio_load_string(host, "x = = 1", 7, "=chunk", &function), LUCIO_ERROR);
    assert_null(function);
    assert_non_null(strstr(lucio_last_error(host)->message, "chunk:1:"));
    assert_int_equal(lucio_run_string(host, "error(require('lucio').ValueError('no'))", &task),
                     LUCIO_ERROR);
    error = lucio_last_error(host);
    assert_string_equal(error->class_name, "ValueError");
    assert_string_equal(error->message, "no");
    assert_non_null(strstr(error->traceback, "string:1:"));
    assert_string_equal(lucio_future_error(task)->message, "no");
    assert_int_equal(lucio_future_status(task), LUCIO_ERROR);
    lucio_future_free(task);
    assert_int_equal(lucio_run_string(host, "error('bare', 0)", NULL), LUCIO_ERROR);
    assert_string_equal(lucio_last_error(host)->class_name, "");
    assert_string_equal(lucio_last_error(host)->message, "bare");
    assert_int_equal(lucio_run_file(host, "/nowhere", 0, NULL, NULL), LUCIO_ERROR);
    assert_non_null(strstr(lucio_last_error(host)->message, "/nowhere"));
    close_counted(host, &memory);
}

static void an_exit_of_the_script_is_the_programs_to_follow(void **unused)
{
    struct memory memory = {0};
    lucio *host = open_counted(&memory);

    (void)unused;
    assert_int_equal(lucio_run_string(host, "require('lucio').exit(7)", NULL), LUCIO_EXIT);
    assert_int_equal(lucio_exit_code(host), 7);
    assert_int_equal(lucio_run_string(host, "os.exit(false)", NULL), LUCIO_EXIT);
    assert_int_equal(lucio_exit_code(host), 1);
    run(host, "x = 1");
    close_counted(host, &memory);
}

struct told {
    int count;
    char message[200];
};

static void on_error(lucio *host, const struct lucio_error *error, void *data)
{
    struct told *told = data;

    (void)host;
    told->count++;
    snprintf(told->message, sizeof told->message, "%s", error->message);
}

static void on_log(lucio *host, const char *text, size_t length, void *data)
{
    struct told *told = data;

    (void)host;
    told->count++;
    snprintf(told->message, sizeof told->message, "%.*s", (int)length, text);
}

static void errors_nobody_retrieves_reach_the_program(void **unused)
{
    struct told told = {0};
    struct lucio_config config;
    lucio *host;

    (void)unused;
    lucio_config_init(&config);
    config.on_error = on_error;
    config.data = &told;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    run(host, "local lucio = require 'lucio'\n"
              "lucio.get_running_loop():call_soon(error, lucio.ValueError('lost'))\n"
              "lucio.sleep(0)\n");
    assert_int_equal(told.count, 1);
    assert_string_equal(told.message, "lost");
    assert_int_equal(lucio_close(host), LUCIO_OK);
    config.on_error = NULL;
    config.on_log = on_log;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    run(host, "require('lucio').create_task(error, 'dropped')");
    assert_int_equal(lucio_run_idle(host, -1), LUCIO_OK);
    assert_int_equal(lucio_close(host), LUCIO_OK);
    assert_true(told.count > 1);
    assert_non_null(strstr(told.message, "dropped"));
}

/* ---- running ---- */

static void the_loop_can_be_run_in_steps(void **unused)
{
    struct memory memory = {0};
    lucio *host = open_counted(&memory);
    lucio_ref *function;
    lucio_future *task;
    static const char code[] = "local lucio, n = require 'lucio', ...\n"
                               "for i = 1, n do steps = i lucio.sleep(0) end\n"
                               "lucio.sleep(1000)\n";
    struct lucio_value five = lucio_integer(5);

    (void)unused;
    assert_int_equal(lucio_load_string(host, code, sizeof code - 1, NULL, &function), LUCIO_OK);
    assert_int_equal(lucio_spawn(host, function, "stepper", 1, &five, &task), LUCIO_OK);
    lucio_ref_free(function);
    assert_string_equal(lucio_task_name(task), "stepper");
    for (int i = 1; i <= 3; i++) {
        assert_true(lucio_timeout(host) == 0);
        assert_int_equal(lucio_step(host), LUCIO_OK);
        assert_int_equal(global_integer(host, "steps"), i);
    }
    assert_int_equal(lucio_run_idle(host, -1), LUCIO_OK);
    assert_int_equal(global_integer(host, "steps"), 5);
    assert_int_equal(lucio_future_status(task), LUCIO_PENDING);
    assert_true(lucio_timeout(host) > 900);
    assert_int_equal(lucio_run(host, task), LUCIO_OK);
    assert_int_equal(lucio_future_count(task), 0);
    lucio_future_free(task);
    close_counted(host, &memory);
}

static void what_waits_for_ever_is_an_error_under_the_virtual_clock(void **unused)
{
    struct memory memory = {0};
    lucio *host = open_counted(&memory);

    (void)unused;
    assert_int_equal(lucio_run_string(host, "require('lucio').Event():wait()", NULL), LUCIO_ERROR);
    assert_non_null(strstr(lucio_last_error(host)->message, "waits for ever"));
    close_counted(host, &memory);
}

static void a_guest_is_driven_by_the_programs_loop(void **unused)
{
    struct ev_loop *loop = ev_loop_new(0);
    struct lucio_config config;
    lucio_ref *function;
    lucio_future *task;
    lucio *host;
    static const char code[] = "local lucio = require 'lucio'\n"
                               "for i = 1, 3 do count = i lucio.sleep(0.002) end\n"
                               "return count\n";

    (void)unused;
    lucio_config_init(&config);
    config.loop = loop;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    assert_int_equal(lucio_load_string(host, code, sizeof code - 1, NULL, &function), LUCIO_OK);
    assert_int_equal(lucio_spawn(host, function, NULL, 0, NULL, &task), LUCIO_OK);
    assert_int_equal(lucio_run(host, task), LUCIO_INVALID);
    ev_run(loop, 0); /* ends by itself: nothing is left to wait for */
    assert_int_equal(lucio_future_status(task), LUCIO_OK);
    assert_int_equal(lucio_future_result(task, 0).as.integer, 3);
    lucio_future_free(task);
    assert_int_equal(lucio_spawn(host, function, NULL, 0, NULL, &task), LUCIO_OK);
    ev_run(loop, EVRUN_NOWAIT);
    lucio_ref_free(function);
    assert_int_equal(lucio_close(host), LUCIO_OK);
    assert_int_equal(lucio_future_status(task), LUCIO_CLOSED);
    lucio_future_free(task);
    assert_int_equal(ev_pending_count(loop), 0);
    assert_int_equal(ev_run(loop, EVRUN_NOWAIT), 0);
    ev_loop_destroy(loop);
}

static void run_children_on(struct ev_loop *loop)
{
    struct lucio_config config;
    lucio_ref *function;
    lucio_future *task;
    lucio *host;
    static const char code[] = "local lucio = require 'lucio'\n"
                               "local function run(text)\n"
                               "  local p = lucio.create_subprocess_shell(text, {stdout = -1})\n"
                               "  local out = p:communicate()\n"
                               "  return out .. p:wait()\n"
                               "end\n"
                               "local list = {}\n"
                               "for i = 1, 10 do\n"
                               "  list[i] = function() return run('echo ' .. i .. '; exit 5') end\n"
                               "end\n"
                               "local results = lucio.gather(list)\n"
                               "for i = 1, 10 do assert(results[i] == i .. '\\n5') end\n"
                               "assert(run('kill -9 $$') == '-9')\n"
                               "return #results\n";

    lucio_config_init(&config);
    config.loop = loop;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    assert_int_equal(lucio_load_string(host, code, sizeof code - 1, NULL, &function), LUCIO_OK);
    assert_int_equal(lucio_spawn(host, function, NULL, 0, NULL, &task), LUCIO_OK);
    lucio_ref_free(function);
    ev_run(loop, 0);
    if (lucio_future_status(task) != LUCIO_OK)
        fail_msg("%s", lucio_future_error(task)->message);
    assert_int_equal(lucio_future_result(task, 0).as.integer, 10);
    lucio_future_free(task);
    assert_int_equal(lucio_close(host), LUCIO_OK);
}

/* libev's default loop reaps all children of the program by itself. */
static void a_guest_has_child_processes_on_the_default_loop_too(void **unused)
{
    struct ev_loop *loop = ev_loop_new(0);

    (void)unused;
    run_children_on(loop);
    ev_loop_destroy(loop);
    loop = ev_default_loop(0);
    run_children_on(loop);
    ev_loop_destroy(loop);
}

/* ---- futures ---- */

static void count_done(lucio_future *future, void *data)
{
    (*(int *)data)++;
    lucio_future_free(future);
}

static void futures_are_completed_from_c(void **unused)
{
    struct memory memory = {0};
    lucio *host = open_counted(&memory);
    struct lucio_value two[2] = {lucio_integer(1), lucio_string("two")};
    lucio_future *futures[3];
    int done = 0;

    (void)unused;
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"a", "b", "c"};

        assert_int_equal(lucio_future_new(host, &futures[i]), LUCIO_OK);
        lucio_set_global(host, names[i], lucio_awaitable(futures[i]));
        assert_int_equal(lucio_future_on_done(futures[i], count_done, &done), LUCIO_OK);
    }
    assert_int_equal(lucio_future_set_result(futures[0], 2, two), LUCIO_OK);
    assert_int_equal(lucio_future_set_result(futures[0], 2, two), LUCIO_INVALID);
    assert_int_equal(lucio_future_count(futures[0]), 2);
    assert_string_equal(lucio_future_result(futures[0], 1).as.string.data, "two");
    assert_int_equal(lucio_future_set_error(futures[1], "ValueError", "from C"), LUCIO_OK);
    assert_int_equal(lucio_future_cancel(futures[2], "enough"), LUCIO_OK);
    assert_int_equal(lucio_future_cancel(futures[2], NULL), LUCIO_INVALID);
    assert_string_equal(lucio_future_error(futures[2])->class_name, "CancelledError");
    run(host, "local x, y = a:await()\n"
              "assert(x == 1 and y == 'two')\n"
              "local ok, e = pcall(b.await, b)\n"
              "assert(not ok and e.name == 'ValueError' and tostring(e) == 'from C')\n"
              "ok, e = pcall(c.await, c)\n"
              "assert(not ok and e.name == 'CancelledError' and e.args[1] == 'enough')\n");
    assert_int_equal(done, 3);
    close_counted(host, &memory);
}

static void a_tasks_outcome_is_its_own(void **unused)
{
    struct memory memory = {0};
    lucio *host = open_counted(&memory);
    lucio_future *task;

    (void)unused;
    assert_int_equal(lucio_run_string(host, "return 1", &task), LUCIO_OK);
    assert_int_equal(lucio_future_set_result(task, 0, NULL), LUCIO_INVALID);
    assert_int_equal(lucio_task_set_name(task, "main"), LUCIO_OK);
    assert_string_equal(lucio_task_name(task), "main");
    lucio_future_free(task);
    assert_int_equal(lucio_future_new(host, &task), LUCIO_OK);
    assert_null(lucio_task_name(task));
    assert_int_equal(lucio_task_set_name(task, "x"), LUCIO_INVALID);
    lucio_future_free(task);
    close_counted(host, &memory);
}

static void methods_called_from_c_queue_fairly(void **unused)
{
    struct memory memory = {0};
    lucio *host = open_counted(&memory);
    struct lucio_value queue, item = lucio_integer(1);
    lucio_future *first;

    (void)unused;
    run(host, "local lucio = require 'lucio'\n"
              "queue = lucio.Queue()\n"
              "lucio.create_task(function() second = queue:get() end)\n");
    lucio_get_global(host, "queue", &queue);
    assert_int_equal(lucio_call_method(queue.as.object, "get", 0, NULL, &first), LUCIO_OK);
    for (int i = 0; i < 2; i++) {
        item.as.integer = i + 1;
        assert_int_equal(lucio_call_method(queue.as.object, "put_nowait", 1, &item, NULL),
                         LUCIO_OK);
    }
    assert_int_equal(lucio_run(host, first), LUCIO_OK);
    assert_int_equal(lucio_run_idle(host, -1), LUCIO_OK);
    /* the task of the script came first */
    assert_int_equal(global_integer(host, "second"), 1);
    assert_int_equal(lucio_future_result(first, 0).as.integer, 2);
    lucio_future_free(first);
    lucio_ref_free(queue.as.object);
    close_counted(host, &memory);
}

/* ---- C functions ---- */

static int check_all(lucio_call *call, void *data)
{
    struct lucio_value result;
    const char *text;
    long long integer;
    size_t length;
    double number;
    bool flag;

    (*(int *)data)++;
    if (!lucio_call_boolean(call, 1, &flag) || !lucio_call_integer(call, 2, &integer) ||
        !lucio_call_number(call, 3, &number) || !lucio_call_string(call, 4, &text, &length))
        return lucio_bad_argument(call);
    result = lucio_number((double)integer + number + (double)length + flag);
    return lucio_return(call, 1, &result);
}

static void release_count(void *data)
{
    *(int *)data += 100;
}

static void c_functions_check_their_arguments(void **unused)
{
    struct memory memory = {0};
    lucio *host = open_counted(&memory);
    lucio_ref *function;
    int calls = 0;

    (void)unused;
    assert_int_equal(lucio_function_new(host, "check", check_all, &calls, release_count, &function),
                     LUCIO_OK);
    lucio_set_global(host, "check", lucio_object(function));
    lucio_ref_free(function);
    run(host, "assert(check(true, 2, 0.5, 'abc') == 6.5)\n"
              "local function bad(text, ...)\n"
              "  local ok, e = pcall(check, ...)\n"
              "  assert(not ok and e.name == 'TypeError')\n"
              "  assert(tostring(e) == \"bad argument \" .. text, tostring(e))\n"
              "end\n"
              "bad(\"#1 to 'check' (boolean expected, got no value)\")\n"
              "bad(\"#2 to 'check' (integer expected, got number)\", true, 1.5)\n"
              "bad(\"#4 to 'check' (string expected, got table)\", true, 1, 1, {})\n"
              "check = nil collectgarbage() collectgarbage()\n");
    assert_int_equal(calls, 104);
    close_counted(host, &memory);
}

static int raise_all(lucio_call *call, void *data)
{
    const char *name = "";
    size_t length;

    (void)data;
    lucio_call_string(call, 1, &name, &length);
    return lucio_raise(call, name, "number %d", 5);
}

/* Awaits a future that is done already, a thousand times over. */
static int await_done(lucio_call *call, void *data)
{
    int *left = data;
    lucio_future *future;
    int status;

    if ((*left)-- == 0)
        return lucio_return(call, 0, NULL);
    if (lucio_future_new(lucio_call_host(call), &future) != LUCIO_OK)
        return lucio_raise(call, "RuntimeError", "no future");
    lucio_future_set_result(future, 0, NULL);
    status = lucio_await(call, future, await_done, data);
    lucio_future_free(future);
    return status;
}

static void c_functions_raise_and_await(void **unused)
{
    static const struct lucio_entry entries[] = {
        {"raise", raise_all}, {"await_done", await_done}, {NULL, NULL}};
    struct memory memory = {0};
    lucio *host = open_counted(&memory);
    int left = 100000;

    (void)unused;
    assert_int_equal(lucio_add_module(host, "c", entries, &left), LUCIO_OK);
    run(host, "local c = require 'c'\n"
              "local ok, e = pcall(c.raise, 'QueueFull')\n"
              "assert(not ok and e.name == 'QueueFull' and tostring(e) == 'number 5')\n"
              "ok, e = pcall(c.raise, 'NoClass')\n"
              "assert(not ok and e.name == 'RuntimeError' and tostring(e) == 'NoClass: number 5')\n"
              "c.await_done()\n");
    assert_int_equal(left, -1);
    close_counted(host, &memory);
}

static void modules_of_the_program_can_be_required(void **unused)
{
    struct memory memory = {0};
    lucio *host = open_counted(&memory);
    static const char code[] = "local M = {} function M.double(n) return 2 * n end return M";

    (void)unused;
    assert_int_equal(lucio_add_lua_module(host, "app.util", code, sizeof code - 1), LUCIO_OK);
    assert_int_equal(lucio_add_lua_module(host, "app.bad", "=", 1), LUCIO_ERROR);
    assert_int_equal(lucio_add_c_module(host, "app.utf8", luaopen_utf8), LUCIO_OK);
    run(host, "assert(require('app.util').double(21) == 42)\n"
              "assert(require('app.utf8').char(65) == 'A')\n");
    close_counted(host, &memory);
}

static void libraries_can_be_left_out(void **unused)
{
    struct lucio_config config;
    lucio *host;

    (void)unused;
    lucio_config_init(&config);
    config.libraries = LUCIO_LIB_BASE | LUCIO_LIB_STRING;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    run(host, "assert(io == nil and os == nil and debug == nil and table == nil and string.rep)\n"
              "assert(not pcall(require, 'luacheck.main') and package.loadlib == nil)\n"
              "assert(require('lucio').sleep(0.001, 1) == 1)\n");
    assert_int_equal(lucio_close(host), LUCIO_OK);
}

/* ---- memory ---- */

static void a_memory_limit_can_be_caught(void **unused)
{
    struct lucio_config config;
    lucio *host;

    (void)unused;
    lucio_config_init(&config);
    config.memory_limit = 2 << 20;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(lucio_run_string(host, "return ('x'):rep(4 << 20)", NULL),
                         LUCIO_NO_MEMORY);
        run(host, "local ok, e = pcall(string.rep, 'x', 8 << 20)\n"
                  "assert(not ok and e == 'not enough memory')\n"
                  "local list = {}\n"
                  "ok, e = pcall(function() while true do list[#list + 1] = {} end end)\n"
                  "list = nil\n"
                  "assert(not ok and e == 'not enough memory')\n"
                  "collectgarbage()\n");
    }
    assert_int_equal(lucio_close(host), LUCIO_OK);
}

/* ---- other threads and signals ---- */

static void add_posted(lucio *host, void *data)
{
    int *sum = data;

    *sum += host != NULL ? 1 : 1000;
}

static void *post_thousand(void *data)
{
    void **both = data;

    for (int i = 0; i < 1000; i++) {
        if (lucio_post(both[0], add_posted, both[1]) != LUCIO_OK)
            abort();
    }
    return NULL;
}

static void finish_main(lucio *host, void *data)
{
    (void)host;
    lucio_future_set_result(data, 0, NULL);
}

static void *finish_later(void *data)
{
    void **both = data;

    usleep(20000); /* the loop sleeps by then */
    lucio_post(both[0], finish_main, both[1]);
    return NULL;
}

static void posts_from_threads_run_in_the_hosts_thread(void **unused)
{
    pthread_t threads[3];
    lucio_future *future;
    lucio *host;
    int sum = 0;
    void *both[2];

    (void)unused;
    assert_int_equal(lucio_open(&host, NULL), LUCIO_OK);
    both[0] = host;
    both[1] = &sum;
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, post_thousand, both);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(lucio_step(host), LUCIO_OK);
    assert_int_equal(sum, 3000);
    assert_int_equal(lucio_future_new(host, &future), LUCIO_OK);
    both[1] = future;
    pthread_create(&threads[0], NULL, finish_later, both);
    assert_int_equal(lucio_run(host, future), LUCIO_OK);
    pthread_join(threads[0], NULL);
    lucio_future_free(future);
    sum = 0;
    lucio_post(host, add_posted, &sum);
    lucio_retain(host);
    assert_int_equal(lucio_close(host), LUCIO_OK);
    assert_int_equal(sum, 1);
    assert_int_equal(lucio_post(host, add_posted, &sum), LUCIO_CLOSED);
    assert_int_equal(sum, 1);
    lucio_release(host);
}

static void what_was_posted_to_a_guest_that_closes_gets_no_host(void **unused)
{
    struct ev_loop *loop = ev_loop_new(0);
    struct lucio_config config;
    lucio *host;
    int sum = 0;

    (void)unused;
    lucio_config_init(&config);
    config.loop = loop;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    lucio_post(host, add_posted, &sum);
    ev_run(loop, EVRUN_NOWAIT);
    assert_int_equal(sum, 1);
    lucio_post(host, add_posted, &sum);
    assert_int_equal(lucio_close(host), LUCIO_OK);
    assert_int_equal(sum, 1001);
    ev_loop_destroy(loop);
}

static lucio_trigger *alarm_trigger;

static void on_alarm(int signal)
{
    (void)signal;
    lucio_trigger_fire(alarm_trigger);
    lucio_trigger_fire(alarm_trigger);
}

struct rung {
    lucio_future *future;
    int count;
};

static void on_trigger(lucio *host, void *data)
{
    struct rung *rung = data;

    (void)host;
    rung->count++;
    lucio_future_set_result(rung->future, 0, NULL);
}

static void a_trigger_is_fired_from_a_signal_handler(void **unused)
{
    struct rung rung = {0};
    lucio *host;

    (void)unused;
    assert_int_equal(lucio_open(&host, NULL), LUCIO_OK);
    assert_int_equal(lucio_future_new(host, &rung.future), LUCIO_OK);
    assert_int_equal(lucio_trigger_new(host, on_trigger, &rung, &alarm_trigger), LUCIO_OK);
    signal(SIGALRM, on_alarm);
    ualarm(20000, 0);
    assert_int_equal(lucio_run(host, rung.future), LUCIO_OK);
    assert_int_equal(rung.count, 1);
    signal(SIGALRM, SIG_DFL);
    lucio_future_free(rung.future);
    assert_int_equal(lucio_close(host), LUCIO_OK);
    lucio_trigger_fire(alarm_trigger);
    lucio_trigger_free(alarm_trigger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_hosts_leave_nothing),
        cmocka_unit_test(the_header_is_of_the_librarys_version),
        cmocka_unit_test(a_wrong_configuration_is_refused),
        cmocka_unit_test(a_state_of_the_program_outlives_its_host),
        cmocka_unit_test(closing_the_state_under_a_host_closes_its_handles),
        cmocka_unit_test(closing_runs_the_clean_up_of_tasks),
        cmocka_unit_test(a_host_is_busy_inside_of_its_calls),
        cmocka_unit_test(values_go_both_ways),
        cmocka_unit_test(a_reference_of_another_host_is_refused),
        cmocka_unit_test(errors_come_with_class_message_and_traceback),
        cmocka_unit_test(an_exit_of_the_script_is_the_programs_to_follow),
        cmocka_unit_test(errors_nobody_retrieves_reach_the_program),
        cmocka_unit_test(the_loop_can_be_run_in_steps),
        cmocka_unit_test(what_waits_for_ever_is_an_error_under_the_virtual_clock),
        cmocka_unit_test(a_guest_is_driven_by_the_programs_loop),
        cmocka_unit_test(a_guest_has_child_processes_on_the_default_loop_too),
        cmocka_unit_test(futures_are_completed_from_c),
        cmocka_unit_test(a_tasks_outcome_is_its_own),
        cmocka_unit_test(methods_called_from_c_queue_fairly),
        cmocka_unit_test(c_functions_check_their_arguments),
        cmocka_unit_test(c_functions_raise_and_await),
        cmocka_unit_test(modules_of_the_program_can_be_required),
        cmocka_unit_test(libraries_can_be_left_out),
        cmocka_unit_test(a_memory_limit_can_be_caught),
        cmocka_unit_test(posts_from_threads_run_in_the_hosts_thread),
        cmocka_unit_test(what_was_posted_to_a_guest_that_closes_gets_no_host),
        cmocka_unit_test(a_trigger_is_fired_from_a_signal_handler),
    };

    return cmocka_run_group_tests_name("embed", tests, NULL, NULL);
}
