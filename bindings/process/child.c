#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_PATH "/bin:/usr/bin"

extern char **environ;

/* ---- the program ---- */

/* 0 if the child could run that file, else an errno. A relative path counts from the child's
 * directory. */
static int check_program(const char *cwd, const char *path)
{
    char full[2 * PATH_MAX];
    struct stat info;

    if (cwd != NULL && path[0] != '/') {
        if (snprintf(full, sizeof full, "%s/%s", cwd, path) >= (int)sizeof full)
            return ENAMETOOLONG;
        path = full;
    }
    if (stat(path, &info) != 0)
        return errno;
    if (!S_ISREG(info.st_mode))
        return EACCES;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

/* The value of PATH that the child will have. */
static const char *path_of(const struct lc_spawn *spawn)
{
    const char *path = NULL;

    if (spawn->envp == NULL)
        path = getenv("PATH");
    for (char **item = spawn->envp; item != NULL && *item != NULL; item++) {
        if (strncmp(*item, "PATH=", 5) == 0)
            path = *item + 5;
    }
    return path != NULL ? path : DEFAULT_PATH;
}

/* Writes the path of the program. A file that may not be executed is passed over, but beats "not
 * found" (as in execvp). 0, or an errno. */
static int find_program(const struct lc_spawn *spawn, char found[PATH_MAX])
{
    const char *directory = path_of(spawn), *end;
    int result = ENOENT;

    if (strchr(spawn->program, '/') != NULL) {
        if (strlen(spawn->program) >= PATH_MAX)
            return ENAMETOOLONG;
        memcpy(found, spawn->program, strlen(spawn->program) + 1);
        return 0;
    }
    for (;; directory = end + 1) {
        int error, length;

        end = strchrnul(directory, ':');
        length = (int)(end - directory);
        if (snprintf(found, PATH_MAX, "%.*s/%s", length > 0 ? length : 1,
                     length > 0 ? directory : ".", spawn->program) < PATH_MAX) {
            error = check_program(spawn->cwd, found);
            if (error == 0)
                return 0;
            if (error != ENOENT && error != ENOTDIR)
                result = error;
        }
        if (*end == '\0')
            return result;
    }
}

/* posix_spawn says what failed, but not at which file. */
static const char *find_culprit(const struct lc_spawn *spawn)
{
    struct stat info;

    if (spawn->cwd != NULL && (stat(spawn->cwd, &info) != 0 || !S_ISDIR(info.st_mode) ||
                               faccessat(AT_FDCWD, spawn->cwd, X_OK, AT_EACCESS) != 0))
        return spawn->cwd;
    return spawn->program;
}

/* ---- what the child is told ---- */

/* The descriptors are first moved out of the way of the child's standard ones: `copies` keeps those
 * that have to be closed. */
static int add_stdio(const struct lc_spawn *spawn, posix_spawn_file_actions_t *actions,
                     int copies[3])
{
    int error = 0;

    for (int i = 0; i < 3 && error == 0; i++) {
        int fd = spawn->stdio[i];

        if (fd >= 0 && fd < 3 && fd != i) {
            fd = copies[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
            if (fd < 0)
                return errno;
        }
        if (fd >= 0)
            error = posix_spawn_file_actions_adddup2(actions, fd, i);
        else if (fd == LC_STDIO_NULL)
            error = posix_spawn_file_actions_addopen(actions, i, "/dev/null", O_RDWR, 0);
        else if (fd == LC_STDIO_STDOUT)
            error = posix_spawn_file_actions_adddup2(actions, 1, i);
    }
    return error;
}

static int set_attributes(const struct lc_spawn *spawn, posix_spawnattr_t *attributes)
{
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigset_t mask, reset;
    int error;

    sigemptyset(&mask);
    if (spawn->holds_interrupt)
        sigaddset(&mask, SIGINT);
    sigemptyset(&reset);
    sigaddset(&reset, SIGPIPE);
    sigaddset(&reset, SIGXFSZ);
    if (spawn->new_session)
        flags |= POSIX_SPAWN_SETSID;
    else if (spawn->group >= 0)
        flags |= POSIX_SPAWN_SETPGROUP;
    error = posix_spawnattr_setsigmask(attributes, &mask);
    if (error == 0)
        error = posix_spawnattr_setsigdefault(attributes, &reset);
    if (error == 0 && spawn->group >= 0)
        error = posix_spawnattr_setpgroup(attributes, spawn->group);
    if (error == 0)
        error = posix_spawnattr_setflags(attributes, flags);
    return error;
}

static int spawn_program(const struct lc_spawn *spawn, const char *path, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int copies[3] = {-1, -1, -1};
    int error = posix_spawn_file_actions_init(&actions);

    if (error != 0)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error != 0)
        goto free_actions;
    error = add_stdio(spawn, &actions, copies);
    if (error == 0 && spawn->cwd != NULL)
        error = posix_spawn_file_actions_addchdir_np(&actions, spawn->cwd);
    if (error == 0)
        error = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (error == 0)
        error = set_attributes(spawn, &attributes);
    if (error == 0)
        error = posix_spawn(pid, path, &actions, &attributes, spawn->argv,
                            spawn->envp != NULL ? spawn->envp : environ);
    for (int i = 0; i < 3; i++) {
        if (copies[i] >= 0)
            close(copies[i]);
    }
    posix_spawnattr_destroy(&attributes);
free_actions:
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* ---- the child ---- */

/* 0, or an errno: then the child is gone. */
static int open_child(struct lc_child *child)
{
    int error, code;

    child->pidfd = pidfd_open(child->pid, 0);
    if (child->pidfd >= 0) {
        /* where another thread reaps children, the number may be somebody else's already */
        if (lc_child_collect(child, true, &code) == LC_CHILD_TAKEN) {
            close(child->pidfd);
            child->pidfd = -1;
        }
        return 0;
    }
    error = errno;
    if (error == ESRCH)
        return 0;
    kill(child->pid, SIGKILL);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return error;
}

int lc_spawn_process(const struct lc_spawn *spawn, pid_t *pid, const char **culprit)
{
    char path[PATH_MAX];
    int error = find_program(spawn, path);

    *culprit = spawn->program;
    if (error == 0) {
        error = spawn_program(spawn, path, pid);
        if (error != 0)
            *culprit = find_culprit(spawn);
    } else if (spawn->cwd != NULL) {
        *culprit = find_culprit(spawn);
    }
    return error;
}

int lc_spawn(const struct lc_spawn *spawn, struct lc_child *child, const char **culprit)
{
    int error = lc_spawn_process(spawn, &child->pid, culprit);

    return error != 0 ? error : open_child(child);
}

enum lc_collected lc_child_collect(const struct lc_child *child, bool keep, int *code)
{
    siginfo_t info;

    do {
        memset(&info, 0, sizeof info);
        if (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG | (keep ? WNOWAIT : 0)) ==
            0) {
            if (info.si_pid == 0)
                return LC_CHILD_RUNS;
            *code = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
            return LC_CHILD_ENDED;
        }
    } while (errno == EINTR);
    return LC_CHILD_TAKEN;
}
