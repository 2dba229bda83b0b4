/*
 * screen: stdout and stderr as streams that take the line being edited off the terminal before they
 * write, so that the output of tasks does not end up in it. Everything that uses stdio is covered:
 * print, io.write, reports, warnings. Only what is a terminal is replaced.
 * Owner:   the command: from before the Lua libraries are opened, which keep the streams, to its end.
 * Context: the line is touched from the thread that installed the screen alone; others just write.
 */
#ifndef LC_SCREEN_H
#define LC_SCREEN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "host.h"

struct lc_line_reader;

struct lc_screen {
    struct lc_display display;     /* for what writes to the terminal by other ways */
    struct lc_line_reader *reader; /* whose line is being edited, or NULL */
    bool hidden;                   /* that line is off the screen */
    bool in_line;                  /* what was written last did not end its line */
    pthread_t thread;
    struct lc_screen_stream {
        struct lc_screen *screen;
        FILE **place; /* stdout or stderr */
        FILE *old;
        int fd;
    } streams[2];
};

void lc_screen_install(struct lc_screen *screen);
void lc_screen_remove(struct lc_screen *screen);

/* From now on the reader's line is on the screen; NULL: none is. */
void lc_screen_set_line(struct lc_screen *screen, struct lc_line_reader *reader);
/* Starts a new line if output stopped within one. */
void lc_screen_fresh_line(struct lc_screen *screen);
/* Puts the line back that output has hidden. */
void lc_screen_restore(struct lc_screen *screen);

#endif
