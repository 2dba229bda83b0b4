#include "spin.h"

#include <sched.h>
#include <string.h>
#include <time.h>

/* Between two looks at the clock. */
#define LOOKS 8

static int64_t now_nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Lets the other thread of the processor's core go on, and saves power. */
static inline void pause_processor(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

static bool has_one_processor(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) < 2;
}

void lc_spin_init(struct lc_spin *spin, const struct lc_spin_type *type)
{
    memset(spin, 0, sizeof *spin);
    spin->type = type;
}

bool lc_spin_wants(struct lc_spin *spin)
{
    if (!spin->counted) {
        spin->alone = has_one_processor();
        spin->counted = true;
    }
    if (spin->alone)
        return false;
    if (spin->rest == 0)
        return true;
    spin->rest--;
    return false;
}

void lc_spin_learn(struct lc_spin *spin, bool set, int64_t passed)
{
    if (set && passed <= LC_SPIN_QUICK) {
        spin->failures /= 2;
        spin->slow = 0;
        return;
    }
    if (set && ++spin->slow < spin->type->slow)
        return;
    spin->slow = 0;
    if ((1U << spin->failures) <= spin->type->rest)
        spin->failures++;
    spin->rest = (1U << spin->failures) - 1;
}

bool lc_spin_look(struct lc_spin *spin, const atomic_bool *flag)
{
    int64_t from = now_nanoseconds(), passed = 0;
    bool set;

    do {
        for (int i = 0; i < LOOKS && !(set = atomic_load_explicit(flag, memory_order_acquire)); i++)
            pause_processor();
        passed = now_nanoseconds() - from;
    } while (!set && passed < spin->type->limit);
    lc_spin_learn(spin, set, passed);
    return set;
}

void lc_spin_mutex_init(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
#ifdef __GLIBC__
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}
