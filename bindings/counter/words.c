#include "words.h"

#include <string.h>
#include <sys/random.h>

/* Odd numbers without a pattern. */
#define FACTOR_1 0x9e3779b97f4a7c15U
#define FACTOR_2 0xd6e8feb86659fd93U

static size_t slot_count(unsigned bits)
{
    return bits > 0 ? ((size_t)1 << bits) + LC_WORDS_PROBES : 0;
}

size_t lc_words_size(unsigned bits)
{
    return slot_count(bits) * sizeof(struct lc_word);
}

/* ---- keys ---- */

static uint64_t mix(uint64_t hash, uint64_t block, uint64_t factor)
{
    hash = (hash ^ block) * factor;
    return hash ^ hash >> 32;
}

static uint64_t hash_key(const struct lc_words *words, const uint64_t key[2])
{
    return mix(mix(words->seed[0], key[0], FACTOR_1), key[1] ^ words->seed[1], FACTOR_2) * FACTOR_1;
}

/* The hash of a word of more than eight bytes. */
static uint64_t hash_bytes(const struct lc_words *words, const unsigned char *word, size_t length)
{
    uint64_t hash = words->seed[0] ^ length, block;

    for (size_t i = 0; i + sizeof block < length; i += sizeof block) {
        memcpy(&block, word + i, sizeof block);
        hash = mix(hash, block, FACTOR_1);
    }
    memcpy(&block, word + length - sizeof block, sizeof block);
    return mix(hash, block ^ words->seed[1], FACTOR_2);
}

/* The key of a short word; `end` is that of the text. */
static inline void load_short(uint64_t key[2], const unsigned char *word, size_t length,
                              const unsigned char *end)
{
    static const unsigned char masks[2 * LC_WORD_INLINE] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                            255, 255, 255, 255, 255, 255, 255, 255};
    uint64_t mask[2];

    if (end - word < LC_WORD_INLINE) {
        key[0] = key[1] = 0;
        memcpy(key, word, length);
        return;
    }
    memcpy(mask, masks + LC_WORD_INLINE - length, sizeof mask);
    memcpy(key, word, sizeof mask);
    key[0] &= mask[0];
    key[1] &= mask[1];
}

/* ---- slots ---- */

static size_t slot_of(const struct lc_words *words, const uint64_t key[2], size_t length)
{
    uint64_t hash = length > LC_WORD_INLINE ? key[1] * FACTOR_1 : hash_key(words, key);

    return (size_t)(hash >> (64 - words->bits));
}

static inline bool is_word(const struct lc_word *slot, const uint64_t key[2], size_t length)
{
    if (slot->key[1] != key[1] || slot->length != length)
        return false;
    return slot->key[0] == key[0] ||
           (length > LC_WORD_INLINE && memcmp((const void *)(uintptr_t)slot->key[0],
                                              (const void *)(uintptr_t)key[0], length) == 0);
}

/* Counts a word once more; false: it is not there and has no place. */
static inline bool add(struct lc_words *words, const uint64_t key[2], size_t length)
{
    struct lc_word *slot = words->slots + slot_of(words, key, length);

    for (int i = 0; i < LC_WORDS_PROBES; i++, slot++) {
        if (slot->count == 0) {
            if (words->used == words->room)
                return false;
            words->used++;
            *slot = (struct lc_word){{key[0], key[1]}, length, 1};
            return true;
        }
        if (is_word(slot, key, length)) {
            slot->count++;
            return true;
        }
    }
    return false;
}

const struct lc_word *lc_words_next(const struct lc_words *words, size_t *at)
{
    while (*at < slot_count(words->bits)) {
        const struct lc_word *slot = &words->slots[(*at)++];

        if (slot->count > 0)
            return slot;
    }
    return NULL;
}

void lc_words_use(struct lc_words *words, void *slots, unsigned bits)
{
    /* without it the table is as good, for texts that nobody has made for it */
    if (words->bits == 0 && getrandom(words->seed, sizeof words->seed, GRND_NONBLOCK) < 0)
        words->seed[0] = (uintptr_t)slots;
    words->slots = slots;
    words->bits = bits;
    words->room = (size_t)1 << (bits - 1);
    lc_words_clear(words);
}

void lc_words_clear(struct lc_words *words)
{
    memset(words->slots, 0, lc_words_size(words->bits));
    words->used = 0;
}

/* ---- the text ---- */

bool lc_words_count(struct lc_words *words, struct lc_words_text *text, const unsigned char *limit)
{
    const unsigned char *at = text->at, *end = text->end, *word;
    const bool *has = text->has;
    uint64_t key[2];
    size_t length;

    for (;;) {
        while (at < limit && !has[*at])
            at++;
        if (at >= limit)
            break;
        word = at;
        do {
            at++;
        } while (at < end && has[*at]);
        length = (size_t)(at - word);
        if (length <= LC_WORD_INLINE) {
            load_short(key, word, length, end);
        } else {
            key[0] = (uintptr_t)word;
            key[1] = hash_bytes(words, word, length);
        }
        if (words->bits == 0 || !add(words, key, length)) {
            text->at = at;
            text->word = word;
            text->length = length;
            return false;
        }
    }
    text->at = at;
    return true;
}
