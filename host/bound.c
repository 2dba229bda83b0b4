#include "bound.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void lc_remove_stale_socket(const struct sockaddr *address)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)address;
    struct stat info;

    if (un->sun_path[0] != '\0' && lstat(un->sun_path, &info) == 0 && S_ISSOCK(info.st_mode))
        unlink(un->sun_path);
}

static void set_option(int fd, int level, int option)
{
    int one = 1;

    setsockopt(fd, level, option, &one, sizeof one);
}

static void set_options(int fd, int family, uint32_t flags)
{
    if (family == AF_UNIX)
        return;
    if (flags & LC_BIND_REUSE_ADDRESS)
        set_option(fd, SOL_SOCKET, SO_REUSEADDR);
    if (flags & LC_BIND_REUSE_PORT)
        set_option(fd, SOL_SOCKET, SO_REUSEPORT);
    if (family == AF_INET6 && !(flags & LC_BIND_DATAGRAM))
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
}

static void note_file(const struct sockaddr *address, struct lc_bound_file *file)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)address;
    struct stat info;

    if (un->sun_path[0] == '\0' || stat(un->sun_path, &info) != 0)
        return;
    file->is_there = true;
    file->device = info.st_dev;
    file->inode = info.st_ino;
}

int lc_bind_socket(const struct sockaddr *address, socklen_t size, uint32_t flags, int *fd,
                   struct lc_bound_file *file)
{
    int family = address->sa_family, type = flags & LC_BIND_DATAGRAM ? SOCK_DGRAM : SOCK_STREAM;
    int new = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    memset(file, 0, sizeof *file);
    *fd = -1;
    if (new < 0)
        return errno;
    set_options(new, family, flags);
    if (family == AF_UNIX)
        lc_remove_stale_socket(address);
    if (bind(new, address, size) != 0) {
        int error = errno;

        close(new);
        return error;
    }
    if (family == AF_UNIX && !(flags & LC_BIND_KEEP_PATH))
        note_file(address, file);
    *fd = new;
    return 0;
}

void lc_bound_remove(int fd, const struct lc_bound_file *file)
{
    struct sockaddr_un address = {0};
    socklen_t size = sizeof address - 1;
    struct stat info;

    if (file->is_there && getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
        stat(address.sun_path, &info) == 0 && info.st_dev == file->device &&
        info.st_ino == file->inode)
        unlink(address.sun_path);
}
