/*
 * Tickets: sessions that clients keep for servers (RFC 5077).
 *
 * A ticket is a session sealed with a key that only the servers know. Keys are drawn at random,
 * live in memory alone, and are replaced every `lifetime_s`: the one before opens tickets until
 * it is as old as two lifetimes, so that whoever steals the memory reads no more than that. All
 * loops seal and open with the same keys, a configuration that replaces another keeps them, and so
 * does a process that takes over from another.
 *
 * Ownership  Counted: whoever makes them has a reference, configurations have one each.
 * Threads    Any, at any time.
 * Limits     Two keys.
 * Failures   FB_E_LIMIT, FB_E_DENIED, FB_E_EXPIRED, FB_E_MALFORMED.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stddef.h>
#include <stdint.h>

struct fb_clock;
struct fb_tls_tickets;

enum {
    FB_TLS_TICKET_OVERHEAD = 16 + 12 + 8 + 16,        /* name, nonce, date, tag */
    FB_TLS_TICKETS_SAVED_MAX = 1 + 2 * (16 + 32 + 8), /* number; name, key, date of each */
};

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

/* The keys as bytes, for the process that comes after, and their number. Who reads them can read
 * all that their tickets were for. */
FB_MUST_CHECK size_t fb_tls_tickets_save(struct fb_tls_tickets *tickets,
                                         char saved[FB_TLS_TICKETS_SAVED_MAX]);

/* Goes on with keys that were saved, as long as they last. FB_E_MALFORMED: nothing has changed. */
FB_MUST_CHECK int fb_tls_tickets_load(struct fb_tls_tickets *tickets, struct fb_str saved);
