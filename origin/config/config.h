/*
 * The keys of origin.yaml and worker.yaml.
 *
 * The tables are the truth: loading, --print-config and docs/configuration.md
 * read them.
 */
#pragma once

#include "base/conf/conf.h"

#include <stdbool.h>
#include <stdint.h>

struct origin_conf_listen {
    struct fb_str address;
};

struct origin_conf_admin {
    struct fb_str address; /* empty: none */
};

struct origin_conf_upload {
    bool keep_original;
    uint64_t max_size;
    uint64_t expires; /* ms */
    struct fb_str url;
    uint64_t multipart_from;
    uint64_t unfinished; /* ms */
    int64_t per_hour;
    uint64_t quota;
};

/* Of objects in S3. */
struct origin_conf_s3 {
    struct fb_str endpoint;    /* empty: none */
    struct fb_str credentials; /* a file */
    struct fb_str region;
    struct fb_str ca;    /* a file; empty: the system's */
    struct fb_str spool; /* empty: of the data */
    bool bucket_host;
    uint64_t connect_timeout; /* ms */
    uint64_t stall_timeout;   /* ms */
    int64_t attempts;
    int64_t connections;
    uint64_t part_size;
};

struct origin_conf_auth {
    uint64_t access_ttl;  /* ms */
    uint64_t refresh_ttl; /* ms */
    uint64_t hash_memory;
    int64_t max_hashes;
};

struct origin_conf_attempts {
    int64_t codec;
    int64_t crashed;
    int64_t memory;
    int64_t time;
    int64_t output;
    int64_t store;
    int64_t internal;
    int64_t lost;
    int64_t missing;
};

struct origin_conf_jobs {
    uint64_t lease; /* ms */
    struct origin_conf_attempts attempts;
    uint64_t backoff;       /* ms */
    uint64_t max_backoff;   /* ms */
    int64_t first_from;     /* 0: none */
    uint64_t degrade_after; /* ms */
    uint64_t keep_replaced; /* ms */
    uint64_t keep_failed;   /* ms */
};

struct origin_conf_transcode {
    bool early_ready;
    uint64_t segment; /* ms */
    uint64_t chunk;   /* ms */
    int preset;       /* origin_conf_preset_text() */
    int64_t crf;
    bool hevc;
    bool av1;
    bool per_title;
    bool loudness;
    bool downmix;
    bool storyboard;
    bool trick_play;
    int encryption; /* 0: none, 1: cenc, 2: cbcs */
    uint64_t time;  /* ms */
    uint64_t memory;
    uint64_t output;
};

/* "ultrafast" and so on. */
const char *origin_conf_preset_text(int preset);

enum { ORIGIN_CONF_CATEGORY_MAX = 32 };

/* How often one account or address may do something. */
struct origin_conf_pace {
    int64_t burst;
    uint64_t refill; /* ms */
};

struct origin_conf_limits {
    struct origin_conf_pace reactions;
    struct origin_conf_pace comments;
    struct origin_conf_pace searches;
};

struct origin_conf_trending {
    uint64_t every;     /* ms */
    uint64_t half_life; /* ms */
    int64_t videos;
};

struct origin_conf_views {
    struct fb_str token; /* empty: no reports */
};

struct origin_conf_plan {
    uint64_t storage;
    int64_t entries;
    uint64_t every; /* ms */
    int64_t followers;
};

struct origin_conf_pass_key {
    struct fb_str id;
    struct fb_str secret_file;
};

struct origin_conf_playback {
    struct fb_conf_list keys; /* of struct origin_conf_pass_key */
    uint64_t pass;            /* ms */
    bool pass_all;
    struct fb_conf_list tiers; /* of struct fb_str: networks */
};

enum origin_conf_unknown { ORIGIN_CONF_UNKNOWN_SERVE, ORIGIN_CONF_UNKNOWN_REFUSE };

struct origin_conf_countries {
    struct fb_str database;    /* empty: none */
    struct fb_conf_list allow; /* of struct fb_str; this or the next */
    struct fb_conf_list deny;
    int unknown; /* enum origin_conf_unknown */
};

enum origin_conf_tier { ORIGIN_CONF_TIER_EDGE, ORIGIN_CONF_TIER_REGIONAL };

struct origin_conf_purge_node {
    struct fb_str url;
    int tier; /* enum origin_conf_tier */
};

struct origin_conf_purge {
    struct fb_conf_list nodes; /* of struct origin_conf_purge_node */
    struct fb_str authorities;
    struct fb_str certificate;
    struct fb_str key;
    uint64_t late; /* ms */
};

struct origin_conf_webhook {
    struct fb_str url;
    struct fb_str secret;
};

struct origin_conf {
    struct fb_str node;
    struct fb_conf_list listen; /* of struct origin_conf_listen */
    struct origin_conf_admin admin;
    struct fb_str public_url;
    struct fb_str database;
    struct fb_str objects;
    struct origin_conf_s3 s3;
    struct fb_str data; /* empty: the database's folder */
    struct fb_str web;
    int64_t workers;
    int64_t worker_threads; /* FB_CONF_AUTO: share the cores */
    struct fb_str worker_token;
    int64_t threads;
    uint64_t drain; /* ms */
    struct origin_conf_upload upload;
    struct origin_conf_auth auth;
    struct origin_conf_jobs jobs;
    struct origin_conf_transcode transcode;
    struct origin_conf_views views;
    struct origin_conf_plan plan;
    struct origin_conf_playback playback;
    struct origin_conf_countries countries;
    struct origin_conf_purge purge;
    struct fb_str master_keys;      /* empty: in the folder of keys */
    struct fb_conf_list admins;     /* of struct fb_str: e-mail addresses */
    struct fb_conf_list categories; /* of struct fb_str */
    struct fb_conf_list webhooks;   /* of struct origin_conf_webhook */
    struct origin_conf_limits limits;
    struct fb_conf_list trusted; /* of struct fb_str: networks */
    struct origin_conf_trending trending;
};

struct origin_worker_conf {
    struct fb_str node;
    struct origin_conf_admin admin;
    struct fb_str origin;
    struct fb_str authorities; /* ptr NULL: the system's */
    struct fb_str worker_token;
    struct fb_str objects;
    struct fb_str scratch;
    uint64_t cache;
    uint64_t reserve;
    int64_t workers;
    int64_t worker_threads; /* FB_CONF_AUTO: the transcoder's preset */
    bool background;
};

extern const struct fb_conf_section origin_conf_section;
extern const struct fb_conf_section origin_worker_conf_section;
