/*
 * session: the sessions that a context's clients may resume, one for each host name.
 * Invariant: a session is offered only to the host name that its certificate was checked for, and only
 *            under the rules of trust under which it was: changing these clears the sessions.
 */
#include <string.h>

#include "host.h"
#include "tls.h"

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

void lc_tls_session_offer(struct lc_tls *tls)
{
    struct lc_tls_session *slot;

    tls->rules = tls->context->rules;
    if (tls->server_side || tls->server_hostname == NULL)
        return;
    slot = find(tls->context, tls->server_hostname);
    if (slot != NULL)
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
