-- The --allow options of the command: docs/api/permissions.md.
local assert = require "luassert"
local command = require "spec.cli.command"
local process = require "spec.support.process"
local tls = require "spec.support.tls"

-- Every try prints a line: its name, then what came of it.
local PRELUDE = [[
local lucio = require "lucio"
local D = arg[1]
local function try(name, f, ...)
  local r = table.pack(pcall(f, ...))
  print(name, r[1] and "ok" or r[2] and (tostring(r[2].name) .. ": " .. tostring(r[2])), r[2])
end
local function worker(f, ...)
  local executor <close> = lucio.ThreadPoolExecutor(1)
  return executor:submit(f, ...):await()
end
]]

-- Doors: kind, name, code of the try; what is missing, with D for the directory of the spec.
local DOORS = {
  {"read", "io.open", "io.open, D .. '/in/file'", "reading 'D/in/file'"},
  {"read", "io.open r+", "io.open, D .. '/in/file', 'r+'", "reading 'D/in/file'", "write"},
  {"read", "io.lines", "io.lines, D .. '/in/file'", "reading 'D/in/file'"},
  {"read", "io.input", "io.input, D .. '/in/file'", "reading 'D/in/file'"},
  {"read", "loadfile", "loadfile, D .. '/in/file'", "reading 'D/in/file'"},
  {"read", "dofile", "dofile, D .. '/in/file'", "reading 'D/in/file'"},
  {"read", "worker", "worker, function(p) return io.open(p):close() end, D .. '/in/file'",
    "reading 'D/in/file'"},
  {"write", "io.open w", "io.open, D .. '/in/new', 'w'", "writing 'D/in/new'"},
  {"write", "io.open a", "io.open, D .. '/in/new', 'a'", "writing 'D/in/new'"},
  {"write", "io.output", "io.output, D .. '/in/new'", "writing 'D/in/new'"},
  {"write", "os.remove", "os.remove, D .. '/in/new'", "writing 'D/in/new'"},
  {"write", "log", "require('lucio.log').FileHandler, D .. '/in/log'", "writing 'D/in/log'"},
  {"write", "os.rename", "os.rename, D .. '/in/log', D .. '/in/log2'", "reading 'D/in/log'",
    "read"},
  {"write", "io.tmpfile", "io.tmpfile", "writing '/tmp'"},
  {"write", "os.tmpname", "function() return os.remove(os.tmpname()) end", "writing '/tmp'"},
  {"run", "io.popen", "function() return io.popen('true'):close() end", "running 'sh'"},
  {"run", "os.execute", "os.execute, 'true'", "running 'sh'"},
  {"env", "os.getenv", "os.getenv, 'HOME'", "the variable 'HOME'"},
  {"load", "package.loadlib", "package.loadlib, D .. '/in/file', '*'", "loading 'D/in/file'"},
  {"read", "fs.read_file", "lucio.fs.read_file, D .. '/in/file'", "reading 'D/in/file'"},
  {"read", "fs.open", "lucio.fs.open, D .. '/in/file'", "reading 'D/in/file'"},
  {"read", "fs.stat", "lucio.fs.stat, D .. '/in/file'", "reading 'D/in/file'"},
  {"read", "fs.lstat", "lucio.fs.lstat, D .. '/in/file'", "reading 'D/in/file'"},
  {"read", "fs.exists", "lucio.fs.exists, D .. '/in/file'", "reading 'D/in/file'"},
  {"read", "fs.listdir", "lucio.fs.listdir, D .. '/in'", "reading 'D/in'"},
  {"read", "fs.readlink", "lucio.fs.readlink, D .. '/in/link'", "reading 'D/in/link'"},
  {"read", "ssl.capath", "lucio.ssl.create_default_context, nil, {capath = D .. '/in'}",
    "reading 'D/in'"},
  {"read", "ssl.load_cert_chain", [[function()
    local context = lucio.ssl.SSLContext(lucio.ssl.PROTOCOL_TLS_SERVER)
    local _, e = pcall(context.load_cert_chain, context, D .. '/in/file')
    if e.name ~= "SSLError" then error(e, 0) end
  end]], "reading 'D/in/file'"},
  {"read", "fs.realpath", "lucio.fs.realpath, D .. '/in/file'", "reading 'D/in/file'"},
  {"write", "fs.write_file", "lucio.fs.write_file, D .. '/in/f', 'x'", "writing 'D/in/f'"},
  {"write", "fs.write_file atomic", "lucio.fs.write_file, D .. '/in/f', 'x', {atomic = true}",
    "writing 'D/in/f'"},
  {"write", "fs.open w", "lucio.fs.open, D .. '/in/f', 'w'", "writing 'D/in/f'"},
  {"write", "fs.chmod", "lucio.fs.chmod, D .. '/in/f', 384", "writing 'D/in/f'"},
  {"write", "fs.copy", "lucio.fs.copy, D .. '/in/f', D .. '/in/g'", "reading 'D/in/f'", "read"},
  {"write", "fs.rename", "lucio.fs.rename, D .. '/in/g', D .. '/in/f'", "reading 'D/in/g'",
    "read"},
  {"write", "fs.remove", "lucio.fs.remove, D .. '/in/f'", "writing 'D/in/f'"},
  {"write", "fs.mkdir", "lucio.fs.mkdir, D .. '/in/d/e', {parents = true}",
    "writing 'D/in/d/e'"},
  {"write", "fs.rmdir", "lucio.fs.rmdir, D .. '/in/d/e'", "writing 'D/in/d/e'"},
  {"write", "fs.rmtree", "lucio.fs.rmtree, D .. '/in/d'", "writing 'D/in/d'"},
  {"write", "fs.tempdir", "function() lucio.fs.tempdir{dir = D .. '/in'}:remove() end",
    "writing 'D/in/lucio-XXXXXX'"},
  {"write", "fs.tempfile", "function() lucio.fs.tempfile{dir = D .. '/in'}:close() end",
    "writing 'D/in/lucio-XXXXXX'"},
  {"run", "create_subprocess_shell",
    "function() assert(lucio.create_subprocess_shell('true'):wait() == 0) end",
    "running '/bin/sh'"},
  {"net", "start_server", "function() lucio.start_server(print, '127.0.0.1', 0):close() end",
    "network access to '127.0.0.1:0'"},
  {"net", "start_server, every interface",
    "function() lucio.start_server(print, nil, 0):close() end", "network access to '0.0.0.0:0'"},
  {"net", "open_connection", [[function()
      local ok, e = pcall(lucio.open_connection, '127.0.0.1', 1)
      if e.name ~= 'ConnectionRefusedError' then error(e) end
    end]], "network access to '127.0.0.1:1'"},
  {"net", "open_datagram",
    "function() lucio.open_datagram{local_addr = {'127.0.0.1', 0}}:close() end",
    "network access to '127.0.0.1:0'"},
  {"net", "open_datagram, by name",
    "function() lucio.open_datagram{remote_addr = {'localhost', 9}}:close() end",
    "network access to 'localhost:9'"},
  {"net", "sendto", [[function()
      local endpoint <close> = lucio.open_datagram{family = 'inet'}
      endpoint:sendto('x', {'127.0.0.1', 9})
    end]], "network access to '127.0.0.1:9'"},
  {"net", "create_datagram_endpoint", [[function()
      lucio.get_running_loop():create_datagram_endpoint(function() return {} end,
        {remote_addr = {'127.0.0.1', 9}}):close()
    end]], "network access to '127.0.0.1:9'"},
  {"read", "open_datagram, a path", [[function()
      lucio.open_datagram{local_addr = D .. '/in/datagrams'}:close()
      os.remove(D .. '/in/datagrams')
    end]], "reading 'D/in/datagrams'", "write"},
  {"net", "getaddrinfo", "function() lucio.get_running_loop():getaddrinfo('localhost', 80) end",
    "network access to 'localhost:80'"},
  {"net", "abstract socket", [[function()
      local ok, e = pcall(lucio.open_unix_connection, '\0no such')
      if e.name ~= 'ConnectionRefusedError' then error(e) end
    end]], "network access to '@no such'"},
  {"read", "start_unix_server",
    "function() lucio.start_unix_server(print, D .. '/in/socket'):close() end",
    "reading 'D/in/socket'", "write"},
}

if tls.missing then
  for i = #DOORS, 1, -1 do
    if DOORS[i][2]:find("^ssl%.") then table.remove(DOORS, i) end
  end
end

describe("lucio --allow", function()
  local directory

  local function write(name, text)
    local file <close> = assert(io.open(directory .. "/" .. name, "w"))
    file:write(text)
  end

  setup(function()
    directory = process.lines("mktemp -d /tmp/lucio-permissions-XXXXXX")[1]
    assert(os.execute(("cd %s && mkdir in out scripts scripts/sub"):format(directory)))
    write("in/file", "return 'in'")
    write("in/log", "")
    write("out/file", "return 'out'")
    write("out/module.lua", "return 'outside'")
    write("scripts/module.lua", "return 'module'")
    write("scripts/sub/module.lua", "return 'sub'")
    assert(os.execute(([[cd %s && ln -s ../out in/link && ln -s ../out/new in/dangling &&
      ln -s ../out/new in/dangling2 &&
      ln -s ../in/file out/back && ln -s scripts/main.lua link.lua]]):format(directory)))
  end)

  teardown(function() os.execute("rm -r " .. directory) end)

  -- Runs the code with these options; D in them is the directory.
  local function run(options, code)
    local argv = {}
    for i, option in ipairs(options) do argv[i] = option:gsub("D", directory) end
    write("scripts/main.lua", PRELUDE .. code)
    argv[#argv + 1] = directory .. "/scripts/main.lua"
    argv[#argv + 1] = directory
    return command.run(argv)
  end

  -- What came of each try, by its name.
  local function tries(r)
    assert.are.same({"", 0}, {r.err, r.status})
    local results = {}
    for name, result in r.out:gmatch("([^\n\t]+)\t([^\n\t]+)[^\n]*") do
      results[name] = result:gsub(directory:gsub("%p", "%%%0"), "D")
    end
    return results
  end

  local function doors(wanted)
    local code, names = {}, {}
    for _, door in ipairs(DOORS) do
      if wanted[door[1]] and (door[5] == nil or wanted[door[5]]) then
        code[#code + 1] = ("try(%q, %s)"):format(door[2], door[3])
        names[#names + 1] = door
      end
    end
    return table.concat(code, "\n"), names
  end

  tls.left_out()

  local ALL = {read = true, write = true, net = true, run = true, env = true, load = true}

  it("refuses every door that is not named, once one is", function()
    local code, names = doors(ALL)
    local results, expected = tries(run({"--allow-env=OTHER"}, code)), {}
    for _, door in ipairs(names) do
      local kind = door[4]:find("^reading") and "read" or door[1]
      expected[door[2]] = ("PermissionError: %s needs --allow-%s"):format(door[4], kind)
    end
    assert.are.same(expected, results)
  end)

  local function all_pass(options, wanted)
    local code, names = doors(wanted)
    local results = tries(run(options, code))
    for _, door in ipairs(names) do assert.are.equal("ok", results[door[2]], door[2]) end
  end

  it("opens the doors of a kind without a list", function()
    all_pass({"--allow-read"}, {read = true})
    all_pass({"--allow-run"}, {run = true})
    all_pass({"--allow-env"}, {env = true})
    all_pass({"--allow-load"}, {load = true})
    all_pass({"--allow-net"}, {net = true})
    all_pass({"--allow-read", "--allow-write"}, {read = true, write = true})
  end)

  it("opens the doors of a list, and those of several options of a kind", function()
    all_pass({"--allow-read=D/in", "--allow-write=D/in,/tmp"}, {read = true, write = true})
    all_pass({"--allow-run=sh"}, {run = true})
    all_pass({"--allow-run=/bin/sh"}, {run = true})
    all_pass({"--allow-env=OTHER,HOME"}, {env = true})
    all_pass({"--allow-env=OTHER", "--allow-env=HOME"}, {env = true})
    all_pass({"--allow-load=D/in"}, {load = true})
  end)

  it("allows everything with --allow-all, and without any option", function()
    all_pass({"--allow-env=OTHER", "--allow-all"}, ALL)
    all_pass({}, ALL)
    local results = tries(run({}, [[
      try("debug", debug.getregistry)
      try("binary", function() assert(load(string.dump(function() end))) end)]]))
    assert.are.same({debug = "ok", binary = "ok"}, results)
  end)

  it("follows .. and links, also those that lead nowhere, to where they lead", function()
    local results = tries(run({"--allow-read=D/in", "--allow-write=D/in"}, [[
      try("dots", io.open, D .. "/in/../out/file")
      try("link", io.open, D .. "/in/link/file")
      try("dangling", io.open, D .. "/in/dangling", "w")
      try("proc", io.open, "/proc/self/root" .. D .. "/out/file")
      try("prefix", io.open, D .. "/input")
      try("back", io.open, D .. "/out/back")
      try("in and out", io.open, D .. "/out/../in/link/../in/./file")
      try("remove link outside", os.remove, D .. "/out/back")
      try("remove link inside", os.remove, D .. "/in/dangling")
      try("rename", os.rename, D .. "/out/file", D .. "/in/stolen")
      try("rename out", os.rename, D .. "/in/file", D .. "/out/file")]]))
    local function refused(doing, path)
      return ("PermissionError: %s 'D/%s' needs --allow-%s"):format(doing, path,
        doing == "reading" and "read" or "write")
    end
    assert.are.same({
      dots = refused("reading", "in/../out/file"),
      link = refused("reading", "in/link/file"),
      dangling = refused("writing", "in/dangling"),
      proc = "PermissionError: reading '/proc/self/rootD/out/file' needs --allow-read",
      prefix = refused("reading", "input"),
      back = "ok",
      ["in and out"] = "ok",
      ["remove link outside"] = refused("writing", "out/back"),
      ["remove link inside"] = "ok",
      rename = refused("reading", "out/file"),
      ["rename out"] = refused("writing", "out/file"),
    }, results)
  end)

  it("keeps lucio.fs within its directories too", function()
    local results = tries(run({"--allow-read=D/in", "--allow-write=D/in"}, [[
      try("link", lucio.fs.read_file, D .. "/in/link/file")
      try("dangling", lucio.fs.write_file, D .. "/in/dangling2", "x")
      try("parents", lucio.fs.mkdir, D .. "/in/../way/d", {parents = true})
      try("parents inside", lucio.fs.mkdir, D .. "/in/../way/../in/d/e", {parents = true})
      try("parent outside", lucio.fs.stat, D .. "/way")
      try("symlink", lucio.fs.symlink, D .. "/out", D .. "/in/new")
      try("copy", lucio.fs.copy, D .. "/in/file", D .. "/out/copy")
      try("rename link", lucio.fs.rename, D .. "/out/back", D .. "/in/stolen")
      try("temporary", function() lucio.fs.tempdir():remove() end)]]))
    local function refused(doing, path)
      return ("PermissionError: %s '%s' needs --allow-%s"):format(doing, path,
        doing == "reading" and "read" or "write")
    end
    assert.are.same({
      link = refused("reading", "D/in/link/file"),
      dangling = refused("writing", "D/in/dangling2"),
      parents = refused("writing", "D/in/../way/d"),
      ["parents inside"] = "ok",
      ["parent outside"] = refused("reading", "D/way"),
      symlink = refused("writing", "D/in/new"),
      copy = refused("writing", "D/out/copy"),
      ["rename link"] = refused("reading", "D/out/back"),
      temporary = refused("writing", "/tmp/lucio-XXXXXX"),
    }, results)
  end)

  it("runs the programs of the list, by name or by path", function()
    local function spawn(option)
      local results = tries(run({option}, [[
        local function start(name, ...)
          local options = {stdout = lucio.subprocess.DEVNULL}
          for k, v in pairs(... or {}) do options[k] = v end
          lucio.create_subprocess_exec(name, "-c", "true", options):wait()
        end
        try("name", start, "sh")
        try("path", start, "/bin/sh")
        try("other", start, "true")
        try("linker", start, "/bin/sh", {env = {LD_PRELOAD = D .. "/in/file"}})
        try("search", start, "sh", {env = {PATH = D .. "/in"}})
        try("relative", start, "./sh", {cwd = "/bin"})]]))
      local names = {}
      for name, result in pairs(results) do
        if result == "ok" then names[#names + 1] = name end
      end
      table.sort(names)
      return table.concat(names, ", ")
    end
    assert.are.equal("name, path", spawn("--allow-run=sh"))
    assert.are.equal("path, relative", spawn("--allow-run=/bin/sh"))
  end)

  it("compares hosts by name, address and port", function()
    local code = [[
      local function connect(host, port)
        local ok, e = pcall(lucio.open_connection, host, port, {family = "inet"})
        if e.name ~= "ConnectionRefusedError" then error(e) end
      end
      try("number", connect, "127.0.0.1", 1)
      try("other port", connect, "127.0.0.1", 2)
      try("name", connect, "LocalHost", 1)
      try("number after name", connect, "127.0.0.1", 1)
      try("other port after name", connect, "127.0.0.1", 2)
      try("other", connect, "127.0.0.2", 1)
      try("short", connect, "127.1", 1)]]
    local function passed(option)
      local names = {}
      for name, result in pairs(tries(run({option}, code))) do
        if result == "ok" then names[#names + 1] = name end
      end
      table.sort(names)
      return table.concat(names, ", ")
    end
    assert.are.equal("number, number after name", passed("--allow-net=127.0.0.1:1"))
    assert.are.equal("number, number after name, other port, other port after name",
      passed("--allow-net=127.0.0.1"))
    assert.are.equal("name, number after name", passed("--allow-net=localhost:1"))
    assert.are.equal("name, number after name, other port after name",
      passed("--allow-net=localhost"))
    assert.are.equal("name, number, number after name, other, short", passed("--allow-net=*:1"))
    assert.are.equal("", passed("--allow-net=[::1]:1,::2"))
  end)

  it("lets require read below the script's directory, and pass over the rest", function()
    local code = [[
      package.path = D .. "/scripts/?.lua;" .. D .. "/out/?.lua"
      try("module", require, "module")
      try("sub", require, "sub.module")
      package.loaded.module = nil
      package.path = D .. "/out/?.lua;" .. D .. "/scripts/?.lua"
      try("second", require, "module")
      package.path = D .. "/scripts/../out/?.lua"
      package.loaded.module = nil
      local ok, e = pcall(require, "module")
      print("outside", (e:match("no permission to read '[^\n]*'")))
      try("open", io.open, D .. "/scripts/module.lua")
      try("searchpath", function()
        assert(package.searchpath("module", D .. "/scripts/?.lua"))
        local file, why = package.searchpath("module", D .. "/out/?.lua")
        assert(file == nil and why:find("no permission to read", 1, true))
      end)]]
    local expected = {
      module = "ok", sub = "ok", second = "ok",
      outside = "no permission to read 'D/scripts/../out/module.lua'",
      open = "PermissionError: reading 'D/scripts/module.lua' needs --allow-read",
      searchpath = "ok",
    }
    assert.are.same(expected, tries(run({"--allow-env"}, code)))
  end)

  it("has no precompiled chunks and little of debug", function()
    local code = [[
      local chunk = string.dump(function() return 1 end)
      try("text", function() assert(load("return 1", "name", "bt")() == 1) end)
      try("binary", function() assert(not load(chunk) and not load(chunk, "name", "b")) end)
      try("only binary", function() assert(not load("return 1", "name", "b")) end)
      try("file", function()
        local file <close> = io.open(D .. "/in/binary", "wb")
        file:write(chunk)
        file:close()
        assert(not loadfile(D .. "/in/binary"))
        assert(not pcall(dofile, D .. "/in/binary"))
        package.path = D .. "/in/?"
        assert(not pcall(require, "binary"))
      end)
      try("environment", function()
        assert(load("return x", "name", "t", {x = 2})() == 2)
        assert(loadfile(D .. "/in/file")() == "in" and dofile(D .. "/in/file") == "in")
      end)
      for name, f in pairs(debug) do
        if name ~= "traceback" and name ~= "getinfo" and name ~= "getmetatable" then
          try("debug", f, 1)
        end
      end
      try("traceback", debug.traceback)]]
    local results = tries(run({"--allow-read=D/in", "--allow-write=D/in"}, code))
    assert.matches("^PermissionError: debug%.%w+ is not there where permissions are limited$",
      results.debug)
    results.debug = nil
    assert.are.same({text = "ok", binary = "ok", ["only binary"] = "ok", file = "ok",
      environment = "ok", traceback = "ok"}, results)
    assert.are.same({binary = "ok"}, tries(run({"--allow-load"}, [[
      try("binary", function() assert(load(string.dump(function() end))) end)]])))
  end)

  it("may wait in a file that dofile runs", function()
    write("in/waits.lua", "return require('lucio').sleep(0, 'waited')")
    local r = run({"--allow-read=D/in"}, "print(dofile(D .. '/in/waits.lua'))")
    assert.are.same({"waited\n", "", 0}, {r.out, r.err, r.status})
  end)

  it("says what is wrong with a list", function()
    for option, why in pairs {
      ["--allow-read="] = "has an empty item",
      ["--allow-read=a,,b"] = "has an empty item",
      ["--allow-net=localhost:http"] = "has a bad port",
      ["--allow-net=localhost:70000"] = "has a bad port",
      ["--allow-net=[::1"] = "has a bad address in brackets",
      ["--allow-net=:80"] = "has a bad host",
      ["--allow-ffi"] = "is no option of lucio",
    } do
      local r = command.run{option, "-e", ""}
      assert.are.equal(1, r.status)
      assert.matches(("lucio: '%s' %s\n"):format(option, why), r.err, 1, true)
    end
  end)

  it("runs the example of its page, which prints what the page says", function()
    local page = process.read_file("docs/api/permissions.md")
    local function block(language) return page:match("\n```" .. language .. "\n(.-)```\n") end
    local r = command.run{script = block("lua"), "--allow-read=docs", "--allow-net=localhost:80",
      "SCRIPT"}
    assert.are.same({block("text"), "", 0}, {r.out, r.err, r.status})
  end)

  it("takes a comma in a path from behind a backslash", function()
    write("a,b", "comma")
    local results = tries(run({"--allow-read=D/a\\,b"}, [[try("comma", io.open, D .. "/a,b")]]))
    assert.are.same({comma = "ok"}, results)
  end)
end)
