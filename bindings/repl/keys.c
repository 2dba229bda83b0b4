#include "keys.h"

#include <string.h>

#define ESCAPE 0x1b

/* What follows ESC [ or ESC O in the keys that are passed on: arrows, Home, End, Delete, and the
 * arrows with Control. */
static const char *const known[] = {"A",  "B",  "C",  "D",  "H",    "F",   "1~",
                                    "3~", "4~", "7~", "8~", "1;5C", "1;5D"};

static bool is_known(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i]) == count && memcmp(known[i], bytes, count) == 0)
            return true;
    }
    return false;
}

static size_t take_bytes(struct lc_keys *keys, wchar_t *key)
{
    size_t count = keys->count;

    for (size_t i = 0; i < count; i++)
        key[i] = keys->bytes[i];
    keys->count = 0;
    return count;
}

/* The bytes so far start with ESC. */
static size_t add_to_escape(struct lc_keys *keys, wchar_t *key)
{
    unsigned char last = keys->bytes[keys->count - 1];

    if (keys->count == 1)
        return 0;
    if (keys->count == 2) {
        if (last == ESCAPE)
            keys->count = 1;
        else if (last != '[' && last != 'O')
            return take_bytes(keys, key);
        return 0;
    }
    /* a control sequence ends with a byte from @ to ~ (ECMA-48, 5.4) */
    if (last < 0x40 || last > 0x7e) {
        if (keys->count == LC_KEY_MAX || last < 0x20)
            keys->count = 0;
        return 0;
    }
    if (is_known(keys->bytes + 2, keys->count - 2))
        return take_bytes(keys, key);
    keys->count = 0;
    return 0;
}

/* How many bytes the character has that starts with this one; 0: none does. */
static size_t length_of(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

static size_t put_character(struct lc_keys *keys, wchar_t *key, wchar_t character)
{
    keys->count = 0;
    key[0] = character;
    return 1;
}

size_t lc_keys_add(struct lc_keys *keys, unsigned char byte, wchar_t key[LC_KEY_MAX])
{
    unsigned char *bytes = keys->bytes;
    size_t length;
    wchar_t character;

    bytes[keys->count++] = byte;
    if (bytes[0] == ESCAPE)
        return add_to_escape(keys, key);
    length = length_of(bytes[0]);
    if (length == 0 || (keys->count > 1 && (byte & 0xc0) != 0x80))
        return put_character(keys, key, 0xfffd);
    if (keys->count < length)
        return 0;
    character = length == 1 ? bytes[0] : bytes[0] & (0x7f >> length);
    for (size_t i = 1; i < length; i++)
        character = character << 6 | (bytes[i] & 0x3f);
    if ((length == 3 && character < 0x800) || (length == 4 && character < 0x10000) ||
        (character >= 0xd800 && character < 0xe000) || character > 0x10ffff)
        character = 0xfffd;
    return put_character(keys, key, character);
}
