/*
 * Entries: one request as a line of the access log.
 *
 * Two forms. JSON: one object a line. W3C: the extended log file format, columns as
 * its header names them, "-" for what there is none of; with CMCD (CTA-5004) in the
 * four columns that its request fields would have, however the player sent it.
 *
 * Nothing that a client sends can end a line or a column, or steer a terminal: what is
 * not printable is escaped. The query is shown without CMCD, and with "-" for the value
 * of a parameter that is hidden, such as a token.
 *
 * Threads    Pure functions, any thread.
 * Limits     A path or query is cut at EDGE_ACCESS_TEXT_MAX bytes, another text at a
 *            quarter of it; a line is then not whole, and says so ("cut":true, "~").
 */
#pragma once

#include "base/core/buf.h"
#include "base/core/str.h"
#include "base/http/head.h"
#include "base/net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EDGE_ACCESS_TEXT_MAX = 4096 };

enum edge_access_client {
    EDGE_ACCESS_CLIENT_NONE,
    EDGE_ACCESS_CLIENT_NETWORK, /* the first 24 bits of IPv4, 48 of IPv6 */
    EDGE_ACCESS_CLIENT_FULL
};

/* Borrowed, all of it. A string that is NULL or empty: there is none. */
struct edge_access_entry {
    int64_t wall_ms; /* when the response ended */
    const struct fb_request_head *request;
    struct fb_address client;
    struct fb_str site;
    unsigned status;
    uint64_t bytes; /* of content, sent */
    uint64_t duration_ns;
    bool is_complete;            /* the last byte went to the kernel */
    const char *result;          /* "hit", "miss", … */
    const char *forward;         /* why it was forwarded, as in Cache-Status */
    const char *cause;           /* of the miss, or another detail */
    unsigned upstream_status;    /* 0: none was asked */
    struct fb_str tier;          /* that answered: "regional", "origin" */
    struct fb_str protocol;      /* of the request: "HTTP/1.1", "HTTP/2" */
    const struct fb_str *hidden; /* parameters of the site whose value is not shown */
    size_t n_hidden;
};

/* What of an entry is shown. */
struct edge_access_view {
    enum edge_access_client client;
    bool has_cmcd;
    const struct fb_str *hidden; /* parameters whose value is not shown, in any case */
    size_t n_hidden;
    uint32_t sample;  /* 1: every request is here */
    bool has_subject; /* JSON among other lines: says that it is of the access log */
};

/* Each appends one line with its end. */
void edge_access_json(struct fb_buf *buf, const struct edge_access_entry *entry,
                      const struct edge_access_view *view);
void edge_access_w3c(struct fb_buf *buf, const struct edge_access_entry *entry,
                     const struct edge_access_view *view);

/* The lines that come first in a W3C file. `node` and the time are remarks in it. */
void edge_access_w3c_head(struct fb_buf *buf, const struct edge_access_view *view,
                          struct fb_str node, int64_t wall_ms);
