/* Tests of datagrams and child processes without memory, see refuse.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "refuse.h"
#include "state.h"

static void datagrams_survive_it(void **state)
{
    (void)state;
    refuse(state_datagrams, 2);
    refuse(state_datagrams, SIZE_MAX);
}

static void child_processes_survive_it(void **state)
{
    (void)state;
    refuse(state_child, SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_survive_it),
        cmocka_unit_test(child_processes_survive_it),
    };

    if (refuse_begin() != 0)
        return 1;
    return cmocka_run_group_tests_name("memory_io", tests, NULL, NULL);
}
