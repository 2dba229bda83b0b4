-- Executors whose threads do not hold up the end of the program.
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
