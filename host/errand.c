#include "errand.h"

#include <pthread.h>
#include <stdlib.h>

#include <lauxlib.h>

#include "anchor.h"
#include "host.h"
#include "loop.h"
#include "spin.h"

/* The memory is malloc's: whichever thread is last frees it. */
struct lc_errand_box {
    pthread_mutex_t mutex;
    struct lc_loop *loop; /* NULL: it has closed */
    struct lc_errand *first, **last;
    struct lc_note *first_note, **last_note;
    unsigned users; /* the loop, each errand under way, and who holds it */
};

static struct lc_errand_box *box_new(struct lc_loop *loop)
{
    struct lc_errand_box *box = malloc(sizeof *box);

    if (box == NULL)
        return NULL;
    lc_spin_mutex_init(&box->mutex);
    box->loop = loop;
    box->first = NULL;
    box->last = &box->first;
    box->first_note = NULL;
    box->last_note = &box->first_note;
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

static void make_box(lua_State *L, struct lc_loop *loop)
{
    if (loop->errand_box == NULL)
        loop->errand_box = box_new(loop);
    if (loop->errand_box == NULL)
        luaL_error(L, "not enough memory");
}

void lc_errand_begin(lua_State *L, struct lc_loop *loop, struct lc_errand *errand,
                     const struct lc_errand_type *type, int idx)
{
    idx = lua_absindex(L, idx);
    make_box(L, loop);
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
    if (errand->lasting)
        loop->lasting++;
}

bool lc_errand_post(struct lc_errand *errand)
{
    struct lc_errand_box *box = errand->box;
    bool open;

    pthread_mutex_lock(&box->mutex);
    open = box->loop != NULL;
    if (open) {
        bool first = box->first == NULL && box->first_note == NULL;

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

/* ---- notes ---- */

struct lc_errand_box *lc_errand_box_of(lua_State *L, struct lc_loop *loop)
{
    make_box(L, loop);
    lc_errand_box_hold(loop->errand_box);
    return loop->errand_box;
}

void lc_errand_box_hold(struct lc_errand_box *box)
{
    pthread_mutex_lock(&box->mutex);
    box->users++;
    pthread_mutex_unlock(&box->mutex);
}

void lc_errand_box_release(struct lc_errand_box *box)
{
    pthread_mutex_lock(&box->mutex);
    box_leave(box);
}

bool lc_errand_box_send(struct lc_errand_box *box, struct lc_note *note)
{
    bool open;

    pthread_mutex_lock(&box->mutex);
    open = box->loop != NULL;
    if (open) {
        bool first = box->first == NULL && box->first_note == NULL;

        note->next = NULL;
        *box->last_note = note;
        box->last_note = &note->next;
        if (first)
            lc_loop_post(box->loop);
    }
    pthread_mutex_unlock(&box->mutex);
    return open;
}

struct lc_loop *lc_errand_box_loop(struct lc_errand_box *box, const struct lc_host *host)
{
    struct lc_loop *loop;

    pthread_mutex_lock(&box->mutex);
    loop = box->loop != NULL && box->loop->host == host ? box->loop : NULL;
    pthread_mutex_unlock(&box->mutex);
    return loop;
}

bool lc_errand_box_is_open(struct lc_errand_box *box)
{
    bool open;

    pthread_mutex_lock(&box->mutex);
    open = box->loop != NULL;
    pthread_mutex_unlock(&box->mutex);
    return open;
}

/* Takes all notes, in order. */
static struct lc_note *box_empty_notes(struct lc_errand_box *box)
{
    struct lc_note *first = box->first_note;

    box->first_note = NULL;
    box->last_note = &box->first_note;
    return first;
}

static void queue_notes(struct lc_loop *loop, struct lc_note *note)
{
    while (note != NULL) {
        struct lc_note *next = note->next;

        lc_loop_ready(loop, &note->entry);
        note = next;
    }
}

/* ---- taking what came ---- */

/* The errand is no longer under way. */
static void errand_arrived(struct lc_loop *loop, struct lc_errand *errand)
{
    lc_list_unlink(&errand->link);
    errand->box = NULL;
    loop->workers--;
    if (errand->lasting)
        loop->lasting--;
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
    struct lc_note *notes;

    if (loop->errand_box == NULL)
        return;
    pthread_mutex_lock(&loop->errand_box->mutex);
    notes = box_empty_notes(loop->errand_box);
    first = box_empty(loop->errand_box);
    pthread_mutex_unlock(&loop->errand_box->mutex);
    queue_notes(loop, notes);
    queue_all(loop, first);
    if (loop->lasting == 0 && loop->lasting_over != NULL && !lc_entry_is_queued(loop->lasting_over))
        lc_loop_ready(loop, loop->lasting_over);
}

void lc_errands_abandon(lua_State *L, struct lc_loop *loop)
{
    struct lc_errand_box *box = loop->errand_box;

    if (box == NULL)
        return;
    /* under the mutex: their threads could free them meanwhile */
    pthread_mutex_lock(&box->mutex);
    box->loop = NULL;
    queue_notes(loop, box_empty_notes(box)); /* are forgotten with all that is ready */
    queue_all(loop, box_empty(box));
    while (!lc_list_empty(&loop->errands)) {
        struct lc_errand *errand = lc_container_of(loop->errands.next, struct lc_errand, link);
        const struct lc_errand_type *type =
            lc_container_of(errand->entry.type, const struct lc_errand_type, entry);

        lc_list_unlink(&errand->link);
        lc_anchor_drop(L, loop->host, &errand->future);
        loop->workers--;
        if (errand->lasting)
            loop->lasting--;
        if (type->abandon != NULL && type->abandon(errand))
            box->users--;
    }
    loop->errand_box = NULL;
    box_leave(box);
}
