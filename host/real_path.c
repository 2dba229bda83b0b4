/*
 * real_path: where a path leads, as the kernel would go: through links, also those that lead to nothing yet,
 * which realpath(3) does not follow though opening a file for writing does.
 * Invariant: what has been walked is an absolute path without links, `.` and `..`.
 */
#include "real_path.h"

#include <string.h>
#include <unistd.h>

/* As many links as the kernel follows in one path (path_resolution(7)). */
#define LINKS_MAX 40

struct walk {
    char *out;           /* walked so far, without a slash at its end: "" is the root */
    size_t length;       /* of it */
    char left[PATH_MAX]; /* still to walk */
    int links;
};

/* Puts `text` before what is left from `rest` on. */
static bool set_left(struct walk *walk, const char *text, size_t length, const char *rest)
{
    char joined[PATH_MAX];
    size_t more = strlen(rest);

    if (length + 1 + more >= sizeof joined)
        return false;
    memcpy(joined, text, length);
    joined[length] = '/';
    memcpy(joined + length + 1, rest, more + 1);
    memcpy(walk->left, joined, length + 1 + more + 1);
    return true;
}

static void go_up(struct walk *walk)
{
    while (walk->length > 0 && walk->out[--walk->length] != '/')
        ;
    walk->out[walk->length] = '\0';
}

/* One name of the path; `rest` is behind it. */
static bool take_name(struct walk *walk, const char *name, size_t length, const char *rest,
                      bool follow)
{
    char target[PATH_MAX];
    ssize_t n = -1;

    if (walk->length + 1 + length >= PATH_MAX)
        return false;
    walk->out[walk->length] = '/';
    memcpy(walk->out + walk->length + 1, name, length);
    walk->out[walk->length + 1 + length] = '\0';
    if (follow)
        n = readlink(walk->out, target, sizeof target);
    if (n < 0) { /* no link, or nothing there */
        walk->length += 1 + length;
        memmove(walk->left, rest, strlen(rest) + 1);
        return true;
    }
    if ((size_t)n >= sizeof target || ++walk->links > LINKS_MAX)
        return false;
    if (n > 0 && target[0] == '/')
        walk->length = 0;
    walk->out[walk->length] = '\0';
    return set_left(walk, target, (size_t)n, rest);
}

bool lc_real_path(const char *path, bool follow, char out[PATH_MAX])
{
    struct walk walk = {.out = out};

    if (strlen(path) >= sizeof walk.left)
        return false;
    strcpy(walk.left, path);
    out[0] = '\0';
    if (path[0] != '/') {
        if (getcwd(out, PATH_MAX) == NULL || out[0] != '/')
            return false;
        walk.length = strcmp(out, "/") == 0 ? 0 : strlen(out);
        out[walk.length] = '\0';
    }
    for (;;) {
        const char *name = walk.left + strspn(walk.left, "/");
        size_t length = strcspn(name, "/");
        const char *rest = name + length;
        bool is_last = rest[strspn(rest, "/")] == '\0';

        if (length == 0)
            break;
        if (length == 1 && name[0] == '.') {
            memmove(walk.left, rest, strlen(rest) + 1);
        } else if (length == 2 && name[0] == '.' && name[1] == '.') {
            go_up(&walk);
            memmove(walk.left, rest, strlen(rest) + 1);
        } else if (!take_name(&walk, name, length, rest, follow || !is_last || rest[0] == '/')) {
            return false;
        }
    }
    if (walk.length == 0)
        strcpy(out, "/");
    return true;
}
