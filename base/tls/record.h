/*
 * Records: application data sealed and opened with the keys of a handshake.
 *
 * Pure functions over memory, of TLS 1.2 and 1.3. What seals is a backend, one for the process,
 * chosen once by what the machine has; all give the same bytes. Each of the two directions has a
 * state of its own.
 *
 *     plain bytes ── fb_tls_seal() ──► records of at most 16 KiB of content
 *     records ── fb_tls_measure() ──► fb_tls_open() ──► plain bytes, or an alert
 *
 * Ownership  init → done. Keys are copied; done wipes them.
 * Threads    One at a time for each direction; both may be used at once.
 * Limits     FB_TLS_RECORD_MAX bytes of content in a record. A direction ends before its record
 *            number would repeat (FB_E_LIMIT), which at 16 KiB each is 2^78 bytes; with TLS 1.3 it
 *            wants new keys long before.
 * Failures   FB_E_MALFORMED (no record), FB_E_LIMIT (a longer one than may be), FB_E_CORRUPT (it
 *            does not open: forged, damaged or out of order), FB_E_UNSUPPORTED (it opens to what
 *            no record may hold); after any of them the connection is over, and
 *            fb_tls_failure_alert() is what the peer may be told.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"
#include "base/tls/keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FB_TLS_RECORD_MAX = 16 * 1024,
    FB_TLS_HEADER_SIZE = 5,
    FB_TLS_OPENED_MAX = FB_TLS_RECORD_MAX + 1, /* TLS 1.3 seals what it is with the content */
    FB_TLS_OVERHEAD_MAX = FB_TLS_HEADER_SIZE + 8 + 1 + FB_TLS_TAG_SIZE,
    /* A sealed record, header and all: RFC 5246 section 6.2.3 bounds what a peer may add. */
    FB_TLS_SEALED_MAX = FB_TLS_HEADER_SIZE + FB_TLS_RECORD_MAX + 2048
};

/* RFC 8446 section 5.1. */
enum fb_tls_content {
    FB_TLS_CHANGE_CIPHER_SPEC = 20,
    FB_TLS_ALERT = 21,
    FB_TLS_HANDSHAKE = 22,
    FB_TLS_DATA = 23
};

/* RFC 8446 section 6; those that records give rise to. */
enum fb_tls_alert {
    FB_TLS_CLOSE_NOTIFY = 0,
    FB_TLS_UNEXPECTED_MESSAGE = 10,
    FB_TLS_BAD_RECORD_MAC = 20,
    FB_TLS_RECORD_OVERFLOW = 22,
    FB_TLS_ILLEGAL_PARAMETER = 47,
    FB_TLS_DECODE_ERROR = 50,
    FB_TLS_INTERNAL_ERROR = 80,
    FB_TLS_USER_CANCELED = 90,
    FB_TLS_NO_RENEGOTIATION = 100
};

struct fb_tls_backend; /* what seals: backend.h */

/* ---- directions ---------------------------------------------------------- */

struct fb_tls_direction {
    const struct fb_tls_backend *backend;
    void *key; /* owned */
    enum fb_tls_version version;
    enum fb_tls_aead aead;
    uint16_t max_content;
    uint8_t iv[FB_TLS_IV_SIZE];
    uint64_t sequence;
    uint8_t secret[FB_TLS_SECRET_MAX]; /* of TLS 1.3 */
};

/* `backend` NULL: the best. */
void fb_tls_direction_init(struct fb_tls_direction *direction, const struct fb_tls_keys *keys,
                           const struct fb_tls_traffic *traffic,
                           const struct fb_tls_backend *backend);
void fb_tls_direction_done(struct fb_tls_direction *direction); /* safe on zero */

/* Of TLS 1.3: goes on with the keys that follow a KeyUpdate. */
void fb_tls_direction_update(struct fb_tls_direction *direction);

/* True if so much was sealed with its keys that others should follow: RFC 8446 section 5.5. */
bool fb_tls_direction_is_worn(const struct fb_tls_direction *direction);

/* ---- sealing ------------------------------------------------------------- */

enum { FB_TLS_BATCH_RECORDS = 8, FB_TLS_BATCH_BYTES = FB_TLS_BATCH_RECORDS * FB_TLS_RECORD_MAX };

/* Bytes that `n` bytes of data take when sealed. */
size_t fb_tls_sealed_size(const struct fb_tls_direction *direction, size_t n);

/* Seals the bytes from `from` to `to` of the pieces taken as one run, at most FB_TLS_BATCH_BYTES,
 * as records of data, into `out`, which has fb_tls_sealed_size(to - from) bytes. Returns these. */
FB_MUST_CHECK int fb_tls_seal(struct fb_tls_direction *direction, const struct fb_str *pieces,
                              size_t n_pieces, size_t from, size_t to, uint8_t *out);

/* What an alert says, level and description; close_notify and no_renegotiation are warnings, all
 * others fatal. */
void fb_tls_alert_message(enum fb_tls_alert alert, uint8_t ret_message[2]);

enum {
    FB_TLS_NOTE_MAX = 8,
    FB_TLS_SEALED_NOTE_MAX = FB_TLS_OVERHEAD_MAX + FB_TLS_NOTE_MAX,
    FB_TLS_SEALED_ALERT_MAX = FB_TLS_SEALED_NOTE_MAX
};

/* Seals an alert. Returns its size; 0: there is no number left for it. */
size_t fb_tls_seal_alert(struct fb_tls_direction *direction, enum fb_tls_alert alert,
                         uint8_t out[FB_TLS_SEALED_ALERT_MAX]);

/* The same of a short message of another kind. */
size_t fb_tls_seal_note(struct fb_tls_direction *direction, enum fb_tls_content type,
                        struct fb_str message, uint8_t out[FB_TLS_SEALED_NOTE_MAX]);

/* ---- opening ------------------------------------------------------------- */

/* The size of the record that `bytes` begin with, all of it; FB_E_LATER if the header is not whole,
 * FB_E_MALFORMED if it is none, FB_E_LIMIT if it is longer than may be. */
FB_MUST_CHECK int fb_tls_measure(const struct fb_tls_direction *direction, struct fb_str bytes,
                                 size_t *ret_size);

/* Opens one whole record, measured before. `out` has room for FB_TLS_OPENED_MAX bytes and does not
 * overlap it. `*ret_type` is what it is; what is neither data nor an alert is the caller's to
 * refuse. */
FB_MUST_CHECK int fb_tls_open(struct fb_tls_direction *direction, struct fb_str record,
                              uint8_t *out, size_t *ret_len, enum fb_tls_content *ret_type);

/* The alert for a result of fb_tls_measure(), fb_tls_open() or fb_tls_post_take(). */
enum fb_tls_alert fb_tls_failure_alert(int err);
