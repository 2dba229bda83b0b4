/*
 * reports: what a job tells its submitter while it runs: lucio.worker.report, lucio.reports.
 * A report comes as a note of the job's errand, and goes into a Queue that the future has once somebody
 * has asked for its reports; before that, reports are dropped.
 */
#ifndef LC_REPORTS_H
#define LC_REPORTS_H

#include <lua.h>

struct lc_host;
struct lc_job;

/* Sends the value on top to where the job came from, in its worker's thread. [-1, +0, v] */
void lc_report_send(lua_State *L, struct lc_host *host, struct lc_job *job);

#endif
