/*
 * What router.c asks of call.c.
 */
#pragma once

struct fb_exchange;
struct fb_pool;
struct fb_route;

/* Reads the content, runs the route's blocking handler on `pool`, responds. */
void fb_call_start(struct fb_exchange *exchange, const struct fb_route *route, struct fb_pool *pool,
                   void *ctx);
