/* Tests of host/spin.h: when a wait is one to look first, by what the tries before have come to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "spin.h"

static const struct lc_spin_type type = {50000, 63, 4};

/* As on a machine with several processors. */
static void spin_start(struct lc_spin *spin)
{
    lc_spin_init(spin, &type);
    spin->counted = true;
}

/* Waits that are left out before the next try. */
static unsigned count_rest(struct lc_spin *spin)
{
    unsigned count = 0;

    while (!lc_spin_wants(spin))
        count++;
    return count;
}

static void tries_each_wait_as_long_as_it_helps(void **state)
{
    struct lc_spin spin;

    (void)state;
    spin_start(&spin);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(count_rest(&spin), 0);
        lc_spin_learn(&spin, true, 1000);
    }
}

static void leaves_out_more_waits_each_time_it_does_not(void **state)
{
    static const unsigned rests[] = {0, 1, 3, 7, 15, 31, 63, 63, 63};
    struct lc_spin spin;

    (void)state;
    spin_start(&spin);
    for (size_t i = 0; i < sizeof rests / sizeof rests[0]; i++) {
        assert_int_equal(count_rest(&spin), rests[i]);
        lc_spin_learn(&spin, false, 50000);
    }
}

static void comes_back_when_it_helps_again(void **state)
{
    struct lc_spin spin;

    (void)state;
    spin_start(&spin);
    for (int i = 0; i < 10; i++)
        lc_spin_learn(&spin, false, 50000);
    assert_int_equal(count_rest(&spin), 63);
    for (int i = 0; i < 4; i++)
        lc_spin_learn(&spin, true, 1000);
    assert_int_equal(count_rest(&spin), 0);
    lc_spin_learn(&spin, false, 50000);
    assert_int_equal(count_rest(&spin), 1);
}

static void takes_late_help_for_none_after_some(void **state)
{
    struct lc_spin spin;

    (void)state;
    spin_start(&spin);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(count_rest(&spin), 0);
        lc_spin_learn(&spin, true, 30000);
    }
    assert_int_equal(count_rest(&spin), 0);
    lc_spin_learn(&spin, true, 30000);
    assert_int_equal(count_rest(&spin), 1);
}

static void never_looks_on_a_single_processor(void **state)
{
    struct lc_spin spin;

    (void)state;
    spin_start(&spin);
    spin.alone = true;
    for (int i = 0; i < 100; i++)
        assert_false(lc_spin_wants(&spin));
}

static void ends_without_the_flag(void **state)
{
    struct lc_spin spin;
    atomic_bool flag;

    (void)state;
    spin_start(&spin);
    atomic_init(&flag, false);
    assert_false(lc_spin_look(&spin, &flag));
    assert_int_equal(count_rest(&spin), 1);
}

static void *set_flag(void *flag)
{
    atomic_store((atomic_bool *)flag, true);
    return NULL;
}

static void sees_the_flag_that_another_thread_sets(void **state)
{
    static const struct lc_spin_type patient = {INT64_C(60000000000), 63, 4};
    struct lc_spin spin;
    atomic_bool flag;
    pthread_t thread;

    (void)state;
    lc_spin_init(&spin, &patient);
    atomic_init(&flag, false);
    assert_int_equal(pthread_create(&thread, NULL, set_flag, &flag), 0);
    assert_true(lc_spin_look(&spin, &flag));
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tries_each_wait_as_long_as_it_helps),
        cmocka_unit_test(leaves_out_more_waits_each_time_it_does_not),
        cmocka_unit_test(comes_back_when_it_helps_again),
        cmocka_unit_test(takes_late_help_for_none_after_some),
        cmocka_unit_test(never_looks_on_a_single_processor),
        cmocka_unit_test(ends_without_the_flag),
        cmocka_unit_test(sees_the_flag_that_another_thread_sets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
