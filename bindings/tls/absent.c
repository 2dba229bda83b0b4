/*
 * absent: lucio.ssl of a build without TLS.
 */
#include "core.h"
#include "submodule.h"

int lc_open_ssl(lua_State *L)
{
    lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR,
             "lucio.ssl: this lucio was built without TLS (meson's option tls, OpenSSL's headers)");
}
