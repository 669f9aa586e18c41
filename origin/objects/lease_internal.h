/*
 * What the files of the store by way of an origin share.
 */
#pragma once

#include "base/client/trip.h"
#include "origin/objects/lease.h"
#include "origin/objects/objects_internal.h"

enum { LEASE_TARGET_MAX = 320, LEASE_HEADERS_MAX = 4 };

struct lease {
    struct origin_objects base;
    struct origin_lease_options options; /* whose strings are those that follow */
    char *authorization;                 /* owned, as all strings */
    char *lease;
    char *spool;
};

/* ---- lease_request.c ----------------------------------------------------------- */

/* One attempt at a request, on its caller's stack: init → what goes or comes → run → done. */
struct lease_request {
    struct fb_trip trip;
    struct lease *lease;
    struct fb_arena arena;
    struct fb_header headers[LEASE_HEADERS_MAX];
    size_t n_headers;
    char target[LEASE_TARGET_MAX];

    int fd; /* borrowed; of the content; -1: none */
    uint64_t length;
    char *into; /* or NULL: what comes is dropped */
    size_t into_len;
    size_t received;
};

void origin_lease_request_init(struct lease_request *request, struct lease *lease,
                               enum fb_method method, struct fb_str key);
void origin_lease_request_add_header(struct lease_request *request, struct fb_str name,
                                     struct fb_str value);

/* The head of the answer stays until origin_lease_request_done(). */
int origin_lease_request_run(struct lease_request *request);
void origin_lease_request_done(struct lease_request *request);

/* Whether to make attempt `n` (from 0) after one that ended with `err`; waits if so. */
bool origin_lease_tries(struct lease *lease, uint32_t n, int err);
