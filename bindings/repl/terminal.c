#include "terminal.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <ev.h>
#include <lauxlib.h>

#include "args.h"
#include "error.h"
#include "error_text.h"
#include "history.h"
#include "host.h"
#include "line_reader.h"
#include "loop.h"
#include "screen.h"
#include "signals.h"
#include "task.h"
#include "traceback.h"
#include "waiter.h"

enum event { EVENT_NONE, EVENT_LINE, EVENT_END, EVENT_COMPLETE, EVENT_FAILURE };

static const char *const event_names[] = {"", "line", "end", "complete", "failure"};

struct terminal {
    struct lc_object object;
    struct lc_host *host;
    struct lc_screen *screen;
    struct lc_line_reader *reader;
    struct lc_loop *loop; /* of the line being edited */
    uint32_t generation;
    struct lc_task *task; /* waits for an event, or NULL */
    struct lc_entry entry;
    ev_io io;
    ev_prepare prepare;
    enum event event;
    bool editing;
    size_t reports; /* failures that nobody retrieved, when last looked at */
};

static const struct lc_type terminal_type = {"Terminal", sizeof(struct terminal)};

static const struct lc_wait_type wait_terminal = {.name = "terminal"};

/* ---- the line being edited ---- */

static void end_line(struct terminal *terminal, bool leave)
{
    if (!terminal->editing)
        return;
    if (leave)
        lc_screen_restore(terminal->screen);
    lc_screen_set_line(terminal->screen, NULL);
    terminal->reader->type->end(terminal->reader, leave);
    ev_prepare_stop(terminal->loop->ev, &terminal->prepare);
    terminal->editing = false;
}

static void begin_line(struct terminal *terminal, const char *prompt)
{
    struct lc_loop *loop = terminal->host->loop;

    terminal->loop = loop;
    terminal->generation = loop->generation;
    terminal->reports = 0;
    lc_screen_fresh_line(terminal->screen);
    terminal->reader->type->begin(terminal->reader, prompt);
    lc_screen_set_line(terminal->screen, terminal->reader);
    ev_prepare_start(loop->ev, &terminal->prepare);
    terminal->editing = true;
}

/* Whether the task waits, and has no event yet. */
static bool is_awaited(const struct terminal *terminal)
{
    return terminal->task != NULL && lc_waiter_is_pending(&terminal->task->waiter);
}

static void send_event(struct terminal *terminal, enum event event)
{
    terminal->event = event;
    lc_waiter_wake(&terminal->task->waiter);
}

/* Takes what was typed, in a tick of its own. */
static void entry_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct terminal *terminal = lc_container_of(entry, struct terminal, entry);
    enum event event = EVENT_NONE;

    (void)loop;
    /* what is typed stays where it is while another event is on its way */
    if (!is_awaited(terminal))
        return;
    lc_screen_restore(terminal->screen);
    switch (terminal->reader->type->feed(terminal->reader)) {
    case LC_LINE_MORE:
        return;
    case LC_LINE_DONE:
        event = EVENT_LINE;
        end_line(terminal, false);
        break;
    case LC_LINE_END:
        event = EVENT_END;
        end_line(terminal, true);
        break;
    case LC_LINE_COMPLETE:
        event = EVENT_COMPLETE;
        break;
    }
    /* the rest of the input is for later: level-triggered, it would be reported in each tick */
    ev_io_stop(terminal->loop->ev, &terminal->io);
    send_event(terminal, event);
}

static const struct lc_entry_type terminal_entry = {.run = entry_run};

static void on_readable(struct ev_loop *ev, ev_io *io, int events)
{
    struct terminal *terminal = lc_container_of(io, struct terminal, io);

    (void)ev;
    (void)events;
    if (!lc_entry_is_queued(&terminal->entry))
        lc_loop_ready(terminal->loop, &terminal->entry);
}

/* Before the loop polls: the line comes back below what tasks have written. */
static void on_prepare(struct ev_loop *ev, ev_prepare *prepare, int events)
{
    struct terminal *terminal = lc_container_of(prepare, struct terminal, prepare);
    size_t before = terminal->reports;

    (void)ev;
    (void)events;
    lc_screen_restore(terminal->screen);
    terminal->reader->type->renew(terminal->reader);
    if (!is_awaited(terminal))
        return;
    terminal->reports = terminal->host->reports;
    if (terminal->reports > before) {
        send_event(terminal, EVENT_FAILURE);
        lc_loop_post(terminal->loop);
    }
}

/* ---- methods ---- */

static void stop_reading(struct terminal *terminal)
{
    if (terminal->task == NULL)
        return;
    ev_io_stop(terminal->loop->ev, &terminal->io);
    terminal->loop->io--;
    terminal->host->watchers--;
    lc_list_unlink(&terminal->entry.link);
    terminal->task = NULL;
}

/* Ctrl-C counts anew, and what it asked of the main task is withdrawn. True: there was one. */
static bool restart_interrupts(struct lc_host *host, enum lc_interrupt_mode mode)
{
    bool interrupted;

    if (host->loop == NULL || host->loop->ending)
        return false;
    interrupted = lc_interrupt_restart(host->loop, mode);
    while (host->current != NULL && lc_task_uncancel(host->current) > 0)
        continue;
    return interrupted;
}

static int read_k(lua_State *L, int status, lua_KContext ctx)
{
    struct terminal *terminal = lua_touserdata(L, 1);
    struct lc_host *host = terminal->host;
    bool failed = lc_wait_end(L, host->current);
    size_t size;
    const char *text;

    (void)status;
    (void)ctx;
    stop_reading(terminal);
    if (failed) {
        end_line(terminal, true);
        if (host->loop->ending || lc_error_kind(L, -1) != LC_KIND_CANCELLED)
            return lua_error(L);
        restart_interrupts(host, LC_INTERRUPT_PROMPT);
        lua_pushliteral(L, "interrupt");
        return 1;
    }
    lua_pushstring(L, event_names[terminal->event]);
    if (terminal->event != EVENT_LINE && terminal->event != EVENT_COMPLETE)
        return 1;
    text = terminal->reader->type->text(terminal->reader, &size);
    lua_pushlstring(L, text, size);
    return 2;
}

/* terminal:read(prompt) -> event, text
 * Waits for an event of the line being edited, or of a new one with that prompt: "line", the line;
 * "complete", what stands before the cursor (the line goes on); "failure" when a task failed and
 * nobody retrieved that (it goes on); "end"; "interrupt". */
static int terminal_read(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct terminal *terminal = lc_check_self(L, &terminal_type, "read");
    struct lc_task *task = lc_wait_task(L, host, "read");
    const char *prompt = luaL_checkstring(L, 2);

    if (terminal->task != NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "another task reads from the terminal");
    if (host->loop->ending) {
        lua_pushstring(L, event_names[EVENT_END]);
        return 1;
    }
    lua_settop(L, 2);
    if (!terminal->editing)
        begin_line(terminal, prompt);
    lc_wait_begin(L, task, &wait_terminal, 1);
    terminal->task = task;
    terminal->event = EVENT_NONE;
    ev_io_start(terminal->loop->ev, &terminal->io);
    terminal->loop->io++;
    host->watchers++;
    return lc_wait_yield(L, task, 0, read_k);
}

/* terminal:insert(text): adds text at the cursor */
static int terminal_insert(lua_State *L)
{
    struct terminal *terminal = lc_check_self(L, &terminal_type, "insert");
    const char *text = luaL_checkstring(L, 2);

    if (terminal->editing)
        terminal->reader->type->insert(terminal->reader, text);
    return 0;
}

/* terminal:fresh_line(): what is written next starts a line */
static int terminal_fresh_line(lua_State *L)
{
    struct terminal *terminal = lc_check_self(L, &terminal_type, "fresh_line");

    lc_screen_fresh_line(terminal->screen);
    return 0;
}

/* terminal:width() -> columns */
static int terminal_width(lua_State *L)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        size.ws_col = 80;
    lua_pushinteger(L, size.ws_col);
    return 1;
}

/* terminal:add_history(line) */
static int terminal_add_history(lua_State *L)
{
    struct terminal *terminal = lc_check_self(L, &terminal_type, "add_history");

    terminal->reader->type->add_history(terminal->reader, luaL_checkstring(L, 2));
    return 0;
}

/* Stack: 1 the terminal, 2 the handler, then the results, or the error on top. */
static int call_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    bool interrupted;

    (void)ctx;
    if (status != LUA_OK && status != LUA_YIELD) {
        if (host->loop->ending || lc_error_is(L, host, -1, LC_SYSTEM_EXIT))
            return lua_error(L);
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        interrupted = restart_interrupts(host, LC_INTERRUPT_PROMPT) &&
                      lc_error_kind(L, -1) == LC_KIND_CANCELLED;
        interrupted |= lc_error_is(L, host, -1, LC_KEYBOARD_INTERRUPT);
        lua_pushboolean(L, interrupted);
        return 3;
    }
    restart_interrupts(host, LC_INTERRUPT_PROMPT);
    lua_pushboolean(L, 1);
    lua_replace(L, 2);
    return lua_gettop(L) - 1;
}

/* terminal:call(f, ...) -> true, ... or false, error, whether that is due to Ctrl-C
 * f may suspend. Ctrl-C cancels it, or raises KeyboardInterrupt where its Lua code runs. SystemExit
 * passes, and so does all when the loop ends. */
static int terminal_call(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    int status;

    lc_check_self(L, &terminal_type, "call");
    lc_check_callable(L, 2, "call", 1);
    lc_wait_task(L, host, "call");
    lua_pushcfunction(L, lc_traceback_handler);
    lua_insert(L, 2);
    restart_interrupts(host, LC_INTERRUPT_INPUT);
    status = lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 2, 0, call_k);
    return call_k(L, status, 0);
}

/* terminal:report(error) -> text with traceback, as of an error that ends a script */
static int terminal_report(lua_State *L)
{
    lua_settop(L, 2);
    lc_error_text_push(L, lc_host_of(L), 2, lc_wants_colour(stderr));
    return 1;
}

/* terminal:failed(value) -> whether it is a future that ended with an error. It is not retrieved. */
static int terminal_failed(lua_State *L)
{
    struct lc_future *future;

    lua_settop(L, 2);
    future = lc_to_future(L, 2);
    lua_pushboolean(L, future != NULL && future->state == LC_FAILED);
    return 1;
}

static int terminal_gc(lua_State *L)
{
    struct terminal *terminal = lc_to_object(L, 1, &terminal_type);

    if (terminal == NULL || terminal->reader == NULL)
        return 0;
    if (terminal->editing) {
        lc_screen_set_line(terminal->screen, NULL);
        terminal->reader->type->end(terminal->reader, true);
        if (terminal->loop->generation == terminal->generation && terminal->loop->ev != NULL) {
            ev_prepare_stop(terminal->loop->ev, &terminal->prepare);
            ev_io_stop(terminal->loop->ev, &terminal->io);
        }
    }
    terminal->host->display = NULL;
    terminal->reader->type->free(terminal->reader);
    terminal->reader = NULL;
    return 0;
}

static void push_metatable(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"read", terminal_read},
                                       {"insert", terminal_insert},
                                       {"fresh_line", terminal_fresh_line},
                                       {"width", terminal_width},
                                       {"add_history", terminal_add_history},
                                       {"load_history", lc_history_load},
                                       {"save_history", lc_history_save},
                                       {"call", terminal_call},
                                       {"report", terminal_report},
                                       {"failed", terminal_failed},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__gc", terminal_gc}, {NULL, NULL}};

    lua_newtable(L);
    lc_set_functions(L, host, metamethods);
    lua_newtable(L);
    lc_set_functions(L, host, methods);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "lucio.Terminal");
    lua_setfield(L, -2, "__name");
}

void lc_terminal_new(lua_State *L, struct lc_host *host, struct lc_screen *screen)
{
    struct terminal *terminal = lua_newuserdatauv(L, sizeof *terminal, 0);

    memset(terminal, 0, sizeof *terminal);
    terminal->object.type = &terminal_type;
    terminal->host = host;
    terminal->screen = screen;
    lc_entry_init(&terminal->entry, &terminal_entry);
    ev_io_init(&terminal->io, on_readable, STDIN_FILENO, EV_READ);
    ev_prepare_init(&terminal->prepare, on_prepare);
    push_metatable(L, host);
    lua_setmetatable(L, -2);
    if (isatty(STDOUT_FILENO))
        terminal->reader = lc_editor_new();
    if (terminal->reader == NULL)
        terminal->reader = lc_plain_new();
    if (terminal->reader == NULL)
        luaL_error(L, "not enough memory");
    host->display = &screen->display;
}
