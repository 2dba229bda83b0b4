/*
 * words: how often each word stands in a text: a hash table over its bytes, without a Lua string for each.
 * Invariant: a word is looked for in LC_WORDS_PROBES slots and nowhere else, so that no text makes it slow;
 *            one that finds none of them free, or the table half full, is left to the caller.
 * Owner:     the caller has the memory of the slots, and the text, which slots of long words point into.
 * Context:   no Lua state, no allocation.
 */
#ifndef LC_WORDS_H
#define LC_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LC_WORDS_PROBES 16

struct lc_word {
    /* up to LC_WORD_INLINE bytes and zeros behind them; of a longer word its address and its hash */
    uint64_t key[2];
    uint64_t length;
    uint64_t count; /* 0: the slot is free */
};

#define LC_WORD_INLINE 16

/* All zeros: it has no slots. */
struct lc_words {
    struct lc_word *slots;
    unsigned bits; /* 2^bits slots and LC_WORDS_PROBES more; 0: none */
    size_t used, room;
    uint64_t seed[2];
};

/* The text and how far it was read. Words are the runs of those characters that `has` has. */
struct lc_words_text {
    const unsigned char *at, *end;
    const bool *has;
    /* the word that was left to the caller */
    const unsigned char *word;
    size_t length;
};

/* The bytes that 2^bits slots take. */
size_t lc_words_size(unsigned bits);

/* Gives it other slots, of that size, and forgets all words. */
void lc_words_use(struct lc_words *words, void *slots, unsigned bits);

/* Forgets all words. */
void lc_words_clear(struct lc_words *words);

/* Counts the words that begin before `limit`. False: one of them is left to the caller, the text goes on behind
 * it. */
bool lc_words_count(struct lc_words *words, struct lc_words_text *text, const unsigned char *limit);

/* The next slot in use from the place *at on, which begins at 0; NULL: there is none. */
const struct lc_word *lc_words_next(const struct lc_words *words, size_t *at);

/* The bytes of a word. */
static inline const char *lc_word_bytes(const struct lc_word *word)
{
    return word->length > LC_WORD_INLINE ? (const char *)(uintptr_t)word->key[0]
                                         : (const char *)word->key;
}

#endif
