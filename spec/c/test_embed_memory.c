/*
 * The C interface without memory: each part of it is used while the nth request is refused, for every n, once
 * that one alone and once all from it on. Nothing crashes, all is given back, and where memory comes back
 * the host goes on.
 * A public function that no part calls fails the test.
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
#include <lauxlib.h>

#include "lucio.h"

#include "called.h"
#include "memory.h"

static char script[] = "/tmp/lucio-embed-XXXXXX"; /* a file */

/* ---- values ---- */

static void use_values(lucio *host)
{
    struct lucio_value value, key = lucio_string("a key");
    lucio_ref *table, *copy, *taken = NULL;

    lucio_table_new(host, &table);
    lucio_set_field(table, key, lucio_bytes("a value", 7));
    lucio_set_field(table, lucio_integer(1), lucio_number(1.5));
    lucio_set_field(table, lucio_boolean(true), lucio_pointer(host));
    lucio_set_field(table, lucio_nil(), lucio_nil());
    if (lucio_get_field(table, key, &value) == LUCIO_OK && value.type == LUCIO_STRING)
        assert_memory_equal(value.as.string.data, "a value", 7);
    assert_true(lucio_length(table) <= 1);
    lucio_set_global(host, "t", lucio_object(table));
    if (lucio_get_global(host, "t", &value) == LUCIO_OK && value.type == LUCIO_OBJECT)
        lucio_ref_free(value.as.object);
    copy = lucio_ref_copy(table);
    lucio_ref_type(copy);
    lua_pushinteger(lucio_state(host), 7);
    lucio_take(host, &taken);
    lucio_ref_free(taken);
    lucio_ref_free(copy);
    lucio_ref_free(table);
}

/* ---- code ---- */

static int open_module(lua_State *L)
{
    lua_newtable(L);
    return 1;
}

static int nothing(lucio_call *call, void *data)
{
    (void)data;
    return lucio_return(call, 0, NULL);
}

static void use_code(lucio *host)
{
    static const struct lucio_entry entries[] = {{"nothing", nothing}, {NULL, NULL}};
    static const char code[] = "require 'm' require 'n' require('c').nothing()\n"
                               "require('lucio').sleep(1) return ...";
    struct lucio_value value = lucio_string("argument");
    lucio_ref *function = NULL, *file = NULL;
    lucio_future *task = NULL, *other = NULL;

    lucio_add_module(host, "c", entries, NULL);
    lucio_add_lua_module(host, "m", "return {}", 9);
    lucio_add_c_module(host, "n", open_module);
    lucio_load_string(host, code, strlen(code), "=code", &function);
    lucio_spawn(host, function, "main", 1, &value, &task);
    if (lucio_run(host, task) == LUCIO_OK)
        assert_string_equal(lucio_future_result(task, 0).as.string.data, "argument");
    lucio_future_free(task);
    lucio_load_file(host, script, &file);
    lucio_run_file(host, script, 1, &value, &other);
    lucio_future_free(other);
    if (lucio_run_string(host, "error(require('lucio').ValueError('no'))", NULL) != LUCIO_OK)
        assert_non_null(lucio_last_error(host)->message);
    if (lucio_run_string(host, "require('lucio').exit(3)", NULL) == LUCIO_EXIT)
        assert_int_equal(lucio_exit_code(host), 3);
    lucio_step(host);
    lucio_fd(host);
    lucio_timeout(host);
    lucio_run_idle(host, -1);
    lucio_task_count(host);
    assert_ptr_equal(lucio_data(host), script);
    lua_pushcfunction(lucio_state(host), luaopen_lucio);
    lua_pcall(lucio_state(host), 0, 0, 0);
    lua_settop(lucio_state(host), 0);
    lucio_ref_free(function);
    lucio_ref_free(file);
}

/* ---- futures ---- */

static void count(lucio_future *future, void *data)
{
    (void)future;
    ++*(int *)data;
}

static void use_futures(lucio *host)
{
    struct lucio_value value = lucio_string("result");
    lucio_future *good = NULL, *bad = NULL, *task = NULL, *again = NULL;
    struct lucio_value found = lucio_nil();
    int counted = 0;

    lucio_future_new(host, &good);
    lucio_future_new(host, &bad);
    lucio_future_on_done(good, count, &counted);
    lucio_set_global(host, "future", lucio_awaitable(good));
    if (lucio_get_global(host, "future", &found) == LUCIO_OK && found.type == LUCIO_OBJECT)
        lucio_future_of(found.as.object, &again);
    lucio_run_string(host, "task = require('lucio').create_task(function() future:await() end)",
                     NULL);
    lucio_future_set_result(good, 1, &value);
    lucio_future_set_error(bad, "ValueError", "bad");
    lucio_run_idle(host, -1);
    if (lucio_future_status(good) == LUCIO_OK) {
        assert_int_equal(lucio_future_count(good), 1);
        lucio_future_result(good, 0);
    }
    lucio_future_error(bad);
    if (found.type == LUCIO_OBJECT)
        lucio_ref_free(found.as.object);
    if (lucio_get_global(host, "task", &found) == LUCIO_OK && found.type == LUCIO_OBJECT) {
        lucio_future_of(found.as.object, &task);
        lucio_ref_free(found.as.object);
    }
    lucio_task_set_name(task, "renamed");
    lucio_task_name(task);
    lucio_future_cancel(task, "why");
    lucio_run_idle(host, -1);
    lucio_future_free(good);
    lucio_future_free(bad);
    lucio_future_free(task);
    lucio_future_free(again);
}

/* ---- queues, locks, events ---- */

/* What C and Lua wait for together. */
struct lines {
    lucio_ref *queue, *lock, *event, *condition;
    int at;
};

/* A C function that waits in the lines of all. */
static int wait_in_lines(lucio_call *call, void *data)
{
    struct lines *lines = data;

    if (lucio_call_status(call) != LUCIO_OK)
        return lucio_reraise(call);
    switch (lines->at++) {
    case 0:
        return lucio_await_event(call, lines->event, wait_in_lines, lines);
    case 1:
        return lucio_await_lock(call, lines->lock, wait_in_lines, lines);
    case 2:
        return lucio_await_condition(call, lines->condition, wait_in_lines, lines);
    case 3:
        return lucio_await_queue_put(call, lines->queue, lucio_string("item"), wait_in_lines,
                                     lines);
    case 4:
        return lucio_await_queue_get(call, lines->queue, wait_in_lines, lines);
    case 5:
        lucio_queue_task_done(lines->queue);
        return lucio_await_queue_join(call, lines->queue, wait_in_lines, lines);
    case 6:
        return lucio_await_method(call, lines->queue, "qsize", 0, NULL, wait_in_lines, lines);
    default:
        lucio_lock_release(lines->lock);
        return lucio_return(call, 0, NULL);
    }
}

static struct lines lines; /* a task that no memory was there to end may use it later */
static int reached;        /* how far the last one got */

static void make_lines(lucio *host)
{
    memset(&lines, 0, sizeof lines);
    lucio_queue_new(host, LUCIO_FIFO, 2, &lines.queue);
    lucio_lock_new(host, &lines.lock);
    lucio_event_new(host, &lines.event);
    lucio_condition_new(host, lines.lock, &lines.condition);
}

static void free_lines(void)
{
    lucio_ref_free(lines.condition);
    lucio_ref_free(lines.queue);
    lucio_ref_free(lines.lock);
    lucio_ref_free(lines.event);
    memset(&lines, 0, sizeof lines);
}

/* A C-level task stands in all lines, and is let through each. */
static void use_lines_in_c(lucio *host)
{
    lucio_future *task = NULL;

    make_lines(host);
    lucio_spawn_function(host, "lines", wait_in_lines, &lines, NULL, &task);
    lucio_run_idle(host, -1);
    lucio_event_set(lines.event);
    lucio_run_idle(host, -1);
    if (lucio_lock_try_acquire(lines.lock) == LUCIO_OK) {
        lucio_condition_notify(lines.condition, -1);
        lucio_lock_release(lines.lock);
    }
    lucio_run_idle(host, -1);
    lucio_future_cancel(task, NULL);
    lucio_run_idle(host, -1);
    lucio_future_free(task);
    reached = lines.at;
    free_lines();
}

/* Tasks of the functions with a future stand in them. */
static void use_lines_by_futures(lucio *host)
{
    lucio_future *put = NULL, *got = NULL, *join = NULL, *locked = NULL, *notified = NULL;
    lucio_future *event = NULL, *method = NULL;
    lucio_ref *semaphore = NULL;
    struct lucio_value item;

    make_lines(host);
    lucio_semaphore_new(host, 1, true, &semaphore);
    lucio_lock_try_acquire(semaphore);
    lucio_lock_locked(semaphore);
    lucio_lock_release(semaphore);
    lucio_event_wait(lines.event, &event);
    lucio_event_is_set(lines.event);
    lucio_event_set(lines.event);
    lucio_event_clear(lines.event);
    lucio_queue_try_put(lines.queue, lucio_string("item"));
    lucio_queue_put(lines.queue, lucio_string("item"), &put);
    lucio_queue_join(lines.queue, &join);
    lucio_queue_get(lines.queue, &got);
    lucio_queue_try_get(lines.queue, &item);
    lucio_queue_size(lines.queue);
    lucio_call_method(lines.queue, "qsize", 0, NULL, &method);
    lucio_lock_acquire(lines.lock, &locked);
    lucio_condition_wait(lines.condition, &notified);
    lucio_run_idle(host, -1);
    if (lucio_lock_try_acquire(lines.lock) == LUCIO_OK) {
        lucio_condition_notify(lines.condition, 1);
        lucio_lock_release(lines.lock);
    }
    lucio_queue_shutdown(lines.queue, true);
    lucio_run_idle(host, -1);
    lucio_future_cancel(notified, NULL);
    lucio_run_idle(host, -1);
    lucio_future_free(put);
    lucio_future_free(got);
    lucio_future_free(join);
    lucio_future_free(locked);
    lucio_future_free(notified);
    lucio_future_free(event);
    lucio_future_free(method);
    lucio_ref_free(semaphore);
    free_lines();
}

/* ---- C functions ---- */

static int raise_what_failed(lucio_call *call, void *data)
{
    (void)data;
    lucio_call_error(call);
    return lucio_call_status(call) == LUCIO_OK ? lucio_return(call, 0, NULL) : lucio_reraise(call);
}

/* (boolean, integer, number, string, table, awaitable) */
static int take_all(lucio_call *call, void *data)
{
    struct lucio_value results[2];
    lucio_future *future = NULL;
    lucio_ref *object = NULL;
    const char *text;
    size_t length;
    long long integer;
    double number;
    bool boolean;
    int end;

    (void)data;
    if (lucio_call_count(call) == 0)
        return lucio_raise(call, "ValueError", "%s", "no arguments");
    if (!lucio_call_boolean(call, 1, &boolean) || !lucio_call_integer(call, 2, &integer) ||
        !lucio_call_number(call, 3, &number) || !lucio_call_string(call, 4, &text, &length) ||
        !lucio_call_object(call, 5, &object) || !lucio_call_awaitable(call, 6, &future)) {
        lucio_ref_free(object);
        return lucio_bad_argument(call);
    }
    results[0] = lucio_object(object);
    results[1] = lucio_call_value(call, 4);
    lucio_set_global(lucio_call_host(call), "seen", results[1]);
    end = integer == 0 ? lucio_return(call, 2, results)
                       : lucio_await(call, future, raise_what_failed, NULL);
    lucio_ref_free(object);
    lucio_future_free(future);
    return end;
}

static void release(void *data)
{
    ++*(int *)data;
}

static void use_functions(lucio *host)
{
    static int released;
    lucio_ref *function = NULL;

    lucio_function_new(host, "take_all", take_all, &released, release, &function);
    lucio_set_global(host, "take_all", lucio_object(function));
    lucio_ref_free(function);
    lucio_run_string(host,
                     "local lucio = require 'lucio'\n"
                     "local function sleep() lucio.sleep(1) end\n"
                     "pcall(take_all)\n"
                     "pcall(take_all, true, 'x')\n"
                     "pcall(take_all, true, 0, 0.5, 'text', {}, sleep)\n"
                     "pcall(take_all, true, 1, 0.5, 'text', {}, lucio.create_task(sleep))\n"
                     "pcall(take_all, true, 1, 0.5, 'text', {}, function() error('x') end)\n",
                     NULL);
    lucio_set_global(host, "take_all", lucio_nil());
}

/* ---- other threads; the tree ---- */

static void on_post(lucio *host, void *data)
{
    (void)host;
    ++*(int *)data;
}

static void use_posts(lucio *host)
{
    static int posted; /* what was posted may be called as late as lucio_close */
    lucio_trigger *trigger = NULL;

    assert_ptr_equal(lucio_retain(host), host);
    lucio_post(host, on_post, &posted);
    lucio_trigger_new(host, on_post, &posted, &trigger);
    lucio_trigger_fire(trigger);
    lucio_run_idle(host, -1);
    lucio_trigger_free(trigger);
    lucio_release(host);
}

static void drop_text(const char *text, size_t length, void *data)
{
    (void)text;
    (void)length;
    (void)data;
}

static bool drop_record(const struct lucio_task_info *info, void *data)
{
    (void)data;
    return info->name[0] != '\0';
}

static void use_tree(lucio *host)
{
    lucio_run_string(host,
                     "local lucio = require 'lucio'\n"
                     "local function nap() lucio.sleep(1) end\n"
                     "lucio.create_task(function() lucio.gather(nap, nap) end)",
                     NULL);
    lucio_run_idle(host, -1);
    lucio_print_tasks(host, drop_text, NULL);
    lucio_visit_tasks(host, drop_record, NULL);
}

/* ---- all of them ---- */

static void only_open(lucio *host)
{
    (void)host;
}

static void drop_log(lucio *host, const char *text, size_t length, void *data)
{
    (void)host;
    (void)text;
    (void)length;
    (void)data;
}

/* A part of a host's life: true when all was done before a request was refused. */
static bool live(void (*part)(lucio *host), bool opens, size_t n, size_t last)
{
    struct memory memory = {0};
    struct lucio_config config;
    size_t before = 0;
    lucio *host;

    lucio_config_init(&config);
    config.alloc = memory_alloc;
    config.alloc_data = &memory;
    config.libraries = LUCIO_LIB_BASE;
    config.virtual_clock = true;
    config.on_log = drop_log;
    config.data = script;
    memory.fail_first = opens ? n : 0;
    memory.fail_last = opens ? last : 0;
    if (lucio_open(&host, &config) == LUCIO_OK) {
        if (!opens) {
            before = memory.requests;
            memory.fail_first = before + n;
            memory.fail_last = last == SIZE_MAX ? last : before + last;
        }
        part(host);
        if (last != SIZE_MAX && memory.requests >= memory.fail_last) {
            memory.fail_last = 0;
            assert_int_equal(lucio_run_string(host, "require('lucio').sleep(1)", NULL), LUCIO_OK);
        }
        assert_int_equal(lucio_close(host), LUCIO_OK);
    }
    if (memory.balance != 0 || memory.wrong_sizes != 0)
        fail_msg("%zu bytes are left after request %zu was refused, %zu wrong sizes",
                 memory.balance, n, memory.wrong_sizes);
    return memory.requests < before + n;
}

static void refuse_each(void (*part)(lucio *host), bool opens)
{
    for (int all = 0; all < 2; all++) {
        size_t n = 1;

        while (!live(part, opens, n, all ? SIZE_MAX : n))
            n++;
        assert_true(n > 10);
    }
}

static void opening_and_closing_survive_it(void **unused)
{
    (void)unused;
    refuse_each(only_open, true);
}

static void values_survive_it(void **unused)
{
    (void)unused;
    refuse_each(use_values, false);
}

static void code_survives_it(void **unused)
{
    (void)unused;
    refuse_each(use_code, false);
}

static void futures_survive_it(void **unused)
{
    (void)unused;
    refuse_each(use_futures, false);
}

static void queues_and_locks_survive_it(void **unused)
{
    (void)unused;
    refuse_each(use_lines_in_c, false);
    assert_int_equal(reached, 8); /* the last run of it was refused nothing */
    refuse_each(use_lines_by_futures, false);
}

static void functions_survive_it(void **unused)
{
    (void)unused;
    refuse_each(use_functions, false);
}

static void posts_and_the_tree_survive_it(void **unused)
{
    (void)unused;
    refuse_each(use_posts, false);
    refuse_each(use_tree, false);
}

static void no_public_function_is_left_out(void **unused)
{
    const char *missing;
    int left_out = 0;

    (void)unused;
    /* these have nothing to do with memory */
    assert_string_equal(lucio_status_text(LUCIO_OK), "no error");
    assert_string_equal(lucio_version(), LUCIO_VERSION);
    assert_null(lucio_config_check(NULL));
    for (size_t i = 0; (missing = called_next_missing(&i)) != NULL;) {
        print_error("%s is called by no part of this test\n", missing);
        left_out++;
    }
    assert_int_equal(left_out, 0);
}

static int make_script(void **unused)
{
    int fd = mkstemp(script);

    (void)unused;
    if (fd < 0 || write(fd, "return ...", 10) != 10)
        return -1;
    return close(fd);
}

static int remove_script(void **unused)
{
    (void)unused;
    return unlink(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_and_closing_survive_it),
        cmocka_unit_test(values_survive_it),
        cmocka_unit_test(code_survives_it),
        cmocka_unit_test(futures_survive_it),
        cmocka_unit_test(queues_and_locks_survive_it),
        cmocka_unit_test(functions_survive_it),
        cmocka_unit_test(posts_and_the_tree_survive_it),
        cmocka_unit_test(no_public_function_is_left_out),
    };

    return cmocka_run_group_tests_name("embed_memory", tests, make_script, remove_script);
}
