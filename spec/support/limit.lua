--- Seconds that are far more than anything in a spec takes: the limit of whatever is waited for.
--
-- A machine with a lot to do stops processes for seconds, and needs seconds to start one. A limit
-- only says when to give up on what will never come; SLOW=N in the environment multiplies it.
return 60 * (tonumber(os.getenv "SLOW") or 1)
