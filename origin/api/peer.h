/*
 * Peers: who asks, when somebody in between asks for them.
 *
 * A request that comes from a trusted network counts as that of the client that
 * its X-Forwarded-For names last, and if that is in a trusted network too, as that
 * of the one before, and so on. What is no address ends the search: whoever named
 * it answers for it. From others the field means nothing.
 *
 * Threads    Pure function, any thread.
 */
#pragma once

#include "base/http/head.h"
#include "base/net/network.h"

#include <stddef.h>

/* Networks that may speak for others. */
struct origin_api_trusted {
    const struct fb_network *networks;
    size_t n;
};

struct fb_address origin_api_peer_of(const struct fb_address *peer,
                                     const struct fb_headers *headers,
                                     const struct origin_api_trusted *trusted);
