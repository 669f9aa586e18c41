#include "base/tls/handshake.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/tls/config_internal.h"
#include "base/tls/keys13.h"
#include "base/tls/record.h"
#include "base/tls/resume.h"
#include "base/tls/resume_internal.h"

#include <mbedtls/error.h>
#include <mbedtls/platform_util.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum { SERVER_NAME_MAX = 253 };

struct fb_tls_handshake {
    struct fb_tls_config *config; /* counted */
    mbedtls_ssl_config conf;      /* a flat copy: what it points at is the configuration's */
    mbedtls_ssl_context ssl;
    struct fb_tls_block block;
    struct fb_buf in; /* from the peer, not yet read */
    struct fb_buf out;
    size_t n_fed;
    char server_name[SERVER_NAME_MAX + 1]; /* asked for, in lower case; "": none */
    struct fb_str address;                 /* a part of `address_bytes`, if the name is one */
    char address_bytes[16];
    int plain_alert;  /* that the next record holds; -1: none */
    bool has_offered; /* a session of before */
    bool is_full;
    bool is_done;
};

/* ---- bytes ---------------------------------------------------------------- */

static int on_send(void *ctx, const unsigned char *bytes, size_t len)
{
    struct fb_tls_handshake *self = ctx;

    fb_buf_append(&self->out, (struct fb_str){(const char *)bytes, len});
    return (int)len;
}

static int on_receive(void *ctx, unsigned char *bytes, size_t max)
{
    struct fb_tls_handshake *self = ctx;
    size_t n = FB_MIN(max, self->in.len);

    if (n == 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    memcpy(bytes, self->in.ptr, n);
    fb_buf_consume(&self->in, n);
    return (int)n;
}

int fb_tls_handshake_feed(struct fb_tls_handshake *self, struct fb_str bytes)
{
    self->n_fed += bytes.len;
    if (self->n_fed > FB_TLS_HANDSHAKE_MAX) {
        return FB_E_LIMIT;
    }
    fb_buf_append(&self->in, bytes);
    return FB_OK;
}

/* True if a whole record came, or a length that none has: that is refused by reading it. */
static bool has_record(const struct fb_tls_handshake *self)
{
    const uint8_t *header = (const uint8_t *)self->in.ptr;

    if (self->in.len < FB_TLS_HEADER_SIZE) {
        return false;
    }
    size_t len = ((size_t)header[3] << 8) + header[4];
    return len > FB_TLS_SEALED_MAX || self->in.len >= FB_TLS_HEADER_SIZE + len;
}

/* The alert that comes next, if it is not sealed. mbedTLS, as a client, seals with the keys of TLS
 * 1.3's handshake later than servers expect, which take such an alert for damaged. */
static int plain_alert_of(const struct fb_tls_handshake *self)
{
    enum { ALERT_SIZE = 2 };
    const uint8_t *record = (const uint8_t *)self->in.ptr;
    bool is_alert = self->in.len == FB_TLS_HEADER_SIZE + ALERT_SIZE && record[0] == FB_TLS_ALERT &&
                    record[3] == 0 && record[4] == ALERT_SIZE;

    return is_alert ? record[FB_TLS_HEADER_SIZE + 1] : -1;
}

/* ---- steps ---------------------------------------------------------------- */

static int translate(int code)
{
    switch (code) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
    case MBEDTLS_ERR_SSL_CONN_EOF:
        return FB_E_CLOSED;
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
        return FB_E_DENIED;
    case MBEDTLS_ERR_SSL_ALLOC_FAILED:
        return -ENOMEM;
    case MBEDTLS_ERR_SSL_INTERNAL_ERROR:
        return FB_E_FOREIGN;
    default:
        return fb_tls_bridge_is_unsupported(code) ? FB_E_UNSUPPORTED : FB_E_MALFORMED;
    }
}

static int fail(struct fb_tls_handshake *self, int code, struct fb_diag *diag)
{
    int err = translate(code);
    char text[256];

    if (self->has_offered) {
        fb_tls_resume_forget(self->config, fb_str_from(self->server_name));
    }
    if (self->plain_alert >= 0) {
        return fb_diag_set(diag, FB_E_CLOSED, "the peer sent alert %d", self->plain_alert);
    }
    if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        return fb_diag_set(diag, err, "the peer sent alert %u", fb_tls_bridge_alert(&self->ssl));
    }
    uint32_t flags = mbedtls_ssl_get_verify_result(&self->ssl);
    if (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED && flags != 0 &&
        mbedtls_x509_crt_verify_info(text, sizeof(text), "", flags) > 0) {
        struct fb_str first = fb_str_first(fb_str_from(text), fb_str_find(fb_str_from(text), '\n'));
        return fb_diag_set(diag, err, "the peer's certificate: %.*s", FB_STR_ARG(first));
    }
    mbedtls_strerror(code, text, sizeof(text));
    return fb_diag_set(diag, err, "%s", text);
}

/* mbedTLS looks for names, not for addresses. */
static int check_address(struct fb_tls_handshake *self, struct fb_diag *diag)
{
    const mbedtls_x509_crt *peer = mbedtls_ssl_get_peer_cert(&self->ssl);

    /* Of a session that is resumed it was looked at before. */
    if (self->address.len > 0 && self->is_full &&
        (peer == NULL || !fb_tls_has_address(peer, self->address))) {
        return fb_diag_set(diag, FB_E_DENIED, "the peer's certificate is not for its address");
    }
    return FB_OK;
}

/* One step of mbedTLS's; true if there may be another at once. */
static bool advance(struct fb_tls_handshake *self, bool may_cost, enum fb_tls_step *ret_step,
                    int *code)
{
    self->is_full |= fb_tls_bridge_is_full(&self->ssl);
    bool has_input = has_record(self) || fb_tls_bridge_has_message(&self->ssl);
    bool lacks_input = fb_tls_bridge_reads(&self->ssl) && !has_input;

    if (fb_tls_bridge_is_costly(&self->ssl)) {
        if (lacks_input && self->in.len > 0) {
            *ret_step = FB_TLS_NEEDS_BYTES;
            return false;
        }
        if (!lacks_input && !may_cost) {
            *ret_step = FB_TLS_IS_COSTLY;
            return false;
        }
    }
    self->plain_alert = plain_alert_of(self);
    /* With nothing to read it costs nothing, and lets go of what was written before. */
    *code = mbedtls_ssl_handshake_step(&self->ssl);
    if (*code == MBEDTLS_ERR_SSL_WANT_READ) {
        *ret_step = FB_TLS_NEEDS_BYTES;
        *code = 0;
        return false;
    }
    return *code == 0;
}

static bool has_keys(const struct fb_tls_handshake *self)
{
    return fb_tls_bridge_version(&self->ssl) == FB_TLS_1_3 ? self->block.n_secrets == 2
                                                           : self->block.size > 0;
}

int fb_tls_handshake_step(struct fb_tls_handshake *self, bool may_cost, enum fb_tls_step *ret_step,
                          struct fb_diag *diag)
{
    int code = 0;

    FB_REQUIRE(!self->is_done);
    while (!fb_tls_bridge_is_over(&self->ssl)) {
        if (!advance(self, may_cost, ret_step, &code)) {
            return code == 0 ? FB_OK : fail(self, code, diag);
        }
    }
    if (!has_keys(self) || fb_tls_bridge_has_message(&self->ssl)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "the handshake went on after its end");
    }
    int err = check_address(self, diag);
    if (err == FB_OK) {
        if (self->config->is_client && self->is_full &&
            fb_tls_bridge_version(&self->ssl) == FB_TLS_1_2) {
            fb_tls_resume_keep(self->config, &self->ssl, fb_str_from(self->server_name));
        }
        self->is_done = true;
        *ret_step = FB_TLS_DONE;
    }
    return err;
}

struct fb_str fb_tls_handshake_output(const struct fb_tls_handshake *self)
{
    return fb_buf_str(&self->out);
}

void fb_tls_handshake_sent(struct fb_tls_handshake *self, size_t n)
{
    fb_buf_consume(&self->out, n);
}

/* ---- what comes of it ----------------------------------------------------- */

struct fb_str fb_tls_handshake_rest(const struct fb_tls_handshake *self)
{
    FB_REQUIRE(self->is_done);
    return fb_buf_str(&self->in);
}

static enum fb_tls_aead aead_of(const char *cipher)
{
    if (strstr(cipher, "CHACHA20") != NULL) {
        return FB_TLS_CHACHA20_POLY1305;
    }
    return strstr(cipher, "AES-256-GCM") != NULL ? FB_TLS_AES_256_GCM : FB_TLS_AES_128_GCM;
}

/* RFC 5246 section 6.3. The Finished of each direction was its record 0. */
static void keys_of_block(const struct fb_tls_block *block, enum fb_tls_aead aead,
                          struct fb_tls_traffic *client, struct fb_tls_traffic *server)
{
    size_t key_size = fb_tls_key_size(aead);
    size_t iv_size = aead == FB_TLS_CHACHA20_POLY1305 ? FB_TLS_IV_SIZE : 4;
    const uint8_t *bytes = block->bytes;

    FB_REQUIRE(block->size >= 2 * (key_size + iv_size));
    memcpy(client->key, bytes, key_size);
    memcpy(server->key, bytes + key_size, key_size);
    memcpy(client->iv, bytes + 2 * key_size, iv_size);
    memcpy(server->iv, bytes + 2 * key_size + iv_size, iv_size);
    client->sequence = 1;
    server->sequence = 1;
}

void fb_tls_handshake_take_keys(struct fb_tls_handshake *self, struct fb_tls_keys *ret_keys)
{
    struct fb_tls_keys keys = {.version = fb_tls_bridge_version(&self->ssl)};

    FB_REQUIRE(self->is_done && has_keys(self));
    keys.aead = aead_of(mbedtls_ssl_get_ciphersuite(&self->ssl));
    keys.max_content = (uint16_t)fb_tls_bridge_max_content(&self->ssl);
    struct fb_tls_traffic *client = self->config->is_client ? &keys.out : &keys.in;
    struct fb_tls_traffic *server = self->config->is_client ? &keys.in : &keys.out;
    if (keys.version == FB_TLS_1_3) {
        fb_tls_traffic_expand(keys.aead, self->block.secrets[0], client);
        fb_tls_traffic_expand(keys.aead, self->block.secrets[1], server);
    } else {
        keys_of_block(&self->block, keys.aead, client, server);
    }
    keys.out.sequence = fb_tls_bridge_n_sent(&self->ssl);
    *ret_keys = keys;
    fb_tls_keys_wipe(&keys);
    mbedtls_platform_zeroize(&self->block, sizeof(self->block));
}

struct fb_tls_resumer *fb_tls_handshake_take_resumer(struct fb_tls_handshake *self)
{
    FB_REQUIRE(self->is_done);
    bool may_follow = self->config->is_client && fb_tls_bridge_version(&self->ssl) == FB_TLS_1_3;
    return may_follow ? fb_tls_resumer_new(self->config, &self->ssl, fb_str_from(self->server_name))
                      : NULL;
}

static size_t text_size(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static const char *text_put(char **place, const char *text)
{
    size_t size = text_size(text);
    char *put = *place;

    if (size == 0) {
        return NULL;
    }
    memcpy(put, text, size);
    *place += size;
    return put;
}

struct fb_tls_facts *fb_tls_handshake_take_facts(struct fb_tls_handshake *self)
{
    FB_REQUIRE(self->is_done);
    const mbedtls_x509_crt *peer = mbedtls_ssl_get_peer_cert(&self->ssl);
    FB_AUTO(fb_freep) char *peer_name = peer == NULL ? NULL : fb_tls_name_of(peer, 0);
    const char *protocol = mbedtls_ssl_get_alpn_protocol(&self->ssl);
    const char *server_name = self->server_name[0] == 0 ? NULL : self->server_name;
    size_t n_text = text_size(protocol) + text_size(server_name) + text_size(peer_name);

    struct fb_tls_facts *facts = fb_alloc(sizeof(*facts) + n_text);
    char *place = (char *)(facts + 1);
    facts->version = fb_tls_bridge_version(&self->ssl);
    facts->cipher = mbedtls_ssl_get_ciphersuite(&self->ssl); /* mbedTLS's own, static */
    facts->protocol = text_put(&place, protocol);
    facts->server_name = text_put(&place, server_name);
    facts->peer_name = text_put(&place, peer_name);
    facts->is_resumed = !self->is_full;
    return facts;
}

/* ---- life ----------------------------------------------------------------- */

static void lower_into(char to[SERVER_NAME_MAX + 1], const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool is_upper = bytes[i] >= 'A' && bytes[i] <= 'Z';
        bool is_plain = bytes[i] > ' ' && bytes[i] <= '~';
        to[i] = is_plain ? (char)(is_upper ? bytes[i] - 'A' + 'a' : bytes[i]) : '?';
    }
    to[len] = 0;
}

/* The name is kept on its way to the configuration, which chooses by it. */
static int on_name(void *ctx, mbedtls_ssl_context *ssl, const unsigned char *bytes, size_t len)
{
    struct fb_tls_handshake *self = ctx;

    if (len <= SERVER_NAME_MAX) {
        lower_into(self->server_name, bytes, len);
    }
    return fb_tls_config_choose(self->config, ssl, fb_str_from(self->server_name));
}

/* The name that the server is asked for, and that its certificate must have. */
static int set_server_name(struct fb_tls_handshake *self, struct fb_str name)
{
    FB_REQUIRE(name.len > 0);
    if (name.len > SERVER_NAME_MAX) {
        return FB_E_LIMIT;
    }
    lower_into(self->server_name, (const unsigned char *)name.ptr, name.len);
    if (inet_pton(AF_INET, self->server_name, self->address_bytes) == 1) {
        self->address = (struct fb_str){self->address_bytes, 4};
    } else if (inet_pton(AF_INET6, self->server_name, self->address_bytes) == 1) {
        self->address = (struct fb_str){self->address_bytes, 16};
    }
    /* RFC 6066 section 3: an address is not asked for. */
    const char *asked = self->address.len > 0 ? NULL : self->server_name;
    return mbedtls_ssl_set_hostname(&self->ssl, asked) == 0 ? FB_OK : FB_E_FOREIGN;
}

int fb_tls_handshake_new(struct fb_tls_config *config, struct fb_str server_name,
                         struct fb_tls_handshake **ret_handshake)
{
    struct fb_tls_handshake *self = FB_NEW(struct fb_tls_handshake);

    self->config = fb_tls_config_ref(config);
    self->conf = config->base;
    self->plain_alert = -1;
    mbedtls_ssl_init(&self->ssl);
    fb_tls_bridge_export(&self->conf, &self->ssl, &self->block);
    if (!config->is_client) {
        mbedtls_ssl_conf_sni(&self->conf, on_name, self);
    }
    int err = mbedtls_ssl_setup(&self->ssl, &self->conf) == 0 ? FB_OK : -ENOMEM;
    if (err == FB_OK && config->is_client) {
        err = set_server_name(self, server_name);
    }
    if (err == FB_OK && config->is_client) {
        self->has_offered = fb_tls_resume_offer(config, &self->ssl, fb_str_from(self->server_name));
    }
    if (err < 0) {
        fb_tls_handshake_free(self);
        return err;
    }
    mbedtls_ssl_set_bio(&self->ssl, self, on_send, on_receive, NULL);
    *ret_handshake = self;
    return FB_OK;
}

bool fb_tls_handshake_is_client(const struct fb_tls_handshake *self)
{
    return self->config->is_client;
}

void fb_tls_handshake_free(struct fb_tls_handshake *self)
{
    if (self == NULL) {
        return;
    }
    mbedtls_ssl_free(&self->ssl);
    mbedtls_platform_zeroize(&self->block, sizeof(self->block));
    fb_buf_done(&self->in);
    fb_buf_done(&self->out);
    fb_tls_config_unref(self->config);
    fb_free(self);
}
