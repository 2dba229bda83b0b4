/*
 * control: how a running lucio command tells what its tasks do. SIGQUIT and SIGUSR1 print the tree of
 * tasks on stderr; SIGURG says that `lucio ps`, `pstree` or `cancel` wants an answer.
 * A process has no socket of its own: who asks opens one, named by its process id, in a directory
 * that only the user may enter, and queues SIGURG with the request as its value; a process that knows
 * nothing of it ignores that signal. The answer comes through the socket as a memory file.
 * Invariant: nothing is done that costs anything before a signal arrives.
 * Owner:     the command's process; one host at most. The handlers only count and wake the loop.
 */
#ifndef LC_CONTROL_H
#define LC_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include <lua.h>

struct lc_host;

enum lc_request { LC_ASK_LIST, LC_ASK_TREE, LC_ASK_NAMES, LC_ASK_CANCEL };

/* The value that SIGURG carries: a request and the number of a task. */
static inline uintptr_t lc_request_value(enum lc_request request, uint32_t id)
{
    return (uintptr_t)id << 2 | request;
}

/* What an answer begins with. */
#define LC_ANSWER_OK    '+'
#define LC_ANSWER_ERROR '-'

/* From now on the host answers. [-0, +0, -] */
void lc_control_open(struct lc_host *host);

/* The host ends; signals that arrive from now on are ignored. */
void lc_control_close(void);

/* The i-th directory in which the socket of who asks may be. False: there are no more. */
bool lc_control_directory(int i, char *path, size_t size);

/* Whether it is a directory, no link to one, that only this user may enter. */
bool lc_control_is_private(const char *path);

/* The address of the socket of process `pid`. False: the path is too long. */
bool lc_control_address(const char *directory, int pid, struct sockaddr_un *address);

/* Whether the other side of a socket belongs to this user, and is the process `pid`. */
bool lc_control_peer_is(int fd, int pid);

#endif
