/*
 * Both sides of a handshake in memory, for the tests in this folder; each includes it once, before
 * cmocka's header.
 */
#pragma once

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/str.h"
#include "base/tls/config.h"
#include "base/tls/handshake.h"
#include "base/tls/record.h"
#include "tests/support/test_certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PEM(text) ((struct fb_tls_pem){{(text), sizeof(text) - 1}, #text})

static const struct fb_tls_certificate server_certificate = {
    {{TEST_SERVER_PEM, sizeof(TEST_SERVER_PEM) - 1}, "server.pem"},
    {{TEST_SERVER_KEY, sizeof(TEST_SERVER_KEY) - 1}, "server.key"}};

/* One side, and how it came out. */
struct side {
    struct fb_tls_handshake *handshake;
    enum fb_tls_step step;
    int err;
    unsigned n_costly;
    struct fb_diag diag;
    struct fb_tls_keys keys;
    struct fb_tls_facts *facts;
};

struct sides {
    struct side server;
    struct side client;
};

/* What both sides of a test speak unless it says so itself. */
static enum fb_tls_version version_of_both = FB_TLS_1_2;

static inline struct fb_tls_config *config_new(const struct fb_tls_options *options)
{
    struct fb_tls_options wanted = *options;
    struct fb_tls_config *config = NULL;
    struct fb_diag diag;

    if (wanted.max_version == 0) {
        wanted.max_version = version_of_both;
    }
    if (fb_tls_config_new(&wanted, &config, &diag) < 0) {
        fail_msg("%s", diag.text);
    }
    return config;
}

static inline struct fb_tls_config *server_new(void)
{
    return config_new(
        &(struct fb_tls_options){.certificates = &server_certificate, .n_certificates = 1});
}

static inline struct fb_tls_config *client_new(void)
{
    return config_new(&(struct fb_tls_options){.is_client = true, .authorities = PEM(TEST_CA_PEM)});
}

static inline void sides_begin(struct sides *sides, struct fb_tls_config *server,
                               struct fb_tls_config *client, const char *name)
{
    *sides = (struct sides){.server = {.err = FB_OK}};
    assert_int_equal(fb_tls_handshake_new(server, FB_STR_NONE, &sides->server.handshake), FB_OK);
    assert_int_equal(fb_tls_handshake_new(client, fb_str_from(name), &sides->client.handshake),
                     FB_OK);
}

static inline bool side_is_over(const struct side *side)
{
    return side->err < 0 || side->step == FB_TLS_DONE;
}

/* Steps, and hands what is to be sent over to the other side. */
static inline void side_step(struct side *side, struct side *other)
{
    if (side_is_over(side)) {
        return;
    }
    side->err = fb_tls_handshake_step(side->handshake, false, &side->step, &side->diag);
    if (side->err == FB_OK && side->step == FB_TLS_IS_COSTLY) {
        side->n_costly++;
        side->err = fb_tls_handshake_step(side->handshake, true, &side->step, &side->diag);
    }
    struct fb_str output = fb_tls_handshake_output(side->handshake);
    if (output.len > 0 && !side_is_over(other)) {
        assert_int_equal(fb_tls_handshake_feed(other->handshake, output), FB_OK);
    }
    fb_tls_handshake_sent(side->handshake, output.len);
}

static inline void sides_run(struct sides *sides)
{
    for (int i = 0; i < 8; i++) {
        side_step(&sides->client, &sides->server);
        side_step(&sides->server, &sides->client);
    }
}

static inline void side_end(struct side *side)
{
    if (side->err == FB_OK && side->step == FB_TLS_DONE) {
        fb_tls_handshake_take_keys(side->handshake, &side->keys);
        side->facts = fb_tls_handshake_take_facts(side->handshake);
    }
    fb_tls_handshake_free(side->handshake);
    side->handshake = NULL;
}

/* Both end, well or not; the configurations go too. */
static inline void shake(struct sides *sides, struct fb_tls_config *server,
                         struct fb_tls_config *client, const char *name)
{
    sides_begin(sides, server, client, name);
    sides_run(sides);
    side_end(&sides->server);
    side_end(&sides->client);
    fb_tls_config_unref(server);
    fb_tls_config_unref(client);
}

static inline void sides_done(struct sides *sides)
{
    fb_free(sides->server.facts);
    fb_free(sides->client.facts);
}
