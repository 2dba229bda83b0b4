--- (length) -> bytes of all kinds, many of which are special in patterns.
return function(length)
  local bytes = {}
  for i = 1, length do
    local special = ("ab 1]-^%+."):byte(math.random(10))
    bytes[i] = string.char(math.random(2) == 1 and math.random(0, 255) or special)
  end
  return table.concat(bytes)
end
