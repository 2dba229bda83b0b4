/*
 * task_list: all tasks of a host as the lines of a table, for `lucio ps`.
 */
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "inspect.h"

static const char *const heads[] = {"ID",        "NAME", "STATE",     "SECONDS",
                                    "WAITS FOR", "AT",   "AWAITED BY"};

#define COLUMNS (int)(sizeof heads / sizeof heads[0])

/* No column but the last takes more room for its sake; longer texts push the rest of their line. */
#define WIDTH_MAX 40

/* So many awaiters are named. */
#define NAMES_MAX 3

/* Bytes that begin a character of UTF-8: the columns that a text takes on a terminal, nearly. */
static int text_width(const char *text)
{
    int width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

/* Pushes the names of who awaits a node, or "". */
static void push_awaiters(lua_State *L, const struct lc_survey *survey, int node)
{
    int edge = survey->nodes[node].by, count = 0;
    struct lc_task *task;

    lua_pushliteral(L, "");
    while ((task = lc_survey_awaiter(survey, &edge)) != NULL) {
        if (++count > NAMES_MAX)
            continue;
        lc_task_push(L, task);
        lc_task_push_name(L, task, lua_gettop(L));
        lua_pushfstring(L, "%s%s%s", lua_tostring(L, -3), count > 1 ? ", " : "",
                        lua_tostring(L, -1));
        lua_replace(L, -4);
        lua_pop(L, 2);
    }
    if (count > NAMES_MAX) {
        lua_pushfstring(L, "%s and %d more", lua_tostring(L, -1), count - NAMES_MAX);
        lua_replace(L, -2);
    }
}

/* Pushes the texts of a task's line, the first column first. [-0, +COLUMNS, m] */
static void push_cells(lua_State *L, const struct lc_survey *survey, int node)
{
    struct lc_task *task = survey->nodes[node].task;
    int first = lua_gettop(L) + 1;
    enum lc_task_state state = lc_task_state(task);
    double since = lc_task_seconds(survey, task);
    char seconds[40] = "";

    lc_task_push(L, task);
    lua_pushfstring(L, "%I", (LUAI_UACINT)task->id);
    lc_task_push_name(L, task, first);
    lua_pushfstring(L, "%s%s", lc_task_state_name(state), task->cancelling > 0 ? "*" : "");
    if (since >= 0)
        snprintf(seconds, sizeof seconds, "%.3f", since);
    lua_pushstring(L, seconds);
    if (state == LC_TASK_WAITING)
        lc_task_push_waits_for(L, survey, task);
    else
        lua_pushliteral(L, "");
    lc_task_push_place(L, task, first);
    push_awaiters(L, survey, node);
    lua_remove(L, first);
}

/* Adds the texts of a loop's tasks to the list at `list`. */
static void add_loop(lua_State *L, struct lc_loop *loop, int list, int *widths)
{
    int top = lua_gettop(L);
    lua_Integer n = (lua_Integer)lua_rawlen(L, list);
    struct lc_survey survey;

    lc_survey_new(L, &survey, loop);
    for (int i = 0; i < survey.tasks; i++) {
        int first = lua_gettop(L) + 1;

        push_cells(L, &survey, i);
        for (int column = 0; column < COLUMNS; column++) {
            int width;

            lua_pushvalue(L, first + column);
            lc_text_clean(L);
            width = text_width(lua_tostring(L, -1));
            if (width > widths[column])
                widths[column] = width < WIDTH_MAX ? width : WIDTH_MAX;
            lua_rawseti(L, list, ++n);
        }
        lua_settop(L, first - 1);
    }
    lua_settop(L, top);
}

static void add_cell(luaL_Buffer *buffer, const char *text, int column, const int *widths)
{
    luaL_addstring(buffer, text);
    if (column + 1 == COLUMNS) {
        while (luaL_buffaddr(buffer)[luaL_bufflen(buffer) - 1] == ' ')
            luaL_buffsub(buffer, 1);
        luaL_addchar(buffer, '\n');
        return;
    }
    for (int width = text_width(text); width < widths[column] + 2; width++)
        luaL_addchar(buffer, ' ');
    if (text_width(text) >= widths[column] + 2)
        luaL_addchar(buffer, ' ');
}

/* (host) -> text */
static int build_list(lua_State *L)
{
    struct lc_host *host = lua_touserdata(L, 1);
    int widths[sizeof heads / sizeof heads[0]];
    luaL_Buffer buffer;
    lua_Integer n;

    for (int column = 0; column < COLUMNS; column++)
        widths[column] = text_width(heads[column]);
    lua_newtable(L);
    for (struct lc_link *link = host->loops.next; link != &host->loops; link = link->next)
        add_loop(L, lc_container_of(link, struct lc_loop, link), 2, widths);
    n = (lua_Integer)lua_rawlen(L, 2);
    luaL_buffinit(L, &buffer);
    for (int column = 0; column < COLUMNS; column++)
        add_cell(&buffer, heads[column], column, widths);
    for (lua_Integer i = 0; i < n; i++) {
        const char *text;

        /* the list holds it: a buffer wants the stack as it left it */
        lua_rawgeti(L, 2, i + 1);
        text = lua_tostring(L, -1);
        lua_pop(L, 1);
        add_cell(&buffer, text, (int)(i % COLUMNS), widths);
    }
    luaL_pushresult(&buffer);
    return 1;
}

void lc_push_task_list(lua_State *L, struct lc_host *host)
{
    lc_inspect(L, build_list, host, 1);
}
