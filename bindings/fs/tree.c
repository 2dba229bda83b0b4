/*
 * tree: directories with what is in them, and copies, as a thread does them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"

#define CHUNK ((size_t)1 << 20)

char lc_fs_kind(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return 'f';
    case S_IFDIR:
        return 'd';
    case S_IFLNK:
        return 'l';
    case S_IFIFO:
        return 'p';
    case S_IFSOCK:
        return 's';
    case S_IFCHR:
        return 'c';
    case S_IFBLK:
        return 'b';
    default:
        return '?';
    }
}

static bool is_dots(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* Not every file system tells the kind with the name. */
static char entry_kind(int fd, const struct dirent *entry)
{
    struct stat status;

    if (entry->d_type != DT_UNKNOWN)
        return lc_fs_kind(DTTOIF(entry->d_type));
    if (fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return '?';
    return lc_fs_kind(status.st_mode);
}

/* ---- list ---- */

static int append_entry(struct lc_fs_call *call, char kind, const char *name)
{
    size_t size = strlen(name) + 1;

    if (call->capacity - call->size < size + 1) {
        size_t capacity = call->capacity * 2 + 1024;
        char *data = realloc(call->data, capacity);

        if (data == NULL)
            return ENOMEM;
        call->data = data;
        call->capacity = capacity;
    }
    call->data[call->size] = kind;
    memcpy(call->data + call->size + 1, name, size);
    call->size += size + 1;
    return 0;
}

void lc_fs_list(struct lc_fs_call *call)
{
    DIR *directory = opendir(call->path);
    struct dirent *entry;

    if (directory == NULL) {
        call->error = errno;
        return;
    }
    for (;;) {
        errno = 0;
        entry = readdir(directory);
        if (entry == NULL || call->error != 0)
            break;
        if (!is_dots(entry->d_name))
            call->error = append_entry(call, entry_kind(dirfd(directory), entry), entry->d_name);
    }
    if (call->error == 0)
        call->error = errno;
    closedir(directory);
}

/* ---- rmtree ---- */

static int remove_entries(struct lc_fs_call *call, int fd, const char *path);

static int blame(struct lc_fs_call *call, const char *path, const char *name, int error)
{
    if (call->culprit == NULL && asprintf(&call->culprit, "%s/%s", path, name) < 0)
        call->culprit = NULL;
    return error;
}

static int remove_directory(struct lc_fs_call *call, int parent, const char *path, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), error;
    char *full = NULL;

    if (fd < 0)
        return blame(call, path, name, errno);
    if (asprintf(&full, "%s/%s", path, name) < 0) {
        close(fd);
        return ENOMEM;
    }
    error = remove_entries(call, fd, full);
    free(full);
    if (error == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0)
        error = blame(call, path, name, errno);
    return error;
}

/* Removes what is in the directory, and closes it. What somebody else has removed is no error. */
static int remove_entries(struct lc_fs_call *call, int fd, const char *path)
{
    DIR *directory = fdopendir(fd);
    struct dirent *entry;
    int error = 0;

    if (directory == NULL) {
        error = errno;
        close(fd);
        return error;
    }
    while (error == 0 && (entry = readdir(directory)) != NULL) {
        if (is_dots(entry->d_name))
            continue;
        if (entry_kind(fd, entry) == 'd')
            error = remove_directory(call, fd, path, entry->d_name);
        else if (unlinkat(fd, entry->d_name, 0) < 0 && errno != ENOENT)
            error = blame(call, path, entry->d_name, errno);
    }
    closedir(directory);
    return error;
}

void lc_fs_rmtree(struct lc_fs_call *call)
{
    int fd = open(call->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) {
        call->error = errno;
        return;
    }
    call->error = remove_entries(call, fd, call->path);
    if (call->error == 0 && rmdir(call->path) < 0)
        call->error = errno;
}

/* ---- copy ---- */

/* By the kernel as far as it can. */
static void copy_in_kernel(int from, int to)
{
    while (copy_file_range(from, NULL, to, NULL, CHUNK * 64, 0) > 0)
        continue;
}

static int copy_rest(struct lc_fs_call *call, int from, int to)
{
    char *chunk = malloc(CHUNK);
    int error = chunk == NULL ? ENOMEM : 0;

    while (error == 0) {
        ssize_t n = read(from, chunk, CHUNK);

        if (n == 0)
            break;
        if (n > 0) {
            error = lc_fs_write_all(to, chunk, (size_t)n);
            if (error != 0)
                call->culprit = strdup(call->other);
        } else if (errno != EINTR) {
            error = errno;
        }
    }
    free(chunk);
    return error;
}

static int copy_open(struct lc_fs_call *call, int from)
{
    struct stat source, target;
    int to, error;

    if (fstat(from, &source) < 0)
        return errno;
    if (S_ISDIR(source.st_mode))
        return EISDIR;
    if (stat(call->other, &target) == 0 && source.st_dev == target.st_dev &&
        source.st_ino == target.st_ino) {
        call->both = true;
        return EINVAL;
    }
    to = open(call->other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | call->no_follow[1],
              0666);
    if (to < 0) {
        error = errno;
        call->culprit = strdup(call->other);
        return error;
    }
    copy_in_kernel(from, to);
    error = copy_rest(call, from, to);
    if (error == 0 && fstat(to, &target) == 0 && S_ISREG(target.st_mode) &&
        fchmod(to, source.st_mode & 07777) < 0) {
        error = errno;
        call->culprit = strdup(call->other);
    }
    if (close(to) < 0 && error == 0) {
        error = errno;
        call->culprit = strdup(call->other);
    }
    return error;
}

void lc_fs_copy(struct lc_fs_call *call)
{
    int from = open(call->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (from < 0) {
        call->error = errno;
        return;
    }
    call->error = copy_open(call, from);
    close(from);
}
