#include "shared.h"

#include <lauxlib.h>

#include "core.h"
#include "permit.h"
#include "quota.h"
#include "submodule.h"

const struct lc_shared_type *const lc_shared_types[LC_SHARED_TYPES] = {
    &lc_region_type, &lc_semaphore_type, &lc_queue_type, &lc_link_type};

unsigned lc_shared_number(const struct lc_shared *shared)
{
    unsigned number = 0;

    while (lc_shared_types[number] != shared->type)
        number++;
    return number;
}

void lc_shared_hold(struct lc_shared *shared)
{
    atomic_fetch_add(&shared->users, 1);
}

void lc_shared_release(struct lc_shared *shared)
{
    struct lc_quota *quota;

    if (shared == NULL || atomic_fetch_sub(&shared->users, 1) != 1)
        return;
    quota = shared->quota;
    lc_quota_change(quota, shared->charged, 0);
    shared->type->free(shared);
    lc_quota_release(quota);
}

void lc_shared_charge(lua_State *L, struct lc_host *host, struct lc_shared *shared, size_t size)
{
    if (!lc_quota_change(host->quota, 0, size))
        luaL_error(L, "not enough memory");
    shared->quota = lc_quota_hold(host->quota);
    shared->charged = size;
}

/* ---- objects ---- */

static struct lc_shared_object *to_object(lua_State *L, int idx)
{
    static const struct lc_type *const types[] = {&lc_shared_value_type, &lc_shared_bytes_type,
                                                  &lc_shared_lock_type,  &lc_shared_semaphore_type,
                                                  &lc_shared_queue_type, &lc_shared_link_type};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct lc_shared_object *object = lc_to_object(L, idx, types[i]);

        if (object != NULL)
            return object;
    }
    return NULL;
}

struct lc_shared *lc_shared_to(lua_State *L, int idx, bool *is_lock)
{
    struct lc_shared_object *object = to_object(L, idx);

    if (object == NULL)
        return NULL;
    *is_lock = object->object.type == &lc_shared_lock_type;
    return object->shared;
}

struct lc_shared *lc_shared_check(lua_State *L, const struct lc_type *type, const char *what)
{
    struct lc_shared *shared = ((struct lc_shared_object *)lc_check_self(L, type, what))->shared;

    if (shared == NULL)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "the shared memory is finished");
    return shared;
}

int lc_shared_gc(lua_State *L)
{
    struct lc_shared_object *object = to_object(L, 1);

    if (object != NULL) {
        lc_shared_release(object->shared);
        object->shared = NULL;
    }
    return 0;
}

void lc_shared_set_index(lua_State *L, struct lc_host *host, enum lc_ref ref, lua_CFunction index)
{
    lc_host_push_ref(L, host, ref);
    lua_pushlightuserdata(L, host);
    lua_getfield(L, -2, "__index");
    lua_pushcclosure(L, index, 2);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

/* The metatables; they are made when the first thing crosses, or by require. */
static void make_types(lua_State *L, struct lc_host *host)
{
    if (host->refs[LC_REF_SHARED] != 0)
        return;
    luaL_checkstack(L, 8, NULL);
    lc_shared_lock_open(L, host);
    lc_shared_bytes_open(L, host);
    lc_shared_semaphore_open(L, host);
    lc_shared_queue_open(L, host);
    lc_shared_link_open(L, host);
    lc_shared_value_open(L, host);
}

struct lc_shared_object *lc_shared_object_new(lua_State *L, struct lc_host *host,
                                              const struct lc_type *type, enum lc_ref ref)
{
    make_types(L, host);
    return lc_new_object(L, host, type, ref, sizeof(struct lc_shared_object), 0);
}

void lc_shared_push(lua_State *L, struct lc_host *host, struct lc_shared *shared, bool is_lock)
{
    shared->type->push(L, host, shared, is_lock);
}

int lc_open_shared(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);

    lc_permit_outside(L, host, "lucio.shared");
    make_types(L, host);
    lua_newtable(L);
    lc_shared_value_add(L, host);
    lc_shared_bytes_add(L, host);
    lc_shared_lock_add(L, host);
    lc_shared_semaphore_add(L, host);
    lc_shared_queue_add(L, host);
    return 1;
}
