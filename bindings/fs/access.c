/*
 * access: which permissions the operations on paths need. An operation that is not in the table is refused.
 * Context: the loop's thread, before the call goes to a thread of lucio.fs.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "core.h"
#include "fs.h"
#include "permit.h"
#include "real_path.h"

/* For the first path and the second: r and w, where it leads; R and W, the entry itself. */
static const struct {
    void (*work)(struct lc_fs_call *call);
    const char *first, *second;
} needs[] = {
    {lc_fs_stat, "r", ""},  {lc_fs_read, "r", ""},     {lc_fs_write, "w", ""},
    {lc_fs_mkdir, "W", ""}, {lc_fs_mkdtemp, "W", ""},  {lc_fs_remove, "W", ""},
    {lc_fs_rmdir, "W", ""}, {lc_fs_rmtree, "W", ""},   {lc_fs_rename, "RW", "W"},
    {lc_fs_copy, "r", "w"}, {lc_fs_symlink, "", "W"},  {lc_fs_readlink, "R", ""},
    {lc_fs_chmod, "w", ""}, {lc_fs_realpath, "r", ""}, {lc_fs_list, "r", ""},
    {lc_fs_open, "", ""},   {lc_fs_watch, "r", ""},
};

/* What is asked for each path, and learned. */
struct asking {
    lua_State *L;
    struct lc_host *host;
    struct lc_fs_access *access; /* of both */
};

/* Asks for the path at `idx`, the first or the second one. Where a list decides, what it said is good for
 * where the path leads now. */
static void permit(const struct asking *asking, const char *letters, int idx)
{
    struct lc_fs_access *access = &asking->access[idx - 1];
    const char *path = lua_tostring(asking->L, idx);

    for (; *letters != '\0'; letters++) {
        bool follows = *letters == 'r' || *letters == 'w';
        enum lc_permission kind =
            *letters == 'r' || *letters == 'R' ? LC_PERMIT_READ : LC_PERMIT_WRITE;

        if (lc_permits_has_all(asking->host, kind))
            continue;
        /* for reading and for writing it is the same one */
        if ((access->way == LC_FS_PLAIN && !lc_real_path(path, follows, access->real)) ||
            !lc_permits_has_walked(asking->host, kind, access->real))
            lc_permit_refuse(asking->L, asking->host, kind, path);
        access->way = follows ? LC_FS_FILE : LC_FS_ENTRY;
    }
}

/* open(path, flags, is_template) */
static void permit_open(const struct asking *asking)
{
    int flags = (int)lua_tointeger(asking->L, 2), mode = flags & O_ACCMODE;

    if (lua_toboolean(asking->L, 3)) {
        permit(asking, "W", 1);
        return;
    }
    if (mode != O_WRONLY)
        permit(asking, "r", 1);
    if (mode != O_RDONLY)
        permit(asking, "w", 1);
    if ((flags & O_CREAT) && asking->access[0].way == LC_FS_FILE)
        asking->access[0].way = LC_FS_NEW;
}

/* mkdir(path, mode, parents): each directory that is made on the way. */
static void permit_parents(const struct asking *asking)
{
    struct lc_fs_access *access = &asking->access[0];

    if (access->way == LC_FS_PLAIN)
        return;
    for (char *c = access->real; (c = strchr(c + 1, '/')) != NULL;) {
        bool exists, allowed;

        *c = '\0';
        exists = faccessat(AT_FDCWD, access->real, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        allowed = exists || lc_permits_has_walked(asking->host, LC_PERMIT_WRITE, access->real);
        if (exists)
            access->exists = (size_t)(c - access->real);
        *c = '/';
        if (!allowed)
            lc_permit_refuse(asking->L, asking->host, LC_PERMIT_WRITE, lua_tostring(asking->L, 1));
    }
}

/* What a table cannot say. */
static void permit_more(const struct asking *asking, void (*work)(struct lc_fs_call *call))
{
    struct lc_host *host = asking->host;
    struct lc_fs_access *access = asking->access;

    if (work == lc_fs_open)
        permit_open(asking);
    else if (work == lc_fs_mkdir && lua_toboolean(asking->L, 3))
        permit_parents(asking);
    else if (work == lc_fs_write && access[0].way != LC_FS_PLAIN)
        access[0].way = lua_tointeger(asking->L, 3) == LC_FS_ATOMIC ? LC_FS_ENTRY : LC_FS_NEW;
    else if (work == lc_fs_copy && access[1].way != LC_FS_PLAIN)
        access[1].way = LC_FS_NEW;
    else if (work == lc_fs_symlink && (!lc_permits_has_all(host, LC_PERMIT_READ) ||
                                       !lc_permits_has_all(host, LC_PERMIT_WRITE)))
        lc_permit_refuse(asking->L, host, LC_PERMIT_WRITE, lua_tostring(asking->L, 2));
}

void lc_fs_permit(lua_State *L, struct lc_host *host, const struct lc_fs_operation *operation,
                  struct lc_fs_access access[2])
{
    const struct asking asking = {L, host, access};
    size_t i = 0, count = sizeof needs / sizeof needs[0];

    luaL_checkstack(L, 10, NULL);
    access[0].exists = access[1].exists = 0;
    while (i < count && needs[i].work != operation->work)
        i++;
    if (i == count)
        lc_permit_refuse(L, host, LC_PERMIT_WRITE, lua_tostring(L, 1));
    if (operation->work == lc_fs_stat && !lua_toboolean(L, 2)) {
        permit(&asking, "R", 1);
        return;
    }
    permit(&asking, needs[i].first, 1);
    permit(&asking, needs[i].second, 2);
    permit_more(&asking, operation->work);
}
