/*
 * sink: output that never makes its writer wait: records that a file descriptor does not take at
 * once go through a bounded queue to a thread that writes them.
 * Invariant: records are written whole, in order, one write(2) each; while any is queued or under
 *            way, later ones are queued behind it. Dropped records are counted, and the count is
 *            written where they are missing.
 * Owner:     the host, in its list, until it gives up on one that is stuck, which is then its thread's.
 *            That thread touches the sink alone: no Lua, no host; therefore the memory is malloc's.
 *            What it writes belongs to it from one swap of the buffers to the next.
 * Context:   the functions here are for the thread of the host.
 */
#ifndef LC_SINK_H
#define LC_SINK_H

#include <stdbool.h>
#include <stddef.h>

struct lc_host;
struct lc_sink;

/* Bytes that may wait in a queue; a single longer record is taken when it is empty. */
#define LC_SINK_LIMIT (1024 * 1024)

/* Seconds without a record getting written after which flushing and closing give up. */
#define LC_SINK_PATIENCE 5.0

enum lc_sink_options {
    LC_SINK_PLAIN = 0,
    LC_SINK_OWNS_FD = 1, /* closes it in the end */
    LC_SINK_DIRECT = 2   /* writes on the spot what is taken there, while nothing is queued */
};

/* New sink for that descriptor; `name` is for messages about it. NULL: no memory, fd is untouched. */
struct lc_sink *lc_sink_new(struct lc_host *host, int fd, const char *name,
                            enum lc_sink_options options);

/* The sink of descriptor 1 or 2, the same for all who ask; it stays until the host closes. */
struct lc_sink *lc_sink_standard(struct lc_host *host, int fd);

bool lc_sink_is_terminal(const struct lc_sink *sink);

/* Writes or queues a record. False: it was dropped. */
bool lc_sink_write(struct lc_sink *sink, const char *text, size_t size);

/* Whether so many bytes would be written on the spot, without a wait. */
bool lc_sink_is_ready(struct lc_sink *sink, size_t size);

/* Waits until all is written. False: it gave up. */
bool lc_sink_flush(struct lc_sink *sink);

/* Lets the sink write to what `fd` is from now on, and closes `fd`. 0, or an errno. */
int lc_sink_redirect(struct lc_sink *sink, int fd);

/* The sink writes what it has and goes, without anybody waiting for it. */
void lc_sink_release(struct lc_sink *sink);

/* Before something else is printed on stderr: waits for what was logged there. */
void lc_sinks_settle(struct lc_host *host);

/* Before the process ends: waits for all sinks; closing frees them too. */
void lc_sinks_flush(struct lc_host *host);
void lc_sinks_close(struct lc_host *host);

#endif
