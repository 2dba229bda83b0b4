/* A program whose loop is GLib's: a GSource with lucio's descriptor and deadline, for any GMainContext. */
#include <glib.h>
#include <lucio.h>
#include <math.h>
#include <stdio.h>

static const char script[] =
    "local lucio = require 'lucio'\n"
    "local server <close> = lucio.start_server(function(reader, writer)\n"
    "  for line in reader:lines() do writer:write('answer to ' .. line .. '\\n') end\n"
    "  writer:close()\n"
    "end, '127.0.0.1', 0)\n"
    "local port = server.sockets[1]:getsockname().port\n"
    "local reader, writer = lucio.open_connection('127.0.0.1', port)\n"
    "for i = 1, 3 do\n"
    "  writer:write('question ' .. i .. '\\n')\n"
    "  print('Lua: ' .. reader:readline():sub(1, -2))\n"
    "  lucio.sleep(0.002)\n"
    "end\n"
    "writer:close()\n"
    "writer:wait_closed()\n";

/* ---- the source ---- */

struct lucio_source {
    GSource source;
    lucio *host;
    gpointer fd;
};

/* Before each poll of GLib's: how long may it wait, and is anything to do at once? */
static gboolean prepare(GSource *source, gint *milliseconds)
{
    double timeout = lucio_timeout(((struct lucio_source *)source)->host);

    *milliseconds = timeout < 0 ? -1 : (gint)fmin(ceil(timeout * 1000), G_MAXINT);
    return timeout == 0;
}

/* After it: has the descriptor something, or has the deadline come? */
static gboolean check(GSource *source)
{
    struct lucio_source *self = (struct lucio_source *)source;

    return g_source_query_unix_fd(source, self->fd) != 0 || lucio_timeout(self->host) == 0;
}

static gboolean dispatch(GSource *source, GSourceFunc unused, gpointer data)
{
    (void)unused;
    (void)data;
    if (lucio_step(((struct lucio_source *)source)->host) != LUCIO_OK)
        return G_SOURCE_REMOVE; /* a script called lucio.exit */
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs functions = {.prepare = prepare, .check = check, .dispatch = dispatch};

/* The caller attaches the source, and destroys it before the host is closed. */
static GSource *lucio_source_new(lucio *host)
{
    GSource *source = g_source_new(&functions, sizeof(struct lucio_source));
    struct lucio_source *self = (struct lucio_source *)source;

    self->host = host;
    self->fd = g_source_add_unix_fd(source, lucio_fd(host), G_IO_IN);
    return source;
}

/* ---- the program ---- */

struct program {
    GMainLoop *loop;
    int ticks;
};

static void on_end(lucio_future *task, void *data)
{
    printf("the script ended: %s\n", lucio_status_text(lucio_future_status(task)));
    g_main_loop_quit(((struct program *)data)->loop);
}

/* The program's own work goes on beside it. */
static gboolean on_tick(gpointer data)
{
    ((struct program *)data)->ticks++;
    return G_SOURCE_CONTINUE;
}

int main(void)
{
    GMainContext *context = g_main_context_new();
    struct program program = {g_main_loop_new(context, FALSE), 0};
    GSource *source, *ticker = g_timeout_source_new(1);
    lucio_future *task = NULL;
    lucio_ref *function;
    lucio *host;

    if (lucio_open(&host, NULL) != LUCIO_OK)
        return 1;
    source = lucio_source_new(host);
    g_source_attach(source, context);
    g_source_set_callback(ticker, on_tick, &program, NULL);
    g_source_attach(ticker, context);

    lucio_load_string(host, script, sizeof script - 1, "=script", &function);
    lucio_spawn(host, function, NULL, 0, NULL, &task);
    lucio_ref_free(function);
    lucio_future_on_done(task, on_end, &program);
    g_main_loop_run(program.loop);
    printf("the program's timer ticked: %s\n", program.ticks > 0 ? "yes" : "no");

    g_source_destroy(source);
    g_source_unref(source);
    g_source_destroy(ticker);
    g_source_unref(ticker);
    g_main_loop_unref(program.loop);
    g_main_context_unref(context);
    lucio_future_free(task);
    return lucio_close(host);
}
