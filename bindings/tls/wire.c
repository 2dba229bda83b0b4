/*
 * wire: what OpenSSL reads from and writes to: memory that all connections of a host share.
 * Invariant: what a call may read is set before it; what it wrote is sent, or dropped, before anything
 *            else is called. Between two calls nothing is in it, so a connection has no buffers of its own.
 * Owner:     Lua's collector; the host holds it as LC_REF_TLS_WIRE, made before every context. Each
 *            connection has a count of its BIOs.
 */
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "tls.h"

static void use_output(struct lc_tls_wire *wire)
{
    wire->o->BIO_ctrl(wire->writer, BIO_C_SET_BUF_MEM, BIO_NOCLOSE, wire->out);
}

void lc_tls_wire_set(struct lc_tls_wire *wire, const char *data, size_t size)
{
    wire->in.data = (char *)data;
    wire->in.length = wire->in.max = size;
    wire->o->BIO_ctrl(wire->reader, BIO_C_SET_BUF_MEM, BIO_NOCLOSE, &wire->in);
}

size_t lc_tls_wire_left(struct lc_tls_wire *wire)
{
    return (size_t)wire->o->BIO_ctrl(wire->reader, BIO_CTRL_PENDING, 0, NULL);
}

const char *lc_tls_wire_take(struct lc_tls_wire *wire, size_t *size)
{
    *size = wire->out->length;
    if (*size == 0)
        return NULL;
    wire->out->length = 0;
    use_output(wire);
    return wire->out->data;
}

bool lc_tls_wire_join(struct lc_tls_wire *wire, SSL *ssl)
{
    const struct lc_openssl *o = wire->o;

    o->BIO_up_ref(wire->reader);
    o->BIO_up_ref(wire->writer);
    o->SSL_set_bio(ssl, wire->reader, wire->writer);
    return true;
}

static int wire_gc(lua_State *L)
{
    struct lc_tls_wire *wire = lua_touserdata(L, 1);

    if (wire->o == NULL)
        return 0;
    wire->o->BIO_free(wire->reader);
    wire->o->BIO_free(wire->writer);
    wire->o->BUF_MEM_free(wire->out);
    wire->o = NULL;
    return 0;
}

struct lc_tls_wire *lc_tls_wire_get(lua_State *L, struct lc_host *host, const struct lc_openssl *o)
{
    struct lc_tls_wire *wire;

    luaL_checkstack(L, 6, NULL);
    if (host->refs[LC_REF_TLS_WIRE] != 0) {
        lc_host_push_ref(L, host, LC_REF_TLS_WIRE);
        wire = lua_touserdata(L, -1);
        lua_pop(L, 1);
        return wire;
    }
    wire = lua_newuserdatauv(L, sizeof *wire, 0);
    memset(wire, 0, sizeof *wire);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, wire_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    wire->o = o;
    wire->reader = o->BIO_new(o->BIO_s_mem());
    wire->writer = o->BIO_new(o->BIO_s_mem());
    wire->out = o->BUF_MEM_new();
    if (wire->reader == NULL || wire->writer == NULL || wire->out == NULL)
        luaL_error(L, "not enough memory");
    /* an empty one says that there is no more yet, not that this is the end */
    o->BIO_ctrl(wire->reader, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, NULL);
    lc_tls_wire_set(wire, "", 0);
    use_output(wire);
    lc_host_set_ref(L, host, LC_REF_TLS_WIRE);
    return wire;
}
