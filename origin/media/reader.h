/*
 * The reader: packets of a source in the order of the file, with unreadable parts
 * passed over, and their times moved to ours.
 *
 * Ownership  The caller owns the struct; the source is borrowed.
 * Threads    One at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_diag;
struct origin_source;

struct origin_reader {
    const struct origin_source *source;
    unsigned n_errors;
    bool is_partial; /* something could not be read */
};

/* The next packet of a stream that is not discarded, into an empty `packet`. FB_E_END
 * at the end of the file, wherever it ends; FB_E_CANCELED, with a sentence. */
FB_MUST_CHECK int origin_reader_next(struct origin_reader *reader, AVPacket *packet,
                                     struct fb_diag *diag);

/* When `packet` is decoded, by the source's clock; false if it does not tell. */
bool origin_packet_time_us(const AVPacket *packet, const AVStream *stream, int64_t *ret_us);

/* Adds to its times. */
void origin_packet_shift(AVPacket *packet, const AVStream *stream, int64_t shift_us);
