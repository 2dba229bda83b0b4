/*
 * text: a text that grows, in a userdata on the stack, since its owner may be suspended between two
 * pieces.
 * Owner:   the stack of a call. The variant keeps one, as LC_UP_OWN, for its next call; one that an error
 *          has left busy is the collector's as soon as there is another.
 * Context: called by functions with the upvalues of lc_standard_replace.
 */
#ifndef LC_TEXT_H
#define LC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <lua.h>

/* Begins a struct of `head` bytes; the text follows that. */
struct lc_text {
    size_t head;
    bool is_busy, is_kept;
    size_t size, capacity; /* of the text */
};

/* Pushes an empty text. One function has always the same head, the rest of which is left as it is.
 * [-0, +1, m] */
void *lc_text_push(lua_State *L, size_t head);

/* Makes room for `size` more bytes; the text at `slot` may move. [-0, +0, v] */
struct lc_text *lc_text_grow(lua_State *L, int slot, struct lc_text *text, size_t size);

/* The same and adds them. [-0, +0, v] */
static inline struct lc_text *lc_text_add(lua_State *L, int slot, struct lc_text *text,
                                          const char *bytes, size_t size)
{
    if (size > text->capacity - text->size)
        text = lc_text_grow(L, slot, text, size);
    memcpy((char *)text + text->head + text->size, bytes, size);
    text->size += size;
    return text;
}

/* Pushes it as a string; the userdata may serve again. [-0, +1, m] */
void lc_text_end(lua_State *L, int slot, struct lc_text *text);

#endif
