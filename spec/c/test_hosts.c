/*
 * Tests of hosts on several threads: each thread opens hosts and lets them do what has threads and processes
 * behind it; they end in any order, and in mid-work. The main thread has a host with signal handlers. What is
 * chosen depends on a seed, which is printed: HOSTS_SEED; HOSTS_SECONDS, HOSTS_THREADS make it longer.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lucio.h"

#define THREADS_MAX 8

/* Each of them is done with in a moment, and may be cancelled at any. `pick` is of the thread. */
static const char kinds[] =
    "local lucio = require 'lucio'\n"
    "local fs = require 'lucio.fs'\n"
    "local function job(i) if i % 5 == 0 then error('five') end return i, ('x'):rep(i * 100) end\n"
    "local function all(pool, n)\n"
    "  local futures = {}\n"
    "  for i = 1, n do futures[i] = pool:submit(job, i) end\n"
    "  for i = 1, n, 3 do futures[i]:cancel() end\n"
    "  for i, future in ipairs(futures) do pcall(future.await, future) end\n"
    "end\n"
    "local kinds = {}\n"
    "function kinds.threads()\n"
    "  local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2}\n"
    "  all(pool, 20)\n"
    "end\n"
    "function kinds.stopped()\n"
    "  local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2, job_timeout = 0.02,\n"
    "    daemon = pick(2) == 1}\n"
    "  local job = pool:submit(function() while true do local _ = {} end end)\n"
    "  assert(not pcall(job.await, job))\n"
    "end\n"
    "function kinds.processes()\n"
    "  local pool <close> = lucio.ProcessPoolExecutor{max_workers = 1}\n"
    "  all(pool, 4)\n"
    "  if pick(2) == 1 then pcall(lucio.await, pool:submit(os.exit, 3)) end\n"
    "end\n"
    "function kinds.default()\n"
    "  assert(lucio.to_thread(job, 1) == 1)\n"
    "  local text = ('x'):rep(pick(600) * 1000)\n"
    "  assert(lucio.to_thread(function(s) return s end, text) == text)\n"
    "end\n"
    "function kinds.names()\n"
    "  assert(#lucio.get_running_loop():getaddrinfo('localhost', 80) > 0)\n"
    "end\n"
    "function kinds.files()\n"
    "  local dir <close> = fs.tempdir()\n"
    "  local path = tostring(dir) .. '/a'\n"
    "  fs.write_file(path, 'text')\n"
    "  local file <close> = fs.open(path, 'r+')\n"
    "  file:read(2)\n"
    "  file:write('more')\n"
    "  for entry in fs.scandir(tostring(dir)) do assert(entry.name == 'a') end\n"
    "end\n"
    "function kinds.reports()\n"
    "  local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}\n"
    "  local future = pool:submit(function()\n"
    "    local lucio = require 'lucio'\n"
    "    for i = 1, 50 do lucio.worker.report(i) end\n"
    "  end)\n"
    "  for i, value in lucio.reports(future) do assert(i == value) end\n"
    "end\n"
    "function kinds.back()\n"
    "  local loop = lucio.get_running_loop()\n"
    "  lucio.to_thread(function()\n"
    "    local lucio = require 'lucio'\n"
    "    loop:call_soon_threadsafe(function() end)\n"
    "    return lucio.run_coroutine_threadsafe(function() return 1 end, loop):result()\n"
    "  end)\n"
    "end\n"
    "function kinds.shared()\n"
    "  local pool <close> = lucio.ThreadPoolExecutor{max_workers = 2, cancel_timeout = 0.01}\n"
    "  local lock, value = lucio.shared.Lock(), lucio.shared.Value('i64', 0)\n"
    "  local queue = lucio.shared.Queue(10)\n"
    "  local function add() for _ = 1, 20 do\n"
    "    local _ <close> = lock:acquire()\n"
    "    value.value = value.value + 1\n"
    "  end end\n"
    "  local put = pool:submit(function() for i = 1, 10 do queue:put(i) end end)\n"
    "  for i = 1, 10 do assert(queue:get() == i) end\n"
    "  put:await()\n"
    "  lucio.gather(pool:submit(add), pool:submit(add), add)\n"
    "  assert(value.value == 60)\n"
    "end\n"
    "function kinds.child()\n"
    "  local process = lucio.create_subprocess_exec('sh', '-c', 'exit 3')\n"
    "  assert(process:wait() == 3)\n"
    "end\n"
    "function kinds.watchdog()\n"
    "  lucio.watchdog(60)\n"
    "  lucio.sleep(0.001)\n"
    "  lucio.watchdog()\n"
    "end\n"
    "function kinds.log()\n"
    "  local logger = lucio.log.getLogger('hosts' .. pick(1000000))\n"
    "  logger.propagate = false\n"
    "  logger:addHandler(lucio.log.FileHandler('/dev/null', 'w'))\n"
    "  for i = 1, pick(20) do logger:warning('%d', i) end\n"
    "end\n"
    "local names = {}\n"
    "for name in pairs(kinds) do names[#names + 1] = name end\n"
    "table.sort(names)\n"
    "function work()\n"
    "  local group <close> = lucio.TaskGroup()\n"
    "  for _ = 1, 1 + pick(5) do\n"
    "    local name = only or names[pick(#names)]\n"
    "    group:create_task(function()\n"
    "      local ok, e = pcall(kinds[name])\n"
    "      if not ok and not lucio.isinstance(e, lucio.CancelledError) then print(name, e) end\n"
    "      if not ok then error(e, 0) end\n"
    "    end):set_name(name)\n"
    "  end\n"
    "end\n";

/* What a thread's hosts are chosen by. */
struct life {
    pthread_t thread;
    unsigned seed;
    const char *problem;
    char text[2000];
};

static double end_time;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int pick(unsigned *seed, int n)
{
    return rand_r(seed) % n;
}

/* pick(n) -> 1 to n */
static int pick_here(lucio_call *call, void *data)
{
    struct lucio_value value;
    long long n;

    if (!lucio_call_integer(call, 1, &n) || n < 1)
        return lucio_bad_argument(call);
    value = lucio_integer(1 + pick(data, (int)n));
    return lucio_return(call, 1, &value);
}

static void no_log(lucio *host, const char *text, size_t length, void *data)
{
    (void)host, (void)text, (void)length, (void)data;
}

static void posted(lucio *host, void *data)
{
    (void)host;
    atomic_fetch_sub((atomic_int *)data, 1);
}

/* Another thread, which may find the host closed. */
struct poster {
    pthread_t thread;
    lucio *host;
    atomic_int open; /* calls under way */
};

static void *post(void *data)
{
    struct poster *poster = data;

    for (int i = 0; i < 100; i++) {
        atomic_fetch_add(&poster->open, 1);
        if (lucio_post(poster->host, posted, &poster->open) != LUCIO_OK)
            atomic_fetch_sub(&poster->open, 1);
    }
    lucio_release(poster->host);
    return NULL;
}

static int open_host(lucio **host, unsigned *seed)
{
    static const char *const allow[] = {NULL, NULL, "read;write;net;run;env;load"};
    struct lucio_config config;
    struct lucio_value function;
    lucio_ref *made;
    int status;

    lucio_config_init(&config);
    config.debug = pick(seed, 4) == 0;
    config.memory_limit = pick(seed, 4) == 0 ? 400 << 20 : 0;
    config.allow = allow[pick(seed, 3)];
    config.on_log = no_log;
    config.shutdown_timeout = 60;
    status = lucio_open(host, &config);
    if (status != LUCIO_OK)
        return status;
    status = lucio_function_new(*host, "pick", pick_here, seed, NULL, &made);
    function = lucio_object(made);
    if (status == LUCIO_OK)
        status = lucio_set_global(*host, "pick", function);
    lucio_ref_free(made);
    if (status == LUCIO_OK && getenv("HOSTS_ONLY") != NULL)
        lucio_set_global(*host, "only", lucio_string(getenv("HOSTS_ONLY")));
    return status != LUCIO_OK ? status : lucio_run_string(*host, kinds, NULL);
}

/* Lets the host work for a while: to the end of it, some ticks, a moment. */
static void let_work(lucio *host, struct life *life, lucio_future *task)
{
    switch (pick(&life->seed, 4)) {
    case 0:
        for (int ticks = pick(&life->seed, 100); ticks > 0; ticks--)
            lucio_step(host);
        break;
    case 1:
        lucio_run_idle(host, 0.001 * pick(&life->seed, 50));
        usleep((unsigned)pick(&life->seed, 20000));
        lucio_step(host);
        if (pick(&life->seed, 2) == 0)
            lucio_future_cancel(task, NULL);
        break;
    default:
        if (lucio_run(host, task) != LUCIO_OK) {
            snprintf(life->text, sizeof life->text, "%s", lucio_last_error(host)->traceback);
            life->problem = life->text;
        }
    }
}

/* A host's life, from its opening to its closing. */
static bool live_once(struct life *life)
{
    struct poster poster = {.open = 0};
    bool posts = pick(&life->seed, 3) == 0;
    lucio_future *task = NULL;
    struct lucio_value work;
    lucio *host;

    if (open_host(&host, &life->seed) != LUCIO_OK ||
        lucio_get_global(host, "work", &work) != LUCIO_OK) {
        life->problem = "cannot open";
        return false;
    }
    if (lucio_spawn(host, work.as.object, "work", 0, NULL, &task) != LUCIO_OK)
        life->problem = "cannot spawn";
    lucio_ref_free(work.as.object);
    if (posts) {
        poster.host = lucio_retain(host);
        posts = pthread_create(&poster.thread, NULL, post, &poster) == 0;
    }
    let_work(host, life, task);
    lucio_future_free(task);
    if (lucio_close(host) != LUCIO_OK)
        life->problem = "cannot close";
    if (posts) {
        pthread_join(poster.thread, NULL);
        if (atomic_load(&poster.open) != 0)
            life->problem = "a call was lost";
    }
    return life->problem == NULL;
}

static void *live(void *data)
{
    struct life *life = data;

    while (live_once(life) && now() < end_time)
        continue;
    return NULL;
}

/* ---- tests ---- */

static long number_of(const char *variable, long otherwise)
{
    const char *text = getenv(variable);

    return text != NULL ? strtol(text, NULL, 10) : otherwise;
}

/* Hosts live in threads, while `meanwhile` is called again and again in the main one. */
static void live_in_threads(bool (*meanwhile)(unsigned *seed))
{
    struct life lives[THREADS_MAX] = {{0}};
    long threads = number_of("HOSTS_THREADS", 4);
    unsigned seed = (unsigned)number_of("HOSTS_SEED", (long)time(NULL));
    bool good = true;

    assert_in_range(threads, 1, THREADS_MAX);
    end_time = now() + (double)number_of("HOSTS_SECONDS", 1);
    print_message("seed %u\n", seed);
    for (long i = 0; i < threads; i++) {
        lives[i].seed = seed + (unsigned)i;
        assert_int_equal(pthread_create(&lives[i].thread, NULL, live, &lives[i]), 0);
    }
    do
        good = meanwhile(&seed);
    while (good && now() < end_time);
    for (long i = 0; i < threads; i++)
        pthread_join(lives[i].thread, NULL);
    for (long i = 0; i < threads; i++) {
        if (lives[i].problem != NULL)
            fail_msg("thread %ld: %s", i, lives[i].problem);
    }
    assert_true(good);
}

static const char handlers[] = "local lucio = require 'lucio'\n"
                               "local loop = lucio.get_running_loop()\n"
                               "for _ = 1, 20 do\n"
                               "  loop:add_signal_handler('SIGUSR1', function() end)\n"
                               "  lucio.sleep(0)\n"
                               "  loop:remove_signal_handler('SIGUSR1')\n"
                               "end\n"
                               "loop:add_signal_handler('SIGUSR1', function() end)\n";

/* The main thread's host handles what comes to all threads. */
static bool handle_signals(unsigned *seed)
{
    lucio *host;
    int status;

    (void)seed;
    if (lucio_open(&host, NULL) != LUCIO_OK)
        return false;
    status = lucio_run_string(host, handlers, NULL);
    return lucio_close(host) == LUCIO_OK && status == LUCIO_OK;
}

static atomic_bool quiet;

static void *send_signals(void *unused)
{
    (void)unused;
    while (!atomic_load(&quiet)) {
        pthread_kill(pthread_self(), SIGUSR1);
        usleep(10);
    }
    return NULL;
}

static void hosts_of_several_threads_end_in_any_order(void **unused)
{
    pthread_t sender;

    (void)unused;
    signal(SIGUSR1, SIG_IGN);
    atomic_store(&quiet, false);
    assert_int_equal(pthread_create(&sender, NULL, send_signals, NULL), 0);
    live_in_threads(handle_signals);
    atomic_store(&quiet, true);
    pthread_join(sender, NULL);
    signal(SIGUSR1, SIG_DFL);
}

/* ThreadSanitizer knows no threads after a fork; AddressSanitizer's allocator may be locked there. */
#if !defined __SANITIZE_THREAD__ && !defined __SANITIZE_ADDRESS__

/* Forks, at a moment of the other threads that nobody chose; the child has a host of its own. */
static bool fork_once(unsigned *seed)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct life life = {.seed = *seed};
        bool good;

        alarm((unsigned)number_of("SLOW", 1) * 60);
        good = live_once(&life) && handle_signals(seed);
        if (life.problem != NULL)
            fprintf(stderr, "child: %s\n", life.problem);
        _exit(good ? 0 : 1);
    }
    *seed += 100;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static void a_fork_may_have_hosts_of_its_own(void **unused)
{
    (void)unused;
    live_in_threads(fork_once);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_of_several_threads_end_in_any_order),
#if !defined __SANITIZE_THREAD__ && !defined __SANITIZE_ADDRESS__
        cmocka_unit_test(a_fork_may_have_hosts_of_its_own),
#endif
    };

    return cmocka_run_group_tests_name("hosts", tests, NULL, NULL);
}
