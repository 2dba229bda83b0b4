#include "timer.h"

#include <string.h>

#include "host.h"

static bool timer_before(const struct lc_timer *a, const struct lc_timer *b)
{
    return a->when < b->when || (a->when == b->when && a->sequence < b->sequence);
}

static void heap_set(struct lc_timers *timers, uint32_t index, struct lc_timer *timer)
{
    timers->heap[index] = timer;
    timer->index = index;
}

static void heap_up(struct lc_timers *timers, uint32_t index, struct lc_timer *timer)
{
    while (index > 1 && timer_before(timer, timers->heap[index / 2])) {
        heap_set(timers, index, timers->heap[index / 2]);
        index /= 2;
    }
    heap_set(timers, index, timer);
}

static void heap_down(struct lc_timers *timers, uint32_t index, struct lc_timer *timer)
{
    for (;;) {
        uint32_t child = index * 2;

        if (child > timers->count)
            break;
        if (child < timers->count && timer_before(timers->heap[child + 1], timers->heap[child]))
            child++;
        if (!timer_before(timers->heap[child], timer))
            break;
        heap_set(timers, index, timers->heap[child]);
        index = child;
    }
    heap_set(timers, index, timer);
}

bool lc_timers_add(struct lc_host *host, struct lc_timers *timers, struct lc_timer *timer,
                   double when)
{
    if (timers->count + 1 >= timers->capacity) {
        uint32_t capacity = timers->capacity ? timers->capacity * 2 : 64;
        struct lc_timer **heap =
            lc_realloc(host, timers->heap, timers->capacity * sizeof(struct lc_timer *),
                       capacity * sizeof(struct lc_timer *));

        if (heap == NULL)
            return false;
        timers->heap = heap;
        timers->capacity = capacity;
    }
    timer->when = when;
    timer->sequence = timers->sequence++;
    heap_up(timers, ++timers->count, timer);
    return true;
}

void lc_timers_remove(struct lc_timers *timers, struct lc_timer *timer)
{
    uint32_t index = timer->index;
    struct lc_timer *last = timers->heap[timers->count--];

    timer->index = 0;
    if (last == timer)
        return;
    if (index > 1 && timer_before(last, timers->heap[index / 2]))
        heap_up(timers, index, last);
    else
        heap_down(timers, index, last);
}

void lc_timers_free(struct lc_host *host, struct lc_timers *timers)
{
    lc_realloc(host, timers->heap, timers->capacity * sizeof(struct lc_timer *), 0);
    memset(timers, 0, sizeof *timers);
}
