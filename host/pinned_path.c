#include "pinned_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of linux/openat2.h, which older systems lack. */
struct how {
    unsigned long long flags, mode, resolve;
};

#define HOW_NO_SYMLINKS 0x04 /* RESOLVE_NO_SYMLINKS */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

/* Takes the next name of the path. False: there is none. */
static bool next_name(const char **path, char name[NAME_MAX + 1])
{
    size_t length;

    *path += strspn(*path, "/");
    length = strcspn(*path, "/");
    if (length == 0 || length > NAME_MAX)
        return false;
    memcpy(name, *path, length);
    name[length] = '\0';
    *path += length;
    return true;
}

int lc_pinned_walk(const char *real, int flags)
{
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), next, error;
    char name[NAME_MAX + 1];

    if (real[strspn(real, "/")] == '\0') {
        next = fd >= 0 ? openat(fd, ".", flags | O_CLOEXEC) : -1;
        error = errno;
        close(fd);
        errno = error;
        return next;
    }
    while (fd >= 0 && next_name(&real, name)) {
        bool is_last = real[strspn(real, "/")] == '\0';

        next = openat(fd, name, O_NOFOLLOW | O_CLOEXEC | (is_last ? flags : O_PATH | O_DIRECTORY));
        error = errno;
        close(fd);
        errno = error;
        fd = next;
    }
    if (fd >= 0 && (flags & O_PATH)) { /* which opens a link itself */
        char none[1];

        if (readlinkat(fd, "", none, sizeof none) >= 0) {
            close(fd);
            errno = ELOOP;
            return -1;
        }
    }
    return fd;
}

int lc_pinned_open(const char *real, int flags)
{
    struct how how = {.flags = (unsigned)(flags | O_CLOEXEC), .resolve = HOW_NO_SYMLINKS};
    long fd = syscall(SYS_openat2, AT_FDCWD, real, &how, sizeof how);

    if (fd >= 0 || (errno != ENOSYS && errno != EPERM && errno != EINVAL && errno != E2BIG))
        return (int)fd;
    return lc_pinned_walk(real, flags);
}

int lc_pinned_parent(const char *real, const char **name)
{
    const char *slash = strrchr(real, '/');
    char parent[PATH_MAX];

    snprintf(parent, sizeof parent, "%.*s", slash > real ? (int)(slash - real) : 1, real);
    *name = slash[1] != '\0' ? slash + 1 : ".";
    return lc_pinned_open(parent, O_PATH | O_DIRECTORY);
}
