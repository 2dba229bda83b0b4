/*
 * function: what a C function that Lua calls sees of its call, and how it ends.
 * No error of Lua jumps over a function of the program's: what may raise runs protected, and the error is
 * raised when that function has returned.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "call.h"
#include "core.h"

/* ---- what a call sees ---- */

struct lc_call *lc_embed_find_call(lucio_call *handle)
{
    struct lc_call *call = lc_slot_find(handle, LC_SLOT_CALL);

    if (call == NULL)
        lc_slot_refuse(handle, NULL);
    else if (call->slot.h->call != call) {
        lc_embed_refuse(call->slot.h, LUCIO_INVALID, "the call is not the innermost one");
        call = NULL;
    }
    return call;
}

lucio *lucio_call_host(lucio_call *handle)
{
    struct lc_call *call = lc_slot_find(handle, LC_SLOT_CALL);

    return call != NULL ? call->slot.h : NULL;
}

size_t lucio_call_count(lucio_call *handle)
{
    struct lc_call *call = lc_embed_find_call(handle);

    return call != NULL ? (size_t)call->n : 0;
}

/* Stack index of argument number i, 0 if there is none or no call. */
static int argument(const struct lc_call *call, size_t i)
{
    return call != NULL && i >= 1 && i <= (size_t)call->n ? call->first + (int)i - 1 : 0;
}

struct value_args {
    struct lc_call *call;
    int idx;
    struct lucio_value value;
    const struct lucio_value *values;
    const char *class_name, *text;
};

static int read_value(lua_State *L)
{
    struct value_args *args = lua_touserdata(L, 1);

    args->value = lc_embed_to_value(L, args->call->slot.h, 2);
    return 0;
}

/* Calls fn(args, the value at idx) protected. [-0, +0, -] */
static bool with_value(struct lc_call *call, lua_CFunction fn, struct value_args *args, int idx)
{
    lua_State *L = call->L;

    if (lc_embed_enter(call->slot.h) != LUCIO_OK)
        return false;
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, args);
    lua_pushvalue(L, idx);
    if (lua_pcall(L, 2, 0, 0) == LUA_OK)
        return true;
    lc_embed_fail(call->slot.h, L);
    return false;
}

struct lucio_value lucio_call_value(lucio_call *handle, size_t i)
{
    struct lc_call *call = lc_embed_find_call(handle);
    struct value_args args = {.call = call, .value = {.type = LUCIO_NIL}};
    int idx = argument(call, i);

    if (idx != 0)
        with_value(call, read_value, &args, idx);
    return args.value;
}

static bool bad(struct lc_call *call, size_t i, const char *expected)
{
    if (call != NULL) {
        call->bad = i;
        call->expected = expected;
    }
    return false;
}

bool lucio_call_boolean(lucio_call *handle, size_t i, bool *boolean)
{
    struct lc_call *call = lc_embed_find_call(handle);
    int idx = argument(call, i);

    if (idx == 0 || !lua_isboolean(call->L, idx))
        return bad(call, i, "boolean");
    *boolean = lua_toboolean(call->L, idx);
    return true;
}

bool lucio_call_integer(lucio_call *handle, size_t i, long long *integer)
{
    struct lc_call *call = lc_embed_find_call(handle);
    int idx = argument(call, i), ok = 0;

    if (idx != 0 && lua_type(call->L, idx) == LUA_TNUMBER)
        *integer = lua_tointegerx(call->L, idx, &ok);
    return ok ? true : bad(call, i, "integer");
}

bool lucio_call_number(lucio_call *handle, size_t i, double *number)
{
    struct lc_call *call = lc_embed_find_call(handle);
    int idx = argument(call, i);

    if (idx == 0 || lua_type(call->L, idx) != LUA_TNUMBER)
        return bad(call, i, "number");
    *number = lua_tonumber(call->L, idx);
    return true;
}

bool lucio_call_string(lucio_call *handle, size_t i, const char **data, size_t *length)
{
    struct lc_call *call = lc_embed_find_call(handle);
    int idx = argument(call, i);

    if (idx == 0 || lua_type(call->L, idx) != LUA_TSTRING)
        return bad(call, i, "string");
    *data = lua_tolstring(call->L, idx, length);
    return true;
}

bool lucio_call_object(lucio_call *handle, size_t i, lucio_ref **object)
{
    struct lucio_value value = lucio_call_value(handle, i);

    *object = value.type == LUCIO_OBJECT ? value.as.object : NULL;
    return *object != NULL
               ? true
               : bad(lc_slot_find(handle, LC_SLOT_CALL), i, "table, function or object");
}

bool lucio_call_awaitable(lucio_call *handle, size_t i, lucio_future **future)
{
    struct lc_call *call = lc_embed_find_call(handle);
    struct lucio_value value = {.type = LUCIO_NIL};
    int idx = argument(call, i);
    int status;

    *future = NULL;
    if (idx == 0 || !lc_is_awaitable(call->L, idx))
        return bad(call, i, "awaitable");
    value = lucio_call_value(handle, i);
    if (value.type != LUCIO_OBJECT)
        return bad(call, i, "awaitable");
    status = lucio_future_of(value.as.object, future);
    lucio_ref_free(value.as.object);
    return status == LUCIO_OK ? true : bad(call, i, "awaitable");
}

int lucio_call_status(lucio_call *handle)
{
    struct lc_call *call = lc_embed_find_call(handle);

    return call != NULL ? call->status : LUCIO_INVALID;
}

static int read_error(lua_State *L)
{
    struct value_args *args = lua_touserdata(L, 1);

    lc_embed_read_error(L, args->call->slot.h, 2, &args->call->texts);
    return 0;
}

const struct lucio_error *lucio_call_error(lucio_call *handle)
{
    struct lc_call *call = lc_embed_find_call(handle);
    struct value_args args = {.call = call};

    if (call == NULL || call->status == LUCIO_OK)
        return NULL;
    if (call->texts.error.message == NULL)
        with_value(call, read_error, &args, call->first);
    return call->texts.error.message != NULL ? &call->texts.error : NULL;
}

/* ---- how a call ends ---- */

/* A failure of lucio's own is raised in place of what the function wanted. */
static int raise_top(struct lc_call *call)
{
    call->end.outcome = LC_CALL_RAISE;
    return LUCIO_ERROR;
}

bool lc_embed_call_make(struct lc_call *call, lua_CFunction fn, void *data, int results)
{
    lua_State *L = call->L;

    if (call->slot.h->host == NULL || !lua_checkstack(L, 20)) {
        lua_pushnil(L);
        raise_top(call);
        return false;
    }
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, data);
    if (lua_pcall(L, 1, results, 0) == LUA_OK)
        return true;
    raise_top(call);
    return false;
}

static int push_values(lua_State *L)
{
    struct value_args *args = lua_touserdata(L, 1);

    lc_embed_push_values(L, args->call->slot.h, (size_t)args->idx, args->values);
    return args->idx;
}

int lucio_return(lucio_call *handle, size_t n, const struct lucio_value *results)
{
    struct lc_call *call = lc_embed_find_call(handle);
    struct value_args args = {
        .call = call, .idx = n <= INT_MAX ? (int)n : INT_MAX, .values = results};

    if (call == NULL)
        return LUCIO_INVALID;
    if (!lc_embed_call_make(call, push_values, &args, LUA_MULTRET))
        return LUCIO_ERROR;
    call->end.outcome = LC_CALL_RETURN;
    call->end.results = (int)n;
    return LUCIO_OK;
}

static int push_error(lua_State *L)
{
    struct value_args *args = lua_touserdata(L, 1);

    lc_embed_push_error(L, args->call->slot.h, args->class_name, args->text);
    return 1;
}

int lucio_raise(lucio_call *handle, const char *class_name, const char *format, ...)
{
    struct lc_call *call = lc_embed_find_call(handle);
    struct value_args args = {.call = call, .class_name = class_name};
    char *text = NULL;
    va_list list;

    if (call == NULL)
        return LUCIO_INVALID;
    va_start(list, format);
    if (vasprintf(&text, format, list) < 0)
        text = NULL;
    va_end(list);
    args.text = text != NULL ? text : "not enough memory";
    if (lc_embed_call_make(call, push_error, &args, 1))
        raise_top(call);
    free(text);
    return LUCIO_ERROR;
}

static int push_bad_argument(lua_State *L)
{
    struct value_args *args = lua_touserdata(L, 1);
    struct lc_call *call = args->call;

    lc_error_push(L, call->slot.h->host, LC_TYPE_ERROR,
                  "bad argument #%d to '%s' (%s expected, got %s)", (int)call->bad,
                  call->function->name, call->expected, args->text);
    return 1;
}

int lucio_bad_argument(lucio_call *handle)
{
    struct lc_call *call = lc_embed_find_call(handle);
    struct value_args args = {.call = call};
    int idx;

    if (call == NULL)
        return LUCIO_INVALID;
    idx = argument(call, call->bad);
    if (call->expected == NULL)
        return lucio_raise(handle, "TypeError", "bad argument to '%s'", call->function->name);
    args.text = idx != 0 ? lc_type_name(call->L, idx) : "no value";
    if (lc_embed_call_make(call, push_bad_argument, &args, 1))
        raise_top(call);
    return LUCIO_ERROR;
}

int lucio_reraise(lucio_call *handle)
{
    struct lc_call *call = lc_embed_find_call(handle);

    if (call == NULL)
        return LUCIO_INVALID;
    if (call->status == LUCIO_OK)
        return lucio_raise(handle, "RuntimeError", "there is no error to raise again");
    lua_pushvalue(call->L, call->first);
    return raise_top(call);
}
