/*
 * sni: a server's callback that is told for which host name a client asks (Python's sni_callback).
 * Invariant: it is called by OpenSSL in the middle of a handshake: whatever it raises is caught here and
 *            reported, it cannot wait, and what OpenSSL has still to read is kept for it.
 * Owner:     the callback is the user value 1 of the context's object, which is alive while a server or a
 *            task uses it for handshakes.
 */
#include <lauxlib.h>

#include "core.h"
#include "pair.h"
#include "report.h"
#include "tls.h"

struct call {
    struct lc_tls *tls;
    struct lc_tls_context *context;
    int *alert;
    int answer;
};

static void report(lua_State *L, struct lc_tls *tls)
{
    struct lc_loop *loop = tls->stream->loop;

    if (lc_error_kind(L, -1) == LC_KIND_EXIT) {
        lc_loop_raise(L, loop);
        return;
    }
    if (!lc_is_error(L, -1))
        lc_error_wrap(L, loop->host);
    lua_createtable(L, 0, 3);
    lua_insert(L, -2);
    lua_setfield(L, -2, "exception");
    lua_pushliteral(L, "Error in the callback for a server name (sni_callback)");
    lua_setfield(L, -2, "message");
    lc_report_call_handler(L, loop);
}

/* Calls callback(ssl_object, name or nil, context), under protection. */
static int call_protected(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);
    struct lc_tls *tls = call->tls;
    struct lc_host *host = tls->context->host;
    int is_integer = 0;

    luaL_checkstack(L, 20, NULL);
    lc_tls_push_context(L, call->context);
    if (lua_getiuservalue(L, -1, 1) == LUA_TNIL)
        return 0;
    call->answer = SSL_TLSEXT_ERR_ALERT_FATAL;
    *call->alert = SSL_AD_HANDSHAKE_FAILURE;
    lc_tls_push_object(L, tls);
    lua_pushstring(L, tls->o->SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name));
    lua_pushvalue(L, 2);
    if (lc_call(L, host, 3, 1) != LUA_OK) {
        report(L, tls);
        return 0;
    }
    if (lua_isnil(L, -1)) {
        call->answer = SSL_TLSEXT_ERR_OK;
        return 0;
    }
    *call->alert = (int)lua_tointegerx(L, -1, &is_integer);
    if (is_integer && lua_type(L, -1) == LUA_TNUMBER)
        return 0;
    *call->alert = SSL_AD_INTERNAL_ERROR;
    lc_error_push(L, host, LC_TYPE_ERROR,
                  "sni_callback: nil or the number of an alert expected, got %s",
                  lc_type_name(L, -1));
    report(L, tls);
    return 0;
}

static int on_servername(SSL *ssl, int *alert, void *arg)
{
    struct lc_tls_context *context = arg;
    struct lc_tls *tls = context->o->SSL_get_ex_data(ssl, 0);
    struct call call = {tls, context, alert, SSL_TLSEXT_ERR_OK};
    struct lc_tls_wire *wire = tls->wire;
    size_t left = lc_tls_wire_left(wire);
    const char *rest = wire->in.data + (wire->in.length - left);
    lua_State *L = tls->L;

    if (!lua_checkstack(L, 4))
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    lua_pushcfunction(L, call_protected);
    lua_pushlightuserdata(L, &call);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        lua_pop(L, 1);
    lc_tls_wire_set(wire, rest, left);
    context->o->ERR_clear_error();
    return call.answer;
}

void lc_tls_set_sni(lua_State *L, struct lc_tls_context *context)
{
    bool on = !lua_isnil(L, -1);

    if (on && !lc_is_callable(L, -1))
        lc_raise(L, context->host, LC_TYPE_ERROR, "sni_callback: function or nil expected, got %s",
                 lc_type_name(L, -1));
    lua_setiuservalue(L, 1, 1);
    context->o->SSL_CTX_callback_ctrl(context->ctx, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                                      on ? (void (*)(void))on_servername : NULL);
    context->o->SSL_CTX_ctrl(context->ctx, SSL_CTRL_SET_TLSEXT_SERVERNAME_ARG, 0, context);
}

int lc_tls_set_servername_callback(lua_State *L)
{
    struct lc_tls_context *context = lc_tls_check_context(L, 1, "set_servername_callback", 0);

    lua_settop(L, 2);
    lc_tls_set_sni(L, context);
    return 0;
}
