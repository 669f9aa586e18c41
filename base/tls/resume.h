/*
 * Resuming, as a client does it: what a handshake offers, and what is kept of one.
 *
 * Ownership  A resumer: taken of a handshake → fb_tls_resumer_free().
 * Threads    One at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

struct fb_tls_config;
struct fb_tls_handshake;
struct fb_tls_resumer;

/* Of a client's handshake that is done, once: what makes sessions of the tickets that come after
 * it; NULL if none will, as of TLS 1.2. It holds a reference of the configuration. */
struct fb_tls_resumer *fb_tls_handshake_take_resumer(struct fb_tls_handshake *handshake);
void fb_tls_resumer_free(struct fb_tls_resumer *resumer); /* accepts NULL; wipes it */

/* `body` is that of a NewSessionTicket, FB_E_MALFORMED if it is none. The session is kept for the
 * next handshakes with that server. */
FB_MUST_CHECK int fb_tls_resumer_take(struct fb_tls_resumer *resumer, struct fb_str body);
