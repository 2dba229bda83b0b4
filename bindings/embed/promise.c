/*
 * promise: futures and tasks in C's hands.
 * Owner: the handle holds the future by an anchor; its entry is in the future's list of callbacks while
 *        on_done is set and has not run.
 */
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "embed.h"
#include "future.h"

struct promise {
    struct lc_slot slot; /* in h->refs */
    struct lc_entry entry;
    void (*fn)(lucio_future *future, void *data);
    void *data;
    struct lc_error_texts texts;
    bool waiting; /* the entry is linked or queued */
};

/* ---- handles ---- */

static void done_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct promise *promise = lc_container_of(entry, struct promise, entry);
    struct lucio *h = promise->slot.h;
    struct lc_call *outer;

    (void)loop;
    promise->waiting = false;
    outer = lc_embed_begin_call(h, NULL);
    promise->fn(lc_slot_handle(&promise->slot), promise->data);
    lc_embed_end_call(h, outer);
}

static void done_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    (void)L;
    (void)loop;
    lc_container_of(entry, struct promise, entry)->waiting = false;
}

static const struct lc_entry_type done_entry = {done_run, done_forget, NULL, NULL};

lucio_future *lc_embed_future_new(lua_State *L, struct lucio *h)
{
    struct promise *promise = lc_embed_hold(L, h, LC_SLOT_FUTURE, sizeof *promise);

    lc_entry_init(&promise->entry, &done_entry);
    return lc_slot_handle(&promise->slot);
}

void lc_embed_abandon_future(struct lc_slot *slot)
{
    struct promise *promise = lc_container_of(slot, struct promise, slot);

    lc_list_unlink(&promise->entry.link);
    promise->waiting = false;
}

void lucio_future_free(lucio_future *future)
{
    struct promise *promise = lc_slot_find(future, LC_SLOT_FUTURE);

    if (promise == NULL) {
        lc_slot_refuse(future, __func__);
        return;
    }
    lc_list_unlink(&promise->entry.link);
    lc_embed_free_texts(promise->slot.h, &promise->texts);
    lc_embed_let_go(&promise->slot);
}

struct lc_future *lc_embed_future(const struct lc_slot *slot)
{
    lua_State *L = lc_embed_state(slot->h);
    struct lc_future *found;

    lc_embed_push_held(L, slot);
    found = lc_to_future(L, -1);
    lua_pop(L, 1);
    return found;
}

/* lc_embed_enter for the host of the future. */
static int enter(lucio_future *future, struct promise **promise)
{
    return lc_embed_enter_slot(future, LC_SLOT_FUTURE, promise);
}

/* ---- making ---- */

struct promise_args {
    struct lucio *h;
    struct lc_slot *held; /* a future; of lucio_future_of, any reference */
    lucio_future **made;
    size_t n;
    const struct lucio_value *values;
    const char *class_name, *text;
    bool done;
};

static int make(lua_State *L)
{
    struct promise_args *args = lua_touserdata(L, 1);

    lc_future_new(L, args->h->loop);
    *args->made = lc_embed_future_new(L, args->h);
    return 0;
}

int lucio_future_new(lucio *h, lucio_future **future)
{
    struct promise_args args = {.h = h, .made = future};
    int status = lc_embed_enter_out(h, future);

    return status != LUCIO_OK ? status : lc_embed_protect(h, make, &args);
}

static int make_of(lua_State *L)
{
    struct promise_args *args = lua_touserdata(L, 1);
    struct lucio *h = args->h;

    lc_embed_push_held(L, args->held);
    if (!lc_is_awaitable(L, 2))
        lc_raise_argument(L, h->host, LC_TYPE_ERROR, "lucio_future_of", 1, "awaitable", 2);
    if (lc_to_future(L, 2) == NULL)
        lc_create_task(L, h->host, h->loop, lc_push_body(L, h->host, 2), 0, LC_TASK_PLAIN);
    *args->made = lc_embed_future_new(L, h);
    return 0;
}

int lucio_future_of(lucio_ref *awaitable, lucio_future **future)
{
    struct promise_args args = {.made = future};
    int status = lc_embed_enter_ref(awaitable, &args.held);

    if (status == LUCIO_OK)
        status = lc_embed_enter_out(args.held->h, future);
    else if (future != NULL)
        *future = NULL;
    if (status != LUCIO_OK)
        return status;
    args.h = args.held->h;
    return lc_embed_protect(args.h, make_of, &args);
}

/* ---- completing ---- */

/* Pushes the future of the arguments, which C may complete. */
static void push_pending(lua_State *L, struct promise_args *args)
{
    lc_embed_push_held(L, args->held);
    if (lc_to_task(L, -1) != NULL)
        lc_raise(L, args->h->host, LC_RUNTIME_ERROR, "a task's outcome is what its function makes");
    if (lc_future_is_done(lc_to_future(L, -1)))
        lc_raise(L, args->h->host, LC_INVALID_STATE_ERROR, "the future is done already");
}

static int set_result(lua_State *L)
{
    struct promise_args *args = lua_touserdata(L, 1);

    push_pending(L, args);
    lc_embed_push_values(L, args->h, args->n, args->values);
    lc_future_set_result(L, 2, (int)args->n);
    return 0;
}

static int set_error(lua_State *L)
{
    struct promise_args *args = lua_touserdata(L, 1);

    push_pending(L, args);
    lc_embed_push_error(L, args->h, args->class_name, args->text);
    lc_future_set_error(L, 2);
    return 0;
}

static int cancel(lua_State *L)
{
    struct promise_args *args = lua_touserdata(L, 1);

    lc_embed_push_held(L, args->held);
    lua_pushstring(L, args->text);
    args->done = !lc_future_cancel(L, 2, args->text != NULL ? 3 : 0);
    return 0;
}

/* Runs one of the functions above. */
static int complete(lucio_future *future, struct promise_args *args, lua_CFunction fn)
{
    struct promise *promise;
    int status = enter(future, &promise);

    if (status != LUCIO_OK)
        return status;
    args->h = promise->slot.h;
    args->held = &promise->slot;
    return lc_embed_invalid(lc_embed_protect(args->h, fn, args));
}

int lucio_future_set_result(lucio_future *future, size_t n, const struct lucio_value *results)
{
    struct promise_args args = {.n = n, .values = results};

    return complete(future, &args, set_result);
}

int lucio_future_set_error(lucio_future *future, const char *class_name, const char *message)
{
    struct promise_args args = {.class_name = class_name, .text = message};

    return complete(future, &args, set_error);
}

int lucio_future_cancel(lucio_future *future, const char *message)
{
    struct promise_args args = {.text = message};
    int status = complete(future, &args, cancel);

    return status == LUCIO_OK && args.done ? LUCIO_INVALID : status;
}

/* ---- looking ---- */

/* The status of the future, and what is behind its handle. */
static int look(lucio_future *future, struct promise **promise)
{
    int status = enter(future, promise);

    if (status != LUCIO_OK)
        return status;
    switch (lc_embed_future(&(*promise)->slot)->state) {
    case LC_PENDING:
        return LUCIO_PENDING;
    case LC_FINISHED:
        return LUCIO_OK;
    case LC_CANCELLED:
        return LUCIO_CANCELLED;
    default:
        return LUCIO_ERROR;
    }
}

int lucio_future_status(lucio_future *future)
{
    struct promise *promise;

    return look(future, &promise);
}

size_t lucio_future_count(lucio_future *future)
{
    struct promise *promise;

    if (look(future, &promise) != LUCIO_OK)
        return 0;
    return (size_t)lc_embed_future(&promise->slot)->result_count;
}

struct result_args {
    struct lc_slot *held;
    size_t i;
    struct lucio_value value;
};

/* The string stays in the future, which the handle holds. */
static int read_result(lua_State *L)
{
    struct result_args *args = lua_touserdata(L, 1);
    struct lucio *h = args->held->h;
    int n;

    lc_embed_push_held(L, args->held);
    lc_future_push_outcome(L, 2, &n);
    if (args->i < (size_t)n)
        args->value = lc_embed_to_value(L, h, 3 + (int)args->i);
    return 0;
}

struct lucio_value lucio_future_result(lucio_future *future, size_t i)
{
    struct result_args args = {.i = i, .value = {.type = LUCIO_NIL}};
    struct promise *promise;

    if (look(future, &promise) != LUCIO_OK)
        return lucio_nil();
    args.held = &promise->slot;
    lc_embed_protect(promise->slot.h, read_result, &args);
    return args.value;
}

struct error_args {
    struct lc_slot *held;
    struct lc_error_texts texts;
};

static int read_error(lua_State *L)
{
    struct error_args *args = lua_touserdata(L, 1);
    struct lucio *h = args->held->h;

    lc_embed_push_held(L, args->held);
    lc_future_push_error(L, 2);
    lc_embed_read_error(L, h, -1, &args->texts);
    return 0;
}

const struct lucio_error *lucio_future_error(lucio_future *future)
{
    struct promise *promise;
    struct error_args args = {0};
    int status = look(future, &promise);
    struct lucio *h;

    if (status != LUCIO_ERROR && status != LUCIO_CANCELLED)
        return NULL;
    h = promise->slot.h;
    if (promise->texts.error.message == NULL) {
        args.held = &promise->slot;
        lc_embed_protect(h, read_error, &args);
        /* the text of an error may be made by Lua code, during which the handle can be freed or asked again */
        promise = lc_slot_find(future, LC_SLOT_FUTURE);
        if (promise == NULL || promise->texts.error.message != NULL)
            lc_embed_free_texts(h, &args.texts);
        else
            promise->texts = args.texts;
    }
    return promise != NULL && promise->texts.error.message != NULL ? &promise->texts.error : NULL;
}

int lucio_future_on_done(lucio_future *future, void (*fn)(lucio_future *future, void *data),
                         void *data)
{
    struct promise *promise;
    int status = enter(future, &promise);

    if (status != LUCIO_OK)
        return status;
    promise->fn = fn;
    promise->data = data;
    if (fn == NULL) {
        lc_list_unlink(&promise->entry.link);
        promise->waiting = false;
    } else if (!promise->waiting) {
        promise->waiting = true;
        lc_future_add_entry(lc_embed_future(&promise->slot), &promise->entry);
    }
    return LUCIO_OK;
}

/* ---- names ---- */

static int read_name(lua_State *L)
{
    struct promise_args *args = lua_touserdata(L, 1);

    lc_embed_push_held(L, args->held);
    lc_task_push_name(L, lc_to_task(L, 2), 2);
    luaL_tolstring(L, -1, NULL);
    args->text = lua_tostring(L, -1);
    lc_anchor_set(L, args->h->host, args->h->scratch);
    return 0;
}

const char *lucio_task_name(lucio_future *task)
{
    struct promise_args args = {0};
    struct promise *promise;

    if (enter(task, &promise) != LUCIO_OK ||
        lc_embed_future(&promise->slot)->object.type != &lc_task_type)
        return NULL;
    args.h = promise->slot.h;
    args.held = &promise->slot;
    lc_embed_protect(args.h, read_name, &args);
    return args.text;
}

static int set_name(lua_State *L)
{
    struct promise_args *args = lua_touserdata(L, 1);

    lc_embed_push_held(L, args->held);
    if (lc_to_task(L, -1) == NULL)
        lc_raise(L, args->h->host, LC_TYPE_ERROR, "a future that is no task has no name");
    lua_pushstring(L, args->text);
    lc_future_set_extra(L, -2, LC_EXTRA_NAME);
    return 0;
}

int lucio_task_set_name(lucio_future *task, const char *name)
{
    struct promise_args args = {.text = name};

    return complete(task, &args, set_name);
}
