/*
 * shared: lucio.shared, values and arrays in memory that the threads of an executor see too.
 * Invariant: reading and writing one element is atomic, nothing more: who reads, computes and writes takes
 *            the lock, or uses add and compare_exchange of a Value.
 * The memory is a memfd, mapped shared, with a robust mutex in front: one whose holder died is taken over.
 */
#include "shared.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <lauxlib.h>

#include "core.h"
#include "submodule.h"

enum kind { KIND_I64, KIND_F64, KIND_BOOL, KIND_U8, KIND_NONE };

/* At the beginning of the memory; the elements follow. */
struct head {
    pthread_mutex_t mutex;
    _Alignas(16) char elements[];
};

struct lc_shared {
    atomic_uint users;
    enum kind kind;
    bool is_array;
    size_t count;
    size_t size; /* of the mapping */
    int fd;
    struct head *head;
};

struct shared_object {
    struct lc_object object;
    struct lc_shared *shared;
};

/* A value or an array, and the lock of one. */
static const struct lc_type shared_type = {"shared memory", sizeof(struct shared_object)};
static const struct lc_type lock_type = {"shared lock", sizeof(struct shared_object)};

/* ---- the memory ---- */

void lc_shared_hold(struct lc_shared *shared)
{
    atomic_fetch_add(&shared->users, 1);
}

void lc_shared_release(struct lc_shared *shared)
{
    if (shared == NULL || atomic_fetch_sub(&shared->users, 1) != 1)
        return;
    munmap(shared->head, shared->size);
    close(shared->fd);
    free(shared);
}

static void init_mutex(pthread_mutex_t *mutex, int type)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, type);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(mutex, &attr);
    pthread_mutexattr_destroy(&attr);
}

static size_t element_size(enum kind kind)
{
    return kind == KIND_I64 || kind == KIND_F64 ? 8 : 1;
}

/* NULL: errno says why. */
static struct lc_shared *shared_new(enum kind kind, size_t count, int mutex)
{
    struct lc_shared *shared = calloc(1, sizeof *shared);
    int error;

    if (shared == NULL)
        return NULL;
    atomic_init(&shared->users, 1);
    shared->kind = kind;
    shared->count = count;
    shared->size = sizeof(struct head) + count * element_size(kind);
    shared->fd = memfd_create("lucio.shared", MFD_CLOEXEC);
    if (shared->fd >= 0 && ftruncate(shared->fd, (off_t)shared->size) == 0) {
        void *memory = mmap(NULL, shared->size, PROT_READ | PROT_WRITE, MAP_SHARED, shared->fd, 0);

        if (memory != MAP_FAILED) {
            shared->head = memory;
            init_mutex(&shared->head->mutex, mutex);
            return shared;
        }
    }
    error = errno;
    if (shared->fd >= 0)
        close(shared->fd);
    free(shared);
    errno = error;
    return NULL;
}

/* ---- elements ---- */

static void push_element(lua_State *L, const struct lc_shared *shared, size_t i)
{
    const char *elements = shared->head->elements;
    int64_t bits;
    double number;

    switch (shared->kind) {
    case KIND_I64:
        lua_pushinteger(L, __atomic_load_n((const int64_t *)elements + i, __ATOMIC_SEQ_CST));
        break;
    case KIND_F64:
        bits = __atomic_load_n((const int64_t *)elements + i, __ATOMIC_SEQ_CST);
        memcpy(&number, &bits, sizeof number);
        lua_pushnumber(L, number);
        break;
    case KIND_BOOL:
        lua_pushboolean(L, __atomic_load_n(elements + i, __ATOMIC_SEQ_CST));
        break;
    case KIND_U8:
        lua_pushinteger(L, __atomic_load_n((const unsigned char *)elements + i, __ATOMIC_SEQ_CST));
        break;
    case KIND_NONE:
        lua_pushnil(L);
        break;
    }
}

/* The bits of the value at `idx` as an element. Raises TypeError, ValueError. [-0, +0, v] */
static int64_t check_element(lua_State *L, enum kind kind, int idx, const char *what, int pos)
{
    lua_Integer integer;
    double number;
    int64_t bits;

    switch (kind) {
    case KIND_F64:
        if (lua_type(L, idx) != LUA_TNUMBER)
            lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, pos, "number", idx);
        number = lua_tonumber(L, idx);
        memcpy(&bits, &number, sizeof bits);
        return bits;
    case KIND_BOOL:
        if (lua_type(L, idx) != LUA_TBOOLEAN)
            lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, pos, "boolean", idx);
        return lua_toboolean(L, idx);
    case KIND_U8:
        integer = lc_check_integer(L, idx, what, pos);
        if (integer < 0 || integer > 255)
            lc_raise_value(L, lc_host_of(L), what, pos, "not in 0..255");
        return integer;
    default:
        return lc_check_integer(L, idx, what, pos);
    }
}

static void set_element(struct lc_shared *shared, size_t i, int64_t bits)
{
    char *elements = shared->head->elements;

    if (element_size(shared->kind) == 8)
        __atomic_store_n((int64_t *)elements + i, bits, __ATOMIC_SEQ_CST);
    else
        __atomic_store_n(elements + i, (char)bits, __ATOMIC_SEQ_CST);
}

/* ---- objects ---- */

struct lc_shared *lc_shared_to(lua_State *L, int idx, bool *is_lock)
{
    struct shared_object *object = lc_to_object(L, idx, &shared_type);

    *is_lock = object == NULL;
    if (object == NULL)
        object = lc_to_object(L, idx, &lock_type);
    return object != NULL ? object->shared : NULL;
}

static struct lc_shared *check_object(lua_State *L, const struct lc_type *type, const char *what)
{
    struct lc_shared *shared = ((struct shared_object *)lc_check_self(L, type, what))->shared;

    if (shared == NULL) /* a script has called its finalizer */
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "the shared memory is finished");
    return shared;
}

static struct lc_shared *check_shared(lua_State *L, const char *what)
{
    return check_object(L, &shared_type, what);
}

static struct lc_shared *check_lock(lua_State *L, const char *what)
{
    return check_object(L, &lock_type, what);
}

static int shared_gc(lua_State *L)
{
    bool is_lock;

    lc_shared_release(lc_shared_to(L, 1, &is_lock));
    if (lc_shared_to(L, 1, &is_lock) != NULL)
        ((struct shared_object *)lua_touserdata(L, 1))->shared = NULL;
    return 0;
}

/* A Value, which is no array. */
static struct lc_shared *check_value(lua_State *L, const char *what)
{
    struct lc_shared *shared = check_shared(L, what);

    if (shared->is_array)
        lc_raise(L, lc_host_of(L), LC_TYPE_ERROR, "'%s' is for a Value, not for an Array", what);
    return shared;
}

/* value:add(n) -> what it is then */
static int value_add(lua_State *L)
{
    struct lc_shared *shared = check_value(L, "add");
    int64_t *element = (int64_t *)(void *)shared->head->elements;

    if (shared->kind == KIND_I64) {
        lua_Integer n = lua_isnoneornil(L, 2) ? 1 : lc_check_integer(L, 2, "add", 1);

        lua_pushinteger(L, (lua_Integer)((uint64_t)n + (uint64_t)__atomic_fetch_add(
                                                           element, n, __ATOMIC_SEQ_CST)));
    } else if (shared->kind == KIND_F64) {
        int64_t before = __atomic_load_n(element, __ATOMIC_SEQ_CST), after;
        double n = lua_isnoneornil(L, 2) ? 1 : lc_check_seconds(L, 2, "add", 1), sum;

        do {
            memcpy(&sum, &before, sizeof sum);
            sum += n;
            memcpy(&after, &sum, sizeof after);
        } while (!__atomic_compare_exchange_n(element, &before, after, false, __ATOMIC_SEQ_CST,
                                              __ATOMIC_SEQ_CST));
        lua_pushnumber(L, sum);
    } else {
        lc_raise(L, lc_host_of(L), LC_TYPE_ERROR, "'add' is for a Value of numbers");
    }
    return 1;
}

/* value:compare_exchange(expected, new) -> whether it was the expected one */
static int value_compare_exchange(lua_State *L)
{
    struct lc_shared *shared = check_value(L, "compare_exchange");
    int64_t expected = check_element(L, shared->kind, 2, "compare_exchange", 1);
    int64_t bits = check_element(L, shared->kind, 3, "compare_exchange", 2);
    char *element = shared->head->elements, small = (char)expected;
    bool done;

    if (element_size(shared->kind) == 8)
        done = __atomic_compare_exchange_n((int64_t *)(void *)element, &expected, bits, false,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    else
        done = __atomic_compare_exchange_n(element, &small, (char)bits, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
    lua_pushboolean(L, done);
    return 1;
}

/* shared:get_lock() -> lock */
static int shared_get_lock(lua_State *L)
{
    lc_shared_push(L, lc_host_of(L), check_shared(L, "get_lock"), true);
    return 1;
}

/* value.value; array[i]; methods come from upvalue 2 */
static int shared_index(lua_State *L)
{
    struct lc_shared *shared = check_shared(L, "index");
    lua_Integer i;

    lua_settop(L, 2);
    if (shared->is_array && lua_isinteger(L, 2)) {
        i = lua_tointeger(L, 2);
        if (i < 1 || (lua_Unsigned)i > shared->count)
            return 0;
        push_element(L, shared, (size_t)i - 1);
    } else if (!shared->is_array && lua_type(L, 2) == LUA_TSTRING &&
               strcmp(lua_tostring(L, 2), "value") == 0) {
        push_element(L, shared, 0);
    } else {
        lua_rawget(L, lua_upvalueindex(2));
    }
    return 1;
}

static int shared_newindex(lua_State *L)
{
    struct lc_shared *shared = check_shared(L, "newindex");
    size_t i = 0;

    lua_settop(L, 3);
    if (shared->is_array && lua_isinteger(L, 2)) {
        if (lua_tointeger(L, 2) < 1 || (lua_Unsigned)lua_tointeger(L, 2) > shared->count)
            lc_raise(L, lc_host_of(L), LC_LOOKUP_ERROR, "index %s is not in 1..%d",
                     luaL_tolstring(L, 2, NULL), (int)shared->count);
        i = (size_t)lua_tointeger(L, 2) - 1;
    } else if (shared->is_array || lua_type(L, 2) != LUA_TSTRING ||
               strcmp(lua_tostring(L, 2), "value") != 0) {
        lc_raise(L, lc_host_of(L), LC_TYPE_ERROR, "%s has no field '%s' that can be set",
                 shared->is_array ? "Array" : "Value", luaL_tolstring(L, 2, NULL));
    }
    set_element(shared, i,
                check_element(L, shared->kind, 3, shared->is_array ? "Array" : "value", 1));
    return 0;
}

static int shared_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check_shared(L, "len")->count);
    return 1;
}

static int shared_tostring(lua_State *L)
{
    static const char *const names[] = {"i64", "f64", "bool", "u8"};
    struct lc_shared *shared = check_shared(L, "tostring");

    if (shared->is_array) {
        lua_pushfstring(L, "<Array %s of %d>", names[shared->kind], (int)shared->count);
        return 1;
    }
    push_element(L, shared, 0);
    lua_pushfstring(L, "<Value %s %s>", names[shared->kind], luaL_tolstring(L, -1, NULL));
    return 1;
}

/* ---- the lock ---- */

/* Takes the mutex, also from a thread that died with it. 0 or an errno. */
static int mutex_take(pthread_mutex_t *mutex, int (*take)(pthread_mutex_t *))
{
    int error = take(mutex);

    if (error == EOWNERDEAD)
        error = pthread_mutex_consistent(mutex);
    return error;
}

/* lock:acquire() -> lock. Holds up the whole thread while another one has it. */
static int lock_acquire(lua_State *L)
{
    struct lc_shared *shared = check_lock(L, "acquire");
    int error = mutex_take(&shared->head->mutex, pthread_mutex_lock);

    if (error == EDEADLK)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "this thread holds the lock already");
    if (error != 0)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "cannot take the lock: %s", strerror(error));
    lua_settop(L, 1);
    return 1;
}

/* lock:try_acquire() -> whether it is taken now */
static int lock_try_acquire(lua_State *L)
{
    struct lc_shared *shared = check_lock(L, "try_acquire");

    lua_pushboolean(L, mutex_take(&shared->head->mutex, pthread_mutex_trylock) == 0);
    return 1;
}

static int lock_release(lua_State *L)
{
    struct lc_shared *shared = check_lock(L, "release");

    if (pthread_mutex_unlock(&shared->head->mutex) != 0)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "this thread does not hold the lock");
    return 0;
}

/* ---- making them ---- */

static void make_types(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"add", value_add},
                                       {"compare_exchange", value_compare_exchange},
                                       {"get_lock", shared_get_lock},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__gc", shared_gc},
                                           {"__newindex", shared_newindex},
                                           {"__len", shared_len},
                                           {"__tostring", shared_tostring},
                                           {NULL, NULL}};
    static const luaL_Reg lock_methods[] = {{"acquire", lock_acquire},
                                            {"try_acquire", lock_try_acquire},
                                            {"release", lock_release},
                                            {NULL, NULL}};
    static const luaL_Reg lock_metamethods[] = {
        {"__gc", shared_gc}, {"__close", lock_release}, {NULL, NULL}};

    if (host->refs[LC_REF_SHARED] != 0)
        return;
    luaL_checkstack(L, 8, NULL);
    lc_new_type(L, host, LC_REF_SHARED_LOCK, "lucio.shared.lock", lock_methods, lock_metamethods);
    lc_new_type(L, host, LC_REF_SHARED, "lucio.shared", methods, metamethods);
    lc_host_push_ref(L, host, LC_REF_SHARED);
    lua_pushlightuserdata(L, host);
    lua_getfield(L, -2, "__index");
    lua_pushcclosure(L, shared_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

/* New object without memory, of a value or an array, or of a lock. [-0, +1, m] */
static struct shared_object *object_new(lua_State *L, struct lc_host *host, bool is_lock)
{
    return lc_new_object(L, host, is_lock ? &lock_type : &shared_type,
                         is_lock ? LC_REF_SHARED_LOCK : LC_REF_SHARED, sizeof(struct shared_object),
                         0);
}

void lc_shared_push(lua_State *L, struct lc_host *host, struct lc_shared *shared, bool is_lock)
{
    make_types(L, host);
    object_new(L, host, is_lock)->shared = shared;
    lc_shared_hold(shared);
}

static enum kind check_kind(lua_State *L, const char *what)
{
    static const struct {
        const char *name;
        enum kind kind;
    } kinds[] = {{"i64", KIND_I64}, {"i", KIND_I64}, {"f64", KIND_F64},
                 {"d", KIND_F64},   {"u8", KIND_U8}, {"bool", KIND_BOOL}};
    const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "";

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    }
    lc_raise_value(L, lc_host_of(L), what, 1, "'i64', 'f64', 'bool' or 'u8' expected");
}

/* Pushes an object with new memory, all zero. [-0, +1, v] */
static struct lc_shared *push_new(lua_State *L, enum kind kind, size_t count, int mutex)
{
    struct lc_host *host = lc_host_of(L);
    struct shared_object *object = object_new(L, host, kind == KIND_NONE);

    object->shared = shared_new(kind, count, mutex);
    if (object->shared == NULL)
        lc_raise_errno(L, host, errno, NULL);
    return object->shared;
}

/* shared.Value(type, init?) */
static int shared_value(lua_State *L)
{
    enum kind kind = check_kind(L, "Value");
    int64_t bits = 0;

    lua_settop(L, 2);
    if (!lua_isnil(L, 2))
        bits = check_element(L, kind, 2, "Value", 2);
    set_element(push_new(L, kind, 1, PTHREAD_MUTEX_RECURSIVE), 0, bits);
    return 1;
}

/* shared.Array(type, n or list) */
static int shared_array(lua_State *L)
{
    enum kind kind = check_kind(L, "Array");
    struct lc_shared *shared;
    lua_Integer n;

    lua_settop(L, 2);
    if (lua_istable(L, 2))
        n = lc_check_list(L, 2, "Array", 2);
    else
        n = lc_check_integer(L, 2, "Array", 2);
    if (n < 0 || n > (lua_Integer)1 << 40)
        lc_raise_value(L, lc_host_of(L), "Array", 2, "not a length");
    shared = push_new(L, kind, (size_t)n, PTHREAD_MUTEX_RECURSIVE);
    shared->is_array = true;
    for (lua_Integer i = 1; lua_istable(L, 2) && i <= n; i++) {
        lua_rawgeti(L, 2, i);
        set_element(shared, (size_t)i - 1, check_element(L, kind, -1, "Array", 2));
        lua_pop(L, 1);
    }
    return 1;
}

/* shared.Lock() */
static int shared_lock(lua_State *L)
{
    lc_check_no_arguments(L, "Lock");
    push_new(L, KIND_NONE, 0, PTHREAD_MUTEX_ERRORCHECK);
    return 1;
}

/* shared.RLock() */
static int shared_rlock(lua_State *L)
{
    lc_check_no_arguments(L, "RLock");
    push_new(L, KIND_NONE, 0, PTHREAD_MUTEX_RECURSIVE);
    return 1;
}

int lc_open_shared(lua_State *L)
{
    static const luaL_Reg functions[] = {{"Value", shared_value},
                                         {"Array", shared_array},
                                         {"Lock", shared_lock},
                                         {"RLock", shared_rlock},
                                         {NULL, NULL}};
    struct lc_host *host = lc_host_of(L);

    make_types(L, host);
    lua_newtable(L);
    lc_set_functions(L, host, functions);
    return 1;
}
