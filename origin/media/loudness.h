/*
 * Loudness of a source's tracks, by decoding them once through EBU R 128's meter.
 *
 * Threads    Blocking; one source at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/mix.h"
#include "origin/media/presentation.h"

struct fb_diag;
struct origin_source;

/* One for each of source->audios, as a mix of `keeps_surround` would leave it with
 * no gain; unknown for what is silent or cannot be read. Moves the source's
 * reading position: open it for this alone. FB_E_CANCELED, or what the system
 * gave. */
FB_MUST_CHECK int origin_loudness_measure(struct origin_source *source, bool keeps_surround,
                                          struct origin_loudness ret_all[ORIGIN_MEDIA_MAX_AUDIO],
                                          struct fb_diag *diag);
