/* Tests of host/slabs.c: blocks keep their bytes and never overlap, memory is used again for other
 * sizes, and a process that shrinks gives some back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "slabs.h"

#define BLOCKS 4000
#define ROUNDS 200000

struct block {
    unsigned char *bytes;
    size_t size;
    unsigned char mark;
};

static struct block blocks[BLOCKS];
static uint64_t seed;

/* A number below n; the same ones in every run. */
static size_t below(size_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(seed >> 33) % n;
}

static void check_bytes(const struct block *block, size_t size)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(block->bytes[i], block->mark);
}

static void resize(struct lc_slabs *slabs, struct block *block, size_t size)
{
    size_t kept = block->size < size ? block->size : size;

    /* for a new block, Lua gives the kind of its object in place of a size */
    block->bytes =
        lc_slabs_realloc(slabs, block->bytes, block->bytes != NULL ? block->size : 5, size);
    if (size == 0) {
        assert_null(block->bytes);
    } else {
        assert_non_null(block->bytes);
        assert_int_equal((uintptr_t)block->bytes % 8, 0);
        check_bytes(block, kept);
        block->mark = (unsigned char)below(256);
        memset(block->bytes, block->mark, size);
    }
    block->size = size;
}

static void test_blocks_keep_their_bytes(void **state)
{
    struct lc_slabs *slabs = lc_slabs_new();

    (void)state;
    assert_non_null(slabs);
    memset(blocks, 0, sizeof blocks);
    for (int i = 0; i < ROUNDS; i++) {
        struct block *block = &blocks[below(BLOCKS)];
        static const size_t limits[] = {1, 64, 300, 1100, 5000};
        size_t limit = limits[below(sizeof limits / sizeof limits[0])];

        check_bytes(block, block->size);
        resize(slabs, block, below(limit));
    }
    for (int i = 0; i < BLOCKS; i++) {
        check_bytes(&blocks[i], blocks[i].size);
        resize(slabs, &blocks[i], 0);
    }
    lc_slabs_free(slabs);
}

static void test_nothing_becomes_nothing(void **state)
{
    struct lc_slabs *slabs = lc_slabs_new();

    (void)state;
    assert_null(lc_slabs_realloc(slabs, NULL, 0, 0));
    lc_slabs_free(slabs);
    lc_slabs_free(NULL);
}

/* Resident kilobytes of the process. */
static long resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size = 0, pages = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &size, &pages), 2);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

#define MANY 400000

static void fill(struct lc_slabs *slabs, void **list, size_t size)
{
    for (size_t i = 0; i < MANY; i++) {
        list[i] = lc_slabs_realloc(slabs, NULL, 0, size);
        assert_non_null(list[i]);
        memset(list[i], 1, size);
    }
}

static void empty(struct lc_slabs *slabs, void **list, size_t size)
{
    for (size_t i = 0; i < MANY; i++)
        lc_slabs_realloc(slabs, list[i], size, 0);
}

static void test_emptied_slabs_serve_other_sizes(void **state)
{
    static void *list[MANY];
    struct lc_slabs *slabs = lc_slabs_new();
    long before, once;

    (void)state;
    memset(list, 1, sizeof list);
    before = resident();
    fill(slabs, list, 128); /* 50 MB */
    once = resident();
    assert_true(once - before > 45000);
    empty(slabs, list, 128);
    assert_true(resident() - before < 20000);
    fill(slabs, list, 96);
    assert_true(resident() - before < 45000);
    empty(slabs, list, 96);
    lc_slabs_free(slabs);
    assert_true(resident() - before < 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_keep_their_bytes),
        cmocka_unit_test(test_nothing_becomes_nothing),
        cmocka_unit_test(test_emptied_slabs_serve_other_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
