/*
 * What listeners and upstreams are secured with: made of the configuration, and replaced by a
 * reload.
 *
 *     edge_tls_new ──► edge_tls_server, _client ──► … edge_tls_load, _use … ──► edge_tls_free
 *
 * Each entry of `tls` that has certificates is one server, whatever listens with it. A reload reads
 * all files again, and only when all of them are good does anything change; sessions that clients
 * have tickets of go on, also with a new certificate. They do in the process that takes over as
 * well, with the entry of the same name. What listens keeps the entry that it began with: one that
 * is no longer there, or has another name, is served as it was until a restart.
 *
 * A certificate that ends within two weeks is logged when it is checked, and once a day.
 *
 * Ownership  The owner frees it after all listeners and uplinks.
 * Threads    The main one's.
 */
#pragma once

#include "base/client/client.h"
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_conf;
struct edge_tls;
struct edge_tls_news;
struct fb_buf;
struct fb_clock;
struct fb_json;
struct fb_loop;
struct fb_metrics;
struct fb_pool;
struct fb_tls_party;

/* True if anything listens or is asked with TLS. */
bool edge_conf_has_tls(const struct edge_conf *conf);

struct edge_tls_options {
    const struct fb_clock *clock; /* borrowed */
    struct fb_pool *pool;         /* borrowed; for handshakes */
    struct fb_loop *loop;         /* borrowed, of this thread; NULL: it is only checked */
    struct fb_metrics *metrics;   /* borrowed, may be NULL */
    struct fb_str told;           /* borrowed; by edge_tls_tell() of the process before */
};

FB_MUST_CHECK int edge_tls_new(const struct edge_conf *conf, const struct edge_tls_options *options,
                               struct edge_tls **ret_tls, struct fb_diag *diag);
void edge_tls_free(struct edge_tls *tls); /* accepts NULL */

/* What the entry `name` is served with; NULL if `name` is empty. */
struct fb_tls_party *edge_tls_server(struct edge_tls *tls, struct fb_str name);

/* What upstreams that name `name` and speak `protocol` are asked with, "" being what the system
 * trusts; NULL if no upstream did when it was made or last loaded, or `tls` is NULL. */
struct fb_tls_party *edge_tls_client(struct edge_tls *tls, struct fb_str name,
                                     enum fb_client_protocol protocol);

/* Appends the keys of tickets, for the process that takes over, to what may have `max` bytes. */
void edge_tls_tell(struct edge_tls *tls, struct fb_buf *words, size_t max);

/* What a reload brings: loaded, then used or freed. */
FB_MUST_CHECK int edge_tls_load(struct edge_tls *tls, const struct edge_conf *conf,
                                struct edge_tls_news **ret_news, struct fb_diag *diag);
void edge_tls_use(struct edge_tls_news *news);       /* frees them */
void edge_tls_news_free(struct edge_tls_news *news); /* accepts NULL */

/* Adds to /status: `tls`, each entry with the end of its certificate that ends first, and
 * `sealers`, what seals records with each cipher. */
void edge_tls_status(struct edge_tls *tls, struct fb_json *status);
