-- `luarocks --lua-version=5.4 make` builds the module for stock Lua from this directory and installs it;
-- no network is needed. Meson, ninja, a C compiler, liblua5.4-dev and libev-dev have to be there.
rockspec_format = "3.0"
package = "lucio"
version = "scm-1"
source = {
  url = "git+file://.",
}
description = {
  summary = "Lua Coroutine I/O: the model of Python's asyncio for Lua 5.4, in C on libev",
  detailed = [[
An event loop, tasks, futures, cancellation, timeouts, task groups, queues, locks, streams and
subprocesses, under asyncio's names and with asyncio's order of events. Calls that wait need no mark.]],
  license = "MIT",
}
supported_platforms = {"linux"}
dependencies = {
  "lua >= 5.4, < 5.5",
}
external_dependencies = {
  EV = {header = "ev.h"},
}
build = {
  type = "command",
  build_command = "test -f build-rock/build.ninja"
    .. " || meson setup build-rock -Drepl=disabled -Dprograms=false"
    .. "; ninja -C build-rock bindings/lucio.so lucio-worker",
  install = {
    lib = {
      lucio = "build-rock/bindings/lucio.so",
      -- worker processes run it; it is found beside the module
      "build-rock/lucio-worker",
    },
  },
}
