/*
 * failure: errors in C's hands: statuses, the last failure of a host, texts of errors.
 */
#include <string.h>

#include <lauxlib.h>

#include "embed.h"
#include "traceback.h"

/* What is said when there is no memory to say anything else. */
static const struct lucio_error no_memory = {"", "not enough memory", ""};
static const struct lucio_error no_error = {"", "", ""};

const char *lucio_status_text(int status)
{
    switch (status) {
    case LUCIO_OK:
        return "no error";
    case LUCIO_ERROR:
        return "Lua error";
    case LUCIO_NO_MEMORY:
        return "not enough memory";
    case LUCIO_INVALID:
        return "invalid argument";
    case LUCIO_BUSY:
        return "the host is busy";
    case LUCIO_CLOSED:
        return "the host is closed";
    case LUCIO_CANCELLED:
        return "cancelled";
    case LUCIO_EXIT:
        return "exit requested";
    case LUCIO_PENDING:
        return "not done yet";
    default:
        return "unknown status";
    }
}

const struct lucio_error *lucio_last_error(lucio *h)
{
    return h != NULL && h->failure.error.message != NULL ? &h->failure.error : &no_error;
}

int lucio_exit_code(lucio *h)
{
    return h != NULL ? h->exit_code : 0;
}

void lc_embed_free_texts(struct lucio *h, struct lc_error_texts *texts)
{
    if (texts->block != NULL)
        lc_embed_realloc(h, texts->block, texts->size, 0);
    memset(texts, 0, sizeof *texts);
}

/* Puts three texts into one block; without memory, says just that. */
static void set_texts(struct lucio *h, struct lc_error_texts *texts, const char *class_name,
                      const char *message, const char *traceback)
{
    size_t a = strlen(class_name) + 1, b = strlen(message) + 1, c = strlen(traceback) + 1;
    char *block = lc_embed_realloc(h, NULL, 0, a + b + c);

    lc_embed_free_texts(h, texts);
    if (block == NULL) {
        texts->error = no_memory;
        return;
    }
    texts->block = block;
    texts->size = a + b + c;
    texts->error.class_name = memcpy(block, class_name, a);
    texts->error.message = memcpy(block + a, message, b);
    texts->error.traceback = memcpy(block + a + b, traceback, c);
}

void lc_embed_read_error(lua_State *L, struct lucio *h, int idx, struct lc_error_texts *texts)
{
    const char *class_name = "", *traceback = "";
    int top = lua_gettop(L);

    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 12, NULL);
    lc_traceback_push(L, h->host, idx);
    if (lua_type(L, -1) == LUA_TSTRING)
        traceback = lua_tostring(L, -1);
    if (lc_is_error(L, idx)) {
        lua_pushliteral(L, "name");
        lua_gettable(L, idx);
        if (lua_type(L, -1) == LUA_TSTRING)
            class_name = lua_tostring(L, -1);
        lc_push_text(L, idx);
    } else {
        lc_error_push_text(L, h->host, idx);
    }
    set_texts(h, texts, class_name, lua_tostring(L, -1), traceback);
    lua_settop(L, top);
}

struct read_args {
    struct lucio *h;
    int code;
    bool is_exit;
};

/* (error, args) */
static int read_failure(lua_State *L)
{
    struct read_args *args = lua_touserdata(L, 2);
    struct lucio *h = args->h;

    if (lc_error_is(L, h->host, 1, LC_SYSTEM_EXIT)) {
        args->is_exit = true;
        switch (lua_getfield(L, 1, "code")) {
        case LUA_TNUMBER:
            args->code = (int)lua_tointeger(L, -1);
            break;
        case LUA_TNIL:
            break;
        case LUA_TBOOLEAN:
            args->code = !lua_toboolean(L, -1);
            break;
        default:
            args->code = 1;
        }
        lua_settop(L, 2);
    }
    lc_embed_read_error(L, h, 1, &h->failure);
    return 0;
}

/* Whether the error on top is Lua's word for the end of memory. */
static bool is_no_memory(lua_State *L)
{
    size_t length;
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;

    return text != NULL && strcmp(text, no_memory.message) == 0;
}

int lc_embed_fail(struct lucio *h, lua_State *L)
{
    struct read_args args = {.h = h};

    if (is_no_memory(L) || h->host == NULL) {
        lua_pop(L, 1);
        lc_embed_free_texts(h, &h->failure);
        h->failure.error = no_memory;
        return LUCIO_NO_MEMORY;
    }
    lua_pushcfunction(L, read_failure);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, &args);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
        lc_embed_free_texts(h, &h->failure);
        h->failure.error = no_memory;
    }
    if (!args.is_exit)
        return LUCIO_ERROR;
    h->exit_code = args.code;
    return LUCIO_EXIT;
}

int lc_embed_invalid(int status)
{
    return status == LUCIO_ERROR ? LUCIO_INVALID : status;
}

int lc_embed_refuse(struct lucio *h, int status, const char *message)
{
    set_texts(h, &h->failure, "", message, "");
    return status;
}

bool lc_embed_note(struct lucio *h, const struct lucio_error *error)
{
    if (error == NULL)
        error = &no_memory;
    set_texts(h, &h->failure, error->class_name, error->message, error->traceback);
    return error->class_name[0] != '\0' || strcmp(error->message, no_memory.message) != 0;
}

void lc_embed_push_error(lua_State *L, struct lucio *h, const char *class_name, const char *message)
{
    luaL_checkstack(L, 8, NULL);
    if (message == NULL)
        message = "";
    if (class_name == NULL) {
        lc_error_push(L, h->host, LC_RUNTIME_ERROR, "%s", message);
        return;
    }
    lc_host_push_ref(L, h->host, LC_REF_MODULE);
    lua_pushstring(L, class_name);
    lua_rawget(L, -2);
    lua_replace(L, -2);
    if (!lc_is_class(L, -1)) {
        lua_pop(L, 1);
        lc_error_push(L, h->host, LC_RUNTIME_ERROR, "%s: %s", class_name, message);
        return;
    }
    lua_pushstring(L, message);
    lua_call(L, 1, 1);
}
