/*
 * Rules: what a site says about its paths.
 *
 * The first rule that matches a path decides its class:
 *
 *     segment    immutable: one year, whatever the upstream says
 *     manifest   changes: a lifetime between min and max, whatever it says
 *     other      plain RFC 9111
 *
 * Threads    Pure functions, any thread. Rules are plain data that stands still.
 */
#pragma once

#include "base/core/str.h"

#include <stddef.h>
#include <stdint.h>

enum edge_class { EDGE_CLASS_OTHER, EDGE_CLASS_SEGMENT, EDGE_CLASS_MANIFEST };

struct edge_rule {
    /* The path (normalised, without query) ends with one of the suffixes and
     * begins with one of the prefixes; an empty list is not asked. */
    const struct fb_str *suffixes; /* borrowed for as long as the rule */
    size_t n_suffixes;
    const struct fb_str *prefixes;
    size_t n_prefixes;

    enum edge_class class;

    /* For manifest and other: the lifetime is clamped to these. 0: not clamped
     * on that side. Without a lifetime from upstream, the minimum holds. */
    int64_t min_ttl_ms;
    int64_t max_ttl_ms;
};

/* The class and clamps of one path; small, passed by value, borrows nothing. */
struct edge_treatment {
    enum edge_class class;
    int64_t min_ttl_ms;
    int64_t max_ttl_ms;
};

/* What the first rule that matches `path` says; plain RFC 9111 if none does. */
struct edge_treatment edge_rules_find(const struct edge_rule *rules, size_t n_rules,
                                      struct fb_str path);

/* "segment", "manifest" or "other". */
const char *edge_class_name(enum edge_class class);
