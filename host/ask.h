/*
 * ask: `lucio ps PID`, `lucio pstree PID`, `lucio cancel PID TASK`: asks another lucio process what
 * its tasks do. See control.h for how.
 */
#ifndef LC_ASK_H
#define LC_ASK_H

#include <stdbool.h>

/* Whether the arguments begin with one of these words and it is no script in the directory. */
bool lc_ask_is_meant(int argc, char **argv);

/* Asks and prints the answer; returns the exit status. */
int lc_ask(int argc, char **argv);

#endif
