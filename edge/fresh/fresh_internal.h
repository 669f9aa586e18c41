/*
 * What the files of edge/fresh share.
 *
 *     rule.c        what a site says of a class of responses
 *     agree.c       which content types a class may have
 *     key.c         the name under which a response is kept
 *     query.c       what of its query counts
 *     fields.c      which fields travel on, and which are kept
 *     edit.c        what a site adds to responses, or takes out
 *     directives.c  which of the fields that control caches counts
 *     storing.c     may a response be stored
 *     terms.c       for how long is it fresh, and may it be used stale
 *     demands.c     what the client's directives ask for
 *     use.c         may it be used now
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/str.h"
#include "base/http/cache_control.h"
#include "base/http/head.h"
#include "edge/fresh/key.h"
#include "edge/fresh/rule.h"

#include <stdbool.h>

struct edge_terms_of;

/* The directives that govern a response here. */
struct edge_directives {
    struct fb_cache_control cc;
    bool is_targeted; /* Cache-Control and Expires do not count (RFC 9213 section 2.2) */
};

/* From the first valid of Forebay-Cache-Control, CDN-Cache-Control and Cache-Control. */
struct edge_directives edge_directives_of(struct fb_arena *arena,
                                          const struct fb_headers *response);

bool edge_has_field(const struct fb_headers *headers, struct fb_str name);

/* True for a status that is cacheable without a word from upstream. */
bool edge_status_is_heuristic(unsigned status);

/* What the rule says of an error, or NULL. */
const struct edge_negative *edge_negative_of(const struct edge_treatment *treatment,
                                             unsigned status);

/* Why a response with this Vary must not be stored; NULL: it may. */
const char *edge_refusal_of(const struct edge_terms_of *of,
                            const struct edge_directives *directives, struct fb_str vary);

/* What becomes of cookies, by the class where the rule says nothing. */
enum edge_cookies edge_cookies_of(const struct edge_treatment *treatment);

/* True if "video/mp4" is "video/mp4" or a member of "video" with a star; ignoring case. */
bool edge_content_type_matches(struct fb_str essence, struct fb_str pattern);

/* True if what is sent as `essence` may be of that class; empty: nobody says what it is. */
bool edge_class_agrees(enum edge_class class, struct fb_str essence);

/* What counts of `query`, as it stands in the key; ptr NULL: nothing. */
struct fb_str edge_query_of(struct fb_arena *arena, struct fb_str query,
                            const struct edge_key_policy *policy);

/* Accept-Encoding in one of four forms: "br, gzip", "br", "gzip" or "". */
struct fb_str edge_accept_encoding_of(struct fb_arena *arena, const struct fb_headers *request);
