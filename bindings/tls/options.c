/*
 * options: what else a context can be told and asked, under the names of Python's ssl: ciphers, flags, tickets,
 * what it trusts.
 */
#include <stdint.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "tls.h"

/* ---- ciphers ---- */

/* context:set_ciphers(text) */
static int context_set_ciphers(lua_State *L)
{
    const char *what = "set_ciphers";
    struct lc_tls_context *context = lc_tls_check_context(L, 1, what, 0);

    if (lua_type(L, 2) != LUA_TSTRING)
        lc_raise_argument(L, context->host, LC_TYPE_ERROR, what, 1, "string", 2);
    context->o->ERR_clear_error();
    if (context->o->SSL_CTX_set_cipher_list(context->ctx, lua_tostring(L, 2)) != 1)
        lc_tls_raise(L, context->o, "No cipher can be selected");
    lc_tls_sessions_clear(context);
    return 0;
}

/* context:get_ciphers() -> list of {name=, protocol=, strength_bits=} */
static int context_get_ciphers(lua_State *L)
{
    struct lc_tls_context *context = lc_tls_check_context(L, 1, "get_ciphers", 0);
    const struct lc_openssl *o = context->o;
    const OPENSSL_STACK *all = (const OPENSSL_STACK *)o->SSL_CTX_get_ciphers(context->ctx);
    int n = all != NULL ? o->OPENSSL_sk_num(all) : 0;

    lua_createtable(L, n > 0 ? n : 0, 0);
    for (int i = 0; i < n; i++) {
        const SSL_CIPHER *cipher = o->OPENSSL_sk_value(all, i);

        lua_createtable(L, 0, 3);
        lua_pushstring(L, o->SSL_CIPHER_get_name(cipher));
        lua_setfield(L, -2, "name");
        lua_pushstring(L, o->SSL_CIPHER_get_version(cipher));
        lua_setfield(L, -2, "protocol");
        lua_pushinteger(L, o->SSL_CIPHER_get_bits(cipher, NULL));
        lua_setfield(L, -2, "strength_bits");
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* ---- what it trusts ---- */

/* The system's authorities. */
static int load_default_certs(lua_State *L, const char *what)
{
    struct lc_tls_context *context = lc_tls_check_context(L, 1, what, 0);

    context->o->ERR_clear_error();
    if (context->o->SSL_CTX_set_default_verify_paths(context->ctx) != 1)
        lc_tls_raise(L, context->o, what);
    lc_tls_sessions_clear(context);
    return 0;
}

/* context:load_default_certs(purpose?) */
static int context_load_default_certs(lua_State *L)
{
    return load_default_certs(L, "load_default_certs");
}

/* context:set_default_verify_paths() */
static int context_set_default_verify_paths(lua_State *L)
{
    return load_default_certs(L, "set_default_verify_paths");
}

static OPENSSL_STACK *trusted(struct lc_tls_context *context, int *n)
{
    const struct lc_openssl *o = context->o;
    OPENSSL_STACK *all =
        (OPENSSL_STACK *)o->X509_STORE_get0_objects(o->SSL_CTX_get_cert_store(context->ctx));

    *n = all != NULL ? o->OPENSSL_sk_num(all) : 0;
    return all;
}

/* context:cert_store_stats() -> {x509 =, crl =, x509_ca =} */
static int context_store_stats(lua_State *L)
{
    struct lc_tls_context *context = lc_tls_check_context(L, 1, "cert_store_stats", 0);
    const struct lc_openssl *o = context->o;
    int n, certificates = 0, authorities = 0, lists = 0;
    OPENSSL_STACK *all = trusted(context, &n);

    for (int i = 0; i < n; i++) {
        X509_OBJECT *one = o->OPENSSL_sk_value(all, i);
        bool is_certificate = o->X509_OBJECT_get_type(one) == X509_LU_X509;

        certificates += is_certificate;
        lists += o->X509_OBJECT_get_type(one) == X509_LU_CRL;
        authorities += is_certificate && o->X509_check_ca(o->X509_OBJECT_get0_X509(one)) > 0;
    }
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, certificates);
    lua_setfield(L, -2, "x509");
    lua_pushinteger(L, lists);
    lua_setfield(L, -2, "crl");
    lua_pushinteger(L, authorities);
    lua_setfield(L, -2, "x509_ca");
    return 1;
}

/* context:get_ca_certs(binary?) -> list of tables, or of strings in DER */
static int context_get_ca_certs(lua_State *L)
{
    struct lc_tls_context *context = lc_tls_check_context(L, 1, "get_ca_certs", 0);
    const struct lc_openssl *o = context->o;
    bool binary = lua_toboolean(L, 2);
    int n, found = 0;
    OPENSSL_STACK *all = trusted(context, &n);

    lua_newtable(L);
    for (int i = 0; i < n; i++) {
        X509 *certificate = o->X509_OBJECT_get0_X509(o->OPENSSL_sk_value(all, i));

        if (certificate == NULL || o->X509_check_ca(certificate) <= 0)
            continue;
        lc_tls_push_certificate(L, o, certificate, binary);
        lua_rawseti(L, -2, ++found);
    }
    return 1;
}

/* context:session_stats() -> table of counts */
static int context_session_stats(lua_State *L)
{
    static const struct {
        const char *name;
        int command;
    } counts[] = {{"number", SSL_CTRL_SESS_NUMBER},
                  {"connect", SSL_CTRL_SESS_CONNECT},
                  {"connect_good", SSL_CTRL_SESS_CONNECT_GOOD},
                  {"connect_renegotiate", SSL_CTRL_SESS_CONNECT_RENEGOTIATE},
                  {"accept", SSL_CTRL_SESS_ACCEPT},
                  {"accept_good", SSL_CTRL_SESS_ACCEPT_GOOD},
                  {"accept_renegotiate", SSL_CTRL_SESS_ACCEPT_RENEGOTIATE},
                  {"hits", SSL_CTRL_SESS_HIT},
                  {"misses", SSL_CTRL_SESS_MISSES},
                  {"timeouts", SSL_CTRL_SESS_TIMEOUTS},
                  {"cache_full", SSL_CTRL_SESS_CACHE_FULL}};
    struct lc_tls_context *context = lc_tls_check_context(L, 1, "session_stats", 0);

    lua_createtable(L, 0, (int)(sizeof counts / sizeof counts[0]));
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        lua_pushinteger(L, context->o->SSL_CTX_ctrl(context->ctx, counts[i].command, 0, NULL));
        lua_setfield(L, -2, counts[i].name);
    }
    return 1;
}

/* ---- numbers ---- */

static long get_options(const struct lc_tls_context *context)
{
    return (long)context->o->SSL_CTX_get_options(context->ctx);
}

static long get_flags(const struct lc_tls_context *context)
{
    const struct lc_openssl *o = context->o;

    return (long)o->X509_VERIFY_PARAM_get_flags(o->SSL_CTX_get0_param(context->ctx));
}

bool lc_tls_push_option(lua_State *L, struct lc_tls_context *context, const char *key)
{
    if (strcmp(key, "options") == 0)
        lua_pushinteger(L, get_options(context));
    else if (strcmp(key, "verify_flags") == 0)
        lua_pushinteger(L, get_flags(context));
    else if (strcmp(key, "num_tickets") == 0)
        lua_pushinteger(L, (lua_Integer)context->o->SSL_CTX_get_num_tickets(context->ctx));
    else if (strcmp(key, "protocol") == 0)
        lua_pushstring(L, context->for_server ? "PROTOCOL_TLS_SERVER" : "PROTOCOL_TLS_CLIENT");
    else
        return false;
    return true;
}

bool lc_tls_set_option(lua_State *L, struct lc_tls_context *context, const char *key)
{
    const struct lc_openssl *o = context->o;
    bool is_options = strcmp(key, "options") == 0, is_flags = strcmp(key, "verify_flags") == 0;
    X509_VERIFY_PARAM *param;
    lua_Integer value;

    if (!is_options && !is_flags && strcmp(key, "num_tickets") != 0)
        return false;
    if (!lua_isinteger(L, 3))
        lc_raise(L, context->host, LC_TYPE_ERROR, "%s: integer expected, got %s", key,
                 lc_type_name(L, 3));
    value = lua_tointeger(L, 3);
    if (value < 0 || value > (is_options ? (lua_Integer)UINT32_MAX * 16
                              : is_flags ? INT32_MAX
                                         : 255))
        lc_raise(L, context->host, LC_VALUE_ERROR, "%s: out of range", key);
    if (is_options) {
        o->SSL_CTX_clear_options(context->ctx, (uint64_t)get_options(context));
        o->SSL_CTX_set_options(context->ctx, (uint64_t)value);
    } else if (is_flags) {
        param = o->SSL_CTX_get0_param(context->ctx);
        o->X509_VERIFY_PARAM_clear_flags(param, (unsigned long)get_flags(context));
        o->X509_VERIFY_PARAM_set_flags(param, (unsigned long)value);
    } else {
        o->SSL_CTX_set_num_tickets(context->ctx, (size_t)value);
    }
    lc_tls_sessions_clear(context);
    return true;
}

const luaL_Reg lc_tls_option_methods[] = {
    {"set_ciphers", context_set_ciphers},
    {"get_ciphers", context_get_ciphers},
    {"load_default_certs", context_load_default_certs},
    {"set_default_verify_paths", context_set_default_verify_paths},
    {"cert_store_stats", context_store_stats},
    {"get_ca_certs", context_get_ca_certs},
    {"session_stats", context_session_stats},
    {NULL, NULL}};

/* ---- functions of lucio.ssl ---- */

/* library_version() -> "OpenSSL 3.0.15 3 Sep 2024" */
int lc_tls_library_version(lua_State *L)
{
    lua_pushstring(L, lc_openssl_load(L, lc_host_of(L))->OpenSSL_version(OPENSSL_VERSION));
    return 1;
}

/* get_default_verify_paths() -> {cafile =, capath =, ...} */
int lc_tls_default_verify_paths(lua_State *L)
{
    const struct lc_openssl *o = lc_openssl_load(L, lc_host_of(L));

    lua_createtable(L, 0, 4);
    lua_pushstring(L, o->X509_get_default_cert_file());
    lua_setfield(L, -2, "openssl_cafile");
    lua_pushstring(L, o->X509_get_default_cert_dir());
    lua_setfield(L, -2, "openssl_capath");
    lua_pushstring(L, o->X509_get_default_cert_file_env());
    lua_setfield(L, -2, "openssl_cafile_env");
    lua_pushstring(L, o->X509_get_default_cert_dir_env());
    lua_setfield(L, -2, "openssl_capath_env");
    return 1;
}
