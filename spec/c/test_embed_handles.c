/*
 * Handles of the C interface that are good no more: freed ones, those of a call that is over, of another kind or
 * host, NULL. They are refused by a status that lucio_last_error explains, whatever was made since.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lucio.h"
#include "memory.h"

static struct memory memory;
static char logged[1000];

static void on_log(lucio *host, const char *text, size_t length, void *data)
{
    (void)host;
    (void)data;
    if (strlen(logged) + length < sizeof logged)
        strncat(logged, text, length);
}

static lucio *open_counted(void)
{
    struct lucio_config config;
    lucio *host;

    memset(&memory, 0, sizeof memory);
    logged[0] = '\0';
    lucio_config_init(&config);
    config.alloc = memory_alloc;
    config.alloc_data = &memory;
    config.virtual_clock = true;
    config.on_log = on_log;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    return host;
}

static void close_counted(lucio *host)
{
    assert_int_equal(lucio_close(host), LUCIO_OK);
    assert_int_equal(memory.balance, 0);
    assert_int_equal(memory.wrong_sizes, 0);
}

/* The call before this one was refused, and the error says why. */
static void refused(lucio *host, int status, const char *message)
{
    assert_int_equal(status, LUCIO_INVALID);
    assert_string_equal(lucio_last_error(host)->message, message);
    lucio_run_string(host, "x = = 1", NULL); /* another one */
}

static void on_done(lucio_future *future, void *data)
{
    (void)future;
    (void)data;
}

static void freed_futures_are_refused(void **unused)
{
    static const char why[] = "the future's handle was freed";
    struct lucio_value value = lucio_integer(1);
    lucio *host = open_counted();
    lucio_future *future;

    (void)unused;
    assert_int_equal(lucio_future_new(host, &future), LUCIO_OK);
    lucio_future_free(future);
    refused(host, lucio_future_status(future), why);
    refused(host, lucio_future_set_result(future, 1, &value), why);
    refused(host, lucio_future_set_error(future, "ValueError", "x"), why);
    refused(host, lucio_future_cancel(future, NULL), why);
    refused(host, lucio_future_on_done(future, on_done, NULL), why);
    refused(host, lucio_task_set_name(future, "x"), why);
    refused(host, lucio_run(host, future), "lucio_run: no future of this host");
    assert_int_equal(lucio_future_count(future), 0);
    assert_int_equal(lucio_future_result(future, 0).type, LUCIO_NIL);
    assert_null(lucio_future_error(future));
    assert_null(lucio_task_name(future));
    assert_int_equal(lucio_set_global(host, "x", lucio_awaitable(future)), LUCIO_INVALID);
    assert_string_equal(lucio_last_error(host)->message, "the reference was freed");
    assert_string_equal(logged, "");
    /* freeing has no status: it is logged */
    lucio_future_free(future);
    assert_string_equal(logged, "lucio_future_free: the future's handle was freed\n");
    lucio_ref_free((lucio_ref *)future);
    close_counted(host);
}

static void freed_references_are_refused(void **unused)
{
    static const char why[] = "the reference was freed";
    lucio *host = open_counted();
    struct lucio_value value;
    lucio_ref *ref, *condition;
    lucio_future *future;

    (void)unused;
    assert_int_equal(lucio_queue_new(host, LUCIO_FIFO, 0, &ref), LUCIO_OK);
    lucio_ref_free(ref);
    refused(host, lucio_get_field(ref, lucio_integer(1), &value), why);
    refused(host, lucio_set_field(ref, lucio_integer(1), lucio_nil()), why);
    refused(host, lucio_queue_try_put(ref, lucio_nil()), why);
    refused(host, lucio_queue_try_get(ref, &value), why);
    refused(host, lucio_queue_get(ref, &future), why);
    refused(host, (int)lucio_queue_size(ref), why);
    refused(host, lucio_lock_release(ref), why);
    refused(host, lucio_event_is_set(ref), why);
    refused(host, lucio_future_of(ref, &future), why);
    refused(host, lucio_call_method(ref, "get", 0, NULL, &future), why);
    assert_null(future);
    refused(host, lucio_spawn(host, ref, NULL, 0, NULL, NULL),
            "lucio_spawn: no function of this host");
    refused(host, lucio_condition_new(host, ref, &condition), why);
    assert_int_equal(lucio_length(ref), 0);
    assert_null(lucio_ref_copy(ref));
    assert_string_equal(lucio_ref_type(ref), "closed");
    lucio_ref_free(ref);
    assert_string_equal(logged, "lucio_ref_free: the reference was freed\n");
    close_counted(host);
}

/* Many newer handles do not make an old one good, and those that are good stay so. */
static void newer_handles_leave_freed_ones_bad(void **unused)
{
    lucio *host = open_counted();
    lucio_ref *stale, *kept, *made;

    (void)unused;
    assert_int_equal(lucio_table_new(host, &kept), LUCIO_OK);
    assert_int_equal(lucio_table_new(host, &stale), LUCIO_OK);
    lucio_ref_free(stale);
    for (int i = 0; i < 400; i++) {
        assert_int_equal(lucio_table_new(host, &made), LUCIO_OK);
        assert_ptr_not_equal(made, stale);
        assert_int_equal(lucio_set_field(stale, lucio_integer(1), lucio_nil()), LUCIO_INVALID);
        lucio_ref_free(made);
    }
    assert_string_equal(lucio_ref_type(kept), "table");
    lucio_ref_free(kept);
    close_counted(host);
}

static void closed_hosts_keep_refusing_while_a_handle_is_left(void **unused)
{
    lucio *host = open_counted();
    lucio_future *freed, *left;

    (void)unused;
    assert_int_equal(lucio_future_new(host, &freed), LUCIO_OK);
    assert_int_equal(lucio_future_new(host, &left), LUCIO_OK);
    assert_int_equal(lucio_close(host), LUCIO_OK);
    assert_int_equal(lucio_future_status(freed), LUCIO_CLOSED);
    lucio_future_free(freed);
    assert_int_equal(lucio_future_status(freed), LUCIO_INVALID);
    lucio_future_free(freed);
    assert_int_equal(lucio_close(host), LUCIO_CLOSED);
    assert_int_equal(lucio_step(host), LUCIO_CLOSED);
    lucio_future_free(left);
    assert_int_equal(memory.balance, 0);
}

static void handles_of_another_kind_are_refused(void **unused)
{
    static const char why[] = "the handle is of another kind";
    lucio *host = open_counted();
    lucio_future *future;
    lucio_ref *ref;

    (void)unused;
    assert_int_equal(lucio_table_new(host, &ref), LUCIO_OK);
    assert_int_equal(lucio_future_new(host, &future), LUCIO_OK);
    refused(host, lucio_future_status((lucio_future *)ref), why);
    refused(host, lucio_future_cancel((lucio_future *)ref, NULL), why);
    lucio_future_free((lucio_future *)ref);
    lucio_trigger_free((lucio_trigger *)future);
    lucio_trigger_fire((lucio_trigger *)future);
    assert_string_equal(logged, "lucio_future_free: the handle is of another kind\n"
                                "lucio_trigger_free: the handle is of another kind\n");
    assert_string_equal(lucio_ref_type((lucio_ref *)future), "lucio.future"); /* it is one */
    lucio_ref_free(ref);
    lucio_ref_free((lucio_ref *)future);
    close_counted(host);
}

static void count(lucio *host, void *data)
{
    (void)host;
    ++*(int *)data;
}

static void freed_triggers_fire_nothing(void **unused)
{
    lucio *host = open_counted();
    lucio_trigger *trigger, *newer;
    int counted = 0;

    (void)unused;
    assert_int_equal(lucio_trigger_new(host, count, &counted, &trigger), LUCIO_OK);
    lucio_trigger_fire(trigger);
    lucio_trigger_free(trigger);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(lucio_trigger_new(host, count, &counted, &newer), LUCIO_OK);
        lucio_trigger_fire(trigger);
        assert_int_equal(lucio_run_idle(host, -1), LUCIO_OK);
        lucio_trigger_free(newer);
    }
    assert_int_equal(counted, 0);
    lucio_trigger_free(trigger);
    assert_string_equal(logged, "lucio_trigger_free: the trigger was freed\n");
    close_counted(host);
}

/* ---- calls ---- */

static lucio_call *stored;

static int store_call(lucio_call *call, void *data)
{
    (void)data;
    stored = call;
    return lucio_return(call, 0, NULL);
}

/* Calls a Lua function, which calls `use_outer`. */
static int call_lua(lucio_call *call, void *data)
{
    struct lucio_value function = lucio_call_value(call, 1);

    (void)data;
    stored = call;
    lucio_call_method(function.as.object, "run", 0, NULL, NULL);
    lucio_ref_free(function.as.object);
    return lucio_return(call, 1,
                        (struct lucio_value[]){lucio_integer((long long)lucio_call_count(call))});
}

static int use_outer(lucio_call *call, void *data)
{
    lucio *host = lucio_call_host(call);
    long long integer;

    (void)data;
    refused(host, lucio_return(stored, 0, NULL), "the call is not the innermost one");
    refused(host, lucio_raise(stored, "ValueError", "x"), "the call is not the innermost one");
    assert_int_equal(lucio_call_count(stored), 0);
    assert_false(lucio_call_integer(stored, 1, &integer));
    assert_ptr_equal(lucio_call_host(stored), host);
    return lucio_return(call, 0, NULL);
}

static bool use_call(const struct lucio_task_info *info, void *data)
{
    (void)info;
    (void)data;
    assert_int_equal(lucio_return(stored, 0, NULL), LUCIO_INVALID);
    return false;
}

static int visit(lucio_call *call, void *data)
{
    (void)data;
    stored = call;
    lucio_visit_tasks(lucio_call_host(call), use_call, NULL);
    return lucio_return(call, 0, NULL);
}

static void calls_that_are_over_are_refused(void **unused)
{
    static const struct lucio_entry entries[] = {{"store", store_call},
                                                 {"call", call_lua},
                                                 {"use", use_outer},
                                                 {"visit", visit},
                                                 {NULL, NULL}};
    static const char why[] = "the call is over";
    struct lucio_value value = lucio_integer(1);
    lucio *host = open_counted();
    lucio_future *future;
    lucio_ref *queue;
    long long integer;

    (void)unused;
    assert_int_equal(lucio_add_module(host, "c", entries, NULL), LUCIO_OK);
    assert_int_equal(lucio_run_string(host, "require('c').store()", NULL), LUCIO_OK);
    lucio_future_new(host, &future);
    lucio_queue_new(host, LUCIO_FIFO, 0, &queue);
    refused(host, lucio_return(stored, 1, &value), why);
    refused(host, lucio_raise(stored, "ValueError", "x"), why);
    refused(host, lucio_reraise(stored), why);
    refused(host, lucio_bad_argument(stored), why);
    refused(host, lucio_await(stored, future, NULL, NULL), why);
    refused(host, lucio_await_method(stored, queue, "get", 0, NULL, NULL, NULL), why);
    refused(host, lucio_await_queue_get(stored, queue, NULL, NULL), why);
    refused(host, lucio_call_status(stored), why);
    assert_false(lucio_call_integer(stored, 1, &integer));
    assert_int_equal(lucio_call_value(stored, 1).type, LUCIO_NIL);
    assert_int_equal(lucio_call_count(stored), 0);
    assert_null(lucio_call_error(stored));
    assert_null(lucio_call_host(stored));
    /* nor is an outer one while another runs inside of it */
    assert_int_equal(lucio_run_string(host,
                                      "local c = require 'c'\n"
                                      "local n = c.call({run = function() c.use(1, 2, 3) end}, 5)\n"
                                      "assert(n == 2) c.visit()",
                                      NULL),
                     LUCIO_OK);
    lucio_future_free(future);
    lucio_ref_free(queue);
    close_counted(host);
}

static void free_it(lucio *host, void *data)
{
    (void)host;
    lucio_future_free(data);
}

static void a_future_can_be_freed_while_it_is_run(void **unused)
{
    lucio *host = open_counted();
    lucio_ref *function;
    lucio_future *task;

    (void)unused;
    lucio_load_string(host, "require('lucio').sleep(1)", 25, NULL, &function);
    assert_int_equal(lucio_spawn(host, function, NULL, 0, NULL, &task), LUCIO_OK);
    lucio_post(host, free_it, task);
    assert_int_equal(lucio_run(host, task), LUCIO_INVALID);
    assert_string_equal(lucio_last_error(host)->message, "the future's handle was freed");
    lucio_ref_free(function);
    close_counted(host);
}

/* ---- what else may be missing ---- */

static void null_handles_and_places_are_refused(void **unused)
{
    static const struct lucio_entry incomplete[] = {{"f", NULL}, {NULL, NULL}};
    lucio *host = open_counted();
    struct lucio_value value = lucio_object(NULL);
    lucio_future *future;
    lucio_ref *ref;

    (void)unused;
    assert_int_equal(value.type, LUCIO_NIL);
    assert_int_equal(lucio_open(NULL, NULL), LUCIO_INVALID);
    assert_int_equal(lucio_close(NULL), LUCIO_OK);
    assert_int_equal(lucio_step(NULL), LUCIO_INVALID);
    assert_int_equal(lucio_run_string(NULL, "x = 1", &future), LUCIO_INVALID);
    assert_int_equal(lucio_load_file(NULL, "x", &ref), LUCIO_INVALID);
    assert_int_equal(lucio_future_status(NULL), LUCIO_INVALID);
    assert_int_equal(lucio_future_set_result(NULL, 0, NULL), LUCIO_INVALID);
    assert_int_equal(lucio_future_cancel(NULL, NULL), LUCIO_INVALID);
    assert_int_equal(lucio_call_method(NULL, "x", 0, NULL, NULL), LUCIO_INVALID);
    assert_int_equal(lucio_post(NULL, count, NULL), LUCIO_INVALID);
    assert_int_equal(lucio_get_field(NULL, lucio_nil(), &value), LUCIO_INVALID);
    assert_int_equal(lucio_future_of(NULL, &future), LUCIO_INVALID);
    assert_int_equal(lucio_future_on_done(NULL, NULL, NULL), LUCIO_INVALID);
    assert_int_equal(lucio_return(NULL, 0, NULL), LUCIO_INVALID);
    assert_int_equal(lucio_length(NULL), 0);
    assert_int_equal(lucio_task_count(NULL), 0);
    assert_string_equal(lucio_last_error(NULL)->message, "");
    assert_null(lucio_future_error(NULL));
    assert_null(lucio_ref_copy(NULL));
    assert_null(lucio_state(NULL));
    assert_null(lucio_data(NULL));
    assert_null(lucio_retain(NULL));
    assert_null(lucio_call_host(NULL));
    lucio_future_free(NULL);
    lucio_ref_free(NULL);
    lucio_trigger_free(NULL);
    lucio_trigger_fire(NULL);
    lucio_release(NULL);
    /* no place for what is made */
    refused(host, lucio_table_new(host, NULL), "there is no place for the result");
    refused(host, lucio_future_new(host, NULL), "there is no place for the result");
    refused(host, lucio_get_global(host, "x", NULL), "there is no place for the result");
    refused(host, lucio_queue_new(host, LUCIO_FIFO, 0, NULL), "there is no place for the result");
    refused(host, lucio_add_module(host, "c", incomplete, NULL),
            "lucio_add_module: a name has no function");
    refused(host, lucio_load_string(host, NULL, 5, NULL, &ref), "lucio_load_string: no code");
    assert_int_equal(lucio_table_new(host, &ref), LUCIO_OK);
    refused(host, lucio_call_method(ref, NULL, 0, NULL, NULL), "lucio_call_method: no method");
    lucio_future_new(host, &future);
    assert_int_equal(lucio_future_set_result(future, 2, NULL), LUCIO_INVALID);
    assert_int_equal(lucio_future_set_error(future, NULL, NULL), LUCIO_OK);
    assert_string_equal(lucio_future_error(future)->class_name, "RuntimeError");
    lucio_future_free(future);
    lucio_ref_free(ref);
    close_counted(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freed_futures_are_refused),
        cmocka_unit_test(freed_references_are_refused),
        cmocka_unit_test(newer_handles_leave_freed_ones_bad),
        cmocka_unit_test(closed_hosts_keep_refusing_while_a_handle_is_left),
        cmocka_unit_test(handles_of_another_kind_are_refused),
        cmocka_unit_test(freed_triggers_fire_nothing),
        cmocka_unit_test(calls_that_are_over_are_refused),
        cmocka_unit_test(a_future_can_be_freed_while_it_is_run),
        cmocka_unit_test(null_handles_and_places_are_refused),
    };

    return cmocka_run_group_tests_name("embed_handles", tests, NULL, NULL);
}
