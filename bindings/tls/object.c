/*
 * object: the TLS side of a connection for Lua, as Python's SSLObject: get_extra_info("ssl_object").
 * Owner: Lua's collector; it has a count of its stream.
 */
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "pair.h"
#include "stream.h"
#include "tls.h"

struct ssl_object {
    struct lc_object object;
    struct lc_stream *stream;
};

static const struct lc_type object_type = {"SSLObject", sizeof(struct ssl_object)};

void lc_tls_push_object(lua_State *L, struct lc_tls *tls)
{
    struct ssl_object *object =
        lc_new_object(L, tls->context->host, &object_type, LC_REF_TLS_OBJECT, sizeof *object, 0);

    object->stream = lc_stream_retain(tls->stream);
}

static struct lc_tls *check(lua_State *L, const char *what)
{
    struct ssl_object *object = lc_check_self(L, &object_type, what);

    return lc_tls_of(object->stream);
}

/* ---- methods ---- */

/* object:version() -> "TLSv1.3", nil before the handshake */
static int object_version(lua_State *L)
{
    struct lc_tls *tls = check(L, "version");

    lua_pushstring(L, tls->established ? tls->o->SSL_get_version(tls->ssl) : NULL);
    return 1;
}

/* What info.c knows under that name, nil without it. */
static int push_info(lua_State *L, struct lc_tls *tls, const char *name)
{
    if (!lc_tls_info(L, tls->stream, name))
        lua_pushnil(L);
    return 1;
}

static int object_cipher(lua_State *L)
{
    return push_info(L, check(L, "cipher"), "cipher");
}

static int object_alpn(lua_State *L)
{
    return push_info(L, check(L, "selected_alpn_protocol"), "alpn_protocol");
}

static int object_compression(lua_State *L)
{
    check(L, "compression");
    lua_pushnil(L);
    return 1;
}

/* object:getpeercert(binary?) -> table, or a string in DER; nil without one */
static int object_getpeercert(lua_State *L)
{
    struct lc_tls *tls = check(L, "getpeercert");

    if (!lua_toboolean(L, 2))
        return push_info(L, tls, "peercert");
    lc_tls_push_peer_data(L, tls);
    return 1;
}

static int object_tostring(lua_State *L)
{
    struct lc_tls *tls = check(L, "tostring");

    lua_pushfstring(L, "<SSLObject %s of a %s>",
                    tls->established ? tls->o->SSL_get_version(tls->ssl) : "in its handshake",
                    tls->server_side ? "server" : "client");
    return 1;
}

static int object_gc(lua_State *L)
{
    struct ssl_object *object = lc_to_finalize(L, &object_type);

    if (object == NULL)
        return 0;
    object->object.type = NULL; /* an older object's finalizer may still have it */
    if (object->stream != NULL)
        lc_stream_release(object->stream);
    object->stream = NULL;
    return 0;
}

/* ---- fields ---- */

static int object_index(lua_State *L)
{
    struct lc_tls *tls = check(L, "index");
    const char *key;

    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL || lua_type(L, 2) != LUA_TSTRING)
        return 1;
    key = lua_tostring(L, 2);
    lua_pushnil(L);
    if (strcmp(key, "context") == 0)
        lc_tls_push_context(L, tls->chosen != NULL ? tls->chosen : tls->context);
    else if (strcmp(key, "server_side") == 0)
        lua_pushboolean(L, tls->server_side);
    else if (strcmp(key, "server_hostname") == 0)
        lua_pushstring(L, tls->server_side
                              ? tls->o->SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name)
                              : tls->server_hostname);
    else if (strcmp(key, "session_reused") == 0)
        lua_pushboolean(L, tls->o->SSL_session_reused(tls->ssl));
    else if (strcmp(key, "session") == 0)
        lc_tls_push_session(L, tls);
    else if (strcmp(key, "truncated") == 0)
        lua_pushboolean(L, tls->truncated);
    return 1;
}

/* object.context = other: in a server's sni_callback. */
static int object_newindex(lua_State *L)
{
    struct lc_tls *tls = check(L, "newindex");
    struct lc_host *host = lc_host_of(L);
    struct lc_tls_context *context;

    if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "context") != 0)
        lc_raise(L, host, LC_TYPE_ERROR, "an SSLObject has no field '%s' to set",
                 lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : lc_type_name(L, 2));
    context = lc_tls_check_context(L, 3, "context", 1);
    if (!tls->server_side || tls->state != LC_TLS_HANDSHAKE)
        lc_raise(L, host, LC_RUNTIME_ERROR,
                 "the context is chosen in a server's handshake, by its sni_callback");
    if (!context->has_certificate)
        lc_raise(L, host, LC_VALUE_ERROR,
                 "the server's SSLContext has no certificate (load_cert_chain)");
    if (tls->o->SSL_set_SSL_CTX(tls->ssl, context->ctx) == NULL)
        lc_tls_raise(L, tls->o, "context");
    context->references++;
    if (tls->chosen != NULL)
        lc_tls_context_release(tls->chosen);
    tls->chosen = context;
    return 0;
}

void lc_tls_open_object(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {
        {"version", object_version},         {"cipher", object_cipher},
        {"compression", object_compression}, {"selected_alpn_protocol", object_alpn},
        {"getpeercert", object_getpeercert}, {NULL, NULL}};
    static const luaL_Reg metamethods[] = {{"__newindex", object_newindex},
                                           {"__tostring", object_tostring},
                                           {"__gc", object_gc},
                                           {NULL, NULL}};

    lc_new_type(L, host, LC_REF_TLS_OBJECT, "lucio.ssl.SSLObject", methods, metamethods);
    lc_tls_set_index(L, host, LC_REF_TLS_OBJECT, object_index);
}
