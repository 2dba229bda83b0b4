/* Tests of host/timer.h: the heap against a plain list of what must come out of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lua.h>

#include "host.h"
#include "memory.h"
#include "timer.h"

#define MANY 2000

struct fixture {
    struct memory memory;
    struct lc_host host; /* only its state is set: where the heap's memory comes from */
    struct lc_timers timers;
    struct lc_timer pool[MANY];
    double when[MANY];     /* of the same timer in the pool, as it was set last... */
    uint64_t set_as[MANY]; /* ...and the how manyth setting that was */
    uint64_t settings;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL)
        return -1;
    f->host.L = lua_newstate(memory_alloc, &f->memory);
    *state = f;
    return f->host.L != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    size_t left;

    lc_timers_free(&f->host, &f->timers);
    lua_close(f->host.L);
    left = f->memory.balance + f->memory.wrong_sizes;
    free(f);
    return left == 0 ? 0 : -1;
}

static void add(struct fixture *f, int i, double when)
{
    assert_true(lc_timers_add(&f->host, &f->timers, &f->pool[i], when));
    assert_true(lc_timer_is_set(&f->pool[i]));
    f->when[i] = when;
    f->set_as[i] = f->settings++;
}

/* Takes the first timer out and returns its place in the pool. */
static int take(struct fixture *f)
{
    const struct lc_deadline *first = lc_timers_first(&f->timers);
    struct lc_timer *timer;
    int i;

    assert_non_null(first);
    timer = first->timer;
    i = (int)(timer - f->pool);
    assert_true(first->when == f->when[i]);
    lc_timers_remove(&f->timers, timer);
    assert_false(lc_timer_is_set(timer));
    return i;
}

/* Whether timer a of the pool must come out before timer b. */
static bool comes_before(const struct fixture *f, int a, int b)
{
    return f->when[a] < f->when[b] || (f->when[a] == f->when[b] && f->set_as[a] < f->set_as[b]);
}

static int place_of(const struct fixture *f, uint32_t index)
{
    return (int)(f->timers.heap[index].timer - f->pool);
}

/* Every timer knows its place, and none is before its parent. */
static void check_heap(const struct fixture *f)
{
    for (uint32_t i = 1; i <= f->timers.count; i++) {
        assert_int_equal(f->timers.heap[i].timer->index, i);
        if (i > 1)
            assert_false(comes_before(f, place_of(f, i), place_of(f, i / 2)));
    }
}

/* The same numbers on every machine. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void an_empty_heap_has_no_first(void **state)
{
    struct fixture *f = *state;

    assert_null(lc_timers_first(&f->timers));
    add(f, 0, 1);
    assert_int_equal(take(f), 0);
    assert_null(lc_timers_first(&f->timers));
}

static void the_first_deadline_comes_first(void **state)
{
    static const double when[] = {5, 1, 4, -2, 3, 0};
    static const int order[] = {3, 5, 1, 4, 2, 0};
    struct fixture *f = *state;

    for (int i = 0; i < 6; i++)
        add(f, i, when[i]);
    for (int i = 0; i < 6; i++)
        assert_int_equal(take(f), order[i]);
}

static void equal_deadlines_come_in_the_order_of_setting(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < MANY; i++)
        add(f, i, i % 2 ? 7 : 3);
    for (int i = 0; i < MANY / 2; i++)
        assert_int_equal(take(f), 2 * i);
    for (int i = 0; i < MANY / 2; i++)
        assert_int_equal(take(f), 2 * i + 1);
}

static void a_timer_set_again_goes_behind_its_equals(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++)
        add(f, i, 1);
    lc_timers_remove(&f->timers, &f->pool[0]);
    add(f, 0, 1);
    assert_int_equal(take(f), 1);
    assert_int_equal(take(f), 2);
    assert_int_equal(take(f), 0);
}

static void infinite_deadlines_come_last(void **state)
{
    struct fixture *f = *state;

    add(f, 0, INFINITY);
    add(f, 1, 1e300);
    add(f, 2, -INFINITY);
    add(f, 3, INFINITY);
    assert_int_equal(take(f), 2);
    assert_int_equal(take(f), 1);
    assert_int_equal(take(f), 0);
    assert_int_equal(take(f), 3);
}

static void removal_from_the_middle_keeps_the_order(void **state)
{
    struct fixture *f = *state;
    uint32_t seed = 42;

    for (int gone = 0; gone < 100; gone++) {
        int last = -1;

        for (int i = 0; i < 100; i++)
            add(f, i, next_random(&seed) % 20);
        lc_timers_remove(&f->timers, &f->pool[gone]);
        assert_false(lc_timer_is_set(&f->pool[gone]));
        check_heap(f);
        for (int i = 0; i < 99; i++) {
            int next = take(f);

            assert_int_not_equal(next, gone);
            assert_true(last < 0 || comes_before(f, last, next));
            last = next;
        }
        assert_null(lc_timers_first(&f->timers));
    }
}

/* The last timer takes the removed one's place; here it belongs above that. */
static void removal_can_move_the_last_timer_up(void **state)
{
    static const double when[] = {0, 10, 1, 11, 12, 2, 3};
    static const double order[] = {0, 1, 2, 3, 10, 12};
    struct fixture *f = *state;

    for (int i = 0; i < 7; i++)
        add(f, i, when[i]);
    lc_timers_remove(&f->timers, &f->pool[3]);
    check_heap(f);
    assert_int_equal(f->pool[6].index, 2);
    for (int i = 0; i < 6; i++)
        assert_true(when[take(f)] == order[i]);
}

static void growth_keeps_what_is_set(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < MANY; i++) {
        add(f, i, MANY - i);
        assert_int_equal(f->timers.count, i + 1);
        assert_true(f->timers.count < f->timers.capacity);
    }
    check_heap(f);
    for (int i = MANY - 1; i >= 0; i--)
        assert_int_equal(take(f), i);
}

static void without_memory_nothing_changes(void **state)
{
    struct fixture *f = *state;
    int set = 0;

    f->memory.fail_first = f->memory.requests + 2; /* the first growth succeeds */
    f->memory.fail_last = SIZE_MAX;
    while (set < MANY && lc_timers_add(&f->host, &f->timers, &f->pool[set], -set)) {
        f->when[set] = -set;
        set++;
    }
    assert_in_range(set, 1, MANY - 1);
    assert_false(lc_timer_is_set(&f->pool[set]));
    assert_int_equal(f->timers.count, set);
    check_heap(f);
    f->memory.fail_last = 0;
    add(f, set, -set);
    for (; set >= 0; set--)
        assert_int_equal(take(f), set);
}

/* Adds and removes at random; the reference is an unordered list that is searched through. */
static void random_use_agrees_with_a_reference(void **state)
{
    struct fixture *f = *state;
    uint32_t seed = 20240612;
    int set[300];
    int count = 0;

    for (int step = 0; step < 20000; step++) {
        uint32_t dice = next_random(&seed) % 8;

        if (count < 300 && (count == 0 || dice < 4)) {
            int i = 0;

            while (lc_timer_is_set(&f->pool[i]))
                i++;
            add(f, i, next_random(&seed) % 50);
            set[count++] = i;
        } else if (dice < 6) {
            int first = 0;

            for (int i = 1; i < count; i++) {
                if (comes_before(f, set[i], set[first]))
                    first = i;
            }
            assert_int_equal(take(f), set[first]);
            set[first] = set[--count];
        } else {
            int i = (int)(next_random(&seed) % (uint32_t)count);

            lc_timers_remove(&f->timers, &f->pool[set[i]]);
            set[i] = set[--count];
        }
        assert_int_equal(f->timers.count, count);
        if (step % 100 == 0)
            check_heap(f);
    }
}

#define case_of(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        case_of(an_empty_heap_has_no_first),
        case_of(the_first_deadline_comes_first),
        case_of(equal_deadlines_come_in_the_order_of_setting),
        case_of(a_timer_set_again_goes_behind_its_equals),
        case_of(infinite_deadlines_come_last),
        case_of(removal_from_the_middle_keeps_the_order),
        case_of(removal_can_move_the_last_timer_up),
        case_of(growth_keeps_what_is_set),
        case_of(without_memory_nothing_changes),
        case_of(random_use_agrees_with_a_reference),
    };

    return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
