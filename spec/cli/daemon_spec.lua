-- Executors at the end of the program: whose jobs are waited for.
local assert = require "luassert"
local command = require "spec.cli.command"

describe("a daemon executor", function()
  it("does not keep the program from ending", function()
    local r = command.run{script = [[
      local lucio = require "lucio"
      local pool = lucio.ThreadPoolExecutor{max_workers = 3, daemon = true}
      local started = lucio.shared.Semaphore(0)
      pool:submit(function() started:release() while true do end end)
      pool:submit(function()
        started:release()
        while true do pcall(function() while true do end end) end
      end)
      pool:submit(function()
        io.popen("exec 2>&- >&-; echo $PPID; exec sleep 1000"):close()
      end)
      pool:submit(print, "never")
      for _ = 1, 2 do started:acquire() end
      print("the end")
    ]], "SCRIPT"}
    assert.are.same({"the end\n", "", 0}, {r.out, r.err, r.status})
  end)
end)

for _, kind in ipairs {"ThreadPoolExecutor", "ProcessPoolExecutor"} do
  describe("a " .. kind .. " that nobody shut down", function()
    local submit = [[
      local lucio = require "lucio"
      local pool = lucio.]] .. kind .. [[{max_workers = 1}
      for i = 1, 3 do pool:submit(print, "job", i) end
      print("the end")
    ]]

    it("does its jobs before the program ends", function()
      local r = command.run{script = "io.stdout:setvbuf('line') " .. submit, "SCRIPT"}
      local lines = {}
      for line in r.out:gmatch("[^\n]+") do
        if line ~= "the end" then lines[#lines + 1] = line end
      end
      assert.are.same({"job\t1", "job\t2", "job\t3"}, lines)
      assert.are.same({"", 0}, {r.err, r.status})
    end)

    it("does them when an error ends the program", function()
      local r = command.run{script = submit .. " error('failed')", "SCRIPT"}
      assert.is_truthy(r.out:find("job\t3", 1, true), r.out)
      assert.is_truthy(r.err:find("failed", 1, true), r.err)
      assert.are.equal(1, r.status)
    end)
  end)
end

describe("Ctrl-C that ends the program", function()
  it("drops the jobs that no thread has", function()
    local r = command.run{script = [[
      local lucio = require "lucio"
      local pool = lucio.ThreadPoolExecutor{max_workers = 1}
      local started = lucio.shared.Semaphore(0)
      pool:submit(function() started:release() while true do end end)
      pool:submit(print, "never")
      started:acquire()
      io.popen("kill -INT $PPID"):close()
      lucio.sleep(60)
    ]], "SCRIPT"}
    assert.are.same({"", 130}, {r.out, r.status})
  end)
end)
