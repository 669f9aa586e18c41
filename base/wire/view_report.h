/*
 * View reports: what nodes tell upstream about views, as bytes.
 *
 * docs/view-reports.md is the format and the protocol; this header is the code that all programs
 * share: encoding, decoding, and the decision whether a report is the next of its stream.
 *
 * A *stream* is what one node's spool says to one receiver: (node, epoch), where the epoch is drawn
 * when the stream begins. Its reports are numbered from 1 without a gap, and each names the SHA-256
 * of the bytes of the one before. A receiver keeps of every stream the number and the hash of the
 * last report that it applied, in the same transaction as what the report says; so each report has
 * its effect once, however often and in whatever order it comes.
 *
 *     bytes ─ fb_view_report_decode ─→ report ─ fb_view_report_judge ─→ APPLY     merge, keep
 * number and hash REPEATED  nothing; acknowledge again GAP       409, audit CHANGED   409, audit
 *
 * Ownership  What was decoded is owned by the report: done frees it. What is encoded is borrowed.
 * Threads    Pure functions, any thread.
 * Limits     FB_VIEW_* below; beyond them nothing is encoded and nothing decoded.
 * Failures   FB_E_LIMIT, FB_E_MALFORMED, FB_E_UNSUPPORTED (a version that is not known), -ENOMEM.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"
#include "base/wire/view_entry.h"

#include <stddef.h>
#include <stdint.h>

enum {
    FB_VIEW_NODE_MAX = 255,
    FB_VIEW_REGION_MAX = 64,
    FB_VIEW_ENTRIES_MAX = 65536,          /* in a report */
    FB_VIEW_MERGED_MAX = 65536,           /* in a report */
    FB_VIEW_REPORT_MAX = 4 * 1024 * 1024, /* bytes of a report */
    FB_VIEW_PLAIN_MAX = 32 * 1024 * 1024, /* of the same without compression */
    FB_VIEW_BATCH_MAX = 8 * 1024 * 1024,  /* bytes of a request */
    FB_VIEW_RECEIVER_SIZE = 32,           /* hex digits of a receiver's id */
    FB_VIEW_DIGEST_SIZE = 32
};

/* Where reports are sent to, what they are, and how a sender names the receiver that it means: by
 * the id that GET on the same path answers, FB_VIEW_RECEIVER_SIZE hex digits that belong to the
 * receiver's database. A POST that names another one is answered 421. */
#define FB_VIEW_REPORTS_PATH    "/internal/v1/reports"
#define FB_VIEW_REPORTS_TYPE    "application/vnd.forebay.view-reports"
#define FB_VIEW_RECEIVER_HEADER "forebay-receiver"

/* Of the whole node since its last report. Sums, when reports are merged. */
struct fb_view_totals {
    uint64_t bytes_served;    /* of all responses */
    uint64_t bytes_missed;    /* of those, fetched from upstream for them */
    uint64_t plan_filled;     /* bytes filled ahead of demand, by plan */
    uint64_t plan_served;     /* bytes served of what was filled so */
    uint64_t prefetch_filled; /* bytes of next segments fetched ahead */
    uint64_t prefetch_served; /* bytes served of what was fetched so */
    uint64_t dropped_events;  /* requests and beacons that were not looked at, for want of room */
    uint64_t folded_entries;  /* entries whose detail went for want of room; their sums did not */
};

/* Reports of others that were merged into this one: first to last of one stream, for audit. */
struct fb_view_merged {
    struct fb_str node;
    uint64_t epoch;
    uint64_t first;
    uint64_t last;
};

struct fb_view_report {
    struct fb_str node;   /* who says it; not empty */
    struct fb_str region; /* where it was watched; may be empty */
    uint64_t epoch;
    uint64_t sequence;                     /* from 1 */
    uint8_t previous[FB_VIEW_DIGEST_SIZE]; /* SHA-256 of the bytes before; zero in the first */
    int64_t made_ms;                       /* Unix time by the node's clock */
    struct fb_view_totals totals;
    const struct fb_view_merged *merged;
    size_t n_merged;
    struct fb_view_entry *entries; /* sorted by what is first: video, minute, span, rendition */
    size_t n_entries;

    /* Private. */
    struct fb_arena *arena; /* of a decoded report: owns all of the above */
};

/* Appends the bytes of `report`. Sorts its entries in place. */
FB_MUST_CHECK int fb_view_report_encode(struct fb_view_report *report, struct fb_buf *to);

/* All of `bytes`, which may go afterwards. */
FB_MUST_CHECK int fb_view_report_decode(struct fb_str bytes, struct fb_view_report *ret_report);

/* Frees what was decoded and zeroes the report; safe on zero. */
void fb_view_report_done(struct fb_view_report *report);

/* What the next report of the stream calls `previous`. */
void fb_view_report_digest(struct fb_str bytes, uint8_t digest[FB_VIEW_DIGEST_SIZE]);

void fb_view_totals_add(struct fb_view_totals *into, const struct fb_view_totals *from);

/* ---- streams --------------------------------------------------------------- */

/* The last report of a stream that was applied; zero when there was none. */
struct fb_view_stream {
    uint64_t sequence;
    uint8_t digest[FB_VIEW_DIGEST_SIZE];
};

enum fb_view_verdict {
    FB_VIEW_APPLY,    /* the next one: merge it, then keep its number and digest */
    FB_VIEW_REPEATED, /* applied before: acknowledge it again */
    FB_VIEW_GAP,      /* one is missing before it */
    FB_VIEW_CHANGED   /* not what was sent under this number, or not behind what was applied */
};

/* `digest` is that of the report's bytes. */
enum fb_view_verdict fb_view_report_judge(const struct fb_view_stream *last,
                                          const struct fb_view_report *report,
                                          const uint8_t digest[FB_VIEW_DIGEST_SIZE]);

/* ---- batches: the body of a request ---------------------------------------- */

/* Appends a report's bytes to a body, with their length before them. All reports of a body are of
 * one stream, in its order. */
void fb_view_batch_add(struct fb_buf *body, struct fb_str report);

/* Cuts the next report's bytes off `*rest`; FB_E_END at the end, FB_E_MALFORMED, FB_E_LIMIT. */
FB_MUST_CHECK int fb_view_batch_next(struct fb_str *rest, struct fb_str *ret_report);
