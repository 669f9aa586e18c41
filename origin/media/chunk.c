/*
 * CHUNK: one source chunk's pictures in all renditions of a pass.
 *
 *     seek to its entry ──► seek to an earlier one ──► read up to the entry ──► read it all
 *              └── each in turn, until its first place has a picture and the packets are
 *                  those that were counted
 */
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/picture.h"
#include "origin/media/position.h"
#include "origin/media/steps_internal.h"

struct chunk {
    const struct origin_step_options *options;
    const struct origin_recipe *recipe;
    const struct origin_recipe_chunk *chunk;
    struct origin_step_progress progress;
    struct origin_source *source;   /* owned; of this attempt */
    struct origin_picture *picture; /* owned; of this attempt */
    struct origin_reader reader;
    AVPacket *packet;   /* owned, scratch */
    uint64_t n_packets; /* of picture, before the one to come */
    size_t jump;        /* the next of the recipe's */
    int64_t shift_us;
};

/* One way to get to the source chunk. */
struct chunk_way {
    const struct origin_recipe_entry *entry;
    bool is_sought;
};

static void chunk_done(struct chunk *chunk)
{
    origin_picture_free(chunk->picture);
    origin_source_close(chunk->source);
    av_packet_free(&chunk->packet);
}

/* ---- reading ----------------------------------------------------------- */

/* Moves the times of the next packet as PREPARE did. */
static void chunk_set_time(struct chunk *chunk)
{
    const struct origin_recipe *recipe = chunk->recipe;

    while (chunk->jump < recipe->n_jumps && recipe->jumps[chunk->jump].packet <= chunk->n_packets) {
        chunk->shift_us = recipe->jumps[chunk->jump++].shift_us;
    }
    origin_packet_shift(chunk->packet, chunk->source->video, chunk->shift_us - recipe->zero_us);
}

/* What follows must be what PREPARE saw: the source chunk after this one begins where
 * it was found to. */
static int chunk_check_packet(const struct chunk *chunk, struct fb_diag *diag)
{
    size_t next = chunk->options->index + 1;
    if (next >= chunk->recipe->n_chunks) {
        return FB_OK;
    }
    const struct origin_recipe_entry *entry = &chunk->recipe->chunks[next].entry;
    bool is_it = entry->packet != chunk->n_packets || origin_position_is(entry, chunk->packet);
    return is_it ? FB_OK
                 : fb_diag_set(diag, FB_E_NOT_FOUND, "a part of the picture cannot be reached");
}

static int chunk_take_packet(struct chunk *chunk, struct fb_diag *diag)
{
    int err = FB_OK;
    if (chunk->packet->stream_index == chunk->source->video->index) {
        err = chunk_check_packet(chunk, diag);
        if (err == FB_OK) {
            chunk_set_time(chunk);
            chunk->n_packets++;
            err = origin_picture_push(chunk->picture, chunk->packet, diag);
        }
    }
    av_packet_unref(chunk->packet);
    return err;
}

/* From the packet that is there to the last place. */
static int chunk_read(struct chunk *chunk, struct fb_diag *diag)
{
    int err = chunk_take_packet(chunk, diag);
    while (err == FB_OK && !origin_picture_is_full(chunk->picture)) {
        err = origin_reader_next(&chunk->reader, chunk->packet, diag);
        if (err == FB_E_END) {
            return origin_picture_push(chunk->picture, NULL, diag);
        }
        if (err == FB_OK) {
            err = chunk_take_packet(chunk, diag);
        }
    }
    return err;
}

/* ---- attempts ---------------------------------------------------------- */

static int chunk_open(struct chunk *chunk, const struct chunk_way *way, struct fb_diag *diag)
{
    const struct origin_step_options *options = chunk->options;

    origin_picture_free(chunk->picture);
    origin_source_close(chunk->source);
    chunk->picture = NULL;
    chunk->source = NULL;
    int err = origin_step_open(options, &chunk->source, diag);
    if (err < 0) {
        return err;
    }
    for (unsigned i = 0; i < chunk->source->n_audios; i++) {
        chunk->source->audios[i]->discard = AVDISCARD_ALL;
    }
    chunk->reader = (struct origin_reader){.source = chunk->source};
    chunk->n_packets = way->entry->packet;
    chunk->jump = 0;
    chunk->shift_us = 0;
    struct origin_picture_options picture = {
        .source = chunk->source,
        .recipe = chunk->recipe,
        .chunk = options->index,
        .pass = (enum origin_task_pass)options->pass,
        .output_dir = options->output_dir,
        .key = options->key,
        .progress = &chunk->progress,
        .is_from_start = way->entry->packet == 0,
    };
    return origin_picture_new(&picture, &chunk->picture, diag);
}

static int chunk_attempt(struct chunk *chunk, const struct chunk_way *way, struct fb_diag *diag)
{
    int err = chunk_open(chunk, way, diag);
    if (err == FB_OK) {
        err = way->is_sought
                  ? origin_position_seek(&chunk->reader, way->entry, chunk->packet, diag)
                  : origin_position_read(&chunk->reader, way->entry, chunk->packet, diag);
    }
    return err == FB_OK ? chunk_read(chunk, diag) : err;
}

/* Ways to get there, the cheapest first. */
static int chunk_attempts(struct chunk *chunk, struct fb_diag *diag)
{
    static const struct origin_recipe_entry first = {.packet = 0};
    const struct origin_recipe_chunk *one = chunk->chunk;
    const struct chunk_way ways[] = {
        {&one->entry, true}, {&one->earlier, true}, {&one->entry, false}, {&first, false}};
    int err = FB_E_NOT_FOUND;

    for (size_t i = 0; err == FB_E_NOT_FOUND && i < FB_ARRAY_LEN(ways); i++) {
        bool is_able = !ways[i].is_sought || (one->is_seekable && chunk->options->index > 0);
        if (is_able) {
            err = chunk_attempt(chunk, &ways[i], diag);
        }
    }
    return err;
}

int origin_media_chunk(const struct origin_step_options *options, struct origin_part *ret_part,
                       struct fb_diag *diag)
{
    FB_AUTO(origin_part_done) struct origin_part part = {.kind = ORIGIN_PART_CHUNK};
    FB_AUTO(chunk_done)
    struct chunk chunk = {
        .options = options,
        .recipe = options->recipe,
        .progress = {.hooks = &options->hooks},
    };

    if (options->index >= options->recipe->n_chunks) {
        return fb_diag_set(diag, FB_E_CONFLICT, "the recipe has no source chunk %u",
                           options->index);
    }
    chunk.chunk = &options->recipe->chunks[options->index];
    chunk.packet = origin_av_packet_new();
    part.index = options->index;
    part.pass = options->pass;
    int err = chunk_attempts(&chunk, diag);
    if (err == FB_OK) {
        err = origin_picture_finish(chunk.picture, &part, diag);
    }
    if (err < 0) {
        return err;
    }
    part.is_partial = chunk.reader.is_partial || part.n_damaged > 0;
    origin_step_report(&chunk.progress, 1, 1);
    *ret_part = part;
    part = (struct origin_part){.tracks = NULL};
    return FB_OK;
}
