/* A game loop: each frame gives the tasks a part of its time; a task that waits costs nothing. */
#include <lucio.h>
#include <stdio.h>

static const char script[] =
    "local lucio, frame = require 'lucio', require 'frame'\n"
    "local function walker(name, frames)\n"
    "  for step = 1, 3 do\n"
    "    for _ = 1, frames do frame.wait() end\n"
    "    print(('frame %d: %s makes step %d'):format(frame.number(), name, step))\n"
    "  end\n"
    "  return name\n"
    "end\n"
    "local group <close> = lucio.TaskGroup()\n"
    "group:create_task(walker, 'the knight', 2)\n"
    "group:create_task(walker, 'the snail', 3)\n";

struct game {
    lucio_ref *event; /* set and cleared by each frame */
    long long frame;
};

/* wait(): suspends until the next frame. */
static int wait_frame(lucio_call *call, void *data)
{
    struct game *game = data;
    lucio_future *waiting;
    int status;

    if (lucio_call_method(game->event, "wait", 0, NULL, &waiting) != LUCIO_OK)
        return lucio_raise(call, "RuntimeError", "no memory");
    status = lucio_await(call, waiting, NULL, NULL);
    lucio_future_free(waiting);
    return status;
}

static int frame_number(lucio_call *call, void *data)
{
    struct lucio_value number = lucio_integer(((struct game *)data)->frame);

    return lucio_return(call, 1, &number);
}

int main(void)
{
    static const struct lucio_entry entries[] = {
        {"wait", wait_frame}, {"number", frame_number}, {NULL, NULL}};
    struct game game = {0};
    struct lucio_value event;
    lucio_ref *function;
    lucio_future *task;
    lucio *host;

    if (lucio_open(&host, NULL) != LUCIO_OK)
        return 1;
    lucio_run_string(host, "event = require('lucio').Event()", NULL);
    lucio_get_global(host, "event", &event);
    game.event = event.as.object;
    lucio_add_module(host, "frame", entries, &game);
    lucio_load_string(host, script, sizeof script - 1, "=game", &function);
    lucio_spawn(host, function, "game", 0, NULL, &task);
    lucio_run_idle(host, -1);
    while (lucio_future_status(task) == LUCIO_PENDING && game.frame < 100) {
        game.frame++;
        lucio_call_method(game.event, "set", 0, NULL, NULL);
        lucio_call_method(game.event, "clear", 0, NULL, NULL);
        lucio_run_idle(host, 0.004); /* four milliseconds of this frame */
        /* here the program would draw */
    }
    printf("the game is over after %lld frames\n", game.frame);
    lucio_future_free(task);
    lucio_ref_free(function);
    lucio_ref_free(game.event);
    return lucio_close(host);
}
