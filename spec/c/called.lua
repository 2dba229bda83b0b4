-- Makes a C header of lucio.h (arg[1]), to be included behind it: it notes each use of a public
-- function, so that a test can say which ones it has left out.
local names = {}
for line in io.lines(arg[1]) do
  local name = line:match("^LUCIO_API .-([%w_]+)%(")
  if name then names[#names + 1] = name end
end
assert(#names > 100, "this is not lucio.h")

print("/* Made by called.lua. */\n#include <stdbool.h>\n#include <stddef.h>\n")
print("static const char *const called_names[] = {")
for _, name in ipairs(names) do print(('    "%s",'):format(name)) end
print("};\n")
print("static bool called[sizeof called_names / sizeof called_names[0]];\n")
print([[
static inline void called_note(size_t i)
{
    called[i] = true;
}

/* The first function from *i on that nobody has called; NULL: there is none. */
static const char *called_next_missing(size_t *i)
{
    while (*i < sizeof called && called[*i])
        ++*i;
    return *i < sizeof called ? called_names[(*i)++] : NULL;
}
]])
for i, name in ipairs(names) do
  print(("#define %s (called_note(%d), %s)"):format(name, i - 1, name))
end
