--- Turns the modules written in Lua into one C file: `lua5.4 embed.lua OUTPUT lucio/NAME.lua...`.
-- Each becomes an array with its text and a line in the table that bindings/core/submodule.h
-- declares. A module with a syntax error is reported as luac does it, and ends the build.

local BYTES_IN_LINE = 20

local function read_file(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

-- The name below lucio: "http.router" of any/where/lucio/http/router.lua.
local function module_name(path)
  local name = assert(path:match("^.*lucio/(.+)%.lua$"), path .. ": not below lucio/")
  return (name:gsub("/", "."))
end

local function array(identifier, text)
  local lines = {string.format("static const char %s[] = {", identifier)}
  for from = 1, #text, BYTES_IN_LINE do
    local bytes = {text:byte(from, from + BYTES_IN_LINE - 1)}
    lines[#lines + 1] = "    " .. table.concat(bytes, ", ") .. ","
  end
  lines[#lines + 1] = "};\n"
  return table.concat(lines, "\n")
end

local function main(output, ...)
  local arrays, rows = {}, {}
  for _, path in ipairs {...} do
    local name, text = module_name(path), read_file(path)
    local chunk, message = load(text, "@" .. path, "t")
    if not chunk then
      io.stderr:write(message, "\n")
      os.exit(1)
    end
    if text:find("[\x80-\xff]") then error(path .. ": plain ASCII only", 0) end
    local identifier = "source_" .. name:gsub("%.", "_")
    arrays[#arrays + 1] = array(identifier, text)
    rows[#rows + 1] = string.format('    {"%s", "@lucio/%s.lua", %s, sizeof %s},', name,
      name:gsub("%.", "/"), identifier, identifier)
  end
  local file <close> = assert(io.open(output, "wb"))
  file:write('/* Made by lua/embed.lua. */\n#include "submodule.h"\n\n', table.concat(arrays, "\n"),
    "\nconst struct lc_lua_source lc_lua_sources[] = {\n", table.concat(rows, "\n"),
    "\n    {NULL, NULL, NULL, 0},\n};\n")
end

main(...)
