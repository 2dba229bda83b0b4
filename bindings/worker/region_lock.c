#include "region_lock.h"

#include <errno.h>
#include <time.h>

#include "held_lock.h"
#include "host.h"
#include "region.h"
#include "task.h"

static uint64_t caller(const struct lc_host *host)
{
    return host->current != NULL ? (uint64_t)host->current->id + 1 : 0;
}

bool lc_region_is_held(const struct lc_host *host, const struct lc_region *region)
{
    return host->shared_id != 0 && atomic_load(&region->head->owner) == host->shared_id;
}

/* Locks the mutex; negative: tries. Who died with the lock leaves a note; who had but the mutex, as a helper does or
 * who was about to take or to give the lock, changed nothing. 0 or an errno. */
static int mutex_lock(struct lc_region_head *head, int milliseconds)
{
    struct timespec until;
    int error;

    if (milliseconds < 0) {
        error = pthread_mutex_trylock(&head->mutex);
    } else {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += milliseconds * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        error = pthread_mutex_timedlock(&head->mutex, &until);
    }
    if (error == EOWNERDEAD) {
        if (atomic_load(&head->owner) != 0)
            atomic_store(&head->abandoned, 1);
        atomic_store(&head->owner, 0);
        error = pthread_mutex_consistent(&head->mutex);
    }
    return error;
}

static int take(struct lc_host *host, struct lc_region *region, int milliseconds, bool *died)
{
    struct lc_region_head *head = region->head;
    int error;

    *died = false;
    if (lc_region_is_held(host, region)) {
        if (head->task != caller(host))
            return EBUSY;
        if (!head->recursive)
            return EDEADLK;
        head->depth++;
        return 0;
    }
    error = mutex_lock(head, milliseconds);
    if (error == ETIMEDOUT)
        return EBUSY;
    if (error != 0)
        return error;
    if (host->shared_id == 0)
        host->shared_id = lc_shared_random();
    atomic_store(&head->owner, host->shared_id);
    head->task = caller(host);
    head->depth = 1;
    *died = atomic_exchange(&head->abandoned, 0) != 0;
    lc_list_append(&host->held_locks, &region->held);
    lc_shared_hold(&region->shared);
    return 0;
}

int lc_region_try(struct lc_host *host, struct lc_region *region, bool *died)
{
    return take(host, region, -1, died);
}

int lc_region_try_for(struct lc_host *host, struct lc_region *region, int milliseconds, bool *died)
{
    return take(host, region, milliseconds, died);
}

bool lc_region_watch(struct lc_region *region, int milliseconds)
{
    if (mutex_lock(region->head, milliseconds) != 0)
        return false;
    pthread_mutex_unlock(&region->head->mutex);
    return true;
}

/* The mapping by which the host holds that memory. */
static struct lc_region *find_held(struct lc_host *host, const struct lc_region *region)
{
    for (struct lc_link *link = host->held_locks.next; link != &host->held_locks;
         link = link->next) {
        struct lc_region *held = lc_container_of(link, struct lc_region, held);

        if (held->head->id == region->head->id)
            return held;
    }
    return NULL;
}

/* Unlocks for good. 0, or EPERM: another thread than this one took it. */
static int unlock(struct lc_region *held)
{
    struct lc_region_head *head = held->head;
    uint64_t owner = atomic_exchange(&head->owner, 0), task = head->task, depth = head->depth;
    int error;

    head->task = 0;
    head->depth = 0;
    lc_list_unlink(&held->held);
    error = pthread_mutex_unlock(&head->mutex);
    if (error == 0) {
        lc_shared_release(&held->shared);
        return 0;
    }
    head->task = task;
    head->depth = depth;
    atomic_store(&head->owner, owner);
    return error;
}

int lc_region_give(struct lc_host *host, struct lc_region *region)
{
    struct lc_region_head *head = region->head;
    struct lc_region *held;
    int error;

    if (!lc_region_is_held(host, region) || (head->recursive && head->task != caller(host)))
        return EPERM;
    held = find_held(host, region);
    if (held == NULL)
        return EPERM;
    if (head->depth > 1) {
        head->depth--;
        return 0;
    }
    error = unlock(held);
    if (error != 0)
        lc_list_append(&host->held_locks, &held->held);
    return error;
}

void lc_held_locks_abandon(struct lc_host *host)
{
    while (!lc_list_empty(&host->held_locks)) {
        struct lc_region *held = lc_container_of(host->held_locks.next, struct lc_region, held);

        atomic_store(&held->head->abandoned, 1);
        /* a mutex that another thread took keeps its mapping: that thread's end is yet to come */
        unlock(held);
    }
}
