/*
 * What a peer sends first: the first byte says whether to a server (0) or to a client, the rest is
 * fed whole and in pieces. Nothing is agreed on with a peer that knows no secret.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/tls/config.h"
#include "base/tls/handshake.h"
#include "tests/support/test_certificates.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PEM(text) ((struct fb_tls_pem){{(text), sizeof(text) - 1}, #text})

static struct fb_tls_config *make(bool is_client)
{
    const struct fb_tls_certificate certificate = {PEM(TEST_SERVER_PEM), PEM(TEST_SERVER_KEY)};
    static const char *const protocols[] = {"h2", "http/1.1"};
    struct fb_tls_config *config = NULL;
    struct fb_tls_options options = {
        .is_client = is_client,
        .certificates = &certificate,
        .n_certificates = is_client ? 0 : 1,
        .authorities = PEM(TEST_CA_PEM), /* a server's clients have to have a certificate */
        .protocols = protocols,
        .n_protocols = 2,
    };

    FB_REQUIRE(fb_tls_config_new(&options, &config, NULL) == FB_OK);
    return config;
}

static void run(bool is_client, struct fb_str bytes, size_t piece)
{
    static struct fb_tls_config *configs[2]; /* a signature each, once */
    struct fb_tls_handshake *handshake = NULL;
    enum fb_tls_step step = FB_TLS_NEEDS_BYTES;
    int err = FB_OK;

    if (configs[is_client] == NULL) {
        configs[is_client] = make(is_client);
    }
    FB_REQUIRE(fb_tls_handshake_new(configs[is_client], FB_STR("a.example"), &handshake) == FB_OK);
    if (is_client) {
        err = fb_tls_handshake_step(handshake, true, &step, NULL);
    }
    while (err == FB_OK && bytes.len > 0) {
        struct fb_str part = fb_str_first(bytes, piece);
        bytes = fb_str_skip(bytes, part.len);
        err = fb_tls_handshake_feed(handshake, part);
        if (err == FB_OK) {
            err = fb_tls_handshake_step(handshake, true, &step, NULL);
        }
        FB_REQUIRE(err < 0 || step == FB_TLS_NEEDS_BYTES);
    }
    fb_tls_handshake_free(handshake);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct fb_str bytes = {(const char *)data + 1, size - 1};
    run(data[0] != 0, bytes, bytes.len);
    run(data[0] != 0, bytes, 100);
    return 0;
}
