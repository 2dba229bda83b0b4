/*
 * module: the table that require "lucio" returns.
 */
#include "module.h"

#include <lauxlib.h>

#include "connect.h"
#include "context.h"
#include "core.h"
#include "debug.h"
#include "sandbox.h"
#include "standard.h"
#include "state_limits.h"
#include "submodule.h"
#include "subprocess.h"
#include "timeout.h"

/* lucio.stats() -> what the host holds now, for leak checks */
static int lucio_stats(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    size_t timers = 0;

    for (struct lc_link *link = host->loops.next; link != &host->loops; link = link->next)
        timers += lc_container_of(link, struct lc_loop, link)->timers.count;
    lua_createtable(L, 0, 7);
    lua_pushinteger(L, (lua_Integer)host->tasks);
    lua_setfield(L, -2, "tasks");
    lua_pushinteger(L, (lua_Integer)timers);
    lua_setfield(L, -2, "timers");
    lua_pushinteger(L, (lua_Integer)host->watchers);
    lua_setfield(L, -2, "watchers");
    lua_pushinteger(L, (lua_Integer)host->anchors.held - (host->traceback != LC_NO_ANCHOR) -
                           (host->base_context != LC_NO_ANCHOR));
    lua_setfield(L, -2, "anchors");
    lua_pushinteger(L, (lua_Integer)host->reports);
    lua_setfield(L, -2, "reports");
    lua_pushinteger(L, (lua_Integer)host->open_loops);
    lua_setfield(L, -2, "loops");
    lua_pushinteger(L, (lua_Integer)host->threads.idle_count);
    lua_setfield(L, -2, "idle_threads");
    return 1;
}

int luaopen_lucio(lua_State *L)
{
    static const luaL_Reg functions[] = {{"stats", lucio_stats}, {NULL, NULL}};
    struct lc_host *host = lc_host_open(L);

    if (host->refs[LC_REF_MODULE] != 0) {
        lc_host_push_ref(L, host, LC_REF_MODULE);
        return 1;
    }
    luaL_checkstack(L, 20, NULL);
    if (host->options.debug)
        lc_debug_open(L, host);
    host->is_module = !host->is_command;
    lua_newtable(L);
    lc_errors_open(L, host);
    lc_futures_open(L, host);
    lc_context_open(L, host);
    lc_timeouts_open(L, host);
    lc_open_task(L, host);
    lc_open_awaitable(L, host);
    lc_open_protected(L, host);
    lc_open_lock(L, host);
    lc_open_semaphore(L, host);
    lc_open_event(L, host);
    lc_open_condition(L, host);
    lc_open_barrier(L, host);
    lc_open_queue(L, host);
    lc_open_gather(L, host);
    lc_open_wait(L, host);
    lc_open_wait_for(L, host);
    lc_open_as_completed(L, host);
    lc_open_shield(L, host);
    lc_open_group(L, host);
    lc_open_handle(L, host);
    lc_open_loop(L, host);
    lc_open_watcher(L, host);
    lc_open_watchdog(L, host);
    lc_open_signal(L, host);
    lc_open_resolver(L, host);
    lc_open_executor(L, host);
    lc_open_default_executor(L, host);
    lc_open_coroutine(L, host);
    lc_open_standard(L, host);
    lc_open_generator(L, host);
    lc_open_exception_group(L, host);
    lc_open_run(L, host);
    lc_open_task_tree(L, host);
    lc_open_exit(L, host);
    lc_open_stream_types(L, host);
    lc_open_process(L, host);
    lc_open_submodules(L, host);
    if (host->libraries == 0)
        host->libraries = lc_limits_find_libraries(L);
    if (host->permits != NULL)
        lc_doors_open(L, host);
    lc_set_functions(L, host, functions);
    lua_pushliteral(L, "lucio " LUCIO_VERSION);
    lua_setfield(L, -2, "_VERSION");
    lua_pushvalue(L, -1);
    lc_host_set_ref(L, host, LC_REF_MODULE);
    return 1;
}

const char *lucio_version(void)
{
    return LUCIO_VERSION;
}
