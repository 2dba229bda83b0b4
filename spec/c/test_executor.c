/*
 * Tests of executors in hosts that a program embeds: several threads, limits, closing, memory.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lucio.h"
#include "memory.h"

#define HOSTS 4

static const char work[] =
    "local lucio = require 'lucio'\n"
    "local Own = lucio.exception('Own')\n"
    "local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2}\n"
    "local function job(i)\n"
    "  if i % 5 == 0 then error(Own('five', i)) end\n"
    "  return i, {text = ('x'):rep(i)}\n"
    "end\n"
    "local futures, failed = {}, 0\n"
    "for i = 1, 200 do futures[i] = pool:submit(job, i) end\n"
    "for i = 1, 200, 9 do futures[i]:cancel() end\n"
    "for i, future in ipairs(futures) do\n"
    "  local ok, n, t = pcall(future.await, future)\n"
    "  if ok then assert(n == i and #t.text == i) else failed = failed + 1 end\n"
    "end\n"
    "assert(failed >= 36 and failed <= 60)\n";

/* A thread's host, from its opening to its closing; NULL: all went well. */
static void *live(void *unused)
{
    const char *problem = NULL;
    lucio *host;

    (void)unused;
    if (lucio_open(&host, NULL) != LUCIO_OK)
        return (void *)"cannot open";
    for (int i = 0; i < 3 && problem == NULL; i++) {
        if (lucio_run_string(host, work, NULL) != LUCIO_OK)
            problem = "the script failed";
    }
    if (lucio_close(host) != LUCIO_OK)
        problem = "cannot close";
    return (void *)problem;
}

static void hosts_on_several_threads_have_executors(void **unused)
{
    pthread_t threads[HOSTS];

    (void)unused;
    for (int i = 0; i < HOSTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, live, NULL), 0);
    for (int i = 0; i < HOSTS; i++) {
        void *problem;

        pthread_join(threads[i], &problem);
        if (problem != NULL)
            fail_msg("%s", (const char *)problem);
    }
}

/* Runs the code in a host with that configuration; its status. */
static int run_with(const struct lucio_config *config, const char *code)
{
    lucio *host;
    int status;

    assert_int_equal(lucio_open(&host, config), LUCIO_OK);
    status = lucio_run_string(host, code, NULL);
    if (status != LUCIO_OK)
        print_message("%s\n", lucio_last_error(host)->message);
    assert_int_equal(lucio_close(host), LUCIO_OK);
    return status;
}

static void a_host_with_limits_has_none(void **unused)
{
    static const char refused[] = "local lucio = require 'lucio'\n"
                                  "local ok, e = pcall(lucio.to_thread, function() end)\n"
                                  "assert(not ok and lucio.isinstance(e, lucio.RuntimeError))\n"
                                  "assert(not pcall(lucio.ThreadPoolExecutor))\n";
    struct lucio_config config;

    (void)unused;
    lucio_config_init(&config);
    config.memory_limit = 64 << 20;
    assert_int_equal(run_with(&config, refused), LUCIO_OK);
    lucio_config_init(&config);
    config.step_instructions = 10000000;
    assert_int_equal(run_with(&config, refused), LUCIO_OK);
    lucio_config_init(&config);
    config.sandbox = true;
    assert_int_equal(run_with(&config, refused), LUCIO_OK);
    lucio_config_init(&config);
    config.libraries = LUCIO_LIB_BASE;
    assert_int_equal(run_with(&config, refused), LUCIO_OK);
}

static void a_worker_has_the_libraries_of_its_host(void **unused)
{
    struct lucio_config config;

    (void)unused;
    lucio_config_init(&config);
    config.libraries = LUCIO_LIB_BASE | LUCIO_LIB_PACKAGE;
    assert_int_equal(
        run_with(&config, "local lucio = require 'lucio'\n"
                          "assert(lucio.to_thread(function()\n"
                          "  return io == nil and os == nil and string == nil and print ~= nil\n"
                          "end))\n"),
        LUCIO_OK);
}

static void closing_waits_for_jobs_and_leaves_no_memory(void **unused)
{
    static const char code[] =
        "local lucio = require 'lucio'\n"
        "local pool = lucio.ThreadPoolExecutor{max_workers = 2}\n"
        "for i = 1, 50 do\n"
        "  pool:submit(function(list) return #list + #('x'):rep(100000) end, {1, 2, {}})\n"
        "end\n"
        "lucio.get_running_loop():run_in_executor(nil, tostring, 1)\n";
    struct memory memory = {0};
    struct lucio_config config;

    (void)unused;
    lucio_config_init(&config);
    config.alloc = memory_alloc;
    config.alloc_data = &memory;
    for (int i = 0; i < 5; i++)
        assert_int_equal(run_with(&config, code), LUCIO_OK);
    assert_int_equal(memory.balance, 0);
    assert_int_equal(memory.wrong_sizes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_on_several_threads_have_executors),
        cmocka_unit_test(a_host_with_limits_has_none),
        cmocka_unit_test(a_worker_has_the_libraries_of_its_host),
        cmocka_unit_test(closing_waits_for_jobs_and_leaves_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
