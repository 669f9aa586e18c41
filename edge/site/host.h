/*
 * Hosts: names as sites are found by.
 *
 * A name is put in lower case, without port and without the dot of the root. That
 * of a wildcard `*.b.example` is `.b.example`, so that a name without its first label
 * is looked up as it stands.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "edge/site/site.h"

#include <stdbool.h>

struct edge_host {
    char text[EDGE_SITE_HOST_BYTES + 1];
    size_t len;
    unsigned n_labels; /* an address in brackets is one */
    bool is_wildcard;  /* written `*.name`; the labels are those of the name */
    bool is_rest;      /* written `*` */
};

static inline struct fb_str edge_host_str(const struct edge_host *host)
{
    return (struct fb_str){host->text, host->len};
}

/* What is written for a site; fails as edge_site_check_host(). */
FB_MUST_CHECK int edge_host_read(struct fb_str text, struct edge_host *ret_host,
                                 struct fb_diag *diag);

/* What a request names; false if it cannot be a site's. */
FB_MUST_CHECK bool edge_host_of_request(struct fb_str text, struct edge_host *ret_host);
