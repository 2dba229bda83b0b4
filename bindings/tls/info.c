/*
 * info: what writer:get_extra_info tells of a TLS connection (SEMANTICS ST18).
 */
#include <string.h>

#include <lauxlib.h>

#include "host.h"
#include "stream.h"
#include "tls.h"

/* Pushes what a BIO has taken, and frees it. [-0, +1, m] */
static void push_bio(lua_State *L, const struct lc_openssl *o, BIO *bio)
{
    char *data = NULL;
    long size = o->BIO_ctrl(bio, BIO_CTRL_INFO, 0, &data);

    lua_pushlstring(L, size > 0 ? data : "", size > 0 ? (size_t)size : 0);
    o->BIO_free(bio);
}

/* { {commonName = "localhost"} ... } as one table: name -> value. [-0, +1, m] */
static void push_name(lua_State *L, const struct lc_openssl *o, const X509_NAME *name)
{
    int n = o->X509_NAME_entry_count(name);

    lua_createtable(L, 0, n);
    for (int i = 0; i < n; i++) {
        const X509_NAME_ENTRY *entry = o->X509_NAME_get_entry(name, i);
        const char *key = o->OBJ_nid2ln(o->OBJ_obj2nid(o->X509_NAME_ENTRY_get_object(entry)));
        unsigned char *text = NULL;
        int size = o->ASN1_STRING_to_UTF8(&text, o->X509_NAME_ENTRY_get_data(entry));

        if (size < 0)
            continue;
        lua_pushlstring(L, (const char *)text, (size_t)size);
        o->CRYPTO_free(text, __FILE__, __LINE__);
        lua_setfield(L, -2, key != NULL ? key : "UNDEF");
    }
}

static void push_time(lua_State *L, const struct lc_openssl *o, const ASN1_TIME *time)
{
    BIO *bio = o->BIO_new(o->BIO_s_mem());

    if (bio == NULL)
        luaL_error(L, "not enough memory");
    o->ASN1_TIME_print(bio, time);
    push_bio(L, o, bio);
}

static void push_serial(lua_State *L, const struct lc_openssl *o, X509 *certificate)
{
    BIO *bio = o->BIO_new(o->BIO_s_mem());

    if (bio == NULL)
        luaL_error(L, "not enough memory");
    o->i2a_ASN1_INTEGER(bio, o->X509_get0_serialNumber(certificate));
    push_bio(L, o, bio);
}

/* {"DNS:localhost", "IP Address:127.0.0.1"} [-0, +1, m] */
static void push_other_names(lua_State *L, const struct lc_openssl *o, X509 *certificate)
{
    OPENSSL_STACK *names = o->X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int n = names != NULL ? o->OPENSSL_sk_num(names) : 0;

    lua_createtable(L, n > 0 ? n : 0, 0);
    for (int i = 0; i < n; i++) {
        BIO *bio = o->BIO_new(o->BIO_s_mem());

        if (bio == NULL)
            break;
        o->GENERAL_NAME_print(bio, o->OPENSSL_sk_value(names, i));
        push_bio(L, o, bio);
        lua_rawseti(L, -2, i + 1);
    }
    if (names != NULL)
        o->OPENSSL_sk_pop_free(names, (void (*)(void *))o->GENERAL_NAME_free);
}

static void push_der(lua_State *L, const struct lc_openssl *o, X509 *certificate)
{
    BIO *bio = o->BIO_new(o->BIO_s_mem());

    if (bio == NULL)
        luaL_error(L, "not enough memory");
    o->i2d_X509_bio(bio, certificate);
    push_bio(L, o, bio);
}

/* The table is what Python's getpeercert gives, flatter. */
void lc_tls_push_certificate(lua_State *L, const struct lc_openssl *o, X509 *certificate,
                             bool binary)
{
    luaL_checkstack(L, 10, NULL);
    if (binary) {
        push_der(L, o, certificate);
        return;
    }
    lua_createtable(L, 0, 7);
    push_name(L, o, o->X509_get_subject_name(certificate));
    lua_setfield(L, -2, "subject");
    push_name(L, o, o->X509_get_issuer_name(certificate));
    lua_setfield(L, -2, "issuer");
    push_time(L, o, o->X509_get0_notBefore(certificate));
    lua_setfield(L, -2, "notBefore");
    push_time(L, o, o->X509_get0_notAfter(certificate));
    lua_setfield(L, -2, "notAfter");
    push_serial(L, o, certificate);
    lua_setfield(L, -2, "serialNumber");
    push_other_names(L, o, certificate);
    lua_setfield(L, -2, "subjectAltName");
    lua_pushinteger(L, o->X509_get_version(certificate) + 1);
    lua_setfield(L, -2, "version");
}

static int push_protected(lua_State *L)
{
    const struct lc_openssl *o = lua_touserdata(L, 1);

    lc_tls_push_certificate(L, o, lua_touserdata(L, 2), lua_toboolean(L, 3));
    return 1;
}

static bool push_peer(lua_State *L, struct lc_tls *tls, bool binary)
{
    const struct lc_openssl *o = tls->o;
    X509 *certificate = o->SSL_get1_peer_certificate(tls->ssl);
    int status;

    if (certificate == NULL)
        return false;
    lua_pushcfunction(L, push_protected);
    lua_pushlightuserdata(L, (void *)o);
    lua_pushlightuserdata(L, certificate);
    lua_pushboolean(L, binary);
    status = lua_pcall(L, 3, 1, 0);
    o->X509_free(certificate);
    if (status != LUA_OK)
        lua_error(L);
    return true;
}

void lc_tls_push_peer_data(lua_State *L, struct lc_tls *tls)
{
    luaL_checkstack(L, 8, NULL);
    if (!push_peer(L, tls, true))
        lua_pushnil(L);
}

/* {name, version, bits} [-0, +1, m] */
static bool push_cipher(lua_State *L, struct lc_tls *tls)
{
    const struct lc_openssl *o = tls->o;
    const SSL_CIPHER *cipher = o->SSL_get_current_cipher(tls->ssl);

    if (cipher == NULL)
        return false;
    lua_createtable(L, 3, 0);
    lua_pushstring(L, o->SSL_CIPHER_get_name(cipher));
    lua_rawseti(L, -2, 1);
    lua_pushstring(L, o->SSL_CIPHER_get_version(cipher));
    lua_rawseti(L, -2, 2);
    lua_pushinteger(L, o->SSL_CIPHER_get_bits(cipher, NULL));
    lua_rawseti(L, -2, 3);
    return true;
}

static bool push_protocol(lua_State *L, struct lc_tls *tls)
{
    const unsigned char *data = NULL;
    unsigned size = 0;

    tls->o->SSL_get0_alpn_selected(tls->ssl, &data, &size);
    if (size == 0)
        return false;
    lua_pushlstring(L, (const char *)data, size);
    return true;
}

bool lc_tls_info(lua_State *L, struct lc_stream *stream, const char *name)
{
    struct lc_tls *tls = lc_tls_of(stream);

    luaL_checkstack(L, 8, NULL);
    if (strcmp(name, "sslcontext") == 0) {
        lc_tls_push_context(L, tls->context);
        return true;
    }
    if (strcmp(name, "peercert") == 0)
        return push_peer(L, tls, false);
    if (strcmp(name, "cipher") == 0)
        return push_cipher(L, tls);
    if (strcmp(name, "alpn_protocol") == 0)
        return push_protocol(L, tls);
    if (strcmp(name, "ssl_object") != 0)
        return false;
    lc_tls_push_object(L, tls);
    return true;
}
