/*
 * tree: what the tasks of a host do and who waits for whom, for C: as text and as records.
 * The records are made before the program sees the first one: while a survey is in use nothing may happen
 * in the loop, and the program may do what it likes.
 */
#include <lauxlib.h>

#include "core.h"
#include "embed.h"
#include "inspect.h"

struct tree_args {
    struct lucio *h;
    void (*write)(const char *text, size_t length, void *data);
    bool (*visit)(const struct lucio_task_info *info, void *data);
    void *data;
};

/* ---- as text ---- */

static int print_tasks(lua_State *L)
{
    struct tree_args *args = lua_touserdata(L, 1);
    struct lucio *h = args->h;
    const char *text;
    struct lc_call *outer;
    size_t length;

    lc_inspect_push_tree(L, h->loop, "", "\n");
    if (lua_rawlen(L, -1) == 0)
        lua_pushliteral(L, "no tasks\n");
    text = lua_tolstring(L, -1, &length);
    outer = lc_embed_begin_call(h, NULL);
    args->write(text, length, args->data);
    lc_embed_end_call(h, outer);
    return 0;
}

/* Calls one of the functions here. */
static int look(struct tree_args *args, bool complete, lua_CFunction fn)
{
    int status = lc_embed_enter(args->h);

    if (status == LUCIO_OK && !complete)
        status = lc_embed_refuse(args->h, LUCIO_INVALID, "there is no function to call");
    return status != LUCIO_OK ? status : lc_embed_protect(args->h, fn, args);
}

int lucio_print_tasks(lucio *h, void (*write)(const char *text, size_t length, void *data),
                      void *data)
{
    struct tree_args args = {.h = h, .write = write, .data = data};

    return look(&args, write != NULL, print_tasks);
}

/* ---- as records ---- */

/* The texts of a record, in this order in a list in Lua. */
enum text { TEXT_KIND, TEXT_NAME, TEXT_STATE, TEXT_WAITS_FOR, TEXT_PLACE, TEXT_CREATED, TEXTS };

/* Keeps the text on top, which is nil where there is none. [-1, +0, m] */
static void keep_text(lua_State *L, int texts, lua_Integer record, enum text text)
{
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushliteral(L, "");
    } else {
        luaL_tolstring(L, -1, NULL);
        lua_remove(L, -2);
    }
    lua_rawseti(L, texts, record * TEXTS + text + 1);
}

static void fill_task(lua_State *L, const struct lc_survey *survey, struct lc_task *task, int texts,
                      lua_Integer record, struct lucio_task_info *info)
{
    enum lc_task_state state = lc_task_state(task);
    int idx;

    lc_task_push(L, task);
    idx = lua_gettop(L);
    lua_pushstring(L, lc_task_state_name(state));
    keep_text(L, texts, record, TEXT_STATE);
    if (state == LC_TASK_WAITING) {
        lc_task_push_waits_for(L, survey, task);
        keep_text(L, texts, record, TEXT_WAITS_FOR);
    }
    lc_task_push_place(L, task, idx);
    keep_text(L, texts, record, TEXT_PLACE);
    lc_task_push_created(L, task);
    keep_text(L, texts, record, TEXT_CREATED);
    lua_settop(L, idx - 1);
    info->seconds = lc_task_seconds(survey, task);
    info->cancelling = task->cancelling > 0;
}

static void fill(lua_State *L, const struct lc_survey *survey, const struct lc_survey_step *step,
                 int texts, lua_Integer record, struct lucio_task_info *info)
{
    const struct lc_survey_node *node = &survey->nodes[step->node];
    struct lc_task *task = node->task;

    *info = (struct lucio_task_info){.size = sizeof *info, .depth = step->depth, .seconds = -1};
    info->again = step->mark != LC_STEP_FIRST;
    info->circle = step->mark == LC_STEP_CIRCLE;
    lua_pushstring(L, task != NULL ? "task" : node->awaiter.name);
    keep_text(L, texts, record, TEXT_KIND);
    if (task != NULL) {
        info->id = task->id;
        lc_task_push(L, task);
        lc_task_push_name(L, task, lua_gettop(L));
        lua_remove(L, -2);
    } else {
        lc_survey_push_node(L, survey, step->node);
    }
    keep_text(L, texts, record, TEXT_NAME);
    if (task != NULL && !info->again)
        fill_task(L, survey, task, texts, record, info);
}

/* (loop) -> block of records, list of their texts, how many */
static int make_records(lua_State *L)
{
    struct lc_loop *loop = lua_touserdata(L, 1);
    struct lucio_task_info *records = NULL;
    size_t count = 0, capacity = 0;
    struct lc_survey_step step;
    struct lc_survey survey;

    lua_pushnil(L);
    lua_newtable(L);
    lc_survey_new(L, &survey, loop);
    while (lc_survey_step(&survey, &step)) {
        if (count == capacity) {
            struct lucio_task_info *grown;

            capacity = capacity > 0 ? 2 * capacity : 16;
            grown = lua_newuserdatauv(L, capacity * sizeof *grown, 0);
            for (size_t i = 0; i < count; i++)
                grown[i] = records[i];
            records = grown;
            lua_replace(L, 2);
        }
        fill(L, &survey, &step, 3, (lua_Integer)count, &records[count]);
        count++;
    }
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    lua_pushinteger(L, (lua_Integer)count);
    return 3;
}

static const char *get_text(lua_State *L, int texts, lua_Integer record, enum text text)
{
    const char *found;

    lua_rawgeti(L, texts, record * TEXTS + text + 1);
    found = lua_tostring(L, -1);
    lua_pop(L, 1); /* the list holds it */
    return found != NULL ? found : "";
}

static int visit_tasks(lua_State *L)
{
    struct tree_args *args = lua_touserdata(L, 1);
    struct lucio *h = args->h;
    struct lc_call *outer;
    bool goes_on = true;
    lua_Integer count;

    lc_inspect(L, make_records, h->loop, 3);
    count = lua_tointeger(L, 4);
    for (lua_Integer i = 0; goes_on && i < count; i++) {
        struct lucio_task_info *info = (struct lucio_task_info *)lua_touserdata(L, 2) + i;

        info->kind = get_text(L, 3, i, TEXT_KIND);
        info->name = get_text(L, 3, i, TEXT_NAME);
        info->state = get_text(L, 3, i, TEXT_STATE);
        info->waits_for = get_text(L, 3, i, TEXT_WAITS_FOR);
        info->place = get_text(L, 3, i, TEXT_PLACE);
        info->created = get_text(L, 3, i, TEXT_CREATED);
        outer = lc_embed_begin_call(h, NULL);
        goes_on = args->visit(info, args->data);
        lc_embed_end_call(h, outer);
    }
    return 0;
}

int lucio_visit_tasks(lucio *h, bool (*visit)(const struct lucio_task_info *info, void *data),
                      void *data)
{
    struct tree_args args = {.h = h, .visit = visit, .data = data};

    return look(&args, visit != NULL, visit_tasks);
}
