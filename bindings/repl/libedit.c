#include "libedit.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>

/* The library that the header of the build belongs to. */
#define LIBRARY "libedit.so.2"

const struct lc_libedit *lc_libedit_load(void)
{
    static struct lc_libedit functions;
    static bool loaded;
    void *library;

    if (loaded)
        return &functions;
    library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return NULL;
#define FIND(name)                                                                                 \
    functions.name = (__typeof__(name) *)dlsym(library, #name);                                    \
    if (functions.name == NULL)                                                                    \
        return NULL;
    LC_LIBEDIT_FUNCTIONS(FIND)
#undef FIND
    loaded = true;
    return &functions;
}
