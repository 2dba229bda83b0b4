#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of this layout; another build may have another one. */
#define LC_REGION_MARK (UINT64_C(0x6c7563696f000000) + sizeof(struct lc_region_head))

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

/* Maps the descriptor, which stays the caller's if that fails. NULL: errno says why. */
static struct lc_region *region_map(int fd, size_t size)
{
    struct lc_region *region = calloc(1, sizeof *region);
    void *memory;

    if (region == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        free(region);
        return NULL;
    }
    lc_shared_init(&region->shared, &lc_region_type);
    region->size = size;
    region->fd = fd;
    region->head = memory;
    return region;
}

/* A descriptor of new memory whose size cannot change, or -1. */
static int create(size_t size)
{
    int fd = memfd_create("lucio.shared", MFD_CLOEXEC | MFD_ALLOW_SEALING), error;

    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)size) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

struct lc_region *lc_region_new(enum lc_region_shape shape, enum lc_region_kind kind, size_t count,
                                bool recursive)
{
    size_t size = sizeof(struct lc_region_head) + count * lc_region_element_size(kind);
    int fd = create(size), error;
    struct lc_region *region = fd >= 0 ? region_map(fd, size) : NULL;

    if (region == NULL) {
        error = errno;
        if (fd >= 0)
            close(fd);
        errno = error;
        return NULL;
    }
    region->head->mark = LC_REGION_MARK;
    region->head->kind = kind;
    region->head->shape = shape;
    region->head->count = count;
    region->head->recursive = recursive;
    init_mutex(&region->head->mutex,
               recursive ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_ERRORCHECK);
    return region;
}

/* ---- as a shared thing ---- */

static void region_get(const struct lc_shared *shared, int *descriptors)
{
    descriptors[0] = ((const struct lc_region *)shared)->fd;
}

static bool is_sound(const struct lc_region *region)
{
    const struct lc_region_head *head = region->head;

    return head->mark == LC_REGION_MARK && head->kind <= LC_REGION_NONE &&
           head->shape <= LC_REGION_LOCK &&
           head->count <= (region->size - sizeof *head) / lc_region_element_size(head->kind);
}

static void region_unmap(struct lc_region *region)
{
    munmap(region->head, region->size);
    free(region);
}

static struct lc_shared *region_attach(const int *descriptors)
{
    struct lc_region *region;
    struct stat status;

    if (fstat(descriptors[0], &status) != 0)
        return NULL;
    errno = EINVAL;
    if (status.st_size < (off_t)sizeof(struct lc_region_head))
        return NULL;
    region = region_map(descriptors[0], (size_t)status.st_size);
    if (region == NULL)
        return NULL;
    if (is_sound(region))
        return &region->shared;
    region_unmap(region);
    errno = EINVAL;
    return NULL;
}

static void region_free(struct lc_shared *shared)
{
    struct lc_region *region = lc_region_of(shared);
    int fd = region->fd;

    region_unmap(region);
    close(fd);
}

static void region_push(lua_State *L, struct lc_host *host, struct lc_shared *shared, bool is_lock)
{
    struct lc_shared_object *object;

    if (lc_region_of(shared)->head->shape == LC_REGION_LOCK)
        is_lock = true;
    object = lc_shared_object_new(L, host, is_lock ? &lc_shared_lock_type : &lc_shared_value_type,
                                  is_lock ? LC_REF_SHARED_LOCK : LC_REF_SHARED);
    lc_shared_hold(shared);
    object->shared = shared;
}

const struct lc_shared_type lc_region_type = {1, region_get, region_attach, region_free,
                                              region_push};
