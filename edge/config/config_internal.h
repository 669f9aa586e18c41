/*
 * What the files of edge/config share: sections with a file of their own.
 */
#pragma once

#include "base/client/client.h"
#include "base/core/arena.h"
#include "edge/config/config.h"
#include "edge/fresh/rule.h"

struct edge_access;
struct edge_cors;
struct fb_tls_config;
struct fb_tls_tickets;

/* For probe of paths: what they name is read, appended to, or a folder that files are made in. */
int edge_conf_probe_read(const char *path, struct fb_diag *diag);
int edge_conf_probe_append(const char *path, struct fb_diag *diag);
int edge_conf_probe_folder(const char *path, struct fb_diag *diag);

/* Of struct edge_conf_rule. */
extern const struct fb_conf_section edge_conf_rule_section;

/* Of struct edge_conf_headers. */
extern const struct fb_conf_section edge_conf_headers_section;

extern const char *const edge_conf_cookie_names[];

/* Rules in the form that edge/fresh reads, in the arena; they borrow from the configuration.
 * `cookies` is what holds where they say nothing. */
struct edge_rule *edge_conf_rules(struct fb_arena *arena, const struct fb_conf_list *list,
                                  enum edge_cookies cookies, size_t *ret_n);
struct edge_edits edge_conf_edits(struct fb_arena *arena, const struct edge_conf_headers *headers);

/* Of struct edge_conf_views. */
extern const struct fb_conf_section edge_conf_views_section;

/* Of struct edge_conf_reports, and what is wrong with them as part of `conf`. */
extern const struct fb_conf_section edge_conf_reports_section;
FB_MUST_CHECK int edge_conf_check_reports(const struct edge_conf *conf, struct fb_diag *diag);

/* Of struct edge_conf_site. */
extern const struct fb_conf_section edge_conf_site_section;

/* For check_all of the sites: no host stands in two of them. */
int edge_conf_check_sites(const struct fb_conf_list *sites, size_t *ret_entry,
                          struct fb_diag *diag);

/* Of struct edge_conf_access and edge_conf_cors, both of a site. */
extern const struct fb_conf_section edge_conf_access_section;
extern const struct fb_conf_section edge_conf_cors_section;

/* Who is served: NULL for everybody. Reads the files of keys; the reference is the caller's.
 * `name` is the site's. */
FB_MUST_CHECK int edge_conf_access(const struct edge_conf_access *conf, struct fb_str name,
                                   struct edge_access **ret_access, struct fb_diag *diag);

/* NULL if nothing is said; in the arena, and borrowed from the configuration. */
const struct edge_cors *edge_conf_cors(struct fb_arena *arena, const struct edge_conf_cors *conf);

/* Of struct edge_conf_hsts, of a site. */
extern const struct fb_conf_section edge_conf_hsts_section;

/* The field's value, in the arena; "" for none. */
struct fb_str edge_conf_hsts(struct fb_arena *arena, const struct edge_conf_hsts *conf);

/* Of struct edge_conf_tls. */
extern const struct fb_conf_section edge_conf_tls_section;

/* For check_all: no name stands there twice. */
int edge_conf_check_tls(const struct fb_conf_list *list, size_t *ret_entry, struct fb_diag *diag);

/* That `name`, of `conf`, is there and can be listened with; or is ptr NULL. */
FB_MUST_CHECK int edge_conf_check_tls_server(const struct edge_conf *conf,
                                             const struct fb_str *name, struct fb_diag *diag);

/* The entry of `tls`, or NULL. */
const struct edge_conf_tls *edge_conf_find_tls(const struct edge_conf *conf, struct fb_str name);

/* For upstreams that speak `protocol`, with the files as they are now; NULL: what the system
 * trusts, and no certificate. */
FB_MUST_CHECK int edge_conf_tls_client(const struct edge_conf_tls *conf,
                                       enum fb_client_protocol protocol,
                                       struct fb_tls_config **ret_config, struct fb_diag *diag);

/* For listeners, with the files as they are now; HTTP/2 is offered if `has_http2`. `tickets` may be
 * NULL. */
FB_MUST_CHECK int edge_conf_tls_server(const struct edge_conf_tls *conf, bool has_http2,
                                       struct fb_tls_tickets *tickets,
                                       struct fb_tls_config **ret_config, struct fb_diag *diag);

/* Of struct edge_conf_store. */
extern const struct fb_conf_section edge_conf_store_section;

/* Says what keeps a volume from being taken into service on this machine, if anything does. */
FB_MUST_CHECK int edge_conf_probe_volumes(const struct edge_conf *conf, struct fb_diag *diag);

/* Of struct edge_conf_clients. */
extern const struct fb_conf_section edge_conf_clients_section;

/* Of struct edge_conf_fills. */
extern const struct fb_conf_section edge_conf_fills_section;

/* Of struct edge_conf_upstream; in lists of 1..EDGE_UPSTREAMS_MAX, the node's or a site's. */
extern const struct fb_conf_section edge_conf_upstream_section;

bool edge_conf_is_https(const struct edge_conf_upstream *upstream);

/* For check_all: no upstream is listed twice. */
int edge_conf_check_upstreams(const struct fb_conf_list *upstreams, size_t *ret_entry,
                              struct fb_diag *diag);

/* Of struct edge_conf_failover, edge_conf_health and edge_conf_keepalive. */
extern const struct fb_conf_section edge_conf_failover_section;
extern const struct fb_conf_section edge_conf_health_section;
extern const struct fb_conf_section edge_conf_keepalive_section;

/* Of struct edge_conf_access_log. */
extern const struct fb_conf_section edge_conf_access_log_section;

/* Of struct edge_conf_warm, and whether the rest fits it. */
extern const struct fb_conf_section edge_conf_warm_section;
extern const struct fb_conf_section edge_conf_prefetch_section;
int edge_conf_check_region(struct fb_str value, struct fb_diag *diag);
FB_MUST_CHECK int edge_conf_check_warm(const struct edge_conf *conf, struct fb_diag *diag);
