/*
 * inspect_text: the words in which a task's state is told. See inspect.h.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "future.h"
#include "inspect.h"
#include "loop.h"
#include "task.h"
#include "timeout.h"

/* Deeper lines of a tree stand no further to the right; they begin with their depth. */
#define INDENT_MAX 30

/* A step that takes less is not worth a word, seconds. */
#define LONG_STEP 0.1

/* ---- one task ---- */

/* The future that the task waits for directly, or NULL. */
static struct lc_future *awaited_future(const struct lc_task *task)
{
    if (!lc_waiter_is_pending(&task->waiter) || task->waiter.type != &lc_wait_future_type)
        return NULL;
    return lc_waiter_object(&task->waiter);
}

enum lc_task_state lc_task_state(const struct lc_task *task)
{
    const struct lc_future *future = awaited_future(task);

    if (!task->started)
        return LC_TASK_READY;
    if (task->waiter.state == LC_WAIT_IDLE || task == task->future.loop->host->current)
        return LC_TASK_RUNNING;
    if (!lc_waiter_is_pending(&task->waiter) || (future != NULL && lc_future_is_done(future)))
        return LC_TASK_READY;
    return LC_TASK_WAITING;
}

const char *lc_task_state_name(enum lc_task_state state)
{
    static const char *const names[] = {"running", "ready", "waiting"};

    return names[state];
}

double lc_task_seconds(const struct lc_survey *survey, const struct lc_task *task)
{
    double seconds;

    switch (lc_task_state(task)) {
    case LC_TASK_WAITING:
        seconds = survey->now - task->since;
        return seconds > 0 ? seconds : 0;
    case LC_TASK_RUNNING:
        seconds = survey->now - survey->loop->now;
        return seconds >= LONG_STEP ? seconds : -1;
    case LC_TASK_READY:
        break;
    }
    return -1;
}

/* Pushes " (1.500 s more, timeout in 2.000 s)", or "". */
static void push_limits(lua_State *L, const struct lc_survey *survey, const struct lc_timer *timer,
                        const struct lc_task *task)
{
    bool has_timer = timer != NULL && lc_timer_is_set(timer);
    char more[64] = "", limit[64] = "";
    double when;

    if (has_timer) {
        when = survey->loop->timers.heap[timer->index].when - survey->now;
        if (isinf(when))
            snprintf(more, sizeof more, "for ever");
        else
            snprintf(more, sizeof more, "%.3f s more", when > 0 ? when : 0.0);
    }
    if (task != NULL && lc_timeouts_next(task, &when)) {
        when -= survey->now;
        snprintf(limit, sizeof limit, "timeout in %.3f s", when > 0 ? when : 0.0);
    }
    if (more[0] == '\0' && limit[0] == '\0')
        lua_pushliteral(L, "");
    else
        lua_pushfstring(L, " (%s%s%s)", more, more[0] != '\0' && limit[0] != '\0' ? ", " : "",
                        limit);
}

/* Pushes what the future at `idx` stands for. */
static void push_future_name(lua_State *L, int idx)
{
    lc_future_push_extra(L, idx, LC_EXTRA_NAME);
    if (!lua_isnil(L, -1))
        return;
    lc_future_push_extra(L, idx, LC_EXTRA_GUARD);
    if (lua_isnil(L, -1))
        lua_pushliteral(L, "future");
    else
        lua_pushliteral(L, "shield");
}

void lc_task_push_waits_for(lua_State *L, const struct lc_survey *survey, struct lc_task *task)
{
    struct lc_future *future = awaited_future(task);
    int top = lua_gettop(L);

    if (future == NULL) {
        lua_pushstring(L, task->waiter.type->name);
    } else {
        lc_waiter_push_object(L, &task->waiter);
        if (future->object.type == &lc_task_type) {
            lc_task_push_name(L, (struct lc_task *)future, top + 1);
            lua_pushfstring(L, "task '%s'", lua_tostring(L, -1));
        } else {
            push_future_name(L, top + 1);
        }
    }
    push_limits(L, survey, &task->waiter.timer, task);
    lua_pushfstring(L, "%s%s", lua_tostring(L, -2), lua_tostring(L, -1));
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
}

/* Pushes "file:line in function 'name'" of a position that was found. */
static void push_frame(lua_State *L, const lua_Debug *ar)
{
    if (strcmp(ar->what, "main") == 0)
        lua_pushfstring(L, "%s:%d in main chunk", ar->short_src, ar->currentline);
    else if (ar->name != NULL)
        lua_pushfstring(L, "%s:%d in function '%s'", ar->short_src, ar->currentline, ar->name);
    else
        lua_pushfstring(L, "%s:%d in function <line %d>", ar->short_src, ar->currentline,
                        ar->linedefined);
}

void lc_task_push_place(lua_State *L, struct lc_task *task, int idx)
{
    lua_State *co = lc_task_coroutine(task);
    lua_Debug ar, outer;

    if (co == NULL || !lc_find_position(co, &ar)) {
        lc_task_push_position(L, task, idx);
        return;
    }
    push_frame(L, &ar);
    if (co == task->thread || !lc_find_position(task->thread, &outer))
        return;
    /* in a generator or another coroutine: also where the task itself is */
    lua_pushliteral(L, ", called at ");
    push_frame(L, &outer);
    lua_concat(L, 3);
}

/* ---- the tree ---- */

void lc_text_clean(lua_State *L)
{
    const char *text = lua_tostring(L, -1);
    size_t length = lua_rawlen(L, -1);
    luaL_Buffer buffer;
    size_t i = 0;

    while (i < length && (unsigned char)text[i] >= ' ' && text[i] != 127)
        i++;
    if (i == length)
        return;
    luaL_buffinit(L, &buffer);
    for (i = 0; i < length; i++) {
        if ((unsigned char)text[i] >= ' ' && text[i] != 127) {
            luaL_addchar(&buffer, text[i]);
        } else {
            char escape[8];

            snprintf(escape, sizeof escape, "\\x%02X", (unsigned char)text[i]);
            luaL_addstring(&buffer, escape);
        }
    }
    luaL_pushresult(&buffer);
    lua_replace(L, -2);
}

void lc_survey_push_node(lua_State *L, const struct lc_survey *survey, int node)
{
    const struct lc_survey_node *at = &survey->nodes[node];

    if (at->awaiter.future != NULL) {
        lua_pushstring(L, at->awaiter.name);
    } else if (at->awaiter.count == 0) {
        lua_pushfstring(L, "%s of %d", at->awaiter.name, at->children);
    } else {
        push_limits(L, survey, at->awaiter.timer, NULL);
        lua_pushfstring(L, "%s of %d, %d done%s", at->awaiter.name, at->awaiter.count,
                        at->awaiter.done, lua_tostring(L, -1));
        lua_replace(L, -2);
    }
}

/* Pushes the line of a task, which is at `idx`. */
static void push_task_line(lua_State *L, const struct lc_survey *survey, struct lc_task *task,
                           int idx)
{
    enum lc_task_state state = lc_task_state(task);
    double seconds = lc_task_seconds(survey, task);
    int name = lua_gettop(L) + 1;
    char since[40] = "";

    if (seconds >= 0)
        snprintf(since, sizeof since, " %.3f s", seconds);
    lc_task_push_name(L, task, idx);
    lc_task_push_place(L, task, idx);
    lua_pushfstring(L, "%s: %s%s%s", lua_tostring(L, name),
                    task->cancelling > 0 ? "cancelling, " : "", lc_task_state_name(state), since);
    if (state == LC_TASK_WAITING) {
        lc_task_push_waits_for(L, survey, task);
        lua_pushfstring(L, "%s for %s at %s", lua_tostring(L, name + 2), lua_tostring(L, -1),
                        lua_tostring(L, name + 1));
    } else {
        lua_pushfstring(L, "%s%s%s", lua_tostring(L, -1),
                        task->started ? " at " : ", not started, ", lua_tostring(L, name + 1));
    }
    lc_task_push_created(L, task);
    if (!lua_isnil(L, -1))
        lua_pushfstring(L, "%s, created at %s", lua_tostring(L, -2), lua_tostring(L, -1));
    else
        lua_pop(L, 1);
    lua_replace(L, name);
    lua_settop(L, name);
}

/* Pushes the words of one step without its indentation. */
static void push_step(lua_State *L, const struct lc_survey *survey,
                      const struct lc_survey_step *step)
{
    struct lc_task *task = survey->nodes[step->node].task;
    int top = lua_gettop(L);

    if (task == NULL) {
        lc_survey_push_node(L, survey, step->node);
        if (step->mark == LC_STEP_AGAIN)
            lua_pushliteral(L, " (see above)"), lua_concat(L, 2);
    } else {
        lc_task_push(L, task);
        if (step->mark == LC_STEP_FIRST) {
            push_task_line(L, survey, task, top + 1);
        } else {
            lc_task_push_name(L, task, top + 1);
            lua_pushfstring(L, "%s (%s)", lua_tostring(L, -1),
                            step->mark == LC_STEP_CIRCLE ? "circle" : "see above");
        }
    }
    lc_text_clean(L);
    if (lua_gettop(L) > top + 1)
        lua_replace(L, top + 1);
    lua_settop(L, top + 1);
}

struct tree_request {
    struct lc_loop *loop;
    const char *before;
    const char *after;
};

/* Adds what stands in front of a step's words. `more` says of each depth whether another one follows. */
static void add_indent(luaL_Buffer *buffer, const struct lc_survey_step *step, bool *more)
{
    int depth = step->depth < INDENT_MAX ? step->depth : INDENT_MAX;
    char number[24];

    if (step->depth <= INDENT_MAX)
        more[step->depth] = !step->last;
    for (int i = 1; i < depth; i++)
        luaL_addstring(buffer, more[i] ? "|  " : "   ");
    if (depth > 0)
        luaL_addstring(buffer, "+- ");
    if (step->depth > INDENT_MAX) {
        snprintf(number, sizeof number, "[%d] ", step->depth);
        luaL_addstring(buffer, number);
    }
}

/* (request) -> text */
static int build_tree(lua_State *L)
{
    const struct tree_request *request = lua_touserdata(L, 1);
    bool more[INDENT_MAX + 1] = {false};
    struct lc_survey_step step;
    struct lc_survey survey;
    luaL_Buffer buffer;

    lc_survey_new(L, &survey, request->loop);
    luaL_buffinit(L, &buffer);
    while (lc_survey_step(&survey, &step)) {
        luaL_addstring(&buffer, request->before);
        add_indent(&buffer, &step, more);
        push_step(L, &survey, &step);
        luaL_addvalue(&buffer);
        luaL_addstring(&buffer, request->after);
    }
    luaL_pushresult(&buffer);
    return 1;
}

void lc_inspect_push_tree(lua_State *L, struct lc_loop *loop, const char *before, const char *after)
{
    struct tree_request request = {loop, before, after};

    lc_inspect(L, build_tree, &request, 1);
}
