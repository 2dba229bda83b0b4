/* Tests of lucio without memory, see refuse.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "refuse.h"
#include "state.h"

static void one_refused_request_is_survived(void **state)
{
    (void)state;
    refuse(state_work, 1);
}

/* Lua collects garbage and asks once more: only the second refusal is an error. */
static void a_memory_error_is_survived(void **state)
{
    (void)state;
    refuse(state_work, 2);
}

static void memory_that_does_not_come_back_is_no_crash(void **state)
{
    (void)state;
    refuse(state_work, SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_refused_request_is_survived),
        cmocka_unit_test(a_memory_error_is_survived),
        cmocka_unit_test(memory_that_does_not_come_back_is_no_crash),
    };

    if (refuse_begin() != 0)
        return 1;
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
