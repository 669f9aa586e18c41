/*
 * The configuration of forebay-edge, as loaded from its YAML.
 *
 * One table per section; loading, printing and the reference
 * documentation read the same rows. `edge_conf_section` is the root.
 *
 * Ownership  fb_conf_load() → fb_conf_done().
 * Threads    Plain data that stands still once loaded.
 */
#pragma once

#include "base/conf/conf.h"
#include "edge/fresh/rule.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_access_log_options;
struct edge_sites;
struct edge_pool;
struct edge_upstreams;
struct edge_upstreams_options;
struct edge_tls;
struct edge_views_options;
struct edge_report_options;
struct edge_volume_spec;
struct fb_buf;
struct edge_warm_settings;
struct fb_network;

struct edge_conf_listen {
    struct fb_str address;
    struct fb_str tls;        /* the name of one; ptr NULL: without TLS */
    struct fb_str congestion; /* ptr NULL: the system's */
    uint64_t rate;            /* bit/s of each connection; 0: no bound */
};

struct edge_conf_certificate {
    struct fb_str chain;
    struct fb_str key;
};

struct edge_conf_tls {
    struct fb_str name;
    struct fb_conf_list certificates; /* of struct edge_conf_certificate */
    struct fb_str authorities;        /* ptr NULL: none */
    int min_version;                  /* 0: TLS 1.2; 1: TLS 1.3 */
    struct fb_conf_list ciphers;      /* of struct fb_str */
    uint64_t tickets;
};

struct edge_conf_admin {
    struct fb_str address; /* ptr NULL: none */
    struct fb_str tls;     /* as of struct edge_conf_listen */
};

struct edge_conf_upstream {
    struct fb_str url;
    int protocol; /* enum fb_client_protocol */
    int tier;     /* enum edge_tier */
    int64_t weight;
    struct fb_str check; /* ptr NULL: none of its own */
    struct fb_str tls;   /* of an https URL: the name of one; ptr NULL: what the system trusts */
    struct fb_str tls_name;
    struct fb_str host; /* ptr NULL: the client's */
    int forwarded;      /* enum edge_forwarding */
};

/* Either, or neither: no limit. */
struct edge_conf_endurance {
    struct fb_str drive_writes_per_day; /* a decimal number */
    uint64_t bytes_per_day;
};

struct edge_conf_volume {
    struct fb_str path;
    uint64_t size; /* 0: as it is */
    struct edge_conf_endurance endurance;
    uint64_t scrub; /* bit/s */
};

struct edge_conf_store {
    uint64_t memory;
    int eviction;                         /* enum edge_policy_kind */
    struct edge_conf_endurance endurance; /* of volumes that have none of their own */
    struct fb_conf_list volumes;          /* of struct edge_conf_volume */
};

struct edge_conf_match {
    struct fb_conf_list suffix; /* of struct fb_str */
    struct fb_conf_list prefix;
    struct fb_conf_list regex;
    struct fb_conf_list content_type;
};

struct edge_conf_ttl {
    uint64_t min;
    uint64_t max;
    uint64_t errors; /* 0: by class */
};

/* How long the errors of one status, or of one hundred of them, are kept. */
struct edge_conf_negative {
    struct fb_str status; /* "404", "4xx" */
    uint64_t ttl;
};

struct edge_conf_heuristic {
    int64_t percent;
    uint64_t max;
};

struct edge_conf_headers {
    struct fb_conf_list add;    /* of struct fb_str: "Name: value" */
    struct fb_conf_list remove; /* of struct fb_str */
};

struct edge_conf_rule {
    struct edge_conf_match match;
    int class; /* enum edge_class */
    struct edge_conf_ttl ttl;
    struct fb_conf_list negative; /* of struct edge_conf_negative */
    struct edge_conf_heuristic heuristic;
    int cookies; /* enum edge_cookies */
    bool stale_despite_s_maxage;
    struct edge_conf_headers headers;
};

/* What of a URL selects a response. */
struct edge_conf_key {
    int query; /* enum edge_key_query */
    struct fb_conf_list include;
    struct fb_conf_list exclude;
    bool show;
};

struct edge_conf_access_key {
    struct fb_str id;
    int algorithm;             /* enum edge_access_algorithm */
    struct fb_str secret;      /* ptr NULL: none; of the three, one is written */
    struct fb_str secret_file; /* likewise */
    struct fb_str key_file;    /* likewise */
};

struct edge_conf_access {
    struct fb_conf_list keys; /* of struct edge_conf_access_key; none: everybody is served */
    struct fb_str parameter;
    struct fb_str cookie;
    bool in_path;
    struct fb_conf_list open; /* of struct fb_str */
    uint64_t leeway;
    struct fb_str audience;
    struct fb_str issuer;
};

struct edge_conf_cors {
    struct fb_conf_list origins; /* of struct fb_str; none: the upstream's business */
    struct fb_conf_list methods; /* of struct fb_str, as what follows */
    struct fb_conf_list headers;
    struct fb_conf_list expose;
    uint64_t max_age;
    bool credentials;
};

struct edge_conf_hsts {
    uint64_t max_age; /* 0: none */
    bool include_subdomains;
    bool preload;
};

struct edge_conf_pace {
    int64_t bitrate; /* percent; 0: off */
    bool rtp;
    uint64_t least; /* bit/s */
};

struct edge_conf_site {
    struct fb_conf_list hosts; /* of struct fb_str */
    struct edge_conf_key key;
    struct fb_conf_list upstreams; /* of struct edge_conf_upstream; items NULL: the root's */
    struct fb_conf_list rules;     /* of struct edge_conf_rule; items NULL: the root's */
    struct fb_conf_list requests;  /* of struct fb_str: directives that are obeyed */
    int cookies;                   /* enum edge_cookies, where a rule says nothing */
    struct edge_conf_headers headers;
    struct edge_conf_access access;
    struct edge_conf_cors cors;
    struct edge_conf_hsts hsts;
    struct edge_conf_pace pace;
};

struct edge_conf_limits {
    int64_t connections;
    uint64_t head;
    int64_t headers;
    uint64_t body;
    int64_t requests;
    int64_t fills;
    int64_t upstream_connections;
};

struct edge_conf_http2 {
    bool enabled;
    int64_t streams;
    uint64_t window;
};

struct edge_conf_timeouts {
    uint64_t head;
    uint64_t body;
    uint64_t idle;
    uint64_t write;
    uint64_t drain;
    uint64_t connect;
    uint64_t upstream_head;
    uint64_t upstream_body;
    uint64_t upstream_blocking;
};

struct edge_conf_access_log {
    int format; /* enum edge_access_format */
    struct fb_str path;
    int64_t sample;
    int client; /* enum edge_access_client */
    bool cmcd;
    struct fb_conf_list hide; /* of struct fb_str */
};

struct edge_conf_views {
    bool enabled;
    struct fb_conf_list paths; /* of struct fb_str, as the other lists: patterns of paths */
    struct fb_conf_list audio;
    struct fb_conf_list manifests;
    struct fb_str beacon;
    int64_t beacon_rate; /* a second; 0: no bound */
    uint64_t segment;
    uint64_t least;
    int64_t share; /* percent */
    uint64_t again;
    uint64_t idle;
    int64_t starts; /* a minute; 0: no bound */
    int64_t sessions;
    uint64_t every;
    struct fb_conf_list bots;
    struct fb_str key;      /* ptr NULL: none */
    struct fb_str key_file; /* likewise; one of the two */
};

/* Who may bring reports: by a token, or by a certificate. */
struct edge_conf_reports_accept {
    struct fb_str token;       /* ptr NULL: none */
    struct fb_str token_file;  /* likewise; one of the two */
    struct fb_conf_list names; /* of struct fb_str */
};

struct edge_conf_reports {
    struct fb_conf_list to;   /* of struct edge_conf_upstream: url, tls and tls_name alone */
    struct fb_str token;      /* ptr NULL: none */
    struct fb_str token_file; /* likewise; one of the two */
    uint64_t every;
    uint64_t max;
    struct edge_conf_reports_accept accept;
};

/* 0: no bound. */
struct edge_conf_clients {
    int64_t connections;
    int64_t requests; /* a second */
    int64_t burst;
    int64_t prefix_v4;
    int64_t prefix_v6;
    uint64_t least_rate;         /* bit/s */
    struct fb_conf_list trusted; /* of struct fb_str: networks */
};

struct edge_conf_hedge {
    int after; /* enum edge_hedge_after */
    uint64_t least;
    int64_t share;
};

struct edge_conf_failover {
    int64_t after;
    uint64_t min;
    uint64_t max;
    int64_t share;
    uint64_t slow_start;
    int64_t retries;
    int64_t headroom;
    int64_t requests;
    struct edge_conf_hedge hedge;
};

struct edge_conf_health {
    struct fb_str path; /* ptr NULL: none */
    uint64_t interval;
    uint64_t timeout;
    int64_t healthy;
    int64_t unhealthy;
};

struct edge_conf_keepalive {
    int64_t idle;
    uint64_t timeout;
    int64_t requests;
    uint64_t age;
    int64_t queue;
};

struct edge_conf_fills {
    bool verify_digest;
    int64_t complete_abandoned; /* percent */
    uint64_t complete_missing;
};

struct edge_conf_prefetch {
    int next; /* enum edge_prefetch_kind */
    int64_t parallel;
};

/* See edge/warm/guard.h. */
struct edge_conf_warm_guard {
    int64_t percentile; /* 0: none */
    uint64_t commit;    /* bit/s */
};

struct edge_conf_warm {
    struct fb_conf_list keys; /* of struct fb_str: files; none: nothing is warmed */
    struct fb_str host;
    struct fb_conf_list windows; /* of struct fb_str */
    bool now;
    uint64_t rate; /* bit/s */
    int64_t parallel;
    uint64_t storage;
    uint64_t demand; /* bit/s */
    struct edge_conf_warm_guard guard;
    int64_t least_yield; /* percent */
    uint64_t yield_span;
    uint64_t pull;
};

enum edge_role { EDGE_ROLE_EDGE, EDGE_ROLE_REGIONAL };

struct edge_conf {
    struct fb_str node;
    int role;             /* enum edge_role */
    int64_t workers;      /* or FB_CONF_AUTO */
    struct fb_str region; /* ptr NULL: none */
    struct fb_str state;  /* ptr NULL: none */
    struct edge_conf_access_log access_log;
    struct edge_conf_views views;
    struct edge_conf_reports reports;
    struct fb_conf_list listen; /* of struct edge_conf_listen */
    struct edge_conf_admin admin;
    struct fb_conf_list tls;       /* of struct edge_conf_tls */
    struct fb_conf_list upstreams; /* of struct edge_conf_upstream */
    struct edge_conf_store store;
    struct fb_conf_list rules; /* of struct edge_conf_rule */
    struct fb_conf_list sites; /* of struct edge_conf_site */
    struct edge_conf_limits limits;
    struct edge_conf_http2 http2;
    struct edge_conf_clients clients;
    struct edge_conf_fills fills;
    struct edge_conf_timeouts timeouts;
    struct edge_conf_failover failover;
    struct edge_conf_health health;
    struct edge_conf_keepalive keepalive;
    struct edge_conf_warm warm;
    struct edge_conf_prefetch prefetch;
};

extern const struct fb_conf_section edge_conf_section;

/* "edge" or "regional". */
const char *edge_role_name(int role);

/* Logs what is allowed but probably not meant, such as a private key that everybody can read. */
void edge_conf_warn(const struct edge_conf *conf);

/* The volumes in the form that edge/volume reads: `conf->store.volumes.n` of them, freed by
 * the caller with fb_free(); their paths are borrowed. */
struct edge_volume_spec *edge_conf_volumes(const struct edge_conf *conf);

/* The sites in the form that edge/serve reads; the reference is the caller's. They keep
 * nothing of the configuration. Files of keys are read. Their pools are made of `upstreams` (NULL:
 * none, for whoever only checks), and come into use with edge_conf_use_upstreams(). `seed` is of
 * their table's hash. */
FB_MUST_CHECK int edge_conf_sites(const struct edge_conf *conf, struct edge_upstreams *upstreams,
                                  struct edge_tls *tls, uint64_t seed,
                                  struct edge_sites **ret_sites, struct fb_diag *diag);

/* Puts the pools of the node and of its sites into use, and with `options` what is said of
 * upstreams in general; see edge_upstreams_use(). */
FB_MUST_CHECK int edge_conf_use_upstreams(const struct edge_conf *conf,
                                          const struct edge_upstreams_options *options,
                                          struct edge_upstreams *upstreams, struct edge_tls *tls,
                                          struct fb_diag *diag);

/* The log of requests as edge/access_log reads it: only what the configuration says of it.
 * Everything in it is borrowed. */
struct edge_access_log_options edge_conf_access_log(const struct edge_conf *conf);

/* What counts as a view, as edge/views reads it; borrowed from `conf` and `buf`, into which a file
 * with a key is read. */
FB_MUST_CHECK int edge_conf_views(const struct edge_conf *conf, struct fb_buf *buf,
                                  struct edge_views_options *ret_options, struct fb_diag *diag);

/* Reports as edge/report reads them. *ret_reports is NULL where there are none; freed with
 * edge_conf_reports_free(), and borrowed from `conf` and `tls` besides. Files with tokens are
 * read. */
struct edge_conf_reports_made;
FB_MUST_CHECK int edge_conf_reports(const struct edge_conf *conf, struct edge_tls *tls,
                                    struct edge_conf_reports_made **ret_reports,
                                    struct fb_diag *diag);
struct edge_report_options *edge_conf_reports_options(struct edge_conf_reports_made *made);
void edge_conf_reports_free(struct edge_conf_reports_made *made); /* accepts NULL */

/* The networks that per-client bounds do not hold for: `conf->clients.trusted.n` of them, freed by
 * the caller with fb_free(). */
struct fb_network *edge_conf_trusted(const struct edge_conf *conf);

/* What is said of upstreams in general; its strings are borrowed from `conf`. */
struct edge_upstreams_options edge_conf_upstream_options(const struct edge_conf *conf);

/* The pool of a list of struct edge_conf_upstream, the node's or a site's. */
FB_MUST_CHECK int edge_conf_pool(const struct fb_conf_list *list, struct edge_upstreams *upstreams,
                                 struct edge_tls *tls, const struct edge_pool **ret_pool,
                                 struct fb_diag *diag);

/* What is said of warming, with the files of keys read; to be freed with
 * edge_warm_settings_done(). Its strings are borrowed from `conf`. */
FB_MUST_CHECK int edge_conf_warm(const struct edge_conf *conf,
                                 struct edge_warm_settings *ret_settings, struct fb_diag *diag);

/* The regional nodes among the upstreams of `warm.host`; there is one at least. */
FB_MUST_CHECK int edge_conf_warm_pool(const struct edge_conf *conf,
                                      struct edge_upstreams *upstreams, struct edge_tls *tls,
                                      const struct edge_pool **ret_pool, struct fb_diag *diag);
