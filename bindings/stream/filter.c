#include "filter.h"

#include <errno.h>

#include <lauxlib.h>

#include "core.h"
#include "stream.h"

const struct lc_type lc_filter_maker_type = {"TLS settings", sizeof(struct lc_filter_maker)};

struct lc_filter_maker *lc_filter_check_maker(lua_State *L, int idx, const char *what)
{
    struct lc_filter_maker *maker;

    if (lua_isnil(L, idx))
        return NULL;
    maker = lc_to_object(L, idx, &lc_filter_maker_type);
    if (maker == NULL || maker->make == NULL)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, idx, "TLS settings or nil", idx);
    return maker;
}

void lc_filter_attach(struct lc_filter_maker *maker, struct lc_stream *stream)
{
    if (maker == NULL)
        return;
    stream->filter = maker->make(maker, stream);
    if (stream->filter == NULL)
        lc_stream_abort(stream, ENOMEM);
}
