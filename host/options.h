/*
 * options: the arguments of the lucio command, as those of lua and some of its own.
 * A long option is one row of the table in options.c and one field here.
 */
#ifndef LC_OPTIONS_H
#define LC_OPTIONS_H

#include <stdbool.h>

/* What the arguments ask for. */
struct lc_arguments {
    int script; /* index in argv of the script's name; argc when there is none */
    bool version;
    bool help;
    bool no_env;
    bool warnings;
    bool interactive;
    bool has_code; /* -e or -l */
    bool has_eval; /* -e */
    bool debug;
    bool virtual_clock;
    bool no_control;
    bool allows; /* some --allow option */
    bool allow_all;
    const char *backend;
    double shutdown_timeout; /* negative: not given */
    double drain_timeout;    /* the same */
    int workers;             /* 0: not given */
    double watchdog;         /* 0: none */
    bool watchdog_kill;
    const char *bad; /* an option that is wrong, and why */
    const char *why;
};

struct lc_host;

extern const char lc_usage[];

void lc_arguments_parse(int argc, char **argv, struct lc_arguments *args);

/* Whether the word is a long option whose value is the next word. */
bool lc_option_takes_next(const char *word);

/* If the word is an --allow option with a list, adds its permissions to the host's; with NULL it only
 * looks. Returns what is wrong, or NULL. */
const char *lc_option_allow(struct lc_host *host, const char *word);

#endif
