/*
 * editor: lines edited with libedit, one key at a time (its unbuffered mode).
 * The bytes are read here and passed on as whole keys: libedit, which waits for the rest of a key, never
 * finds one incomplete. It has a locale of its own in UTF-8: the process's stays "C", which numbers in
 * Lua depend on.
 * Invariant: outside of begin..end the terminal is in the mode in which it was found.
 */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "keys.h"
#include "layout.h"
#include "libedit.h"
#include "line_reader.h"

#define HISTORY_LENGTH 1000
#define CONTROL_D      0x04
#define TAB            0x09

/* The functions of the one libedit; set before the first editor is made. */
static const struct lc_libedit *lib;

struct editor {
    struct lc_line_reader reader;
    EditLine *el;
    History *history;
    FILE *output; /* the terminal itself, whatever stdout is */
    locale_t locale;
    int columns; /* for which libedit has laid out the line */
    char *prompt;
    char *text; /* of the last event */
    size_t size;
    struct lc_keys keys;
    wchar_t key[LC_KEY_MAX]; /* for libedit to fetch */
    size_t key_size;
    size_t key_taken;
};

static struct editor *editor_of(struct lc_line_reader *reader)
{
    return (struct editor *)reader;
}

/* libedit fetches a character. Beyond the key at hand only commands ask that read on by themselves,
 * as a user's ~/.editrc may bind them: they wait. */
static int get_character(EditLine *el, wchar_t *character)
{
    struct editor *editor;
    unsigned char byte;

    lib->el_get(el, EL_CLIENTDATA, &editor);
    while (editor->key_taken == editor->key_size) {
        if (read(STDIN_FILENO, &byte, 1) != 1)
            return -1;
        editor->key_taken = 0;
        editor->key_size = lc_keys_add(&editor->keys, byte, editor->key);
    }
    *character = editor->key[editor->key_taken++];
    return 1;
}

/* The command of libedit that Tab is bound to: draws what was added to the line. Tab itself comes here
 * only when there is something to draw. */
static unsigned char draw_line(EditLine *el, wint_t character)
{
    (void)el;
    (void)character;
    return CC_REFRESH;
}

static char *get_prompt(EditLine *el)
{
    struct editor *editor;
    static char none[] = "";

    lib->el_get(el, EL_CLIENTDATA, &editor);
    return editor->prompt != NULL ? editor->prompt : none;
}

static int columns_now(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

/* The row of that place in the line, counted from the one where the prompt starts. */
static int row_of(struct editor *editor, const wchar_t *end)
{
    return lc_layout_row(columns_now(), get_prompt(editor->el), lib->el_wline(editor->el)->buffer,
                         end);
}

/* ---- the line ---- */

static void editor_begin(struct lc_line_reader *reader, const char *prompt)
{
    struct editor *editor = editor_of(reader);
    locale_t outer = uselocale(editor->locale);

    free(editor->prompt);
    editor->prompt = strdup(prompt);
    editor->keys.count = 0;
    editor->columns = columns_now();
    lib->el_set(editor->el, EL_UNBUFFERED, 1);
    uselocale(outer);
}

static void put_utf8(char **at, wchar_t character)
{
    unsigned code = (unsigned)character;
    char *out = *at;

    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    *at = out;
}

/* Keeps the line from its start to `end` as the text of an event. */
static enum lc_line_event report(struct editor *editor, enum lc_line_event event,
                                 const wchar_t *start, const wchar_t *end)
{
    char *text = realloc(editor->text, (size_t)(end - start) * 4 + 1), *at = text;

    if (text == NULL) {
        editor->size = 0;
        return event;
    }
    for (; start < end; start++)
        put_utf8(&at, *start);
    editor->text = text;
    editor->size = (size_t)(at - text);
    return event;
}

static const char *editor_text(struct lc_line_reader *reader, size_t *size)
{
    *size = editor_of(reader)->size;
    return editor_of(reader)->text != NULL ? editor_of(reader)->text : "";
}

/* Adds text at the cursor. */
static enum lc_line_event insert_text(struct editor *editor, const char *text)
{
    int count;

    if (lib->el_insertstr(editor->el, text) == 0) {
        editor->key[0] = TAB;
        editor->key_taken = 0;
        editor->key_size = 1;
        lib->el_wgets(editor->el, &count);
        editor->key_taken = editor->key_size = 0;
    }
    return LC_LINE_MORE;
}

static void editor_insert(struct lc_line_reader *reader, const char *text)
{
    locale_t outer = uselocale(editor_of(reader)->locale);

    insert_text(editor_of(reader), text);
    uselocale(outer);
}

/* Up to the prompt's row, to its start, and clear from there (ECMA-48: CUU, ED). */
static void clear_line(struct editor *editor)
{
    int row = row_of(editor, lib->el_wline(editor->el)->cursor);

    if (row > 0)
        fprintf(editor->output, "\033[%dA", row);
    fputs("\r\033[J", editor->output);
    fflush(editor->output);
}

static void draw_all(struct editor *editor)
{
    if (editor->columns != columns_now()) {
        editor->columns = columns_now();
        lib->el_resize(editor->el);
    }
    lib->el_set(editor->el, EL_REFRESH);
}

static void editor_hide(struct lc_line_reader *reader)
{
    locale_t outer = uselocale(editor_of(reader)->locale);

    clear_line(editor_of(reader));
    uselocale(outer);
}

static void editor_show(struct lc_line_reader *reader)
{
    locale_t outer = uselocale(editor_of(reader)->locale);

    draw_all(editor_of(reader));
    uselocale(outer);
}

static void editor_renew(struct lc_line_reader *reader)
{
    struct editor *editor = editor_of(reader);
    struct termios mode;
    locale_t outer;

    if (tcgetattr(STDIN_FILENO, &mode) != 0 || !(mode.c_lflag & ICANON))
        return;
    outer = uselocale(editor->locale);
    lib->el_set(editor->el, EL_PREP_TERM, 0);
    lib->el_set(editor->el, EL_PREP_TERM, 1);
    draw_all(editor);
    uselocale(outer);
}

/* Whether more follows at once: text that was pasted, in which a tab is a tab. */
static bool is_pasted(void)
{
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};

    return poll(&input, 1, 0) == 1;
}

/* Lets libedit act upon the key at hand. */
static enum lc_line_event use_key(struct editor *editor)
{
    const LineInfoW *line = lib->el_wline(editor->el);

    if (editor->key_size == 1 && editor->key[0] == TAB && is_pasted())
        return insert_text(editor, "\t");
    if (editor->key_size == 1 && editor->key[0] == TAB)
        return report(editor, LC_LINE_COMPLETE, line->buffer, line->cursor);
    if (editor->key_size == 1 && editor->key[0] == CONTROL_D && line->buffer == line->lastchar)
        return LC_LINE_END;
    while (editor->key_taken < editor->key_size) {
        int count = 0;

        if (lib->el_wgets(editor->el, &count) == NULL && count <= 0 && errno == EINTR)
            return LC_LINE_MORE;
        line = lib->el_wline(editor->el);
        if (line->lastchar > line->buffer && line->lastchar[-1] == '\n')
            return report(editor, LC_LINE_DONE, line->buffer, line->lastchar - 1);
    }
    return LC_LINE_MORE;
}

static enum lc_line_event editor_feed(struct lc_line_reader *reader)
{
    struct editor *editor = editor_of(reader);
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    enum lc_line_event event = LC_LINE_MORE;
    locale_t outer = uselocale(editor->locale);

    while (event == LC_LINE_MORE && poll(&input, 1, 0) == 1) {
        unsigned char byte;
        ssize_t n = read(STDIN_FILENO, &byte, 1);

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            break;
        if (n <= 0) {
            event = LC_LINE_END;
            break;
        }
        editor->key_taken = 0;
        editor->key_size = lc_keys_add(&editor->keys, byte, editor->key);
        if (editor->key_size > 0 && editor->columns != columns_now()) {
            /* terminals lay out their text anew when their size changes */
            clear_line(editor);
            draw_all(editor);
        }
        if (editor->key_size > 0)
            event = use_key(editor);
        editor->key_taken = editor->key_size = 0;
    }
    uselocale(outer);
    return event;
}

static void editor_end(struct lc_line_reader *reader, bool leave)
{
    struct editor *editor = editor_of(reader);
    locale_t outer = uselocale(editor->locale);

    if (leave) {
        const LineInfoW *line = lib->el_wline(editor->el);
        int rows = row_of(editor, line->lastchar) - row_of(editor, line->cursor);

        for (; rows >= 0; rows--)
            fputc('\n', editor->output);
        fflush(editor->output);
    }
    lib->el_set(editor->el, EL_UNBUFFERED, 0);
    uselocale(outer);
}

static void editor_add_history(struct lc_line_reader *reader, const char *line)
{
    struct editor *editor = editor_of(reader);
    locale_t outer = uselocale(editor->locale);
    HistEvent event;

    lib->history(editor->history, &event, H_ENTER, line);
    uselocale(outer);
}

static void editor_free(struct lc_line_reader *reader)
{
    struct editor *editor = editor_of(reader);
    locale_t outer = uselocale(editor->locale);

    if (editor->el != NULL)
        lib->el_end(editor->el);
    if (editor->history != NULL)
        lib->history_end(editor->history);
    if (editor->output != NULL)
        fclose(editor->output);
    uselocale(outer);
    if (editor->locale != (locale_t)0)
        freelocale(editor->locale);
    free(editor->prompt);
    free(editor->text);
    free(editor);
}

static const struct lc_line_reader_type editor_type = {
    .begin = editor_begin,
    .feed = editor_feed,
    .text = editor_text,
    .insert = editor_insert,
    .hide = editor_hide,
    .show = editor_show,
    .renew = editor_renew,
    .end = editor_end,
    .add_history = editor_add_history,
    .free = editor_free,
};

/* ---- setting up ---- */

/* The user's locale if it is in UTF-8, else one that is. */
static locale_t new_locale(void)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);

    if (locale != (locale_t)0 && strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0)
        return locale;
    if (locale != (locale_t)0)
        freelocale(locale);
    locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return locale != (locale_t)0 ? locale : newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
}

static void bind_keys(EditLine *el)
{
    static const char *const bindings[][2] = {
        {"^D", "ed-delete-next-char"},
        /* without libedit's own search, which would hold the loop: what starts like the line */
        {"^R", "ed-search-prev-history"},
        {"\\e[1~", "ed-move-to-beg"},
        {"\\e[7~", "ed-move-to-beg"},
        {"\\e[3~", "ed-delete-next-char"},
        {"\\e[4~", "ed-move-to-end"},
        {"\\e[8~", "ed-move-to-end"},
        {"\\e[1;5C", "em-next-word"},
        {"\\e[1;5D", "ed-prev-word"},
    };

    for (size_t i = 0; i < sizeof bindings / sizeof bindings[0]; i++)
        lib->el_set(el, EL_BIND, bindings[i][0], bindings[i][1], NULL);
}

/* False: no memory, or no terminal that libedit can serve. */
static bool set_up(struct editor *editor)
{
    int output = dup(STDOUT_FILENO);
    HistEvent event;

    if (output < 0)
        return false;
    editor->output = fdopen(output, "w");
    if (editor->output == NULL) {
        close(output);
        return false;
    }
    editor->history = lib->history_init();
    editor->el = lib->el_init("lucio", stdin, editor->output, stderr);
    if (editor->history == NULL || editor->el == NULL)
        return false;
    lib->history(editor->history, &event, H_SETSIZE, HISTORY_LENGTH);
    lib->history(editor->history, &event, H_SETUNIQUE, 1);
    lib->el_set(editor->el, EL_CLIENTDATA, editor);
    lib->el_set(editor->el, EL_EDITOR, "emacs");
    lib->el_set(editor->el, EL_SIGNAL, 0);
    lib->el_set(editor->el, EL_HIST, lib->history, editor->history);
    lib->el_set(editor->el, EL_PROMPT, get_prompt);
    lib->el_wset(editor->el, EL_ADDFN, L"lucio-draw", L"shows the line", draw_line);
    bind_keys(editor->el);
    lib->el_source(editor->el, NULL);
    lib->el_set(editor->el, EL_BIND, "^I", "lucio-draw", NULL);
    lib->el_wset(editor->el, EL_GETCFN, get_character);
    return true;
}

struct lc_line_reader *lc_editor_new(void)
{
    const char *terminal = getenv("TERM");
    struct editor *editor;
    locale_t outer;
    bool ready;

    if (terminal == NULL || terminal[0] == '\0' || strcmp(terminal, "dumb") == 0)
        return NULL;
    lib = lc_libedit_load();
    editor = lib != NULL ? calloc(1, sizeof *editor) : NULL;
    if (editor == NULL)
        return NULL;
    editor->reader.type = &editor_type;
    editor->locale = new_locale();
    if (editor->locale == (locale_t)0) {
        free(editor);
        return NULL;
    }
    outer = uselocale(editor->locale);
    ready = set_up(editor);
    uselocale(outer);
    if (ready)
        return &editor->reader;
    editor_free(&editor->reader);
    return NULL;
}
