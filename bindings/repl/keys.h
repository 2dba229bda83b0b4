/*
 * keys: bytes from a terminal as keys: characters of UTF-8 and escape sequences, each only when it
 * is complete, so that who handles a key never has to wait for the rest of it.
 */
#ifndef LC_KEYS_H
#define LC_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

#define LC_KEY_MAX 16

struct lc_keys {
    unsigned char bytes[LC_KEY_MAX]; /* what came of a key so far */
    size_t count;
};

/* Adds a byte. Returns how many characters the key has that it completes, which are in `key`; 0:
 * more bytes are needed, or the key is none that is known. */
size_t lc_keys_add(struct lc_keys *keys, unsigned char byte, wchar_t key[LC_KEY_MAX]);

#endif
