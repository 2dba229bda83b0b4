/*
 * post: calls into a host from other threads and signal handlers.
 * Invariant: posts are taken in their order, all of them by one entry of the loop; each is called exactly
 *            once, with the host or, when the host closed first, with NULL.
 * Context:   lucio_post any thread, under the mutex; a trigger's flag is atomic; all else the host's
 *            thread.
 */
#include <stdlib.h>

#include <lauxlib.h>

#include "embed.h"

struct lc_post {
    struct lc_post *next;
    void (*fn)(lucio *host, void *data);
    void *data;
};

struct trigger {
    struct lc_slot slot;          /* in h->triggers */
    struct lc_loop *_Atomic loop; /* NULL once the host is closed */
    atomic_bool fired;
    void (*fn)(lucio *host, void *data);
    void *data;
    struct lc_entry entry;
};

/* Takes all posts there are, in order. */
static struct lc_post *take_posts(struct lucio *h)
{
    struct lc_post *first;

    pthread_mutex_lock(&h->mutex);
    first = h->first;
    h->first = NULL;
    h->last = &h->first;
    pthread_mutex_unlock(&h->mutex);
    return first;
}

/* Calls the posts with the host, or with NULL. */
static void call_posts(struct lc_post *post, struct lucio *h)
{
    while (post != NULL) {
        struct lc_post *next = post->next;

        post->fn(h, post->data);
        free(post);
        post = next;
    }
}

static void posted_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lucio *h = lc_container_of(entry, struct lucio, posted);
    struct lc_call *outer;

    (void)loop;
    outer = lc_embed_begin_call(h, NULL);
    call_posts(take_posts(h), h);
    lc_embed_end_call(h, outer);
}

static const struct lc_entry_type posted_entry = {posted_run, NULL, NULL, NULL};

static void trigger_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct trigger *trigger = lc_container_of(entry, struct trigger, entry);
    struct lucio *h = trigger->slot.h;
    struct lc_call *outer;

    (void)loop;
    outer = lc_embed_begin_call(h, NULL);
    trigger->fn(h, trigger->data);
    lc_embed_end_call(h, outer);
}

static const struct lc_entry_type trigger_entry = {trigger_run, NULL, NULL, NULL};

/* The loop takes what was posted to it. */
static void on_posted(struct lc_loop *loop)
{
    struct lucio *h = loop->host->embed;
    bool any;

    if (h == NULL || h->loop != loop)
        return;
    pthread_mutex_lock(&h->mutex);
    any = h->first != NULL;
    pthread_mutex_unlock(&h->mutex);
    if (any && !lc_entry_is_queued(&h->posted))
        lc_loop_ready(loop, &h->posted);
    for (struct lc_link *link = h->triggers.next; link != &h->triggers; link = link->next) {
        struct trigger *trigger = lc_container_of(link, struct trigger, slot.link);

        if (atomic_exchange(&trigger->fired, false) && !lc_entry_is_queued(&trigger->entry))
            lc_loop_ready(loop, &trigger->entry);
    }
}

void lc_embed_open_posts(struct lucio *h)
{
    lc_entry_init(&h->posted, &posted_entry);
    h->last = &h->first;
    h->posting = true;
    h->loop->host->on_posted = on_posted;
}

void lc_embed_abandon_posts(struct lucio *h)
{
    pthread_mutex_lock(&h->mutex);
    h->posting = false;
    pthread_mutex_unlock(&h->mutex);
    lc_list_unlink(&h->posted.link);
    call_posts(take_posts(h), NULL);
    while (!lc_list_empty(&h->triggers)) {
        struct trigger *trigger =
            lc_container_of(lc_list_pop(&h->triggers), struct trigger, slot.link);

        atomic_store(&trigger->loop, NULL);
        lc_list_unlink(&trigger->entry.link);
    }
}

int lucio_post(lucio *h, void (*fn)(lucio *host, void *data), void *data)
{
    struct lc_post *post;
    bool open;

    if (h == NULL || fn == NULL)
        return LUCIO_INVALID;
    post = malloc(sizeof *post);
    if (post == NULL)
        return LUCIO_NO_MEMORY;
    post->next = NULL;
    post->fn = fn;
    post->data = data;
    pthread_mutex_lock(&h->mutex);
    open = h->posting;
    if (open) {
        *h->last = post;
        h->last = &post->next;
        /* under the mutex: the loop cannot close meanwhile */
        lc_loop_post(h->loop);
    }
    pthread_mutex_unlock(&h->mutex);
    if (open)
        return LUCIO_OK;
    free(post);
    return LUCIO_CLOSED;
}

int lucio_trigger_new(lucio *h, void (*fn)(lucio *host, void *data), void *data,
                      lucio_trigger **out)
{
    int status = lc_embed_enter_out(h, out);
    struct trigger *trigger;

    if (status == LUCIO_OK && fn == NULL)
        status = lc_embed_refuse(h, LUCIO_INVALID, "lucio_trigger_new: no function");
    if (status != LUCIO_OK)
        return status;
    trigger = lc_slot_take(h, LC_SLOT_TRIGGER, sizeof *trigger);
    if (trigger == NULL)
        return lc_embed_refuse(h, LUCIO_NO_MEMORY, "not enough memory");
    lucio_retain(h);
    atomic_init(&trigger->loop, h->loop);
    atomic_init(&trigger->fired, false);
    trigger->fn = fn;
    trigger->data = data;
    lc_entry_init(&trigger->entry, &trigger_entry);
    lc_list_append(&h->triggers, &trigger->slot.link);
    *out = lc_slot_handle(&trigger->slot);
    return LUCIO_OK;
}

void lucio_trigger_fire(lucio_trigger *handle)
{
    struct trigger *trigger = lc_slot_find(handle, LC_SLOT_TRIGGER);
    struct lc_loop *loop = trigger != NULL ? atomic_load(&trigger->loop) : NULL;

    if (loop == NULL)
        return;
    atomic_store(&trigger->fired, true);
    lc_loop_post(loop);
}

void lucio_trigger_free(lucio_trigger *handle)
{
    struct trigger *trigger = lc_slot_find(handle, LC_SLOT_TRIGGER);

    if (trigger == NULL) {
        lc_slot_refuse(handle, __func__);
        return;
    }
    atomic_store(&trigger->loop, NULL);
    lc_list_unlink(&trigger->entry.link);
    lc_slot_give(&trigger->slot);
    lucio_release(trigger->slot.h);
}
