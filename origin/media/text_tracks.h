/*
 * All text tracks of a video, those in its file and those uploaded beside it.
 *
 *     new (file open) ──► add_file … ──► stream? push … ──► finish ──► tracks t/0, t/1 … of a part
 *
 * Embedded tracks come first, in the order of the file, then uploaded ones. A track
 * that has nothing to show is left out.
 *
 * Ownership  new → free. The format is borrowed until freed.
 * Threads    One at a time.
 * Limits     ORIGIN_MEDIA_MAX_TEXT tracks; what a file has beyond them is not read.
 * Failures   As in subtitles.h; an uploaded file that is not subtitles is
 *            FB_E_MALFORMED with a sentence that names the line.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"
#include "origin/media/part.h"
#include "origin/media/subtitles.h"
#include "origin/model/request.h"

struct fb_diag;
struct origin_text_tracks;

/* Has the demuxer give the packets of all streams of text that can be read. */
FB_MUST_CHECK int origin_text_tracks_new(AVFormatContext *format,
                                         struct origin_text_tracks **ret_texts,
                                         struct fb_diag *diag);
void origin_text_tracks_free(struct origin_text_tracks *texts);

/* Reads an uploaded file. */
FB_MUST_CHECK int origin_text_tracks_add_file(struct origin_text_tracks *texts, const char *path,
                                              const struct origin_request_subtitle *subtitle,
                                              struct fb_diag *diag);

/* The stream that `packet` is of if it is one of text, else NULL. */
const AVStream *origin_text_tracks_stream(const struct origin_text_tracks *texts,
                                          const AVPacket *packet);

/* Takes a packet of text, with times as in subtitles.h. */
void origin_text_tracks_push(struct origin_text_tracks *texts, const AVPacket *packet);

/* Writes the files, and adds the tracks to `part`. */
FB_MUST_CHECK int origin_text_tracks_finish(struct origin_text_tracks *texts,
                                            const struct origin_subtitles_options *options,
                                            struct origin_part *part, struct fb_diag *diag);
