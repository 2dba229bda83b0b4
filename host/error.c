#include "error.h"

#include <string.h>

#include <lauxlib.h>

#include "exception_group.h"
#include "host.h"
#include "traceback.h"

/* Key of the lc_kind in a class table; its address is the key. */
static const char kind_key;
/* Key of the table of the classes made below one, by name; the last one of each name. */
static const char children_key;

struct class_def {
    const char *name;
    enum lc_class parent; /* 0: none */
    enum lc_kind kind;
};

static const struct class_def class_defs[LC_CLASS_COUNT] = {
    [LC_BASE_EXCEPTION] = {"BaseException", 0, LC_KIND_BASE},
    [LC_CANCELLED_ERROR] = {"CancelledError", LC_BASE_EXCEPTION, LC_KIND_CANCELLED},
    [LC_KEYBOARD_INTERRUPT] = {"KeyboardInterrupt", LC_BASE_EXCEPTION, LC_KIND_EXIT},
    [LC_SYSTEM_EXIT] = {"SystemExit", LC_BASE_EXCEPTION, LC_KIND_EXIT},
    [LC_GENERATOR_EXIT] = {"GeneratorExit", LC_BASE_EXCEPTION, LC_KIND_BASE},
    [LC_BASE_EXCEPTION_GROUP] = {"BaseExceptionGroup", LC_BASE_EXCEPTION, LC_KIND_BASE},
    [LC_EXCEPTION] = {"Exception", LC_BASE_EXCEPTION, LC_KIND_ORDINARY},
    [LC_TIMEOUT_ERROR] = {"TimeoutError", LC_EXCEPTION, LC_KIND_ORDINARY},
    [LC_INVALID_STATE_ERROR] = {"InvalidStateError", LC_EXCEPTION, LC_KIND_ORDINARY},
    [LC_RUNTIME_ERROR] = {"RuntimeError", LC_EXCEPTION, LC_KIND_ORDINARY},
    [LC_VALUE_ERROR] = {"ValueError", LC_EXCEPTION, LC_KIND_ORDINARY},
    [LC_TYPE_ERROR] = {"TypeError", LC_EXCEPTION, LC_KIND_ORDINARY},
    [LC_LOOKUP_ERROR] = {"LookupError", LC_EXCEPTION, LC_KIND_ORDINARY},
    [LC_QUEUE_EMPTY] = {"QueueEmpty", LC_EXCEPTION, LC_KIND_ORDINARY},
    [LC_QUEUE_FULL] = {"QueueFull", LC_EXCEPTION, LC_KIND_ORDINARY},
    [LC_QUEUE_SHUT_DOWN] = {"QueueShutDown", LC_EXCEPTION, LC_KIND_ORDINARY},
    [LC_BROKEN_BARRIER_ERROR] = {"BrokenBarrierError", LC_RUNTIME_ERROR, LC_KIND_ORDINARY},
    [LC_BROKEN_PROCESS_POOL] = {"BrokenProcessPool", LC_RUNTIME_ERROR, LC_KIND_ORDINARY},
    [LC_INCOMPLETE_READ_ERROR] = {"IncompleteReadError", LC_EXCEPTION, LC_KIND_ORDINARY},
    [LC_LIMIT_OVERRUN_ERROR] = {"LimitOverrunError", LC_EXCEPTION, LC_KIND_ORDINARY},
    [LC_OS_ERROR] = {"OSError", LC_EXCEPTION, LC_KIND_ORDINARY},
    [LC_CONNECTION_ERROR] = {"ConnectionError", LC_OS_ERROR, LC_KIND_ORDINARY},
    [LC_CONNECTION_RESET_ERROR] = {"ConnectionResetError", LC_CONNECTION_ERROR, LC_KIND_ORDINARY},
    [LC_CONNECTION_REFUSED_ERROR] = {"ConnectionRefusedError", LC_CONNECTION_ERROR,
                                     LC_KIND_ORDINARY},
    [LC_CONNECTION_ABORTED_ERROR] = {"ConnectionAbortedError", LC_CONNECTION_ERROR,
                                     LC_KIND_ORDINARY},
    [LC_BROKEN_PIPE_ERROR] = {"BrokenPipeError", LC_CONNECTION_ERROR, LC_KIND_ORDINARY},
    [LC_FILE_NOT_FOUND_ERROR] = {"FileNotFoundError", LC_OS_ERROR, LC_KIND_ORDINARY},
    [LC_FILE_EXISTS_ERROR] = {"FileExistsError", LC_OS_ERROR, LC_KIND_ORDINARY},
    [LC_PERMISSION_ERROR] = {"PermissionError", LC_OS_ERROR, LC_KIND_ORDINARY},
    [LC_IS_A_DIRECTORY_ERROR] = {"IsADirectoryError", LC_OS_ERROR, LC_KIND_ORDINARY},
    [LC_NOT_A_DIRECTORY_ERROR] = {"NotADirectoryError", LC_OS_ERROR, LC_KIND_ORDINARY},
    [LC_PROCESS_LOOKUP_ERROR] = {"ProcessLookupError", LC_OS_ERROR, LC_KIND_ORDINARY},
    [LC_GAI_ERROR] = {"gaierror", LC_OS_ERROR, LC_KIND_ORDINARY},
    [LC_SSL_ERROR] = {"SSLError", LC_OS_ERROR, LC_KIND_ORDINARY},
    [LC_SSL_CERT_VERIFICATION_ERROR] = {"SSLCertVerificationError", LC_SSL_ERROR, LC_KIND_ORDINARY},
    [LC_LUA_ERROR] = {"LuaError", LC_EXCEPTION, LC_KIND_ORDINARY},
    [LC_BUDGET_ERROR] = {"BudgetError", LC_RUNTIME_ERROR, LC_KIND_ORDINARY},
    [LC_EXCEPTION_GROUP] = {"ExceptionGroup", LC_EXCEPTION, LC_KIND_ORDINARY},
};

void lc_class_push(lua_State *L, const struct lc_host *host, enum lc_class class)
{
    lc_host_push_ref(L, host, LC_REF_CLASSES);
    lua_rawgeti(L, -1, class);
    lua_replace(L, -2);
}

bool lc_is_class(lua_State *L, int idx)
{
    bool found;

    if (lua_type(L, idx) != LUA_TTABLE)
        return false;
    found = lua_rawgetp(L, idx, &kind_key) == LUA_TNUMBER;
    lua_pop(L, 1);
    return found;
}

enum lc_kind lc_error_kind(lua_State *L, int idx)
{
    enum lc_kind kind;

    if (lua_type(L, idx) != LUA_TTABLE || !lua_getmetatable(L, idx))
        return LC_KIND_VALUE;
    lua_rawgetp(L, -1, &kind_key);
    kind = (enum lc_kind)lua_tointeger(L, -1);
    lua_pop(L, 2);
    return kind;
}

/* Pops a class; whether it is the one at `class_idx` or below it. [-1, +0, -] */
static bool class_is_below(lua_State *L, const struct lc_host *host, int class_idx)
{
    bool found = false;

    while (!found && lua_type(L, -1) == LUA_TTABLE) {
        found = lua_rawequal(L, -1, class_idx);
        if (!found) {
            /* an ExceptionGroup is a BaseExceptionGroup too, as in Python */
            lc_class_push(L, host, LC_EXCEPTION_GROUP);
            lc_class_push(L, host, LC_BASE_EXCEPTION_GROUP);
            found = lua_rawequal(L, -3, -2) && lua_rawequal(L, -1, class_idx);
            lua_pop(L, 2);
        }
        lua_pushliteral(L, "parent");
        lua_rawget(L, -2);
        lua_replace(L, -2);
    }
    lua_pop(L, 1);
    return found;
}

bool lc_isinstance(lua_State *L, const struct lc_host *host, int idx, int class_idx)
{
    class_idx = lua_absindex(L, class_idx);
    if (!lc_is_error(L, idx))
        return false;
    luaL_checkstack(L, 4, NULL);
    lua_getmetatable(L, idx);
    return class_is_below(L, host, class_idx);
}

bool lc_issubclass(lua_State *L, const struct lc_host *host, int idx, enum lc_class class)
{
    bool found;

    luaL_checkstack(L, 5, NULL);
    idx = lua_absindex(L, idx);
    lc_class_push(L, host, class);
    lua_pushvalue(L, idx);
    found = class_is_below(L, host, lua_gettop(L) - 1);
    lua_pop(L, 1);
    return found;
}

bool lc_error_is(lua_State *L, const struct lc_host *host, int idx, enum lc_class class)
{
    bool found;

    idx = lua_absindex(L, idx);
    lc_class_push(L, host, class);
    found = lc_isinstance(L, host, idx, -1);
    lua_pop(L, 1);
    return found;
}

static int tostring_protected(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}

void lc_push_text(lua_State *L, int idx)
{
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 4, NULL);
    if (!luaL_getmetafield(L, idx, "__tostring")) {
        luaL_tolstring(L, idx, NULL);
        return;
    }
    lua_pop(L, 1);
    lua_pushcfunction(L, tostring_protected);
    lua_pushvalue(L, idx);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        lua_pushfstring(L, "(%s whose text cannot be made: %s)", luaL_typename(L, idx),
                        lua_isstring(L, -1) ? lua_tostring(L, -1) : luaL_typename(L, -1));
        lua_remove(L, -2);
    }
}

/* The fields of an OSError made of a number, a text and perhaps a file's name; the text that stands
 * for all of them takes the number's place. [-0, +0, m] */
static void os_error_set_fields(lua_State *L, int self, bool has_name)
{
    int first = self + 1;
    const char *code = strerrorname_np((int)lua_tointeger(L, first));

    luaL_checkstack(L, 8, NULL);
    lua_pushvalue(L, first);
    lua_setfield(L, self, "errno");
    lua_pushstring(L, code);
    lua_setfield(L, self, "code");
    lc_push_text(L, first + 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, self, "strerror");
    if (has_name) {
        lua_pushvalue(L, first + 2);
        lua_setfield(L, self, "filename");
        lc_push_text(L, first + 2);
    }
    lc_push_os_text(L, lua_tointeger(L, first), lua_tostring(L, has_name ? -2 : -1),
                    has_name ? lua_tostring(L, -1) : NULL, NULL);
    lua_replace(L, first);
}

/* Sets the fields of the error object at `self` from the arguments above it. */
static void error_set_fields(lua_State *L, struct lc_host *host, int self)
{
    int first = self + 1;
    int n = lua_gettop(L) - self;

    lua_createtable(L, n, 1);
    for (int i = 1; i <= n; i++) {
        lua_pushvalue(L, self + i);
        lua_rawseti(L, -2, i);
    }
    lua_pushinteger(L, n);
    lua_setfield(L, -2, "n");
    lua_setfield(L, self, "args");
    if (lc_error_is(L, host, self, LC_LUA_ERROR)) {
        lua_settop(L, n == 0 ? self : first);
        if (n == 0)
            lua_pushnil(L);
        lua_pushvalue(L, first);
        lua_setfield(L, self, "value");
        n = 1;
    } else if (lc_error_is(L, host, self, LC_SYSTEM_EXIT) && n > 0) {
        lua_pushvalue(L, first);
        lua_setfield(L, self, "code");
    } else if (lc_error_is(L, host, self, LC_INCOMPLETE_READ_ERROR)) {
        lua_settop(L, self + 2);
        lua_pushvalue(L, first);
        lua_setfield(L, self, "partial");
        lua_pushvalue(L, first + 1);
        lua_setfield(L, self, "expected");
        if (n > 0 && lua_isstring(L, first)) {
            lua_pushfstring(
                L, "%d bytes read on a total of %s expected bytes", (int)lua_rawlen(L, first),
                lua_isnil(L, first + 1) ? "undefined"
                                        : (lc_push_text(L, first + 1), lua_tostring(L, -1)));
            lua_replace(L, first);
        }
    } else if (lc_error_is(L, host, self, LC_LIMIT_OVERRUN_ERROR) && n > 1) {
        lua_pushvalue(L, first + 1);
        lua_setfield(L, self, "consumed");
    } else if (lc_error_is(L, host, self, LC_OS_ERROR) && n > 1 && lua_isinteger(L, first)) {
        os_error_set_fields(L, self, n > 2);
    }
    if (n == 0 || lua_isnil(L, first))
        lua_pushliteral(L, "");
    else
        lc_push_text(L, first);
    lua_setfield(L, self, "message");
}

/* Pushes the class of an error made of the n values on top: the one at `class_idx`, or of an OSError
 * with a number the one that belongs to the number. [-0, +1, -] */
static void push_class_for(lua_State *L, struct lc_host *host, int class_idx, int n)
{
    if (n > 1 && lua_isinteger(L, -n) && lc_class_number(L, host, class_idx) == LC_OS_ERROR) {
        lc_class_push(L, host, lc_os_error_class(lua_tointeger(L, -n)));
        lc_class_push(L, host, LC_TIMEOUT_ERROR);
        if (!lua_rawequal(L, -2, -1)) { /* which is not below OSError here */
            lua_pop(L, 1);
            return;
        }
        lua_pop(L, 2);
    }
    lua_pushvalue(L, class_idx);
}

/* Replaces the n values on top by an error object of the class at `class_idx` made of them. */
static void error_construct(lua_State *L, struct lc_host *host, int class_idx, int n)
{
    int self = lua_gettop(L) - n + 1;

    luaL_checkstack(L, n + 8, "too many arguments to an error");
    push_class_for(L, host, class_idx, n);
    lua_createtable(L, 0, 4);
    lua_insert(L, self);
    lua_setmetatable(L, self);
    error_set_fields(L, host, self);
    lua_settop(L, self);
}

/* Class(...) -> error [-0, +1, v] */
static int class_call(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    if (!lc_is_class(L, 1))
        lc_raise(L, host, LC_TYPE_ERROR,
                 "calling '__call' on bad self (error class expected, got %s)",
                 luaL_typename(L, 1));
    if (lc_is_exception_group_class(L, 1))
        return lc_exception_group_construct(L, host);
    error_construct(L, host, 1, lua_gettop(L) - 1);
    return 1;
}

static int class_tostring(lua_State *L)
{
    lua_settop(L, 1);
    if (lc_is_class(L, 1))
        lua_getfield(L, 1, "name");
    lua_pushfstring(L, "<class '%s'>", lua_isstring(L, -1) ? lua_tostring(L, -1) : "?");
    return 1;
}

/* tostring(error): the message; of anything else, to which a script may apply it, an empty text. */
static int error_tostring(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushliteral(L, "message");
    if (lua_type(L, 1) != LUA_TTABLE || lua_rawget(L, 1) == LUA_TNIL)
        lua_pushliteral(L, "");
    else
        luaL_tolstring(L, -1, NULL);
    return 1;
}

/* Makes a class named by the string on top whose parent is at `parent` (0: none).
 * [-1, +1, m] */
static void class_new(lua_State *L, struct lc_host *host, int parent, enum lc_kind kind)
{
    lua_createtable(L, 0, 6);
    lua_insert(L, -2);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "name");
    lua_setfield(L, -2, "__name");
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushinteger(L, kind);
    lua_rawsetp(L, -2, &kind_key);
    if (parent != 0) {
        lua_pushvalue(L, parent);
        lua_setfield(L, -2, "parent");
    }
    lua_createtable(L, 0, 3);
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, class_call, 1);
    lua_setfield(L, -2, "__call");
    lua_pushcfunction(L, class_tostring);
    lua_setfield(L, -2, "__tostring");
    if (parent != 0) {
        lua_pushvalue(L, parent);
        lua_setfield(L, -2, "__index");
    }
    lua_setmetatable(L, -2);
}

enum lc_class lc_class_number(lua_State *L, const struct lc_host *host, int idx)
{
    int class = 0;

    idx = lua_absindex(L, idx);
    lc_host_push_ref(L, host, LC_REF_CLASSES);
    for (int i = 1; i < LC_CLASS_COUNT && class == 0; i++) {
        lua_rawgeti(L, -1, i);
        if (lua_rawequal(L, -1, idx))
            class = i;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return (enum lc_class) class;
}

/* The parent finds it again by its name while it is in use. */
void lc_class_new_child(lua_State *L, struct lc_host *host, int parent)
{
    enum lc_kind kind;

    lua_rawgetp(L, parent, &kind_key);
    kind = (enum lc_kind)lua_tointeger(L, -1);
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    class_new(L, host, parent, kind);
    if (lc_is_exception_group_class(L, parent))
        lc_exception_group_class_init(L, host);
    if (lua_rawgetp(L, parent, &children_key) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_createtable(L, 0, 1);
        lua_pushliteral(L, "v");
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, parent, &children_key);
    }
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    lua_replace(L, -2);
}

void lc_class_find_child(lua_State *L, int parent)
{
    if (lua_rawgetp(L, parent, &children_key) != LUA_TTABLE)
        return;
    lua_pushvalue(L, -2);
    lua_rawget(L, -2);
    lua_replace(L, -2);
}

/* lucio.exception(name, parent?) -> class [-0, +1, v] */
static int lucio_exception(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    lua_settop(L, 2);
    if (lua_type(L, 1) != LUA_TSTRING)
        lc_raise(L, host, LC_TYPE_ERROR, "bad argument #1 to 'exception' (string expected, got %s)",
                 luaL_typename(L, 1));
    if (lua_isnil(L, 2)) {
        lc_class_push(L, host, LC_EXCEPTION);
        lua_replace(L, 2);
    } else if (!lc_is_class(L, 2)) {
        lc_raise(L, host, LC_TYPE_ERROR,
                 "bad argument #2 to 'exception' (error class expected, got %s)",
                 luaL_typename(L, 2));
    }
    lua_pushvalue(L, 1);
    lc_class_new_child(L, host, 2);
    return 1;
}

/* lucio.isinstance(value, class or list of classes) -> boolean [-0, +1, v] */
static int lucio_isinstance(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    bool found = false;

    lua_settop(L, 2);
    if (lc_is_class(L, 2)) {
        lua_pushboolean(L, lc_isinstance(L, host, 1, 2));
        return 1;
    }
    if (lua_type(L, 2) != LUA_TTABLE)
        lc_raise(
            L, host, LC_TYPE_ERROR,
            "bad argument #2 to 'isinstance' (error class or list of classes expected, got %s)",
            luaL_typename(L, 2));
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, 2); i++) {
        lua_rawgeti(L, 2, i);
        if (!lc_is_class(L, -1))
            lc_raise(L, host, LC_TYPE_ERROR,
                     "bad argument #2 to 'isinstance' (item %d: error class expected, got %s)",
                     (int)i, luaL_typename(L, -1));
        found = found || lc_isinstance(L, host, 1, -1);
        lua_pop(L, 1);
    }
    lua_pushboolean(L, found);
    return 1;
}

void lc_errors_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {
        {"exception", lucio_exception},
        {"isinstance", lucio_isinstance},
        {NULL, NULL},
    };
    int module = lua_gettop(L);

    lc_set_functions(L, host, functions);
    lua_createtable(L, LC_CLASS_COUNT, 0);
    for (int i = 1; i < LC_CLASS_COUNT; i++) {
        const struct class_def *def = &class_defs[i];

        if (def->parent != 0)
            lua_rawgeti(L, -1, def->parent);
        else
            lua_pushnil(L);
        lua_pushstring(L, def->name);
        class_new(L, host, def->parent != 0 ? lua_gettop(L) - 1 : 0, def->kind);
        lua_pushvalue(L, -1);
        lua_setfield(L, module, def->name);
        lua_rawseti(L, -3, i);
        lua_pop(L, 1);
    }
    lc_host_set_ref(L, host, LC_REF_CLASSES);
    lc_exception_groups_open(L, host);
}

void lc_error_from(lua_State *L, struct lc_host *host, enum lc_class class)
{
    lc_class_push(L, host, class);
    lua_insert(L, -2);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        error_construct(L, host, lua_gettop(L), 0);
    } else {
        error_construct(L, host, lua_gettop(L) - 1, 1);
    }
    lua_replace(L, -2);
}

void lc_error_push_bare(lua_State *L, struct lc_host *host, enum lc_class class)
{
    lua_pushnil(L);
    lc_error_from(L, host, class);
}

static void error_push_v(lua_State *L, struct lc_host *host, enum lc_class class,
                         const char *format, va_list args)
{
    luaL_checkstack(L, 12, NULL);
    lc_class_push(L, host, class);
    lua_pushvfstring(L, format, args);
    error_construct(L, host, lua_gettop(L) - 1, 1);
    lua_replace(L, -2);
}

void lc_error_push(lua_State *L, struct lc_host *host, enum lc_class class, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error_push_v(L, host, class, format, args);
    va_end(args);
}

int lc_raise(lua_State *L, struct lc_host *host, enum lc_class class, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error_push_v(L, host, class, format, args);
    va_end(args);
    lua_error(L);
    __builtin_unreachable();
}

void lc_error_wrap(lua_State *L, struct lc_host *host)
{
    if (lc_is_error(L, -1))
        return;
    lc_class_push(L, host, LC_LUA_ERROR);
    lua_insert(L, -2);
    error_construct(L, host, lua_gettop(L) - 1, 1);
    lua_replace(L, -2);
    lua_pushliteral(L, "value");
    lua_rawget(L, -2);
    lc_traceback_push(L, host, -1);
    if (lua_isnil(L, -1))
        lua_pop(L, 1);
    else
        lua_setfield(L, -3, "traceback");
    lua_pop(L, 1);
}

void lc_error_push_message(lua_State *L, int idx)
{
    idx = lua_absindex(L, idx);
    if (lc_exception_group_push_message(L, idx))
        return;
    lua_pushliteral(L, "message");
    lua_rawget(L, idx);
}

void lc_error_push_text(lua_State *L, struct lc_host *host, int idx)
{
    (void)host;
    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 6, NULL);
    if (!lc_is_error(L, idx)) {
        bool has_text = lua_isstring(L, idx);

        if (!has_text && luaL_getmetafield(L, idx, "__tostring") != LUA_TNIL) {
            lua_pop(L, 1);
            has_text = true;
        }
        if (has_text)
            lc_push_text(L, idx);
        else
            lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, idx));
        return;
    }
    lua_getfield(L, idx, "name");
    lc_push_text(L, idx);
    if (lua_rawlen(L, -1) == 0)
        lua_pop(L, 1);
    else {
        lua_pushfstring(L, "%s: %s", lua_tostring(L, -2), lua_tostring(L, -1));
        lua_replace(L, -3);
        lua_pop(L, 1);
    }
}
