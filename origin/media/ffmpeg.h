/*
 * FFmpeg as this folder uses it: one translation of its error numbers, its log
 * turned into ours, and the places where 5.1 and 7.1 differ.
 *
 * Threads    Any.
 */
#pragma once

#include "base/core/attr.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/frame.h>

#include <stdbool.h>
#include <stdint.h>

struct AVBufferSrcParameters;
struct fb_diag;

/* FB_OK for anything not negative. errno passes; damage is FB_E_CORRUPT, the
 * interrupt callback FB_E_CANCELED, missing parts FB_E_UNSUPPORTED, the rest
 * FB_E_FOREIGN. */
int origin_av_error(int averr);

/* Records "<what>: <FFmpeg's phrase>" and returns origin_av_error(). */
int origin_av_fail(struct fb_diag *diag, int averr, const char *what);

/* Sends FFmpeg's messages to our log at debug level, where nobody sees them
 * raw by default. Called by every entry point; repeating it is harmless. */
void origin_av_log_open(void);

/* For FB_AUTO. */
void origin_av_frame_done(AVFrame **frame);
void origin_av_packet_done(AVPacket **packet);

/* av_frame_alloc() and av_packet_alloc(), which abort as fb_alloc() does. */
AVFrame *origin_av_frame_new(void);
AVPacket *origin_av_packet_new(void);

/* ---- where versions differ --------------------------------------------- */

#if LIBAVFORMAT_VERSION_MAJOR >= 61
typedef const uint8_t origin_av_written;
#else
typedef uint8_t origin_av_written;
#endif

/* The 3 x 3 matrix that turns the picture for display, or NULL. */
const int32_t *origin_av_display_matrix(const AVStream *stream);

bool origin_av_is_interlaced(const AVFrame *frame);

/* Gives the channels of a decoded frame the usual names for their number, where
 * there are such. */
void origin_av_name_channels(AVFrame *frame);

/* Tells a graph's source which colours its frames have, where it asks. */
void origin_av_source_colours(struct AVBufferSrcParameters *parameters, const AVFrame *like);

/* Has an MP4 muxer that was just opened say with an edit list, not with negative offsets, where a
 * track begins whose pictures are reordered: "cmaf" means the latter to 7.1, and FFmpeg itself then
 * reads each picture too late. */
int origin_av_keep_edit_list(AVFormatContext *muxer);

/* In units of the stream's time base; 0 if unknown. */
int64_t origin_av_frame_duration(const AVFrame *frame);
