/*
 * Flash: the volumes, as a tier of the replay.
 *
 * One volume of the size of all of them, without a disk: admission, rewriting and the
 * daily budget are edge/policy's, the index, the zones and the layout of what is written
 * are edge/volume's, so that what is counted is what a drive would see: records with their
 * heads and padding as admission or rewriting, zone headers, summaries and checkpoints as
 * metadata.
 *
 * Ownership  The caller owns it.
 * Threads    One at a time.
 * Failures   FB_E_LIMIT: too small for a volume.
 */
#pragma once

#include "base/core/attr.h"
#include "edge/replay/replay.h"

#include <stdint.h>

struct edge_replay_flash;

/* `daily_bytes` 0: no limit. Days begin with the trace. */
FB_MUST_CHECK int edge_replay_flash_new(uint64_t volume_bytes, uint64_t daily_bytes,
                                        struct edge_replay_flash **ret_flash);

/* Accepts NULL. */
void edge_replay_flash_free(struct edge_replay_flash *flash);
void edge_replay_flash_freep(struct edge_replay_flash **flash); /* for FB_AUTO */

/* Lives as long as `flash`. */
struct edge_replay_tier *edge_replay_flash_tier(struct edge_replay_flash *flash);
