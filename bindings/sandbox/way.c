#include "way.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>

#include "pinned_path.h"
#include "real_path.h"

void lc_way_init(struct lc_way *way, const char *path)
{
    way->path = path;
    way->walked = false;
}

bool lc_way_has(struct lc_way *way, const struct lc_host *host, enum lc_permission kind,
                bool follow)
{
    if (host->permits == NULL || lc_permits_has_all(host, kind))
        return true;
    if (!way->walked && !lc_real_path(way->path, follow, way->real))
        return false;
    way->walked = true;
    return lc_permits_has_walked(host, kind, way->real);
}

void lc_way_permit(lua_State *L, struct lc_way *way, enum lc_permission kind, bool follow)
{
    struct lc_host *host = lc_host_of(L);

    if (!lc_way_has(way, host, kind, follow))
        lc_permit_refuse(L, host, kind, way->path);
}

/* ---- files ---- */

bool lc_way_is_mode(const char *mode)
{
    if (mode[0] == '\0' || strchr("rwa", mode[0]) == NULL)
        return false;
    mode += mode[1] == '+' ? 2 : 1;
    return strspn(mode, "b") == strlen(mode);
}

static int open_flags(const char *mode)
{
    int flags = mode[1] == '+' ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;

    switch (mode[0]) {
    case 'w':
        return flags | O_CREAT | O_TRUNC;
    case 'a':
        return flags | O_CREAT | O_APPEND;
    default:
        return flags;
    }
}

static bool ends_in_slash(const char *path)
{
    size_t length = strlen(path);

    return length > 0 && path[length - 1] == '/';
}

static void close_quietly(int fd)
{
    int error = errno;

    close(fd);
    errno = error;
}

/* A descriptor of the walked path, or -1. */
static int open_walked(const struct lc_way *way, int flags)
{
    const char *name;
    int parent, fd;

    if (!(flags & O_CREAT))
        return lc_pinned_open(way->real, flags | (ends_in_slash(way->path) ? O_DIRECTORY : 0));
    if (ends_in_slash(way->path)) {
        errno = EISDIR;
        return -1;
    }
    parent = lc_pinned_parent(way->real, &name);
    if (parent < 0)
        return -1;
    fd = openat(parent, name, flags | O_NOFOLLOW | O_CLOEXEC, 0666);
    close_quietly(parent);
    return fd;
}

FILE *lc_way_open(const struct lc_way *way, const char *mode)
{
    FILE *file;
    int fd;

    if (!way->walked)
        return fopen(way->path, mode);
    fd = open_walked(way, open_flags(mode));
    if (fd < 0)
        return NULL;
    file = fdopen(fd, mode);
    if (file == NULL)
        close_quietly(fd);
    return file;
}

/* ---- entries ---- */

/* The directory of the entry, and the name in it as the path has it: with its slash. Negative: errno says why. */
static int open_parent(const struct lc_way *way, char name[NAME_MAX + 2])
{
    const char *last;
    int fd = lc_pinned_parent(way->real, &last);

    if (fd >= 0 && snprintf(name, NAME_MAX + 2, "%s%s", last, ends_in_slash(way->path) ? "/" : "") >
                       NAME_MAX + 1) {
        close(fd);
        errno = ENAMETOOLONG;
        return -1;
    }
    return fd;
}

/* `.` and `..` at the end of a path name no entry that can be removed or renamed. */
static bool names_entry(const struct lc_way *way)
{
    const char *end = way->path + strlen(way->path), *start;

    while (end > way->path && end[-1] == '/')
        end--;
    for (start = end; start > way->path && start[-1] != '/';)
        start--;
    if (strncmp(start, "..", (size_t)(end - start)) != 0 || end - start > 2)
        return true;
    errno = EINVAL;
    return false;
}

int lc_way_remove(const struct lc_way *way)
{
    char name[NAME_MAX + 2];
    int fd, result;

    if (!way->walked)
        return remove(way->path);
    if (!names_entry(way))
        return -1;
    fd = open_parent(way, name);
    if (fd < 0)
        return -1;
    result = unlinkat(fd, name, 0);
    if (result < 0 && errno == EISDIR)
        result = unlinkat(fd, name, AT_REMOVEDIR);
    close_quietly(fd);
    return result;
}

int lc_way_rename(const struct lc_way *from, const struct lc_way *to)
{
    char old_name[NAME_MAX + 2], new_name[NAME_MAX + 2];
    const struct lc_way *ways[2] = {from, to};
    char *const names[2] = {old_name, new_name};
    int fds[2] = {AT_FDCWD, AT_FDCWD}, result = 0;

    for (int i = 0; i < 2 && result == 0; i++) {
        if (ways[i]->walked) {
            fds[i] = names_entry(ways[i]) ? open_parent(ways[i], names[i]) : -1;
            result = fds[i] < 0 ? -1 : 0;
        }
    }
    if (result == 0)
        result = renameat(fds[0], from->walked ? old_name : from->path, fds[1],
                          to->walked ? new_name : to->path);
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            close_quietly(fds[i]);
    }
    return result;
}

/* ---- chunks ---- */

struct chunk {
    FILE *file;
    size_t begun; /* bytes of the buffer that were read before */
    char buffer[BUFSIZ];
};

/* A lua_Reader. */
static const char *read_chunk(lua_State *L, void *data, size_t *size)
{
    struct chunk *chunk = data;

    (void)L;
    *size = chunk->begun;
    chunk->begun = 0;
    if (*size == 0)
        *size = fread(chunk->buffer, 1, sizeof chunk->buffer, chunk->file);
    return *size > 0 ? chunk->buffer : NULL;
}

/* Passes over a byte order mark and a first line with `#`, of which only the end is left. */
static void begin_chunk(struct chunk *chunk)
{
    static const char mark[] = "\xEF\xBB\xBF";
    size_t n = 0;
    int c;

    while (n < 3 && (c = getc(chunk->file)) == (unsigned char)mark[n])
        n++;
    if (n == 3) {
        c = getc(chunk->file);
        n = 0;
    }
    memcpy(chunk->buffer, mark, n); /* a part of a mark is a part of the chunk */
    chunk->begun = n;
    if (c == '#' && n == 0) {
        while (c != EOF && c != '\n')
            c = getc(chunk->file);
        chunk->buffer[chunk->begun++] = '\n';
        if (c != EOF)
            c = getc(chunk->file);
    }
    if (c == LUA_SIGNATURE[0])
        chunk->begun = 0; /* precompiled chunks begin with it */
    if (c != EOF)
        chunk->buffer[chunk->begun++] = (char)c;
}

/* The name at `idx`, in its place the message. */
static int load_failed(lua_State *L, const char *what, int idx, int error)
{
    lua_settop(L, idx);
    lua_pushfstring(L, "cannot %s %s: %s", what, lua_tostring(L, idx) + 1, strerror(error));
    lua_replace(L, idx);
    return LUA_ERRFILE;
}

int lc_way_load(lua_State *L, const struct lc_way *way, const char *mode)
{
    struct chunk chunk = {.file = NULL};
    int status, error, idx;

    luaL_checkstack(L, 4, NULL);
    lua_pushfstring(L, "@%s", way->path);
    idx = lua_gettop(L);
    chunk.file = lc_way_open(way, "r");
    if (chunk.file == NULL)
        return load_failed(L, "open", idx, errno);
    errno = 0;
    begin_chunk(&chunk);
    status = lua_load(L, read_chunk, &chunk, lua_tostring(L, idx), mode);
    error = ferror(chunk.file) ? errno : 0;
    fclose(chunk.file);
    if (error != 0)
        return load_failed(L, "read", idx, error);
    lua_remove(L, idx);
    return status;
}
