/*
 * CMCD: what a player says of itself with a request (CTA-5004).
 *
 * It comes as four request fields or as one query parameter, and is the same list of
 * keys either way: `bl=21300,sid="6e2fb550-…",su`. A value is a number, a token, a
 * quoted string, or left out, which means true.
 *
 * Threads    Pure functions, any thread.
 * Limits     EDGE_CMCD_KEYS_MAX keys, of EDGE_CMCD_TEXT_MAX bytes in all; what is beyond
 *            is left out. A key that is malformed ends its list.
 */
#pragma once

#include "base/core/buf.h"
#include "base/core/str.h"
#include "base/http/head.h"

#include <stdbool.h>
#include <stddef.h>

enum { EDGE_CMCD_KEYS_MAX = 48, EDGE_CMCD_TEXT_MAX = 4096 };

/* The field that a key belongs to. */
enum edge_cmcd_field {
    EDGE_CMCD_OBJECT,
    EDGE_CMCD_REQUEST,
    EDGE_CMCD_SESSION,
    EDGE_CMCD_STATUS,
    EDGE_CMCD_N_FIELDS
};

enum edge_cmcd_kind { EDGE_CMCD_TRUE, EDGE_CMCD_NUMBER, EDGE_CMCD_TOKEN, EDGE_CMCD_STRING };

struct edge_cmcd_key {
    struct fb_str name;  /* a token of small letters, digits, '-', '_' and '.' */
    struct fb_str value; /* of STRING without quotes, escapes taken out */
    enum edge_cmcd_field field;
    enum edge_cmcd_kind kind;
};

struct edge_cmcd {
    struct edge_cmcd_key keys[EDGE_CMCD_KEYS_MAX]; /* into `text` */
    size_t n;

    /* Private: what the query was decoded to. */
    struct fb_buf text;
};

/* Reads what a request carries; a key that comes twice counts the first time. `*ret_cmcd` is zero,
 * or was read into before: its memory is used again. Views into the request hold as long as that.
 */
void edge_cmcd_read(const struct fb_request_head *request, struct edge_cmcd *ret_cmcd);

/* Frees; safe on zero. */
void edge_cmcd_done(struct edge_cmcd *cmcd);

/* True of the query parameter that carries it. */
bool edge_cmcd_is_param(struct fb_str name);

/* Appends the keys of one field as they stand on the wire; nothing if there are none. */
void edge_cmcd_append(struct fb_buf *buf, const struct edge_cmcd *cmcd, enum edge_cmcd_field field);
