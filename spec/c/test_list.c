/* Tests of host/list.h: the order of a list, and that a link out of every list points to itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "list.h"

#define ITEMS 5

struct item {
    int number;
    struct lc_link link;
};

struct fixture {
    struct lc_link list;
    struct lc_link other;
    struct item items[ITEMS];
};

static struct item *item_of(struct lc_link *link)
{
    return lc_container_of(link, struct item, link);
}

/* The numbers in the list as decimal digits; also checks that both directions agree. */
static long digits(const struct lc_link *list)
{
    long number = 0;
    struct lc_link *link;

    for (link = list->next; link != list; link = link->next) {
        assert_ptr_equal(link->next->prev, link);
        assert_ptr_equal(link->prev->next, link);
        number = number * 10 + item_of(link)->number;
    }
    assert_ptr_equal(list->next->prev, list);
    assert_ptr_equal(list->prev->next, list);
    return number;
}

/* Both lists empty, the items 1..5 in none. */
static void fixture_init(struct fixture *f)
{
    lc_list_init(&f->list);
    lc_list_init(&f->other);
    for (int i = 0; i < ITEMS; i++) {
        f->items[i].number = i + 1;
        lc_list_init(&f->items[i].link);
    }
}

static void append(struct fixture *f, struct lc_link *list, int first, int last)
{
    for (int i = first; i <= last; i++)
        lc_list_append(list, &f->items[i - 1].link);
}

static void a_new_list_is_empty(void **state)
{
    struct lc_link list;

    (void)state;
    lc_list_init(&list);
    assert_true(lc_list_empty(&list));
    assert_int_equal(digits(&list), 0);
}

static void append_keeps_arrival_order(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    append(&f, &f.list, 1, 5);
    assert_false(lc_list_empty(&f.list));
    assert_int_equal(digits(&f.list), 12345);
}

static void pop_takes_the_first(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    append(&f, &f.list, 1, 3);
    for (int i = 1; i <= 3; i++) {
        struct lc_link *link = lc_list_pop(&f.list);

        assert_int_equal(item_of(link)->number, i);
        assert_true(lc_list_empty(link));
    }
    assert_true(lc_list_empty(&f.list));
}

static void a_popped_link_can_be_appended_again(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    append(&f, &f.list, 1, 3);
    lc_list_append(&f.list, lc_list_pop(&f.list));
    assert_int_equal(digits(&f.list), 231);
}

static void unlink_takes_out_of_any_place(void **state)
{
    static const long left[] = {2345, 1345, 1245, 1235, 1234};

    (void)state;
    for (int i = 0; i < ITEMS; i++) {
        struct fixture f;

        fixture_init(&f);
        append(&f, &f.list, 1, 5);
        lc_list_unlink(&f.items[i].link);
        assert_int_equal(digits(&f.list), left[i]);
        assert_true(lc_list_empty(&f.items[i].link));
    }
}

static void unlink_of_the_last_empties_the_list(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    append(&f, &f.list, 1, 1);
    lc_list_unlink(&f.items[0].link);
    assert_true(lc_list_empty(&f.list));
}

static void unlink_twice_changes_nothing(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    append(&f, &f.list, 1, 3);
    lc_list_unlink(&f.items[1].link);
    lc_list_unlink(&f.items[1].link);
    assert_int_equal(digits(&f.list), 13);
    assert_true(lc_list_empty(&f.items[1].link));
}

static void splice_appends_all_and_empties_the_source(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    append(&f, &f.list, 1, 2);
    append(&f, &f.other, 3, 5);
    lc_list_splice(&f.list, &f.other);
    assert_int_equal(digits(&f.list), 12345);
    assert_true(lc_list_empty(&f.other));
}

static void splice_into_an_empty_list_moves_it(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    append(&f, &f.other, 1, 3);
    lc_list_splice(&f.list, &f.other);
    assert_int_equal(digits(&f.list), 123);
    assert_true(lc_list_empty(&f.other));
}

static void splice_of_an_empty_list_changes_nothing(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    append(&f, &f.list, 1, 2);
    lc_list_splice(&f.list, &f.other);
    assert_int_equal(digits(&f.list), 12);
    lc_list_unlink(&f.items[0].link);
    lc_list_unlink(&f.items[1].link);
    lc_list_splice(&f.list, &f.other);
    assert_true(lc_list_empty(&f.list));
    assert_true(lc_list_empty(&f.other));
}

/* How the loop runs a tick: what is appended meanwhile waits for the next one. */
static void a_spliced_batch_is_apart_from_later_arrivals(void **state)
{
    struct fixture f;
    long order = 0;

    (void)state;
    fixture_init(&f);
    append(&f, &f.list, 1, 3);
    lc_list_splice(&f.other, &f.list);
    while (!lc_list_empty(&f.other)) {
        struct lc_link *link = lc_list_pop(&f.other);

        order = order * 10 + item_of(link)->number;
        lc_list_append(&f.list, link);
    }
    assert_int_equal(order, 123);
    assert_int_equal(digits(&f.list), 123);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_list_is_empty),
        cmocka_unit_test(append_keeps_arrival_order),
        cmocka_unit_test(pop_takes_the_first),
        cmocka_unit_test(a_popped_link_can_be_appended_again),
        cmocka_unit_test(unlink_takes_out_of_any_place),
        cmocka_unit_test(unlink_of_the_last_empties_the_list),
        cmocka_unit_test(unlink_twice_changes_nothing),
        cmocka_unit_test(splice_appends_all_and_empties_the_source),
        cmocka_unit_test(splice_into_an_empty_list_moves_it),
        cmocka_unit_test(splice_of_an_empty_list_changes_nothing),
        cmocka_unit_test(a_spliced_batch_is_apart_from_later_arrivals),
    };

    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
