#include "openssl.h"

#include <dlfcn.h>

#include <lauxlib.h>

#include "error.h"
#include "host.h"

#define LIBRARY "libssl.so.3"

struct symbol {
    const char *name;
    size_t offset;
};

static const struct symbol symbols[] = {
#define ROW(name) {#name, offsetof(struct lc_openssl, name)},
    LC_OPENSSL_FUNCTIONS(ROW)
#undef ROW
};

const struct lc_openssl *lc_openssl_load(lua_State *L, struct lc_host *host)
{
    struct lc_openssl *table;
    void *library;

    luaL_checkstack(L, 8, NULL);
    if (host->refs[LC_REF_OPENSSL] != 0) {
        lc_host_push_ref(L, host, LC_REF_OPENSSL);
        table = lua_touserdata(L, -1);
        lua_pop(L, 1);
        return table;
    }
    table = lua_newuserdatauv(L, sizeof *table, 0);
    /* it stays in the process: it has handlers of the process's end */
    library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == NULL)
        lc_raise(L, host, LC_RUNTIME_ERROR, "TLS needs OpenSSL 3: %s", dlerror());
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        /* its own libraries are searched too */
        void *function = dlsym(library, symbols[i].name);

        if (function == NULL) {
            dlclose(library);
            lc_raise(L, host, LC_RUNTIME_ERROR, "TLS needs OpenSSL 3: " LIBRARY " lacks %s",
                     symbols[i].name);
        }
        *(void **)((char *)table + symbols[i].offset) = function;
    }
    dlclose(library);
    lc_host_set_ref(L, host, LC_REF_OPENSSL);
    return table;
}
