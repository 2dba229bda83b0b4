/*
 * verify: which certificates a context trusts.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "core.h"
#include "permit.h"
#include "tls.h"

/* Adds all certificates of a text, PEM or one in DER. */
static void add_data(lua_State *L, struct lc_tls_context *context, const char *data, size_t size,
                     const char *what)
{
    const struct lc_openssl *o = context->o;
    bool is_text = memmem(data, size, "-----BEGIN", 10) != NULL;
    BIO *bio = o->BIO_new_mem_buf(data, (int)size);
    int added = 0;
    X509 *one;

    if (bio == NULL)
        luaL_error(L, "not enough memory");
    for (;;) {
        one = is_text ? o->PEM_read_bio_X509(bio, NULL, NULL, NULL) : o->d2i_X509_bio(bio, NULL);
        if (one == NULL)
            break;
        added += o->X509_STORE_add_cert(o->SSL_CTX_get_cert_store(context->ctx), one) == 1;
        o->X509_free(one);
    }
    o->BIO_free(bio);
    if (added == 0) {
        lua_pushfstring(L, "%s: no certificate in cadata", what);
        lc_tls_raise(L, o, lua_tostring(L, -1));
    }
    o->ERR_clear_error();
}

/* A field of the options as a string, NULL without it; left on the stack. [-0, +1, v] */
static const char *option(lua_State *L, int idx, const char *name, const char *what)
{
    int type = lua_getfield(L, idx, name);

    if (type == LUA_TNIL)
        return NULL;
    if (type != LUA_TSTRING)
        lc_raise(L, lc_host_of(L), LC_TYPE_ERROR, "%s: %s as string expected, got %s", what, name,
                 lc_type_name(L, -1));
    return lua_tostring(L, -1);
}

static void check_path(lua_State *L, const char *path)
{
    if (path == NULL)
        return;
    lc_permit(L, lc_host_of(L), LC_PERMIT_READ, path);
    if (access(path, R_OK) != 0)
        lc_raise_errno(L, lc_host_of(L), errno, path);
}

bool lc_tls_load_trusted(lua_State *L, struct lc_tls_context *context, int idx, const char *what)
{
    const struct lc_openssl *o = context->o;
    const char *file, *path, *data;
    size_t size;

    if (lua_isnil(L, idx))
        return false;
    luaL_checkstack(L, 8, NULL);
    file = option(L, idx, "cafile", what);
    path = option(L, idx, "capath", what);
    data = option(L, idx, "cadata", what);
    size = data != NULL ? lua_rawlen(L, -1) : 0;
    if (size > 1 << 30)
        lc_raise(L, context->host, LC_VALUE_ERROR, "%s: cadata is too long", what);
    check_path(L, file);
    check_path(L, path);
    o->ERR_clear_error();
    lc_tls_sessions_clear(context);
    if ((file != NULL && o->SSL_CTX_load_verify_file(context->ctx, file) != 1) ||
        (path != NULL && o->SSL_CTX_load_verify_dir(context->ctx, path) != 1)) {
        lua_pushfstring(L, "%s '%s'", what, file != NULL ? file : path);
        lc_tls_raise(L, o, lua_tostring(L, -1));
    }
    if (data != NULL)
        add_data(L, context, data, size, what);
    lua_pop(L, 3);
    return file != NULL || path != NULL || data != NULL;
}

int lc_tls_load_verify_locations(lua_State *L)
{
    static const char *const names[] = {"cafile", "capath", "cadata", NULL};
    const char *what = "load_verify_locations";
    struct lc_tls_context *context = lc_tls_check_context(L, 1, what, 0);

    lua_settop(L, 2);
    if (lua_type(L, 2) == LUA_TSTRING) {
        lua_createtable(L, 0, 1);
        lua_insert(L, 2);
        lua_setfield(L, 2, "cafile");
    }
    lc_check_options(L, 2, what, 1, names);
    if (!lc_tls_load_trusted(L, context, 2, what))
        lc_raise(L, context->host, LC_TYPE_ERROR,
                 "cafile, capath and cadata cannot be all omitted");
    return 0;
}
