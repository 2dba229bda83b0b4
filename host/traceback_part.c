#include "traceback_part.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "future.h"
#include "host.h"
#include "loop.h"
#include "stack_text.h"
#include "task.h"

/* Parts shown of a long way: so many first and so many last ones. */
#define FIRST_PARTS 6
#define LAST_PARTS  6
#define PARTS_MAX   (FIRST_PARTS + LAST_PARTS)

#define TITLE "stack traceback:"
/* What ends a part. Lines that are indented further belong to it. */
#define PART_END "\n\t(in "
#define INDENTED "\n\t    "
#define SKIPPING "\n\t...\t(skipping %d tasks and coroutines)"

/* So many coroutines inside of one another are looked through for the one that waits. */
#define CHAIN_MAX 100

/* Pushes "created at file:line", in debug mode with the whole stack, or else where its function is
 * defined. The task is on top. [-0, +1, m] */
static void push_creation(lua_State *L, struct lc_task *task)
{
    lc_task_push_created(L, task);
    if (lua_isnil(L, -1)) {
        lc_task_push_definition(L, lua_gettop(L) - 1);
        lua_pushfstring(L, " defined at %s)", lua_tostring(L, -1));
        lua_replace(L, -2);
    } else {
        lua_pushfstring(L, " created at %s)", lua_tostring(L, -1));
        lc_future_push_extra(L, -3, LC_EXTRA_SOURCE_TRACEBACK);
        if (lua_type(L, -1) == LUA_TSTRING) {
            const char *lines = strchr(lua_tostring(L, -1), '\n');

            luaL_gsub(L, lines != NULL ? lines : "", "\n\t", INDENTED);
            lua_replace(L, -2);
            lua_concat(L, 2);
        } else {
            lua_pop(L, 1);
        }
    }
    lua_replace(L, -2);
}

/* Appends to the part on top the line that says whose it was. [-1, +1, m] */
static void end_task_part(lua_State *L, struct lc_task *task)
{
    if (task->future.loop->host->script == task)
        return; /* its main chunk says so */
    lua_pushliteral(L, PART_END "task '");
    lc_task_push(L, task);
    lc_task_push_name(L, task, lua_gettop(L));
    luaL_gsub(L, lua_tostring(L, -1), "\n", " ");
    lua_replace(L, -2);
    lua_insert(L, -2);
    push_creation(L, task);
    lua_replace(L, -2);
    lua_pushliteral(L, "'");
    lua_insert(L, -2);
    lua_concat(L, 5);
}

/* The same for a coroutine that the task runs. [-1, +1, m] */
static void end_coroutine_part(lua_State *L, struct lc_host *host, lua_State *co)
{
    lc_host_push_ref(L, host, LC_REF_GENERATOR_THREADS);
    lua_pushthread(co);
    if (co != L)
        lua_xmove(co, L, 1);
    if (lua_rawget(L, -2) != LUA_TNIL)
        lua_pushliteral(L, PART_END "an async generator)");
    else
        lua_pushliteral(L, PART_END "a coroutine)");
    lua_replace(L, -3);
    lua_pop(L, 1);
    lua_concat(L, 2);
}

void lc_part_push(lua_State *L, struct lc_host *host, int level)
{
    struct lc_task *task = host->current;

    lc_stack_text_push(L, L, level);
    if (task != NULL && task->thread == L)
        end_task_part(L, task);
    else if (task != NULL && host->running == L)
        end_coroutine_part(L, host, L);
}

/* The end of the part whose last line begins at `line`. */
static const char *part_end(const char *line)
{
    do {
        line++;
        line += strcspn(line, "\n");
    } while (strncmp(line, INDENTED, strlen(INDENTED)) == 0);
    return line;
}

/* Where the parts of a traceback end: of the first ones, and how many there are. */
struct ends {
    const char *at[PARTS_MAX];
    int count;
};

static void find_ends(const char *text, struct ends *ends)
{
    ends->count = 0;
    while (ends->count < PARTS_MAX && (text = strstr(text, PART_END)) != NULL) {
        text = part_end(text);
        ends->at[ends->count++] = text;
    }
}

void lc_part_add(lua_State *L, int idx)
{
    const char *text = lua_tostring(L, idx), *middle;
    size_t number = strcspn(SKIPPING, "%");
    int skipped = 1;
    struct ends ends;

    find_ends(text, &ends);
    if (ends.count < PARTS_MAX) {
        lua_pushvalue(L, idx);
        lua_insert(L, -2);
        lua_concat(L, 2);
        return;
    }
    /* the first one behind those that are always shown goes */
    middle = ends.at[FIRST_PARTS - 1];
    if (strncmp(middle, SKIPPING, number) == 0)
        skipped += (int)strtol(middle + number, NULL, 10);
    lua_pushlstring(L, text, (size_t)(middle - text));
    lua_pushfstring(L, SKIPPING, skipped);
    lua_pushstring(L, ends.at[FIRST_PARTS]);
    lua_rotate(L, -4, 3);
    lua_concat(L, 4);
}

void lc_part_add_title(lua_State *L)
{
    lua_pushliteral(L, TITLE);
    lua_insert(L, -2);
    lua_concat(L, 2);
}

void lc_part_push_last(lua_State *L, int idx)
{
    const char *text = lua_tostring(L, idx);
    struct ends ends;

    find_ends(text, &ends);
    /* that of the script's task has no line at its end */
    if (ends.count > 0 && *ends.at[ends.count - 1] == '\0')
        ends.count--;
    lua_pushstring(L, ends.count > 0 ? ends.at[ends.count - 1] : text + strlen(TITLE));
    lc_part_add_title(L);
}

/* ---- a task's stack ---- */

/* The coroutine that the C function which runs in `co` has resumed, or NULL: the argument of resume,
 * that of the generator which is the argument, or an upvalue of what wrap returns. */
static lua_State *resumed_in(lua_State *co)
{
    lua_State *inner = NULL;
    lua_Debug ar;

    if (!lua_checkstack(co, 3) || !lua_getstack(co, 0, &ar) || !lua_getinfo(co, "Sf", &ar))
        return NULL;
    if (ar.what[0] == 'C' && lua_getlocal(co, &ar, 1) != NULL) {
        if (lua_type(co, -1) == LUA_TUSERDATA) {
            lua_getiuservalue(co, -1, 1);
            lua_replace(co, -2);
        }
        inner = lua_tothread(co, -1);
        lua_pop(co, 1);
    }
    if (ar.what[0] == 'C' && inner == NULL && lua_getupvalue(co, -1, 2) != NULL) {
        inner = lua_tothread(co, -1);
        lua_pop(co, 1);
    }
    lua_pop(co, 1);
    return inner;
}

void lc_part_push_task(lua_State *L, struct lc_host *host, int idx)
{
    struct lc_task *task = lua_touserdata(L, idx);
    lua_State *chain[CHAIN_MAX], *waits = lc_task_coroutine(task), *co = task->thread;
    int n = 0, text;

    luaL_checkstack(L, LC_STACK_TEXT_SLOTS, NULL);
    if (waits == NULL)
        waits = co;
    while (co != NULL && co != waits && n < CHAIN_MAX - 1) {
        chain[n++] = co;
        co = resumed_in(co);
    }
    if (co != waits && n > 0)
        n = 1; /* too far away */
    chain[n++] = waits;
    lua_pushliteral(L, "");
    text = lua_gettop(L);
    while (n-- > 0) {
        lc_stack_text_push(L, chain[n], 0);
        if (n == 0)
            end_task_part(L, task);
        else if (lua_checkstack(chain[n], 1))
            end_coroutine_part(L, host, chain[n]);
        lc_part_add(L, text);
        lua_replace(L, text);
    }
    lc_part_add_title(L);
}
