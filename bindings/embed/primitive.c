/*
 * primitive: queues, locks, events, semaphores and conditions for C: made, used without a wait, and waited for
 * by a task whose future tells when it is done.
 */
#include "primitive.h"

#include <limits.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "embed.h"
#include "primitives.h"

#define END                                                                                        \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }

const struct lc_embed_method lc_embed_acquire[] = {
    {&lc_lock_type, lc_method_lock_acquire},
    {&lc_core_semaphore_type, lc_method_semaphore_acquire},
    {&lc_core_condition_type, lc_condition_acquire},
    END};
const struct lc_embed_method lc_embed_condition_wait[] = {
    {&lc_core_condition_type, lc_condition_wait}, END};
const struct lc_embed_method lc_embed_event_wait[] = {{&lc_core_event_type, lc_method_event_wait},
                                                      END};
const struct lc_embed_method lc_embed_queue_get[] = {{&lc_core_queue_type, lc_method_queue_get},
                                                     END};
const struct lc_embed_method lc_embed_queue_join[] = {{&lc_core_queue_type, lc_method_queue_join},
                                                      END};
const struct lc_embed_method lc_embed_queue_put[] = {{&lc_core_queue_type, lc_method_queue_put},
                                                     END};

static const struct lc_embed_method locked[] = {
    {&lc_lock_type, lc_method_lock_locked},
    {&lc_core_semaphore_type, lc_method_semaphore_locked},
    {&lc_core_condition_type, lc_method_condition_locked},
    END};
static const struct lc_embed_method release[] = {
    {&lc_lock_type, lc_method_lock_release},
    {&lc_core_semaphore_type, lc_method_semaphore_release},
    {&lc_core_condition_type, lc_method_condition_release},
    END};
static const struct lc_embed_method put_nowait[] = {
    {&lc_core_queue_type, lc_method_queue_put_nowait}, END};
static const struct lc_embed_method get_nowait[] = {
    {&lc_core_queue_type, lc_method_queue_get_nowait}, END};
static const struct lc_embed_method qsize[] = {{&lc_core_queue_type, lc_method_queue_qsize}, END};
static const struct lc_embed_method task_done[] = {{&lc_core_queue_type, lc_method_queue_task_done},
                                                   END};
static const struct lc_embed_method shutdown[] = {{&lc_core_queue_type, lc_method_queue_shutdown},
                                                  END};
static const struct lc_embed_method set[] = {{&lc_core_event_type, lc_method_event_set}, END};
static const struct lc_embed_method clear[] = {{&lc_core_event_type, lc_method_event_clear}, END};
static const struct lc_embed_method is_set[] = {{&lc_core_event_type, lc_method_event_is_set}, END};
static const struct lc_embed_method notify[] = {
    {&lc_core_condition_type, lc_method_condition_notify}, END};

static void push_native(lua_State *L, struct lucio *h, lua_CFunction fn)
{
    lua_pushlightuserdata(L, h->host);
    lua_pushcclosure(L, fn, 1);
}

void lc_embed_push_method(lua_State *L, struct lucio *h, int idx,
                          const struct lc_embed_method *methods, const char *what)
{
    const char *expected = methods->type->name;

    while (methods->type != NULL && lc_to_object(L, idx, methods->type) == NULL)
        methods++;
    if (methods->type == NULL)
        lc_raise(L, h->host, LC_TYPE_ERROR, "%s: %s expected, got %s", what, expected,
                 lc_type_name(L, idx));
    push_native(L, h, methods->fn);
}

struct primitive_args {
    struct lucio *h;
    struct lc_slot *ref;
    lucio_ref **made;
    lua_CFunction fn;
    const struct lc_embed_method *methods;
    const char *what;
    size_t n;
    const struct lucio_value *values;
    struct lucio_value *result; /* NULL: there is none */
};

/* ---- making ---- */

static int make(lua_State *L)
{
    struct primitive_args *args = lua_touserdata(L, 1);

    push_native(L, args->h, args->fn);
    lc_embed_push_values(L, args->h, args->n, args->values);
    lua_call(L, (int)args->n, 1);
    *args->made = lc_embed_ref_new(L, args->h);
    return 0;
}

static int new_object(lucio *h, lua_CFunction fn, size_t n, const struct lucio_value *values,
                      lucio_ref **made)
{
    struct primitive_args args = {.h = h, .made = made, .fn = fn, .n = n, .values = values};
    int status = lc_embed_enter_out(h, made);

    return status != LUCIO_OK ? status : lc_embed_invalid(lc_embed_protect(h, make, &args));
}

int lucio_queue_new(lucio *h, enum lucio_order order, long long maxsize, lucio_ref **queue)
{
    static const lua_CFunction makers[] = {lc_method_queue_new, lc_method_lifo_queue_new,
                                           lc_method_priority_queue_new};
    struct lucio_value size = lucio_integer(maxsize);

    if ((unsigned)order >= sizeof makers / sizeof makers[0]) {
        int status = lc_embed_enter_out(h, queue);

        return status != LUCIO_OK
                   ? status
                   : lc_embed_refuse(h, LUCIO_INVALID, "lucio_queue_new: no such order");
    }
    return new_object(h, makers[order], 1, &size, queue);
}

int lucio_lock_new(lucio *h, lucio_ref **lock)
{
    return new_object(h, lc_method_lock_new, 0, NULL, lock);
}

int lucio_event_new(lucio *h, lucio_ref **event)
{
    return new_object(h, lc_method_event_new, 0, NULL, event);
}

int lucio_semaphore_new(lucio *h, long long permits, bool bounded, lucio_ref **semaphore)
{
    struct lucio_value value = lucio_integer(permits);

    return new_object(h, bounded ? lc_method_bounded_semaphore_new : lc_method_semaphore_new, 1,
                      &value, semaphore);
}

int lucio_condition_new(lucio *h, lucio_ref *lock, lucio_ref **condition)
{
    struct lucio_value value = lucio_object(lock);

    return new_object(h, lc_condition_new, lock != NULL, &value, condition);
}

/* ---- without a wait ---- */

static int try_lock(lua_State *L)
{
    lua_pushboolean(L, lc_lock_try(lua_touserdata(L, 1)));
    return 1;
}

static int try_condition(lua_State *L)
{
    lua_pushboolean(L, lc_lock_try(lc_condition_lock(L, 1)));
    return 1;
}

static int try_semaphore(lua_State *L)
{
    lc_method_semaphore_locked(L);
    if (lua_toboolean(L, -1)) {
        lua_pushboolean(L, false);
        return 1;
    }
    lc_method_semaphore_acquire(L); /* does not wait now */
    lua_pushboolean(L, true);
    return 1;
}

static const struct lc_embed_method try_acquire[] = {{&lc_lock_type, try_lock},
                                                     {&lc_core_semaphore_type, try_semaphore},
                                                     {&lc_core_condition_type, try_condition},
                                                     END};

static int call(lua_State *L)
{
    struct primitive_args *args = lua_touserdata(L, 1);
    struct lucio *h = args->h;

    lc_embed_push_held(L, args->ref);
    lc_embed_push_method(L, h, 2, args->methods, args->what);
    lua_pushvalue(L, 2);
    lc_embed_push_values(L, h, args->n, args->values);
    lua_call(L, (int)args->n + 1, 1);
    if (args->result != NULL)
        lc_embed_give_out(L, h, args->result);
    return 0;
}

static bool failed_by(const struct lucio *h, const char *class_name)
{
    const char *failed = h->failure.error.class_name;

    return failed != NULL && strcmp(failed, class_name) == 0;
}

/* Calls the method of a primitive that serves the object. */
static int call_now(lucio_ref *object, struct primitive_args *args)
{
    int status = lc_embed_enter_ref(object, &args->ref);

    if (status != LUCIO_OK)
        return status;
    args->h = args->ref->h;
    status = lc_embed_protect(args->h, call, args);
    return status == LUCIO_ERROR && failed_by(args->h, "TypeError") ? LUCIO_INVALID : status;
}

int lucio_queue_try_put(lucio_ref *queue, struct lucio_value item)
{
    struct primitive_args args = {
        .methods = put_nowait, .what = "lucio_queue_try_put", .n = 1, .values = &item};
    int status = call_now(queue, &args);

    return status == LUCIO_ERROR && failed_by(args.h, "QueueFull") ? LUCIO_BUSY : status;
}

int lucio_queue_try_get(lucio_ref *queue, struct lucio_value *item)
{
    struct primitive_args args = {
        .methods = get_nowait, .what = "lucio_queue_try_get", .result = item};
    int status;

    if (item == NULL)
        return LUCIO_INVALID;
    *item = lucio_nil();
    status = call_now(queue, &args);
    return status == LUCIO_ERROR && failed_by(args.h, "QueueEmpty") ? LUCIO_BUSY : status;
}

/* The integer or the boolean that a method without arguments returns; negative: a status. */
static long long ask(lucio_ref *ref, const struct lc_embed_method *methods, const char *what)
{
    struct lucio_value value = lucio_nil();
    struct primitive_args args = {.methods = methods, .what = what, .result = &value};
    int status = lc_embed_invalid(call_now(ref, &args));

    if (status != LUCIO_OK)
        return status;
    return value.type == LUCIO_BOOLEAN ? value.as.boolean : value.as.integer;
}

long long lucio_queue_size(lucio_ref *queue)
{
    return ask(queue, qsize, "lucio_queue_size");
}

/* A method that returns nothing of interest. */
static int tell(lucio_ref *ref, const struct lc_embed_method *methods, const char *what, size_t n,
                const struct lucio_value *values)
{
    struct primitive_args args = {.methods = methods, .what = what, .n = n, .values = values};

    return lc_embed_invalid(call_now(ref, &args));
}

int lucio_queue_task_done(lucio_ref *queue)
{
    return tell(queue, task_done, "lucio_queue_task_done", 0, NULL);
}

int lucio_queue_shutdown(lucio_ref *queue, bool immediate)
{
    struct lucio_value value = lucio_boolean(immediate);

    return tell(queue, shutdown, "lucio_queue_shutdown", 1, &value);
}

int lucio_lock_try_acquire(lucio_ref *lock)
{
    long long taken = ask(lock, try_acquire, "lucio_lock_try_acquire");

    if (taken < 0)
        return (int)taken;
    return taken ? LUCIO_OK : LUCIO_BUSY;
}

int lucio_lock_locked(lucio_ref *lock)
{
    return (int)ask(lock, locked, "lucio_lock_locked");
}

int lucio_lock_release(lucio_ref *lock)
{
    return tell(lock, release, "lucio_lock_release", 0, NULL);
}

int lucio_event_set(lucio_ref *event)
{
    return tell(event, set, "lucio_event_set", 0, NULL);
}

int lucio_event_clear(lucio_ref *event)
{
    return tell(event, clear, "lucio_event_clear", 0, NULL);
}

int lucio_event_is_set(lucio_ref *event)
{
    return (int)ask(event, is_set, "lucio_event_is_set");
}

int lucio_condition_notify(lucio_ref *condition, long long n)
{
    struct lucio_value value = lucio_integer(n >= 0 ? n : LLONG_MAX);

    return tell(condition, notify, "lucio_condition_notify", 1, &value);
}

/* ---- waiting ---- */

/* Starts a task in the method that serves the object. */
static int start(lucio_ref *ref, const struct lc_embed_method *methods, const char *what, size_t n,
                 const struct lucio_value *values, lucio_future **future)
{
    return lc_embed_invalid(lc_embed_call_native(ref, methods, what, n, values, future));
}

int lucio_queue_put(lucio_ref *queue, struct lucio_value item, lucio_future **future)
{
    return start(queue, lc_embed_queue_put, "lucio_queue_put", 1, &item, future);
}

int lucio_queue_get(lucio_ref *queue, lucio_future **future)
{
    return start(queue, lc_embed_queue_get, "lucio_queue_get", 0, NULL, future);
}

int lucio_queue_join(lucio_ref *queue, lucio_future **future)
{
    return start(queue, lc_embed_queue_join, "lucio_queue_join", 0, NULL, future);
}

int lucio_lock_acquire(lucio_ref *lock, lucio_future **future)
{
    return start(lock, lc_embed_acquire, "lucio_lock_acquire", 0, NULL, future);
}

int lucio_event_wait(lucio_ref *event, lucio_future **future)
{
    return start(event, lc_embed_event_wait, "lucio_event_wait", 0, NULL, future);
}

int lucio_condition_wait(lucio_ref *condition, lucio_future **future)
{
    return start(condition, lc_embed_condition_wait, "lucio_condition_wait", 0, NULL, future);
}
