--- Cases that need something of the system which not every machine or user has.
local busted = require "busted"

local M = {}

--- Namespaces of users, mounts and networks.
M.NAMESPACES = "unshare -rmn sh -ec 'ip link set lo up; mount -t tmpfs none /mnt'"

--- The loopback address of IPv6.
M.IPV6 = "grep -q '^00000000000000000000000000000001 ' /proc/net/if_inet6"

--- To become a user without rights who may still run the program.
function M.another_user(program)
  return ("[ $(id -u) = 0 ] && setpriv --reuid=65534 --clear-groups '%s' -e ''"):format(program)
end

local function works(shell)
  return (os.execute(("(%s) </dev/null >/dev/null 2>&1"):format(shell)))
end

--- A case for machines where the shell command succeeds, made by `make` (default: Busted's it). On
-- others its name says that it is left out and what it needs, which the test runner repeats.
function M.case(shell, needs, name, fn, make)
  if works(shell) then return (make or busted.it)(name, fn) end
  busted.it(("left out: %s, which needs %s"):format(name, needs), function()
    assert(not works(shell), "it could have run")
  end)
end

return M
