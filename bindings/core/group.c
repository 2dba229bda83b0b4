/*
 * group: tasks that end before their block does (SEMANTICS TG).
 * States: entered at creation; exiting once its end is reached; aborting once children are cancelled.
 * Owner:  the parent task's stack; the host anchors it while it has children. User values: 1 errors,
 *         2 table of the children's nodes, 3 the parent task, 4 the error that goes before all.
 */
#include <lauxlib.h>

#include "core.h"
#include "report.h"
#include "traceback.h"

struct group {
    struct lc_object object;
    struct lc_task *parent;
    struct lc_loop *loop;
    uint32_t generation;
    struct lc_link children; /* unfinished, in creation order */
    int anchor;
    lua_Integer errors;
    bool exiting;
    bool finished;
    bool aborting;
    bool parent_cancelled; /* the group cancelled its parent, which has to be undone */
    bool in_with;          /* lucio.with runs it: an error can be absorbed */
    bool waiting;          /* the parent waits at the end */
    bool has_base_error;
};

struct child {
    struct lc_object object;
    struct lc_entry entry;
    struct lc_link link;
    struct group *group;
    struct lc_task *task;
};

static const struct lc_type group_type = {"TaskGroup", sizeof(struct group)};
static const struct lc_type child_type = {"TaskGroup child", sizeof(struct child)};
static const struct lc_wait_type group_wait = {"task group", NULL};

static void group_abort(lua_State *L, struct group *group)
{
    struct lc_link *link = group->children.next;

    group->aborting = true;
    while (link != &group->children) {
        struct child *child = lc_container_of(link, struct child, link);

        link = link->next;
        lc_task_cancel(L, child->task, 0);
    }
}

static bool parent_is_done(const struct group *group)
{
    return lc_future_is_done(&group->parent->future);
}

/* Keeps the error on top; the group is at `idx`. [-1, +0, m] */
static void group_add_error(lua_State *L, struct group *group, int idx)
{
    lua_getiuservalue(L, idx, 1);
    lua_insert(L, -2);
    lua_rawseti(L, -2, ++group->errors);
    lua_pop(L, 1);
}

/* A child failed with the error object on top. The group is at `idx`, the child at `idx` + 1. */
static void child_failed(lua_State *L, struct lc_loop *loop, struct group *group, int idx)
{
    lua_pushvalue(L, -1);
    group_add_error(L, group, idx);
    if (lc_error_kind(L, -1) == LC_KIND_EXIT && !group->has_base_error) {
        group->has_base_error = true;
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, idx, 4);
    }
    if (parent_is_done(group)) {
        lua_createtable(L, 0, 3);
        lua_insert(L, -2);
        lua_setfield(L, -2, "exception");
        lua_pushliteral(L, "Task has errored out but its parent task is already completed");
        lua_setfield(L, -2, "message");
        lua_pushvalue(L, idx + 1);
        lua_setfield(L, -2, "task");
        lc_report_call_handler(L, loop);
        return;
    }
    lua_pop(L, 1);
    if (!group->aborting && !group->parent_cancelled) {
        group_abort(L, group);
        group->parent_cancelled = true;
        lc_task_cancel(L, group->parent, 0);
    }
}

static void child_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct child *child = lc_container_of(entry, struct child, entry);
    struct group *group = child->group;
    struct lc_task *task = child->task;
    lua_State *L = loop->L;
    int top = lua_gettop(L);

    luaL_checkstack(L, 12, NULL);
    lc_anchor_push(L, loop->host, group->anchor); /* top + 1 */
    lua_getiuservalue(L, top + 1, 2);
    lua_rawgetp(L, -1, child);
    lua_getiuservalue(L, -1, 1);
    lua_replace(L, top + 2); /* top + 2: the task */
    lua_settop(L, top + 3);  /* top + 3: the child */
    lua_getiuservalue(L, top + 1, 2);
    lua_pushnil(L);
    lua_rawsetp(L, -2, child);
    lua_settop(L, top + 2);
    lc_list_unlink(&child->link);
    if (lc_list_empty(&group->children)) {
        if (group->waiting)
            lc_waiter_wake(&group->parent->waiter);
        lc_anchor_drop(L, loop->host, &group->anchor);
    }
    if (task->future.state == LC_FAILED) {
        lc_future_push_error(L, top + 2);
        if (!lc_is_error(L, -1))
            lc_future_wrap_error(L, loop->host, top + 2);
        child_failed(L, loop, group, top + 1);
    }
    lua_settop(L, top);
}

static void child_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    struct group *group = lc_container_of(entry, struct child, entry)->group;

    if (group->anchor != LC_NO_ANCHOR)
        lc_anchor_drop(L, loop->host, &group->anchor);
}

static void child_awaiter(const struct lc_entry *entry, struct lc_awaiter *awaiter)
{
    const struct group *group = lc_container_of(entry, struct child, entry)->group;

    if (!parent_is_done(group))
        *awaiter = (struct lc_awaiter){.task = group->parent, .node = group, .name = "TaskGroup"};
}

static const struct lc_entry_type child_entry = {child_run, child_forget, NULL, child_awaiter};

static struct group *check_group(lua_State *L, const char *what)
{
    return lc_check_self(L, &group_type, what);
}

/* group:create_task(fn, ...) -> Task */
static int group_create_task(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct group *group = check_group(L, "create_task");
    struct child *child;
    struct lc_task *task;
    int made;

    if (group->aborting || (group->exiting && lc_list_empty(&group->children)))
        lc_dispose_coroutine(L, 2);
    if (group->exiting && lc_list_empty(&group->children))
        lc_raise(L, host, LC_RUNTIME_ERROR, "TaskGroup is finished");
    if (group->aborting)
        lc_raise(L, host, LC_RUNTIME_ERROR, "TaskGroup is shutting down");
    if (group->generation != group->loop->generation || group->loop->state == LC_LOOP_CLOSED)
        lc_raise(L, host, LC_RUNTIME_ERROR, "Event loop is closed");
    child = lc_new_object(L, host, &child_type, LC_REF_GROUP_CHILD, sizeof *child, 1);
    lua_insert(L, 2);
    lc_entry_init(&child->entry, &child_entry);
    lc_list_init(&child->link);
    task = lc_create_task_from(L, host, group->loop, 3, "create_task");
    made = lua_gettop(L);
    child->group = group;
    child->task = task;
    lua_pushvalue(L, made);
    lua_setiuservalue(L, 2, 1);
    lua_getiuservalue(L, 1, 2);
    lua_pushvalue(L, 2);
    lua_rawsetp(L, -2, child);
    if (group->anchor == LC_NO_ANCHOR) {
        lua_pushvalue(L, 1);
        group->anchor = lc_anchor(L, host);
    }
    lc_list_append(&group->children, &child->link);
    lc_future_add_entry(&task->future, &child->entry);
    if (group->aborting)
        lc_task_cancel(L, task, 0);
    lua_settop(L, made);
    return 1;
}

/* group:cancel(): children and body are cancelled, the block ends without an error (TG21). */
static int group_cancel(lua_State *L)
{
    struct group *group = check_group(L, "cancel");

    if (group->aborting || (group->exiting && lc_list_empty(&group->children)) ||
        group->generation != group->loop->generation)
        return 0;
    group_abort(L, group);
    if (group->in_with && !group->parent_cancelled && !parent_is_done(group)) {
        group->parent_cancelled = true;
        lc_task_cancel(L, group->parent, 0);
    }
    return 0;
}

/* ---- the end of the block ---- */

/* Stack while leaving: 1 the group, 2 the body's error or nil, 3 a CancelledError to raise or nil,
 * 4 the last CancelledError of the wait or nil. */
static int leave_finish(lua_State *L, struct lc_host *host, struct group *group)
{
    struct lc_task *parent = group->parent;
    bool body_failed = !lua_isnil(L, 2) && lc_error_kind(L, 2) != LC_KIND_CANCELLED;

    group->finished = true;
    if (group->has_base_error) {
        lua_getiuservalue(L, 1, 4);
        return lua_error(L);
    }
    if (group->parent_cancelled) {
        if (lc_task_uncancel(parent) == 0) {
            lua_pushnil(L);
            lua_replace(L, 3);
        } else if (lua_isnil(L, 3)) {
            lua_pushvalue(L, 4);
            lua_replace(L, 3);
        }
    }
    if (!lua_isnil(L, 3) && group->errors == 0) {
        lua_pushvalue(L, 3);
        return lua_error(L);
    }
    if (body_failed) {
        lua_pushvalue(L, 2);
        lc_error_wrap(L, host);
        group_add_error(L, group, 1);
    }
    if (group->errors > 0) {
        if (parent->cancelling > 0) {
            lc_task_uncancel(parent);
            lc_task_cancel(L, parent, 0);
        }
        lc_class_push(L, host, LC_BASE_EXCEPTION_GROUP);
        lua_pushliteral(L, "unhandled errors in a TaskGroup");
        lua_getiuservalue(L, 1, 1);
        lua_call(L, 2, 1);
        if (!lua_isnil(L, 2))
            lc_traceback_inherit(L, host, 2);
        return lua_error(L);
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int leave_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_host *host = lc_host_of(L);
    struct group *group = lua_touserdata(L, 1);

    (void)ctx;
    if (status == LUA_YIELD) {
        group->waiting = false;
        if (lc_wait_end(L, host->current)) {
            lua_pushvalue(L, -1);
            lua_replace(L, 4);
            if (!group->aborting) {
                lua_pushvalue(L, -1);
                lua_replace(L, 3);
                group_abort(L, group);
            }
        }
        lua_settop(L, 4);
    }
    if (!lc_list_empty(&group->children)) {
        struct lc_task *task = lc_wait_task(L, host, "TaskGroup");

        group->waiting = true;
        lc_wait_begin(L, task, &group_wait, 1);
        return lc_wait_yield(L, task, 0, leave_k);
    }
    return leave_finish(L, host, group);
}

/* group:__exit(error) -> true, or raises; __close is the same and cannot absorb the error. */
static int group_exit(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct group *group = check_group(L, "close");

    lua_settop(L, 4);
    if (group->exiting)
        return 0;
    if (host->current != group->parent)
        lc_raise(L, host, LC_RUNTIME_ERROR,
                 "TaskGroup is left in another task than it was made in");
    group->exiting = true;
    lua_pushnil(L);
    lua_replace(L, 3);
    lua_pushnil(L);
    lua_replace(L, 4);
    if (!lua_isnil(L, 2)) {
        if (lc_error_kind(L, 2) == LC_KIND_EXIT && !group->has_base_error) {
            group->has_base_error = true;
            lua_pushvalue(L, 2);
            lua_setiuservalue(L, 1, 4);
        }
        if (lc_error_kind(L, 2) == LC_KIND_CANCELLED) {
            lua_pushvalue(L, 2);
            lua_replace(L, 3);
        }
        if (!group->aborting)
            group_abort(L, group);
    }
    return leave_k(L, LUA_OK, 0);
}

static int group_close(lua_State *L)
{
    return group_exit(L);
}

void lc_group_mark_with(lua_State *L, int idx)
{
    struct group *group = lc_to_object(L, idx, &group_type);

    if (group != NULL)
        group->in_with = true;
}

static int group_tostring(lua_State *L)
{
    struct group *group = check_group(L, "tostring");
    int n = 0;

    for (struct lc_link *link = group->children.next; link != &group->children; link = link->next)
        n++;
    lua_pushliteral(L, "<TaskGroup");
    if (n > 0)
        lua_pushfstring(L, " tasks=%d", n), lua_concat(L, 2);
    if (group->errors > 0)
        lua_pushfstring(L, " errors=%d", (int)group->errors), lua_concat(L, 2);
    lua_pushstring(L, group->aborting ? " cancelling>" : " entered>");
    lua_concat(L, 2);
    return 1;
}

/* lucio.TaskGroup() */
static int lucio_task_group(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    struct group *group;

    lc_check_no_arguments(L, "TaskGroup");
    if (host->current == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "TaskGroup cannot determine the parent task");
    group = lc_new_object(L, host, &group_type, LC_REF_GROUP, sizeof *group, 4);
    lc_list_init(&group->children);
    group->parent = host->current;
    group->loop = host->loop;
    group->generation = host->loop->generation;
    lua_newtable(L);
    lua_setiuservalue(L, -2, 1);
    lua_newtable(L);
    lua_setiuservalue(L, -2, 2);
    lc_task_push(L, host->current);
    lua_setiuservalue(L, -2, 3);
    return 1;
}

void lc_open_group(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {
        {"create_task", group_create_task}, {"cancel", group_cancel}, {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__close", group_close},
                                           {"__exit", group_exit},
                                           {"__tostring", group_tostring},
                                           {NULL, NULL}};
    static const luaL_Reg functions[] = {{"TaskGroup", lucio_task_group}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_GROUP, "lucio.TaskGroup", methods, metamethods);
    lc_new_type(L, host, LC_REF_GROUP_CHILD, "lucio.TaskGroup.child", NULL, NULL);
    lc_set_functions(L, host, functions);
}
