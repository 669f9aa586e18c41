/*
 * Sockets that listen already, on their way from one process to the next: a restart that takes
 * them over refuses nobody, for what waits in their queues stays.
 *
 *     fb_listener_share ──► set ──► (another process) ──► set ──► take ──► fb_listener_options.fd
 *
 * Ownership  The set owns its descriptors until they are taken; zero is an empty set.
 * Threads    One at a time.
 * Limits     FB_SOCKETS_MAX.
 * Failures   FB_E_LIMIT.
 */
#pragma once

#include "base/core/attr.h"

#include <stddef.h>

struct fb_address;

enum { FB_SOCKETS_MAX = 1024 };

struct fb_sockets {
    int *fds; /* owned, and each of them */
    size_t n;
};

/* Takes `fd` over, also when it fails. */
FB_MUST_CHECK int fb_sockets_add(struct fb_sockets *sockets, int fd);

/* One that listens on `address`, for the caller to close; -1 if there is none (any more).
 * "All interfaces" is found where it had to be those of IPv4. Port 0 is never found. */
int fb_sockets_take(struct fb_sockets *sockets, const struct fb_address *address);

/* Closes what is left; the set is empty then. */
void fb_sockets_done(struct fb_sockets *sockets);
