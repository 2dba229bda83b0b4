/*
 * await: the ends of a call that suspend the task: for a future, or in a method that may wait.
 * A method is called by the trampoline in the task itself, as Lua code would: it stands in the same lines
 * and goes on in the same tick.
 */
#include <lauxlib.h>

#include "call.h"
#include "core.h"
#include "primitive.h"

struct await_args {
    struct lc_call *call;
    lucio_future *future;
    lucio_ref *object;
    const struct lc_embed_method *methods;
    const char *name;
    size_t n;
    const struct lucio_value *values;
};

/* The call ends in this way; with `next` it goes on there. */
static int end(struct lc_call *call, enum lc_outcome outcome, lucio_function *next, void *data)
{
    call->end.outcome = outcome;
    call->end.frame.next = next;
    call->end.frame.data = data;
    return LUCIO_OK;
}

static int push_future(lua_State *L)
{
    struct await_args *args = lua_touserdata(L, 1);
    const struct lc_slot *future = lc_slot_find(args->future, LC_SLOT_FUTURE);
    struct lucio *h = args->call->slot.h;

    if (future == NULL || future->h != h)
        lc_raise(L, h->host, LC_VALUE_ERROR, "no future of this host");
    lc_embed_push_held(L, future);
    return 1;
}

int lucio_await(lucio_call *handle, lucio_future *future, lucio_function *next, void *data)
{
    struct await_args args = {.call = lc_embed_find_call(handle), .future = future};

    if (args.call == NULL)
        return LUCIO_INVALID;
    if (!lc_embed_call_make(args.call, push_future, &args, 1))
        return LUCIO_ERROR;
    return end(args.call, LC_CALL_AWAIT, next, data);
}

/* ---- methods ---- */

/* Pushes the method, the object and the other arguments. */
static int push_call(lua_State *L)
{
    struct await_args *args = lua_touserdata(L, 1);
    struct lucio *h = args->call->slot.h;
    const struct lc_slot *object = lc_embed_find_ref(args->object);

    if (object == NULL || object->h != h)
        lc_raise(L, h->host, LC_VALUE_ERROR, "no object of this host");
    if (args->name == NULL)
        lc_raise(L, h->host, LC_VALUE_ERROR, "no method");
    lc_embed_push_held(L, object);
    if (args->methods != NULL) {
        lc_embed_push_method(L, h, 2, args->methods, args->name);
    } else {
        lua_pushstring(L, args->name);
        lua_gettable(L, 2);
    }
    lua_insert(L, 2);
    lc_embed_push_values(L, h, args->n, args->values);
    return (int)args->n + 2;
}

static int await_call(lucio_call *handle, struct await_args *args, lucio_function *next, void *data)
{
    args->call = lc_embed_find_call(handle);
    if (args->call == NULL)
        return LUCIO_INVALID;
    if (!lc_embed_call_make(args->call, push_call, args, LUA_MULTRET))
        return LUCIO_ERROR;
    args->call->end.results = (int)args->n + 1;
    return end(args->call, LC_CALL_CALL, next, data);
}

int lucio_await_method(lucio_call *call, lucio_ref *object, const char *method, size_t n,
                       const struct lucio_value *arguments, lucio_function *next, void *data)
{
    struct await_args args = {.object = object, .name = method, .n = n, .values = arguments};

    return await_call(call, &args, next, data);
}

int lucio_await_queue_put(lucio_call *call, lucio_ref *queue, struct lucio_value item,
                          lucio_function *next, void *data)
{
    struct await_args args = {.object = queue,
                              .methods = lc_embed_queue_put,
                              .name = "lucio_await_queue_put",
                              .n = 1,
                              .values = &item};

    return await_call(call, &args, next, data);
}

/* The same for a method without arguments. */
static int await_native(lucio_call *call, lucio_ref *object, const struct lc_embed_method *methods,
                        const char *name, lucio_function *next, void *data)
{
    struct await_args args = {.object = object, .methods = methods, .name = name};

    return await_call(call, &args, next, data);
}

int lucio_await_queue_get(lucio_call *call, lucio_ref *queue, lucio_function *next, void *data)
{
    return await_native(call, queue, lc_embed_queue_get, "lucio_await_queue_get", next, data);
}

int lucio_await_queue_join(lucio_call *call, lucio_ref *queue, lucio_function *next, void *data)
{
    return await_native(call, queue, lc_embed_queue_join, "lucio_await_queue_join", next, data);
}

int lucio_await_lock(lucio_call *call, lucio_ref *lock, lucio_function *next, void *data)
{
    return await_native(call, lock, lc_embed_acquire, "lucio_await_lock", next, data);
}

int lucio_await_event(lucio_call *call, lucio_ref *event, lucio_function *next, void *data)
{
    return await_native(call, event, lc_embed_event_wait, "lucio_await_event", next, data);
}

int lucio_await_condition(lucio_call *call, lucio_ref *condition, lucio_function *next, void *data)
{
    return await_native(call, condition, lc_embed_condition_wait, "lucio_await_condition", next,
                        data);
}
