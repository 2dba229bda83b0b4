/*
 * shared_semaphore: lucio.shared.Semaphore: permits that threads and processes take from one counter, an
 * eventfd, which wakes whoever waits for one. Permits of a holder that dies are gone.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <lauxlib.h>

#include "core.h"
#include "shared.h"
#include "shared_wait.h"

/* More permits are a mistake. */
#define PERMITS_MAX ((lua_Integer)1 << 62)

const struct lc_type lc_shared_semaphore_type = {"shared semaphore",
                                                 sizeof(struct lc_shared_object)};

struct semaphore {
    struct lc_shared shared;
    int fd;
};

static struct semaphore *check_semaphore(lua_State *L, const char *what)
{
    return (struct semaphore *)lc_shared_check(L, &lc_shared_semaphore_type, what);
}

/* ---- as a shared thing ---- */

static void semaphore_get(const struct lc_shared *shared, int *descriptors)
{
    descriptors[0] = ((const struct semaphore *)shared)->fd;
}

static struct lc_shared *semaphore_attach(const int *descriptors)
{
    struct semaphore *semaphore = calloc(1, sizeof *semaphore);

    if (semaphore == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    lc_shared_init(&semaphore->shared, &lc_semaphore_type);
    semaphore->fd = descriptors[0];
    return &semaphore->shared;
}

static void semaphore_free(struct lc_shared *shared)
{
    close(((struct semaphore *)shared)->fd);
    free(shared);
}

static void semaphore_push(lua_State *L, struct lc_host *host, struct lc_shared *shared,
                           bool is_lock)
{
    struct lc_shared_object *object =
        lc_shared_object_new(L, host, &lc_shared_semaphore_type, LC_REF_SHARED_SEMAPHORE);

    (void)is_lock;
    lc_shared_hold(shared);
    object->shared = shared;
}

const struct lc_shared_type lc_semaphore_type = {1, semaphore_get, semaphore_attach, semaphore_free,
                                                 semaphore_push};

/* ---- methods ---- */

static bool try_acquire(const struct semaphore *semaphore)
{
    eventfd_t one;

    return eventfd_read(semaphore->fd, &one) == 0;
}

static int acquire_k(lua_State *L, int status, lua_KContext ctx);

static int acquire(lua_State *L)
{
    struct semaphore *semaphore = check_semaphore(L, "acquire");
    struct lc_host *host = lc_host_of(L);

    while (!try_acquire(semaphore)) {
        if (lc_shared_suspends(host))
            return lc_shared_suspend(L, host, semaphore->fd, "shared semaphore:acquire", 0,
                                     acquire_k);
        lc_shared_block(L, host, semaphore->fd);
    }
    return 1;
}

static int acquire_k(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    lc_shared_resume(L, lc_host_of(L));
    return acquire(L);
}

/* semaphore:acquire() -> semaphore. May suspend; without a loop it holds up the thread. */
static int semaphore_acquire(lua_State *L)
{
    lua_settop(L, 1);
    return acquire(L);
}

/* semaphore:try_acquire() -> whether a permit is taken now */
static int semaphore_try_acquire(lua_State *L)
{
    lua_pushboolean(L, try_acquire(check_semaphore(L, "try_acquire")));
    return 1;
}

static void give(lua_State *L, const struct semaphore *semaphore, lua_Integer n)
{
    if (eventfd_write(semaphore->fd, (eventfd_t)n) != 0)
        lc_raise(L, lc_host_of(L), LC_VALUE_ERROR, "the semaphore has too many permits");
}

/* semaphore:release(n?) */
static int semaphore_release(lua_State *L)
{
    struct semaphore *semaphore = check_semaphore(L, "release");
    lua_Integer n = lua_isnoneornil(L, 2) ? 1 : lc_check_integer(L, 2, "release", 1);

    if (n < 1 || n > PERMITS_MAX)
        lc_raise_value(L, lc_host_of(L), "release", 1, "n must be one or more");
    give(L, semaphore, n);
    return 0;
}

static int semaphore_close(lua_State *L)
{
    give(L, check_semaphore(L, "__close"), 1);
    return 0;
}

/* semaphore:locked() -> whether acquire would wait */
static int semaphore_locked(lua_State *L)
{
    struct pollfd poller = {check_semaphore(L, "locked")->fd, POLLIN, 0};

    lua_pushboolean(L, poll(&poller, 1, 0) == 0);
    return 1;
}

static int semaphore_tostring(lua_State *L)
{
    check_semaphore(L, "tostring");
    lua_pushliteral(L, "<shared Semaphore>");
    return 1;
}

/* shared.Semaphore(n?) */
static int shared_semaphore(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    lua_Integer n = lua_isnoneornil(L, 1) ? 1 : lc_check_integer(L, 1, "Semaphore", 1);
    struct lc_shared_object *object;
    int fd;

    if (n < 0 || n > PERMITS_MAX)
        lc_raise_value(L, host, "Semaphore", 1, "initial value must be >= 0");
    object = lc_shared_object_new(L, host, &lc_shared_semaphore_type, LC_REF_SHARED_SEMAPHORE);
    fd = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        lc_raise_errno(L, host, errno, NULL);
    object->shared = semaphore_attach(&fd);
    if (object->shared == NULL) {
        close(fd);
        luaL_error(L, "not enough memory");
    }
    if (n > 0)
        give(L, (struct semaphore *)object->shared, n);
    return 1;
}

void lc_shared_semaphore_open(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"acquire", semaphore_acquire},
                                       {"try_acquire", semaphore_try_acquire},
                                       {"release", semaphore_release},
                                       {"locked", semaphore_locked},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__gc", lc_shared_gc},
                                           {"__close", semaphore_close},
                                           {"__tostring", semaphore_tostring},
                                           {NULL, NULL}};

    lc_new_type(L, host, LC_REF_SHARED_SEMAPHORE, "lucio.shared.semaphore", methods, metamethods);
}

void lc_shared_semaphore_add(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg functions[] = {{"Semaphore", shared_semaphore}, {NULL, NULL}};

    lc_set_functions(L, host, functions);
}
