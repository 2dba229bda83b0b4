/*
 * line_reader: who reads a line from the terminal, byte by byte as they come in, without waiting:
 * editor.c with libedit, plain.c where the terminal or the build has no more.
 * Invariant: between begin and end the line belongs to the reader; a call of feed takes no byte that
 *            follows the end of the line.
 * Owner:     the terminal, which frees it.
 * Context:   loop thread; nothing here calls Lua.
 */
#ifndef LC_LINE_READER_H
#define LC_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>

enum lc_line_event {
    LC_LINE_MORE,     /* nothing to report yet */
    LC_LINE_DONE,     /* a line is complete: text */
    LC_LINE_END,      /* end of input */
    LC_LINE_COMPLETE, /* a name is to be completed: text is what stands before the cursor */
};

struct lc_line_reader {
    const struct lc_line_reader_type *type;
};

struct lc_line_reader_type {
    /* Shows the prompt and makes the terminal ready for a line. */
    void (*begin)(struct lc_line_reader *reader, const char *prompt);
    /* Takes what was typed. */
    enum lc_line_event (*feed)(struct lc_line_reader *reader);
    /* The text of the last event; valid until the next call. */
    const char *(*text)(struct lc_line_reader *reader, size_t *size);
    /* Adds text at the cursor. */
    void (*insert)(struct lc_line_reader *reader, const char *text);
    /* Takes the line off the screen, and puts it back at the start of the cursor's row. */
    void (*hide)(struct lc_line_reader *reader);
    void (*show)(struct lc_line_reader *reader);
    /* Something else has changed the terminal's mode, as a shell does that had the program in the
     * background: makes it ready again and shows the line. Cheap when nothing has. */
    void (*renew)(struct lc_line_reader *reader);
    /* Gives the terminal back as it was. With `leave` the cursor goes below the line. */
    void (*end)(struct lc_line_reader *reader, bool leave);
    void (*add_history)(struct lc_line_reader *reader, const char *line);
    void (*free)(struct lc_line_reader *reader);
};

/* NULL: no memory. */
struct lc_line_reader *lc_plain_new(void);
/* NULL: this build or this terminal has no line editing. */
struct lc_line_reader *lc_editor_new(void);

#endif
