/*
 * What the files of origin/delivery share.
 */
#pragma once

#include "base/core/diag.h"
#include "base/http/head.h"
#include "base/loop/work.h"
#include "base/server/exchange.h"
#include "origin/delivery/delivery.h"
#include "origin/objects/objects.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DELIVERY_ETAG_MAX = 48,
    DELIVERY_DIGEST_MAX = 64,
    DELIVERY_TYPE_MAX = 64,
    DELIVERY_TAGS_MAX = 72
};

struct fb_metrics_table;
struct origin_whole;

enum {
    DELIVERY_REQUESTS,
    DELIVERY_ERRORS,
    DELIVERY_BYTES,
};

struct origin_delivery {
    struct fb_metrics_table *metrics; /* the registry's */
    struct origin_delivery_options options;
    struct fb_str csp; /* owned by csp_text; of the watch page */
    char *csp_text;
};

/* An opened object, or one that is joined of several, and what its response says of it. */
struct origin_found {
    struct origin_object object;      /* owned; of a whole its size and date alone */
    struct origin_whole *whole;       /* owned; or NULL */
    char etag[DELIVERY_ETAG_MAX];     /* with its quotes */
    char digest[DELIVERY_DIGEST_MAX]; /* of Repr-Digest; empty: none */
    struct fb_str type;               /* static, or the lookup's type_text */
    struct fb_str cache_control;      /* static, or the lookup's cache_text */
    struct fb_str csp;                /* of a page; empty: none */
    char tags[DELIVERY_TAGS_MAX];     /* of Cache-Tag; empty: none */
    bool is_open_to_all;              /* other sites' scripts may read it */
};

/* One request, from its handler to its response. */
struct origin_lookup {
    struct fb_work work;
    struct origin_delivery *delivery;
    struct fb_exchange *exchange; /* borrowed until responded */
    struct origin_found found;    /* written by work.run on success */
    char type_text[DELIVERY_TYPE_MAX];
    char cache_text[DELIVERY_TYPE_MAX];
};

/* Runs `find` on the pool and responds with what it found. */
void origin_lookup_start(struct origin_delivery *delivery, struct fb_exchange *exchange,
                         int (*find)(struct fb_work *work));

/* Answers the exchange from `found`, whose object or whole it takes over. */
void origin_found_respond(struct origin_delivery *delivery, struct fb_exchange *exchange,
                          struct origin_found *found);

void origin_found_done(struct origin_found *found);

/* The handlers. */
void origin_delivery_media(void *ctx, struct fb_exchange *exchange);
void origin_delivery_media_options(void *ctx, struct fb_exchange *exchange);
void origin_delivery_watch(void *ctx, struct fb_exchange *exchange);
void origin_delivery_studio(void *ctx, struct fb_exchange *exchange);
void origin_delivery_asset(void *ctx, struct fb_exchange *exchange);
void origin_delivery_beacon(void *ctx, struct fb_exchange *exchange);
