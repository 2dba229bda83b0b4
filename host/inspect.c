#include "inspect.h"

#include <string.h>

#include <lauxlib.h>

#include "host.h"
#include "loop.h"
#include "task.h"

#define NONE (-1)

/* ---- building ---- */

void lc_inspect(lua_State *L, lua_CFunction fn, void *data, int nresults)
{
    bool collecting = lua_gc(L, LUA_GCISRUNNING) == 1;
    int status;

    luaL_checkstack(L, 8, NULL);
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, data);
    if (collecting)
        lua_gc(L, LUA_GCSTOP);
    status = lua_pcall(L, 1, nresults, 0);
    if (collecting)
        lua_gc(L, LUA_GCRESTART);
    if (status != LUA_OK)
        lua_error(L);
}

/* Doubles an array that is a userdata on the stack. [-0, +0, m] */
static void *array_grow(lua_State *L, int idx, const void *old, size_t size, int *capacity)
{
    size_t bytes = size * (size_t)*capacity;
    void *array = lua_newuserdatauv(L, *capacity > 0 ? bytes * 2 : size * 16, 0);

    if (bytes > 0)
        memcpy(array, old, bytes);
    *capacity = *capacity > 0 ? *capacity * 2 : 16;
    lua_replace(L, idx);
    return array;
}

/* The node of a pointer; NONE: there is none. [-0, +0, -] */
static int find_node(lua_State *L, const struct lc_survey *survey, const void *key)
{
    int node = NONE;

    if (lua_rawgetp(L, survey->idx + 2, key) == LUA_TNUMBER)
        node = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return node;
}

static int add_node(lua_State *L, struct lc_survey *survey, const void *key,
                    struct lc_future *future)
{
    struct lc_survey_node *node;

    if (survey->node_count == survey->node_capacity)
        survey->nodes = array_grow(L, survey->idx, survey->nodes, sizeof *survey->nodes,
                                   &survey->node_capacity);
    node = &survey->nodes[survey->node_count];
    memset(node, 0, sizeof *node);
    node->future = future;
    node->first = node->last = node->by = node->last_by = node->next = node->parent = NONE;
    lua_pushinteger(L, survey->node_count);
    lua_rawsetp(L, survey->idx + 2, key);
    return survey->node_count++;
}

static void add_edge(lua_State *L, struct lc_survey *survey, int parent, int child)
{
    struct lc_survey_node *from, *to = &survey->nodes[child];
    struct lc_survey_edge *edge;

    if (survey->edge_count == survey->edge_capacity)
        survey->edges = array_grow(L, survey->idx + 1, survey->edges, sizeof *survey->edges,
                                   &survey->edge_capacity);
    from = &survey->nodes[parent];
    edge = &survey->edges[survey->edge_count];
    *edge = (struct lc_survey_edge){parent, child, NONE, NONE};
    if (to->by == NONE)
        to->by = survey->edge_count;
    else
        survey->edges[to->last_by].next_by = survey->edge_count;
    to->last_by = survey->edge_count;
    if (from->last == NONE)
        from->first = from->next = survey->edge_count;
    else
        survey->edges[from->last].next = survey->edge_count;
    from->last = survey->edge_count++;
    from->children++;
}

/* Links the node to who awaits it by that entry. */
static void add_awaiter(lua_State *L, struct lc_survey *survey, int child,
                        const struct lc_awaiter *awaiter)
{
    int task = awaiter->task != NULL ? find_node(L, survey, awaiter->task) : NONE;
    int inner;

    if (task == NONE && awaiter->future == NULL)
        return;
    if (awaiter->node == NULL) {
        if (task != NONE)
            add_edge(L, survey, task, child);
        return;
    }
    inner = find_node(L, survey, awaiter->node);
    if (inner == NONE) {
        inner = add_node(L, survey, awaiter->node, awaiter->future);
        survey->nodes[inner].awaiter = *awaiter;
        if (task != NONE)
            add_edge(L, survey, task, inner);
    }
    add_edge(L, survey, inner, child);
}

/* Links the node to all who await it. */
static void add_awaiters(lua_State *L, struct lc_survey *survey, int node)
{
    struct lc_future *future = survey->nodes[node].future;

    if (future == NULL || lc_future_is_done(future))
        return;
    for (struct lc_link *link = future->callbacks.next; link != &future->callbacks;
         link = link->next) {
        const struct lc_entry *entry = lc_container_of(link, struct lc_entry, link);
        struct lc_awaiter awaiter = {0};

        if (entry->type->awaiter == NULL)
            continue;
        entry->type->awaiter(entry, &awaiter);
        add_awaiter(L, survey, node, &awaiter);
    }
}

void lc_survey_new(lua_State *L, struct lc_survey *survey, struct lc_loop *loop)
{
    memset(survey, 0, sizeof *survey);
    luaL_checkstack(L, 20, NULL);
    survey->loop = loop;
    survey->now = lc_loop_time(loop);
    survey->at = NONE;
    survey->idx = lua_gettop(L) + 1;
    lua_settop(L, survey->idx + 1);
    lua_newtable(L);
    lc_tasks_push(L, loop);
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, survey->idx + 3); i++) {
        struct lc_task *task;
        int node;

        lua_rawgeti(L, survey->idx + 3, i);
        task = lc_to_task(L, -1);
        lua_pop(L, 1);
        node = add_node(L, survey, task, &task->future);
        survey->nodes[node].task = task;
    }
    lua_pop(L, 1);
    survey->tasks = survey->node_count;
    /* nodes that are found on the way come last, and are gone through too */
    for (int i = 0; i < survey->node_count; i++)
        add_awaiters(L, survey, i);
}

struct lc_task *lc_survey_awaiter(const struct lc_survey *survey, int *edge)
{
    while (*edge != NONE) {
        const struct lc_survey_edge *at = &survey->edges[*edge];
        const struct lc_survey_node *node = &survey->nodes[at->parent];

        *edge = at->next_by;
        /* of a node between them the first task will do: all but a shield have only one */
        while (node->task == NULL && node->by != NONE)
            node = &survey->nodes[survey->edges[node->by].parent];
        if (node->task != NULL)
            return node->task;
    }
    return NULL;
}

/* ---- walking ---- */

/* The next root: what nobody awaits, and then one of each circle that is left. */
static int next_root(struct lc_survey *survey)
{
    for (;;) {
        for (; survey->root < survey->node_count; survey->root++) {
            struct lc_survey_node *node = &survey->nodes[survey->root];

            if (!node->seen && (survey->circles || node->by == NONE))
                return survey->root++;
        }
        if (survey->circles)
            return NONE;
        survey->circles = true;
        survey->root = 0;
    }
}

static void enter(struct lc_survey *survey, int node, int parent)
{
    survey->nodes[node].seen = survey->nodes[node].open = true;
    survey->nodes[node].parent = parent;
    survey->at = node;
}

bool lc_survey_step(struct lc_survey *survey, struct lc_survey_step *step)
{
    const struct lc_survey_edge *edge;
    struct lc_survey_node *child;

    while (survey->at != NONE && survey->nodes[survey->at].next == NONE) {
        survey->nodes[survey->at].open = false;
        survey->at = survey->nodes[survey->at].parent;
        survey->depth--;
    }
    if (survey->at == NONE) {
        int root = next_root(survey);

        if (root == NONE)
            return false;
        *step = (struct lc_survey_step){root, 0, NONE, LC_STEP_FIRST, true};
        survey->depth = 0;
        enter(survey, root, NONE);
        return true;
    }
    edge = &survey->edges[survey->nodes[survey->at].next];
    survey->nodes[survey->at].next = edge->next;
    child = &survey->nodes[edge->child];
    *step = (struct lc_survey_step){edge->child, survey->depth + 1, survey->at, LC_STEP_FIRST,
                                    edge->next == NONE};
    if (child->seen) {
        step->mark = child->open ? LC_STEP_CIRCLE : LC_STEP_AGAIN;
    } else {
        survey->depth++;
        enter(survey, edge->child, survey->at);
    }
    return true;
}
