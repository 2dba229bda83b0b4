/*
 * Tests of opening a path without links: by openat2 and by the walk that stands in for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pinned_path.h"

static int (*const openers[])(const char *, int) = {lc_pinned_open, lc_pinned_walk};

static char *root;

static const char *path_of(const char *name)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof path, "%s%s", root, name);
    return path;
}

static int set_up(void **unused)
{
    char template[] = "/tmp/lucio-pinned-XXXXXX";

    (void)unused;
    root = mkdtemp(template) != NULL ? realpath(template, NULL) : NULL;
    if (root == NULL)
        return -1;
    return mkdir(path_of("/directory"), 0700) |
           close(open(path_of("/directory/file"), O_CREAT | O_WRONLY, 0600)) |
           symlink("directory", path_of("/link")) | symlink("file", path_of("/directory/link"));
}

static int tear_down(void **unused)
{
    int result = unlink(path_of("/link")) | unlink(path_of("/directory/link")) |
                 unlink(path_of("/directory/file")) | rmdir(path_of("/directory")) | rmdir(root);

    (void)unused;
    free(root);
    return result;
}

static void what_is_there_is_opened(void **unused)
{
    struct stat by_path, by_fd;

    (void)unused;
    for (int i = 0; i < 2; i++) {
        const char *names[] = {"", "/directory", "/directory/file"};

        for (int j = 0; j < 3; j++) {
            int fd = openers[i](path_of(names[j]), O_PATH);

            assert_true(fd >= 0);
            assert_int_equal(fstat(fd, &by_fd), 0);
            assert_int_equal(stat(path_of(names[j]), &by_path), 0);
            assert_int_equal(by_fd.st_ino, by_path.st_ino);
            assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
            close(fd);
        }
        close(openers[i]("/", O_PATH | O_DIRECTORY));
    }
}

static void no_link_is_followed_or_opened(void **unused)
{
    (void)unused;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(openers[i](path_of("/directory/link"), O_PATH), -1);
        assert_int_equal(errno, ELOOP);
        assert_int_equal(openers[i](path_of("/directory/link"), O_RDONLY), -1);
        assert_int_equal(errno, ELOOP);
        assert_int_equal(openers[i](path_of("/link/file"), O_PATH), -1);
        assert_true(errno == ELOOP || errno == ENOTDIR);
        assert_int_equal(openers[i](path_of("/nothing"), O_PATH), -1);
        assert_int_equal(errno, ENOENT);
        assert_int_equal(openers[i](path_of("/directory/file/more"), O_PATH), -1);
        assert_int_equal(errno, ENOTDIR);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_there_is_opened),
        cmocka_unit_test(no_link_is_followed_or_opened),
    };

    return cmocka_run_group_tests_name("pinned_path", tests, set_up, tear_down);
}
