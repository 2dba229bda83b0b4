/*
 * quota: a limit of memory that several Lua states share: a host's, those of its worker threads, and of its worker
 * processes by a ledger, which is memory that all these processes have.
 * Invariant: what was taken and not given back is never above the limit. A process counts at a place of its own in
 *            the ledger, so that what it had is known when it has died. It is given back by who reaps it; where that one
 *            died, too, by whoever needs it.
 * Owner:     whoever holds it; the last one frees it.
 * Context:   any thread.
 */
#ifndef LC_QUOTA_H
#define LC_QUOTA_H

#include <stdbool.h>
#include <stddef.h>

struct lc_quota;

/* New quota, held once. NULL: no memory. */
struct lc_quota *lc_quota_new(size_t limit);

/* NULL stands for no limit, here and below. */
struct lc_quota *lc_quota_hold(struct lc_quota *quota);
void lc_quota_release(struct lc_quota *quota);

/* The limit; of NULL 0. */
size_t lc_quota_limit(const struct lc_quota *quota);

/* Memory of lc_ledger_size() bytes, zero in the beginning, and the descriptor of its file, which no other part of the
 * process may close: that would let go a lock. `release` is called with the data when the quota goes. */
struct lc_ledger {
    void *memory;
    int fd;
    void (*release)(void *data);
    void *data;
};

/* Makes the quota count in a ledger, with what the other processes count; a ledger too many is released. The ticket
 * is 0 for the host, and what lc_quota_take_place gave its parent for a process. False: the process has no place,
 * because its parent has died; or the system has no lock. */
bool lc_quota_share(struct lc_quota *quota, const struct lc_ledger *shared, unsigned ticket);
/* The data of its ledger; NULL: it has none. */
void *lc_quota_ledger(const struct lc_quota *quota);
size_t lc_ledger_size(void);

/* A ticket for a place in its ledger for another process; 0: there is none free. Giving it back gives back what was
 * counted there: the process has ended. */
unsigned lc_quota_take_place(struct lc_quota *quota);
void lc_quota_give_place(struct lc_quota *quota, unsigned ticket);

/* A block of old_size bytes becomes one of new_size. False: that is more than the limit allows; a block
 * that does not grow is never refused. */
bool lc_quota_change(struct lc_quota *quota, size_t old_size, size_t new_size);

/* A lua_Alloc over realloc; the data is the quota. */
void *lc_quota_realloc(void *data, void *block, size_t old_size, size_t new_size);

#endif
