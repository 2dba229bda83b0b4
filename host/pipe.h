/*
 * pipe: writing to pipes; see pipe.c.
 */
#ifndef LC_PIPE_H
#define LC_PIPE_H

#include <stddef.h>
#include <sys/types.h>

/* write(2), except that a pipe without a reader is EPIPE and never SIGPIPE. */
ssize_t lc_pipe_write(int fd, const void *data, size_t size);

#endif
