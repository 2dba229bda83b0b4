#include "state.h"

#include <dirent.h>
#include <stdio.h>

#include <lauxlib.h>
#include <lualib.h>

#include "lucio.h"

const char state_work[] =
    "local function queues()\n"
    "  local queue, lock, sum = lucio.Queue(2), lucio.Lock(), 0\n"
    "  local function put() for i = 1, 5 do queue:put(i) end queue:shutdown() end\n"
    "  local function get()\n"
    "    for _, item in queue:items() do\n"
    "      local _ <close> = lock:acquire()\n"
    "      lucio.sleep(0.01)\n"
    "      sum = sum + item\n"
    "    end\n"
    "  end\n"
    "  lucio.gather(put, get, get)\n"
    "  assert(sum == 15)\n"
    "end\n"
    "local function cancels()\n"
    "  local event, cleaned = lucio.Event(), 0\n"
    "  local function wait()\n"
    "    local _ <close> = setmetatable({}, {__close = function()\n"
    "      lucio.sleep(0.01)\n"
    "      cleaned = cleaned + 1\n"
    "    end})\n"
    "    event:wait()\n"
    "  end\n"
    "  local task = lucio.create_task(wait)\n"
    "  lucio.sleep(0)\n"
    "  task:cancel('enough')\n"
    "  assert(not pcall(task.await, task) and task:cancelled())\n"
    "  assert(not pcall(lucio.wait_for, wait, 0.02))\n"
    "  assert(not pcall(function()\n"
    "    local _ <close> = lucio.timeout(0.02)\n"
    "    wait()\n"
    "  end))\n"
    "  assert(cleaned == 3)\n"
    "end\n"
    "local function groups()\n"
    "  local ok, e = pcall(function()\n"
    "    local group <close> = lucio.TaskGroup()\n"
    "    group:create_task(lucio.sleep, 1)\n"
    "    lucio.sleep(0)\n"
    "    lucio.print_tasks(function(text) assert(text:find('TaskGroup of 1', 1, true)) end)\n"
    "    assert(#lucio.task_tree()[1].children == 1)\n"
    "    group:create_task(error, lucio.ValueError('no'))\n"
    "  end)\n"
    "  assert(not ok and #e.exceptions == 1)\n"
    "end\n"
    "local function streams()\n"
    "  local reader = lucio.StreamReader{limit = 16}\n"
    "  local read = lucio.create_task(reader.readexactly, reader, 6)\n"
    "  lucio.sleep(0)\n"
    "  reader:feed_data('abc')\n"
    "  reader:feed_data('defline\\nrest')\n"
    "  assert(read:await() == 'abcdef' and reader:readline() == 'line\\n')\n"
    "  reader:feed_eof()\n"
    "  assert(not pcall(reader.readuntil, reader, {'x', 'yz'}) and reader:at_eof())\n"
    "  local function echo(reader, writer)\n"
    "    for line in reader:lines(true) do writer:write(line) end\n"
    "  end\n"
    "  local name = '\\0lucio-' .. tostring({})\n"
    "  local server <close> = lucio.start_unix_server(echo, name)\n"
    "  local reader, writer <close> = lucio.open_unix_connection(name)\n"
    "  writer:writelines{'one\\n', 'two\\n'}\n"
    "  writer:drain()\n"
    "  assert(reader:readuntil('two\\n') == 'one\\ntwo\\n')\n"
    "end\n"
    "local function others()\n"
    "  local future = lucio.Future()\n"
    "  future:add_done_callback(function() end)\n"
    "  lucio.get_running_loop():call_later(0.01, future.set_result, future, 1)\n"
    "  assert(lucio.shield(future):await() == 1)\n"
    "  local count = 0\n"
    "  for task in lucio.as_completed{lucio.Future, function() lucio.sleep(0.01) end} do\n"
    "    task:result()\n"
    "    count = count + 1\n"
    "  end\n"
    "  local numbers = lucio.generator(function() coroutine.yield(1) coroutine.yield(2) end)\n"
    "  for number in numbers() do count = count + number end\n"
    "  local semaphore <close> = lucio.Semaphore(1):acquire()\n"
    "  local variable = lucio.ContextVar('v', 1)\n"
    "  variable:set(2)\n"
    "  local done = lucio.wait({lucio.create_task(variable.get, variable)})\n"
    "  assert(count == 5 and done[1]:result() == 2)\n"
    "end\n"
    "local function functions_of_lua()\n"
    "  local function pause(text) lucio.sleep(0) return text end\n"
    "  local object = setmetatable({}, {__tostring = function() return pause('o') end})\n"
    "  assert(string.gsub(('ab'):rep(400), '(a)b', function(a) return pause(a) end) ==\n"
    "    ('a'):rep(400))\n"
    "  assert(tostring(object) .. string.format('%s %d', object, 1) == 'oo 1')\n"
    "  local n = 0\n"
    "  local function read() n = n + 1 return pause(({'return', ' 7'})[n]) end\n"
    "  local chunk, e = load(read)\n"
    "  assert((chunk or error(e, 0))() == 7)\n"
    "  local ok, text = xpcall(function()\n"
    "    local _ <close> = setmetatable({}, {__close = function() lucio.sleep(0.02) end})\n"
    "    error('x', 0)\n"
    "  end, function(e) lucio.sleep(0.01) return 'handled ' .. tostring(e) end)\n"
    "  assert(not ok and tostring(text):find('^handled'))\n"
    "  package.preload.m = function() return pause('m') end\n"
    "  package.loaded.m = nil\n"
    "  lucio.gather(function() assert(require 'm' == 'm') end,\n"
    "    function() assert(require 'm' == 'm') end)\n"
    "end\n"
    "local function threads()\n"
    "  local Own, var = lucio.exception('Own'), lucio.ContextVar('v', 1)\n"
    "  local function job(t)\n"
    "    if t.fail then error(Own('no', {t})) end\n"
    "    return {t, #t + var:get()}\n"
    "  end\n"
    "  var:set(2)\n"
    "  local pool <close> = lucio.ThreadPoolExecutor{max_workers = 1}\n"
    "  lucio.get_running_loop():set_default_executor(pool)\n"
    "  assert(lucio.to_thread(job, {1})[2] == 3)\n"
    "  local ok, e = pcall(lucio.to_thread, job, {fail = true})\n"
    "  assert(not ok and (lucio.isinstance(e, Own) or error(e, 0)))\n"
    "  assert(not pcall(pool.submit, pool, job, {coroutine.create(job)}))\n"
    "  pool:submit(job, {}):cancel()\n"
    "  local count = 0\n"
    "  for i, x in pool:map(job, {{}, {}, {}}, {chunksize = 2}) do count = count + i + x[2] end\n"
    "  assert(count == 9)\n"
    "end\n"
    "local function counts()\n"
    "  local counter, text = lucio.counter, ('w1 w2 w3 '):rep(70)\n"
    "  local all = counter.count(text, nil, counter.count_items{'w1', 'w2'})\n"
    "  counter.merge(all, counter.count('w1 w2', '%f[%w]%w+'))\n"
    "  assert(counter.total(counter.subtract(all, {w3 = 1})) == 213)\n"
    "  assert(counter.most_common(all, 1)[1][2] == 72)\n"
    "end\n"
    "function runner()\n"
    "  local runner <close> = lucio.Runner()\n"
    "  assert(runner:run(lucio.sleep, 0.01, 1) == 1 and runner:run(lucio.sleep, 0.01, 2) == 2)\n"
    "  runner:run(function() lucio.create_task(lucio.sleep, 9) lucio.sleep(0) end)\n"
    "  runner:close()\n"
    "end\n"
    "function main()\n"
    "  queues() cancels() groups() others() functions_of_lua() streams() threads() counts()\n"
    "  return 'done'\n"
    "end\n";

const char state_datagrams[] =
    "function main()\n"
    "  local name = '\\0lucio-' .. tostring({})\n"
    "  local receiver <close> = lucio.open_datagram{local_addr = name}\n"
    "  local sender <close> = lucio.open_datagram{remote_addr = name}\n"
    "  for i = 1, 50 do sender:sendto(('x'):rep(i)) end\n"
    "  local first = lucio.create_task(receiver.recvfrom, receiver)\n"
    "  lucio.sleep(0)\n"
    "  first:cancel()\n"
    "  for i = 1, 50 do assert(#receiver:recvfrom() == i) end\n"
    "  sender:drain()\n"
    "  local over, got = lucio.Future(), 0\n"
    "  local transport = lucio.get_running_loop():create_datagram_endpoint(function()\n"
    "    return {\n"
    "      datagram_received = function(self, data) got = got + #data end,\n"
    "      connection_lost = function() over:set_result() end}\n"
    "  end, {local_addr = name .. 'p'})\n"
    "  local other <close> = lucio.open_datagram{remote_addr = name .. 'p'}\n"
    "  for i = 1, 3 do other:sendto('xx') end\n"
    "  lucio.wait_for(function() while got < 6 do lucio.sleep(0.001) end end, 1)\n"
    "  transport:close()\n"
    "  lucio.wait_for(over, 1)\n"
    "  return 'done'\n"
    "end\n";

const char state_child[] =
    "function main()\n"
    "  local PIPE = lucio.subprocess.PIPE\n"
    "  local options = {stdin = PIPE, stdout = PIPE, stderr = PIPE}\n"
    "  local cat = lucio.create_subprocess_exec('/bin/cat', options)\n"
    "  assert(cat:communicate(('x'):rep(100000)) == ('x'):rep(100000))\n"
    "  assert(cat:wait() == 0)\n"
    "  options.timeout = 0.01\n"
    "  local other = lucio.create_subprocess_exec('/bin/cat', options)\n"
    "  assert(other:wait() == -9)\n"
    "  local third = lucio.create_subprocess_exec('/bin/cat', {stdin = PIPE})\n"
    "  local wait = lucio.create_task(third.wait, third)\n"
    "  lucio.sleep(0)\n"
    "  wait:cancel()\n"
    "  third:kill()\n"
    "  assert(third:wait() == -9)\n"
    "  return 'done'\n"
    "end\n";

void state_open(lua_State *L)
{
    luaL_requiref(L, "_G", luaopen_base, 1);
    luaL_requiref(L, "coroutine", luaopen_coroutine, 1);
    luaL_requiref(L, "package", luaopen_package, 1);
    luaL_requiref(L, "string", luaopen_string, 1);
    luaL_requiref(L, "table", luaopen_table, 1);
    luaL_requiref(L, "math", luaopen_math, 1);
    luaL_requiref(L, "lucio", luaopen_lucio, 1);
    lua_pop(L, 7);
}

static int protected_open(lua_State *L)
{
    state_open(L);
    return 0;
}

static void check(lua_State *L, int status)
{
    if (status == LUA_OK)
        return;
    fprintf(stderr, "a chunk of the test failed: %s\n", luaL_tolstring(L, -1, NULL));
    abort();
}

lua_State *state_new(struct memory *memory)
{
    lua_State *L = lua_newstate(memory_alloc, memory);

    if (L == NULL)
        abort();
    lua_pushcfunction(L, protected_open);
    check(L, lua_pcall(L, 0, 0, 0));
    return L;
}

void state_do(lua_State *L, const char *chunk, int nresults)
{
    check(L, luaL_loadstring(L, chunk));
    check(L, lua_pcall(L, 0, nresults, 0));
}

long state_integer(lua_State *L, const char *chunk)
{
    long number;

    state_do(L, chunk, 1);
    number = (long)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return number;
}

size_t state_open_files(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");

    if (dir == NULL)
        abort();
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}
