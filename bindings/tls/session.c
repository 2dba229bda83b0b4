/*
 * session: the sessions that clients may resume: those that a context keeps, one for each host name, and
 * those that a program holds (Python's SSLSession).
 * Invariant: a session is offered only to the host name that its certificate was checked for, and only
 *            under the rules of trust under which it was: changing these clears the sessions.
 * Owner:     a context its own; of an SSLSession Lua's collector, which has counts of both.
 */
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "pair.h"
#include "tls.h"

struct session_object {
    struct lc_object object;
    SSL_SESSION *session;
    struct lc_tls_context *context;
    unsigned rules; /* the context's, when it was made */
    char host[256];
};

static const struct lc_type session_type = {"SSLSession", sizeof(struct session_object)};

/* ---- of contexts ---- */

static void forget(struct lc_tls_context *context, struct lc_tls_session *slot)
{
    if (slot->host == NULL)
        return;
    context->o->SSL_SESSION_free(slot->session);
    lc_realloc(context->host, slot->host, strlen(slot->host) + 1, 0);
    memset(slot, 0, sizeof *slot);
}

void lc_tls_sessions_clear(struct lc_tls_context *context)
{
    for (int i = 0; i < LC_TLS_SESSIONS; i++)
        forget(context, &context->sessions[i]);
    context->rules++;
}

static struct lc_tls_session *find(struct lc_tls_context *context, const char *host)
{
    for (int i = 0; i < LC_TLS_SESSIONS; i++) {
        if (context->sessions[i].host != NULL && strcmp(context->sessions[i].host, host) == 0)
            return &context->sessions[i];
    }
    return NULL;
}

void lc_tls_session_offer(struct lc_tls *tls, SSL_SESSION *session)
{
    struct lc_tls_session *slot;

    tls->rules = tls->context->rules;
    if (tls->server_side || tls->server_hostname == NULL)
        return;
    slot = find(tls->context, tls->server_hostname);
    if (session != NULL)
        tls->o->SSL_set_session(tls->ssl, session);
    else if (slot != NULL)
        tls->o->SSL_set_session(tls->ssl, slot->session);
}

void lc_tls_session_keep(struct lc_tls *tls)
{
    struct lc_tls_context *context = tls->context;
    struct lc_tls_session *slot;
    SSL_SESSION *session;
    size_t size;
    char *host;

    if (tls->server_side || tls->server_hostname == NULL || tls->rules != context->rules)
        return;
    session = tls->o->SSL_get1_session(tls->ssl);
    if (session == NULL)
        return;
    size = strlen(tls->server_hostname) + 1;
    host =
        tls->o->SSL_SESSION_is_resumable(session) ? lc_realloc(context->host, NULL, 0, size) : NULL;
    if (host == NULL) {
        tls->o->SSL_SESSION_free(session);
        return;
    }
    memcpy(host, tls->server_hostname, size);
    slot = find(context, host);
    if (slot == NULL)
        slot = &context->sessions[context->next_session++ % LC_TLS_SESSIONS];
    forget(context, slot);
    slot->host = host;
    slot->session = session;
}

/* ---- of programs ---- */

void lc_tls_push_session(lua_State *L, struct lc_tls *tls)
{
    struct session_object *object;
    const char *host = tls->server_hostname;

    if (!tls->established) {
        lua_pushnil(L);
        return;
    }
    object =
        lc_new_object(L, tls->context->host, &session_type, LC_REF_TLS_SESSION, sizeof *object, 0);
    object->session = tls->o->SSL_get1_session(tls->ssl);
    object->context = tls->context;
    tls->context->references++;
    object->rules = tls->rules;
    if (host != NULL)
        memcpy(object->host, host, strlen(host) + 1);
}

SSL_SESSION *lc_tls_check_session(lua_State *L, int idx, const struct lc_tls_settings *settings)
{
    struct session_object *object = lc_to_object(L, idx, &session_type);
    struct lc_host *host = lc_host_of(L);

    if (lua_isnil(L, idx))
        return NULL;
    if (object == NULL)
        lc_raise(L, host, LC_TYPE_ERROR, "session: SSLSession expected, got %s",
                 lc_type_name(L, idx));
    if (settings->server_side)
        lc_raise(L, host, LC_VALUE_ERROR, "Cannot set session for server-side SSLSocket.");
    if (object->context != settings->context)
        lc_raise(L, host, LC_VALUE_ERROR, "Session refers to a different SSLContext.");
    if (strcmp(object->host, settings->hostname) != 0)
        lc_raise(L, host, LC_VALUE_ERROR, "the session is one with '%s', not with '%s'",
                 object->host, settings->hostname);
    /* what is trusted has changed since: it counts for nothing */
    return object->rules == settings->context->rules ? object->session : NULL;
}

static int session_index(lua_State *L)
{
    struct session_object *object = lc_check_self(L, &session_type, "index");
    const struct lc_openssl *o = object->context->o;
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

    lua_pushnil(L);
    if (object->session == NULL)
        return 1;
    if (strcmp(key, "id") == 0) {
        unsigned size = 0;
        const unsigned char *id = o->SSL_SESSION_get_id(object->session, &size);

        lua_pushlstring(L, (const char *)id, size);
    } else if (strcmp(key, "time") == 0) {
        lua_pushinteger(L, o->SSL_SESSION_get_time(object->session));
    } else if (strcmp(key, "timeout") == 0) {
        lua_pushinteger(L, o->SSL_SESSION_get_timeout(object->session));
    } else if (strcmp(key, "ticket_lifetime_hint") == 0) {
        lua_pushinteger(L, (lua_Integer)o->SSL_SESSION_get_ticket_lifetime_hint(object->session));
    } else if (strcmp(key, "has_ticket") == 0) {
        lua_pushboolean(L, o->SSL_SESSION_has_ticket(object->session));
    }
    return 1;
}

static int session_gc(lua_State *L)
{
    struct session_object *object = lc_to_finalize(L, &session_type);

    if (object == NULL)
        return 0;
    object->object.type = NULL; /* an older object's finalizer may still have it */
    if (object->context == NULL)
        return 0;
    object->context->o->SSL_SESSION_free(object->session);
    lc_tls_context_release(object->context);
    object->context = NULL;
    return 0;
}

void lc_tls_open_session(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg metamethods[] = {{"__gc", session_gc}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_TLS_SESSION, "lucio.ssl.SSLSession", NULL, metamethods);
    lc_tls_set_index(L, host, LC_REF_TLS_SESSION, session_index);
}
