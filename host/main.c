/*
 * main: the lucio command: one host, the script as its main task, the exit status.
 * Top-level calls of the script may suspend.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "ask.h"
#include "command.h"
#include "control.h"
#include "error.h"
#include "error_text.h"
#include "host.h"
#include "module.h"
#include "options.h"
#include "permit.h"
#include "real_path.h"
#include "repl.h"
#include "screen.h"
#include "sink.h"
#include "state.h"
#include "supervisor.h"

/* ---- what the main task runs ---- */

/* arg[0] is the script, arg[1].. its arguments, negative indices what stands before. */
static void push_arg_table(lua_State *L, int argc, char **argv, int script)
{
    int zero = script == argc ? 0 : script;

    lua_createtable(L, argc - zero, zero + 1);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - zero);
    }
}

/* Appends the function on top to the list of steps at `list`. */
static void add_step(lua_State *L, int list)
{
    lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
}

/* name or global=name: requires a library into a global. Upvalue 1 is the argument. */
static int require_step(lua_State *L)
{
    const char *argument = lua_tostring(L, lua_upvalueindex(1));
    const char *equals = strchr(argument, '=');

    if (equals == NULL) {
        lua_pushstring(L, argument);
    } else {
        lua_pushlstring(L, argument, (size_t)(equals - argument));
        argument = equals + 1;
    }
    lua_getglobal(L, "require");
    lua_pushstring(L, argument);
    lua_call(L, 1, 1);
    lua_setglobal(L, lua_tostring(L, -2));
    return 0;
}

static void check_load(lua_State *L, int status)
{
    if (status != LUA_OK)
        lua_error(L);
}

/* The steps of -e and -l, in order. */
static void add_option_steps(lua_State *L, char **argv, int end, int list)
{
    for (int i = 1; i < end; i++) {
        const char *text;
        char option = argv[i][1];

        if (lc_option_takes_next(argv[i]))
            i++;
        if (argv[i][0] != '-' || (option != 'e' && option != 'l'))
            continue;
        text = argv[i][2] != '\0' ? argv[i] + 2 : argv[++i];
        if (option == 'e') {
            check_load(L, luaL_loadbuffer(L, text, strlen(text), "=(command line)"));
        } else {
            lua_pushstring(L, text);
            lua_pushcclosure(L, require_step, 1);
        }
        add_step(L, list);
    }
}

static void add_init_step(lua_State *L, int list)
{
    const char *name = "=LUA_INIT_5_4";
    const char *init = getenv(name + 1);

    if (init == NULL) {
        name = "=LUA_INIT";
        init = getenv(name + 1);
    }
    if (init == NULL)
        return;
    check_load(L, init[0] == '@' ? luaL_loadfile(L, init + 1)
                                 : luaL_loadbuffer(L, init, strlen(init), name));
    add_step(L, list);
}

/* Runs the steps of the list at 1 one after the other. Each may suspend. The arguments in the table
 * at 2 are for the script, whose number is the table's field 0. */
static int run_steps_k(lua_State *L, int status, lua_KContext done)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);

    (void)status;
    while (done < n) {
        int nargs;

        lua_settop(L, 2);
        lua_rawgeti(L, 2, 0);
        nargs = lua_tointeger(L, -1) == ++done ? (int)lua_rawlen(L, 2) : 0;
        luaL_checkstack(L, nargs + 2, "too many arguments to the script");
        lua_rawgeti(L, 1, done);
        for (int i = 1; i <= nargs; i++)
            lua_rawgeti(L, 2, i);
        lua_callk(L, nargs, 0, done, run_steps_k);
    }
    return 0;
}

static int run_steps(lua_State *L)
{
    return run_steps_k(L, LUA_OK, 0);
}

/* ---- the state ---- */

struct command {
    int argc;
    char **argv;
    struct lc_arguments args;
    bool prompts; /* what follows the script, or stands in for it, is typed on a terminal */
    struct lc_screen screen;
    struct lc_supervised worker; /* with --workers */
};

/* Seconds that connections of a worker have at its end, without --drain-timeout. */
#define DRAIN_TIMEOUT 10.0

/* The directory of the script, where require may look. */
static bool permit_modules(struct lc_host *host, const char *script)
{
    char real[PATH_MAX], *slash;

    if (!lc_real_path(script, true, real))
        return true;
    slash = strrchr(real, '/');
    slash[slash == real] = '\0';
    return lc_permits_add_path(host, LC_PERMIT_MODULES, real);
}

/* The permissions of the --allow options, which are good. */
static void open_permits(lua_State *L, struct lc_host *host, const struct command *command)
{
    const struct lc_arguments *args = &command->args;
    bool added;

    if (!args->allows || args->allow_all)
        return;
    added = lc_permits_begin(host);
    for (int i = 1; added && i < args->script; i++) {
        char **argv = command->argv;

        added = lc_option_allow(host, argv[i]) == NULL;
        if (lc_option_takes_next(argv[i]) || strcmp(argv[i], "-e") == 0 ||
            strcmp(argv[i], "-l") == 0)
            i++;
    }
    if (added && args->script < command->argc && strcmp(command->argv[args->script], "-") != 0)
        added = permit_modules(host, command->argv[args->script]);
    if (!added)
        luaL_error(L, "not enough memory");
}

static void open_lucio(lua_State *L, struct command *command)
{
    const struct lc_arguments *args = &command->args;
    struct lc_host *host = lc_host_open(L);

    if (args->no_env)
        lc_host_set_defaults(host);
    host->is_command = true;
    open_permits(L, host, command);
    if (args->debug)
        host->options.debug = true;
    if (args->virtual_clock)
        host->clock.is_virtual = true;
    if (args->watchdog > 0)
        lc_watchdog_set(L, host, args->watchdog, args->watchdog_kill);
    if (args->shutdown_timeout >= 0) {
        host->options.shutdown_timeout = args->shutdown_timeout;
        host->options.bad_variable = NULL;
    }
    if (args->backend != NULL)
        host->options.backend = args->backend;
    if (!args->no_control && !host->options.no_control)
        lc_control_open(host);
    if (args->workers > 0)
        host->supervised = &command->worker;
    luaL_requiref(L, "lucio", luaopen_lucio, 0);
    if (args->has_code)
        lua_setglobal(L, "lucio");
    else
        lua_pop(L, 1);
}

/* (command): opens everything, loads the script, runs it to its end. */
static int run_command(lua_State *L)
{
    struct command *command = lua_touserdata(L, 1);
    struct lc_arguments *args = &command->args;
    bool from_stdin = args->script == command->argc;
    int list, script_args;

    luaL_checkversion(L);
    if (args->no_env) {
        lua_pushboolean(L, 1);
        lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
    }
    luaL_openlibs(L);
    open_lucio(L, command);
    lua_gc(L, LUA_GCINC, 0, 0, 0);
    push_arg_table(L, command->argc, command->argv, args->script);
    lua_setglobal(L, "arg");
    if (args->warnings) {
        lc_host_open(L)->warns = true;
        lua_warning(L, "@on", 0);
    }
    lua_settop(L, 1);
    lua_newtable(L);
    list = lua_gettop(L);
    lua_newtable(L);
    script_args = lua_gettop(L);
    if (!args->no_env)
        add_init_step(L, list);
    add_option_steps(L, command->argv, args->script, list);
    if (!from_stdin) {
        const char *name = command->argv[args->script];
        bool dash = strcmp(name, "-") == 0 && strcmp(command->argv[args->script - 1], "--") != 0;

        check_load(L, luaL_loadfile(L, dash ? NULL : name));
        add_step(L, list);
        lua_pushinteger(L, (lua_Integer)lua_rawlen(L, list));
        lua_rawseti(L, script_args, 0);
        for (int i = args->script + 1; i < command->argc; i++) {
            lua_pushstring(L, command->argv[i]);
            lua_rawseti(L, script_args, i - args->script);
        }
    } else if (!args->version && !args->has_code && !command->prompts) {
        check_load(L, luaL_loadfile(L, NULL));
        add_step(L, list);
    }
    if (command->prompts) {
        struct lc_host *host = lc_host_open(L);

        /* a script may not get at the history by the prompt */
        lc_repl_push(L, host, &command->screen, !args->version,
                     args->no_env || host->permits != NULL);
        add_step(L, list);
    } else if (args->interactive) {
        check_load(L, luaL_loadfile(L, NULL));
        add_step(L, list);
    }
    if (args->workers > 0)
        lc_supervised_loaded(&command->worker);
    lua_pushlightuserdata(L, lc_host_open(L));
    lua_pushcclosure(L, lc_command_run, 1);
    lua_pushcfunction(L, run_steps);
    lua_pushvalue(L, list);
    lua_pushvalue(L, script_args);
    lua_call(L, 3, 0);
    return 0;
}

static void print_version(void)
{
    printf("lucio %s, %s\n", LUCIO_VERSION, LUA_RELEASE);
    fflush(stdout);
}

/* (error): prints it as the last word of an uncaught error; its text may be the user's own. */
static int print_error(lua_State *L)
{
    lc_sinks_settle(lc_host_open(L));
    lc_error_text_push(L, lc_host_open(L), 1, lc_wants_colour(stderr));
    fprintf(stderr, "lucio: %s\n", lua_tostring(L, -1));
    fflush(stderr);
    return 0;
}

/* The exit status of the error on top. */
static int exit_status(lua_State *L)
{
    struct lc_host *host = lc_host_open(L);
    int status = EXIT_FAILURE;

    if (lc_error_is(L, host, -1, LC_SYSTEM_EXIT)) {
        switch (lua_getfield(L, -1, "code")) {
        case LUA_TNIL:
            return EXIT_SUCCESS;
        case LUA_TBOOLEAN:
            return lua_toboolean(L, -1) ? EXIT_SUCCESS : EXIT_FAILURE;
        case LUA_TNUMBER:
            return (int)lua_tointeger(L, -1);
        default:
            fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
            return EXIT_FAILURE;
        }
    }
    if (lc_error_is(L, host, -1, LC_KEYBOARD_INTERRUPT))
        status = 128 + SIGINT;
    lua_pushcfunction(L, print_error);
    lua_pushvalue(L, -2);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        fprintf(stderr, "lucio: an error that cannot be shown\n");
        lua_pop(L, 1);
    }
    return status;
}

/* As lua does it: -i, or neither a script nor something to do in its place. */
static bool wants_prompt(const struct command *command)
{
    const struct lc_arguments *args = &command->args;
    bool has_nothing = args->script == command->argc && !args->version && !args->has_eval;

    return (args->interactive || has_nothing) && isatty(STDIN_FILENO);
}

/* A standard descriptor that is closed is opened so that its use fails, lest a socket gets its number. */
static void open_standard(void)
{
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

int main(int argc, char **argv)
{
    struct command command = {.argc = argc, .argv = argv};
    lua_State *L;
    int status = EXIT_SUCCESS;

    open_standard();
    if (lc_ask_is_meant(argc, argv))
        return lc_ask(argc, argv);
    lc_arguments_parse(argc, argv, &command.args);
    if (command.args.bad != NULL) {
        fprintf(stderr, "lucio: '%s' %s\n%s", command.args.bad, command.args.why, lc_usage);
        return EXIT_FAILURE;
    }
    if (command.args.help) {
        fputs(lc_usage, stdout);
        return EXIT_SUCCESS;
    }
    if (command.args.version)
        print_version();
    if (command.args.workers > 0) {
        double seconds = command.args.drain_timeout;

        status = lc_supervise(command.args.workers, seconds >= 0 ? seconds : DRAIN_TIMEOUT,
                              &command.worker);
        if (status != LC_IS_WORKER)
            return status;
        status = EXIT_SUCCESS;
    }
    command.prompts = wants_prompt(&command);
    if (command.prompts)
        lc_screen_install(&command.screen);
    L = lc_state_new(command.args.no_env);
    if (L == NULL) {
        fprintf(stderr, "lucio: not enough memory\n");
        return EXIT_FAILURE;
    }
    lua_pushcfunction(L, run_command);
    lua_pushlightuserdata(L, &command);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        status = exit_status(L);
    lc_control_close();
    lc_state_close(L);
    fflush(stdout);
    if (command.prompts)
        lc_screen_remove(&command.screen);
    return status;
}
