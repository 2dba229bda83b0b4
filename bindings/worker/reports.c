#include "reports.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>

#include "core.h"
#include "errand.h"
#include "job.h"
#include "report.h"
#include "stop.h"

/* So much may be on its way to the loop, bytes; one report counts for more than it is. */
#define WEIGHT_MAX ((size_t)4 * 1024 * 1024)
#define WEIGHT_MIN ((size_t)1024)

struct report {
    struct lc_note note;
    struct lc_job *job; /* is under way until all its reports have come */
    size_t weight;
    struct lc_parcel parcel;
};

static void report_free(struct report *report)
{
    lc_parcel_clear(&report->parcel);
    free(report);
}

/* ---- in the submitter's loop ---- */

/* (host, queue, &parcel): queue:put_nowait(value) */
static int put(lua_State *L)
{
    lua_getfield(L, 2, "put_nowait");
    lua_pushvalue(L, 2);
    lc_unpack(L, lua_touserdata(L, 1), lua_touserdata(L, 3));
    lua_call(L, 2, 0);
    return 0;
}

/* The loop has taken it. */
static void lighten(struct lc_job *job, size_t weight)
{
    size_t left = atomic_fetch_sub(&job->reports, weight) - weight;

    if (left <= WEIGHT_MAX / 2 && atomic_exchange(&job->held_up, false))
        lc_pool_nudge(job->pool);
}

static void report_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct report *report = lc_container_of(entry, struct report, note.entry);
    lua_State *L = loop->L;
    int top = lua_gettop(L);

    lighten(report->job, report->weight);
    lc_anchor_push(L, loop->host, report->job->errand.future);
    lc_future_push_extra(L, top + 1, LC_EXTRA_REPORTS);
    if (!lua_isnil(L, -1) && !lc_future_is_done(lc_to_future(L, top + 1))) {
        lua_pushcfunction(L, put);
        lua_pushlightuserdata(L, loop->host);
        lua_pushvalue(L, top + 2);
        lua_pushlightuserdata(L, &report->parcel);
        if (lc_call(L, loop->host, 3, 0) != LUA_OK)
            lc_report_callback(L, loop, 0);
    }
    lua_settop(L, top);
    report_free(report);
}

static void report_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    (void)L;
    (void)loop;
    report_free(lc_container_of(entry, struct report, note.entry));
}

static const struct lc_entry_type report_entry = {report_run, report_forget, NULL, NULL};

/* ---- in the worker, or its courier ---- */

/* (&parcel, value) */
static int pack_value(lua_State *L)
{
    static const struct lc_pack_names names = {.what = "report", .first = 1};

    lc_pack(L, lc_host_of(L), lua_touserdata(L, 1), 2, 1, &names);
    return 0;
}

void lc_report_pack(lua_State *L, struct lc_host *host, struct lc_parcel *parcel)
{
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, pack_value, 1);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, parcel);
    lua_insert(L, -2);
    if (lua_pcall(L, 2, 0, 0) == LUA_OK)
        return;
    lc_parcel_clear(parcel);
    lua_error(L);
}

/* A report stands for what it takes in the loop's state, too. */
static size_t weigh(const struct lc_parcel *parcel)
{
    size_t weight = WEIGHT_MIN + parcel->size;

    for (size_t i = 0; i < parcel->block_count; i++)
        weight += parcel->blocks[i].size;
    return weight;
}

bool lc_report_deliver(struct lc_job *job, struct lc_parcel *parcel)
{
    struct report *report = calloc(1, sizeof *report);

    if (report == NULL) {
        lc_parcel_clear(parcel);
        return false;
    }
    lc_entry_init(&report->note.entry, &report_entry);
    report->job = job;
    report->weight = weigh(parcel);
    report->parcel = *parcel;
    memset(parcel, 0, sizeof *parcel);
    atomic_fetch_add(&job->reports, report->weight);
    /* false: nobody is there any more */
    if (!lc_errand_box_send(job->errand.box, &report->note))
        report_free(report);
    return true;
}

bool lc_report_has_room(const struct lc_job *job)
{
    return atomic_load(&job->reports) < WEIGHT_MAX || atomic_load(&job->cancelled);
}

void lc_report_send(lua_State *L, struct lc_host *host, struct lc_job *job)
{
    static const struct timespec moment = {0, 1000000};
    struct lc_parcel parcel = {.data = NULL};

    while (!lc_report_has_room(job) && lc_errand_box_is_open(job->errand.box)) {
        lc_stop_check(L, host);
        nanosleep(&moment, NULL);
    }
    lc_report_pack(L, host, &parcel);
    if (!lc_report_deliver(job, &parcel))
        luaL_error(L, "not enough memory");
}

/* ---- Lua ---- */

/* Callback of the future: queue:shutdown(). Upvalue 1 is the queue. */
static int end_queue(lua_State *L)
{
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_getfield(L, 1, "shutdown");
    lua_insert(L, 1);
    lua_call(L, 1, 0);
    return 0;
}

/* Pushes the queue of the future at 1, made when it is first asked for. [-0, +1, v] */
static void push_queue(lua_State *L, struct lc_host *host)
{
    lc_future_push_extra(L, 1, LC_EXTRA_REPORTS);
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    lc_host_push_ref(L, host, LC_REF_MODULE);
    lua_getfield(L, -1, "Queue");
    lua_call(L, 0, 1);
    lua_replace(L, -2);
    lua_getfield(L, 1, "add_done_callback");
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -3);
    lua_pushcclosure(L, end_queue, 1);
    lua_call(L, 2, 0);
    lua_pushvalue(L, -1);
    lc_future_set_extra(L, 1, LC_EXTRA_REPORTS);
}

/* lucio.reports(future) -> for a `for` loop: number and value of each report, until the job is done */
static int lucio_reports(lua_State *L)
{
    lua_settop(L, 1);
    if (lc_to_future(L, 1) == NULL)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, "reports", 1, "Future", 1);
    push_queue(L, lc_host_of(L));
    lua_getfield(L, -1, "items");
    lua_insert(L, -2);
    lua_call(L, 1, LUA_MULTRET);
    return lua_gettop(L) - 1;
}

void lc_open_reports(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {{"reports", lucio_reports}, {NULL, NULL}};

    lc_set_functions(L, host, functions);
}
