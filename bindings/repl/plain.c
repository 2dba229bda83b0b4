/*
 * plain: lines as the terminal driver gives them, for builds without libedit, for TERM=dumb, and
 * where the output is no terminal. The driver knows erase and kill; there is no history.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "line_reader.h"

struct plain {
    struct lc_line_reader reader;
    char *text;
    size_t size;
    size_t capacity;
    char *prompt;
};

static struct plain *plain_of(struct lc_line_reader *reader)
{
    return (struct plain *)reader;
}

static void plain_show(struct lc_line_reader *reader)
{
    const char *prompt = plain_of(reader)->prompt;

    if (prompt != NULL)
        (void)!write(isatty(STDOUT_FILENO) ? STDOUT_FILENO : STDERR_FILENO, prompt, strlen(prompt));
}

static void plain_begin(struct lc_line_reader *reader, const char *prompt)
{
    struct plain *plain = plain_of(reader);

    plain->size = 0;
    free(plain->prompt);
    plain->prompt = strdup(prompt);
    plain_show(reader);
}

/* False: no memory. */
static bool append(struct plain *plain, char byte)
{
    if (plain->size + 1 >= plain->capacity) {
        size_t capacity = plain->capacity == 0 ? 256 : plain->capacity * 2;
        char *text = realloc(plain->text, capacity);

        if (text == NULL)
            return false;
        plain->text = text;
        plain->capacity = capacity;
    }
    plain->text[plain->size++] = byte;
    return true;
}

static enum lc_line_event plain_feed(struct lc_line_reader *reader)
{
    struct plain *plain = plain_of(reader);
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    char byte;

    while (poll(&input, 1, 0) == 1) {
        ssize_t n = read(STDIN_FILENO, &byte, 1);

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            return LC_LINE_MORE;
        if (n <= 0 || !append(plain, byte))
            return plain->size > 0 ? LC_LINE_DONE : LC_LINE_END;
        if (byte == '\n') {
            plain->size--;
            return LC_LINE_DONE;
        }
    }
    return LC_LINE_MORE;
}

static const char *plain_text(struct lc_line_reader *reader, size_t *size)
{
    *size = plain_of(reader)->size;
    return plain_of(reader)->text != NULL ? plain_of(reader)->text : "";
}

/* The driver has what was typed: nothing can be added to it. */
static void plain_insert(struct lc_line_reader *reader, const char *text)
{
    (void)reader;
    (void)text;
}

static void plain_hide(struct lc_line_reader *reader)
{
    (void)reader;
    (void)!write(STDERR_FILENO, "\n", 1);
}

static void plain_renew(struct lc_line_reader *reader)
{
    (void)reader;
}

static void plain_end(struct lc_line_reader *reader, bool leave)
{
    if (leave)
        plain_hide(reader);
}

static void plain_add_history(struct lc_line_reader *reader, const char *line)
{
    (void)reader;
    (void)line;
}

static void plain_free(struct lc_line_reader *reader)
{
    struct plain *plain = plain_of(reader);

    free(plain->text);
    free(plain->prompt);
    free(plain);
}

static const struct lc_line_reader_type plain_type = {
    .begin = plain_begin,
    .feed = plain_feed,
    .text = plain_text,
    .insert = plain_insert,
    .hide = plain_hide,
    .show = plain_show,
    .renew = plain_renew,
    .end = plain_end,
    .add_history = plain_add_history,
    .free = plain_free,
};

struct lc_line_reader *lc_plain_new(void)
{
    struct plain *plain = calloc(1, sizeof *plain);

    if (plain == NULL)
        return NULL;
    plain->reader.type = &plain_type;
    return &plain->reader;
}

#ifndef LC_HAVE_LIBEDIT
struct lc_line_reader *lc_editor_new(void)
{
    return NULL;
}
#endif
