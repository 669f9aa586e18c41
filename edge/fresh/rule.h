/*
 * Rules: what a site says about its paths.
 *
 * The first rule that matches a path decides its class:
 *
 *     segment    immutable: one year, whatever the upstream says
 *     manifest   changes: a lifetime between min and max, whatever it says
 *     other      plain RFC 9111
 *
 * A path is a claim. When the response's head is there, edge_treatment_refine()
 * asks again: rules that match by content type have their say, and a class that
 * the content type of a success contradicts gives way to plain RFC 9111, so that a page
 * under a name like `account/x.m4s` is not kept as a segment. Media types agree with both
 * classes, plain text and XML with manifests too; pages, scripts and JSON with neither,
 * unless a rule names them. A response without Content-Type is taken at its path's word.
 *
 * Ownership  Lists of rules are counted: a site holds one reference, a fill
 *            another. A treatment borrows its list; whoever keeps a treatment past the
 *            request takes a reference with edge_rules_ref().
 * Threads    Any: lists never change.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/http/head.h"
#include "edge/fresh/edit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum edge_class { EDGE_CLASS_OTHER, EDGE_CLASS_SEGMENT, EDGE_CLASS_MANIFEST };

/* What becomes of a response with Set-Cookie. */
enum edge_cookies {
    EDGE_COOKIES_BY_CLASS, /* DROP for segments, PASS for all else */
    EDGE_COOKIES_PASS,     /* it is not kept */
    EDGE_COOKIES_DROP,     /* it is kept, and given to everybody, without the field */
    EDGE_COOKIES_SHARE     /* it is kept with the field: everybody gets one cookie */
};

/* How long an error lives. */
struct edge_negative {
    uint16_t status; /* 400..599; or 4 or 5 for all of 4xx or 5xx that have no entry */
    uint32_t ttl_ms; /* 0: it is not kept */
};

enum { EDGE_NEGATIVE_MAX = 8 };

/* How responses are kept; borrows nothing. All zero is plain RFC 9111. */
struct edge_caching {
    /* For other, without a lifetime from upstream: this part of the time since
     * Last-Modified (RFC 9111 section 4.2.2), but no longer than the most. */
    unsigned heuristic_percent; /* 0: none */
    int64_t heuristic_max_ms;   /* 0: EDGE_HEURISTIC_MAX_MS */

    /* Errors (400 and above) live for what their entry says, or for less if the upstream
     * says so; without an entry as in RFC 9111, those of 5xx but 501 not at all. None
     * lives for more than the most. */
    struct edge_negative negative[EDGE_NEGATIVE_MAX];
    uint8_t n_negative;
    int64_t error_max_ms; /* 0: EDGE_ERROR_TTL_MAX_MS for segments and manifests, else no bound */

    enum edge_cookies cookies;

    /* s-maxage forbids any use when stale (RFC 9111 section 5.2.2.10); true: not beside an
     * express stale-while-revalidate or stale-if-error. */
    bool is_lax_on_s_maxage;
};

enum { EDGE_ERROR_TTL_MAX_MS = 10000, EDGE_HEURISTIC_MAX_MS = 24 * 3600 * 1000 };

/* What is written of one rule; copied by edge_rules_new(). */
struct edge_rule {
    /* The path (normalised, without query) ends with one of the suffixes, begins with one of
     * the prefixes, and has a place that one of the patterns (base/regex) matches; and
     * the response is of one of the content types, "video/mp4" or "video" with a star. An
     * empty list is not asked. */
    const struct fb_str *suffixes;
    size_t n_suffixes;
    const struct fb_str *prefixes;
    size_t n_prefixes;
    const struct fb_str *patterns;
    size_t n_patterns;
    const struct fb_str *content_types;
    size_t n_content_types;

    enum edge_class class;

    /* For manifest and other, of a success: the lifetime is clamped to these. 0: not
     * clamped on that side. Without a lifetime from upstream, the minimum holds. */
    int64_t min_ttl_ms;
    int64_t max_ttl_ms;

    struct edge_caching caching;
    struct edge_edits edits; /* of responses on their way to clients */
};

struct edge_rules;

/* The class and clamps of one path; small, passed by value. */
struct edge_treatment {
    enum edge_class class;
    int64_t min_ttl_ms;
    int64_t max_ttl_ms;
    struct edge_caching caching;
    const struct edge_edits *edits; /* of the rule; NULL: none. Borrowed from `rules` */
    struct edge_rules *rules;       /* borrowed; NULL: there are none */
    bool asks_content_type;         /* some of the rules do, so that this may change */
};

/* Deeply copies `n` rules. FB_E_MALFORMED with a sentence. One reference is the
 * caller's. */
FB_MUST_CHECK int edge_rules_new(const struct edge_rule *rules, size_t n,
                                 struct edge_rules **ret_rules, struct fb_diag *diag);

/* Both accept NULL. */
struct edge_rules *edge_rules_ref(struct edge_rules *rules);
void edge_rules_unref(struct edge_rules *rules);

/* What the first rule that matches `path`, and asks for no content type, says; plain RFC 9111
 * if none does, or `rules` is NULL. A pattern that reaches its limits does not match.
 * `arena` is for the time of the call. */
struct edge_treatment edge_rules_find(struct edge_rules *rules, struct fb_arena *arena,
                                      struct fb_str path);

/* The treatment of `path`, which was given `treatment` by edge_rules_find(), now that the
 * response is there. Of a 304 and a 206, it is the head of the whole that counts. */
struct edge_treatment edge_treatment_refine(const struct edge_treatment *treatment,
                                            struct fb_arena *arena, struct fb_str path,
                                            const struct fb_response_head *response);

/* "segment", "manifest" or "other". */
const char *edge_class_name(enum edge_class class);
