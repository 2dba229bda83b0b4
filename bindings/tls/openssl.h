/*
 * openssl: the functions of libssl and libcrypto, loaded when TLS is first used: linked, they would be
 * more than half of the time that the command takes to start.
 * Owner: Lua's collector; the host holds the table as LC_REF_OPENSSL, so that it outlives every object.
 */
#ifndef LC_OPENSSL_H
#define LC_OPENSSL_H

#include <lua.h>
#include <openssl/bio.h>
#include <openssl/buffer.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct lc_host;

/* What is called, under its own name. */
#define LC_OPENSSL_FUNCTIONS(X)                                                                    \
    X(ASN1_STRING_to_UTF8)                                                                         \
    X(ASN1_TIME_print)                                                                             \
    X(BIO_ctrl)                                                                                    \
    X(BIO_free)                                                                                    \
    X(BIO_new)                                                                                     \
    X(BIO_new_mem_buf)                                                                             \
    X(BIO_s_mem)                                                                                   \
    X(BIO_up_ref)                                                                                  \
    X(BUF_MEM_free)                                                                                \
    X(BUF_MEM_new)                                                                                 \
    X(CRYPTO_free)                                                                                 \
    X(ERR_clear_error)                                                                             \
    X(ERR_error_string_n)                                                                          \
    X(ERR_peek_error)                                                                              \
    X(ERR_reason_error_string)                                                                     \
    X(GENERAL_NAME_free)                                                                           \
    X(GENERAL_NAME_print)                                                                          \
    X(OBJ_nid2ln)                                                                                  \
    X(OBJ_obj2nid)                                                                                 \
    X(OPENSSL_sk_num)                                                                              \
    X(OPENSSL_sk_pop_free)                                                                         \
    X(OPENSSL_sk_value)                                                                            \
    X(OpenSSL_version)                                                                             \
    X(PEM_read_bio_X509)                                                                           \
    X(SSL_CIPHER_get_bits)                                                                         \
    X(SSL_CIPHER_get_name)                                                                         \
    X(SSL_CIPHER_get_version)                                                                      \
    X(SSL_CTX_callback_ctrl)                                                                       \
    X(SSL_CTX_check_private_key)                                                                   \
    X(SSL_CTX_clear_options)                                                                       \
    X(SSL_CTX_ctrl)                                                                                \
    X(SSL_CTX_free)                                                                                \
    X(SSL_CTX_get0_param)                                                                          \
    X(SSL_CTX_get_cert_store)                                                                      \
    X(SSL_CTX_get_ciphers)                                                                         \
    X(SSL_CTX_get_num_tickets)                                                                     \
    X(SSL_CTX_get_options)                                                                         \
    X(SSL_CTX_load_verify_dir)                                                                     \
    X(SSL_CTX_load_verify_file)                                                                    \
    X(SSL_CTX_new)                                                                                 \
    X(SSL_CTX_set_alpn_protos)                                                                     \
    X(SSL_CTX_set_alpn_select_cb)                                                                  \
    X(SSL_CTX_set_cipher_list)                                                                     \
    X(SSL_CTX_set_default_passwd_cb)                                                               \
    X(SSL_CTX_set_default_passwd_cb_userdata)                                                      \
    X(SSL_CTX_set_default_verify_paths)                                                            \
    X(SSL_CTX_set_keylog_callback)                                                                 \
    X(SSL_CTX_set_num_tickets)                                                                     \
    X(SSL_CTX_set_options)                                                                         \
    X(SSL_CTX_set_session_id_context)                                                              \
    X(SSL_CTX_set_verify)                                                                          \
    X(SSL_CTX_use_PrivateKey_file)                                                                 \
    X(SSL_CTX_use_certificate_chain_file)                                                          \
    X(SSL_SESSION_free)                                                                            \
    X(SSL_SESSION_get_id)                                                                          \
    X(SSL_SESSION_get_ticket_lifetime_hint)                                                        \
    X(SSL_SESSION_get_time)                                                                        \
    X(SSL_SESSION_get_timeout)                                                                     \
    X(SSL_SESSION_has_ticket)                                                                      \
    X(SSL_SESSION_is_resumable)                                                                    \
    X(SSL_ctrl)                                                                                    \
    X(SSL_do_handshake)                                                                            \
    X(SSL_free)                                                                                    \
    X(SSL_get0_alpn_selected)                                                                      \
    X(SSL_get0_param)                                                                              \
    X(SSL_get1_peer_certificate)                                                                   \
    X(SSL_get1_session)                                                                            \
    X(SSL_get_current_cipher)                                                                      \
    X(SSL_get_error)                                                                               \
    X(SSL_get_ex_data)                                                                             \
    X(SSL_get_servername)                                                                          \
    X(SSL_get_verify_result)                                                                       \
    X(SSL_get_version)                                                                             \
    X(SSL_new)                                                                                     \
    X(SSL_read)                                                                                    \
    X(SSL_select_next_proto)                                                                       \
    X(SSL_session_reused)                                                                          \
    X(SSL_set1_host)                                                                               \
    X(SSL_set_SSL_CTX)                                                                             \
    X(SSL_set_accept_state)                                                                        \
    X(SSL_set_bio)                                                                                 \
    X(SSL_set_connect_state)                                                                       \
    X(SSL_set_ex_data)                                                                             \
    X(SSL_set_hostflags)                                                                           \
    X(SSL_set_session)                                                                             \
    X(SSL_shutdown)                                                                                \
    X(SSL_write)                                                                                   \
    X(TLS_method)                                                                                  \
    X(X509_NAME_ENTRY_get_data)                                                                    \
    X(X509_NAME_ENTRY_get_object)                                                                  \
    X(X509_NAME_entry_count)                                                                       \
    X(X509_NAME_get_entry)                                                                         \
    X(X509_OBJECT_get0_X509)                                                                       \
    X(X509_OBJECT_get_type)                                                                        \
    X(X509_STORE_add_cert)                                                                         \
    X(X509_STORE_get0_objects)                                                                     \
    X(X509_VERIFY_PARAM_clear_flags)                                                               \
    X(X509_VERIFY_PARAM_get_flags)                                                                 \
    X(X509_VERIFY_PARAM_set1_ip_asc)                                                               \
    X(X509_VERIFY_PARAM_set_flags)                                                                 \
    X(X509_check_ca)                                                                               \
    X(X509_free)                                                                                   \
    X(X509_get0_notAfter)                                                                          \
    X(X509_get0_notBefore)                                                                         \
    X(X509_get0_serialNumber)                                                                      \
    X(X509_get_default_cert_dir)                                                                   \
    X(X509_get_default_cert_dir_env)                                                               \
    X(X509_get_default_cert_file)                                                                  \
    X(X509_get_default_cert_file_env)                                                              \
    X(X509_get_ext_d2i)                                                                            \
    X(X509_get_issuer_name)                                                                        \
    X(X509_get_subject_name)                                                                       \
    X(X509_get_version)                                                                            \
    X(X509_verify_cert_error_string)                                                               \
    X(d2i_X509_bio)                                                                                \
    X(i2a_ASN1_INTEGER)                                                                            \
    X(i2d_X509_bio)

struct lc_openssl {
#define FIELD(name) __typeof__(name) *name;
    LC_OPENSSL_FUNCTIONS(FIELD)
#undef FIELD
};

/* The table, loaded by now. Raises RuntimeError where the libraries are missing. [-0, +0, v] */
const struct lc_openssl *lc_openssl_load(lua_State *L, struct lc_host *host);

#endif
