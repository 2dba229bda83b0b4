#include "backend.h"

#include <stddef.h>
#include <string.h>

#include <ev.h>

static const struct {
    const char *name;
    unsigned flag;
} backends[] = {
    {"select", EVBACKEND_SELECT},     {"poll", EVBACKEND_POLL},        {"epoll", EVBACKEND_EPOLL},
    {"linuxaio", EVBACKEND_LINUXAIO}, {"io_uring", EVBACKEND_IOURING}, {"kqueue", EVBACKEND_KQUEUE},
};

#define BACKENDS (sizeof backends / sizeof backends[0])

int lc_backend_flags(const char *backend)
{
    if (backend == NULL)
        return 0;
    for (size_t i = 0; i < BACKENDS; i++) {
        if (strcmp(backends[i].name, backend) == 0)
            return (int)backends[i].flag;
    }
    return -1;
}

const char *lc_backend_name(unsigned flag)
{
    for (size_t i = 0; i < BACKENDS; i++) {
        if (backends[i].flag == flag)
            return backends[i].name;
    }
    return "closed";
}
