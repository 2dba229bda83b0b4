#include "options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "permit.h"

const char lc_usage[] =
    "usage: lucio [options] [script [args]]\n"
    "Runs a Lua script as a task: its top-level calls may suspend. Without one, on a terminal,\n"
    "it reads and runs what is typed.\n"
    "  -e STAT          execute the string STAT\n"
    "  -l NAME          require library NAME into global NAME\n"
    "  -i               after the script: a prompt, or what standard input has\n"
    "  -v, --version    show version information\n"
    "  -E               ignore environment variables\n"
    "  -W               turn warnings on\n"
    "  --               stop handling options\n"
    "  -                stop handling options and execute standard input\n"
    "  --debug          debug mode: slow steps, forgotten awaits (also LUCIO_DEBUG=1)\n"
    "  --virtual-clock  time jumps to the next deadline when idle (also LUCIO_CLOCK=virtual)\n"
    "  --shutdown-timeout SECONDS\n"
    "                   for tasks that go on though cancelled (also LUCIO_SHUTDOWN_TIMEOUT)\n"
    "  --workers N      N processes run the script and share its ports; auto: as many as "
    "processors\n"
    "  --drain-timeout SECONDS\n"
    "                   for their connections when they end\n"
    "  --watchdog SECONDS\n"
    "                   prints the stack of a step that runs longer, while it runs\n"
    "  --watchdog-kill  ends it, too\n"
    "  --allow-read[=PATHS], --allow-write[=PATHS], --allow-net[=HOSTS], --allow-run[=PROGRAMS],\n"
    "  --allow-env[=NAMES], --allow-load[=PATHS]\n"
    "                   what the script may do: once one is given, the rest is refused\n"
    "  --allow-all      all of that\n"
    "  --backend NAME   epoll, poll, select or io_uring (also LUCIO_BACKEND)\n"
    "  --no-control     SIGQUIT, SIGUSR1 and lucio ps get no answer (also LUCIO_CONTROL=0)\n"
    "  -h, --help       show this text\n"
    "       lucio ps PID, lucio pstree PID\n"
    "Shows the tasks of a running lucio, as a table or as a tree.\n"
    "       lucio cancel PID TASK\n"
    "Cancels a task of it, by name or number.\n";

enum kind { FLAG, TEXT, SECONDS, COUNT, ALLOW };

/* So many workers at most. */
#define MOST_WORKERS 1024

/* What a long option sets at `offset`; `why` says what is wrong with a value. Of ALLOW, `offset` is the
 * permission, and the list of its targets is part of the word. */
static const struct long_option {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *why;
} long_options[] = {
    {"--allow-all", FLAG, offsetof(struct lc_arguments, allow_all), NULL},
    {"--allow-env", ALLOW, LC_PERMIT_ENV, NULL},
    {"--allow-load", ALLOW, LC_PERMIT_LOAD, NULL},
    {"--allow-net", ALLOW, LC_PERMIT_NET, NULL},
    {"--allow-read", ALLOW, LC_PERMIT_READ, NULL},
    {"--allow-run", ALLOW, LC_PERMIT_RUN, NULL},
    {"--allow-write", ALLOW, LC_PERMIT_WRITE, NULL},
    {"--backend", TEXT, offsetof(struct lc_arguments, backend), "needs the name of a backend"},
    {"--debug", FLAG, offsetof(struct lc_arguments, debug), NULL},
    {"--drain-timeout", SECONDS, offsetof(struct lc_arguments, drain_timeout),
     "needs 0 or more seconds"},
    {"--help", FLAG, offsetof(struct lc_arguments, help), NULL},
    {"--no-control", FLAG, offsetof(struct lc_arguments, no_control), NULL},
    {"--shutdown-timeout", SECONDS, offsetof(struct lc_arguments, shutdown_timeout),
     "needs 0 or more seconds"},
    {"--version", FLAG, offsetof(struct lc_arguments, version), NULL},
    {"--virtual-clock", FLAG, offsetof(struct lc_arguments, virtual_clock), NULL},
    {"--watchdog", SECONDS, offsetof(struct lc_arguments, watchdog), "needs 0 or more seconds"},
    {"--watchdog-kill", FLAG, offsetof(struct lc_arguments, watchdog_kill), NULL},
    {"--workers", COUNT, offsetof(struct lc_arguments, workers),
     "needs a number up to 1024, or auto"},
};

static void bad_option(struct lc_arguments *args, const char *option, const char *why)
{
    args->bad = option;
    args->why = why;
}

/* The option that the word names, `--name` or with a value `--name=value`; NULL: none. */
static const struct long_option *find_option(const char *word)
{
    for (size_t i = 0; i < sizeof long_options / sizeof long_options[0]; i++) {
        const struct long_option *option = &long_options[i];
        size_t length = strlen(option->name);

        if (strncmp(word, option->name, length) == 0 &&
            (word[length] == '\0' || (option->kind != FLAG && word[length] == '=')))
            return option;
    }
    return NULL;
}

bool lc_option_takes_next(const char *word)
{
    const struct long_option *option = find_option(word);

    return option != NULL && option->kind != FLAG && option->kind != ALLOW &&
           strchr(word, '=') == NULL;
}

/* The list behind the name of an option; NULL: there is none. */
static const char *attached(const char *word)
{
    const char *equals = strchr(word, '=');

    return equals != NULL ? equals + 1 : NULL;
}

const char *lc_option_allow(struct lc_host *host, const char *word)
{
    const struct long_option *option = find_option(word);

    if (option == NULL || option->kind != ALLOW)
        return NULL;
    return lc_permits_add(host, (enum lc_permission)option->offset, attached(word));
}

/* Reads a number of workers: 0 and "auto" are one for each processor. */
static bool parse_count(const char *text, int *count)
{
    char *end;
    long value = strcmp(text, "auto") == 0 ? 0 : strtol(text, &end, 10);

    if (strcmp(text, "auto") != 0 && (end == text || *end != '\0'))
        return false;
    if (value == 0)
        value = sysconf(_SC_NPROCESSORS_ONLN);
    *count = (int)(value > MOST_WORKERS ? 0 : value);
    return *count > 0;
}

/* A value of an option that is none of the other kinds. */
static bool parse_value(const struct long_option *option, const char *value, void *field)
{
    switch (option->kind) {
    case SECONDS:
        return lc_parse_seconds(value, field);
    case COUNT:
        return parse_count(value, field);
    default:
        *(const char **)field = value;
        return true;
    }
}

/* A long option at argv[i]; returns the index of the last argument it takes. */
static int parse_long(int argc, char **argv, int i, struct lc_arguments *args)
{
    const struct long_option *option = find_option(argv[i]);
    const char *value;
    void *field;

    if (option == NULL) {
        bad_option(args, argv[i], "is no option of lucio");
        return i;
    }
    if (option->kind == ALLOW) {
        const char *why = lc_option_allow(NULL, argv[i]);

        args->allows = true;
        if (why != NULL)
            bad_option(args, argv[i], why);
        return i;
    }
    field = (char *)args + option->offset;
    if (option->kind == FLAG) {
        *(bool *)field = true;
        return i;
    }
    value = attached(argv[i]);
    if (value == NULL && i + 1 < argc)
        value = argv[++i];
    if (value == NULL || !parse_value(option, value, field))
        bad_option(args, option->name, option->why);
    return i;
}

/* A word of single letters at argv[i]; returns the index of the last argument it takes. */
static int parse_short(int argc, char **argv, int i, struct lc_arguments *args)
{
    const char *word = argv[i];

    switch (word[1]) {
    case 'e':
    case 'l':
        args->has_code = true;
        args->has_eval |= word[1] == 'e';
        if (word[2] == '\0' && (++i >= argc || argv[i][0] == '-'))
            bad_option(args, word, "needs an argument");
        return i;
    case 'i':
        args->interactive = true;
        break;
    case 'v':
        args->version = true;
        break;
    case 'E':
        args->no_env = true;
        break;
    case 'W':
        args->warnings = true;
        break;
    case 'h':
        args->help = true;
        break;
    default:
        bad_option(args, word, "is no option of lucio");
    }
    if (word[2] != '\0')
        bad_option(args, word, "is no option of lucio");
    return i;
}

/* Several processes share neither a standard input nor a clock that jumps. */
static void check_workers(struct lc_arguments *args, int argc, char **argv)
{
    const char *clock = args->no_env ? NULL : getenv("LUCIO_CLOCK");

    if (args->workers == 0) {
        if (args->drain_timeout >= 0)
            bad_option(args, "--drain-timeout", "is for --workers alone");
        return;
    }
    if (args->virtual_clock || (clock != NULL && strcmp(clock, "virtual") == 0))
        bad_option(args, "--workers", "does not go with the virtual clock");
    else if (args->interactive)
        bad_option(args, "--workers", "does not go with -i");
    else if (args->script == argc ? !args->has_code : strcmp(argv[args->script], "-") == 0)
        bad_option(args, "--workers", "needs a script in a file");
}

void lc_arguments_parse(int argc, char **argv, struct lc_arguments *args)
{
    int i;

    memset(args, 0, sizeof *args);
    args->shutdown_timeout = -1;
    args->drain_timeout = -1;
    for (i = 1; i < argc && args->bad == NULL; i++) {
        if (argv[i][0] != '-' || argv[i][1] == '\0')
            break;
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        i = argv[i][1] == '-' ? parse_long(argc, argv, i, args) : parse_short(argc, argv, i, args);
    }
    args->script = i < argc ? i : argc;
    if (args->bad == NULL)
        check_workers(args, argc, argv);
}
