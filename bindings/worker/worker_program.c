#include "worker_program.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "lucio-worker"
/* From PREFIX/lib/TRIPLET/lua/5.4 to PREFIX. */
#define LEVELS 4

static bool is_program(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

/* The directory of the file that this code was loaded from. */
static bool find_own_directory(char directory[PATH_MAX])
{
    struct link_map *map = NULL;
    Dl_info info;
    const char *file;
    char *slash;

    if (dladdr1((void *)(intptr_t)lc_worker_program, &info, (void **)&map, RTLD_DL_LINKMAP) == 0)
        return false;
    file = map->l_name[0] != '\0' ? map->l_name : "/proc/self/exe";
    if (realpath(file, directory) == NULL)
        return false;
    slash = strrchr(directory, '/');
    slash[slash == directory] = '\0';
    return true;
}

/* Looks for `name` in the directory. */
static bool is_there(char found[PATH_MAX], const char *directory, const char *name)
{
    return snprintf(found, PATH_MAX, "%s/%s", directory, name) < PATH_MAX && is_program(found);
}

/* Looks in the directory and in those above it: the build has it there, or libexec. */
static bool look_above(char found[PATH_MAX], char directory[PATH_MAX])
{
    for (int level = 0; level <= LEVELS; level++) {
        char *slash;

        if ((level <= 2 && is_there(found, directory, NAME)) ||
            is_there(found, directory, "libexec/lucio/" NAME))
            return true;
        slash = strrchr(directory, '/');
        if (slash == NULL || slash == directory)
            return false;
        *slash = '\0';
    }
    return false;
}

char *lc_worker_program(const char *told)
{
    char directory[PATH_MAX], found[PATH_MAX];

    errno = ENOENT;
    if (told != NULL)
        return is_program(told) ? strdup(told) : NULL;
    if ((find_own_directory(directory) && look_above(found, directory)) ||
        is_there(found, LUCIO_LIBEXEC, NAME))
        return realpath(found, NULL);
    errno = ENOENT;
    return NULL;
}
