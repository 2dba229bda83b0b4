std = "lua54"
max_line_length = 100

files["spec/**/*_spec.lua"] = {std = "+busted"}
files["examples/busted/spec/*_spec.lua"] = {std = "+busted"}

-- Recorded programs, kept as they are: generated names, every callback with its argument.
files["spec/traces/[0-9]*.lua"] = {
  max_line_length = false,
  ignore = {"21.", "23.", "31.", "4.."},
}

-- Declarations without bodies, with long types.
files["lua/types"] = {max_line_length = false, ignore = {"212"}}
