/*
 * Codec strings of RFC 6381, as playlists and manifests carry them.
 *
 * Threads    Pure functions, any bytes.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"
#include "origin/media/presentation.h"

/* "avc1.PPCCLL" from an encoder's headers, either as an avcC record (ISO/IEC
 * 14496-15) or as NAL units behind start codes. FB_E_MALFORMED if there is no
 * sequence parameter set in them. */
FB_MUST_CHECK int origin_codec_name_avc(struct fb_str headers,
                                        char ret_name[ORIGIN_TRANSCODE_CODECS_MAX]);

/* "hvc1.P.C.LNN.…" (ISO/IEC 14496-15, annex E) from NAL units behind start codes
 * or an hvcC record. */
FB_MUST_CHECK int origin_codec_name_hevc(struct fb_str headers,
                                         char ret_name[ORIGIN_TRANSCODE_CODECS_MAX]);

/* "av01.P.LLT.DD" from a sequence header OBU or an av1C record. Colours are
 * BT.709 of limited range, which the short form means. */
FB_MUST_CHECK int origin_codec_name_av1(struct fb_str headers,
                                        char ret_name[ORIGIN_TRANSCODE_CODECS_MAX]);

/* "mp4a.40.N" from an AudioSpecificConfig (ISO/IEC 14496-3). */
FB_MUST_CHECK int origin_codec_name_aac(struct fb_str headers,
                                        char ret_name[ORIGIN_TRANSCODE_CODECS_MAX]);
