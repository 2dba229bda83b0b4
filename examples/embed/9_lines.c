/* A queue, a lock and an event that C and Lua use together: a task in C between two in Lua. */
#include <lucio.h>
#include <stdio.h>

static const char script[] = "local lucio = require 'lucio'\n"
                             "lucio.create_task{function()\n"
                             "  for i = 1, 3 do raw:put(i) end\n"
                             "  raw:shutdown()\n"
                             "end, name = 'producer'}\n"
                             "for _, square in squares:items() do print('Lua: ' .. square) end\n";

struct stage {
    lucio_ref *raw, *squares;
    bool has_item;
};

/* A task whose body is C: takes a number, puts its square, until there are no more. */
static int work(lucio_call *call, void *data)
{
    struct stage *stage = data;
    long long item;

    if (lucio_call_status(call) != LUCIO_OK) { /* QueueShutDown */
        printf("C: %s\n", lucio_call_error(call)->class_name);
        lucio_queue_shutdown(stage->squares, false);
        return lucio_return(call, 0, NULL);
    }
    stage->has_item = !stage->has_item;
    if (stage->has_item)
        return lucio_await_queue_get(call, stage->raw, work, stage);
    if (!lucio_call_integer(call, 1, &item))
        return lucio_bad_argument(call);
    return lucio_await_queue_put(call, stage->squares, lucio_integer(item * item), work, stage);
}

static bool print_line(const struct lucio_task_info *info, void *data)
{
    (void)data;
    printf("%s is %s%s%s\n", info->name, info->state, info->waits_for[0] != '\0' ? ": " : "",
           info->waits_for);
    return true;
}

/* A future tells C when it has the lock. */
static void on_lock(lucio_future *future, void *data)
{
    lucio_ref *lock = data;

    printf("C has the lock\n");
    lucio_lock_release(lock);
    lucio_future_free(future);
}

int main(void)
{
    struct stage stage = {NULL, NULL, false};
    lucio_ref *lock;
    lucio_future *future;
    lucio *host;

    if (lucio_open(&host, NULL) != LUCIO_OK)
        return 1;
    lucio_queue_new(host, LUCIO_FIFO, 1, &stage.raw);
    lucio_queue_new(host, LUCIO_FIFO, 1, &stage.squares);
    lucio_set_global(host, "raw", lucio_object(stage.raw));
    lucio_set_global(host, "squares", lucio_object(stage.squares));
    lucio_spawn_function(host, "squarer", work, &stage, NULL, NULL);
    lucio_run_idle(host, -1);
    lucio_visit_tasks(host, print_line, NULL);
    if (lucio_run_string(host, script, NULL) != LUCIO_OK)
        fprintf(stderr, "%s\n", lucio_last_error(host)->message);

    lucio_lock_new(host, &lock);
    lucio_set_global(host, "lock", lucio_object(lock));
    lucio_lock_try_acquire(lock);
    lucio_lock_acquire(lock, &future);
    lucio_future_on_done(future, on_lock, lock);
    lucio_run_string(host, "print('Lua gives the lock back') lock:release()", NULL);
    lucio_run_string(host, "lock:acquire() print('Lua has the lock')", NULL);

    lucio_ref_free(lock);
    lucio_ref_free(stage.raw);
    lucio_ref_free(stage.squares);
    return lucio_close(host);
}
