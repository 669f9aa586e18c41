/*
 * What follows a handshake: the first byte says whether to a server (even) or to a client and where
 * the rest is cut. However it is cut, the same messages come, and then the same refusal.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/tls/post.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    size_t n_bytes; /* of tickets */
    unsigned n_messages;
    int err;
};

static void look_at(struct fb_str body)
{
    struct fb_tls_ticket ticket;

    if (fb_tls_post_ticket(body, &ticket) == FB_OK) {
        FB_REQUIRE(ticket.ticket.len > 0 && ticket.ticket.len + ticket.nonce.len < body.len);
    }
}

static void take_all(struct fb_tls_post *post, struct fb_str bytes, bool is_client,
                     struct outcome *outcome)
{
    struct fb_tls_post_message message;

    while (outcome->err == FB_OK &&
           (outcome->err = fb_tls_post_take(post, &bytes, is_client, &message)) == FB_OK) {
        outcome->n_messages++;
        outcome->n_bytes += message.kind == FB_TLS_POST_TICKET ? message.body.len : 0;
        FB_REQUIRE(is_client || message.kind == FB_TLS_POST_KEY_UPDATE);
        if (message.kind == FB_TLS_POST_TICKET) {
            look_at(message.body);
        }
    }
    if (outcome->err == FB_E_LATER) {
        FB_REQUIRE(bytes.len == 0);
        outcome->err = FB_OK;
    }
    FB_REQUIRE(post->begun.len <= FB_TLS_POST_MAX);
}

static struct outcome run(struct fb_str bytes, size_t piece, bool is_client)
{
    struct fb_tls_post post = {.is_whole = false};
    struct outcome outcome = {.err = FB_OK};

    while (bytes.len > 0 && outcome.err == FB_OK) {
        struct fb_str part = fb_str_first(bytes, piece);
        bytes = fb_str_skip(bytes, part.len);
        take_all(&post, part, is_client, &outcome);
    }
    fb_tls_post_done(&post);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct fb_str bytes = {(const char *)data + 1, size - 1};
    bool is_client = data[0] % 2 != 0;
    struct outcome whole = run(bytes, bytes.len, is_client);
    struct outcome cut = run(bytes, 1 + data[0] / 2, is_client);
    /* A KeyUpdate that something follows in its record is refused, one at its end is not. */
    if (whole.err == FB_OK) {
        FB_REQUIRE(cut.err == FB_OK && cut.n_messages == whole.n_messages &&
                   cut.n_bytes == whole.n_bytes);
    }
    return 0;
}
