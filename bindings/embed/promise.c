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

struct lucio_future {
    struct lucio_ref ref; /* first: a future's handle is a reference */
    struct lc_entry entry;
    void (*fn)(lucio_future *future, void *data);
    void *data;
    struct lc_error_texts texts;
    bool waiting; /* the entry is linked or queued */
};

/* ---- handles ---- */

static void done_run(struct lc_loop *loop, struct lc_entry *entry)
{
    lucio_future *future = lc_container_of(entry, lucio_future, entry);
    struct lucio *h = future->ref.h;

    (void)loop;
    future->waiting = false;
    lc_embed_begin_call(h);
    future->fn(future, future->data);
    lc_embed_end_call(h);
}

static void done_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    (void)L;
    (void)loop;
    lc_container_of(entry, lucio_future, entry)->waiting = false;
}

static const struct lc_entry_type done_entry = {done_run, done_forget, NULL, NULL};

struct lucio_future *lc_embed_future_new(lua_State *L, struct lucio *h)
{
    lucio_future *future = (lucio_future *)lc_embed_ref_new(L, h, sizeof *future);

    future->ref.is_future = true;
    lc_entry_init(&future->entry, &done_entry);
    return future;
}

void lc_embed_abandon_future(lucio_future *future)
{
    lc_list_unlink(&future->entry.link);
    future->waiting = false;
}

void lucio_future_free(lucio_future *future)
{
    if (future == NULL)
        return;
    lc_list_unlink(&future->entry.link);
    lc_embed_free_texts(future->ref.h, &future->texts);
    lc_embed_ref_drop(&future->ref, sizeof *future);
}

struct lc_future *lc_embed_future(lucio_future *future)
{
    struct lucio *h = future->ref.h;
    lua_State *L = lc_embed_state(h);
    struct lc_future *found;

    lc_anchor_push(L, h->host, future->ref.anchor);
    found = lc_to_future(L, -1);
    lua_pop(L, 1);
    return found;
}

/* ---- making ---- */

struct promise_args {
    struct lucio *h;
    lucio_future *future, **made;
    lucio_ref *awaitable;
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
    int status = lc_embed_enter(h);

    *future = NULL;
    return status != LUCIO_OK ? status : lc_embed_protect(h, make, &args);
}

static int make_of(lua_State *L)
{
    struct promise_args *args = lua_touserdata(L, 1);
    struct lucio *h = args->h;

    lc_anchor_push(L, h->host, args->awaitable->anchor);
    if (!lc_is_awaitable(L, 2))
        lc_raise_argument(L, h->host, LC_TYPE_ERROR, "lucio_future_of", 1, "awaitable", 2);
    if (lc_to_future(L, 2) == NULL)
        lc_create_task(L, h->host, h->loop, lc_push_body(L, h->host, 2), 0, LC_TASK_PLAIN);
    *args->made = lc_embed_future_new(L, h);
    return 0;
}

int lucio_future_of(lucio_ref *awaitable, lucio_future **future)
{
    struct promise_args args = {.awaitable = awaitable, .made = future};
    int status;

    *future = NULL;
    if (awaitable == NULL)
        return LUCIO_INVALID;
    args.h = awaitable->h;
    status = lc_embed_enter(args.h);
    return status != LUCIO_OK ? status : lc_embed_protect(args.h, make_of, &args);
}

/* ---- completing ---- */

/* Pushes the future of the arguments, which C may complete. */
static void push_pending(lua_State *L, struct promise_args *args)
{
    lc_anchor_push(L, args->h->host, args->future->ref.anchor);
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

    lc_anchor_push(L, args->h->host, args->future->ref.anchor);
    lua_pushstring(L, args->text);
    args->done = !lc_future_cancel(L, 2, args->text != NULL ? 3 : 0);
    return 0;
}

/* Runs one of the functions above. */
static int complete(struct promise_args *args, lua_CFunction fn)
{
    int status;

    if (args->future == NULL)
        return LUCIO_INVALID;
    args->h = args->future->ref.h;
    status = lc_embed_enter(args->h);
    if (status == LUCIO_OK)
        status = lc_embed_protect(args->h, fn, args);
    return status == LUCIO_ERROR ? LUCIO_INVALID : status;
}

int lucio_future_set_result(lucio_future *future, size_t n, const struct lucio_value *results)
{
    struct promise_args args = {.future = future, .n = n, .values = results};

    return complete(&args, set_result);
}

int lucio_future_set_error(lucio_future *future, const char *class_name, const char *message)
{
    struct promise_args args = {.future = future, .class_name = class_name, .text = message};

    return complete(&args, set_error);
}

int lucio_future_cancel(lucio_future *future, const char *message)
{
    struct promise_args args = {.future = future, .text = message};
    int status = complete(&args, cancel);

    return status == LUCIO_OK && args.done ? LUCIO_INVALID : status;
}

/* ---- looking ---- */

int lucio_future_status(lucio_future *future)
{
    int status;

    if (future == NULL)
        return LUCIO_INVALID;
    status = lc_embed_enter(future->ref.h);
    if (status != LUCIO_OK)
        return status;
    switch (lc_embed_future(future)->state) {
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

size_t lucio_future_count(lucio_future *future)
{
    if (lucio_future_status(future) != LUCIO_OK)
        return 0;
    return (size_t)lc_embed_future(future)->result_count;
}

struct result_args {
    struct lucio *h;
    lucio_future *future;
    size_t i;
    struct lucio_value value;
};

/* The string stays in the future, which the handle holds. */
static int read_result(lua_State *L)
{
    struct result_args *args = lua_touserdata(L, 1);
    int n;

    lc_anchor_push(L, args->h->host, args->future->ref.anchor);
    lc_future_push_outcome(L, 2, &n);
    if (args->i < (size_t)n)
        args->value = lc_embed_to_value(L, args->h, 3 + (int)args->i);
    return 0;
}

struct lucio_value lucio_future_result(lucio_future *future, size_t i)
{
    struct result_args args = {.future = future, .i = i, .value = {.type = LUCIO_NIL}};

    if (lucio_future_status(future) != LUCIO_OK)
        return lucio_nil();
    args.h = future->ref.h;
    lc_embed_protect(args.h, read_result, &args);
    return args.value;
}

static int read_error(lua_State *L)
{
    struct promise_args *args = lua_touserdata(L, 1);

    lc_anchor_push(L, args->h->host, args->future->ref.anchor);
    lc_future_push_error(L, 2);
    lc_embed_read_error(L, args->h, -1, &args->future->texts);
    return 0;
}

const struct lucio_error *lucio_future_error(lucio_future *future)
{
    struct promise_args args = {.future = future};
    int status = lucio_future_status(future);

    if (status != LUCIO_ERROR && status != LUCIO_CANCELLED)
        return NULL;
    args.h = future->ref.h;
    if (future->texts.error.message == NULL)
        lc_embed_protect(args.h, read_error, &args);
    return future->texts.error.message != NULL ? &future->texts.error : NULL;
}

int lucio_future_on_done(lucio_future *future, void (*fn)(lucio_future *future, void *data),
                         void *data)
{
    int status;

    if (future == NULL)
        return LUCIO_INVALID;
    status = lc_embed_enter(future->ref.h);
    if (status != LUCIO_OK)
        return status;
    future->fn = fn;
    future->data = data;
    if (fn == NULL) {
        lc_list_unlink(&future->entry.link);
        future->waiting = false;
    } else if (!future->waiting) {
        future->waiting = true;
        lc_future_add_entry(lc_embed_future(future), &future->entry);
    }
    return LUCIO_OK;
}

/* ---- names ---- */

static int read_name(lua_State *L)
{
    struct promise_args *args = lua_touserdata(L, 1);

    lc_anchor_push(L, args->h->host, args->future->ref.anchor);
    lc_task_push_name(L, lc_to_task(L, 2), 2);
    luaL_tolstring(L, -1, NULL);
    args->text = lua_tostring(L, -1);
    lc_anchor_set(L, args->h->host, args->h->scratch);
    return 0;
}

const char *lucio_task_name(lucio_future *task)
{
    struct promise_args args = {.future = task};

    if (task == NULL || lc_embed_enter(task->ref.h) != LUCIO_OK ||
        lc_embed_future(task)->object.type != &lc_task_type)
        return NULL;
    args.h = task->ref.h;
    lc_embed_protect(args.h, read_name, &args);
    return args.text;
}

static int set_name(lua_State *L)
{
    struct promise_args *args = lua_touserdata(L, 1);

    lc_anchor_push(L, args->h->host, args->future->ref.anchor);
    if (lc_to_task(L, -1) == NULL)
        lc_raise(L, args->h->host, LC_TYPE_ERROR, "a future that is no task has no name");
    lua_pushstring(L, args->text);
    lc_future_set_extra(L, -2, LC_EXTRA_NAME);
    return 0;
}

int lucio_task_set_name(lucio_future *task, const char *name)
{
    struct promise_args args = {.future = task, .text = name};

    return complete(&args, set_name);
}
