/*
 * Tickets: sessions that clients keep for servers (RFC 5077).
 *
 * A ticket is a session sealed with a key that only the servers know. Keys are drawn at random,
 * live in memory alone, and are replaced every `lifetime_s`: the one before opens tickets until
 * it is as old as two lifetimes, so that whoever steals the memory reads no more than that. All
 * loops seal and open with the same keys, and a configuration that replaces another keeps them.
 *
 * Ownership  Counted: whoever makes them has a reference, configurations have one each.
 * Threads    Any, at any time.
 * Limits     Two keys.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stddef.h>
#include <stdint.h>

struct fb_clock;
struct fb_tls_tickets;

enum { FB_TLS_TICKET_OVERHEAD = 16 + 12 + 8 + 16 }; /* name, nonce, date, tag */

/* `clock` is borrowed. `lifetime_s` of tickets and of keys, at least 1. */
struct fb_tls_tickets *fb_tls_tickets_new(const struct fb_clock *clock, uint32_t lifetime_s);
struct fb_tls_tickets *fb_tls_tickets_ref(struct fb_tls_tickets *tickets);
void fb_tls_tickets_unref(struct fb_tls_tickets *tickets); /* accepts NULL */

uint32_t fb_tls_tickets_lifetime_s(const struct fb_tls_tickets *tickets);

/* Seals `session` to `ticket`; FB_E_LIMIT if it has not `max` bytes for it. */
FB_MUST_CHECK int fb_tls_ticket_seal(struct fb_tls_tickets *tickets, struct fb_str session,
                                     uint8_t *ticket, size_t max, size_t *ret_len);

/* Opens `ticket` to `session`, at least `len` bytes: FB_E_DENIED if it is forged or its key is
 * gone, FB_E_EXPIRED. */
FB_MUST_CHECK int fb_tls_ticket_open(struct fb_tls_tickets *tickets, const uint8_t *ticket,
                                     size_t len, uint8_t *session, size_t *ret_len);
