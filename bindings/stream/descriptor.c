/*
 * descriptor: a task that waits until a descriptor is ready.
 * Owner: the object is on the waiting task's stack and owns the watcher, never the descriptor unless it
 *        was told to; the loop knows it while it watches.
 */
#include "descriptor.h"

#include <unistd.h>

#include <lauxlib.h>

#include "connect.h"
#include "core.h"
#include "streams.h"

const struct lc_type lc_descriptor_type = {"descriptor", sizeof(struct lc_descriptor)};
static const struct lc_wait_type descriptor_wait = {"a descriptor", NULL};

static void on_ready(struct ev_loop *ev, ev_io *io, int events)
{
    struct lc_descriptor *descriptor = lc_container_of(io, struct lc_descriptor, io);

    (void)ev;
    (void)events;
    if (!lc_entry_is_queued(&descriptor->entry))
        lc_loop_ready(descriptor->loop, &descriptor->entry);
}

static void stop(struct lc_descriptor *descriptor)
{
    struct lc_loop *loop = descriptor->loop;

    if (loop == NULL)
        return;
    ev_io_stop(loop->ev, &descriptor->io);
    lc_list_unlink(&descriptor->entry.link);
    lc_list_unlink(&descriptor->link);
    loop->io--;
    loop->writing -= (descriptor->io.events & EV_WRITE) != 0;
    loop->host->watchers--;
    descriptor->loop = NULL;
}

static void descriptor_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_descriptor *descriptor = lc_container_of(entry, struct lc_descriptor, entry);

    (void)loop;
    stop(descriptor);
    if (!lc_list_empty(&descriptor->waiters))
        lc_waiter_wake(lc_waiter_of(descriptor->waiters.next));
}

static const struct lc_entry_type descriptor_entry = {descriptor_run, NULL, NULL, NULL};

struct lc_descriptor *lc_descriptor_new(lua_State *L, struct lc_host *host)
{
    struct lc_descriptor *descriptor =
        lc_new_object(L, host, &lc_descriptor_type, LC_REF_DESCRIPTOR, sizeof *descriptor, 0);

    lc_list_init(&descriptor->link);
    lc_list_init(&descriptor->waiters);
    lc_entry_init(&descriptor->entry, &descriptor_entry);
    descriptor->owned = -1;
    return descriptor;
}

int lc_descriptor_wait(lua_State *L, struct lc_task *task, struct lc_descriptor *descriptor,
                       int idx, int fd, int events, lua_KContext ctx, lua_KFunction k)
{
    struct lc_loop *loop = task->future.loop;

    ev_io_init(&descriptor->io, on_ready, fd, events);
    ev_io_start(loop->ev, &descriptor->io);
    descriptor->loop = loop;
    lc_list_append(&loop->descriptors, &descriptor->link);
    loop->io++;
    loop->writing += (events & EV_WRITE) != 0;
    loop->host->watchers++;
    lc_list_append(&descriptor->waiters, &task->waiter.link);
    lc_wait_begin(L, task, &descriptor_wait, idx);
    return lc_wait_yield(L, task, ctx, k);
}

bool lc_descriptor_wait_end(lua_State *L, struct lc_task *task, struct lc_descriptor *descriptor)
{
    lc_list_unlink(&task->waiter.link);
    stop(descriptor);
    if (!lc_wait_end(L, task))
        return false;
    lc_descriptor_close(descriptor);
    return true;
}

int lc_descriptor_give(struct lc_descriptor *descriptor)
{
    int fd = descriptor->owned;

    descriptor->owned = -1;
    return fd;
}

void lc_descriptor_close(struct lc_descriptor *descriptor)
{
    if (descriptor->owned >= 0)
        close(lc_descriptor_give(descriptor));
}

void lc_descriptors_abandon(struct lc_loop *loop)
{
    while (!lc_list_empty(&loop->descriptors)) {
        struct lc_descriptor *descriptor =
            lc_container_of(loop->descriptors.next, struct lc_descriptor, link);

        stop(descriptor);
        lc_descriptor_close(descriptor);
    }
}

static int descriptor_gc(lua_State *L)
{
    struct lc_descriptor *descriptor = lc_to_finalize(L, &lc_descriptor_type);

    if (descriptor == NULL)
        return 0;
    stop(descriptor);
    lc_descriptor_close(descriptor);
    return 0;
}

void lc_open_descriptor(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg metamethods[] = {{"__gc", descriptor_gc}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_DESCRIPTOR, "lucio.descriptor", NULL, metamethods);
}
