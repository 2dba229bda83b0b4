/*
 * error: the classes of errors, error objects and how a bare Lua value counts as one.
 * An error object is a table whose metatable is its class; a class is a table that can be called.
 * What a script raises travels unchanged; only where an error is handed over as a value is a bare
 * one wrapped in LuaError (API.md, rule 6).
 */
#ifndef LC_ERROR_H
#define LC_ERROR_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;

enum lc_class {
    LC_BASE_EXCEPTION = 1,
    LC_CANCELLED_ERROR,
    LC_KEYBOARD_INTERRUPT,
    LC_SYSTEM_EXIT,
    LC_GENERATOR_EXIT,
    LC_BASE_EXCEPTION_GROUP,
    LC_EXCEPTION,
    LC_TIMEOUT_ERROR,
    LC_INVALID_STATE_ERROR,
    LC_RUNTIME_ERROR,
    LC_VALUE_ERROR,
    LC_TYPE_ERROR,
    LC_LOOKUP_ERROR,
    LC_QUEUE_EMPTY,
    LC_QUEUE_FULL,
    LC_QUEUE_SHUT_DOWN,
    LC_BROKEN_BARRIER_ERROR,
    LC_BROKEN_PROCESS_POOL,
    LC_INCOMPLETE_READ_ERROR,
    LC_LIMIT_OVERRUN_ERROR,
    LC_OS_ERROR,
    LC_CONNECTION_ERROR,
    LC_CONNECTION_RESET_ERROR,
    LC_CONNECTION_REFUSED_ERROR,
    LC_CONNECTION_ABORTED_ERROR,
    LC_BROKEN_PIPE_ERROR,
    LC_FILE_NOT_FOUND_ERROR,
    LC_FILE_EXISTS_ERROR,
    LC_PERMISSION_ERROR,
    LC_IS_A_DIRECTORY_ERROR,
    LC_NOT_A_DIRECTORY_ERROR,
    LC_PROCESS_LOOKUP_ERROR,
    LC_GAI_ERROR,
    LC_SSL_ERROR,
    LC_SSL_CERT_VERIFICATION_ERROR,
    LC_LUA_ERROR,
    LC_BUDGET_ERROR,
    LC_EXCEPTION_GROUP,
    LC_CLASS_COUNT
};

/* How an error is treated on its way. */
enum lc_kind {
    LC_KIND_VALUE,     /* no error object: a string, a plain table...; an ordinary error */
    LC_KIND_ORDINARY,  /* Exception and below */
    LC_KIND_CANCELLED, /* ends a task as cancelled */
    LC_KIND_EXIT,      /* KeyboardInterrupt, SystemExit: leave the run call */
    LC_KIND_BASE       /* any other BaseException */
};

/* Makes the classes and stores them in the module table on top. [-0, +0, m] */
void lc_errors_open(lua_State *L, struct lc_host *host);

/* [-0, +1, -] */
void lc_class_push(lua_State *L, const struct lc_host *host, enum lc_class class);

/* New error object with a text as its message and only argument. [-0, +1, m] */
void lc_error_push(lua_State *L, struct lc_host *host, enum lc_class class, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* New error object without arguments. [-0, +1, m] */
void lc_error_push_bare(lua_State *L, struct lc_host *host, enum lc_class class);

/* New error object whose only argument is the value on top (none if it is nil). [-1, +1, m] */
void lc_error_from(lua_State *L, struct lc_host *host, enum lc_class class);

/* Raises what lc_error_push makes. Never returns. [-0, +0, v] */
int lc_raise(lua_State *L, struct lc_host *host, enum lc_class class, const char *format, ...)
    __attribute__((format(printf, 4, 5), noreturn));

/* The class of an OSError with that number: OSError, or what is below it. */
enum lc_class lc_os_error_class(lua_Integer number);

/* "[Errno 2] No such file or directory: 'name'", as Python writes it; the names may be NULL.
 * [-0, +1, m] */
void lc_push_os_text(lua_State *L, lua_Integer number, const char *text, const char *filename,
                     const char *filename2);

/* Pushes an OSError (or the class that belongs to the number) with just that text; the file's name
 * may be NULL. [-0, +1, m] */
void lc_error_push_os(lua_State *L, struct lc_host *host, int number, const char *filename,
                      const char *text);

/* The same with the text that belongs to the number and the name. [-0, +1, m] */
void lc_error_push_errno(lua_State *L, struct lc_host *host, int number, const char *filename);

/* Raises what lc_error_push_errno makes. Never returns. [-0, +0, v] */
int lc_raise_errno(lua_State *L, struct lc_host *host, int number, const char *filename)
    __attribute__((noreturn));

/* [-0, +0, -] */
enum lc_kind lc_error_kind(lua_State *L, int idx);
bool lc_error_is(lua_State *L, const struct lc_host *host, int idx, enum lc_class class);
/* The number of the class at `idx`; 0: it is none of lucio's own. */
enum lc_class lc_class_number(lua_State *L, const struct lc_host *host, int idx);
/* Pushes the class that was made last with the name on top below the one at `parent`, or nil. [-0, +1, -] */
void lc_class_find_child(lua_State *L, int parent);
/* Replaces the name on top by a new class below the one at `parent`. [-1, +1, m] */
void lc_class_new_child(lua_State *L, struct lc_host *host, int parent);
/* Whether the value at `idx` is a class of errors. */
bool lc_is_class(lua_State *L, int idx);
/* Whether the error at `idx` is an instance of the class at `class_idx`. */
bool lc_isinstance(lua_State *L, const struct lc_host *host, int idx, int class_idx);
/* Whether the class at `idx` is that class or below it. */
bool lc_issubclass(lua_State *L, const struct lc_host *host, int idx, enum lc_class class);

static inline bool lc_is_error(lua_State *L, int idx)
{
    return lc_error_kind(L, idx) != LC_KIND_VALUE;
}

/* Replaces a bare value on top by a LuaError that holds it. [-1, +1, m] */
void lc_error_wrap(lua_State *L, struct lc_host *host);

/* The message of the error object at `idx`. [-0, +1, -] */
void lc_error_push_message(lua_State *L, int idx);

/* tostring of the value at `idx`; a __tostring that fails gives a text that says so. [-0, +1, m] */
void lc_push_text(lua_State *L, int idx);

/* Text of an error as reports show it: "Class: message". [-0, +1, m] */
void lc_error_push_text(lua_State *L, struct lc_host *host, int idx);

#endif
