#include "timer.h"

#include <string.h>

#include "host.h"

static bool before(const struct lc_deadline *a, const struct lc_deadline *b)
{
    return a->when < b->when || (a->when == b->when && a->sequence < b->sequence);
}

static void heap_set(struct lc_timers *timers, uint32_t index, struct lc_deadline deadline)
{
    timers->heap[index] = deadline;
    deadline.timer->index = index;
}

static void heap_up(struct lc_timers *timers, uint32_t index, struct lc_deadline deadline)
{
    while (index > 1 && before(&deadline, &timers->heap[index / 2])) {
        heap_set(timers, index, timers->heap[index / 2]);
        index /= 2;
    }
    heap_set(timers, index, deadline);
}

static void heap_down(struct lc_timers *timers, uint32_t index, struct lc_deadline deadline)
{
    for (;;) {
        uint32_t child = index * 2;

        if (child > timers->count)
            break;
        if (child < timers->count && before(&timers->heap[child + 1], &timers->heap[child]))
            child++;
        if (!before(&timers->heap[child], &deadline))
            break;
        heap_set(timers, index, timers->heap[child]);
        index = child;
    }
    heap_set(timers, index, deadline);
}

bool lc_timers_add(struct lc_host *host, struct lc_timers *timers, struct lc_timer *timer,
                   double when)
{
    if (timers->count + 1 >= timers->capacity) {
        uint32_t capacity = timers->capacity ? timers->capacity * 2 : 64;
        struct lc_deadline *heap = lc_realloc(host, timers->heap, timers->capacity * sizeof *heap,
                                              capacity * sizeof *heap);

        if (heap == NULL)
            return false;
        timers->heap = heap;
        timers->capacity = capacity;
    }
    timers->count++;
    heap_up(timers, timers->count, (struct lc_deadline){when, timers->sequence++, timer});
    return true;
}

void lc_timers_remove(struct lc_timers *timers, struct lc_timer *timer)
{
    uint32_t index = timer->index;
    struct lc_deadline last = timers->heap[timers->count--];

    timer->index = 0;
    if (last.timer == timer)
        return;
    if (index > 1 && before(&last, &timers->heap[index / 2]))
        heap_up(timers, index, last);
    else
        heap_down(timers, index, last);
}

void lc_timers_free(struct lc_host *host, struct lc_timers *timers)
{
    lc_realloc(host, timers->heap, timers->capacity * sizeof *timers->heap, 0);
    memset(timers, 0, sizeof *timers);
}
