/*
 * floor: bare mechanisms of liblua5.4 and libev, each what the cheapest ingredient of a workload
 * costs: no scheduler, no objects. Prints `name runner value` as the workloads do: floor switch.
 * Linked twice by bench/run, with the shared and with the static liblua.
 */
#define _GNU_SOURCE /* environ */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <ev.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#define SAMPLES 9

static const char *runner = "floor";

static double cpu_seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void report(const char *name, double value)
{
    printf("%s %s %.1f\n", name, runner, value);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Warms up with one call, then reports the median of several. */
static void repeated(const char *name, long ops, void (*fn)(lua_State *, long), lua_State *L)
{
    double samples[SAMPLES];
    fn(L, ops);
    for (int i = 0; i < SAMPLES; i++) {
        double start = cpu_seconds();
        fn(L, ops);
        samples[i] = (cpu_seconds() - start) * 1e9 / (double)ops;
    }
    qsort(samples, SAMPLES, sizeof *samples, by_value);
    report(name, samples[SAMPLES / 2]);
}

static int yield(lua_State *L)
{
    return lua_yield(L, 0);
}

static const char *const body_forever =
    "local yield = ... return function() while true do yield() end end";
static const char *const body_once = "local yield = ... return function() yield() end";
static const char *const body_trivial = "return function() end";

/* Pushes the function that the chunk returns. */
static void push_body(lua_State *L, const char *chunk)
{
    if (luaL_loadstring(L, chunk))
        abort();
    lua_pushcfunction(L, yield);
    lua_call(L, 1, 1);
}

static void resume(lua_State *L, lua_State *co, int status)
{
    int results;
    if (lua_resume(co, L, 0, &results) != status)
        abort();
}

/* Index 1 is the table of threads, which are in user data of index 2. */
static void threads_new(lua_State *L, long count, const char *chunk)
{
    lua_settop(L, 0);
    lua_createtable(L, (int)count, 0);
    lua_State **threads = lua_newuserdatauv(L, (size_t)count * sizeof *threads, 0);
    push_body(L, chunk);
    for (long i = 0; i < count; i++) {
        threads[i] = lua_newthread(L);
        lua_rawseti(L, 1, i + 1);
        lua_pushvalue(L, 3);
        lua_xmove(L, threads[i], 1);
        resume(L, threads[i], chunk == body_trivial ? LUA_OK : LUA_YIELD);
    }
}

static long ring;

static void switch_ring(lua_State *L, long ops)
{
    lua_State **threads = lua_touserdata(L, 2);
    for (long turn = 0; turn < ops / ring; turn++)
        for (long i = 0; i < ring; i++)
            resume(L, threads[i], LUA_YIELD);
}

static void floor_switch(lua_State *L)
{
    static const char *const names[] = {"switch_2", "switch_1000"};
    static const long rings[] = {2, 1000};
    for (int i = 0; i < 2; i++) {
        ring = rings[i];
        threads_new(L, ring, body_forever);
        repeated(names[i], 400000, switch_ring, L);
    }
}

static void spawn_fresh(lua_State *L, long ops)
{
    for (long i = 0; i < ops; i++) {
        lua_State *co = lua_newthread(L);
        lua_pushvalue(L, 1);
        lua_xmove(L, co, 1);
        resume(L, co, LUA_OK);
        lua_pop(L, 1);
    }
}

static void floor_spawn(lua_State *L)
{
    push_body(L, body_trivial);
    repeated("spawn", 200000, spawn_fresh, L);
}

static void floor_batch(lua_State *L, const char *name, long count)
{
    double start = cpu_seconds();
    threads_new(L, count, body_once);
    lua_State **threads = lua_touserdata(L, 2);
    for (long i = 0; i < count; i++)
        resume(L, threads[i], LUA_OK);
    report(name, (cpu_seconds() - start) * 1e9 / (double)count);
}

static double rss_bytes(void)
{
    long size, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2)
        abort();
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void floor_park(lua_State *L, const char *place)
{
    const long count = 100000;
    char name[64];
    double before = rss_bytes(), start = cpu_seconds();
    threads_new(L, count, body_once);
    if (strcmp(place, "sleep") != 0) {
        snprintf(name, sizeof name, "park_%s", place);
        report(name, (cpu_seconds() - start) * 1e9 / (double)count);
    }
    snprintf(name, sizeof name, "park_%s_rss", place);
    report(name, (rss_bytes() - before) / (double)count);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

static void floor_timers(void)
{
    const long count = 100000;
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    double start = cpu_seconds();
    ev_timer *timers = malloc((size_t)count * sizeof *timers);
    if (!timers || !loop)
        abort();
    srand48(42);
    for (long i = 0; i < count; i++) {
        ev_timer_init(&timers[i], on_timer, drand48(), 0);
        ev_timer_start(loop, &timers[i]);
    }
    ev_run(loop, 0);
    report("timers", (cpu_seconds() - start) * 1e9 / (double)count);
    free(timers);
    ev_loop_destroy(loop);
}

static struct ev_loop *timer_loop;

static void timer_start_stop(lua_State *L, long ops)
{
    (void)L;
    ev_timer timer;
    for (long i = 0; i < ops; i++) {
        ev_timer_init(&timer, on_timer, 10, 0);
        ev_timer_start(timer_loop, &timer);
        ev_timer_stop(timer_loop, &timer);
    }
}

static void floor_timers_cancel(lua_State *L)
{
    timer_loop = ev_loop_new(EVFLAG_AUTO);
    repeated("timeout", 1000000, timer_start_stop, L);
    ev_loop_destroy(timer_loop);
}

/* The least elapsed time of posix_spawn and waitpid, one after the other. */
static void floor_process(void)
{
    char *child[] = {"true", NULL};
    double best = 0;

    for (int i = 0; i < 6; i++) {
        struct timespec from, to;
        double elapsed;

        clock_gettime(CLOCK_MONOTONIC, &from);
        for (int n = 0; n < 160; n++) {
            pid_t pid;

            if (posix_spawn(&pid, "/bin/true", NULL, NULL, child, environ) == 0)
                waitpid(pid, NULL, 0);
        }
        clock_gettime(CLOCK_MONOTONIC, &to);
        elapsed = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
        if (elapsed < best || i == 0)
            best = elapsed;
    }
    report("process", best / 160);
}

int main(int argc, char **argv)
{
    const char *workload = argc > 1 ? argv[1] : "";
    const char *argument = argc > 2 ? argv[2] : NULL;
    if (getenv("BENCH_RUNNER"))
        runner = getenv("BENCH_RUNNER");
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    if (!strcmp(workload, "switch")) {
        floor_switch(L);
    } else if (!strcmp(workload, "spawn")) {
        floor_spawn(L);
    } else if (!strcmp(workload, "spawn_batch")) {
        floor_batch(L, "spawn_batch", 200000);
    } else if (!strcmp(workload, "flat")) {
        char name[64];
        snprintf(name, sizeof name, "flat_%s", argument ? argument : "1000");
        floor_batch(L, name, argument ? atol(argument) : 1000);
    } else if (!strcmp(workload, "park")) {
        floor_park(L, argument ? argument : "future");
    } else if (!strcmp(workload, "timers")) {
        floor_timers();
    } else if (!strcmp(workload, "timers_cancel")) {
        floor_timers_cancel(L);
    } else if (!strcmp(workload, "process")) {
        floor_process();
    } else {
        return 3; /* not one of these */
    }
    lua_close(L);
    return 0;
}
