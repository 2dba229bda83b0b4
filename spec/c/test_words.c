/* Tests of bindings/counter/words.h: what is counted in the slots, and what is left to the caller. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "words.h"

static bool has[256];

static struct lc_words_text text_of(const char *text)
{
    struct lc_words_text begin = {.at = (const unsigned char *)text, .has = has};

    for (int c = 0; c < 256; c++)
        has[c] = c != ' ';
    begin.end = begin.at + strlen(text);
    return begin;
}

static uint64_t count_of(const struct lc_words *words, const char *word)
{
    const struct lc_word *found;
    size_t at = 0;

    while ((found = lc_words_next(words, &at)) != NULL) {
        if (found->length == strlen(word) && memcmp(lc_word_bytes(found), word, found->length) == 0)
            return found->count;
    }
    return 0;
}

static void words_are_counted_by_their_bytes(void **state)
{
    char *string = strdup("a b a sixteen-bytes-..b seventeen-bytes-.b a seventeen-bytes-.b "
                          "seventeen-bytes-.c sixteen-bytes-..b");
    struct lc_words_text text = text_of(string);
    struct lc_words words = {.bits = 0};
    void *slots = malloc(lc_words_size(6));

    (void)state;
    lc_words_use(&words, slots, 6);
    assert_true(lc_words_count(&words, &text, text.end));
    assert_ptr_equal(text.at, text.end);
    assert_int_equal(words.used, 5);
    assert_int_equal(count_of(&words, "a"), 3);
    assert_int_equal(count_of(&words, "b"), 1);
    assert_int_equal(count_of(&words, "sixteen-bytes-..b"), 2);
    assert_int_equal(count_of(&words, "seventeen-bytes-.b"), 2);
    assert_int_equal(count_of(&words, "seventeen-bytes-.c"), 1);
    lc_words_clear(&words);
    assert_int_equal(count_of(&words, "a"), 0);
    free(slots);
    free(string);
}

static void without_slots_each_word_is_left_to_the_caller(void **state)
{
    struct lc_words_text text = text_of(" one two ");
    struct lc_words words = {.bits = 0};
    size_t at = 0;

    (void)state;
    assert_false(lc_words_count(&words, &text, text.end));
    assert_memory_equal(text.word, "one", 3);
    assert_int_equal(text.length, 3);
    assert_false(lc_words_count(&words, &text, text.end));
    assert_memory_equal(text.word, "two", 3);
    assert_true(lc_words_count(&words, &text, text.end));
    assert_null(lc_words_next(&words, &at));
}

static void a_word_that_begins_before_the_limit_is_read_to_its_end(void **state)
{
    struct lc_words_text text = text_of("one twenty three");
    struct lc_words words = {.bits = 0};
    void *slots = malloc(lc_words_size(6));

    (void)state;
    lc_words_use(&words, slots, 6);
    assert_true(lc_words_count(&words, &text, text.at + 5));
    assert_memory_equal(text.at, " three", 6);
    assert_int_equal(count_of(&words, "twenty"), 1);
    assert_int_equal(words.used, 2);
    free(slots);
}

/* What it has goes on being counted when it takes nothing new. */
static void a_full_table_leaves_new_words_to_the_caller(void **state)
{
    char string[1000], *end = string;
    struct lc_words words = {.bits = 0};
    void *slots = malloc(lc_words_size(6));
    struct lc_words_text text;
    uint64_t counted = 0;
    const struct lc_word *word;
    size_t at = 0, left = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        end += sprintf(end, "w%d ", i);
    for (int i = 0; i < 10; i++)
        end += sprintf(end, "w0 ");
    text = text_of(string);
    lc_words_use(&words, slots, 6);
    while (!lc_words_count(&words, &text, text.end))
        left++;
    assert_true(words.used <= words.room);
    assert_int_equal(count_of(&words, "w0"), 11);
    while ((word = lc_words_next(&words, &at)) != NULL)
        counted += word->count;
    assert_int_equal(counted + left, 110);
    assert_true(left >= 100 - words.room);
    free(slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_counted_by_their_bytes),
        cmocka_unit_test(without_slots_each_word_is_left_to_the_caller),
        cmocka_unit_test(a_word_that_begins_before_the_limit_is_read_to_its_end),
        cmocka_unit_test(a_full_table_leaves_new_words_to_the_caller),
    };

    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
