#include "cancel_batch.h"

#include <string.h>

#include <lauxlib.h>

#include "host.h"
#include "task.h"

/* What is known of a task. */
struct node {
    struct lc_task *end; /* of its chain; NULL: not known */
    uint32_t passed;     /* requests that came to it and were not counted yet */
    bool walking;        /* it is in the chain that is being walked */
    bool active;         /* a request is being passed on from there */
};

/* A request on its way; gathers pass it on in turn. */
struct passage {
    struct lc_task *first, *last;
    struct passage *outer;
    bool marked;
};

struct lc_cancel_batch {
    size_t walked;
    struct passage *passage; /* the innermost one */
    struct lc_task **known;  /* who awaits comes after whom it awaits */
    size_t known_count;
    struct node nodes[]; /* by slots */
};

/* The end of the task's chain; NULL: it leads into a circle, or to who is passed a request already. */
static struct lc_task *find_end(struct lc_cancel_batch *batch, struct lc_task *task)
{
    size_t first = batch->known_count, last;
    struct lc_task *at = task, *end = NULL;

    while (at != NULL) {
        struct node *node = &batch->nodes[at->slot];

        if (node->end != NULL || node->walking || at->in_cancel) {
            end = node->end;
            break;
        }
        node->walking = true;
        batch->known[batch->known_count++] = end = at;
        batch->walked++;
        at = lc_cancel_next(at);
    }
    last = batch->known_count;
    for (size_t i = first; i < last; i++) {
        batch->nodes[batch->known[i]->slot].walking = false;
        batch->nodes[batch->known[i]->slot].end = end;
    }
    if (end == NULL)
        batch->known_count = first;
    else
        for (; first + 1 < last; first++) {
            at = batch->known[--last];
            batch->known[last] = batch->known[first];
            batch->known[first] = at;
        }
    return end;
}

/* Counts what was passed along the chains, and forgets them. */
static void settle(struct lc_cancel_batch *batch)
{
    while (batch->known_count > 0) {
        struct lc_task *task = batch->known[--batch->known_count];
        struct node *node = &batch->nodes[task->slot];

        if (node->passed > 0) {
            lc_cancel_count(task, node->passed);
            if (node->end != task)
                batch->nodes[lc_cancel_next(task)->slot].passed += node->passed;
        }
        memset(node, 0, sizeof *node);
    }
}

/* A circle is cut by who meets a mark. So long as none is near, a batch does without. */
static void mark_passages(struct lc_cancel_batch *batch)
{
    for (struct passage *at = batch->passage; at != NULL && !at->marked; at = at->outer) {
        at->marked = true;
        lc_cancel_mark(at->first, at->last, true);
    }
}

bool lc_cancel_batched(lua_State *L, struct lc_host *host, struct lc_task *task, int msg)
{
    struct lc_cancel_batch *batch = host->cancel_batch;
    struct lc_task *end;
    struct passage passage;

    if (batch == NULL)
        return false;
    end = lc_cancel_is_barred(host, task) ? NULL : find_end(batch, task);
    if (end == NULL || batch->nodes[end->slot].active) {
        settle(batch);
        mark_passages(batch);
        return false;
    }
    batch->nodes[task->slot].passed++;
    batch->nodes[end->slot].active = true;
    passage = (struct passage){task, end, batch->passage, false};
    batch->passage = &passage;
    lc_cancel_deliver(L, host, end, msg);
    batch->passage = passage.outer;
    if (passage.marked)
        lc_cancel_mark(task, end, false);
    else
        batch->nodes[end->slot].active = false;
    return true;
}

/* (list) */
static int cancel_list(lua_State *L)
{
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, 1); i++) {
        lua_rawgeti(L, 1, i);
        lc_task_cancel(L, lc_to_task(L, -1), 0);
        lua_settop(L, 1);
    }
    return 0;
}

size_t lc_tasks_cancel(lua_State *L, struct lc_host *host, int list)
{
    size_t slots = host->threads.used + 1;
    size_t size = sizeof(struct lc_cancel_batch) + slots * sizeof(struct node);
    bool collecting = lua_gc(L, LUA_GCISRUNNING) == 1;
    struct lc_cancel_batch *batch;
    size_t walked;
    int status;

    luaL_checkstack(L, 10, NULL);
    list = lua_absindex(L, list);
    batch = lua_newuserdatauv(L, size + slots * sizeof *batch->known, 0);
    memset(batch, 0, size);
    batch->known = (struct lc_task **)(void *)((char *)batch + size);
    if (collecting)
        lua_gc(L, LUA_GCSTOP);
    host->cancel_batch = batch;
    lua_pushcfunction(L, cancel_list);
    lua_pushvalue(L, list);
    status = lua_pcall(L, 1, 0, 0);
    host->cancel_batch = NULL;
    settle(batch);
    if (collecting)
        lua_gc(L, LUA_GCRESTART);
    if (status != LUA_OK)
        lua_error(L);
    walked = batch->walked;
    lua_pop(L, 1);
    return walked;
}
