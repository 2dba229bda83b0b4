/*
 * pinned: an operation for a host with permissions: done with the very path that was permitted.
 * The file, or the directory of the entry, is opened by the path that was walked when it was permitted, which
 * fails if a link has come into it since; the operation then goes by way of that descriptor (/proc/self/fd),
 * wherever names lead by then.
 * Context: a thread of lucio.fs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs.h"
#include "pinned_path.h"

/* One of the two paths of a call. */
struct pin {
    int fd;
    size_t length;       /* of the path of the descriptor, which is the beginning of `path` */
    char path[PATH_MAX]; /* for the operation */
};

/* An errno or 0. */
static int pin_file(struct pin *pin, const char *real)
{
    pin->fd = lc_pinned_open(real, O_PATH);
    if (pin->fd < 0)
        return errno;
    pin->length = (size_t)snprintf(pin->path, sizeof pin->path, "/proc/self/fd/%d", pin->fd);
    return 0;
}

static int pin_entry(struct pin *pin, const char *real)
{
    const char *name;

    pin->fd = lc_pinned_parent(real, &name);
    if (pin->fd < 0)
        return errno;
    pin->length = (size_t)snprintf(pin->path, sizeof pin->path, "/proc/self/fd/%d", pin->fd);
    if (snprintf(pin->path + pin->length, sizeof pin->path - pin->length, "/%s", name) >=
        (int)(sizeof pin->path - pin->length))
        return ENAMETOOLONG;
    return 0;
}

/* Opens what the access says; *no_follow: what is made there must not be a link. */
static int pin_path(struct pin *pin, const struct lc_fs_access *access, int *no_follow)
{
    int error;

    switch (access->way) {
    case LC_FS_FILE:
        return pin_file(pin, access->real);
    case LC_FS_NEW:
        error = pin_file(pin, access->real);
        if (error != ENOENT)
            return error;
        *no_follow = O_NOFOLLOW;
        return pin_entry(pin, access->real);
    default:
        return pin_entry(pin, access->real);
    }
}

/* Makes the directories above the entry, of which the first `exists` bytes of the path were there. */
static int make_parents(struct lc_fs_call *call, const struct lc_fs_access *access)
{
    char path[PATH_MAX];

    for (const char *c = access->real + access->exists; (c = strchr(c + 1, '/')) != NULL;) {
        struct pin pin = {.fd = -1};
        int error;

        snprintf(path, sizeof path, "%.*s", (int)(c - access->real), access->real);
        error = pin_entry(&pin, path);
        if (error == 0 && mkdir(pin.path, 0777) < 0 && errno != EEXIST)
            error = errno;
        if (pin.fd >= 0)
            close(pin.fd);
        if (error != 0) {
            call->culprit = strdup(path);
            return error;
        }
    }
    return 0;
}

/* Replaces the beginning of a text that names a descriptor by what the script knows. NULL: no memory. */
static char *shown_text(const char *text, const struct pin *pin, const char *shown,
                        const struct lc_fs_access *access)
{
    const char *rest = text + pin->length, *slash = strrchr(shown, '/');
    bool is_entry = access->way == LC_FS_ENTRY || pin->path[pin->length] == '/';
    char *made = NULL;

    if (pin->fd < 0 || strncmp(text, pin->path, pin->length) != 0)
        return strdup(text);
    if (!is_entry)
        return asprintf(&made, "%s%s", shown, rest) < 0 ? NULL : made;
    if (slash == NULL)
        return strdup(rest[0] == '/' ? rest + 1 : rest);
    return asprintf(&made, "%.*s%s", (int)(slash - shown), shown, rest) < 0 ? NULL : made;
}

static void translate(char **text, const struct pin *pin, const char *shown,
                      const struct lc_fs_access *access)
{
    char *made;

    if (*text == NULL)
        return;
    made = shown_text(*text, pin, shown, access);
    free(*text);
    *text = made;
}

/* What came of the operation tells of the script's paths. */
static void show(struct lc_fs_call *call, const struct pin pins[2], char *const shown[2])
{
    for (int i = 0; i < 2; i++)
        translate(&call->culprit, &pins[i], shown[i], &call->access[i]);
    if (call->operation->work == lc_fs_mkdtemp && call->error == 0) {
        translate(&call->data, &pins[0], shown[0], &call->access[0]);
        call->size = call->data != NULL ? strlen(call->data) : 0;
        if (call->data == NULL)
            call->error = ENOMEM;
    }
    if (call->operation->work == lc_fs_open && call->number[1] && call->error == 0) {
        size_t length = strlen(call->path), size = strlen(shown[0]);

        /* the template has become a name, as long as it was */
        memcpy(shown[0] + size - 6, call->path + length - 6, 6);
    }
}

void lc_fs_work_pinned(struct lc_fs_call *call)
{
    char *shown[2] = {call->path, call->other};
    char **paths[2] = {&call->path, &call->other};
    struct pin pins[2] = {{.fd = -1}, {.fd = -1}};

    if (call->operation->work == lc_fs_mkdir && call->number[1])
        call->error = make_parents(call, &call->access[0]);
    for (int i = 0; i < 2 && call->error == 0; i++) {
        if (call->access[i].way == LC_FS_PLAIN)
            continue;
        call->error = pin_path(&pins[i], &call->access[i], &call->no_follow[i]);
        *paths[i] = pins[i].path;
        if (call->error != 0 && i == 1)
            call->culprit = strdup(shown[1]);
    }
    call->pinned = true;
    if (call->error == 0) {
        call->number[1] = call->operation->work == lc_fs_mkdir ? 0 : call->number[1];
        call->operation->work(call);
        show(call, pins, shown);
    }
    call->path = shown[0];
    call->other = shown[1];
    for (int i = 0; i < 2; i++) {
        if (pins[i].fd >= 0)
            close(pins[i].fd);
    }
}
