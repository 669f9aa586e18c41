/*
 * Transcoding in steps: one source file becomes a folder of adaptive video, by
 * tasks that may run anywhere and in any order but for the arrows.
 *
 *     prepare ─► recipe ─┬─► chunk 0 .. n-1 ─► parts ─┬─► finish ─► result
 *                        └─► sound ──────────► part ──┘
 *
 *     source ─► decode ─► filter ─► grid ─┬► scale ─► encode ─► segments   v/<rung>p/
 *       chunk                             └► ... (one per rung of the pass)
 *     source ─► decode ─► resample ─► AAC ─► segments                      a/<index>/
 *       sound
 *
 * A source chunk is decoded once for all renditions of its pass. The short side of
 * the picture as displayed names the rung (1080, 720, 480, 360, 240, 144), so an
 * upright 1080 x 1920 video has a "1080p". Nothing is scaled up. Pictures leave on
 * a grid of constant rate that begins at 0; key frames stand every segment_ms / 2
 * in all renditions alike; each audio track is encoded once, whole, and begins at 0
 * too. The same CMAF segments serve HLS and DASH.
 *
 * A step does no more than read one local file and write into one folder. All steps
 * of a video may share the folder, or each have its own: the names of files differ,
 * but for init.mp4, which every chunk writes alike (finish checks it). The same
 * recipe gives the same bytes, whoever works and however often.
 *
 * With early_ready in the request, chunks and finish run twice, with pass
 * ORIGIN_PASS_EARLY and ORIGIN_PASS_LATE; sound runs once, before the first finish.
 *
 * Ownership  Everything passed in is borrowed for the call. What is returned is the
 *            caller's: origin_recipe_done(), origin_part_done(), origin_result_done().
 * Threads    Blocking; runs codecs on threads of its own and calls back only
 *            on the calling thread. Any number of calls may run at once.
 * Limits     See ORIGIN_MEDIA_MAX_* in probe.h; memory does not grow with the
 *            length of the source but for lists of segments. Only local files are
 *            opened, and only formats and codecs on a list.
 * Failures   FB_E_UNSUPPORTED: not a video, or not one we read; FB_E_CORRUPT:
 *            damaged or cut beyond use; FB_E_LIMIT: beyond a limit; FB_E_CANCELED;
 *            FB_E_CONFLICT: not the source, or not the parts, of the recipe;
 *            FB_E_FOREIGN: a codec failed; or errno from files. The diag then holds
 *            a sentence for the person who uploaded. What was written so far stays
 *            in output_dir for the caller to remove.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/part.h"
#include "origin/model/recipe.h"
#include "origin/model/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_diag;
struct origin_content_key;

/* Threads of each encoder, unless it is said. One: the renditions of a source chunk are encoded
 * beside each other and chunks beside chunks, and a second thread costs more CPU time than it saves
 * there. */
enum { ORIGIN_STEP_THREADS = 1 };

struct origin_step_hooks {
    void *ctx;
    /* May be NULL. Called as work proceeds, with a rising share of 1000. */
    void (*progress)(void *ctx, unsigned permille);
    /* May be NULL. Asked many times a second; true ends the call with
     * FB_E_CANCELED. */
    bool (*is_canceled)(void *ctx);
};

struct origin_prepare_options {
    const char *source_path; /* a local file */
    const struct origin_request *request;
    unsigned n_threads; /* of each encoder; goes into the recipe; 0: ORIGIN_STEP_THREADS */
    const struct origin_content_key *key; /* its scheme and id go into the recipe; NULL: clear */
    struct origin_step_hooks hooks;
};

/* Reads the source twice: its bytes for the digest, its packets for the grid. */
FB_MUST_CHECK int origin_media_prepare(const struct origin_prepare_options *options,
                                       struct origin_recipe *ret_recipe, struct fb_diag *diag);

/* Libraries that decide what bytes come out, such as "libavcodec 59.37.100, ...".
 * Workers of another toolchain than a recipe's would make other bytes: they do not
 * work on it. Lives for ever. */
const char *origin_media_toolchain(void);

struct origin_step_options {
    const struct origin_recipe *recipe;
    const char *source_path; /* the local file the recipe was made from */
    const char *output_dir;  /* exists */
    unsigned index;          /* of the source chunk; sound: 0 */
    unsigned pass;           /* likewise */
    /* sound: local copies of recipe->request.subtitles, in that order; NULL: there are none */
    const char *const *subtitle_paths;
    const struct origin_content_key *key; /* NULL: in the clear */
    struct origin_step_hooks hooks;
};

FB_MUST_CHECK int origin_media_chunk(const struct origin_step_options *options,
                                     struct origin_part *ret_part, struct fb_diag *diag);

/* Every audio track and every text track, of the source and uploaded beside it. */
FB_MUST_CHECK int origin_media_sound(const struct origin_step_options *options,
                                     struct origin_part *ret_part, struct fb_diag *diag);

struct origin_finish_options {
    const struct origin_recipe *recipe;
    const struct origin_part *parts; /* of every task up to this pass, in any order */
    size_t n_parts;
    unsigned pass;
    const char *output_dir;
    const struct origin_content_key *key; /* NULL: in the clear */
};

/* Writes playlists, manifests and publish.json into the folder, and returns what is
 * to be published: all files of all parts and its own. In pass ORIGIN_PASS_EARLY
 * those are early.m3u8 and early.mpd in place of master.m3u8 and manifest.mpd. */
FB_MUST_CHECK int origin_media_finish(const struct origin_finish_options *options,
                                      struct origin_result *ret_result, struct fb_diag *diag);
