#include "message_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "region.h"
#include "rights.h"
#include "wire.h"

#define DESCRIPTORS 5

/* So much memory an empty ring keeps. */
#define KEPT (UINT64_C(1) << 20)

#define RING_MARK (UINT64_C(0x6c7563696f100000) + sizeof(struct lc_ring_head))

/* In front of each message. */
struct prefix {
    uint64_t size;
    uint64_t serial; /* of its descriptors; 0: it has none */
};

struct lc_ring_head {
    uint64_t mark;
    uint64_t max;
    uint64_t capacity;       /* room for messages with their sizes */
    pthread_mutex_t mutex;   /* of what follows */
    _Atomic(uint64_t) count; /* of messages; anybody may look */
    _Atomic(uint64_t) from;  /* of the first message; positions only grow... */
    _Atomic(uint64_t) to;    /* ...until it is empty, when both are 0 again */
    uint64_t high;           /* the most that they were */
    uint64_t serial;         /* of the last message with descriptors */
    _Atomic(uint32_t) shut;
    _Alignas(4096) char bytes[];
};

/* ---- as a shared thing ---- */

static void ring_get(const struct lc_shared *shared, int *descriptors)
{
    const struct lc_message_ring *ring = (const struct lc_message_ring *)shared;

    descriptors[0] = ring->memory;
    descriptors[1] = ring->places;
    descriptors[2] = ring->messages;
    descriptors[3] = ring->rights[0];
    descriptors[4] = ring->rights[1];
}

/* The descriptors stay the caller's if it fails. */
static struct lc_message_ring *ring_map(const int *descriptors, size_t size)
{
    struct lc_message_ring *ring = calloc(1, sizeof *ring);
    void *memory;

    if (ring == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptors[0], 0);
    if (memory == MAP_FAILED) {
        free(ring);
        return NULL;
    }
    lc_shared_init(&ring->shared, &lc_queue_type);
    ring->memory = descriptors[0];
    ring->places = descriptors[1];
    ring->messages = descriptors[2];
    ring->rights[0] = descriptors[3];
    ring->rights[1] = descriptors[4];
    ring->head = memory;
    ring->size = size;
    return ring;
}

static void ring_unmap(struct lc_message_ring *ring)
{
    munmap(ring->head, ring->size);
    free(ring);
}

static struct lc_shared *ring_attach(const int *descriptors)
{
    struct lc_message_ring *ring;
    struct stat status;

    if (fstat(descriptors[0], &status) != 0)
        return NULL;
    errno = EINVAL;
    if (status.st_size < (off_t)sizeof(struct lc_ring_head))
        return NULL;
    ring = ring_map(descriptors, (size_t)status.st_size);
    if (ring == NULL)
        return NULL;
    if (ring->head->mark == RING_MARK &&
        ring->head->capacity == ring->size - sizeof(struct lc_ring_head))
        return &ring->shared;
    ring_unmap(ring);
    errno = EINVAL;
    return NULL;
}

static void ring_free(struct lc_shared *shared)
{
    int descriptors[LC_SHARED_DESCRIPTORS_MAX];

    ring_get(shared, descriptors);
    ring_unmap((struct lc_message_ring *)shared);
    for (int i = 0; i < DESCRIPTORS; i++)
        close(descriptors[i]);
}

static void ring_push(lua_State *L, struct lc_host *host, struct lc_shared *shared, bool is_lock)
{
    struct lc_shared_object *object =
        lc_shared_object_new(L, host, &lc_shared_queue_type, LC_REF_SHARED_QUEUE);

    (void)is_lock;
    lc_shared_hold(shared);
    object->shared = shared;
}

const struct lc_shared_type lc_queue_type = {DESCRIPTORS, ring_get, ring_attach, ring_free,
                                             ring_push};

static int flag_new(bool up)
{
    return eventfd(up, EFD_NONBLOCK | EFD_CLOEXEC);
}

struct lc_message_ring *lc_message_ring_new(uint64_t max, uint64_t capacity)
{
    size_t size = sizeof(struct lc_ring_head) + capacity;
    int descriptors[DESCRIPTORS] = {-1, -1, -1, -1, -1}, error;
    struct lc_message_ring *ring = NULL;

    if ((descriptors[0] = lc_memory_new(size)) >= 0 && (descriptors[1] = flag_new(true)) >= 0 &&
        (descriptors[2] = flag_new(false)) >= 0 &&
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, descriptors + 3) == 0)
        ring = ring_map(descriptors, size);
    if (ring != NULL) {
        ring->head->mark = RING_MARK;
        ring->head->max = max;
        ring->head->capacity = capacity;
        lc_mutex_init(&ring->head->mutex);
        return ring;
    }
    error = errno;
    for (int i = 0; i < DESCRIPTORS; i++) {
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    }
    errno = error;
    return NULL;
}

/* ---- bytes ---- */

static void copy_in(struct lc_ring_head *head, uint64_t at, const char *bytes, size_t size)
{
    size_t offset = at % head->capacity, first = head->capacity - offset;

    if (first > size)
        first = size;
    memcpy(head->bytes + offset, bytes, first);
    memcpy(head->bytes, bytes + first, size - first);
}

static void copy_out(const struct lc_ring_head *head, uint64_t at, char *bytes, size_t size)
{
    size_t offset = at % head->capacity, first = head->capacity - offset;

    if (first > size)
        first = size;
    memcpy(bytes, head->bytes + offset, first);
    memcpy(bytes + first, head->bytes, size - first);
}

/* Sets what others go by when the caller dies: whatever was written before is there by then. */
static void set(_Atomic(uint64_t) *position, uint64_t to)
{
    atomic_store_explicit(position, to, memory_order_release);
}

/* It is empty: begins again where memory is in use already, and gives back what was much. */
static void rewind_ring(struct lc_message_ring *ring)
{
    struct lc_ring_head *head = ring->head;

    if (head->high > KEPT) {
        fallocate(ring->memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  (off_t)(sizeof *head + KEPT), (off_t)(head->capacity - KEPT));
        head->high = 0;
    }
    /* in this order: in between it is no message, see repair */
    set(&head->to, 0);
    set(&head->from, 0);
}

/* ---- flags ---- */

static void raise_flag(int flag)
{
    eventfd_write(flag, 1);
}

static void lower_flag(int flag)
{
    eventfd_t ignored;

    eventfd_read(flag, &ignored);
}

/* Each in one system call: dying in between leaves none down that is to be up. */
static void set_flag(int flag, bool up)
{
    if (up)
        raise_flag(flag);
    else
        lower_flag(flag);
}

/* ---- the mutex ---- */

static bool is_full(const struct lc_ring_head *head)
{
    return head->max > 0 && atomic_load(&head->count) >= head->max;
}

/* Its holder died: what it has done to `from` and `to` holds, and all else follows them. */
static void repair(struct lc_message_ring *ring)
{
    struct lc_ring_head *head = ring->head;
    uint64_t count = 0, to = atomic_load(&head->to);
    bool shut = atomic_load(&head->shut);

    if (atomic_load(&head->from) > to)
        set(&head->from, to);
    for (uint64_t at = atomic_load(&head->from); at < to; count++) {
        struct prefix prefix;

        copy_out(head, at, (char *)&prefix, sizeof prefix);
        at += sizeof prefix + prefix.size;
    }
    atomic_store(&head->count, count);
    set_flag(ring->messages, shut || count > 0);
    set_flag(ring->places, shut || !is_full(head));
}

/* For a moment only: nobody calls Lua with it. */
static void lock(struct lc_message_ring *ring)
{
    if (pthread_mutex_lock(&ring->head->mutex) != EOWNERDEAD)
        return;
    repair(ring);
    pthread_mutex_consistent(&ring->head->mutex);
}

static void unlock(struct lc_message_ring *ring)
{
    pthread_mutex_unlock(&ring->head->mutex);
}

/* ---- puts and gets ---- */

/* The mutex is held. */
static enum lc_ring_outcome room(const struct lc_ring_head *head)
{
    if (atomic_load(&head->shut))
        return LC_RING_SHUT;
    return is_full(head) ? LC_RING_WAIT : LC_RING_DONE;
}

enum lc_ring_outcome lc_ring_room(struct lc_message_ring *ring)
{
    enum lc_ring_outcome outcome = room(ring->head);

    if (outcome != LC_RING_WAIT)
        return outcome;
    /* the count may be that of one who died */
    lock(ring);
    outcome = room(ring->head);
    unlock(ring);
    return outcome;
}

/* The descriptors leave before their message. The mutex is held. */
static enum lc_ring_outcome send_rights(struct lc_message_ring *ring, const struct lc_wire *wire,
                                        struct prefix *prefix)
{
    int error;

    if (wire->descriptor_count == 0)
        return LC_RING_DONE;
    /* before they are sent: a number that somebody died over is not used again */
    prefix->serial = ++ring->head->serial;
    error =
        lc_rights_send(ring->rights[0], prefix->serial, wire->descriptors, wire->descriptor_count);
    if (error == 0)
        return LC_RING_DONE;
    return error == ENOMEM ? LC_RING_NO_MEMORY : LC_RING_MANY;
}

/* Writes a message behind the last one, where nobody looks yet. Returns where it ends. */
static uint64_t write_message(struct lc_ring_head *head, const struct lc_wire *wire,
                              const struct prefix *prefix)
{
    uint64_t at = atomic_load(&head->to);

    copy_in(head, at, (const char *)prefix, sizeof *prefix);
    at += sizeof *prefix;
    for (size_t i = 0; i < wire->vector_count; i++) {
        copy_in(head, at, wire->vectors[i].iov_base, wire->vectors[i].iov_len);
        at += wire->vectors[i].iov_len;
    }
    if (at > head->high)
        head->high = at;
    return at;
}

/* The mutex is held. */
static enum lc_ring_outcome put(struct lc_message_ring *ring, const struct lc_wire *wire)
{
    struct lc_ring_head *head = ring->head;
    enum lc_ring_outcome outcome = room(head);
    struct prefix prefix = {wire->size, 0};
    uint64_t used = atomic_load(&head->to) - atomic_load(&head->from), end;

    if (outcome != LC_RING_DONE)
        return outcome;
    if (wire->size > head->capacity - sizeof prefix ||
        used > head->capacity - sizeof prefix - wire->size)
        return LC_RING_FULL;
    outcome = send_rights(ring, wire, &prefix);
    if (outcome != LC_RING_DONE)
        return outcome;
    end = write_message(head, wire, &prefix);
    if (atomic_load(&head->count) == 0)
        raise_flag(ring->messages);
    set(&head->to, end);
    atomic_fetch_add(&head->count, 1);
    if (is_full(head))
        lower_flag(ring->places);
    return LC_RING_DONE;
}

enum lc_ring_outcome lc_ring_put(struct lc_message_ring *ring, const struct lc_wire *wire)
{
    enum lc_ring_outcome outcome;

    lock(ring);
    outcome = put(ring, wire);
    unlock(ring);
    return outcome;
}

/* The descriptors of the message, if it has any; they stay until it is taken. */
static enum lc_ring_outcome read_rights(struct lc_message_ring *ring, uint64_t serial,
                                        struct lc_ring_message *message)
{
    int error;

    message->descriptors = NULL;
    message->descriptor_count = 0;
    if (serial == 0)
        return LC_RING_DONE;
    message->descriptors = malloc(LC_RIGHTS_MAX * sizeof(int));
    if (message->descriptors == NULL)
        return LC_RING_NO_MEMORY;
    error =
        lc_rights_read(ring->rights[1], serial, message->descriptors, &message->descriptor_count);
    if (error != EMFILE)
        return LC_RING_DONE; /* without them it is no message: who reads it sees that */
    free(message->descriptors);
    return LC_RING_NO_DESCRIPTORS;
}

/* The first message is gone, with what belongs to it. The mutex is held. */
static void advance(struct lc_message_ring *ring, const struct prefix *prefix)
{
    struct lc_ring_head *head = ring->head;

    if (is_full(head))
        raise_flag(ring->places);
    set(&head->from, atomic_load(&head->from) + sizeof *prefix + prefix->size);
    atomic_fetch_sub(&head->count, 1);
    if (prefix->serial != 0)
        lc_rights_drop(ring->rights[1], prefix->serial);
    if (atomic_load(&head->from) != atomic_load(&head->to))
        return;
    rewind_ring(ring);
    if (!atomic_load(&head->shut))
        lower_flag(ring->messages);
}

/* The mutex is held. */
static enum lc_ring_outcome take(struct lc_message_ring *ring, struct lc_ring_message *message)
{
    struct lc_ring_head *head = ring->head;
    enum lc_ring_outcome outcome;
    struct prefix prefix;
    uint64_t from = atomic_load(&head->from);

    if (from == atomic_load(&head->to))
        return atomic_load(&head->shut) ? LC_RING_SHUT : LC_RING_WAIT;
    copy_out(head, from, (char *)&prefix, sizeof prefix);
    message->bytes = malloc(prefix.size);
    if (message->bytes == NULL)
        return LC_RING_NO_MEMORY;
    outcome = read_rights(ring, prefix.serial, message);
    if (outcome != LC_RING_DONE) {
        free(message->bytes);
        return outcome;
    }
    message->size = prefix.size;
    copy_out(head, from + sizeof prefix, message->bytes, prefix.size);
    advance(ring, &prefix);
    return LC_RING_DONE;
}

enum lc_ring_outcome lc_ring_get(struct lc_message_ring *ring, struct lc_ring_message *message)
{
    enum lc_ring_outcome outcome;

    lock(ring);
    outcome = take(ring, message);
    unlock(ring);
    return outcome;
}

/* Drops what is there. The mutex is held. */
static void drop_all(struct lc_message_ring *ring)
{
    struct lc_ring_head *head = ring->head;

    set(&head->from, atomic_load(&head->to));
    atomic_store(&head->count, 0);
    rewind_ring(ring);
    lc_rights_drop(ring->rights[1], head->serial);
}

void lc_ring_shut(struct lc_message_ring *ring, bool immediate)
{
    struct lc_ring_head *head = ring->head;

    lock(ring);
    if (!atomic_load(&head->shut)) {
        raise_flag(ring->places);
        raise_flag(ring->messages);
        atomic_store(&head->shut, 1);
    }
    if (immediate)
        drop_all(ring);
    unlock(ring);
}

uint64_t lc_ring_count(struct lc_message_ring *ring)
{
    uint64_t count;

    lock(ring);
    count = atomic_load(&ring->head->count);
    unlock(ring);
    return count;
}

uint64_t lc_ring_max(const struct lc_message_ring *ring)
{
    return ring->head->max;
}
