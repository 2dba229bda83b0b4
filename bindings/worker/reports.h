/*
 * reports: what a job tells its submitter while it runs: lucio.worker.report, lucio.reports.
 * A report comes as a note of the job's errand, and goes into a Queue that the future has once somebody
 * has asked for its reports; before that, reports are dropped.
 * Invariant: all reports of a job come before its outcome. What the loop has not taken yet is limited: a
 *            thread that has reported so much waits, and of a process no more is read.
 */
#ifndef LC_REPORTS_H
#define LC_REPORTS_H

#include <stdbool.h>

#include <lua.h>

struct lc_host;
struct lc_job;
struct lc_parcel;

/* Sends the value on top to where the job came from, in its worker's thread. Waits while the loop has not
 * taken what was sent before. [-1, +0, v] */
void lc_report_send(lua_State *L, struct lc_host *host, struct lc_job *job);

/* Packs the value on top into an empty parcel, which stays empty if that fails. [-1, +0, v] */
void lc_report_pack(lua_State *L, struct lc_host *host, struct lc_parcel *parcel);

/* Sends a report that was packed, which is empty then. False: no memory. Any thread that has the job. */
bool lc_report_deliver(struct lc_job *job, struct lc_parcel *parcel);

/* Whether the loop takes one more now, or nobody wants any. */
bool lc_report_has_room(const struct lc_job *job);

#endif
