/*
 * shutdown: the orderly end of a loop (SEMANTICS RU2..RU4).
 * Phases: all tasks are cancelled and waited for; async generators are closed; the last ticks that
 * asyncio takes; what clean-up started is ended too, until nothing is left. Then what threads have begun
 * to change in files is waited for.
 * After shutdown_timeout the tasks that go on are doomed: every wait of theirs raises, new ones included.
 * Who ignores even that is left behind, and destroyed with the loop.
 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include <lauxlib.h>

#include "cancel_batch.h"
#include "core.h"
#include "debug.h"
#include "default_executor.h"
#include "generator.h"
#include "report.h"
#include "run.h"

/* Iterations that doomed tasks get to end; no time passes in them, since their waits raise at once. */
#define ENDING_TICKS 10000

/* Stops the loop two ticks after the last of some futures is done, as a gather does. */
struct join {
    struct lc_entry last;
    int left;
    struct join_child {
        struct lc_entry entry;
        struct join *join;
    } children[];
};

static void join_child_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct join *join = lc_container_of(entry, struct join_child, entry)->join;

    if (--join->left == 0)
        lc_loop_ready(loop, &join->last);
}

static const struct lc_entry_type join_child_entry = {join_child_run, NULL, NULL, NULL};

/* Runs the loop until all futures of the list on top are done. [-0, +(0|1), -] */
static enum lc_run run_list(lua_State *L, struct lc_loop *loop)
{
    int list = lua_gettop(L), n = (int)lua_rawlen(L, list);
    struct join *join;
    enum lc_run how;

    if (n == 0)
        return LC_RUN_STOPPED;
    join = lua_newuserdatauv(L, sizeof *join + (size_t)n * sizeof *join->children, 0);
    lc_entry_init(&join->last, &lc_stopper_entry);
    join->left = n;
    for (int i = 0; i < n; i++) {
        struct join_child *child = &join->children[i];

        lc_entry_init(&child->entry, &join_child_entry);
        child->join = join;
        lua_rawgeti(L, list, i + 1);
        lc_future_add_entry(lc_to_future(L, -1), &child->entry);
        lua_pop(L, 1);
    }
    how = lc_loop_run(L, loop);
    for (int i = 0; i < n; i++)
        lc_list_unlink(&join->children[i].entry.link);
    lc_list_unlink(&join->last.link);
    lua_remove(L, list + 1);
    return how;
}

/* Reports what failed among the tasks of the list at `list`. */
static void report_failures(lua_State *L, struct lc_loop *loop, int list, const char *message,
                            const char *key, int objects)
{
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, list); i++) {
        int task;

        lua_rawgeti(L, list, i);
        task = lua_gettop(L);
        if (lc_to_future(L, task)->state == LC_FAILED) {
            lua_createtable(L, 0, 3);
            lua_pushstring(L, message);
            lua_setfield(L, -2, "message");
            lc_future_push_error(L, task);
            if (!lc_is_error(L, -1))
                lc_future_wrap_error(L, loop->host, task);
            lua_setfield(L, -2, "exception");
            lua_rawgeti(L, objects, i);
            lua_setfield(L, -2, key);
            lc_report_call_handler(L, loop);
        }
        lua_settop(L, task - 1);
    }
}

/* ---- shutdown_timeout ---- */

static void report_doomed(lua_State *L, struct lc_loop *loop, int task)
{
    lua_createtable(L, 0, 3);
    lua_pushfstring(L, "Task did not end within shutdown_timeout (%f s) after it was cancelled",
                    loop->shutdown_timeout);
    lua_setfield(L, -2, "message");
    lua_pushvalue(L, task);
    lua_setfield(L, -2, "task");
    lc_debug_push_swallowed(L, lc_to_task(L, task));
    lua_setfield(L, -2, "swallowed_at");
    lc_report_call_handler(L, loop);
}

/* Has every wait of the tasks that are left raise from now on, and names them. */
static void doom_tasks(struct lc_loop *loop)
{
    lua_State *L = loop->L;
    int list;

    luaL_checkstack(L, 20, NULL);
    loop->doomed = true;
    lc_tasks_push(L, loop);
    list = lua_gettop(L);
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, list); i++) {
        struct lc_task *task;

        lua_rawgeti(L, list, i);
        task = lc_to_task(L, -1);
        task->doomed = task->must_cancel = true;
        lua_pop(L, 1);
    }
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, list); i++) {
        lua_rawgeti(L, list, i);
        report_doomed(L, loop, list + 1);
        lua_pop(L, 1);
    }
    lc_tasks_cancel(L, loop->host, list);
    lua_pop(L, 1);
}

/* At shutdown_timeout, and then in every iteration. */
static void ending_run(struct lc_loop *loop, struct lc_entry *entry)
{
    if (!loop->doomed) {
        loop->shutdown_ticks = ENDING_TICKS;
        doom_tasks(loop);
    } else if (--loop->shutdown_ticks == 0) {
        lc_loop_stop(loop);
        return;
    }
    lc_loop_ready(loop, entry);
}

static const struct lc_entry_type ending_entry = {ending_run, NULL, NULL, NULL};

static bool has_given_up(const struct lc_loop *loop)
{
    return loop->doomed && loop->shutdown_ticks == 0;
}

/* Begins a phase of the end, in which tasks are waited for: sets the timer, if that was not done yet;
 * gives doomed tasks their iterations. */
static void begin_phase(lua_State *L, struct lc_loop *loop)
{
    struct lc_timer *ending = &loop->shutdown_timer;

    if (loop->doomed) {
        loop->shutdown_ticks = ENDING_TICKS;
        if (!lc_entry_is_queued(&ending->entry))
            lc_loop_ready(loop, &ending->entry);
    } else if (ending->entry.type == NULL && isfinite(loop->shutdown_timeout) &&
               (loop->host->tasks > 0 || !lc_list_empty(&loop->generators))) {
        lc_entry_init(&ending->entry, &ending_entry);
        lc_loop_set_timer(L, loop, ending, lc_loop_time(loop) + loop->shutdown_timeout);
    }
}

/* ---- phases ---- */

/* Cancels all tasks and waits for them (RU2), for so many rounds: clean-up may start new tasks. */
static enum lc_run cancel_all(lua_State *L, struct lc_loop *loop, int rounds)
{
    for (; rounds > 0 && !has_given_up(loop); rounds--) {
        int list;
        enum lc_run how;

        lc_tasks_push(L, loop);
        list = lua_gettop(L);
        if (lua_rawlen(L, list) == 0) {
            lua_pop(L, 1);
            break;
        }
        lc_tasks_cancel(L, loop->host, list);
        how = run_list(L, loop);
        if (how != LC_RUN_STOPPED) {
            lua_remove(L, list);
            return how;
        }
        report_failures(L, loop, list, "unhandled exception during lucio.run() shutdown", "task",
                        list);
        lua_pop(L, 1);
    }
    return LC_RUN_STOPPED;
}

/* Closes all async generators together (AG6). */
static enum lc_run close_generators(lua_State *L, struct lc_loop *loop)
{
    int objects = lua_gettop(L) + 1, tasks = objects + 1;
    enum lc_run how = LC_RUN_STOPPED;

    if (lc_list_empty(&loop->generators))
        return how;
    loop->closing_generators = true;
    lc_generators_push(L, loop);
    lua_newtable(L);
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, objects); i++) {
        lua_rawgeti(L, objects, i);
        lc_generator_push_close(L, loop->host, lua_gettop(L));
        lua_insert(L, -2);
        /* of a doomed loop too: it is the waits in it that raise */
        lc_task_new(L, loop, 1, 0, LC_TASK_PLAIN)->must_cancel = false;
        lua_rawseti(L, tasks, i);
    }
    how = run_list(L, loop);
    if (how == LC_RUN_STOPPED) {
        report_failures(L, loop, tasks,
                        "an error occurred during closing of asynchronous generator", "asyncgen",
                        objects);
    }
    lua_remove(L, tasks);
    lua_remove(L, objects);
    return how;
}

static int nothing(lua_State *L)
{
    (void)L;
    return 0;
}

/* asyncio ends a run with two short tasks of its own, for generators and for the default executor. What
 * is queued when main ends still runs in their ticks, and they use up two default names. Where there is
 * neither, the body on top does nothing. [-1, +(0|1), -] */
static enum lc_run run_last_ticks(lua_State *L, struct lc_loop *loop)
{
    struct lc_task *task;
    enum lc_run how;

    task = lc_task_new(L, loop, 0, 0, LC_TASK_PLAIN);
    task->own = true;
    how = lc_run_future(L, loop, &task->future);
    if (how == LC_RUN_RAISED)
        lua_remove(L, -2);
    else
        lua_pop(L, 1);
    return how;
}

/* ---- what threads change ---- */

/* The limit for it, seconds: asyncio's for the jobs of the default executor. */
#define LASTING_TIMEOUT 300

static void lasting_late_run(struct lc_loop *loop, struct lc_entry *entry)
{
    (void)entry;
    lc_host_log(loop->host, "RuntimeWarning: a file operation did not end within 300 seconds.\n");
    lc_loop_stop(loop);
}

static const struct lc_entry_type lasting_late_entry = {lasting_late_run, NULL, NULL, NULL};

/* Waits for the operations whose tasks were cancelled but which have begun to change something: a file
 * that is being written is written. [-0, +(0|1), -] */
static enum lc_run finish_lasting(lua_State *L, struct lc_loop *loop)
{
    enum lc_run how = LC_RUN_STOPPED;
    struct lc_entry over;
    struct lc_timer limit;

    if (loop->lasting == 0)
        return how;
    memset(&limit, 0, sizeof limit);
    lc_entry_init(&over, &lc_stopper_entry);
    lc_entry_init(&limit.entry, &lasting_late_entry);
    lc_loop_set_timer(L, loop, &limit, lc_loop_time(loop) + LASTING_TIMEOUT);
    loop->lasting_over = &over;
    /* the end of one may begin another: a file is closed after its write */
    while (how == LC_RUN_STOPPED && loop->lasting > 0 && lc_timer_is_set(&limit))
        how = lc_loop_run(L, loop);
    loop->lasting_over = NULL;
    lc_loop_unset_timer(loop, &limit);
    lc_list_unlink(&over.link);
    lc_list_unlink(&limit.entry.link);
    return how;
}

bool lc_shut_down(lua_State *L, struct lc_loop *loop)
{
    enum lc_run how;

    luaL_checkstack(L, 20, NULL);
    begin_phase(L, loop);
    how = cancel_all(L, loop, 1);
    begin_phase(L, loop);
    if (how == LC_RUN_STOPPED && lc_list_empty(&loop->generators)) {
        lua_pushcfunction(L, nothing);
        how = run_last_ticks(L, loop);
    } else if (how == LC_RUN_STOPPED) {
        how = close_generators(L, loop);
    }
    if (how == LC_RUN_STOPPED) {
        if (loop->executor_pool != NULL)
            lc_default_executor_push_end(L, loop->host);
        else
            lua_pushcfunction(L, nothing);
        how = run_last_ticks(L, loop);
    }
    /* What clean-up and the last ticks started is ended too, until nothing is left (RU4); not before
     * those ticks, in which asyncio lets it run. */
    begin_phase(L, loop);
    if (how == LC_RUN_STOPPED)
        how = cancel_all(L, loop, INT_MAX);
    if (how == LC_RUN_STOPPED)
        how = finish_lasting(L, loop);
    if (loop->shutdown_timer.entry.type != NULL)
        lc_loop_unset_timer(loop, &loop->shutdown_timer);
    if (how == LC_RUN_STUCK)
        lc_push_stuck(L, loop);
    return how != LC_RUN_STOPPED;
}
