/*
 * task_tree: print_tasks and task_tree: what every task does and who waits for whom.
 */
#include <lauxlib.h>

#include "core.h"
#include "inspect.h"

/* ---- as text ---- */

void lc_push_all_trees(lua_State *L, struct lc_host *host)
{
    int top = lua_gettop(L), loops = 0;

    for (struct lc_link *link = host->loops.next; link != &host->loops; link = link->next) {
        struct lc_loop *loop = lc_container_of(link, struct lc_loop, link);

        luaL_checkstack(L, 8, NULL);
        lc_tasks_push(L, loop);
        if (lua_rawlen(L, -1) == 0) {
            lua_pop(L, 1);
            continue;
        }
        lua_pop(L, 1);
        if (loops++ > 0)
            lua_pushliteral(L, "\n");
        lc_inspect_push_tree(L, loop, "", "\n");
        lua_concat(L, lua_gettop(L) - top);
    }
    if (loops == 0)
        lua_pushliteral(L, "no tasks\n");
}

static struct lc_loop *check_running(lua_State *L, const char *what)
{
    struct lc_host *host = lc_host_of(L);

    if (host->loop == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "%s: no running event loop", what);
    return host->loop;
}

/* lucio.print_tasks(file or function, default io.stderr) */
static int lucio_print_tasks(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    bool is_call = false;

    lua_settop(L, 1);
    if (!lua_isnil(L, 1)) {
        is_call = lc_is_callable(L, 1);
        if (!is_call && (luaL_getmetafield(L, 1, "__index") == LUA_TNIL ||
                         lua_getfield(L, 1, "write") == LUA_TNIL))
            lc_raise_argument(L, host, LC_TYPE_ERROR, "print_tasks", 1, "file or function", 1);
        lua_settop(L, 1);
    }
    lc_inspect_push_tree(L, check_running(L, "print_tasks"), "", "\n");
    if (lua_rawlen(L, 2) == 0) {
        lua_pop(L, 1);
        lua_pushliteral(L, "no tasks\n");
    }
    if (lua_isnil(L, 1)) {
        lua_writestringerror("%s", lua_tostring(L, 2));
    } else if (is_call) {
        lua_call(L, 1, 0);
    } else {
        lua_getfield(L, 1, "write");
        lua_insert(L, 1);
        lua_call(L, 2, 0);
    }
    return 0;
}

/* ---- as a table ---- */

/* Sets the fields of a task, which is at `idx`, in the table on top. */
static void set_task_fields(lua_State *L, const struct lc_survey *survey, struct lc_task *task,
                            int idx)
{
    double seconds = lc_task_seconds(survey, task);

    lua_pushstring(L, lc_task_state_name(lc_task_state(task)));
    lua_setfield(L, -2, "state");
    lc_task_push_place(L, task, idx);
    lua_setfield(L, -2, "place");
    lc_task_push_created(L, task);
    lua_setfield(L, -2, "created");
    lua_pushboolean(L, task->cancelling > 0);
    lua_setfield(L, -2, "cancelling");
    if (lc_task_state(task) == LC_TASK_WAITING) {
        lc_task_push_waits_for(L, survey, task);
        lua_setfield(L, -2, "waits_for");
    }
    if (seconds >= 0) {
        lua_pushnumber(L, seconds);
        lua_setfield(L, -2, "seconds");
    }
}

/* Pushes the table of a step. */
static void push_step(lua_State *L, const struct lc_survey *survey,
                      const struct lc_survey_step *step)
{
    const struct lc_survey_node *node = &survey->nodes[step->node];
    int made = lua_gettop(L) + 1;

    lua_createtable(L, 0, 8);
    lua_pushstring(L, node->task != NULL ? "task" : node->awaiter.name);
    lua_setfield(L, made, "kind");
    if (node->task != NULL) {
        lc_task_push(L, node->task);
        lc_task_push_name(L, node->task, made + 1);
        lua_setfield(L, made, "name");
        lua_pushinteger(L, node->task->id);
        lua_setfield(L, made, "id");
        lua_pushvalue(L, made + 1);
        lua_setfield(L, made, "task");
        lua_insert(L, made);
        if (step->mark == LC_STEP_FIRST)
            set_task_fields(L, survey, node->task, made);
        lua_remove(L, made);
    } else {
        lc_survey_push_node(L, survey, step->node);
        lua_setfield(L, made, "name");
    }
    if (step->mark == LC_STEP_FIRST) {
        lua_createtable(L, node->children, 0);
        lua_setfield(L, made, "children");
    } else {
        lua_pushstring(L, step->mark == LC_STEP_CIRCLE ? "circle" : "above");
        lua_setfield(L, made, "shown");
    }
}

/* (loop) -> list of roots */
static int build_table(lua_State *L)
{
    struct lc_loop *loop = lua_touserdata(L, 1);
    struct lc_survey_step step;
    struct lc_survey survey;
    int roots = 2, made = 3;

    lua_newtable(L);
    lua_newtable(L); /* node -> its table */
    lc_survey_new(L, &survey, loop);
    while (lc_survey_step(&survey, &step)) {
        if (step.parent < 0) {
            lua_pushvalue(L, roots);
        } else {
            lua_rawgeti(L, made, step.parent + 1);
            lua_getfield(L, -1, "children");
            lua_replace(L, -2);
        }
        push_step(L, &survey, &step);
        if (step.mark == LC_STEP_FIRST) {
            lua_pushvalue(L, -1);
            lua_rawseti(L, made, step.node + 1);
        }
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
        lua_pop(L, 1);
    }
    lua_pushvalue(L, roots);
    return 1;
}

/* lucio.task_tree() -> list of what nobody awaits */
static int lucio_task_tree(lua_State *L)
{
    lc_check_no_arguments(L, "task_tree");
    lc_inspect(L, build_table, check_running(L, "task_tree"), 1);
    return 1;
}

void lc_open_task_tree(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {
        {"print_tasks", lucio_print_tasks}, {"task_tree", lucio_task_tree}, {NULL, NULL}};

    lc_set_functions(L, host, functions);
}
