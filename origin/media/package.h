/*
 * Packaging: all files of a presentation that are text, written from what is known of
 * those that are media.
 *
 *     master.m3u8  manifest.mpd  ondemand.mpd     or early.m3u8, early.mpd
 *     <track>/index.m3u8  <track>/index.sidx  v/…/iframes.m3u8
 *     storyboard.vtt
 *
 * publish.json is written by whoever knows all files (origin_publish_list()).
 *
 * Ownership  Borrows all for the call.
 * Threads    One at a time for an output.
 * Failures   errno from files, with a sentence.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/output.h"
#include "origin/media/presentation.h"

#include <stdbool.h>

struct fb_diag;

struct origin_package_options {
    bool is_early;       /* the entry points are named so */
    bool has_trick_play; /* playlists of key pictures */
};

/* The folders of tracks are made where they are not there. */
FB_MUST_CHECK int origin_package_write(struct origin_output *output,
                                       const struct origin_presentation *presentation,
                                       const struct origin_package_options *options,
                                       struct fb_diag *diag);
