/*
 * Tests of parcels between processes: what one process packs, another one unpacks, and both see the
 * same shared memory; a lock whose holder is killed goes on.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lualib.h>

#include "host.h"
#include "module.h"
#include "parcel.h"
#include "region.h"
#include "wire.h"

static lua_State *open_state(void)
{
    lua_State *L = luaL_newstate();

    luaL_openlibs(L);
    luaL_requiref(L, "lucio", luaopen_lucio, 1);
    lua_settop(L, 0);
    return L;
}

/* Runs the chunk and packs what it returns. */
static void pack(lua_State *L, struct lc_parcel *parcel, const char *chunk)
{
    static const struct lc_pack_names names = {.what = "pack", .first = 1};

    if (luaL_dostring(L, chunk) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
    lc_pack(L, lc_host_open(L), parcel, 1, lua_gettop(L), &names);
}

/* Unpacks into globals a, b, c... of a new state and runs the chunk, which has to return true. */
static void unpack(const struct lc_parcel *parcel, const char *chunk)
{
    lua_State *L = open_state();
    int n = lc_unpack(L, lc_host_open(L), parcel);

    for (; n > 0; n--) {
        char name[2] = {(char)('a' + n - 1), '\0'};

        lua_setglobal(L, name);
    }
    if (luaL_dostring(L, chunk) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
    assert_true(lua_toboolean(L, -1));
    lua_close(L);
}

/* Sends all of a message; the first byte carries the descriptors. */
static void send_wire(int fd, const struct lc_wire *wire)
{
    union {
        char bytes[CMSG_SPACE(16 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = wire->vectors, .msg_iovlen = wire->vector_count};
    struct cmsghdr *header;

    assert_true(wire->descriptor_count <= 16);
    if (wire->descriptor_count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(wire->descriptor_count * sizeof(int));
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(wire->descriptor_count * sizeof(int));
        memcpy(CMSG_DATA(header), wire->descriptors, wire->descriptor_count * sizeof(int));
    }
    assert_int_equal(sendmsg(fd, &message, 0), wire->size);
}

/* Receives a message of that size. */
static bool receive(int fd, struct lc_parcel *parcel, size_t size)
{
    union {
        char bytes[CMSG_SPACE(16 * sizeof(int))];
        struct cmsghdr align;
    } control;
    char *text = malloc(size);
    struct iovec vector = {text, size};
    struct msghdr message = {
        &(struct sockaddr_storage){0}, 0, &vector, 1, &control, sizeof control, 0};
    struct cmsghdr *header;
    int descriptors[16];
    size_t count = 0, got;
    ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);

    for (got = 0; n > 0 && got + (size_t)n < size; n = read(fd, text + got, size - got))
        got += (size_t)n;
    if (n <= 0)
        return false;
    header = CMSG_FIRSTHDR(&message);
    if (header != NULL) {
        count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(descriptors, CMSG_DATA(header), count * sizeof(int));
    }
    return lc_wire_accept(parcel, text, size, descriptors, count);
}

/* Sends the parcel to a child process, which runs `chunk` there; returns its status. */
static int in_child(const struct lc_parcel *parcel, const char *chunk)
{
    struct lc_wire wire;
    int pair[2], status;
    pid_t child;

    assert_true(lc_wire_open(&wire, parcel));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    child = fork();
    if (child == 0) {
        struct lc_parcel come;

        close(pair[0]);
        if (!receive(pair[1], &come, wire.size))
            _exit(2);
        unpack(&come, chunk);
        lc_parcel_clear(&come);
        _exit(0);
    }
    close(pair[1]);
    send_wire(pair[0], &wire);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(pair[0]);
    lc_wire_finish(&wire);
    return status;
}

static void values_and_memory_reach_another_process(void **unused)
{
    lua_State *L = open_state();
    struct lc_parcel parcel = {0};

    (void)unused;
    pack(L, &parcel,
         "value, array = lucio.shared.Value('i64', 40), lucio.shared.Array('u8', {1, 2, 3})\n"
         "return {value, x = {array, ('x'):rep(100000)}}, function(n) return n + 1 end, 1.5, nil,\n"
         "  lucio.shared.Lock(), lucio.shared.bytes('text'), lucio.shared.Semaphore(0),\n"
         "  lucio.shared.Queue(1)");
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT, 0);
    assert_int_equal(parcel.shared_count, 6);
    assert_int_equal(in_child(&parcel,
                              "a[1]:add(2) a.x[1][3] = 200\n"
                              "local _ <close> = e:acquire()\n"
                              "g:release() g:acquire() h:put{'item'} assert(h:full())\n"
                              "assert(h:get()[1] == 'item' and f:sub() == 'text')\n"
                              "return #a.x[1] == 3 and a.x[2] == ('x'):rep(100000) and b(1) == 2\n"
                              "  and c == 1.5 and d == nil"),
                     0);
    assert_int_equal(luaL_dostring(L, "assert(value.value == 42 and array[3] == 200)"), LUA_OK);
    lc_parcel_clear(&parcel);
    lua_close(L);
}

static void a_lock_whose_holder_was_killed_is_taken_over(void **unused)
{
    lua_State *L = open_state();
    struct lc_parcel parcel = {0};
    int status;

    (void)unused;
    pack(L, &parcel, "value = lucio.shared.Value('i64') return value");
    status = in_child(&parcel, "a:get_lock():acquire() a.value = 1\n"
                               "os.execute('kill -9 $PPID')");
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(luaL_dostring(L, "assert(value.value == 1)\n"
                                      "local _ <close>, died = value:get_lock():acquire()\n"
                                      "assert(died)"),
                     LUA_OK);
    lc_parcel_clear(&parcel);
    lua_close(L);
}

/* A copy of the message with its descriptors duplicated, as it would come. */
static char *copy_message(const struct lc_wire *wire, int *descriptors)
{
    char *message = malloc(wire->size + 1), *at = message;

    for (size_t i = 0; i < wire->vector_count; i++) {
        memcpy(at, wire->vectors[i].iov_base, wire->vectors[i].iov_len);
        at += wire->vectors[i].iov_len;
    }
    for (size_t i = 0; i < wire->descriptor_count; i++)
        descriptors[i] = dup(wire->descriptors[i]);
    return message;
}

static void half_a_message_is_refused(void **unused)
{
    lua_State *L = open_state();
    struct lc_parcel parcel = {0}, come;
    int descriptors[4], next = dup(0);
    struct lc_wire wire;

    (void)unused;
    close(next);
    pack(L, &parcel, "return ('x'):rep(70000), lucio.shared.Value('i64')");
    assert_true(lc_wire_open(&wire, &parcel));
    for (size_t size = 0; size < wire.size; size += size < 200 ? 1 : 9999) {
        char *message = copy_message(&wire, descriptors);

        assert_false(lc_wire_accept(&come, message, size, descriptors, 1));
        assert_null(come.message);
    }
    assert_false(lc_wire_accept(&come, copy_message(&wire, descriptors), wire.size,
                                (close(descriptors[0]), descriptors), 0));
    descriptors[0] = dup(0); /* no memory at all */
    free(copy_message(&wire, descriptors + 1));
    close(descriptors[1]);
    assert_false(
        lc_wire_accept(&come, copy_message(&wire, descriptors + 2), wire.size, descriptors, 1));
    close(descriptors[2]);
    assert_true(lc_wire_accept(&come, copy_message(&wire, descriptors), wire.size, descriptors, 1));
    unpack(&come, "return #a == 70000 and b:add(5) == 5");
    lc_parcel_clear(&come);
    lc_wire_finish(&wire);
    lc_parcel_clear(&parcel);
    lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_memory_reach_another_process),
        cmocka_unit_test(a_lock_whose_holder_was_killed_is_taken_over),
        cmocka_unit_test(half_a_message_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
