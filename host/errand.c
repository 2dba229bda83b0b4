#include "errand.h"

#include <pthread.h>
#include <stdlib.h>

#include <lauxlib.h>

#include "anchor.h"
#include "host.h"
#include "loop.h"

/* The memory is malloc's: whichever thread is last frees it. */
struct lc_errand_box {
    pthread_mutex_t mutex;
    struct lc_loop *loop; /* NULL: it has closed */
    struct lc_errand *first, **last;
    unsigned users; /* the loop, and each errand under way */
};

static struct lc_errand_box *box_new(struct lc_loop *loop)
{
    struct lc_errand_box *box = malloc(sizeof *box);

    if (box == NULL)
        return NULL;
    pthread_mutex_init(&box->mutex, NULL);
    box->loop = loop;
    box->first = NULL;
    box->last = &box->first;
    box->users = 1;
    return box;
}

/* Unlocks the box for one of its users, who goes. */
static void box_leave(struct lc_errand_box *box)
{
    bool last = --box->users == 0;

    pthread_mutex_unlock(&box->mutex);
    if (!last)
        return;
    pthread_mutex_destroy(&box->mutex);
    free(box);
}

void lc_errand_begin(lua_State *L, struct lc_loop *loop, struct lc_errand *errand,
                     const struct lc_errand_type *type, int idx)
{
    idx = lua_absindex(L, idx);
    if (loop->errand_box == NULL)
        loop->errand_box = box_new(loop);
    if (loop->errand_box == NULL)
        luaL_error(L, "not enough memory");
    lua_pushvalue(L, idx);
    errand->future = lc_anchor(L, loop->host);
    lc_entry_init(&errand->entry, &type->entry);
    lc_list_init(&errand->link);
    lc_list_append(&loop->errands, &errand->link);
    errand->box = loop->errand_box;
    pthread_mutex_lock(&errand->box->mutex);
    errand->box->users++;
    pthread_mutex_unlock(&errand->box->mutex);
    loop->workers++;
}

bool lc_errand_post(struct lc_errand *errand)
{
    struct lc_errand_box *box = errand->box;
    bool open;

    pthread_mutex_lock(&box->mutex);
    open = box->loop != NULL;
    if (open) {
        bool first = box->first == NULL;

        errand->next = NULL;
        *box->last = errand;
        box->last = &errand->next;
        /* under the mutex: the loop cannot close meanwhile */
        if (first)
            lc_loop_post(box->loop);
    }
    box_leave(box);
    return open;
}

/* The errand is no longer under way. */
static void errand_arrived(struct lc_loop *loop, struct lc_errand *errand)
{
    lc_list_unlink(&errand->link);
    errand->box = NULL;
    loop->workers--;
}

void lc_errand_withdraw(lua_State *L, struct lc_loop *loop, struct lc_errand *errand)
{
    pthread_mutex_lock(&errand->box->mutex);
    box_leave(errand->box);
    errand_arrived(loop, errand);
    lc_anchor_drop(L, loop->host, &errand->future);
}

void lc_errand_push_future(lua_State *L, struct lc_loop *loop, struct lc_errand *errand)
{
    lc_anchor_push(L, loop->host, errand->future);
    lc_anchor_drop(L, loop->host, &errand->future);
}

/* Takes all that was posted, in order. */
static struct lc_errand *box_empty(struct lc_errand_box *box)
{
    struct lc_errand *first = box->first;

    box->first = NULL;
    box->last = &box->first;
    return first;
}

/* Queues a list of what was posted. */
static void queue_all(struct lc_loop *loop, struct lc_errand *errand)
{
    while (errand != NULL) {
        struct lc_errand *next = errand->next;

        errand_arrived(loop, errand);
        lc_loop_ready(loop, &errand->entry);
        errand = next;
    }
}

void lc_errands_take(struct lc_loop *loop)
{
    struct lc_errand *first;

    if (loop->errand_box == NULL)
        return;
    pthread_mutex_lock(&loop->errand_box->mutex);
    first = box_empty(loop->errand_box);
    pthread_mutex_unlock(&loop->errand_box->mutex);
    queue_all(loop, first);
}

void lc_errands_abandon(lua_State *L, struct lc_loop *loop)
{
    struct lc_errand_box *box = loop->errand_box;

    if (box == NULL)
        return;
    /* under the mutex: their threads could free them meanwhile */
    pthread_mutex_lock(&box->mutex);
    box->loop = NULL;
    queue_all(loop, box_empty(box)); /* is forgotten with all that is ready */
    while (!lc_list_empty(&loop->errands)) {
        struct lc_errand *errand = lc_container_of(loop->errands.next, struct lc_errand, link);
        const struct lc_errand_type *type =
            lc_container_of(errand->entry.type, const struct lc_errand_type, entry);

        lc_list_unlink(&errand->link);
        lc_anchor_drop(L, loop->host, &errand->future);
        loop->workers--;
        if (type->abandon != NULL && type->abandon(errand))
            box->users--;
    }
    loop->errand_box = NULL;
    box_leave(box);
}
