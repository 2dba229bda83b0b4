/* C functions that await: one that waits for several things in turn, and a task whose body is C. */
#include <lucio.h>
#include <stdio.h>
#include <stdlib.h>

/* twice(fn): awaits fn, then awaits it again, and returns both results. */
struct twice {
    lucio_ref *fn;
    long long first;
};

static int twice_end(lucio_call *call, void *data)
{
    struct twice *twice = data;
    struct lucio_value results[2] = {lucio_integer(twice->first), lucio_call_value(call, 1)};
    bool failed = lucio_call_status(call) != LUCIO_OK;

    lucio_ref_free(twice->fn);
    free(twice);
    return failed ? lucio_reraise(call) : lucio_return(call, 2, results);
}

/* Makes a task of the function and goes on in `next` when it is done. */
static int await_fn(lucio_call *call, struct twice *twice, lucio_function *next)
{
    lucio_future *future;
    int status;

    if (lucio_future_of(twice->fn, &future) != LUCIO_OK)
        return lucio_raise(call, "RuntimeError", "cannot await that");
    status = lucio_await(call, future, next, twice);
    lucio_future_free(future);
    return status;
}

static int twice_again(lucio_call *call, void *data)
{
    struct twice *twice = data;

    if (lucio_call_status(call) != LUCIO_OK)
        return twice_end(call, twice);
    lucio_call_integer(call, 1, &twice->first);
    return await_fn(call, twice, twice_end);
}

static int twice(lucio_call *call, void *unused)
{
    lucio_ref *fn;
    struct twice *twice;

    (void)unused;
    if (!lucio_call_object(call, 1, &fn))
        return lucio_bad_argument(call);
    twice = calloc(1, sizeof *twice);
    if (twice == NULL)
        return lucio_raise(call, "RuntimeError", "no memory");
    twice->fn = fn;
    return await_fn(call, twice, twice_again);
}

/* A task in C: takes three items from a queue that Lua fills, and returns their sum. */
struct summer {
    lucio_ref *queue;
    long long sum;
    int left;
};

static int take_item(lucio_call *call, void *data);

static int add_item(lucio_call *call, void *data)
{
    struct summer *summer = data;
    struct lucio_value sum;
    long long item;

    if (lucio_call_status(call) != LUCIO_OK) {
        printf("C: the summer ends with %s\n", lucio_call_error(call)->class_name);
        return lucio_reraise(call);
    }
    if (!lucio_call_integer(call, 1, &item))
        return lucio_bad_argument(call);
    summer->sum += item;
    if (--summer->left > 0)
        return take_item(call, summer);
    sum = lucio_integer(summer->sum);
    return lucio_return(call, 1, &sum);
}

static int take_item(lucio_call *call, void *data)
{
    struct summer *summer = data;
    lucio_future *item;
    int status;

    if (lucio_call_method(summer->queue, "get", 0, NULL, &item) != LUCIO_OK)
        return lucio_raise(call, "RuntimeError", "no memory");
    status = lucio_await(call, item, add_item, summer);
    lucio_future_free(item);
    return status;
}

static const char script[] =
    "local lucio, c = require 'lucio', require 'c'\n"
    "local n = 0\n"
    "print('twice:', c.twice(function() lucio.sleep(0.001) n = n + 21 return n end))\n"
    "print(pcall(c.twice, 'no function'))\n"
    "print(select(2, pcall(c.twice, function() error('from Lua', 0) end)))\n"
    "for item = 1, 3 do queue:put(item * 10) end\n"
    "print(summer:get_name(), summer:await())\n"
    "lucio.sleep(0)\n"
    "idle:cancel()\n"
    "print('cancelled:', select(2, pcall(lucio.await, idle)).name)\n";

static void set_future(lucio *host, const char *name, lucio_future *future)
{
    lucio_set_global(host, name, lucio_awaitable(future));
    lucio_future_free(future);
}

int main(void)
{
    static const struct lucio_entry entries[] = {{"twice", twice}, {NULL, NULL}};
    struct summer summer = {.left = 3}, idle = {.left = 3};
    struct lucio_value queue, empty;
    lucio_future *task;
    lucio *host;

    if (lucio_open(&host, NULL) != LUCIO_OK)
        return 1;
    lucio_add_module(host, "c", entries, NULL);
    lucio_run_string(host, "queue, empty = require('lucio').Queue(), require('lucio').Queue()",
                     NULL);
    lucio_get_global(host, "queue", &queue);
    lucio_get_global(host, "empty", &empty);
    summer.queue = queue.as.object;
    idle.queue = empty.as.object;
    lucio_spawn_function(host, "summer", take_item, &summer, NULL, &task);
    set_future(host, "summer", task);
    lucio_spawn_function(host, "idle", take_item, &idle, NULL, &task);
    set_future(host, "idle", task);
    if (lucio_run_string(host, script, NULL) != LUCIO_OK)
        fprintf(stderr, "%s\n", lucio_last_error(host)->message);
    lucio_ref_free(summer.queue);
    lucio_ref_free(idle.queue);
    return lucio_close(host);
}
