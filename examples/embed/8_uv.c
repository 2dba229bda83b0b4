/* A program whose loop is libuv's: a poll handle for lucio's descriptor, a timer for its deadlines. */
#include <lucio.h>
#include <stdio.h>
#include <uv.h>

static const char script[] = "local lucio = require 'lucio'\n"
                             "local reader, writer = lucio.open_unix_connection(address)\n"
                             "for i = 1, 3 do\n"
                             "  writer:write('question ' .. i .. '\\n')\n"
                             "  print('Lua: ' .. reader:readline())\n"
                             "  lucio.sleep(0.002)\n"
                             "end\n"
                             "writer:close()\n"
                             "writer:wait_closed()\n";

static const char server[] =
    "local lucio = require 'lucio'\n"
    "address = '\\0lucio-uv ' .. tostring({})\n" /* nobody else's */
    "server = lucio.start_unix_server(function(reader, writer)\n"
    "  for line in reader:lines() do writer:write('answer to ' .. line .. '\\n') end\n"
    "  writer:close()\n"
    "end, address)\n";

struct program {
    lucio *host;
    lucio_future *task;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_timer_t ticker;
    int ticks;
};

static void on_timer(uv_timer_t *timer)
{
    lucio_step(((struct program *)timer->data)->host);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    lucio_step(((struct program *)poll->data)->host);
}

/* Before each poll of libuv's: when does lucio want to be called at the latest? */
static void on_prepare(uv_prepare_t *prepare)
{
    struct program *program = prepare->data;
    double timeout = lucio_timeout(program->host);

    if (lucio_future_status(program->task) != LUCIO_PENDING) {
        uv_stop(prepare->loop);
        return;
    }
    if (timeout < 0)
        uv_timer_stop(&program->timer);
    else
        uv_timer_start(&program->timer, on_timer, (uint64_t)(timeout * 1000 + 0.999), 0);
}

/* The program's own work goes on beside it. */
static void on_tick(uv_timer_t *timer)
{
    ((struct program *)timer->data)->ticks++;
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    struct program program = {0};
    lucio_ref *function;

    if (lucio_open(&program.host, NULL) != LUCIO_OK)
        return 1;
    lucio_run_string(program.host, server, NULL);
    lucio_load_string(program.host, script, sizeof script - 1, "=script", &function);
    lucio_spawn(program.host, function, NULL, 0, NULL, &program.task);
    lucio_ref_free(function);

    program.poll.data = program.timer.data = program.prepare.data = program.ticker.data = &program;
    uv_poll_init(loop, &program.poll, lucio_fd(program.host));
    uv_poll_start(&program.poll, UV_READABLE, on_readable);
    uv_timer_init(loop, &program.timer);
    uv_timer_init(loop, &program.ticker);
    uv_timer_start(&program.ticker, on_tick, 1, 1);
    uv_prepare_init(loop, &program.prepare);
    uv_prepare_start(&program.prepare, on_prepare);

    uv_run(loop, UV_RUN_DEFAULT);

    printf("the script ended: %s\n", lucio_status_text(lucio_future_status(program.task)));
    printf("the program's timer ticked: %s\n", program.ticks > 0 ? "yes" : "no");
    uv_close((uv_handle_t *)&program.poll, NULL);
    uv_close((uv_handle_t *)&program.timer, NULL);
    uv_close((uv_handle_t *)&program.ticker, NULL);
    uv_close((uv_handle_t *)&program.prepare, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    lucio_future_free(program.task);
    lucio_run_string(program.host, "server:close() server:wait_closed()", NULL);
    return lucio_close(program.host);
}
