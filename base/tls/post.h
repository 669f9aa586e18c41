/*
 * What may follow a handshake of TLS 1.3 (RFC 8446 section 4.6): messages in records of their own
 * kind, among the data.
 *
 *     a record's content ── fb_tls_post_take() until FB_E_LATER ──► KeyUpdate, or a ticket
 *
 * Ownership  {0} → done. What a message shows is borrowed until the next call.
 * Threads    One at a time.
 * Limits     FB_TLS_POST_MAX bytes of a message.
 * Failures   FB_E_MALFORMED, FB_E_UNSUPPORTED (a message that is not expected, or not there),
 *            FB_E_CONFLICT (a value that it may not have): the connection is over, and
 *            fb_tls_failure_alert() is what the peer is told.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { FB_TLS_POST_MAX = 16 * 1024, FB_TLS_KEY_UPDATE_SIZE = 5 };

enum fb_tls_post_kind { FB_TLS_POST_KEY_UPDATE, FB_TLS_POST_TICKET };

struct fb_tls_post_message {
    enum fb_tls_post_kind kind;
    bool wants_answer;  /* of a KeyUpdate: the other direction is to have new keys too */
    struct fb_str body; /* of a ticket */
};

struct fb_tls_post {
    struct fb_buf begun; /* a message of which not all has come */
    bool is_whole;       /* it was shown */
};

void fb_tls_post_done(struct fb_tls_post *post); /* safe on zero */

/* True in the midst of a message, which nothing but the rest of it may follow. */
bool fb_tls_post_has_begun(const struct fb_tls_post *post);

/* The next message, which is taken off `*bytes`; FB_E_LATER if there is none in them. Tickets are
 * for clients alone. */
FB_MUST_CHECK int fb_tls_post_take(struct fb_tls_post *post, struct fb_str *bytes, bool is_client,
                                   struct fb_tls_post_message *ret_message);

/* What a ticket's body holds (section 4.6.1), but for its extensions. */
struct fb_tls_ticket {
    uint32_t lifetime_s; /* 0: not to be used */
    uint32_t age_add;
    struct fb_str nonce;
    struct fb_str ticket; /* not empty */
};

/* FB_E_MALFORMED if it is none, FB_E_CONFLICT if it says to live for longer than seven days. */
FB_MUST_CHECK int fb_tls_post_ticket(struct fb_str body, struct fb_tls_ticket *ret_ticket);

/* A KeyUpdate that wants no answer. */
extern const struct fb_str fb_tls_key_update;
