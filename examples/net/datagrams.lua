-- Questions and answers, one datagram each. Datagrams may get lost: who asks does so again when no
-- answer comes in time; this server loses every other question on purpose.
local lucio = require "lucio"

local ROOMS = {anna = "12", boris = "7", clara = "3"}

local function serve(endpoint)
  local count = 0
  for question, address in endpoint:datagrams() do
    count = count + 1
    if count % 2 == 0 then
      local name = question:match("^where is (%w+)%?$")
      endpoint:sendto(("%s %s"):format(question, ROOMS[name] or "unknown"), address)
    end
  end
end

local function ask(endpoint, question, tries)
  for try = 1, tries do
    endpoint:sendto(question)
    local ok, answer = lucio.pcall(lucio.wait_for, function()
      -- an answer that came too late belongs to another question
      for answer in endpoint:datagrams() do
        if answer:sub(1, #question) == question then return answer:sub(#question + 2) end
      end
    end, 0.1)
    if ok then return answer, try end
    if not lucio.isinstance(answer, lucio.TimeoutError) then error(answer, 0) end
  end
  error(lucio.TimeoutError("no answer"))
end

lucio.run(function()
  local server <close> = lucio.open_datagram{local_addr = {"127.0.0.1", 0}}
  local serving = lucio.create_task(serve, server)
  local client <close> = lucio.open_datagram{remote_addr = server:getsockname()}
  for _, name in ipairs {"anna", "boris", "dora"} do
    print(name, ask(client, ("where is %s?"):format(name), 5))
  end
  server:close()
  serving:await()
  -- nobody is there any more, and the system says so
  server:wait_closed()
  local ok, e = pcall(ask, client, "where is clara?", 5)
  print(ok, e.name)
end)
