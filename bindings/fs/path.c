/*
 * path: operations on paths, as a thread does them.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "fs.h"

/* What is read first of a file whose size says nothing. */
#define FIRST_READ 65536

static void set_error(struct lc_fs_call *call, int result)
{
    call->error = result < 0 ? errno : 0;
}

void lc_fs_stat(struct lc_fs_call *call)
{
    set_error(call,
              call->number[0] ? stat(call->path, &call->status) : lstat(call->path, &call->status));
}

/* ---- whole files ---- */

static int grow(struct lc_fs_call *call, size_t capacity)
{
    char *data = realloc(call->data, capacity);

    if (data == NULL)
        return ENOMEM;
    call->data = data;
    call->capacity = capacity;
    return 0;
}

static int read_all(struct lc_fs_call *call, int fd)
{
    struct stat status;
    int error;

    if (fstat(fd, &status) < 0)
        return errno;
    /* one byte more: the end is seen without growing */
    error = grow(call, S_ISREG(status.st_mode) && status.st_size > 0 ? (size_t)status.st_size + 1
                                                                     : FIRST_READ);
    while (error == 0) {
        ssize_t n = read(fd, call->data + call->size, call->capacity - call->size);

        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0)
            call->size += (size_t)n;
        if (call->size == call->capacity)
            error = call->capacity > SIZE_MAX / 4 ? ENOMEM : grow(call, call->capacity * 2);
    }
    return error;
}

void lc_fs_read(struct lc_fs_call *call)
{
    int fd = open(call->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        call->error = errno;
        return;
    }
    call->error = read_all(call, fd);
    close(fd);
}

int lc_fs_write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

static void write_plain(struct lc_fs_call *call, int flags)
{
    int fd = open(call->path,
                  O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | call->no_follow[0] | flags, 0666);

    if (fd < 0) {
        call->error = errno;
        return;
    }
    call->error = lc_fs_write_all(fd, call->data, call->size);
    if (close(fd) < 0 && call->error == 0)
        call->error = errno;
}

/* Creates a file beside `path` under a name that nobody has; its name is put into `name`. An errno
 * or 0. */
static int create_beside(const char *path, char *name, size_t size, int *fd)
{
    const char *slash = strrchr(path, '/');
    int directory = slash != NULL ? (int)(slash - path) + 1 : 0;

    for (int attempt = 0; attempt < 100; attempt++) {
        unsigned long long random;

        if (getrandom(&random, sizeof random, 0) != sizeof random)
            return EIO;
        if (snprintf(name, size, "%.*s.lucio-%016llx", directory, path, random) >= (int)size)
            return ENAMETOOLONG;
        *fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*fd >= 0)
            return 0;
        if (errno != EEXIST)
            return errno;
    }
    return EEXIST;
}

/* The name of a file in a directory is as lasting as the directory. */
static void sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char name[PATH_MAX];
    int fd;

    snprintf(name, sizeof name, "%.*s.", slash != NULL ? (int)(slash - path) + 1 : 0, path);
    fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

/* The file that is replaced: a link stays a link. An errno or 0. */
static int find_target(const struct lc_fs_call *call, char target[PATH_MAX])
{
    struct stat status;

    if (strlen(call->path) >= PATH_MAX)
        return ENAMETOOLONG;
    /* a pinned path has been followed */
    if (!call->pinned && realpath(call->path, target) != NULL)
        return stat(target, &status) == 0 && S_ISDIR(status.st_mode) ? EISDIR : 0;
    if (!call->pinned && errno != ENOENT)
        return errno;
    strcpy(target, call->path);
    return lstat(target, &status) == 0 && S_ISDIR(status.st_mode) ? EISDIR : 0;
}

/* Who looks at the path sees the old contents or the new ones. */
static void write_atomic(struct lc_fs_call *call)
{
    char target[PATH_MAX], name[PATH_MAX];
    struct stat status;
    int fd, error;

    call->error = find_target(call, target);
    if (call->error == 0)
        call->error = create_beside(target, name, sizeof name, &fd);
    if (call->error != 0)
        return;
    error = lc_fs_write_all(fd, call->data, call->size);
    if (error == 0 && lstat(target, &status) == 0 && fchmod(fd, status.st_mode & 07777) < 0)
        error = errno;
    if (error == 0 && fsync(fd) < 0)
        error = errno;
    if (close(fd) < 0 && error == 0)
        error = errno;
    if (error == 0 && rename(name, target) < 0)
        error = errno;
    if (error == 0)
        sync_directory(target);
    else
        unlink(name);
    call->error = error;
}

void lc_fs_write(struct lc_fs_call *call)
{
    if (call->number[0] == LC_FS_ATOMIC)
        write_atomic(call);
    else
        write_plain(call, call->number[0] == LC_FS_APPEND      ? O_APPEND
                          : call->number[0] == LC_FS_EXCLUSIVE ? O_EXCL
                                                               : O_TRUNC);
}

/* ---- directories ---- */

static int make_directory(const char *path, mode_t mode, bool exist_ok)
{
    struct stat status;

    if (mkdir(path, mode) == 0)
        return 0;
    if (errno == EEXIST && exist_ok) {
        if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
            return 0;
        errno = EEXIST;
    }
    return errno;
}

void lc_fs_mkdir(struct lc_fs_call *call)
{
    mode_t mode = (mode_t)call->number[0];
    bool parents = call->number[1], exist_ok = call->number[2];
    char *path = call->path, *c = path;
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        path[--length] = '\0';
    call->error = make_directory(path, mode, exist_ok);
    if (call->error != ENOENT || !parents)
        return;
    while (*c == '/')
        c++;
    call->error = 0;
    for (; *c != '\0' && call->error == 0; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        call->error = make_directory(path, 0777, true);
        if (call->error != 0)
            call->culprit = strdup(path);
        *c = '/';
        while (c[1] == '/')
            c++;
    }
    if (call->error == 0)
        call->error = make_directory(path, mode, exist_ok);
}

void lc_fs_mkdtemp(struct lc_fs_call *call)
{
    if (mkdtemp(call->path) == NULL)
        call->error = errno;
    else if ((call->data = strdup(call->path)) == NULL)
        call->error = rmdir(call->path) < 0 ? errno : ENOMEM;
    else
        call->size = strlen(call->data);
    call->is_made = call->data != NULL;
}

void lc_fs_remove(struct lc_fs_call *call)
{
    set_error(call, unlink(call->path));
}

void lc_fs_rmdir(struct lc_fs_call *call)
{
    set_error(call, rmdir(call->path));
}

/* ---- names ---- */

void lc_fs_rename(struct lc_fs_call *call)
{
    set_error(call, rename(call->path, call->other));
    call->both = true;
}

void lc_fs_symlink(struct lc_fs_call *call)
{
    set_error(call, symlink(call->path, call->other));
    call->both = true;
}

void lc_fs_readlink(struct lc_fs_call *call)
{
    ssize_t n;

    call->error = grow(call, PATH_MAX);
    if (call->error != 0)
        return;
    n = readlink(call->path, call->data, call->capacity);
    if (n < 0)
        call->error = errno;
    else
        call->size = (size_t)n;
}

void lc_fs_chmod(struct lc_fs_call *call)
{
    set_error(call, chmod(call->path, (mode_t)call->number[0]));
}

void lc_fs_realpath(struct lc_fs_call *call)
{
    /* a pinned path has been walked; where it leads by now was not permitted */
    call->data = call->pinned ? strdup(call->access[0].real) : realpath(call->path, NULL);
    if (call->data == NULL)
        call->error = errno;
    else
        call->size = strlen(call->data);
}

void lc_fs_open(struct lc_fs_call *call)
{
    int flags = (int)call->number[0] | O_CLOEXEC | O_NOCTTY;
    struct stat status;

    if (call->number[1])
        call->fd = mkostemp(call->path, O_CLOEXEC);
    else
        call->fd = open(call->path, flags | call->no_follow[0], 0666);
    if (call->fd < 0) {
        call->error = errno;
        return;
    }
    /* as in Python: a directory can be opened, but is no file */
    if (fstat(call->fd, &status) == 0 && S_ISDIR(status.st_mode))
        call->error = EISDIR;
    call->number[2] = lseek(call->fd, 0, flags & O_APPEND ? SEEK_END : SEEK_CUR);
}
