/*
 * Protection, as playlists and manifests tell of it.
 *
 * Threads    Pure functions that append to a buffer; nothing for NULL or the clear.
 */
#pragma once

#include "base/core/buf.h"
#include "origin/media/presentation.h"

/* EXT-X-KEY tags, one for each system that HLS can be told of. */
void origin_protection_hls(struct fb_buf *buf, const struct origin_protection *protection);

/* ContentProtection elements of an adaptation set: the common one with the key's
 * id, then one for each system. */
void origin_protection_dash(struct fb_buf *buf, const struct origin_protection *protection);

/* Their namespaces, as attributes of MPD. */
void origin_protection_dash_spaces(struct fb_buf *buf, const struct origin_protection *protection);
