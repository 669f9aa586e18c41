/*
 * What a player says of itself that its response is made for: how fast it needs to come.
 *
 * A segment that comes as fast as the link lets it fills queues on the way, and what of it a viewer
 * does not see was sent for nothing. A player that tells its needs (CMCD, CTA-5004) is sent
 * somewhat more than those: what it asks for itself (`rtp`), or a multiple of the bitrate of what
 * it fetches (`br`). One that begins (`su`) or has run dry (`bs`) is sent all there is.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/http/head.h"
#include "edge/site/site.h"

#include <stdint.h>

/* Bytes a second; 0: no bound. */
uint64_t edge_player_rate(const struct edge_pace *pace, const struct fb_request_head *request);
