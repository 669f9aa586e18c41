/*
 * Plans: what the edges of a region should hold before anybody asks for it.
 *
 * A plan is two documents, both made by the origin and pulled by GET:
 *
 *     head   a JSON Web Signature (ES256, compact form) of a few hundred bytes, which names
 *            the region, a serial number that only grows, when the plan was made, until when it
 *            counts, and the SHA-256 of the body
 *     body   newline-delimited JSON, one entry a line, in the order in which to fill; kept
 *            and pulled by its digest, so that it never changes under its name
 *
 *     {"path":"/media/v7/3/v/720p/1.m4s","size":812345,"sha256":"9f86…","value":4100000,
 *      "reason":"trending"}                                       (one line in the body)
 *
 * The signature proves the head, and the head proves the body. docs/plans.md is the format.
 *
 *     origin  fb_plan_add()… → fb_plan_seal()         edge  fb_plan_head_open()
 *                                                           → fb_plan_reader_new()
 *                                                           → feed… → finish
 *
 * Ownership  A draft and a plan own all that they name. Strings of an entry that is added are
 *            copied.
 * Threads    One at a time.
 * Limits     FB_PLAN_ENTRIES_MAX entries, FB_PLAN_BODY_MAX bytes of body, and those below.
 *            Unknown members are passed over, so that later makers may say more.
 * Failures   FB_E_MALFORMED and FB_E_LIMIT with a sentence; FB_E_DENIED for a head that no key
 *            has signed; FB_E_UNSUPPORTED for one of a later format; FB_E_CORRUPT for a body
 *            that is not the one of its head.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/crypto/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_jose_key;
struct fb_plan_reader;

enum {
    FB_PLAN_ENTRIES_MAX = 250000,
    FB_PLAN_BODY_MAX = 64 * 1024 * 1024,
    FB_PLAN_LINE_MAX = 4096,
    FB_PLAN_PATH_MAX = 1024,
    FB_PLAN_REGION_MAX = 64,
    FB_PLAN_REASON_MAX = 32,
    FB_PLAN_DIGEST_TEXT = 2 * FB_SHA256_SIZE
};

/* The types under which the two documents travel. */
#define FB_PLAN_HEAD_TYPE "application/jose"
#define FB_PLAN_BODY_TYPE "application/x-ndjson"

struct fb_plan_head {
    char region[FB_PLAN_REGION_MAX + 1];
    uint64_t serial;                /* from 1; of one region and host, it only grows */
    int64_t made_ms;                /* wall clock */
    int64_t until_ms;               /* the plan does not count from here on; 0: no end */
    uint64_t n_entries;             /* in the body */
    uint64_t body_bytes;            /* of the body */
    uint8_t digest[FB_SHA256_SIZE]; /* of the body */
};

struct fb_plan_entry {
    struct fb_str path;             /* as an edge is asked for it, with its query if any: "/…" */
    uint64_t size;                  /* of the whole body, at least 1 */
    uint8_t sha256[FB_SHA256_SIZE]; /* of the whole body */
    uint64_t value;                 /* expected bytes saved, for people and for comparing */
    struct fb_str reason;           /* "trending", "release", …: letters, digits, '-' */
    bool is_now;                    /* not to wait for a window, where the edge allows that */
};

/* True for 1 to FB_PLAN_REGION_MAX of a-z, 0-9 and '-', which a path can bear. */
bool fb_plan_is_region(struct fb_str region);

/* Writes FB_PLAN_DIGEST_TEXT letters in lower case and a NUL. */
void fb_plan_digest_text(const uint8_t digest[FB_SHA256_SIZE], char text[FB_PLAN_DIGEST_TEXT + 1]);

/* ---- making --------------------------------------------------------------- */

/* Zero before the first entry. */
struct fb_plan_draft {
    struct fb_buf body;
    uint64_t n_entries;
    uint64_t n_bytes; /* of all that is named */
};

/* Leaves it zero. */
void fb_plan_draft_done(struct fb_plan_draft *draft);

/* Appends an entry. FB_E_MALFORMED for a path, a size or a reason that no plan can bear,
 * FB_E_LIMIT if the plan is full; the draft stands as it was. */
FB_MUST_CHECK int fb_plan_add(struct fb_plan_draft *draft, const struct fb_plan_entry *entry);

/* Completes `head`, of which region, serial, made_ms and until_ms are given, and appends it, signed
 * by `key` (private, ES256), to `token`. The body is draft->body, to be kept under
 * head->digest. */
FB_MUST_CHECK int fb_plan_seal(const struct fb_plan_draft *draft, const struct fb_jose_key *key,
                               struct fb_str kid, struct fb_plan_head *head, struct fb_buf *token);

/* ---- taking --------------------------------------------------------------- */

/* Reads a head that one of `keys` has signed. Whether it is for this region, is new and still
 * counts is the caller's to judge. */
FB_MUST_CHECK int fb_plan_head_open(struct fb_str token, const struct fb_jose_key *const *keys,
                                    size_t n_keys, struct fb_plan_head *ret_head,
                                    struct fb_diag *diag);

struct fb_plan {
    struct fb_plan_head head;
    struct fb_plan_entry *entries; /* in order; strings as long-lived as the plan */
    size_t n;
    uint64_t n_bytes; /* of all that is named */

    /* Private to plan.c. */
    struct fb_arena arena;
    size_t max_entries;
};

/* Accepts NULL. */
void fb_plan_free(struct fb_plan *plan);
void fb_plan_freep(struct fb_plan **plan); /* for FB_AUTO */

/* Reads the body of `head` (copied), piece by piece. */
struct fb_plan_reader *fb_plan_reader_new(const struct fb_plan_head *head);

/* Accepts NULL. */
void fb_plan_reader_free(struct fb_plan_reader *reader);

/* The next bytes, cut anywhere. After a failure nothing more may be fed. */
FB_MUST_CHECK int fb_plan_reader_feed(struct fb_plan_reader *reader, struct fb_str bytes,
                                      struct fb_diag *diag);

/* The end of the body: gives the plan if it is the one of the head, to the byte. The reader is to
 * be freed in any case. */
FB_MUST_CHECK int fb_plan_reader_finish(struct fb_plan_reader *reader, struct fb_plan **ret_plan,
                                        struct fb_diag *diag);
