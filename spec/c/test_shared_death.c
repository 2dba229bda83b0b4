/*
 * Tests of what a process leaves in shared memory that is killed there, after each instruction by which others
 * may notice it: one that changed the memory, and each system call. The processor traps after every instruction;
 * the handler finds those in a first run, and in each later one it kills at the next of them. With DEATH_MOMENTS=all
 * every instruction is one. Only x86-64 has these traps: elsewhere it is not built.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* REG_EFL */
#endif
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lualib.h>

#include "host.h"
#include "message_ring.h"
#include "module.h"
#include "region.h"
#include "region_lock.h"
#include "wire.h"

/* ---- dying ---- */

#define MOMENTS_MAX 5000
/* So much of the memory is looked at: all but messages, of which nobody knows before. */
#define WATCHED 256
/* About so many instructions are done for an operation. */
#define STEPS 40000

/* What the process tells its parent. */
struct life {
    uint64_t instructions; /* it has done so many */
    size_t count;          /* of its moments */
    uint64_t moments[MOMENTS_MAX];
};

static struct life *life;
static uint64_t last; /* instruction of the process; 0: it lives, and looks for moments */
static bool all;      /* instructions are moments */
static const void *watched;
static char before[WATCHED];
static bool calls; /* the next instruction is a system call */

static void find_moment(const unsigned char *next)
{
    bool found = all || calls || memcmp(before, watched, WATCHED) != 0;

    memcpy(before, watched, WATCHED);
    calls = next[0] == 0x0f && next[1] == 0x05;
    if (found && life->count < MOMENTS_MAX)
        life->moments[life->count++] = life->instructions;
}

static void on_instruction(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

    registers[REG_EFL] |= 0x100; /* the trap flag */
    (void)number;
    (void)info;
    life->instructions++;
    if (last == life->instructions)
        kill(getpid(), SIGKILL);
    if (last == 0)
        find_moment((const unsigned char *)(uintptr_t)registers[REG_RIP]);
}

/* Calls it in a process that dies after so many instructions; 0: never. */
static void die_in(void (*act)(void *thing), void *thing, const void *memory, uint64_t moment)
{
    struct sigaction action = {.sa_sigaction = on_instruction, .sa_flags = SA_SIGINFO};
    int status;
    pid_t pid;

    life->instructions = 0;
    life->count = 0;
    last = moment;
    watched = memory;
    memcpy(before, watched, WATCHED);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        sigaction(SIGTRAP, &action, NULL);
        raise(SIGTRAP);
        act(thing);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (moment == 0)
        assert_true(WIFEXITED(status));
    else if (WIFSIGNALED(status))
        assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* The moments that the last process found. */
static struct life *copy_life(void)
{
    struct life *copy = malloc(sizeof *copy);

    assert_non_null(copy);
    return memcpy(copy, life, sizeof *copy);
}

/* Every so manyth of the moments is tried: all, unless getting to them is long, as with sanitizers. */
static size_t stride(const struct life *found, size_t times)
{
    return all ? 1 : 1 + found->instructions * found->count * times / STEPS;
}

static int set_up(void **state)
{
    const char *moments = getenv("DEATH_MOMENTS");

    (void)state;
    all = moments != NULL && strcmp(moments, "all") == 0;
    life = mmap(NULL, sizeof *life, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return life == MAP_FAILED;
}

static int tear_down(void **state)
{
    (void)state;
    return munmap(life, sizeof *life);
}

static void nothing(void *thing)
{
    (void)thing;
}

static void check_traps(void)
{
    static const char memory[WATCHED];

    die_in(nothing, NULL, memory, 0);
    assert_true(life->instructions >= 2);
}

/* ---- queues ---- */

#define MAX 2

static enum lc_ring_outcome put_text(struct lc_message_ring *ring, const char *text, size_t size,
                                     size_t descriptors)
{
    char bytes[16];
    int fd = STDIN_FILENO;
    struct iovec vector = {size > sizeof bytes ? (void *)text : memcpy(bytes, text, size), size};
    struct lc_wire wire = {.vectors = &vector,
                           .vector_count = 1,
                           .size = size,
                           .descriptors = &fd,
                           .descriptor_count = descriptors};

    return lc_ring_put(ring, &wire);
}

static enum lc_ring_outcome put(struct lc_message_ring *ring, const char *text)
{
    return put_text(ring, text, strlen(text) + 1, 0);
}

/* The text, of 15 bytes at most, and how many descriptors it came with. */
static enum lc_ring_outcome get(struct lc_message_ring *ring, char *text, size_t *descriptors)
{
    struct lc_ring_message message;
    enum lc_ring_outcome outcome = lc_ring_get(ring, &message);

    if (outcome != LC_RING_DONE)
        return outcome;
    snprintf(text, 16, "%.15s", message.bytes);
    *descriptors = message.descriptor_count;
    for (size_t i = 0; i < message.descriptor_count; i++)
        close(message.descriptors[i]);
    free(message.descriptors);
    free(message.bytes);
    return outcome;
}

static void act_put(void *ring)
{
    put(ring, "new");
}

static void act_put_descriptor(void *ring)
{
    put_text(ring, "new+", 5, 1);
}

static void act_get(void *ring)
{
    struct lc_ring_message message;

    lc_ring_get(ring, &message);
}

static void act_shut(void *ring)
{
    lc_ring_shut(ring, false);
}

static void act_shut_at_once(void *ring)
{
    lc_ring_shut(ring, true);
}

static void act_count(void *ring)
{
    lc_ring_count(ring);
}

static void put_one(struct lc_message_ring *ring)
{
    put(ring, "one");
}

static void put_two(struct lc_message_ring *ring)
{
    put(ring, "one");
    put_text(ring, "two+", 5, 1);
}

static void put_descriptor(struct lc_message_ring *ring)
{
    put_text(ring, "two+", 5, 1);
}

/* So that memory is given back when it is empty. */
static void put_after_much(struct lc_message_ring *ring)
{
    size_t size = (size_t)2 << 20, descriptors;
    char *much = calloc(1, size), text[16];

    assert_non_null(much);
    put_text(ring, much, size, 0);
    put(ring, "one");
    get(ring, text, &descriptors);
    free(much);
}

static void put_none(struct lc_message_ring *ring)
{
    (void)ring;
}

static bool is_up(int flag)
{
    struct pollfd poller = {flag, POLLIN, 0};

    return poll(&poller, 1, 0) == 1;
}

/* The flags as they are when nobody has died. */
static void check_flags(struct lc_message_ring *ring, uint64_t count)
{
    assert_int_equal(lc_ring_count(ring), count);
    assert_int_equal(is_up(ring->messages), count > 0);
    assert_int_equal(is_up(ring->places), count < MAX);
}

/* Takes what is there: each message is whole, and they are in order. */
static void check_messages(struct lc_message_ring *ring, uint64_t count)
{
    static const char *const order[] = {"one", "two+", "new", "new+"};
    char text[16];
    size_t at = 0, descriptors;

    for (; count > 0; count--) {
        assert_int_equal(get(ring, text, &descriptors), LC_RING_DONE);
        while (at < 4 && strcmp(order[at], text) != 0)
            at++;
        assert_true(at++ < 4);
        assert_int_equal(descriptors, strchr(text, '+') != NULL);
    }
}

/* Somebody may have died over it: who waits for something that can be had is woken, and all is as if he had not
 * begun, or had come to the end. */
static void check_ring(struct lc_message_ring *ring)
{
    bool places = is_up(ring->places), messages = is_up(ring->messages);
    uint64_t count = lc_ring_count(ring);
    bool shut = lc_ring_room(ring) == LC_RING_SHUT;
    char text[16];
    size_t descriptors;

    assert_true(count <= MAX);
    assert_true(messages || (count == 0 && !shut));
    assert_true(places || (count == MAX && !shut));
    if (!shut)
        check_flags(ring, count);
    check_messages(ring, count);
    if (shut) {
        assert_int_equal(get(ring, text, &descriptors), LC_RING_SHUT);
        assert_true(is_up(ring->messages) && is_up(ring->places));
        return;
    }
    assert_int_equal(get(ring, text, &descriptors), LC_RING_WAIT);
    for (uint64_t i = 0; i < MAX; i++) {
        check_flags(ring, i);
        assert_int_equal(put(ring, "again"), LC_RING_DONE);
    }
    assert_int_equal(put(ring, "too much"), LC_RING_WAIT);
    check_flags(ring, MAX);
    assert_int_equal(get(ring, text, &descriptors), LC_RING_DONE);
    check_flags(ring, MAX - 1);
}

static struct lc_message_ring *ring_new(void (*prepare)(struct lc_message_ring *ring))
{
    struct lc_message_ring *ring = lc_message_ring_new(MAX, (uint64_t)4 << 20);

    assert_non_null(ring);
    prepare(ring);
    return ring;
}

static void ring_free(struct lc_message_ring *ring)
{
    lc_shared_release(&ring->shared);
}

static const struct {
    void (*prepare)(struct lc_message_ring *ring);
    void (*act)(void *ring);
    bool twice; /* and the one who comes next dies, too */
} deaths[] = {{put_none, act_put, false},       {put_one, act_put, true},
              {put_two, act_put, false},        {put_none, act_put_descriptor, false},
              {put_one, act_get, true},         {put_two, act_get, false},
              {put_none, act_get, false},       {put_descriptor, act_get, false},
              {put_after_much, act_get, false}, {put_one, act_shut, false},
              {put_two, act_shut, false},       {put_two, act_shut_at_once, true}};

#define DEATHS (sizeof deaths / sizeof deaths[0])

static struct lc_message_ring *ring_of_dead(size_t i, uint64_t moment)
{
    struct lc_message_ring *ring = ring_new(deaths[i].prepare);

    die_in(deaths[i].act, ring, ring->head, moment);
    return ring;
}

/* The moments of an operation. */
static struct life *live(size_t i)
{
    ring_free(ring_of_dead(i, 0));
    return copy_life();
}

static void test_queue(void **state)
{
    (void)state;
    check_traps();
    for (size_t i = 0; i < DEATHS; i++) {
        struct life *first = live(i);

        assert_true(first->count > 2);
        for (size_t j = 0; j < first->count; j += stride(first, 1)) {
            struct lc_message_ring *ring = ring_of_dead(i, first->moments[j]);

            check_ring(ring);
            ring_free(ring);
        }
        free(first);
    }
}

/* One dies, and the next one over what he left, which has more moments than he would have otherwise. */
static void die_twice(size_t i, uint64_t moment, size_t usual)
{
    struct lc_message_ring *ring = ring_of_dead(i, moment);
    struct life *second;

    die_in(act_count, ring, ring->head, 0);
    second = copy_life();
    ring_free(ring);
    for (size_t j = 0; j < second->count && second->count > usual; j += stride(second, usual)) {
        ring = ring_of_dead(i, moment);
        die_in(act_count, ring, ring->head, second->moments[j]);
        check_ring(ring);
        ring_free(ring);
    }
    free(second);
}

static void test_repair(void **state)
{
    struct lc_message_ring *ring;
    size_t usual;

    (void)state;
    check_traps();
    ring = ring_new(put_one);
    die_in(act_count, ring, ring->head, 0);
    usual = life->count;
    ring_free(ring);
    for (size_t i = 0; i < DEATHS; i++) {
        struct life *first = deaths[i].twice ? live(i) : NULL;

        for (size_t j = 0; first != NULL && j < first->count; j += stride(first, usual))
            die_twice(i, first->moments[j], usual);
        free(first);
    }
}

/* ---- locks ---- */

static struct lc_host *host;

/* What the lock protects: two numbers that are the same; and whether who changed them is through. */
static volatile int64_t *numbers(struct lc_region *region)
{
    return (volatile int64_t *)(void *)region->head->elements;
}

static void act_lock(void *region)
{
    bool died;

    host->shared_id = lc_shared_random(); /* this one is another host */
    if (lc_region_try(host, region, &died) != 0)
        return;
    numbers(region)[0]++;
    numbers(region)[1]++;
    if (lc_region_give(host, region) == 0)
        numbers(region)[2] = 1;
}

/* What a helper does for a task that waits. */
static void act_watch(void *region)
{
    lc_region_watch(region, 1000);
}

/* Takes the lock, and says whether its holder died with it: that is told once. */
static bool take_over(struct lc_region *region)
{
    bool died, again;

    assert_int_equal(lc_region_try(host, region, &died), 0);
    assert_int_equal(lc_region_give(host, region), 0);
    assert_int_equal(lc_region_try(host, region, &again), 0);
    assert_false(again);
    assert_int_equal(lc_region_give(host, region), 0);
    return died;
}

static void die_over_lock(void (*act)(void *region), uint64_t moment)
{
    struct lc_region *region = lc_region_new(LC_REGION_ARRAY, LC_REGION_I64, 64, true);
    bool died;

    assert_non_null(region);
    die_in(act, region, region->head, moment);
    died = take_over(region);
    if (numbers(region)[0] != numbers(region)[1])
        assert_true(died);
    if (act == act_watch || numbers(region)[2] == 1)
        assert_false(died);
    lc_shared_release(&region->shared);
}

static void test_lock(void **state)
{
    static void (*const acts[])(void *region) = {act_lock, act_watch};
    lua_State *L = luaL_newstate();

    (void)state;
    check_traps();
    luaL_openlibs(L);
    luaL_requiref(L, "lucio", luaopen_lucio, 1);
    host = lc_host_open(L);
    for (size_t i = 0; i < 2; i++) {
        struct life *first;

        die_over_lock(acts[i], 0);
        first = copy_life();
        for (size_t j = 0; j < first->count; j += stride(first, 1))
            die_over_lock(acts[i], first->moments[j]);
        free(first);
    }
    lua_close(L);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue), cmocka_unit_test(test_repair), cmocka_unit_test(test_lock)};

    return cmocka_run_group_tests_name("shared things of the dead", tests, set_up, tear_down);
}
