/*
 * Delivery: published media to the tiers, and the watch page to people.
 *
 *     GET /media/{video}/{version}/{file...}
 *     GET /{pass}/media/{video}/{version}/{file...}   of private videos, with leave
 *     GET /watch/{video}
 *     GET /studio
 *     GET /assets/{file...}
 *     POST /beacon             taken and let go
 *
 * A request is looked up and opened on the pool, and its bytes are then read
 * ahead by the pool while the loop sends them, from whatever store they are in.
 * Ranges, conditions and HEAD as RFC 9110 has them (several ranges in one request
 * are answered whole). A track is to be had as one file too, whole.mp4 beside its pieces
 * (origin/delivery/whole.h). Media other than playlists never change under their name: they are
 * immutable, with the digest that was made when they were written. Cache-Tag names the
 * video, by which nodes that keep it are told to forget it (origin/catalog/removals.h).
 *
 * Ownership  new → free; each request owns itself until it has responded.
 * Threads    Handlers on any loop; files and the catalog on the pool.
 * Failures   404 for what was not published; 416; 503 when the pool is full or the store
 *            does not answer; 500. An object that cannot be read to its end cuts the connection.
 */
#pragma once

#include "base/core/str.h"

#include <stddef.h>

struct fb_clock;
struct fb_metrics;
struct fb_pool;
struct fb_route;
struct origin_access;
struct origin_catalog;
struct origin_delivery;
struct origin_objects;

struct origin_delivery_options {
    struct origin_catalog *catalog; /* borrowed */
    struct origin_objects *objects; /* borrowed */
    struct fb_pool *object_pool;    /* borrowed; whose threads may wait for the objects' store */
    struct origin_access *access;   /* borrowed */
    const struct fb_clock *clock;   /* borrowed */
    struct fb_metrics *metrics;     /* borrowed */
    struct fb_str public_url;       /* borrowed; what the pages may fetch from */
    struct fb_str upload_url;       /* borrowed; and where they upload to; empty: to the origin */
    struct fb_str web;              /* borrowed; the pages' folder; empty: no page */
};

struct origin_delivery *origin_delivery_new(const struct origin_delivery_options *options);

/* Requires that no request is under way. */
void origin_delivery_free(struct origin_delivery *delivery);

/* The routes, for a router with the delivery as ctx. */
const struct fb_route *origin_delivery_routes(size_t *ret_n);
