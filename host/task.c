#include "task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "args.h"
#include "budget.h"
#include "context.h"
#include "debug.h"
#include "error.h"
#include "host.h"
#include "loop.h"
#include "report.h"
#include "step_timer.h"
#include "timeout.h"
#include "traceback.h"

const struct lc_type lc_task_type = {"Task", sizeof(struct lc_task)};

/* Up to so many arguments fit into the stack that every C function and every thread has. */
#define ARGS_FREE 8

static int task_main(lua_State *L);

/* The level of the first function of a running or suspended thread; -1: none runs. */
static int first_level(lua_State *thread)
{
    lua_Debug ar;
    int low = -1, high = 0;

    while (lua_getstack(thread, high, &ar)) {
        low = high;
        high = 2 * high + 1;
    }
    while (high - low > 1) {
        int middle = (low + high) / 2;

        if (lua_getstack(thread, middle, &ar))
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Pushes the task that uses the thread onto its own stack: the second value of a task that has not
 * begun, else the first argument of task_main. False: no task uses it. */
static bool push_task_of(lua_State *thread)
{
    int level = lua_status(thread) == LUA_OK && lua_tocfunction(thread, 1) == task_main
                    ? -1
                    : first_level(thread);
    lua_Debug ar;

    if (level >= 0) {
        lua_getstack(thread, level, &ar);
        return lua_getlocal(thread, &ar, 1) != NULL;
    }
    if (lua_gettop(thread) < 2)
        return false;
    lua_pushvalue(thread, 2);
    return true;
}

void lc_task_push(lua_State *L, struct lc_task *task)
{
    struct lc_host *host = task->future.loop->host;

    if (!task->findable && push_task_of(task->thread)) {
        lua_xmove(task->thread, L, 1);
        lc_thread_set_task(L, host, task->slot);
        task->findable = true;
    }
    lc_thread_push_task(L, host, task->slot);
}

/* ---- the end of a task ---- */

/* The only way to done: the task is at `idx`, its outcome was chosen by the caller. */
static void task_finish(lua_State *L, int idx, struct lc_task *task)
{
    struct lc_host *host = task->future.loop->host;

    if (task->future.loop->timing)
        lc_step_hold_timed(L, task->future.loop, idx);
    host->tasks--;
    if (task->timeouts != NULL)
        lc_timeouts_disarm(L, task);
    if (task->has_message) {
        lua_pushnil(L);
        lc_future_set_extra(L, idx, LC_EXTRA_CANCEL_MESSAGE);
    }
    if (host->script == task)
        host->script = NULL;
}

static void task_end_cancelled(lua_State *L, struct lc_task *task, int idx)
{
    if (lc_error_kind(L, -1) != LC_KIND_CANCELLED)
        lc_error_from(L, task->future.loop->host, LC_CANCELLED_ERROR);
    lc_traceback_end(L, task->future.loop->host);
    task_finish(L, idx, task);
    lc_future_set_cancelled(L, idx);
}

/* The error is on top. CancelledError cancels the task; KeyboardInterrupt and SystemExit also leave
 * the run call (TA7). */
static void task_end_failed(lua_State *L, struct lc_task *task, int idx)
{
    struct lc_loop *loop = task->future.loop;
    enum lc_kind kind = lc_error_kind(L, -1);
    struct lc_report *report;

    if (kind == LC_KIND_CANCELLED) {
        if (task->timeouts != NULL)
            lc_timeouts_explain(L, task);
        task_end_cancelled(L, task, idx);
        return;
    }
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushliteral(L, "nil");
    }
    lc_traceback_keep(L, loop->host, idx);
    lc_traceback_end(L, loop->host);
    if (kind == LC_KIND_EXIT)
        task->future.ignore_failure = true; /* the run call raises it: not lost */
    report = lc_future_make_report(L, idx);
    /* nothing fails from here on */
    task_finish(L, idx, task);
    if (kind == LC_KIND_EXIT) {
        lua_pushvalue(L, -1);
        lc_loop_raise(L, loop);
    }
    lc_future_fail(L, idx, report);
}

/* The body has ended. In its thread: 1 the task, 2 the handler, then the results or the error. */
static int task_main_k(lua_State *L, int status, lua_KContext ctx)
{
    struct lc_task *task = (struct lc_task *)ctx;

    if (task->future.loop->debug)
        lc_debug_end(L, task, status == LUA_OK || status == LUA_YIELD);
    if (status != LUA_OK && status != LUA_YIELD) {
        task_end_failed(L, task, 1);
    } else if (task->must_cancel) {
        lc_task_push_cancelled(L, task);
        task_end_cancelled(L, task, 1);
    } else {
        task_finish(L, 1, task);
        lc_future_finish(L, &task->future, 1, lua_gettop(L) - 2);
    }
    return 0;
}

/* What every task's thread runs: (task, handler, fn, ...). A protected call inside of the coroutine
 * lets `<close>` variables suspend while an error unwinds (LG1). */
static int task_main(lua_State *L)
{
    struct lc_task *task = lua_touserdata(L, 1);
    int status;

    if (task->must_cancel) {
        task->must_cancel = false;
        lc_task_push_cancelled(L, task);
        task_end_failed(L, task, 1);
        return 0;
    }
    if (task->doomed)
        task->must_cancel = true;
    status = lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 2, (lua_KContext)task, task_main_k);
    return task_main_k(L, status, (lua_KContext)task);
}

/* ---- stepping ---- */

/* Runs in a coroutine that yielded a foreign value: raises at its next instruction (TA10). */
static void raise_foreign_yield(lua_State *L, lua_Debug *ar)
{
    struct lc_host *host = lc_host_open(L);

    (void)ar;
    lua_sethook(L, NULL, 0, 0);
    lc_budget_hook(L, host);
    lc_raise(L, host, LC_RUNTIME_ERROR,
             "Task got bad yield: a raw yield at task level (use lucio's calls to suspend)");
}

/* Resumes the task from L until it suspends or ends. */
static inline __attribute__((always_inline)) void task_resume(lua_State *L, struct lc_task *task)
{
    struct lc_loop *loop = task->future.loop;
    struct lc_host *host = loop->host;
    lua_State *thread = task->thread;
    int nargs = 0, results, status;

    if (host->budget != NULL)
        lc_budget_begin(host, task, !task->started);
    if (!task->started) {
        task->started = true;
        nargs = lua_gettop(thread) - 1;
    } else if (task->broken) {
        task->broken = false;
        lua_sethook(thread, raise_foreign_yield, LUA_MASKCOUNT, 1);
    }
    host->current = task;
    lc_host_enter(host, thread, thread);
    host->can_await = true;
    status = lua_resume(thread, L, nargs, &results);
    if (__builtin_expect(task->in_loops, false))
        host->after_step(L, task);
    if (status == LUA_YIELD) {
        if (host->awaiting) {
            host->awaiting = false;
        } else {
            lua_pop(thread, results);
            task->broken = true;
            task->waiter.state = LC_WAIT_TURN;
            task->waiter.L = thread;
            lc_loop_ready(loop, &task->waiter.entry);
        }
        return;
    }
    if (status != LUA_OK) {
        /* only the end of memory gets past the protected call in task_main */
        luaL_checkstack(L, 8, NULL);
        lc_task_push(L, task);
        if (lua_checkstack(thread, 1) && lua_gettop(thread) > 0)
            lua_xmove(thread, L, 1);
        else
            lua_pushliteral(L, "not enough memory");
        task_end_failed(L, task, lua_gettop(L) - 1);
        lua_pop(L, 1);
    }
    task->thread = NULL;
    lc_thread_give(L, host, task->slot, thread, task->findable);
}

static void task_step(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_host *host = loop->host;
    struct lc_link *batch = loop->batch;

    /* Goes on with the steps that follow directly, also in the next tick. lua_resume comes back by a long
     * jump, after which the processor mispredicts every return up to the loop: the fewer the better. */
    for (;;) {
        task_resume(loop->L, lc_container_of(entry, struct lc_task, waiter.entry));
        if (loop->has_raised || (lc_list_empty(batch) && !lc_loop_next_batch(loop)))
            break;
        entry = lc_container_of(batch->next, struct lc_entry, link);
        if (entry->type != &lc_task_step_entry)
            break;
        lc_list_pop(batch);
        if (loop->timing)
            lc_step_next_timed(loop, entry);
        lc_pulse_step(&host->pulse);
    }
    host->current = NULL;
    lc_host_enter(host, NULL, loop->L);
}

static void task_entry_push(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    (void)loop;
    lc_task_push(L, lc_container_of(entry, struct lc_task, waiter.entry));
}

static void task_entry_awaiter(const struct lc_entry *entry, struct lc_awaiter *awaiter)
{
    awaiter->task = lc_container_of(entry, struct lc_task, waiter.entry);
}

const struct lc_entry_type lc_task_step_entry = {task_step, NULL, task_entry_push,
                                                 task_entry_awaiter};

/* The timer of sleep: its future's result, which the task sees one tick later. */
static void task_timer_run(struct lc_loop *loop, struct lc_entry *entry)
{
    (void)loop;
    entry->type = &lc_task_step_entry;
    lc_waiter_wake(lc_container_of(entry, struct lc_waiter, entry));
}

static const struct lc_entry_type task_timer_entry = {task_timer_run, NULL, task_entry_push, NULL};

void lc_task_set_timer(lua_State *L, struct lc_task *task, double when)
{
    lc_loop_set_timer(L, task->future.loop, &task->waiter.timer, when);
    task->waiter.entry.type = &task_timer_entry;
}

/* ---- making tasks ---- */

/* The script's own task takes the first default name unless lucio.run came first, so that the same
 * script numbers its tasks alike under the command and under lua5.4. */
static void number_script(struct lc_task *script, struct lc_host *host, struct lc_loop *loop)
{
    if (script->number == 0 && script->future.loop == loop)
        script->number = ++host->task_names;
}

struct lc_task *lc_task_new(lua_State *L, struct lc_loop *loop, int nargs, int context,
                            enum lc_task_options options)
{
    struct lc_host *host = loop->host;
    int fn = lua_gettop(L) - nargs;
    struct lc_task *task;
    lua_State *thread;
    int slot;

    if (nargs > ARGS_FREE)
        luaL_checkstack(L, 8, NULL);
    if (context != 0 && (options & LC_TASK_EAGER) && host->loop == loop)
        lc_context_check_enterable(L, host, context);
    task = lc_new_object(L, host, &lc_task_type, LC_REF_TASK, sizeof *task, 2);
    lc_future_init(&task->future, &lc_task_type, loop);
    lc_entry_init(&task->waiter.entry, &lc_task_step_entry);
    lc_list_init(&task->waiter.link);
    if (host->places.left > 0 || loop->debug) {
        host->places.left -= host->places.left > 0;
        task->created = lc_place_here(L, host);
    }
    lua_pushvalue(L, fn);
    lua_setiuservalue(L, -2, 2);
    if ((context != 0 || host->current == NULL || host->current->has_context) &&
        lc_context_push_for_task(L, host, context)) {
        lc_future_set_extra(L, -2, LC_EXTRA_CONTEXT);
        task->has_context = true;
    }
    if (loop->debug)
        lc_report_note_source(L, lua_gettop(L));
    if (loop->doomed)
        task->doomed = task->must_cancel = true;
    thread = lc_thread_take(L, host, &slot);
    if (nargs > ARGS_FREE && !lua_checkstack(thread, nargs + 8)) {
        lc_thread_give(L, host, slot, thread, false);
        luaL_error(L, "too many arguments to a task");
    }
    task->slot = slot;
    /* nothing fails from here on */
    lua_insert(L, fn);
    lua_pushcfunction(thread, task_main);
    lua_pushvalue(L, fn);
    lua_xmove(L, thread, 1);
    lua_pushcfunction(thread, lc_traceback_handler);
    lua_xmove(L, thread, nargs + 1);
    task->thread = thread;
    if (host->script != NULL)
        number_script(host->script, host, loop);
    if (!(options & LC_TASK_NAMED))
        task->number = ++host->task_names;
    task->id = ++host->task_ids;
    host->tasks++;
    lc_loop_ready(loop, &task->waiter.entry);
    if ((options & LC_TASK_EAGER) && host->loop == loop)
        lc_task_start(L, task);
    return task;
}

void lc_task_start(lua_State *L, struct lc_task *task)
{
    struct lc_host *host = task->future.loop->host;
    struct lc_task *outer = host->current;
    lua_State *outer_running = host->running;
    bool outer_can_await = host->can_await;
    int outer_context = host->callback_context;
    void *held = outer_context != LC_NO_ANCHOR || (outer != NULL && outer->has_context)
                     ? lc_context_hold(L, host)
                     : NULL;

    /* a resume that Lua refuses, its C stack being full, takes the task off its thread */
    lc_task_push(L, task);
    lua_pop(L, 1);
    lc_list_unlink(&task->waiter.entry.link);
    host->callback_context = LC_NO_ANCHOR;
    task_resume(L, task);
    host->current = outer;
    lc_host_enter(host, outer_running, L);
    host->can_await = outer_can_await;
    host->callback_context = outer_context;
    lc_context_let_go(held);
}

void lc_task_set_context(lua_State *L, struct lc_task *task, int context)
{
    lua_pushvalue(L, context);
    lc_future_set_extra(L, -2, LC_EXTRA_CONTEXT);
    task->has_context = true;
}

/* ---- the end of a loop ---- */

/* The unfinished task in the slot, or NULL. */
static struct lc_task *task_in_slot(lua_State *L, struct lc_host *host, size_t slot)
{
    lua_State *thread = lc_thread_at(L, host, slot);
    struct lc_task *task;

    if (thread == NULL || !push_task_of(thread))
        return NULL;
    task = lc_to_task(thread, -1);
    lua_pop(thread, 1);
    return task != NULL && task->thread == thread ? task : NULL;
}

struct lc_task *lc_task_find(lua_State *L, struct lc_host *host, unsigned id)
{
    for (size_t slot = 1; slot <= host->threads.used; slot++) {
        struct lc_task *task = task_in_slot(L, host, slot);

        if (task != NULL && task->id == id)
            return task;
    }
    return NULL;
}

void lc_tasks_abandon(lua_State *L, struct lc_loop *loop)
{
    struct lc_host *host = loop->host;

    for (size_t slot = 1; slot <= host->threads.used; slot++) {
        struct lc_task *task = task_in_slot(L, host, slot);
        lua_State *thread;

        if (task == NULL || task->future.loop != loop)
            continue;
        thread = task->thread;
        lc_waiter_withdraw(&task->waiter);
        lc_list_unlink(&task->waiter.link);
        task->waiter.state = LC_WAIT_IDLE;
        task->waiter.type = NULL;
        if (task->timeouts != NULL)
            lc_timeouts_disarm(L, task);
        task->thread = NULL;
        host->tasks--;
        if (host->script == task)
            host->script = NULL;
        lc_thread_give(L, host, task->slot, thread, task->findable);
    }
}

/* ---- lists ---- */

static int compare_ids(const void *a, const void *b)
{
    unsigned first = (*(struct lc_task *const *)a)->id;
    unsigned second = (*(struct lc_task *const *)b)->id;

    /* the numbers begin again at 0 some time */
    return (int)(first - second) < 0 ? -1 : 1;
}

void lc_tasks_push(lua_State *L, struct lc_loop *loop)
{
    struct lc_host *host = loop->host;
    int top = lua_gettop(L);
    struct lc_task **tasks;
    size_t count = 0, size;

    luaL_checkstack(L, 6, NULL);
    do {
        /* finalizers may make tasks here; from then on nothing is allocated */
        lua_settop(L, top);
        size = host->tasks;
        lua_createtable(L, (int)size, 0);
        tasks = lua_newuserdatauv(L, size * sizeof(struct lc_task *), 0);
    } while (host->tasks > size);
    for (size_t slot = 1; slot <= host->threads.used; slot++) {
        struct lc_task *task = task_in_slot(L, host, slot);

        if (task != NULL && task->future.loop == loop)
            tasks[count++] = task;
    }
    qsort(tasks, count, sizeof(struct lc_task *), compare_ids);
    for (size_t i = 0; i < count; i++) {
        lc_task_push(L, tasks[i]);
        lua_rawseti(L, top + 1, (lua_Integer)i + 1);
    }
    lua_settop(L, top + 1);
}
