#include "budget.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "error.h"
#include "host.h"
#include "task.h"

/* Instructions that are charged at a time. */
#define PORTION 1000
/* And of a new coroutine, which pays the first one when it is made: many short ones are not free. */
#define FIRST_PORTION 100

enum budget_state {
    BUDGET_FINE,
    BUDGET_WARNED, /* the error was raised; clean-up goes on */
    BUDGET_ENDED   /* it is raised at every instruction */
};

struct lc_budget {
    long long step, task; /* limits; 0: none */
    long long left;       /* of this step */
    enum budget_state state;
    long long *used; /* by tasks, by their slots */
    size_t capacity;
};

static void on_count(lua_State *L, lua_Debug *ar);

void lc_budget_hook(lua_State *L, struct lc_host *host)
{
    if (host->budget != NULL)
        lua_sethook(L, on_count, LUA_MASKCOUNT, PORTION);
}

/* The count of the running task, NULL where there is none to keep. */
static long long *task_used(struct lc_host *host, struct lc_task *task)
{
    struct lc_budget *budget = host->budget;
    size_t slot, capacity = budget->capacity;
    long long *grown;

    if (task == NULL || budget->task == 0)
        return NULL;
    slot = (size_t)task->slot;
    if (slot < capacity)
        return &budget->used[slot];
    while (capacity <= slot)
        capacity = capacity ? capacity * 2 : 64;
    grown =
        lc_realloc(host, budget->used, budget->capacity * sizeof *grown, capacity * sizeof *grown);
    if (grown == NULL)
        return NULL;
    memset(grown + budget->capacity, 0, (capacity - budget->capacity) * sizeof *grown);
    budget->used = grown;
    budget->capacity = capacity;
    return &grown[slot];
}

void lc_budget_begin(struct lc_host *host, struct lc_task *task, bool is_new)
{
    struct lc_budget *budget = host->budget;

    budget->left = budget->step > 0 ? budget->step : INT64_MAX;
    budget->state = BUDGET_FINE;
    if (is_new) {
        long long *used = task_used(host, task);

        if (used != NULL)
            *used = 0;
    }
}

/* Raises BudgetError, from the second time in a step on without end. */
static void exceed(lua_State *L, struct lc_host *host, const char *whose, long long limit)
{
    struct lc_budget *budget = host->budget;
    char text[32];

    if (budget->state == BUDGET_FINE) {
        budget->state = BUDGET_WARNED;
        budget->left = limit / 10 + PORTION;
    } else {
        budget->state = BUDGET_ENDED;
        lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    }
    snprintf(text, sizeof text, "%lld", limit);
    lc_raise(L, host, LC_BUDGET_ERROR, "the %s has used more than %s instructions", whose, text);
}

void lc_budget_charge(lua_State *L, struct lc_host *host, int count)
{
    struct lc_budget *budget = host->budget;
    long long *used;

    if (budget == NULL)
        return;
    used = task_used(host, host->current);
    budget->left -= count;
    if (used != NULL)
        *used += count;
    if (budget->left < 0 || budget->state == BUDGET_ENDED)
        exceed(L, host, "step", budget->step > 0 ? budget->step : budget->task);
    if (used != NULL && *used > budget->task && budget->state == BUDGET_FINE)
        exceed(L, host, "task", budget->task);
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    struct lc_host *host = lc_host_open(L);
    int count = lua_gethookcount(L);

    (void)ar;
    if (host->budget == NULL) {
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    lc_budget_charge(L, host, count);
    if (count != PORTION)
        lua_sethook(L, on_count, LUA_MASKCOUNT, PORTION);
}

void lc_budget_charge_thread(lua_State *L, struct lc_host *host, lua_State *thread)
{
    if (host->budget == NULL)
        return;
    lua_sethook(thread, on_count, LUA_MASKCOUNT, FIRST_PORTION);
    lc_budget_charge(L, host, FIRST_PORTION);
}

void lc_budget_open(lua_State *L, struct lc_host *host, long long step, long long task)
{
    struct lc_budget *budget = lc_realloc(host, NULL, 0, sizeof *budget);

    if (budget == NULL)
        luaL_error(L, "not enough memory");
    memset(budget, 0, sizeof *budget);
    budget->step = step;
    budget->task = task;
    host->budget = budget;
    lc_budget_begin(host, NULL, false);
    lc_budget_hook(host->L, host);
}

void lc_budget_read(const struct lc_host *host, long long *step, long long *task)
{
    *step = host->budget != NULL ? host->budget->step : 0;
    *task = host->budget != NULL ? host->budget->task : 0;
}

void lc_budget_free(struct lc_host *host)
{
    struct lc_budget *budget = host->budget;

    if (budget == NULL)
        return;
    lc_realloc(host, budget->used, budget->capacity * sizeof *budget->used, 0);
    lc_realloc(host, budget, sizeof *budget, 0);
    host->budget = NULL;
}
