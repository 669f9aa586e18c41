/*
 * What the files of edge/fresh share.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/str.h"
#include "base/http/cache_control.h"
#include "base/http/head.h"
#include "edge/fresh/key.h"
#include "edge/fresh/rule.h"

#include <stdbool.h>

/* The directives that govern a response here. */
struct edge_directives {
    struct fb_cache_control cc;
    bool is_targeted; /* Cache-Control and Expires do not count (RFC 9213 section 2.2) */
};

/* From the first valid of Forebay-Cache-Control, CDN-Cache-Control and Cache-Control. */
struct edge_directives edge_directives_of(struct fb_arena *arena,
                                          const struct fb_headers *response);

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
