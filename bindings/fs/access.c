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

static void permit(lua_State *L, struct lc_host *host, const char *letters, int idx)
{
    for (; *letters != '\0'; letters++) {
        const char *path = lua_tostring(L, idx);

        switch (*letters) {
        case 'r':
            lc_permit(L, host, LC_PERMIT_READ, path);
            break;
        case 'w':
            lc_permit(L, host, LC_PERMIT_WRITE, path);
            break;
        case 'R':
            lc_permit_entry(L, host, LC_PERMIT_READ, path);
            break;
        default:
            lc_permit_entry(L, host, LC_PERMIT_WRITE, path);
        }
    }
}

/* open(path, flags, is_template) */
static void permit_open(lua_State *L, struct lc_host *host)
{
    int flags = (int)lua_tointeger(L, 2), mode = flags & O_ACCMODE;

    if (lua_toboolean(L, 3)) {
        permit(L, host, "W", 1);
        return;
    }
    if (mode != O_WRONLY)
        permit(L, host, "r", 1);
    if (mode != O_RDONLY)
        permit(L, host, "w", 1);
}

/* mkdir(path, mode, parents): each directory that is made on the way. */
static void permit_parents(lua_State *L, struct lc_host *host)
{
    const char *path = lua_tostring(L, 1);

    for (const char *c = path; *c != '\0'; c++) {
        if (*c != '/' || c == path)
            continue;
        lua_pushlstring(L, path, (size_t)(c - path));
        if (access(lua_tostring(L, -1), F_OK) != 0)
            permit(L, host, "W", -1);
        lua_pop(L, 1);
    }
}

/* What a table cannot say. */
static void permit_more(lua_State *L, struct lc_host *host, void (*work)(struct lc_fs_call *call))
{
    if (work == lc_fs_open)
        permit_open(L, host);
    else if (work == lc_fs_mkdir && lua_toboolean(L, 3))
        permit_parents(L, host);
    else if (work == lc_fs_write && lua_tointeger(L, 3) == LC_FS_ATOMIC)
        permit(L, host, "W", 1); /* of a link to nothing it takes the place */
    else if (work == lc_fs_symlink && (!lc_permits_has_all(host, LC_PERMIT_READ) ||
                                       !lc_permits_has_all(host, LC_PERMIT_WRITE)))
        lc_permit_refuse(L, host, LC_PERMIT_WRITE, lua_tostring(L, 2));
}

void lc_fs_permit(lua_State *L, struct lc_host *host, const struct lc_fs_operation *operation)
{
    size_t i = 0, count = sizeof needs / sizeof needs[0];

    luaL_checkstack(L, 10, NULL);
    while (i < count && needs[i].work != operation->work)
        i++;
    if (i == count)
        lc_permit_refuse(L, host, LC_PERMIT_WRITE, lua_tostring(L, 1));
    if (operation->work == lc_fs_stat && !lua_toboolean(L, 2)) {
        permit(L, host, "R", 1);
        return;
    }
    permit(L, host, needs[i].first, 1);
    permit(L, host, needs[i].second, 2);
    permit_more(L, host, operation->work);
}
