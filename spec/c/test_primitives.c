/*
 * Tests of queues, locks, events, semaphores and conditions that C and Lua use together, of C functions that
 * wait for them, and of the tree of tasks for C.
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

static lucio *open_counted(void)
{
    struct lucio_config config;
    lucio *host;

    memset(&memory, 0, sizeof memory);
    lucio_config_init(&config);
    config.alloc = memory_alloc;
    config.alloc_data = &memory;
    config.virtual_clock = true;
    assert_int_equal(lucio_open(&host, &config), LUCIO_OK);
    return host;
}

static void close_counted(lucio *host)
{
    assert_int_equal(lucio_close(host), LUCIO_OK);
    assert_int_equal(memory.balance, 0);
    assert_int_equal(memory.wrong_sizes, 0);
}

static void run(lucio *host, const char *code)
{
    if (lucio_run_string(host, code, NULL) != LUCIO_OK)
        fail_msg("%s\n%s", lucio_last_error(host)->message, lucio_last_error(host)->traceback);
}

/* The global string `log`, to which scripts and functions here add. */
static void expect_log(lucio *host, const char *expected)
{
    struct lucio_value value;

    assert_int_equal(lucio_get_global(host, "log", &value), LUCIO_OK);
    assert_int_equal(value.type, LUCIO_STRING);
    assert_string_equal(value.as.string.data, expected);
}

static void add_to_log(lucio *host, const char *text)
{
    struct lucio_value value;
    char all[1000];

    lucio_get_global(host, "log", &value);
    snprintf(all, sizeof all, "%s%s", value.as.string.data, text);
    lucio_set_global(host, "log", lucio_string(all));
}

static lucio_ref *global_object(lucio *host, const char *name)
{
    struct lucio_value value;

    assert_int_equal(lucio_get_global(host, name, &value), LUCIO_OK);
    assert_int_equal(value.type, LUCIO_OBJECT);
    return value.as.object;
}

/* ---- on both sides ---- */

static void objects_go_both_ways(void **unused)
{
    lucio *host = open_counted();
    lucio_ref *queue, *lock, *event, *of_lua;
    struct lucio_value item;

    (void)unused;
    assert_int_equal(lucio_queue_new(host, LUCIO_FIFO, 2, &queue), LUCIO_OK);
    assert_int_equal(lucio_lock_new(host, &lock), LUCIO_OK);
    assert_int_equal(lucio_event_new(host, &event), LUCIO_OK);
    assert_string_equal(lucio_ref_type(queue), "lucio.Queue");
    lucio_set_global(host, "queue", lucio_object(queue));
    lucio_set_global(host, "lock", lucio_object(lock));
    lucio_set_global(host, "event", lucio_object(event));
    assert_int_equal(lucio_queue_try_put(queue, lucio_string("from C")), LUCIO_OK);
    assert_int_equal(lucio_event_set(event), LUCIO_OK);
    assert_int_equal(lucio_lock_try_acquire(lock), LUCIO_OK);
    run(host, "assert(queue.maxsize == 2 and queue:get() == 'from C' and queue:empty())\n"
              "assert(event:is_set() and event:wait() and lock:locked())\n"
              "lock:release() queue:put('from Lua') queue:put(2)\n"
              "other = require('lucio').Queue()\n"
              "other:put(true)\n");
    assert_int_equal(lucio_lock_locked(lock), 0);
    assert_int_equal(lucio_queue_size(queue), 2);
    assert_int_equal(lucio_queue_try_put(queue, lucio_nil()), LUCIO_BUSY);
    assert_int_equal(lucio_queue_try_get(queue, &item), LUCIO_OK);
    assert_string_equal(item.as.string.data, "from Lua");
    assert_int_equal(lucio_queue_try_get(queue, &item), LUCIO_OK);
    assert_int_equal(item.as.integer, 2);
    assert_int_equal(lucio_queue_try_get(queue, &item), LUCIO_BUSY);
    of_lua = global_object(host, "other");
    assert_int_equal(lucio_queue_try_get(of_lua, &item), LUCIO_OK);
    assert_int_equal(item.type, LUCIO_BOOLEAN);
    lucio_ref_free(of_lua);
    lucio_ref_free(queue);
    lucio_ref_free(lock);
    lucio_ref_free(event);
    close_counted(host);
}

static void queues_have_orders(void **unused)
{
    static const enum lucio_order orders[] = {LUCIO_FIFO, LUCIO_LIFO, LUCIO_PRIORITY};
    static const int first[] = {2, 3, 1};
    lucio *host = open_counted();
    struct lucio_value item;
    lucio_ref *queue;

    (void)unused;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lucio_queue_new(host, orders[i], 0, &queue), LUCIO_OK);
        lucio_queue_try_put(queue, lucio_integer(2));
        lucio_queue_try_put(queue, lucio_integer(1));
        lucio_queue_try_put(queue, lucio_integer(3));
        assert_int_equal(lucio_queue_try_get(queue, &item), LUCIO_OK);
        assert_int_equal(item.as.integer, first[i]);
        lucio_ref_free(queue);
    }
    assert_int_equal(lucio_queue_new(host, LUCIO_PRIORITY, 0, &queue), LUCIO_OK);
    lucio_queue_try_put(queue, lucio_integer(2));
    assert_true(lucio_queue_try_put(queue, lucio_boolean(true)) < 0); /* they have no order */
    assert_int_equal(lucio_queue_size(queue), 1);
    lucio_ref_free(queue);
    assert_int_equal(lucio_queue_new(host, (enum lucio_order)7, 0, &queue), LUCIO_INVALID);
    assert_null(queue);
    close_counted(host);
}

/* ---- futures ---- */

/* Who is done, and whose log says so. */
struct waiting {
    char name[8];
    lucio *host;
};

static void log_waiting(lucio_future *future, void *data)
{
    const struct waiting *waiting = data;
    char text[60];

    if (lucio_future_status(future) == LUCIO_OK)
        snprintf(text, sizeof text, " %s", waiting->name);
    else
        snprintf(text, sizeof text, " %s:%s", waiting->name,
                 lucio_future_error(future)->class_name);
    add_to_log(waiting->host, text);
    lucio_future_free(future);
}

static void both_sides_stand_in_one_line(void **unused)
{
    lucio *host = open_counted();
    struct waiting first = {"C1", host}, second = {"C2", host};
    lucio_future *future;
    lucio_ref *queue;

    (void)unused;
    run(host, "lucio, log = require 'lucio', ''\n"
              "queue = lucio.Queue()\n"
              "function getter(name)\n"
              "  lucio.create_task(function()\n"
              "    local item = queue:get() log = log .. ' ' .. name .. '=' .. item\n"
              "  end)\n"
              "  lucio.sleep(0)\n"
              "end\n"
              "getter('L1')\n");
    queue = global_object(host, "queue");
    /* outside of a tick C stands in line at once, too */
    assert_int_equal(lucio_queue_get(queue, &future), LUCIO_OK);
    assert_int_equal(lucio_future_status(future), LUCIO_PENDING);
    lucio_future_on_done(future, log_waiting, &first);
    run(host, "getter('L2')");
    assert_int_equal(lucio_queue_get(queue, &future), LUCIO_OK);
    lucio_future_on_done(future, log_waiting, &second);
    run(host, "getter('L3')");
    for (int i = 1; i <= 5; i++)
        assert_int_equal(lucio_queue_try_put(queue, lucio_integer(i)), LUCIO_OK);
    assert_int_equal(lucio_run_idle(host, -1), LUCIO_OK);
    /* who waited first got the first; C hears of it two ticks later than Lua: its task ends, and is done */
    expect_log(host, " L1=1 L2=3 L3=5 C1 C2");
    lucio_ref_free(queue);
    close_counted(host);
}

static void waits_of_c_can_be_cancelled(void **unused)
{
    lucio *host = open_counted();
    struct waiting gone = {"gone", host}, next = {"next", host};
    lucio_future *future, *other;
    lucio_ref *lock;

    (void)unused;
    run(host, "log = ''");
    assert_int_equal(lucio_lock_new(host, &lock), LUCIO_OK);
    assert_int_equal(lucio_lock_acquire(lock, NULL), LUCIO_OK);
    assert_int_equal(lucio_lock_try_acquire(lock), LUCIO_BUSY);
    assert_int_equal(lucio_lock_acquire(lock, &future), LUCIO_OK);
    assert_int_equal(lucio_lock_acquire(lock, &other), LUCIO_OK);
    lucio_future_on_done(future, log_waiting, &gone);
    lucio_future_on_done(other, log_waiting, &next);
    /* released and cancelled in one tick: the next one gets it */
    assert_int_equal(lucio_lock_release(lock), LUCIO_OK);
    assert_int_equal(lucio_lock_try_acquire(lock), LUCIO_BUSY); /* nobody barges in */
    assert_int_equal(lucio_future_cancel(future, NULL), LUCIO_OK);
    assert_int_equal(lucio_run_idle(host, -1), LUCIO_OK);
    expect_log(host, " gone:CancelledError next");
    assert_int_equal(lucio_lock_locked(lock), 1);
    assert_int_equal(lucio_lock_release(lock), LUCIO_OK);
    assert_int_equal(lucio_lock_release(lock), LUCIO_INVALID);
    assert_string_equal(lucio_last_error(host)->message, "Lock is not acquired.");
    lucio_ref_free(lock);
    close_counted(host);
}

static void a_queue_of_c_waits_joins_and_shuts_down(void **unused)
{
    lucio *host = open_counted();
    struct waiting put = {"put", host}, join = {"join", host}, get = {"get", host};
    struct lucio_value item;
    lucio_future *future;
    lucio_ref *queue;

    (void)unused;
    run(host, "log = ''");
    assert_int_equal(lucio_queue_new(host, LUCIO_FIFO, 1, &queue), LUCIO_OK);
    assert_int_equal(lucio_queue_put(queue, lucio_integer(1), NULL), LUCIO_OK);
    assert_int_equal(lucio_queue_put(queue, lucio_integer(2), &future), LUCIO_OK);
    lucio_future_on_done(future, log_waiting, &put);
    assert_int_equal(lucio_queue_join(queue, &future), LUCIO_OK);
    lucio_future_on_done(future, log_waiting, &join);
    assert_int_equal(lucio_run_idle(host, -1), LUCIO_OK);
    expect_log(host, "");
    assert_int_equal(lucio_queue_try_get(queue, &item), LUCIO_OK);
    assert_int_equal(lucio_run_idle(host, -1), LUCIO_OK);
    expect_log(host, " put");
    assert_int_equal(lucio_queue_task_done(queue), LUCIO_OK);
    assert_int_equal(lucio_queue_task_done(queue), LUCIO_OK);
    assert_int_equal(lucio_queue_task_done(queue), LUCIO_INVALID);
    assert_int_equal(lucio_queue_try_get(queue, &item), LUCIO_OK);
    assert_int_equal(lucio_queue_get(queue, &future), LUCIO_OK);
    lucio_future_on_done(future, log_waiting, &get);
    assert_int_equal(lucio_queue_shutdown(queue, false), LUCIO_OK);
    assert_int_equal(lucio_run_idle(host, -1), LUCIO_OK);
    expect_log(host, " put join get:QueueShutDown");
    assert_int_equal(lucio_queue_try_put(queue, lucio_nil()), LUCIO_ERROR);
    assert_string_equal(lucio_last_error(host)->class_name, "QueueShutDown");
    assert_int_equal(lucio_queue_try_get(queue, &item), LUCIO_ERROR);
    lucio_ref_free(queue);
    close_counted(host);
}

static void semaphores_conditions_and_events_serve_c(void **unused)
{
    lucio *host = open_counted();
    struct waiting names[4];
    lucio_ref *semaphore, *condition, *event;
    lucio_future *future;

    (void)unused;
    for (int i = 0; i < 4; i++)
        names[i] = (struct waiting){{(char)('a' + i)}, host};
    run(host, "log = ''");
    assert_int_equal(lucio_semaphore_new(host, 1, true, &semaphore), LUCIO_OK);
    assert_int_equal(lucio_lock_try_acquire(semaphore), LUCIO_OK);
    assert_int_equal(lucio_lock_try_acquire(semaphore), LUCIO_BUSY);
    assert_int_equal(lucio_lock_acquire(semaphore, &future), LUCIO_OK);
    lucio_future_on_done(future, log_waiting, &names[0]);
    assert_int_equal(lucio_lock_release(semaphore), LUCIO_OK);
    assert_int_equal(lucio_run_idle(host, -1), LUCIO_OK);
    assert_int_equal(lucio_lock_release(semaphore), LUCIO_OK);
    assert_int_equal(lucio_lock_release(semaphore), LUCIO_INVALID);
    assert_int_equal(lucio_semaphore_new(host, -1, false, &condition), LUCIO_INVALID);
    assert_null(condition);

    assert_int_equal(lucio_condition_new(host, NULL, &condition), LUCIO_OK);
    assert_int_equal(lucio_condition_notify(condition, 1), LUCIO_INVALID);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(lucio_lock_try_acquire(condition), LUCIO_OK);
        assert_int_equal(lucio_condition_wait(condition, &future), LUCIO_OK);
        lucio_future_on_done(future, log_waiting, &names[i]);
    }
    assert_int_equal(lucio_lock_try_acquire(condition), LUCIO_OK);
    assert_int_equal(lucio_condition_notify(condition, -1), LUCIO_OK);
    assert_int_equal(lucio_run_idle(host, -1), LUCIO_OK);
    expect_log(host, " a"); /* the lock is still taken */
    for (int i = 1; i < 3; i++) {
        assert_int_equal(lucio_lock_release(condition), LUCIO_OK);
        assert_int_equal(lucio_run_idle(host, -1), LUCIO_OK);
    }
    expect_log(host, " a b c");

    assert_int_equal(lucio_event_new(host, &event), LUCIO_OK);
    assert_int_equal(lucio_event_is_set(event), 0);
    assert_int_equal(lucio_event_wait(event, &future), LUCIO_OK);
    lucio_future_on_done(future, log_waiting, &names[3]);
    assert_int_equal(lucio_event_set(event), LUCIO_OK);
    assert_int_equal(lucio_event_is_set(event), 1);
    assert_int_equal(lucio_event_clear(event), LUCIO_OK);
    assert_int_equal(lucio_run_idle(host, -1), LUCIO_OK);
    expect_log(host, " a b c d");
    lucio_ref_free(semaphore);
    lucio_ref_free(condition);
    lucio_ref_free(event);
    close_counted(host);
}

static void wrong_objects_are_refused(void **unused)
{
    lucio *host = open_counted();
    lucio_ref *queue, *lock, *event, *none;
    struct lucio_value item;
    lucio_future *future;

    (void)unused;
    lucio_queue_new(host, LUCIO_FIFO, 0, &queue);
    lucio_lock_new(host, &lock);
    lucio_event_new(host, &event);
    assert_int_equal(lucio_queue_get(lock, &future), LUCIO_INVALID);
    assert_null(future);
    assert_string_equal(lucio_last_error(host)->message,
                        "lucio_queue_get: Queue expected, got lucio.Lock");
    assert_int_equal(lucio_queue_try_put(event, lucio_nil()), LUCIO_INVALID);
    assert_int_equal(lucio_queue_try_get(event, &item), LUCIO_INVALID);
    assert_int_equal(lucio_queue_size(lock), LUCIO_INVALID);
    assert_int_equal(lucio_lock_try_acquire(queue), LUCIO_INVALID);
    assert_int_equal(lucio_event_set(queue), LUCIO_INVALID);
    assert_int_equal(lucio_condition_wait(lock, &future), LUCIO_INVALID);
    assert_int_equal(lucio_condition_new(host, queue, &none), LUCIO_INVALID);
    assert_int_equal(lucio_queue_get(NULL, &future), LUCIO_INVALID);
    assert_int_equal(lucio_lock_release(NULL), LUCIO_INVALID);
    assert_int_equal(lucio_event_is_set(NULL), LUCIO_INVALID);
    assert_int_equal(lucio_queue_new(NULL, LUCIO_FIFO, 0, &none), LUCIO_INVALID);
    /* a script that plays with metatables changes nothing for C */
    lucio_set_global(host, "queue", lucio_object(queue));
    run(host, "local methods = getmetatable(queue).__index\n"
              "for name in pairs(methods) do methods[name] = error end\n");
    assert_int_equal(lucio_queue_try_put(queue, lucio_integer(5)), LUCIO_OK);
    assert_int_equal(lucio_queue_get(queue, &future), LUCIO_OK);
    assert_int_equal(lucio_future_result(future, 0).as.integer, 5);
    lucio_future_free(future);
    lucio_close(host);
    assert_int_equal(lucio_queue_try_put(queue, lucio_nil()), LUCIO_CLOSED);
    assert_int_equal(lucio_lock_acquire(lock, &future), LUCIO_CLOSED);
    lucio_ref_free(queue);
    lucio_ref_free(lock);
    lucio_ref_free(event);
    assert_int_equal(memory.balance, 0);
}

/* ---- C functions and C-level tasks that wait ---- */

static int note_get(lucio_call *call, void *data)
{
    char text[40];
    long long item;

    if (lucio_call_status(call) != LUCIO_OK) {
        snprintf(text, sizeof text, " %s:%s", ((const struct waiting *)data)->name,
                 lucio_call_error(call)->class_name);
        add_to_log(lucio_call_host(call), text);
        return lucio_reraise(call);
    }
    assert_true(lucio_call_integer(call, 1, &item));
    snprintf(text, sizeof text, " %s=%lld", ((const struct waiting *)data)->name, item);
    add_to_log(lucio_call_host(call), text);
    return lucio_return(call, 0, NULL);
}

static int c_getter(lucio_call *call, void *data)
{
    lucio_ref *queue = global_object(lucio_call_host(call), "queue");
    int status = lucio_await_queue_get(call, queue, note_get, data);

    lucio_ref_free(queue);
    return status;
}

static void c_tasks_wait_as_lua_tasks_do(void **unused)
{
    lucio *host = open_counted();
    struct waiting first = {"C1", host}, second = {"C2", host}, third = {"C3", host};
    lucio_future *task;

    (void)unused;
    run(host, "lucio, log = require 'lucio', ''\n"
              "queue = lucio.Queue()\n"
              "function getter(name)\n"
              "  lucio.create_task(function()\n"
              "    local item = queue:get() log = log .. ' ' .. name .. '=' .. item\n"
              "  end)\n"
              "end\n"
              "getter('L1')\n");
    lucio_spawn_function(host, "C1", c_getter, &first, NULL, NULL);
    run(host, "getter('L2')");
    lucio_spawn_function(host, "C2", c_getter, &second, NULL, NULL);
    lucio_spawn_function(host, "C3", c_getter, &third, NULL, &task);
    run(host, "getter('L3') lucio.sleep(0) lucio.sleep(0)\n"
              "for i = 1, 4 do queue:put_nowait(i) end\n"
              "log = log .. ' |' lucio.sleep(0) log = log .. ' |'\n");
    /* all in the tick after the put */
    expect_log(host, " | L1=1 C1=2 L2=3 C2=4 |");
    lucio_future_cancel(task, NULL);
    run(host, "lucio.sleep(0) lucio.sleep(0) queue:put(6) lucio.sleep(0)");
    assert_int_equal(lucio_future_status(task), LUCIO_CANCELLED);
    expect_log(host, " | L1=1 C1=2 L2=3 C2=4 | C3:CancelledError L3=6");
    lucio_future_free(task);
    close_counted(host);
}

/* Puts, a million times: it waits only where it must. */
struct producer {
    int left;
};

static int produce(lucio_call *call, void *data)
{
    struct producer *producer = data;
    lucio_ref *queue;
    int status;

    if (lucio_call_status(call) != LUCIO_OK)
        return lucio_reraise(call);
    if (producer->left-- == 0)
        return lucio_return(call, 0, NULL);
    queue = global_object(lucio_call_host(call), "queue");
    status = lucio_await_queue_put(call, queue, lucio_integer(producer->left), produce, producer);
    lucio_ref_free(queue);
    return status;
}

static void a_long_row_of_waits_takes_no_stack(void **unused)
{
    lucio *host = open_counted();
    struct producer producer = {100000};
    lucio_future *task;

    (void)unused;
    run(host, "queue = require('lucio').Queue()");
    assert_int_equal(lucio_spawn_function(host, "producer", produce, &producer, NULL, &task),
                     LUCIO_OK);
    assert_int_equal(lucio_run(host, task), LUCIO_OK);
    lucio_future_free(task);
    run(host, "assert(queue:qsize() == 100000) queue = require('lucio').Queue(3)");
    producer.left = 1000;
    assert_int_equal(lucio_spawn_function(host, "producer", produce, &producer, NULL, &task),
                     LUCIO_OK);
    run(host, "for i = 1, 1000 do assert(queue:get() == 1000 - i) end");
    assert_int_equal(lucio_run(host, task), LUCIO_OK);
    lucio_future_free(task);
    close_counted(host);
}

/* (kind): waits for the global of that name; the result is what the wait gives. */
static int c_wait(lucio_call *call, void *data)
{
    lucio_function *next = data;
    const char *kind;
    size_t length;
    lucio_ref *object;
    int status;

    if (!lucio_call_string(call, 1, &kind, &length))
        return lucio_bad_argument(call);
    object = global_object(lucio_call_host(call), kind);
    if (strcmp(kind, "event") == 0)
        status = lucio_await_event(call, object, next, NULL);
    else if (strcmp(kind, "lock") == 0 || strcmp(kind, "semaphore") == 0)
        status = lucio_await_lock(call, object, next, NULL);
    else if (strcmp(kind, "condition") == 0)
        status = lucio_await_condition(call, object, next, NULL);
    else if (strcmp(kind, "queue") == 0)
        status = lucio_await_queue_join(call, object, next, NULL);
    else
        status = lucio_await_method(call, object, "method", 0, NULL, next, NULL);
    lucio_ref_free(object);
    return status;
}

static int answer(lucio_call *call, void *data)
{
    struct lucio_value values[2] = {lucio_integer(lucio_call_status(call)), lucio_nil()};

    (void)data;
    if (lucio_call_status(call) != LUCIO_OK)
        values[1] = lucio_string(lucio_call_error(call)->message);
    else
        values[1] = lucio_integer((long long)lucio_call_count(call));
    return lucio_return(call, 2, values);
}

static void c_functions_wait_for_everything(void **unused)
{
    lucio *host = open_counted();
    lucio_ref *function;

    (void)unused;
    lucio_function_new(host, "wait", c_wait, NULL, NULL, &function);
    lucio_set_global(host, "wait", lucio_object(function));
    lucio_ref_free(function);
    lucio_function_new(host, "wait_next", c_wait, answer, NULL, &function);
    lucio_set_global(host, "wait_next", lucio_object(function));
    lucio_ref_free(function);
    run(host,
        "local lucio = require 'lucio'\n"
        "event, lock, semaphore = lucio.Event(), lucio.Lock(), lucio.Semaphore(1)\n"
        "condition, queue = lucio.Condition(lock), lucio.Queue()\n"
        "object = {method = function() lucio.sleep(1) return 1, 2, 3 end}\n"
        "lucio.create_task(function() lucio.sleep(1) event:set() end)\n"
        "assert(wait('event') == true)\n"
        "assert(wait('lock') == lock and lock:locked())\n"
        "assert(wait('semaphore') == semaphore and semaphore:locked())\n"
        "lucio.create_task(function() lucio.sleep(1) lock:acquire() condition:notify()\n"
        "  lock:release() end)\n"
        "assert(wait('condition') == true and lock:locked())\n"
        "queue:put(1) lucio.create_task(function() lucio.sleep(1) queue:task_done() end)\n"
        "assert(select('#', wait('queue')) == 0)\n"
        "local a, b, c = wait('object')\n"
        "assert(a == 1 and b == 2 and c == 3)\n"
        "a, b = wait_next('object')\n"
        "assert(a == 0 and b == 3)\n"
        /* errors, at once and after a wait */
        "object = {method = function() lucio.sleep(1) error('late') end}\n"
        "a, b = wait_next('object')\n"
        "assert(a == -1 and b:find('late'))\n"
        "object = {method = function() error('soon') end}\n"
        "a, b = wait_next('object')\n"
        "assert(a == -1 and b:find('soon'))\n"
        "a, b = pcall(wait, 'object')\n"
        "assert(not a and b:find('soon'))\n"
        "object = setmetatable({}, {__index = function() error('no method') end})\n"
        "a, b = pcall(wait_next, 'object')\n"
        "assert(not a and b:find('no method'))\n"
        "lock:release() a, b = wait_next('condition')\n"
        "assert(a == -1 and b == 'cannot wait on un-acquired lock')\n"
        /* cancelling */
        "event:clear()\n"
        "local task = lucio.create_task(function() return wait_next('event') end)\n"
        "lucio.sleep(1) task:cancel('why')\n"
        "a, b = task:await()\n"
        "assert(a == -6 and b == 'why')\n"
        "task = lucio.create_task(wait, 'event')\n"
        "lucio.sleep(1) task:cancel()\n"
        "assert(not pcall(task.await, task) and task:cancelled())\n"
        /* wrong objects */
        "lock = queue\n"
        "a, b = pcall(wait, 'lock')\n"
        "assert(not a and b.message == 'lucio_await_lock: Lock expected, got lucio.Queue')\n");
    close_counted(host);
}

/* ---- the tree ---- */

static void take_text(const char *text, size_t length, void *data)
{
    char *all = data;

    assert_int_equal(strlen(text), length);
    assert_true(length < 2000);
    memcpy(all, text, length + 1);
}

struct visited {
    lucio *host;
    int count, limit;
    char lines[20][200];
};

static bool note_record(const struct lucio_task_info *info, void *data)
{
    struct visited *visited = data;

    assert_int_equal(info->size, sizeof *info);
    /* what it does changes nothing of what it is told */
    lucio_spawn_function(visited->host, "new", answer, NULL, NULL, NULL);
    assert_int_equal(lucio_step(visited->host), LUCIO_BUSY);
    assert_int_equal(lucio_close(visited->host), LUCIO_BUSY);
    snprintf(visited->lines[visited->count++], sizeof visited->lines[0], "%d %s %s %s %s %d %d %g",
             info->depth, info->kind, info->name, info->state, info->waits_for, info->again,
             info->id > 0, info->seconds);
    if (info->id > 0 && !info->again && info->created[0] == '\0')
        fail_msg("'%s' has no place of its making", info->name);
    return visited->count < visited->limit;
}

static void the_tasks_are_shown_as_text_and_as_records(void **unused)
{
    static const char *const expected[] = {
        "0 task root waiting gather 0 1 3",
        "1 gather gather of 3, 0 done   0 0 -1",
        "2 task nap waiting sleep (1.000 s more) 0 1 3",
        "2 task getter waiting queue.get 0 1 3",
    };
    lucio *host = open_counted();
    char by_c[2000] = "", by_lua[2000];
    struct visited visited = {.host = host, .limit = 20};
    struct lucio_value value;

    (void)unused;
    assert_int_equal(lucio_print_tasks(host, take_text, by_c), LUCIO_OK);
    assert_string_equal(by_c, "no tasks\n");
    assert_int_equal(lucio_visit_tasks(host, note_record, &visited), LUCIO_OK);
    assert_int_equal(visited.count, 0);
    run(host, "local lucio = require 'lucio'\n"
              "queue = lucio.Queue()\n"
              "lucio.create_task{function()\n"
              "  lucio.gather(\n"
              "    lucio.create_task{lucio.sleep, 4, name = 'nap'},\n"
              "    lucio.create_task{function() queue:get() end, name = 'getter'},\n"
              "    lucio.Future())\n"
              "end, name = 'root'}\n"
              "lucio.sleep(3)\n");
    lucio_visit_tasks(host, note_record, &visited);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true((int)i < visited.count);
        assert_string_equal(visited.lines[i], expected[i]);
    }
    visited.count = 0;
    visited.limit = 2;
    lucio_visit_tasks(host, note_record, &visited);
    assert_int_equal(visited.count, 2);
    assert_int_equal(lucio_run_idle(host, 0), LUCIO_OK);
    lucio_print_tasks(host, take_text, by_c);
    run(host, "require('lucio').print_tasks(function(text) printed = text end)");
    lucio_get_global(host, "printed", &value);
    snprintf(by_lua, sizeof by_lua, "%s", value.as.string.data);
    /* the script itself is the last one there */
    assert_memory_equal(by_c, by_lua, strlen(by_c));
    assert_int_equal(lucio_print_tasks(host, NULL, NULL), LUCIO_INVALID);
    assert_int_equal(lucio_visit_tasks(NULL, note_record, &visited), LUCIO_INVALID);
    close_counted(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_go_both_ways),
        cmocka_unit_test(queues_have_orders),
        cmocka_unit_test(both_sides_stand_in_one_line),
        cmocka_unit_test(waits_of_c_can_be_cancelled),
        cmocka_unit_test(a_queue_of_c_waits_joins_and_shuts_down),
        cmocka_unit_test(semaphores_conditions_and_events_serve_c),
        cmocka_unit_test(wrong_objects_are_refused),
        cmocka_unit_test(c_tasks_wait_as_lua_tasks_do),
        cmocka_unit_test(a_long_row_of_waits_takes_no_stack),
        cmocka_unit_test(c_functions_wait_for_everything),
        cmocka_unit_test(the_tasks_are_shown_as_text_and_as_records),
    };

    return cmocka_run_group_tests_name("primitives", tests, NULL, NULL);
}
