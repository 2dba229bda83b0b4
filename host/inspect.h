/*
 * inspect: what every task of a loop does, and who waits for whom.
 * A survey has a node for each unfinished task and for each gather, task group... between them; its
 * walk gives the tree: a task stands below who awaits it, one that several await stands once in full.
 * Owner:   a survey is in Lua values on the stack, from lc_survey_new until they are popped.
 * Context: loop thread, at any time when Lua may be called. While a survey is in use nothing else may
 *          happen in the loop: the collector, whose finalizers could end tasks, is stopped by
 *          lc_inspect.
 */
#ifndef LC_INSPECT_H
#define LC_INSPECT_H

#include <stdbool.h>

#include <lua.h>

#include "entry.h"

struct lc_host;
struct lc_loop;

struct lc_survey_node {
    struct lc_task *task;      /* NULL: of what several entries share */
    struct lc_awaiter awaiter; /* then: what it is */
    struct lc_future *future;  /* in whose callbacks its awaiters are, or NULL */
    int first;                 /* the chain of edges to what it awaits; -1: none */
    int last;
    int by; /* the chain of edges from its awaiters; -1: none */
    int last_by;
    int children;
    /* of the walk */
    int next;   /* edge to follow next */
    int parent; /* node from which the walk came */
    bool seen;
    bool open; /* the walk is at or below it */
};

struct lc_survey_edge {
    int parent;
    int child;
    int next;    /* of the same parent */
    int next_by; /* of the same child */
};

struct lc_survey {
    struct lc_loop *loop;
    double now;
    int idx; /* stack: 1 the nodes, 2 the edges, 3 the table pointer -> node */
    struct lc_survey_node *nodes;
    struct lc_survey_edge *edges;
    int tasks; /* the first so many nodes: in order of creation */
    int node_count;
    int edge_count;
    int node_capacity;
    int edge_capacity;
    /* of the walk */
    int at;
    int root;
    int depth;
    bool circles; /* what no root leads to */
};

enum lc_step_mark { LC_STEP_FIRST, LC_STEP_AGAIN, LC_STEP_CIRCLE };

/* One node of the tree, in the order in which it is printed. */
struct lc_survey_step {
    int node;
    int depth;  /* 0: a root */
    int parent; /* node; -1: a root */
    enum lc_step_mark mark;
    bool last; /* of the parent's children */
};

/* Calls fn(L) with one argument, the light userdata `data`, while the collector is stopped; passes on
 * its error. [-0, +nresults, e] */
void lc_inspect(lua_State *L, lua_CFunction fn, void *data, int nresults);

/* Looks at all tasks of the loop. [-0, +3, m] */
void lc_survey_new(lua_State *L, struct lc_survey *survey, struct lc_loop *loop);

/* The next node of the tree. False: there is none. [-0, +0, -] */
bool lc_survey_step(struct lc_survey *survey, struct lc_survey_step *step);

/* The next task that awaits the node directly or by way of a gather...: the first one after the edge
 * *edge, which begins with `by`. NULL: none. */
struct lc_task *lc_survey_awaiter(const struct lc_survey *survey, int *edge);

/* ---- inspect_text.c ---- */

enum lc_task_state { LC_TASK_RUNNING, LC_TASK_READY, LC_TASK_WAITING };

enum lc_task_state lc_task_state(const struct lc_task *task);
const char *lc_task_state_name(enum lc_task_state state);

/* How many seconds the task has been waiting, or the step that runs it has taken if that is long.
 * Negative: there is nothing to say. */
double lc_task_seconds(const struct lc_survey *survey, const struct lc_task *task);

/* Pushes what the waiting task at `idx` waits for. [-0, +1, m] */
void lc_task_push_waits_for(lua_State *L, const struct lc_survey *survey, struct lc_task *task);

/* Pushes "file:line in function 'name'". [-0, +1, m] */
void lc_task_push_place(lua_State *L, struct lc_task *task, int idx);

/* Pushes what an inner node is: "gather of 3, 1 done". [-0, +1, m] */
void lc_survey_push_node(lua_State *L, const struct lc_survey *survey, int node);

/* Replaces the text on top by one without control characters. [-1, +1, m] */
void lc_text_clean(lua_State *L);

/* Pushes the tree of a loop's tasks, one line each, between `before` and `after`. [-0, +1, m] */
void lc_inspect_push_tree(lua_State *L, struct lc_loop *loop, const char *before,
                          const char *after);

#endif
