/*
 * Tests of what bytes cost on their way through a stream: memory, system calls, scans. The functions that
 * are counted stand here in front of the C library's and do the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>
#include <lauxlib.h>

#include "state.h"

static struct {
    long received, sent, polls, armed;
    long scanned; /* bytes */
} calls;

static struct memory memory;

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    calls.received++;
    return syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    calls.sent++;
    return syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    calls.sent++;
    return syscall(SYS_sendmsg, fd, message, flags);
}

int epoll_wait(int epoll, struct epoll_event *events, int size, int timeout)
{
    calls.polls++;
    return (int)syscall(SYS_epoll_pwait, epoll, events, size, timeout, NULL, 8);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    calls.armed++;
    return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

void *memchr(const void *data, int byte, size_t size)
{
    const unsigned char *at = data;

    for (size_t i = 0; i < size; i++) {
        calls.scanned++;
        if (at[i] == (unsigned char)byte)
            return (void *)&at[i];
    }
    return NULL;
}

void *memmem(const void *data, size_t size, const void *what, size_t length)
{
    const char *at = data;

    for (size_t i = 0; i + length <= size; i++) {
        calls.scanned++;
        if (memcmp(at + i, what, length) == 0)
            return (void *)&at[i];
    }
    return NULL;
}

static int reset_counts(lua_State *L)
{
    (void)L;
    memset(&calls, 0, sizeof calls);
    memory.requests = 0;
    return 0;
}

/* counts() -> table of what happened since the reset */
static int get_counts(lua_State *L)
{
    struct {
        const char *name;
        long value;
    } counts[] = {
        {"memory", (long)memory.requests},
        {"recv", calls.received},
        {"send", calls.sent},
        {"polls", calls.polls},
        {"armed", calls.armed},
        {"scanned", calls.scanned},
    };

    lua_createtable(L, 0, 6);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        lua_pushinteger(L, counts[i].value);
        lua_setfield(L, -2, counts[i].name);
    }
    return 1;
}

static const char helpers[] =
    "function check(name, got, least, most)\n"
    "  if got < least or got > most then\n"
    "    error(('%s: %d, not %d to %d'):format(name, got, least, most))\n"
    "  end\n"
    "end\n"
    /* request and answer, both with the same reader method, until it has happened so often */
    "function exchange(rounds, message, read)\n"
    "  local one, other = lucio.testing.stream_pair()\n"
    "  local server = lucio.create_task(function()\n"
    "    while true do\n"
    "      local data = read(other.reader)\n"
    "      other.writer:write(data)\n"
    "      other.writer:drain()\n"
    "    end\n"
    "  end)\n"
    "  local function go(n)\n"
    "    for _ = 1, n do\n"
    "      one.writer:write(message)\n"
    "      one.writer:drain()\n"
    "      read(one.reader)\n"
    "    end\n"
    "  end\n"
    "  go(10)\n"
    "  collectgarbage()\n"
    "  collectgarbage('stop')\n"
    "  reset()\n"
    "  go(rounds)\n"
    "  local c = counts()\n"
    "  collectgarbage('restart')\n"
    "  server:cancel()\n"
    "  pcall(server.await, server)\n"
    "  one.writer:abort()\n"
    "  other.writer:abort()\n"
    "  return c\n"
    "end\n";

static void run(const char *script)
{
    lua_State *L;

    memset(&memory, 0, sizeof memory);
    L = state_new(&memory);
    lua_register(L, "reset", reset_counts);
    lua_register(L, "counts", get_counts);
    state_do(L, helpers, 0);
    state_do(L, script, 0);
    lua_close(L);
    assert_int_equal(memory.balance, 0);
}

static void a_read_takes_no_memory_but_its_string(void **state)
{
    (void)state;
    run("lucio.run(function()\n"
        "  local reads = {\n"
        "    function(reader) return reader:read(65536) end,\n"
        "    function(reader) return reader:readexactly(64) end,\n"
        "    function(reader) return reader:readline() end,\n"
        "    function(reader) return reader:readuntil('\\n') end,\n"
        "  }\n"
        "  for i = 1, 4 do\n"
        "    local c = exchange(100, ('x'):rep(63) .. '\\n', reads[i])\n"
        /* the collector has made stacks smaller, which grow again, once */
        "    check('memory of ' .. i, c.memory, 200, 205)\n"
        "  end\n"
        "end)\n");
}

static void a_request_is_one_recv_and_one_send(void **state)
{
    (void)state;
    run("lucio.run(function()\n"
        "  for _, size in ipairs{64, 20000} do\n"
        "    local c = exchange(100, ('x'):rep(size), function(reader)\n"
        "      return reader:read(65536)\n"
        "    end)\n"
        "    check('recv', c.recv, 200, 200)\n"
        "    check('send', c.send, 200, 200)\n"
        "    check('epoll_ctl', c.armed, 0, 0)\n"
        /* many bytes make a string at once, after which the poll is not left out */
        "    check('epoll_wait', c.polls, 200, size < 100 and 210 or 410)\n"
        "  end\n"
        "end)\n");
}

static void each_byte_is_scanned_once(void **state)
{
    (void)state;
    run("lucio.run(function()\n"
        "  local function by_bytes(size, stop, read)\n"
        "    local reader = lucio.StreamReader{limit = 100000}\n"
        "    local task = lucio.create_task(function() return read(reader) end)\n"
        "    lucio.sleep(0)\n"
        "    local text = ('x'):rep(size) .. stop\n"
        "    reset()\n"
        "    for i = 1, #text do\n"
        "      reader:feed_data(text:sub(i, i))\n"
        "      lucio.sleep(0)\n"
        "      lucio.sleep(0)\n"
        "    end\n"
        "    assert(task:await() == text)\n"
        "    return counts().scanned\n"
        "  end\n"
        "  local function line(reader) return reader:readline() end\n"
        "  check('readline', by_bytes(20000, '\\n', line), 20001, 20001)\n"
        "  local function record(reader) return reader:readuntil('\\r\\n') end\n"
        "  check('readuntil', by_bytes(20000, '\\r\\n', record), 20000, 20002)\n"
        "  local function either(reader) return reader:readuntil{'END', '\\n'} end\n"
        "  check('readuntil of two', by_bytes(20000, 'END', either), 40000, 90000)\n"
        "end)\n");
}

static void many_lines_are_scanned_once(void **state)
{
    (void)state;
    run("lucio.run(function()\n"
        "  local reader = lucio.StreamReader()\n"
        "  reader:feed_data(('fifteen bytes..\\n'):rep(4000))\n"
        "  reader:feed_eof()\n"
        "  reset()\n"
        "  for _ in reader:lines() do end\n"
        "  check('lines', counts().scanned, 64000, 64000)\n"
        "end)\n");
}

static void a_list_goes_by_one_call(void **state)
{
    (void)state;
    run("lucio.run(function()\n"
        "  local one, other = lucio.testing.stream_pair()\n"
        "  local list = {}\n"
        "  for i = 1, 64 do list[i] = ('x'):rep(100) end\n"
        "  reset()\n"
        "  one.writer:writelines(list)\n"
        "  local c = counts()\n"
        "  check('send', c.send, 1, 1)\n"
        "  check('memory', c.memory, 0, 0)\n"
        "  assert(#other.reader:readexactly(6400) == 6400)\n"
        "  one.writer:abort()\n"
        "  other.writer:abort()\n"
        "end)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_takes_no_memory_but_its_string),
        cmocka_unit_test(a_request_is_one_recv_and_one_send),
        cmocka_unit_test(each_byte_is_scanned_once),
        cmocka_unit_test(many_lines_are_scanned_once),
        cmocka_unit_test(a_list_goes_by_one_call),
    };

    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
