/*
 * The C interface under random calls: any function with any handle: of a host that is open, of one that was closed,
 * of another host, freed, of another kind, of a call that is over, NULL; from the program, and from inside of
 * calls. Each run ends with everything given back, and no public function is left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lua.h>

#include "lucio.h"

#include "called.h"
#include "memory.h"

#define HOSTS   3
#define HANDLES 12
#define CALLS   400
#define RUNS    150

struct world {
    struct memory memory[HOSTS];
    lucio *hosts[HOSTS]; /* closed ones stay, by a reference of ours */
    bool open[HOSTS];
    lucio_ref *refs[HANDLES];
    lucio_future *futures[HANDLES];
    lucio_trigger *triggers[HANDLES];
    void *freed[HANDLES]; /* handles of any kind that are good no more */
    lucio_call *call;     /* the last one that was made; mostly it is over */
    unsigned seed;
    int depth; /* of calls from inside of calls */
};

static unsigned pick(struct world *world, unsigned n)
{
    world->seed = world->seed * 1103515245u + 12345u;
    return (world->seed >> 16) % n;
}

static lucio *any_host(struct world *world)
{
    return pick(world, 20) == 0 ? NULL : world->hosts[pick(world, HOSTS)];
}

/* Now and then a handle that is not what it says. */
static void *any_handle(struct world *world, void *good)
{
    switch (pick(world, 30)) {
    case 0:
        return world->futures[pick(world, HANDLES)];
    case 1:
        return world->refs[pick(world, HANDLES)];
    case 2:
        return world->triggers[pick(world, HANDLES)];
    case 3:
    case 4:
        return world->freed[pick(world, HANDLES)];
    default:
        return good;
    }
}

static lucio_ref *any_ref(struct world *world)
{
    return any_handle(world, world->refs[pick(world, HANDLES)]);
}

static lucio_future *any_future(struct world *world)
{
    return any_handle(world, world->futures[pick(world, HANDLES)]);
}

static void was_freed(struct world *world, void *handle)
{
    if (handle != NULL)
        world->freed[pick(world, HANDLES)] = handle;
}

static void random_call(struct world *world);

/* The handle takes the place of one that is freed, which may be in use by a call that is under way. */
static void keep_ref(struct world *world, lucio_ref *ref)
{
    unsigned i = pick(world, HANDLES);

    lucio_ref_free(world->refs[i]);
    was_freed(world, world->refs[i]);
    world->refs[i] = ref;
}

static void keep_future(struct world *world, lucio_future *future)
{
    unsigned i = pick(world, HANDLES);

    lucio_future_free(world->futures[i]);
    was_freed(world, world->futures[i]);
    world->futures[i] = future;
}

static void nothing(lucio *host, void *data);

static void keep_trigger(struct world *world, lucio *host)
{
    unsigned i = pick(world, HANDLES);

    lucio_trigger_free(world->triggers[i]);
    was_freed(world, world->triggers[i]);
    world->triggers[i] = NULL;
    lucio_trigger_new(host, nothing, NULL, &world->triggers[i]);
}

/* Frees what was freed before, or is of another kind. */
static void free_again(struct world *world)
{
    void *handle = world->freed[pick(world, HANDLES)];

    switch (pick(world, 5)) {
    case 0:
        lucio_ref_free(handle);
        break;
    case 1:
        lucio_future_free(handle);
        break;
    case 2:
        lucio_trigger_free(handle);
        break;
    case 3:
        lucio_trigger_free((lucio_trigger *)world->refs[pick(world, HANDLES)]);
        break;
    default:
        lucio_trigger_fire(handle);
    }
}

static struct lucio_value any_value(struct world *world)
{
    switch (pick(world, 8)) {
    case 0:
        return lucio_nil();
    case 1:
        return lucio_boolean(true);
    case 2:
        return lucio_integer((long long)pick(world, 100) - 50);
    case 3:
        return lucio_number(pick(world, 3) == 0 ? 0.0 / 0.0 : 1.5);
    case 4:
        return pick(world, 2) ? lucio_bytes("a\0b", 3) : lucio_string("text");
    case 5:
        return lucio_pointer(world);
    case 6:
        return lucio_awaitable(any_future(world));
    default:
        return lucio_object(any_ref(world));
    }
}

/* A value that lucio handed out: its reference is kept or freed. */
static void take_value(struct world *world, struct lucio_value value)
{
    if (value.type == LUCIO_OBJECT)
        keep_ref(world, value.as.object);
}

static void inside(struct world *world)
{
    if (world->depth > 2)
        return;
    world->depth++;
    for (unsigned n = pick(world, 4); n > 0; n--)
        random_call(world);
    world->depth--;
}

/* Looks at all arguments as what they may be. */
static void read_arguments(struct world *world, lucio_call *call)
{
    size_t i = pick(world, 4), length;
    lucio_future *future;
    lucio_ref *object;
    long long integer;
    const char *text;
    double number;
    bool boolean;

    lucio_call_count(call);
    take_value(world, lucio_call_value(call, i));
    lucio_call_boolean(call, i, &boolean);
    lucio_call_integer(call, i, &integer);
    lucio_call_number(call, i, &number);
    lucio_call_string(call, i, &text, &length);
    if (lucio_call_object(call, i, &object))
        keep_ref(world, object);
    if (lucio_call_awaitable(call, i, &future))
        keep_future(world, future);
    lucio_call_status(call);
    lucio_call_error(call);
}

/* A wait of the call in a line. */
static int await_line(struct world *world, lucio_call *call, lucio_function *next)
{
    switch (pick(world, 5)) {
    case 0:
        return lucio_await_queue_put(call, any_ref(world), any_value(world), next, world);
    case 1:
        return lucio_await_queue_get(call, any_ref(world), next, world);
    case 2:
        return lucio_await_queue_join(call, any_ref(world), next, world);
    case 3:
        return lucio_await_condition(call, any_ref(world), next, world);
    default:
        return lucio_await_lock(call, any_ref(world), next, world);
    }
}

static int c_function(lucio_call *call, void *data)
{
    struct world *world = data;
    struct lucio_value values[2];
    lucio_future *future;
    int status;

    read_arguments(world, call);
    inside(world);
    if (pick(world, 10) == 0 && world->call != NULL)
        call = world->call; /* one that is over, or around this one */
    else
        world->call = call;
    switch (pick(world, 11)) {
    case 10:
        return lucio_reraise(call);
    case 6:
    case 7:
        return await_line(world, call, pick(world, 2) ? c_function : NULL);
    case 8:
        return lucio_await_event(call, any_ref(world), c_function, world);
    case 9:
        return lucio_await_method(call, any_ref(world), pick(world, 2) ? "get" : "x", 0, NULL,
                                  pick(world, 2) ? c_function : NULL, world);
    case 0:
        return lucio_bad_argument(call);
    case 1:
        return lucio_raise(call, pick(world, 2) ? "ValueError" : "x", "%d", 5);
    case 2:
        return lucio_await(call, any_future(world), pick(world, 2) ? c_function : NULL, world);
    case 3:
        if (lucio_future_new(lucio_call_host(call), &future) != LUCIO_OK)
            return LUCIO_ERROR;
        lucio_future_set_result(future, 0, NULL);
        status = lucio_await(call, future, pick(world, 2) ? c_function : NULL, world);
        lucio_future_free(future);
        return status;
    case 4:
        return 0;
    default:
        values[0] = any_value(world);
        values[1] = any_value(world);
        return lucio_return(call, pick(world, 3), values);
    }
}

static void on_done(lucio_future *future, void *data)
{
    (void)future;
    inside(data);
}

static void on_post(lucio *host, void *data)
{
    (void)host;
    inside(data);
}

static const char *any_code(struct world *world)
{
    static const char *const codes[] = {
        "return 1",
        "local lucio = require 'lucio' lucio.sleep(1) return 'x', 2",
        "error('no')",
        "error(require('lucio').ValueError('no'))",
        "x = = 1",
        "local lucio = require 'lucio'\n"
        "lucio.create_task(function() lucio.sleep(5) end) lucio.sleep(0)",
        "if c then return c(1, {}) end",
        "if future then return future:await() end",
        "local lucio = require 'lucio' queue = queue or lucio.Queue(2) queue:put(1)",
        "if queue then return queue:get_nowait() end",
        "local lucio = require 'lucio'\n"
        "return lucio.gather{c or function() end, lucio.sleep and function() lucio.sleep(0) end,\n"
        "  return_exceptions = true}",
        "return require('m'), require('n'), require('o').c(1, 'x', {})",
        "while true do local t = {} t[1] = t end",
    };

    /* the last one needs the budget that every host here has */
    return codes[pick(world, sizeof codes / sizeof codes[0])];
}

/* A random use of a queue, lock, event, or of what is none. */
static void use_line(struct world *world, lucio *host)
{
    lucio_ref *ref = any_ref(world), *made = NULL;
    lucio_future *future = NULL;
    struct lucio_value value;

    switch (pick(world, 24)) {
    case 0:
        lucio_queue_new(host, (enum lucio_order)pick(world, 4), pick(world, 4), &made);
        break;
    case 1:
        lucio_lock_new(host, &made);
        break;
    case 2:
        lucio_event_new(host, &made);
        break;
    case 3:
        lucio_semaphore_new(host, (long long)pick(world, 3) - 1, pick(world, 2), &made);
        break;
    case 4:
        lucio_condition_new(host, pick(world, 2) ? ref : NULL, &made);
        break;
    case 5:
        lucio_queue_put(ref, any_value(world), &future);
        break;
    case 6:
        lucio_queue_try_put(ref, any_value(world));
        break;
    case 7:
        lucio_queue_get(ref, &future);
        break;
    case 8:
        lucio_queue_try_get(ref, &value);
        take_value(world, value);
        break;
    case 9:
        lucio_queue_size(ref);
        lucio_queue_task_done(ref);
        break;
    case 10:
        lucio_queue_join(ref, &future);
        break;
    case 11:
        lucio_queue_shutdown(ref, pick(world, 2));
        break;
    case 12:
    case 13:
        lucio_lock_acquire(ref, pick(world, 4) ? &future : NULL);
        break;
    case 14:
        lucio_lock_try_acquire(ref);
        break;
    case 15:
    case 16:
        lucio_lock_release(ref);
        lucio_lock_locked(ref);
        break;
    case 17:
        lucio_condition_wait(ref, &future);
        break;
    case 18:
        lucio_condition_notify(ref, (long long)pick(world, 3) - 1);
        break;
    case 19:
        lucio_event_wait(ref, &future);
        break;
    case 20:
        lucio_event_set(ref);
        break;
    default:
        lucio_event_is_set(ref);
        lucio_event_clear(ref);
    }
    if (made != NULL)
        keep_ref(world, made);
    keep_future(world, future);
}

static int open_module(lua_State *L)
{
    return luaopen_lucio(L);
}

static void add_modules(struct world *world, lucio *host)
{
    const struct lucio_entry entries[] = {{"c", c_function}, {NULL, NULL}};

    lucio_add_lua_module(host, "m", "return {}", 9);
    lucio_add_c_module(host, "n", open_module);
    lucio_add_module(host, "o", entries, world);
}

static void on_text(const char *text, size_t length, void *data)
{
    (void)text;
    (void)length;
    inside(data);
}

static bool on_record(const struct lucio_task_info *info, void *data)
{
    inside(data);
    return pick(data, 8) != 0 && info->depth < 1000;
}

static void random_call(struct world *world)
{
    struct lucio_value value, values[3];
    lucio *host = any_host(world);
    lucio_future *future = NULL;
    lucio_ref *ref = NULL;
    const char *code;

    for (int i = 0; i < 3; i++)
        values[i] = any_value(world);
    switch (pick(world, 40)) {
    case 0:
        lucio_run_string(host, any_code(world), &future);
        keep_future(world, future);
        break;
    case 1:
        code = any_code(world);
        lucio_load_string(host, code, strlen(code), NULL, &ref);
        keep_ref(world, ref);
        break;
    case 2:
        lucio_spawn(host, any_ref(world), pick(world, 2) ? "name" : NULL, pick(world, 3), values,
                    &future);
        keep_future(world, future);
        break;
    case 3:
        lucio_spawn_function(host, "c", c_function, world, NULL, &future);
        keep_future(world, future);
        break;
    case 4:
        lucio_step(host);
        break;
    case 5:
        lucio_run_idle(host, 0.001);
        break;
    case 6:
        lucio_timeout(host);
        lucio_fd(host);
        break;
    case 7:
        lucio_future_new(host, &future);
        keep_future(world, future);
        break;
    case 8:
        lucio_future_set_result(any_future(world), pick(world, 3), values);
        break;
    case 9:
        lucio_future_set_error(any_future(world), "ValueError", "set");
        break;
    case 10:
        lucio_future_cancel(any_future(world), pick(world, 2) ? "why" : NULL);
        break;
    case 11:
        lucio_future_on_done(any_future(world), pick(world, 3) ? on_done : NULL, world);
        break;
    case 12:
        take_value(world, lucio_future_result(any_future(world), pick(world, 3)));
        break;
    case 13:
        lucio_future_error(any_future(world));
        lucio_task_name(any_future(world));
        break;
    case 14:
        lucio_task_set_name(any_future(world), "renamed");
        break;
    case 15:
        lucio_future_of(any_ref(world), &future);
        keep_future(world, future);
        break;
    case 16:
        lucio_get_global(host, pick(world, 2) ? "queue" : "c", &value);
        take_value(world, value);
        break;
    case 17:
        lucio_set_global(host, pick(world, 2) ? "future" : "c", values[0]);
        break;
    case 18:
        lucio_table_new(host, &ref);
        keep_ref(world, ref);
        break;
    case 19:
        lucio_set_field(any_ref(world), values[0], values[1]);
        break;
    case 20:
        lucio_get_field(any_ref(world), values[0], &value);
        take_value(world, value);
        break;
    case 21:
        lucio_ref_type(any_ref(world));
        lucio_length(any_ref(world));
        keep_ref(world, lucio_ref_copy(any_ref(world)));
        break;
    case 22:
        lucio_call_method(any_ref(world), pick(world, 2) ? "get" : "put", pick(world, 2), values,
                          &future);
        keep_future(world, future);
        break;
    case 23:
        lucio_function_new(host, "c", c_function, world, NULL, &ref);
        lucio_set_global(host, "c", lucio_object(ref));
        keep_ref(world, ref);
        break;
    case 24:
        lucio_post(host, on_post, world);
        break;
    case 25:
        lucio_trigger_fire(any_handle(world, world->triggers[pick(world, HANDLES)]));
        break;
    case 26:
        lucio_run(host, any_future(world));
        break;
    case 27:
        lucio_future_count(any_future(world));
        break;
    case 29:
    case 31:
    case 32:
        use_line(world, host);
        break;
    case 30:
        lucio_print_tasks(host, on_text, world);
        lucio_visit_tasks(host, on_record, world);
        break;
    case 28:
        lucio_task_count(host);
        lucio_last_error(host);
        lucio_exit_code(host);
        lucio_data(host);
        if (lucio_state(host) != NULL && world->depth == 0)
            lua_pushinteger(lucio_state(host), 1);
        lucio_take(host, &ref);
        keep_ref(world, ref);
        break;
    case 33:
        keep_trigger(world, host);
        break;
    case 34:
    case 35:
        free_again(world);
        break;
    case 36:
        lucio_run_file(host, "/dev/null", pick(world, 2), values, &future);
        keep_future(world, future);
        lucio_load_file(host, "/nowhere", &ref);
        break;
    case 37:
        add_modules(world, host);
        break;
    default:
        lucio_future_status(any_future(world));
    }
}

static void drop_log(lucio *host, const char *text, size_t length, void *data)
{
    (void)host;
    (void)text;
    (void)length;
    (void)data;
}

static void nothing(lucio *host, void *data)
{
    (void)host;
    (void)data;
}

static void one_run(unsigned seed)
{
    struct world world = {.seed = seed};
    struct lucio_config config;

    for (int i = 0; i < HOSTS; i++) {
        lucio_config_init(&config);
        config.alloc = memory_alloc;
        config.alloc_data = &world.memory[i];
        config.libraries = LUCIO_LIB_BASE;
        config.virtual_clock = true;
        config.step_instructions = 20000;
        config.on_log = drop_log;
        assert_int_equal(lucio_open(&world.hosts[i], &config), LUCIO_OK);
        lucio_retain(world.hosts[i]);
        world.open[i] = true;
    }
    for (int i = 0; i < CALLS; i++) {
        random_call(&world);
        /* one host after the other is closed under its handles */
        if (i % (CALLS / (HOSTS + 1)) == CALLS / (HOSTS + 1) - 1 &&
            i / (CALLS / (HOSTS + 1)) < HOSTS) {
            int which = i / (CALLS / (HOSTS + 1));

            assert_int_equal(lucio_close(world.hosts[which]), LUCIO_OK);
            world.open[which] = false;
        }
    }
    for (int i = 0; i < HANDLES; i++) {
        lucio_ref_free(world.refs[i]);
        lucio_future_free(world.futures[i]);
        lucio_trigger_free(world.triggers[i]);
    }
    for (int i = 0; i < HOSTS; i++) {
        if (world.open[i])
            assert_int_equal(lucio_close(world.hosts[i]), LUCIO_OK);
        lucio_release(world.hosts[i]);
        assert_int_equal(world.memory[i].balance, 0);
        assert_int_equal(world.memory[i].wrong_sizes, 0);
    }
}

static void random_calls_leave_nothing(void **unused)
{
    const char *missing;
    int left_out = 0;

    (void)unused;
    for (unsigned seed = 1; seed <= RUNS; seed++)
        one_run(seed);
    assert_string_equal(lucio_status_text(1), "unknown status");
    assert_string_equal(lucio_version(), LUCIO_VERSION);
    assert_null(lucio_config_check(NULL));
    for (size_t i = 0; (missing = called_next_missing(&i)) != NULL;) {
        print_error("%s is never called\n", missing);
        left_out++;
    }
    assert_int_equal(left_out, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_calls_leave_nothing)};

    return cmocka_run_group_tests_name("embed_fuzz", tests, NULL, NULL);
}
