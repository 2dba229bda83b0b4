/* A program with a libev loop of its own: its timers and sockets, and tasks of Lua among them. */
#include <ev.h>
#include <lucio.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const char script[] = "local lucio = require 'lucio'\n"
                             "local fd, next_tick = ...\n"
                             "local ready = lucio.Event()\n"
                             "lucio.get_running_loop():add_reader(fd, ready.set, ready)\n"
                             "for _ = 1, 3 do\n"
                             "  print('Lua: the program ticked', next_tick())\n"
                             "  lucio.sleep(0.001)\n"
                             "end\n"
                             "ready:wait()\n"
                             "lucio.get_running_loop():remove_reader(fd)\n"
                             "print 'Lua: the program wrote to the socket'\n"
                             "return 'bye'\n";

struct program {
    lucio *host;
    lucio_future *tick; /* what the script waits for now */
    int ticks;
    int sockets[2];
    ev_timer timer;
    struct ev_loop *loop;
};

/* next_tick() -> number; starts the program's timer and suspends until it ticks. */
static int next_tick(lucio_call *call, void *data)
{
    struct program *program = data;

    lucio_future_free(program->tick);
    if (lucio_future_new(program->host, &program->tick) != LUCIO_OK)
        return lucio_raise(call, "RuntimeError", "no memory");
    ev_timer_set(&program->timer, 0.01, 0);
    ev_timer_start(program->loop, &program->timer);
    return lucio_await(call, program->tick, NULL, NULL);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct program *program = timer->data;
    struct lucio_value number = lucio_integer(++program->ticks);

    (void)loop;
    (void)events;
    printf("C: tick %d\n", program->ticks);
    lucio_future_set_result(program->tick, 1, &number);
    if (program->ticks == 3 && write(program->sockets[1], "x", 1) != 1)
        perror("write");
}

static void on_end(lucio_future *task, void *data)
{
    struct program *program = data;

    printf("C: the script says %s\n", lucio_future_result(task, 0).as.string.data);
    ev_break(program->loop, EVBREAK_ALL);
}

int main(void)
{
    struct program program = {.loop = ev_loop_new(0)};
    struct lucio_config config;
    struct lucio_value arguments[2];
    lucio_ref *function, *tick;
    lucio_future *task;

    lucio_config_init(&config);
    config.loop = program.loop;
    if (lucio_open(&program.host, &config) != LUCIO_OK ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, program.sockets) != 0)
        return 1;
    lucio_function_new(program.host, "next_tick", next_tick, &program, NULL, &tick);
    arguments[0] = lucio_integer(program.sockets[0]);
    arguments[1] = lucio_object(tick);
    lucio_load_string(program.host, script, sizeof script - 1, "=script", &function);
    lucio_spawn(program.host, function, "script", 2, arguments, &task);
    lucio_future_on_done(task, on_end, &program);
    ev_timer_init(&program.timer, on_tick, 0.01, 0);
    program.timer.data = &program;

    ev_run(program.loop, 0);

    ev_timer_stop(program.loop, &program.timer);
    lucio_ref_free(function);
    lucio_ref_free(tick);
    lucio_future_free(program.tick);
    lucio_future_free(task);
    lucio_close(program.host);
    close(program.sockets[0]);
    close(program.sockets[1]);
    ev_loop_destroy(program.loop);
    return 0;
}
