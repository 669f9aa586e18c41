#include "base/tls/session.h"

#include "base/core/err.h"
#include "base/tls/tickets.h"

#include <mbedtls/platform_util.h>

/* A session without a peer's certificate takes some 100 bytes; clients' have none where there are
 * tickets. */
enum { SESSION_MAX = 1024 };

static int on_write(void *ctx, const mbedtls_ssl_session *session, unsigned char *start,
                    const unsigned char *end, size_t *ret_len, uint32_t *ret_lifetime_s)
{
    struct fb_tls_tickets *tickets = ctx;
    unsigned char bytes[SESSION_MAX];
    size_t len = 0;

    int code = mbedtls_ssl_session_save(session, bytes, sizeof(bytes), &len);
    if (code != 0) {
        return code;
    }
    int err = fb_tls_ticket_seal(tickets, (struct fb_str){(const char *)bytes, len}, start,
                                 (size_t)(end - start), ret_len);
    mbedtls_platform_zeroize(bytes, sizeof(bytes));
    if (err < 0) {
        return MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL;
    }
    *ret_lifetime_s = fb_tls_tickets_lifetime_s(tickets);
    return 0;
}

static int on_parse(void *ctx, mbedtls_ssl_session *session, unsigned char *ticket, size_t len)
{
    unsigned char bytes[SESSION_MAX + FB_TLS_TICKET_OVERHEAD];
    size_t size = 0;

    if (len > sizeof(bytes)) {
        return MBEDTLS_ERR_SSL_INVALID_MAC;
    }
    int err = fb_tls_ticket_open(ctx, ticket, len, bytes, &size);
    if (err < 0) {
        return err == FB_E_EXPIRED ? MBEDTLS_ERR_SSL_SESSION_TICKET_EXPIRED
                                   : MBEDTLS_ERR_SSL_INVALID_MAC;
    }
    int code = mbedtls_ssl_session_load(session, bytes, size);
    mbedtls_platform_zeroize(bytes, sizeof(bytes));
    return code;
}

void fb_tls_session_use_tickets(mbedtls_ssl_config *conf, struct fb_tls_tickets *tickets,
                                bool is_client)
{
    if (is_client) {
        mbedtls_ssl_conf_session_tickets(conf, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
    } else if (tickets != NULL) {
        mbedtls_ssl_conf_session_tickets_cb(conf, on_write, on_parse, tickets);
    }
}
