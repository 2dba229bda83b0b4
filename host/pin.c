#include "pin.h"

#include <dlfcn.h>
#include <stddef.h>

void lc_pin_library(void)
{
    Dl_info info;

    /* of the command, which is not unloaded, this finds the program itself and does nothing */
    if (dladdr((void *)lc_pin_library, &info) != 0 && info.dli_fname != NULL)
        dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}
