#include "stop.h"

#include "core.h"

void lc_stop_check(lua_State *L, struct lc_host *host)
{
    if (host->stopped != NULL && atomic_load(host->stopped))
        lc_raise(L, host, LC_CANCELLED_ERROR, "the job was stopped");
}
