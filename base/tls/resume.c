#include "base/tls/resume.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/tls/config_internal.h"
#include "base/tls/keys13.h"
#include "base/tls/post.h"
#include "base/tls/resume_internal.h"
#include "base/tls/sessions.h"

#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>

#include <string.h>

/* ---- keeping and offering ------------------------------------------------- */

/* The certificate was looked at when the session was made; without it a session is small. */
static void drop_certificate(mbedtls_ssl_session *session)
{
#ifdef MBEDTLS_SSL_KEEP_PEER_CERTIFICATE
    if (session->peer_cert != NULL) {
        mbedtls_x509_crt_free(session->peer_cert);
        mbedtls_free(session->peer_cert);
        session->peer_cert = NULL;
    }
#else
    (void)session;
#endif
}

static void keep(const struct fb_tls_config *config, const mbedtls_ssl_session *session,
                 struct fb_str name)
{
    uint8_t bytes[FB_TLS_SESSION_MAX];
    size_t len = 0;

    if (mbedtls_ssl_session_save(session, bytes, sizeof(bytes), &len) == 0) {
        fb_tls_sessions_put(config->sessions, name, (struct fb_str){(const char *)bytes, len});
    }
    mbedtls_platform_zeroize(bytes, sizeof(bytes));
}

bool fb_tls_resume_offer(const struct fb_tls_config *config, mbedtls_ssl_context *ssl,
                         struct fb_str name)
{
    uint8_t bytes[FB_TLS_SESSION_MAX];
    mbedtls_ssl_session session;

    size_t len = fb_tls_sessions_get(config->sessions, name, bytes);
    if (len == 0) {
        return false;
    }
    mbedtls_ssl_session_init(&session);
    bool is_offered = mbedtls_ssl_session_load(&session, bytes, len) == 0 &&
                      mbedtls_ssl_set_session(ssl, &session) == 0;
    mbedtls_ssl_session_free(&session);
    mbedtls_platform_zeroize(bytes, sizeof(bytes));
    return is_offered;
}

void fb_tls_resume_keep(const struct fb_tls_config *config, const mbedtls_ssl_context *ssl,
                        struct fb_str name)
{
    mbedtls_ssl_session session;

    mbedtls_ssl_session_init(&session);
    if (mbedtls_ssl_get_session(ssl, &session) == 0) {
        drop_certificate(&session);
        keep(config, &session, name);
    }
    mbedtls_ssl_session_free(&session);
}

void fb_tls_resume_forget(const struct fb_tls_config *config, struct fb_str name)
{
    fb_tls_sessions_put(config->sessions, name, FB_STR_NONE);
}

/* ---- tickets of TLS 1.3 --------------------------------------------------- */

struct fb_tls_resumer {
    struct fb_tls_config *config; /* counted */
    char *name;                   /* owned */
    mbedtls_ssl_session session;
};

void fb_tls_resumer_free(struct fb_tls_resumer *resumer)
{
    if (resumer == NULL) {
        return;
    }
    mbedtls_ssl_session_free(&resumer->session); /* wipes it */
    fb_tls_config_unref(resumer->config);
    fb_free(resumer->name);
    fb_free(resumer);
}

#if MBEDTLS_VERSION_NUMBER < 0x03000000

struct fb_tls_resumer *fb_tls_resumer_new(struct fb_tls_config *config,
                                          const mbedtls_ssl_context *ssl, struct fb_str name)
{
    (void)config;
    (void)ssl;
    (void)name;
    return NULL;
}

int fb_tls_resumer_take(struct fb_tls_resumer *resumer, struct fb_str body)
{
    struct fb_tls_ticket ticket;

    (void)resumer;
    return fb_tls_post_ticket(body, &ticket);
}

#else

struct fb_tls_resumer *fb_tls_resumer_new(struct fb_tls_config *config,
                                          const mbedtls_ssl_context *ssl, struct fb_str name)
{
    struct fb_tls_resumer *resumer = FB_NEW(struct fb_tls_resumer);

    resumer->config = fb_tls_config_ref(config);
    resumer->name = fb_str_dup(name);
    mbedtls_ssl_session_init(&resumer->session);
    if (mbedtls_ssl_get_session(ssl, &resumer->session) != 0) {
        fb_tls_resumer_free(resumer);
        return NULL;
    }
    drop_certificate(&resumer->session);
    return resumer;
}

static enum fb_tls_aead aead_of(const mbedtls_ssl_session *session)
{
    return session->ciphersuite == MBEDTLS_TLS1_3_AES_256_GCM_SHA384 ? FB_TLS_AES_256_GCM
                                                                     : FB_TLS_AES_128_GCM;
}

/* RFC 8446 section 4.6.1: the key of the session follows from the handshake's master secret. */
int fb_tls_resumer_take(struct fb_tls_resumer *resumer, struct fb_str body)
{
    mbedtls_ssl_session *session = &resumer->session;
    enum fb_tls_aead aead = aead_of(session); /* for its hash */
    struct fb_tls_ticket ticket;

    int err = fb_tls_post_ticket(body, &ticket);
    if (err < 0 || ticket.lifetime_s == 0) {
        return err;
    }
    mbedtls_free(session->ticket);
    session->ticket_len = 0;
    session->ticket = mbedtls_calloc(1, ticket.ticket.len);
    if (session->ticket == NULL) {
        return FB_OK; /* it is not kept, which is all */
    }
    memcpy(session->ticket, ticket.ticket.ptr, ticket.ticket.len);
    session->ticket_len = ticket.ticket.len;
    session->ticket_lifetime = ticket.lifetime_s;
    session->ticket_age_add = ticket.age_add;
    session->ticket_flags = MBEDTLS_SSL_TLS1_3_TICKET_ALLOW_PSK_EPHEMERAL_RESUMPTION;
    session->ticket_reception_time = mbedtls_ms_time();
    session->resumption_key_len = (unsigned char)fb_tls_secret_size(aead);
    fb_tls_expand_label(aead, session->app_secrets.resumption_master_secret, FB_STR("resumption"),
                        ticket.nonce, session->resumption_key, session->resumption_key_len);
    keep(resumer->config, session, fb_str_from(resumer->name));
    return FB_OK;
}

#endif
