--- Runs a workload over another library: `lua5.4 with.lua luv ../switch.lua`. The file luv.lua
-- beside this one gives that library the names of lucio that the workloads use.
local here = arg[0]:match "^(.*)/" or "."
local peer, script = arg[1], arg[2]

package.path = here .. "/../support/?.lua;" .. package.path
package.loaded.lucio = dofile(here .. "/" .. peer .. ".lua")

local shifted = { [0] = script }
for i = 3, #arg do
  shifted[i - 2] = arg[i]
end
arg = shifted -- luacheck: ignore

dofile(script)
