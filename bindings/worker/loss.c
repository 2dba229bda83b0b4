/*
 * loss: the error of a job whose worker process ended, was killed, or could not be started.
 */
#include <limits.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "job.h"
#include "station.h"

/* Pushes how the process ended. */
static void push_end(lua_State *L, const struct lc_job *job)
{
    int code = job->loss_code;

    if (code == LC_CODE_UNKNOWN)
        lua_pushliteral(L, "ended");
    else if (code >= 0)
        lua_pushfstring(L, "exited with status %d", code);
    else
        lua_pushfstring(L, "was ended by signal %d (%s)", -code, strsignal(-code));
}

/* The error on top gets the fields `pid` and `exitcode`. */
static void set_fields(lua_State *L, const struct lc_job *job)
{
    lua_pushinteger(L, job->loss_pid);
    lua_setfield(L, -2, "pid");
    if (job->loss_code == LC_CODE_UNKNOWN)
        return;
    lua_pushinteger(L, job->loss_code);
    lua_setfield(L, -2, "exitcode");
}

void lc_job_push_loss(lua_State *L, struct lc_host *host, const struct lc_job *job)
{
    switch (job->loss) {
    case LC_LOSS_START:
        lua_pushfstring(L, "cannot start a worker process: %s", strerror(job->loss_code));
        lc_error_push_os(L, host, job->loss_code, NULL, lua_tostring(L, -1));
        lua_replace(L, -2);
        return;
    case LC_LOSS_SENDING:
        lua_pushfstring(L, "a job or its result cannot be passed on: %s", strerror(job->loss_code));
        lc_error_push_os(L, host, job->loss_code, NULL, lua_tostring(L, -1));
        lua_replace(L, -2);
        return;
    case LC_LOSS_TIMEOUT:
        lc_error_push(L, host, LC_TIMEOUT_ERROR,
                      "the %s took too long: worker process %d was killed",
                      job->loss_early ? "initializer" : "job", job->loss_pid);
        break;
    case LC_LOSS_KILLED:
        lc_error_push(L, host, LC_BROKEN_PROCESS_POOL,
                      "worker process %d was killed while it ran the %s", job->loss_pid,
                      job->loss_early ? "initializer" : "job");
        break;
    case LC_LOSS_UNTAKEN:
        push_end(L, job);
        lc_error_push(L, host, LC_BROKEN_PROCESS_POOL,
                      "worker process %d %s before it took the job", job->loss_pid,
                      lua_tostring(L, -1));
        lua_replace(L, -2);
        break;
    case LC_LOSS_NONE:
    case LC_LOSS_DIED:
        push_end(L, job);
        lc_error_push(L, host, LC_BROKEN_PROCESS_POOL, "worker process %d %s while it ran the job",
                      job->loss_pid, lua_tostring(L, -1));
        lua_replace(L, -2);
        break;
    }
    set_fields(L, job);
}
