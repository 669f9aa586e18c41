/*
 * Sessions that a client keeps, of servers by name, so that the next connection needs no
 * signatures.
 *
 *     TLS 1.2   a handshake leaves one
 *     TLS 1.3   tickets come after it: what they become sessions by is kept with the connection
 *
 * They live in memory alone, and as long as the configuration: one that replaces it may trust
 * others. A session is used until a newer one takes its place; a server that does not know it any
 * more makes a full handshake of it.
 *
 * Ownership  new → free.
 * Threads    Any, at any time.
 * Limits     FB_TLS_SESSIONS_MAX names, of which the one kept first makes room; FB_TLS_SESSION_MAX
 *            bytes each, and a longer one is not kept.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stddef.h>
#include <stdint.h>

enum { FB_TLS_SESSIONS_MAX = 32, FB_TLS_SESSION_MAX = 4096 };

struct fb_tls_sessions;

struct fb_tls_sessions *fb_tls_sessions_new(void);
void fb_tls_sessions_free(struct fb_tls_sessions *sessions); /* accepts NULL; wipes them */

/* In place of one of the same name; `session` is copied, "": none any more. */
void fb_tls_sessions_put(struct fb_tls_sessions *sessions, struct fb_str name,
                         struct fb_str session);

/* A copy, for the caller to wipe. Its size, or 0 if there is none. */
size_t fb_tls_sessions_get(struct fb_tls_sessions *sessions, struct fb_str name,
                           uint8_t session[FB_TLS_SESSION_MAX]);
