-- Bytes and text. A Lua string is a sequence of bytes, its length is a number of bytes; that it
-- holds UTF-8 is a matter of how one looks at it, and the utf8 library counts and finds
-- characters. At the border to a socket the difference matters twice: a length is announced in
-- bytes, and a piece that arrives may end in the middle of a character, so a decoder keeps the
-- unfinished rest.
-- In asyncio: bytes and str, encode, decode, an incremental decoder.
local lucio = require "lucio"

local TEXT = "Привет, мир!"

local function hex(bytes)
  return bytes:gsub(".", function(byte) return ("%02x "):format(byte:byte()) end):sub(1, -2)
end

-- Returns a function that takes the next bytes and gives the characters that are complete by now.
local function decoder()
  local rest = ""
  return function(bytes)
    bytes = rest .. bytes
    local _, broken_at = utf8.len(bytes)
    local cut = broken_at or #bytes + 1
    rest = bytes:sub(cut)
    return bytes:sub(1, cut - 1)
  end
end

-- Stands for the sending side of a connection: five bytes at a time.
local function sender(wire, text)
  wire:put(("Длина: %d\n"):format(#text))
  for i = 1, #text, 5 do
    lucio.sleep(0.1)
    wire:put(text:sub(i, i + 4))
  end
  wire:shutdown()
end

local function receiver(wire)
  io.write(wire:get())
  local decode = decoder()
  local text = {}
  for _, piece in wire:items() do
    local characters = decode(piece)
    table.insert(text, characters)
    print(("%-14s -> '%s'"):format(hex(piece), characters))
  end
  return table.concat(text)
end

local function main()
  print(("%s: байтов %d, символов %d"):format(TEXT, #TEXT, utf8.len(TEXT)))
  local first = TEXT:sub(1, utf8.offset(TEXT, 2) - 1)
  print(("первый символ: '%s', байты %s, код %d"):format(first, hex(first), utf8.codepoint(first)))
  print(("из кодов: %s"):format(utf8.char(1084, 1080, 1088)))

  local half = TEXT:sub(1, 3) -- cuts the second character in two
  print(("три байта: %s, это текст: %s"):format(hex(half), utf8.len(half) ~= nil))

  local wire = lucio.Queue(1)
  local sending = lucio.create_task(sender, wire, TEXT)
  local received = receiver(wire)
  sending:await()
  print("получено без потерь: " .. tostring(received == TEXT))
end

lucio.run(main)
