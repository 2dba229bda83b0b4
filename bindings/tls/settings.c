/*
 * settings: what connections are made from: a context, a side, a name, limits. Clients have settings for one
 * connection, a server for all of its own.
 * Owner: Lua's collector; the user values keep the context, whose count connections add to, and a session.
 */
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "tls.h"

static struct lc_filter *make(struct lc_filter_maker *maker, struct lc_stream *stream)
{
    struct lc_tls *tls = lc_tls_new(lc_container_of(maker, struct lc_tls_settings, maker), stream);

    return tls != NULL ? &tls->filter : NULL;
}

struct lc_tls_settings *lc_tls_check_settings(lua_State *L, int idx, const char *what, int pos)
{
    struct lc_filter_maker *maker = lc_to_object(L, idx, &lc_filter_maker_type);

    if (maker == NULL || maker->make != make)
        lc_raise_argument(L, lc_host_of(L), LC_TYPE_ERROR, what, pos, "TLS settings", idx);
    return lc_container_of(maker, struct lc_tls_settings, maker);
}

static void check_rules(lua_State *L, struct lc_tls_settings *settings)
{
    if (settings->server_side) {
        if (!settings->context->has_certificate)
            lc_raise(L, lc_host_of(L), LC_VALUE_ERROR,
                     "the server's SSLContext has no certificate (load_cert_chain)");
    } else if (settings->context->check_hostname && settings->hostname[0] == '\0') {
        lc_raise(L, lc_host_of(L), LC_VALUE_ERROR, "check_hostname requires server_hostname");
    }
}

int lc_tls_new_settings(lua_State *L)
{
    struct lc_tls_settings *settings;
    struct lc_tls_context *context;
    const char *hostname;
    size_t size;

    lua_settop(L, 6);
    context = lc_tls_check_context(L, 1, "settings", 1);
    hostname = luaL_checklstring(L, 3, &size);
    if (strlen(hostname) != size || size >= sizeof settings->hostname)
        lc_raise(L, lc_host_of(L), LC_VALUE_ERROR, "server_hostname: not the name of a host");
    settings = lc_new_object(L, lc_host_of(L), &lc_filter_maker_type, LC_REF_TLS_SETTINGS,
                             sizeof *settings, 2);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, 6);
    lua_setiuservalue(L, -2, 2);
    settings->context = context;
    settings->server_side = lua_toboolean(L, 2);
    memcpy(settings->hostname, hostname, size + 1);
    settings->handshake_limit = luaL_checknumber(L, 4);
    settings->shutdown_limit = luaL_checknumber(L, 5);
    check_rules(L, settings);
    settings->session = lc_tls_check_session(L, 6, settings);
    settings->maker.make = make;
    return 1;
}

void lc_tls_open_settings(lua_State *L, struct lc_host *host)
{
    lc_new_type(L, host, LC_REF_TLS_SETTINGS, "lucio.ssl.settings", NULL, NULL);
}
