#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of this layout; another build may have another one. */
#define LC_REGION_MARK (UINT64_C(0x6c7563696f000000) + sizeof(struct lc_region_head))

uint64_t lc_shared_random(void)
{
    uint64_t number = 0;

    /* so few bytes come at once */
    while (number == 0 && getrandom(&number, sizeof number, 0) < 0 && errno == EINTR)
        continue;
    return number | 1;
}

void lc_mutex_init(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
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
    lc_list_init(&region->held);
    return region;
}

int lc_memory_new(size_t size)
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
    int fd = lc_memory_new(size), error;
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
    region->head->id = lc_shared_random();
    lc_mutex_init(&region->head->mutex);
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

    uint32_t shape = lc_region_of(shared)->head->shape;

    if (is_lock || shape == LC_REGION_LOCK)
        object = lc_shared_object_new(L, host, &lc_shared_lock_type, LC_REF_SHARED_LOCK);
    else if (shape == LC_REGION_BYTES)
        object = lc_shared_object_new(L, host, &lc_shared_bytes_type, LC_REF_SHARED_BYTES);
    else
        object = lc_shared_object_new(L, host, &lc_shared_value_type, LC_REF_SHARED);
    lc_shared_hold(shared);
    object->shared = shared;
}

const struct lc_shared_type lc_region_type = {1, region_get, region_attach, region_free,
                                              region_push};
