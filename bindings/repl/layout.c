#include "layout.h"

#include <string.h>
#include <wctype.h>

struct place {
    int columns; /* of the screen */
    int row;
    int column;
};

static void place_move(struct place *place, int width)
{
    if (place->column + width > place->columns) {
        place->row++;
        place->column = 0;
    }
    place->column += width;
    if (place->column >= place->columns) {
        place->row++;
        place->column = 0;
    }
}

/* Follows libedit's way to show a character. */
static void place_add(struct place *place, wchar_t character)
{
    if (character == '\n') {
        place->row++;
        place->column = 0;
    } else if (character == '\t') {
        do
            place_move(place, 1);
        while (place->column % 8 != 0);
    } else if (iswcntrl((wint_t)character)) {
        place_move(place, 1);
        place_move(place, 1);
    } else if (!iswprint((wint_t)character)) {
        /* as \U+ABCD or \U+ABCDE */
        for (int i = 0; i < (character > 0xffff ? 8 : 7); i++)
            place_move(place, 1);
    } else {
        place_move(place, wcwidth(character));
    }
}

int lc_layout_row(int columns, const char *prompt, const wchar_t *start, const wchar_t *end)
{
    struct place place = {columns, 0, 0};
    mbstate_t state = {0};

    while (*prompt != '\0') {
        wchar_t character;
        size_t n = mbrtowc(&character, prompt, strlen(prompt), &state);

        if (n == 0 || n > strlen(prompt))
            break;
        place_add(&place, character);
        prompt += n;
    }
    for (; start < end; start++)
        place_add(&place, *start);
    return place.row;
}
