/*
 * context: what connections share: certificates, trust, versions, protocols (Python's SSLContext).
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "core.h"
#include "permit.h"
#include "tls.h"

struct context_object {
    struct lc_object object;
    struct lc_tls_context *context;
};

static const struct lc_type context_type = {"SSLContext", sizeof(struct context_object)};

static const struct {
    const char *name;
    int number;
} versions[] = {{"TLSv1.2", TLS1_2_VERSION}, {"TLSv1.3", TLS1_3_VERSION}},
  modes[] = {{"CERT_NONE", SSL_VERIFY_NONE},
             {"CERT_OPTIONAL", SSL_VERIFY_PEER},
             {"CERT_REQUIRED", SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT}};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- life ---- */

void lc_tls_context_release(struct lc_tls_context *context)
{
    if (--context->references > 0)
        return;
    lc_tls_sessions_clear(context);
    lc_tls_keylog_close(context);
    context->o->SSL_CTX_free(context->ctx);
    lc_realloc(context->host, context->alpn, context->alpn_size, 0);
    lc_realloc(context->host, context, sizeof *context, 0);
}

/* Pushes an object without a context. [-0, +1, m] */
static struct context_object *new_object(lua_State *L, struct lc_host *host)
{
    struct context_object *object =
        lc_new_object(L, host, &context_type, LC_REF_TLS_CONTEXT, sizeof *object, 1);

    lc_pointer_register(L, host, -1);
    return object;
}

void lc_tls_push_context(lua_State *L, struct lc_tls_context *context)
{
    struct context_object *object;

    if (context->object != NULL) {
        lc_pointer_push(L, context->host, context->object);
        if (!lua_isnil(L, -1))
            return;
        lua_pop(L, 1);
    }
    object = new_object(L, context->host);
    object->context = context;
    context->object = object;
    context->references++;
}

static int context_gc(lua_State *L)
{
    struct context_object *object = lc_to_finalize(L, &context_type);
    struct lc_tls_context *context = object != NULL ? object->context : NULL;

    if (context == NULL)
        return 0;
    object->context = NULL;
    if (context->object == object)
        context->object = NULL;
    lc_tls_context_release(context);
    return 0;
}

struct lc_tls_context *lc_tls_check_context(lua_State *L, int idx, const char *what, int pos)
{
    struct context_object *object = lc_to_object(L, idx, &context_type);

    if (pos == 0 && object == NULL)
        lc_raise(L, lc_host_of(L), LC_TYPE_ERROR,
                 "calling '%s' on bad self (SSLContext expected, got %s)", what,
                 lc_type_name(L, idx));
    if (object == NULL || object->context == NULL)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, pos, "SSLContext", idx);
    return object->context;
}

static struct lc_tls_context *check(lua_State *L, const char *what)
{
    struct context_object *object = lc_check_self(L, &context_type, what);

    if (object->context == NULL)
        lc_raise(L, lc_host_of(L), LC_RUNTIME_ERROR, "%s: the context is gone", what);
    return object->context;
}

/* ---- making ---- */

static int on_password(char *space, int size, int for_writing, void *password)
{
    size_t length = password != NULL ? strlen(password) : 0;

    (void)for_writing;
    /* without one, OpenSSL would ask the terminal */
    if (length == 0 || length > (size_t)size)
        return 0;
    memcpy(space, password, length);
    return (int)length;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                   const unsigned char *in, unsigned in_size, void *arg)
{
    struct lc_tls_context *context = arg;
    unsigned char *chosen;

    (void)ssl;
    if (context->o->SSL_select_next_proto(&chosen, out_size, context->alpn,
                                          (unsigned)context->alpn_size, in,
                                          in_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static void set_mode(struct lc_tls_context *context, int mode)
{
    context->verify_mode = mode;
    context->o->SSL_CTX_set_verify(context->ctx, mode, NULL);
    lc_tls_sessions_clear(context);
}

static bool set_defaults(struct lc_tls_context *context)
{
    const struct lc_openssl *o = context->o;
    SSL_CTX *ctx = context->ctx;

    context->minimum = TLS1_2_VERSION;
    context->maximum = TLS1_3_VERSION;
    context->check_hostname = !context->for_server;
    o->SSL_CTX_ctrl(ctx, SSL_CTRL_MODE,
                    SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                        SSL_MODE_RELEASE_BUFFERS,
                    NULL);
    o->SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE);
    o->SSL_CTX_set_default_passwd_cb(ctx, on_password);
    set_mode(context, context->for_server ? SSL_VERIFY_NONE
                                          : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    return o->SSL_CTX_ctrl(ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL) == 1 &&
           o->SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"lucio", 5) == 1 &&
           o->SSL_CTX_set_cipher_list(ctx, "HIGH:!aNULL:!eNULL:!MD5:!3DES:!SHA1:!PSK:!SRP") == 1;
}

/* create_default_context(purpose, options?, bare?): a bare one trusts nobody yet. */
int lc_tls_create_context(lua_State *L)
{
    static const char *const names[] = {"cafile", "capath", "cadata", NULL};
    const char *what = "create_default_context";
    struct lc_host *host = lc_host_of(L);
    const struct lc_openssl *o = lc_openssl_load(L, host);
    struct context_object *object;
    struct lc_tls_context *context;
    bool for_server;

    lua_settop(L, 3);
    if (!lua_isnil(L, 1) && lua_type(L, 1) != LUA_TSTRING)
        lc_raise_argument(L, host, LC_TYPE_ERROR, what, 1, "string", 1);
    for_server = !lua_isnil(L, 1) && strcmp(lua_tostring(L, 1), "CLIENT_AUTH") == 0;
    if (!for_server && !lua_isnil(L, 1) && strcmp(lua_tostring(L, 1), "SERVER_AUTH") != 0)
        lc_raise_value(L, host, what, 1, "'SERVER_AUTH' or 'CLIENT_AUTH' expected");
    lc_check_options(L, 2, what, 2, names);
    object = new_object(L, host);
    context = lc_realloc(host, NULL, 0, sizeof *context);
    if (context == NULL)
        return luaL_error(L, "not enough memory");
    memset(context, 0, sizeof *context);
    context->references = 1;
    context->host = host;
    context->o = o;
    context->wire = lc_tls_wire_get(L, host, o);
    context->object = object;
    context->for_server = for_server;
    object->context = context;
    o->ERR_clear_error();
    context->ctx = o->SSL_CTX_new(o->TLS_method());
    if (context->ctx == NULL || !set_defaults(context))
        lc_tls_raise(L, o, what);
    if (!lc_tls_load_trusted(L, context, 2, what) && !for_server && !lua_toboolean(L, 3))
        o->SSL_CTX_set_default_verify_paths(context->ctx);
    o->ERR_clear_error();
    /* the user's word, not the script's */
    if (!lua_toboolean(L, 3) && host->options.keylog != NULL && host->options.keylog[0] != '\0')
        lc_tls_keylog_open(L, context, host->options.keylog);
    return 1;
}

/* ---- methods ---- */

/* A missing file is an OSError with its name, not what OpenSSL makes of it. */
static void check_file(lua_State *L, const char *path)
{
    lc_permit(L, lc_host_of(L), LC_PERMIT_READ, path);
    if (access(path, R_OK) != 0)
        lc_raise_errno(L, lc_host_of(L), errno, path);
}

static const char *check_text(lua_State *L, int idx, const char *what, bool optional)
{
    if (optional && lua_isnil(L, idx))
        return NULL;
    if (lua_type(L, idx) != LUA_TSTRING)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, idx - 1,
                          optional ? "string or nil" : "string", idx);
    if (strlen(lua_tostring(L, idx)) != lua_rawlen(L, idx))
        lc_raise_value(L, lc_host_of(L), what, idx - 1, "string with a zero byte");
    return lua_tostring(L, idx);
}

/* context:load_cert_chain(certificates, key?, password?) */
static int context_load_cert_chain(lua_State *L)
{
    const char *what = "load_cert_chain";
    struct lc_tls_context *context = check(L, what);
    const struct lc_openssl *o = context->o;
    const char *certificate, *key, *password;
    bool loaded;

    lua_settop(L, 4);
    if (lua_isfunction(L, 4)) {
        lua_call(L, 0, 1);
        if (lua_type(L, 4) != LUA_TSTRING)
            lc_raise(L, context->host, LC_TYPE_ERROR, "password callback must return a string");
    }
    certificate = check_text(L, 2, what, false);
    key = check_text(L, 3, what, true);
    password = check_text(L, 4, what, true);
    check_file(L, certificate);
    if (key != NULL)
        check_file(L, key);
    o->ERR_clear_error();
    o->SSL_CTX_set_default_passwd_cb_userdata(context->ctx, (void *)password);
    loaded = o->SSL_CTX_use_certificate_chain_file(context->ctx, certificate) == 1 &&
             o->SSL_CTX_use_PrivateKey_file(context->ctx, key != NULL ? key : certificate,
                                            SSL_FILETYPE_PEM) == 1 &&
             o->SSL_CTX_check_private_key(context->ctx) == 1;
    o->SSL_CTX_set_default_passwd_cb_userdata(context->ctx, NULL);
    if (!loaded) {
        lua_pushfstring(L, "load_cert_chain '%s'", certificate);
        lc_tls_raise(L, o, lua_tostring(L, -1));
    }
    context->has_certificate = true;
    lc_tls_sessions_clear(context);
    return 0;
}

/* context:set_alpn_protocols(list) */
static int context_set_alpn(lua_State *L)
{
    const char *what = "set_alpn_protocols";
    struct lc_tls_context *context = check(L, what);
    unsigned char *alpn;
    luaL_Buffer all;
    lua_Integer n;
    size_t size;

    lua_settop(L, 2);
    n = lc_check_list(L, 2, what, 1);
    luaL_buffinit(L, &all);
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_rawgeti(L, 2, i) != LUA_TSTRING)
            lc_raise(L, context->host, LC_TYPE_ERROR,
                     "bad argument #1 to '%s' (item %d: string expected, got %s)", what, (int)i,
                     lc_type_name(L, -1));
        size = lua_rawlen(L, -1);
        if (size == 0 || size > 255)
            lc_raise_value(L, context->host, what, 1, "a protocol has 1 to 255 bytes");
        luaL_addchar(&all, (char)size);
        luaL_addvalue(&all);
    }
    luaL_pushresult(&all);
    size = lua_rawlen(L, -1);
    if (size == 0 || size > 65535)
        lc_raise_value(L, context->host, what, 1, "1 to 65535 bytes of protocols expected");
    alpn = lc_realloc(context->host, NULL, 0, size);
    if (alpn == NULL)
        return luaL_error(L, "not enough memory");
    memcpy(alpn, lua_tostring(L, -1), size);
    lc_realloc(context->host, context->alpn, context->alpn_size, 0);
    context->alpn = alpn;
    context->alpn_size = size;
    context->o->SSL_CTX_set_alpn_protos(context->ctx, alpn, (unsigned)size);
    context->o->SSL_CTX_set_alpn_select_cb(context->ctx, on_alpn, context);
    lc_tls_sessions_clear(context);
    return 0;
}

/* ---- fields ---- */

static int context_index(lua_State *L)
{
    struct lc_tls_context *context = check(L, "index");
    const char *key;

    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL || lua_type(L, 2) != LUA_TSTRING)
        return 1;
    key = lua_tostring(L, 2);
    if (lc_tls_push_option(L, context, key))
        return 1;
    lua_pushnil(L);
    if (strcmp(key, "check_hostname") == 0)
        lua_pushboolean(L, context->check_hostname);
    else if (strcmp(key, "sni_callback") == 0)
        lua_getiuservalue(L, 1, 1);
    else if (strcmp(key, "keylog_filename") == 0)
        lua_pushstring(L, context->keylog_name);
    for (size_t i = 0; i < COUNT(modes); i++) {
        if (strcmp(key, "verify_mode") == 0 && modes[i].number == context->verify_mode)
            lua_pushstring(L, modes[i].name);
    }
    for (size_t i = 0; i < COUNT(versions); i++) {
        if ((strcmp(key, "minimum_version") == 0 && versions[i].number == context->minimum) ||
            (strcmp(key, "maximum_version") == 0 && versions[i].number == context->maximum))
            lua_pushstring(L, versions[i].name);
    }
    return 1;
}

static void set_verify_mode(lua_State *L, struct lc_tls_context *context, const char *name)
{
    for (size_t i = 0; i < COUNT(modes); i++) {
        if (strcmp(name, modes[i].name) != 0)
            continue;
        if (modes[i].number == SSL_VERIFY_NONE && context->check_hostname)
            lc_raise(L, context->host, LC_VALUE_ERROR,
                     "Cannot set verify_mode to CERT_NONE when check_hostname is enabled.");
        set_mode(context, modes[i].number);
        return;
    }
    lc_raise(L, context->host, LC_VALUE_ERROR,
             "verify_mode: 'CERT_NONE', 'CERT_OPTIONAL' or 'CERT_REQUIRED' expected, got '%s'",
             name);
}

static void set_version(lua_State *L, struct lc_tls_context *context, bool minimum,
                        const char *name)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        if (strcmp(name, versions[i].name) != 0)
            continue;
        *(minimum ? &context->minimum : &context->maximum) = versions[i].number;
        context->o->SSL_CTX_ctrl(
            context->ctx, minimum ? SSL_CTRL_SET_MIN_PROTO_VERSION : SSL_CTRL_SET_MAX_PROTO_VERSION,
            versions[i].number, NULL);
        lc_tls_sessions_clear(context);
        return;
    }
    lc_raise(L, context->host, LC_VALUE_ERROR,
             "%s_version: 'TLSv1.2' or 'TLSv1.3' expected, got '%s'",
             minimum ? "minimum" : "maximum", name);
}

static int context_newindex(lua_State *L)
{
    struct lc_tls_context *context = check(L, "newindex");
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    bool is_check = strcmp(key, "check_hostname") == 0;
    bool is_mode = strcmp(key, "verify_mode") == 0;
    bool is_minimum = strcmp(key, "minimum_version") == 0;

    if (strcmp(key, "sni_callback") == 0) {
        lua_settop(L, 3);
        lc_tls_set_sni(L, context);
        return 0;
    }
    if (strcmp(key, "keylog_filename") == 0) {
        lc_tls_keylog_set(L, context);
        return 0;
    }
    if (lc_tls_set_option(L, context, key))
        return 0;
    if (!is_check && !is_mode && !is_minimum && strcmp(key, "maximum_version") != 0)
        lc_raise(L, context->host, LC_TYPE_ERROR, "an SSLContext has no field '%s' to set",
                 lua_type(L, 2) == LUA_TSTRING ? key : lc_type_name(L, 2));
    if (lua_type(L, 3) != (is_check ? LUA_TBOOLEAN : LUA_TSTRING))
        lc_raise(L, context->host, LC_TYPE_ERROR, "%s: %s expected, got %s", key,
                 is_check ? "boolean" : "string", lc_type_name(L, 3));
    if (is_check) {
        context->check_hostname = lua_toboolean(L, 3);
        if (context->check_hostname && context->verify_mode == SSL_VERIFY_NONE)
            set_mode(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
        lc_tls_sessions_clear(context);
    } else if (is_mode) {
        set_verify_mode(L, context, lua_tostring(L, 3));
    } else {
        set_version(L, context, is_minimum, lua_tostring(L, 3));
    }
    return 0;
}

static int context_tostring(lua_State *L)
{
    struct lc_tls_context *context = check(L, "tostring");

    lua_pushfstring(L, "<SSLContext for a %s>", context->for_server ? "server" : "client");
    return 1;
}

int lc_tls_is_context(lua_State *L)
{
    lua_pushboolean(L, lc_to_object(L, 1, &context_type) != NULL);
    return 1;
}

/* has_certificate(context): for the check of a server's. */
static int context_has_certificate(lua_State *L)
{
    lua_pushboolean(L, check(L, "has_certificate")->has_certificate);
    return 1;
}

void lc_tls_set_index(lua_State *L, struct lc_host *host, enum lc_ref ref, lua_CFunction index)
{
    lc_host_push_ref(L, host, ref);
    lua_pushlightuserdata(L, host);
    lua_getfield(L, -2, "__index");
    lua_pushcclosure(L, index, 2);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

void lc_tls_open_context(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {{"load_cert_chain", context_load_cert_chain},
                                       {"load_verify_locations", lc_tls_load_verify_locations},
                                       {"set_alpn_protocols", context_set_alpn},
                                       {"set_servername_callback", lc_tls_set_servername_callback},
                                       {"has_certificate", context_has_certificate},
                                       {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__newindex", context_newindex},
                                           {"__tostring", context_tostring},
                                           {"__gc", context_gc},
                                           {NULL, NULL}};

    lc_new_type(L, host, LC_REF_TLS_CONTEXT, "lucio.ssl.SSLContext", methods, metamethods);
    lc_host_push_ref(L, host, LC_REF_TLS_CONTEXT);
    lua_getfield(L, -1, "__index");
    lc_set_functions(L, host, lc_tls_option_methods);
    lua_pop(L, 2);
    lc_tls_set_index(L, host, LC_REF_TLS_CONTEXT, context_index);
}
