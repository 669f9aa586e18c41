/*
 * Clients: what one address may use, over all servers that share the table.
 *
 * A client is an address, or the network it is in: behind one IPv4 address may be one
 * player or, with carrier-grade NAT, thousands; a subscriber has at least a /64 of
 * IPv6. A client may have so many connections open, and send so many requests a
 * second: a bucket of `burst` tokens that fills at `requests_per_s`. Networks that
 * are trusted, such as those of tiers below, are not looked at.
 *
 *     accept ──► fb_clients_enter() ──┬─► client ──► … admit() for each request … ──► leave()
 *                                     └─► REFUSED: close it
 *
 * The bucket is one number, the time at which it will be full again (GCRA), so a
 * request costs one compare-and-swap on its client's own line and no look-up: a
 * connection keeps the pointer. Only opening and closing one takes a lock, of
 * one shard.
 *
 * Ownership  The owner frees the table after all servers that use it.
 * Threads    Any.
 * Limits     The table has a fixed number of places (32 bytes each). The place of a
 *            client without connections whose bucket is full is taken by the next one;
 *            if there is none near, that of one without connections. If all near ones
 *            have connections the client is let in and not counted: what is bounded for
 *            all still holds, and a full table must not lock out who is innocent.
 */
#pragma once

#include "base/core/attr.h"
#include "base/net/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_client;
struct fb_clients;
struct fb_clock;

struct fb_clients_options {
    uint32_t max_connections;         /* of one client; 0: no bound */
    uint32_t requests_per_s;          /* of one client; 0: no bound */
    uint32_t burst;                   /* tokens; 0: as many as in one second */
    unsigned bits_v4;                 /* that make a client; 0: 32 */
    unsigned bits_v6;                 /* 0: 64 */
    const struct fb_network *trusted; /* copied */
    size_t n_trusted;
    size_t max_clients;           /* places; rounded up to a power of two, at least 1024 */
    const struct fb_clock *clock; /* borrowed */
};

/* NULL if there is nothing to bound and nobody is trusted. */
struct fb_clients *fb_clients_new(const struct fb_clients_options *options);

/* Requires that everybody has left. Accepts NULL. */
void fb_clients_free(struct fb_clients *clients);

enum fb_clients_verdict {
    FB_CLIENTS_COUNTED,   /* *ret_client is set */
    FB_CLIENTS_TRUSTED,   /* no bounds hold */
    FB_CLIENTS_FREE,      /* nothing is bounded, or its address is not known */
    FB_CLIENTS_UNCOUNTED, /* the table is full */
    FB_CLIENTS_REFUSED    /* too many connections */
};

/* A connection came from `address`. */
enum fb_clients_verdict fb_clients_enter(struct fb_clients *clients,
                                         const struct fb_address *address,
                                         struct fb_client **ret_client);

/* True for those whom no bounds hold for: what they say of their own clients is believed.
 * Accepts NULL. */
bool fb_clients_trust(const struct fb_clients *clients, const struct fb_address *address);

/* It is closed. Accepts a client of NULL. */
void fb_clients_leave(struct fb_clients *clients, struct fb_client *client);

/* Of a client whose bucket is empty. */
struct fb_clients_quota {
    uint32_t burst;    /* tokens of a full bucket */
    uint32_t window_s; /* in which an empty one fills, rounded up */
    uint32_t wait_s;   /* until there is a token, rounded up */
};

/* Takes a token. False if there is none; only then `*ret_quota` is set. A client of NULL always
 * has one. */
bool fb_clients_admit(struct fb_clients *clients, struct fb_client *client,
                      struct fb_clients_quota *ret_quota);

/* Bytes of the table, to be stated. */
size_t fb_clients_bytes(const struct fb_clients *clients);
