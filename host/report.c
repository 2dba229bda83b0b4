#include "report.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "context.h"
#include "error.h"
#include "error_text.h"
#include "future.h"
#include "host.h"
#include "loop.h"
#include "stack_text.h"
#include "task.h"

/* User values: 1 the error, 2 the future. */
struct lc_report {
    struct lc_object object;
    struct lc_link link; /* loop->reports */
    struct lc_future *future;
    struct lc_entry entry; /* queued by the finalizer */
    int anchor;
};

static const struct lc_type report_type = {"report", sizeof(struct lc_report)};

static void report_run(struct lc_loop *loop, struct lc_entry *entry);

static void report_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    lc_anchor_drop(L, loop->host, &lc_container_of(entry, struct lc_report, entry)->anchor);
}

static const struct lc_entry_type report_entry = {report_run, report_forget, NULL, NULL};

struct lc_report *lc_report_new(lua_State *L, int idx, int error)
{
    struct lc_future *future = lua_touserdata(L, idx);
    struct lc_host *host = future->loop->host;
    struct lc_report *report;

    luaL_checkstack(L, 8, NULL);
    report = lc_new_object(L, host, &report_type, LC_REF_REPORT, sizeof *report, 2);
    lc_list_init(&report->link);
    lc_entry_init(&report->entry, &report_entry);
    lua_pushvalue(L, error);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, idx);
    lua_setiuservalue(L, -2, 2);
    lc_pointer_register(L, host, -1);
    lc_future_set_extra(L, idx, LC_EXTRA_REPORT);
    report->future = future;
    lc_list_append(&future->loop->reports, &report->link);
    host->reports++;
    return report;
}

void lc_report_settle(struct lc_future *future)
{
    struct lc_report *report = future->report;

    lc_list_unlink(&report->link);
    report->future = NULL;
    future->report = NULL;
    future->loop->host->reports--;
}

/* Reports the failure of the report at `idx`. */
static void report_failure(lua_State *L, struct lc_loop *loop, int idx)
{
    struct lc_future *future;

    luaL_checkstack(L, 10, NULL);
    lua_createtable(L, 0, 3);
    lua_getiuservalue(L, idx, 2);
    future = lua_touserdata(L, -1);
    lua_pushfstring(L, "%s exception was never retrieved",
                    future->object.type == &lc_task_type ? "Task" : "Future");
    lua_setfield(L, -3, "message");
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "future");
    lc_future_push_extra(L, -1, LC_EXTRA_SOURCE_TRACEBACK);
    lua_setfield(L, -3, "source_traceback");
    lua_pushvalue(L, -1);
    lua_getiuservalue(L, idx, 1);
    if (!lc_is_error(L, -1))
        lc_future_wrap_error(L, loop->host, lua_gettop(L) - 1);
    lua_setfield(L, -4, "exception");
    lua_pop(L, 2);
    lc_report_call_handler(L, loop);
}

static void report_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_report *report = lc_container_of(entry, struct lc_report, entry);
    lua_State *L = loop->L;
    int top = lua_gettop(L);

    lc_anchor_push(L, loop->host, report->anchor);
    lc_anchor_drop(L, loop->host, &report->anchor);
    /* something else that was collected with it may have retrieved it since */
    if (report->future != NULL) {
        lc_report_settle(report->future);
        report_failure(L, loop, top + 1);
    }
    lua_settop(L, top);
}

/* A failed future was collected: the report is only queued here (LG10). */
static int report_gc(lua_State *L)
{
    struct lc_report *report = lc_to_finalize(L, &report_type);
    struct lc_future *future = report != NULL ? report->future : NULL;
    struct lc_loop *loop;

    if (future == NULL)
        return 0;
    loop = lc_future_loop(future);
    if (loop == NULL || loop->host->closed) {
        lc_report_settle(future);
        return 0;
    }
    lua_settop(L, 1);
    report->anchor = lc_anchor(L, loop->host);
    lc_loop_ready(loop, &report->entry);
    return 0;
}

static void reports_flush(lua_State *L, struct lc_loop *loop)
{
    /* those in the collector's hands are finalized first: none gets lost on the way */
    if (!lc_list_empty(&loop->reports))
        lua_gc(L, LUA_GCCOLLECT);
    while (!lc_list_empty(&loop->reports)) {
        struct lc_report *report = lc_container_of(loop->reports.next, struct lc_report, link);
        struct lc_future *future = report->future;
        int top = lua_gettop(L);

        luaL_checkstack(L, 10, NULL);
        if (report->anchor != LC_NO_ANCHOR) {
            /* the collector queued it in the meantime */
            lc_list_unlink(&report->entry.link);
            lc_anchor_push(L, loop->host, report->anchor);
            lc_anchor_drop(L, loop->host, &report->anchor);
        } else {
            lc_pointer_push(L, loop->host, report);
        }
        lc_report_settle(future);
        if (lua_type(L, -1) == LUA_TUSERDATA)
            report_failure(L, loop, lua_gettop(L));
        lua_settop(L, top);
    }
}

static void report_pending(lua_State *L, struct lc_loop *loop, struct lc_task *task)
{
    luaL_checkstack(L, 10, NULL);
    lua_createtable(L, 0, 2);
    lua_pushliteral(L, "Task was destroyed but it is pending!");
    lua_setfield(L, -2, "message");
    lc_task_push(L, task);
    lua_setfield(L, -2, "task");
    lc_report_call_handler(L, loop);
}

/* (loop) */
static int report_all(lua_State *L)
{
    struct lc_loop *loop = lua_touserdata(L, 1);
    int list;

    reports_flush(L, loop);
    lc_tasks_push(L, loop);
    list = lua_gettop(L);
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, list); i++) {
        struct lc_task *task;

        lua_rawgeti(L, list, i);
        task = lc_to_task(L, -1);
        if (!task->own)
            report_pending(L, loop, task);
        lua_settop(L, list);
    }
    return 0;
}

void lc_reports_close(lua_State *L, struct lc_loop *loop)
{
    if (loop->host->closed)
        return;
    lua_pushcfunction(L, report_all);
    lua_pushlightuserdata(L, loop);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        lua_pop(L, 1);
}

void lc_report_callback(lua_State *L, struct lc_loop *loop, int handle)
{
    int context;

    if (lc_error_kind(L, -1) == LC_KIND_EXIT) {
        lc_loop_raise(L, loop);
        return;
    }
    luaL_checkstack(L, 8, NULL);
    lc_error_wrap(L, loop->host);
    lua_createtable(L, 0, 5);
    lua_insert(L, -2);
    lua_setfield(L, -2, "exception");
    context = lua_gettop(L);
    lua_pushliteral(L, "Exception in callback");
    if (handle != 0) {
        /* its third user value: where it was made, or the future whose done callback it is */
        if (lua_getiuservalue(L, handle, 3) != LUA_TNONE)
            lua_setfield(L, context, lc_to_future(L, -1) != NULL ? "future" : "source_traceback");
        lua_settop(L, context + 1);
        lua_pushliteral(L, " ");
        lc_push_text(L, handle);
        lua_concat(L, 3);
        lua_pushvalue(L, handle);
        lua_setfield(L, context, "handle");
    }
    lua_setfield(L, context, "message");
    lc_report_call_handler(L, loop);
}

/* ---- the handler ---- */

/* (context) -> prints it: the last resort. */
static int print_protected(lua_State *L)
{
    lc_report_print(L, lc_host_open(L), 1);
    return 0;
}

static void call_default(lua_State *L, int context)
{
    lua_pushcfunction(L, print_protected);
    lua_pushvalue(L, context);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        struct lc_host *host = lc_host_open(L);

        lc_host_log(host, "lucio: exception in the default exception handler: ");
        lc_host_log(host,
                    lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, -1));
        lc_host_log(host, "\n");
        lua_pop(L, 1);
    }
}

/* The handler itself failed with the error on top: the default one reports both (EX3). */
static void report_handler_failure(lua_State *L, struct lc_loop *loop, int context)
{
    if (lc_error_kind(L, -1) == LC_KIND_EXIT && loop->state == LC_LOOP_RUNNING) {
        lc_loop_raise(L, loop);
        return;
    }
    lc_error_wrap(L, loop->host);
    lua_createtable(L, 0, 3);
    lua_insert(L, -2);
    lua_setfield(L, -2, "exception");
    lua_pushliteral(L, "Unhandled error in exception handler");
    lua_setfield(L, -2, "message");
    call_default(L, lua_gettop(L));
    lua_pop(L, 1);
    call_default(L, context);
}

/* Makes the context of the task or handle at fault current (EX4). */
static void push_context_at_fault(lua_State *L, int context)
{
    static const char *const keys[] = {"task", "future"};

    for (size_t i = 0; i < 2; i++) {
        lua_getfield(L, context, keys[i]);
        if (lc_to_future(L, -1) != NULL) {
            lc_future_push_extra(L, -1, LC_EXTRA_CONTEXT);
            lua_replace(L, -2);
            if (!lua_isnil(L, -1))
                return;
        }
        lua_pop(L, 1);
    }
    lua_pushnil(L);
}

void lc_report_call_handler(lua_State *L, struct lc_loop *loop)
{
    struct lc_host *host = loop->host;
    int context = lua_gettop(L);
    struct lc_task *current = host->current;
    lua_State *running = host->running;
    int outer = host->callback_context;

    luaL_checkstack(L, 12, NULL);
    if (loop->exception_handler == LC_NO_ANCHOR) {
        call_default(L, context);
        lua_settop(L, context - 1);
        return;
    }
    host->current = NULL;
    lc_host_enter(host, L, L);
    if (outer == LC_NO_ANCHOR) {
        push_context_at_fault(L, context);
        lc_callback_call_begin(L, host);
    }
    lc_anchor_push(L, host, loop->exception_handler);
    lc_loop_push_object(L, loop);
    lua_pushvalue(L, context);
    if (lc_call(L, host, 2, 0) != LUA_OK)
        report_handler_failure(L, loop, context);
    if (outer == LC_NO_ANCHOR)
        lc_callback_call_end(L, host);
    host->current = current;
    lc_host_enter(host, running, L);
    lua_settop(L, context - 1);
}

static int compare_keys(lua_State *L)
{
    lua_pushboolean(L, strcmp(luaL_tolstring(L, 1, NULL), luaL_tolstring(L, 2, NULL)) < 0);
    return 1;
}

/* Adds "key: value" lines, sorted by key, for all but the message and the error. */
static void add_details(lua_State *L, luaL_Buffer *buffer, int keys, int idx)
{
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, keys); i++) {
        lua_rawgeti(L, keys, i);
        lc_push_text(L, -1);
        lua_replace(L, -2);
        lua_pushvalue(L, -1);
        lua_gettable(L, idx);
        lc_push_text(L, -1);
        lua_pushfstring(L, "%s: %s\n", lua_tostring(L, -3), lua_tostring(L, -1));
        lua_replace(L, -4);
        lua_pop(L, 2);
        luaL_addvalue(buffer);
    }
}

/* Pushes a sorted list of the context's other keys. */
static void push_detail_keys(lua_State *L, int idx)
{
    lua_Integer n = 0;

    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, idx) != 0) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "message") != 0 &&
            strcmp(lua_tostring(L, -1), "exception") != 0) {
            lua_pushvalue(L, -1);
            lua_rawseti(L, -3, ++n);
        }
    }
    lua_getglobal(L, "table");
    if (lua_type(L, -1) == LUA_TTABLE && lua_getfield(L, -1, "sort") == LUA_TFUNCTION) {
        lua_pushvalue(L, -3);
        lua_pushcfunction(L, compare_keys);
        lua_call(L, 2, 0);
        lua_pop(L, 1);
    } else {
        lua_pop(L, lua_type(L, -1) == LUA_TTABLE ? 1 : 2);
    }
}

void lc_report_print(lua_State *L, struct lc_host *host, int idx)
{
    luaL_Buffer buffer;
    int keys;

    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 20, NULL);
    push_detail_keys(L, idx);
    keys = lua_gettop(L);
    luaL_buffinit(L, &buffer);
    if (lua_getfield(L, idx, "message") == LUA_TNIL) {
        lua_pop(L, 1);
        lua_pushliteral(L, "Unhandled exception in event loop");
    }
    luaL_addvalue(&buffer);
    luaL_addchar(&buffer, '\n');
    add_details(L, &buffer, keys, idx);
    luaL_pushresult(&buffer);
    if (lua_getfield(L, idx, "exception") != LUA_TNIL) {
        lc_error_text_push(L, host, -1, lc_wants_colour(stderr));
        lua_pushliteral(L, "\n");
        lua_concat(L, 2);
        lua_replace(L, -2);
        lua_concat(L, 2);
    } else {
        lua_pop(L, 1);
    }
    lc_host_log(host, lua_tostring(L, -1));
    lua_settop(L, keys - 1);
}

/* ---- debug mode ---- */

void lc_report_slow(lua_State *L, struct lc_loop *loop, int object, double seconds)
{
    const char *place = lc_watchdog_place(loop->host);
    char took[LUA_IDSIZE + 80];
    int top = lua_gettop(L);

    luaL_checkstack(L, 10, NULL);
    if (lua_isnil(L, object))
        lua_pushliteral(L, "<callback>");
    else if (lc_to_future(L, object) != NULL)
        lc_future_push_text(L, loop->host, object);
    else
        lc_push_text(L, object);
    snprintf(took, sizeof took, " took %.3f seconds%s%s\n", seconds,
             place != NULL ? ", held at " : "", place != NULL ? place : "");
    lc_host_log(loop->host, "Executing ");
    lc_host_log(loop->host, lua_tostring(L, -1));
    lc_host_log(loop->host, took);
    lua_settop(L, top);
}

void lc_report_note_source(lua_State *L, int idx)
{
    luaL_checkstack(L, LC_STACK_TEXT_SLOTS, NULL);
    lc_report_push_place(L);
    lc_future_set_extra(L, idx, LC_EXTRA_SOURCE);
    lua_pushliteral(L, "stack traceback:");
    lc_stack_text_push(L, L, 1);
    lua_concat(L, 2);
    lc_future_set_extra(L, idx, LC_EXTRA_SOURCE_TRACEBACK);
}

void lc_report_push_place(lua_State *L)
{
    lua_Debug ar;

    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0) {
            lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushliteral(L, "?");
}

void lc_reports_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg metamethods[] = {{"__gc", report_gc}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_REPORT, "lucio.report", NULL, metamethods);
}
