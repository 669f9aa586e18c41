#include "origin/media/storyboard.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/filter.h"
#include "origin/media/jpeg.h"
#include "origin/media/poster.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    SHORT_MS = 600000,
    US_PER_MS = 1000,
    STORYBOARD_COLUMNS = 5,
    STORYBOARD_QUALITY = 6,
    STORYBOARD_PLANES = 3,
    STORYBOARD_BLACK_LUMA = 0,
    STORYBOARD_BLACK_CHROMA = 128,
};

struct origin_storyboard {
    struct origin_storyboard_options options;
    struct origin_storyboard_facts facts;
    unsigned n_tiles;             /* that this sheet may have */
    unsigned next;                /* the first tile without a picture */
    AVFrame *sheet;               /* owned; NULL until the first tile */
    AVFrame *tile;                /* owned, scratch */
    struct origin_filter *scaler; /* owned */
    struct origin_poster poster;
};

/* ---- layout ------------------------------------------------------------ */

unsigned origin_storyboard_tile_ms(uint64_t duration_ms, unsigned segment_ms, unsigned chunk_ms)
{
    unsigned tile_ms = duration_ms > SHORT_MS ? segment_ms : segment_ms / 2;
    while (chunk_ms % tile_ms != 0 || chunk_ms / tile_ms > ORIGIN_STORYBOARD_MAX_TILES) {
        tile_ms = tile_ms < segment_ms ? segment_ms : tile_ms + segment_ms;
    }
    return tile_ms;
}

static unsigned even(double side)
{
    return FB_MAX((unsigned)lround(side / 2.0) * 2, 2U);
}

void origin_storyboard_describe(const struct origin_storyboard_options *options,
                                struct origin_storyboard_facts *ret_facts)
{
    *ret_facts = (struct origin_storyboard_facts){.tile_ms = options->tile_ms};
    unsigned longest = FB_MAX(options->width, options->height);
    if (longest == 0 || options->tile_ms == 0 || options->duration_ms == 0) {
        return;
    }
    double scale = fmin((double)ORIGIN_STORYBOARD_TILE_SIDE / longest, 1.0);
    uint64_t sheet_ms = FB_MIN(options->duration_ms, (uint64_t)options->chunk_ms);
    unsigned n = (unsigned)((sheet_ms + options->tile_ms - 1) / options->tile_ms);

    n = FB_MIN(FB_MAX(n, 1U), (unsigned)ORIGIN_STORYBOARD_MAX_TILES);
    ret_facts->columns = FB_MIN(n, (unsigned)STORYBOARD_COLUMNS);
    ret_facts->rows = (n + ret_facts->columns - 1) / ret_facts->columns;
    ret_facts->tile_width = even(options->width * scale);
    ret_facts->tile_height = even(options->height * scale);
    ret_facts->n_tiles =
        (unsigned)((options->duration_ms + options->tile_ms - 1) / options->tile_ms);
}

/* ---- drawing ----------------------------------------------------------- */

int origin_storyboard_new(const struct origin_storyboard_options *options,
                          struct origin_storyboard **ret_storyboard, struct fb_diag *diag)
{
    uint64_t begin_ms = (uint64_t)options->index * options->chunk_ms;
    struct origin_storyboard_facts facts;

    origin_storyboard_describe(options, &facts);
    if (facts.n_tiles == 0) {
        return fb_diag_set(diag, FB_E_LIMIT, "a storyboard needs a picture and a length");
    }
    int err = origin_output_mkdir(options->output, "s");
    if (err < 0) {
        return fb_diag_set(diag, err, "make the folder 's': %s", fb_err_text(err));
    }
    struct origin_storyboard *storyboard = FB_NEW(struct origin_storyboard);
    storyboard->options = *options;
    storyboard->facts = facts;
    uint64_t left_ms = begin_ms < options->duration_ms ? options->duration_ms - begin_ms : 0;
    uint64_t n_left = (left_ms + facts.tile_ms - 1) / facts.tile_ms;
    storyboard->n_tiles = (unsigned)FB_MIN(n_left, (uint64_t)facts.columns * facts.rows);
    storyboard->n_tiles = FB_MIN(storyboard->n_tiles, options->chunk_ms / facts.tile_ms);
    storyboard->tile = origin_av_frame_new();
    origin_poster_init(&storyboard->poster, (int64_t)options->duration_ms * US_PER_MS);
    *ret_storyboard = storyboard;
    return FB_OK;
}

void origin_storyboard_free(struct origin_storyboard *storyboard)
{
    if (storyboard != NULL) {
        origin_poster_done(&storyboard->poster);
        origin_filter_free(storyboard->scaler);
        av_frame_free(&storyboard->sheet);
        av_frame_free(&storyboard->tile);
        fb_free(storyboard);
    }
}

static int sheet_open(struct origin_storyboard *storyboard)
{
    const struct origin_storyboard_facts *facts = &storyboard->facts;
    AVFrame *sheet = origin_av_frame_new();

    sheet->format = AV_PIX_FMT_YUVJ420P;
    sheet->width = (int)(facts->columns * facts->tile_width);
    sheet->height = (int)(facts->rows * facts->tile_height);
    sheet->color_range = AVCOL_RANGE_JPEG;
    storyboard->sheet = sheet;
    int averr = av_frame_get_buffer(sheet, 0);
    if (averr < 0) {
        return origin_av_error(averr);
    }
    for (int plane = 0; plane < STORYBOARD_PLANES; plane++) {
        int black = plane == 0 ? STORYBOARD_BLACK_LUMA : STORYBOARD_BLACK_CHROMA;
        int rows = plane == 0 ? sheet->height : sheet->height / 2;
        memset(sheet->data[plane], black, (size_t)sheet->linesize[plane] * (size_t)rows);
    }
    return FB_OK;
}

static int tile_scale(struct origin_storyboard *storyboard, const AVFrame *frame,
                      struct fb_diag *diag)
{
    char chain[128];
    FB_AUTO(origin_av_frame_done) AVFrame *shown = origin_av_frame_new();
    int err = origin_av_error(av_frame_ref(shown, frame));

    av_frame_unref(storyboard->tile);
    if (err == FB_OK &&
        (storyboard->scaler == NULL || !origin_filter_fits(storyboard->scaler, shown))) {
        origin_filter_free(storyboard->scaler);
        storyboard->scaler = NULL;
        (void)snprintf(chain, sizeof(chain),
                       "scale=%u:%u:flags=area:in_range=tv:out_range=pc,format=yuvj420p",
                       storyboard->facts.tile_width, storyboard->facts.tile_height);
        struct origin_filter_options options = {
            .like = shown, .time_base = {1, 1}, .chain = chain, .n_threads = 1};
        err = origin_filter_new(&options, &storyboard->scaler, diag);
    }
    if (err == FB_OK) {
        shown->pts = storyboard->next;
        err = origin_filter_push(storyboard->scaler, shown);
    }
    return err == FB_OK ? origin_filter_pull(storyboard->scaler, storyboard->tile) : err;
}

/* The scaled picture goes to the next place of the sheet. */
static void tile_put(struct origin_storyboard *storyboard)
{
    const struct origin_storyboard_facts *facts = &storyboard->facts;
    const AVFrame *tile = storyboard->tile;
    AVFrame *sheet = storyboard->sheet;
    size_t left = (size_t)(storyboard->next % facts->columns) * facts->tile_width;
    size_t top = (size_t)(storyboard->next / facts->columns) * facts->tile_height;

    for (int plane = 0; plane < STORYBOARD_PLANES; plane++) {
        size_t half = plane == 0 ? 1 : 2;
        for (size_t row = 0; row < facts->tile_height / half; row++) {
            size_t to = (top / half + row) * (size_t)sheet->linesize[plane] + left / half;
            size_t from = row * (size_t)tile->linesize[plane];
            memcpy(sheet->data[plane] + to, tile->data[plane] + from, facts->tile_width / half);
        }
    }
    storyboard->next++;
}

int origin_storyboard_show(struct origin_storyboard *storyboard, const AVFrame *frame,
                           int64_t at_us, struct fb_diag *diag)
{
    const struct origin_storyboard_options *options = &storyboard->options;
    int64_t begin_ms = (int64_t)options->index * options->chunk_ms;
    int64_t past_us = at_us - begin_ms * US_PER_MS;
    int64_t tile_us = (int64_t)options->tile_ms * US_PER_MS;
    int err = FB_OK;

    origin_poster_look(&storyboard->poster, frame, at_us);
    if (storyboard->next >= storyboard->n_tiles || past_us < storyboard->next * tile_us) {
        return FB_OK;
    }
    if (storyboard->sheet == NULL) {
        err = sheet_open(storyboard);
    }
    if (err == FB_OK) {
        err = tile_scale(storyboard, frame, diag);
    }
    if (err < 0) {
        return fb_diag_set(diag, err, "make the storyboard: %s", fb_err_text(err));
    }
    while (storyboard->next < storyboard->n_tiles && past_us >= storyboard->next * tile_us) {
        tile_put(storyboard);
    }
    return FB_OK;
}

/* ---- finishing --------------------------------------------------------- */

static int storyboard_put(struct origin_storyboard *storyboard, const char *path, AVPacket *packet,
                          struct origin_segment *ret_file, struct fb_diag *diag)
{
    struct origin_output *output = storyboard->options.output;
    struct fb_str bytes = {(const char *)packet->data, (size_t)packet->size};
    int err = origin_output_put(output, path, bytes);

    if (err < 0) {
        return fb_diag_set(diag, err, "write %s: %s", path, fb_err_text(err));
    }
    const struct origin_output_entry *entry = &output->entries[output->n_entries - 1];
    *ret_file = (struct origin_segment){.bytes = entry->bytes};
    memcpy(ret_file->sha256, entry->sha256, sizeof(ret_file->sha256));
    return FB_OK;
}

static int storyboard_put_sheet(struct origin_storyboard *storyboard, struct origin_sheet *sheet,
                                struct fb_diag *diag)
{
    FB_AUTO(origin_av_packet_done) AVPacket *packet = origin_av_packet_new();

    if (storyboard->sheet == NULL) {
        return FB_OK;
    }
    while (storyboard->next < storyboard->n_tiles) {
        tile_put(storyboard); /* the last picture is on until the end */
    }
    int err = origin_jpeg_encode(storyboard->sheet, STORYBOARD_QUALITY, packet, diag);
    return err == FB_OK ? storyboard_put(storyboard, sheet->sheet_path, packet, &sheet->sheet, diag)
                        : err;
}

int origin_storyboard_finish(struct origin_storyboard *storyboard, struct origin_sheet *ret_sheet,
                             struct fb_diag *diag)
{
    struct origin_sheet sheet = {.poster_score = storyboard->poster.best};
    FB_AUTO(origin_av_packet_done) AVPacket *packet = origin_av_packet_new();
    unsigned number = storyboard->options.index + 1;

    (void)snprintf(sheet.sheet_path, sizeof(sheet.sheet_path), "s/%05u.jpg", number);
    (void)snprintf(sheet.poster_path, sizeof(sheet.poster_path), "s/poster-%05u.jpg", number);
    int err = storyboard_put_sheet(storyboard, &sheet, diag);
    if (err == FB_OK && storyboard->poster.frame != NULL) {
        err = origin_poster_encode(&storyboard->poster, packet, diag);
        if (err == FB_OK) {
            err = storyboard_put(storyboard, sheet.poster_path, packet, &sheet.poster, diag);
        }
    }
    if (err == FB_OK) {
        *ret_sheet = sheet;
    }
    return err;
}

static void vtt_put_time(struct fb_buf *buf, uint64_t ms)
{
    fb_buf_printf(buf, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 ".%03" PRIu64, ms / 3600000,
                  ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

void origin_storyboard_vtt(struct fb_buf *buf, const struct origin_storyboard_facts *facts,
                           uint64_t duration_ms)
{
    unsigned per_sheet = facts->columns * facts->rows;

    fb_buf_append(buf, FB_STR("WEBVTT\n"));
    for (unsigned i = 0; i < facts->n_tiles && i / per_sheet < facts->n_sheets; i++) {
        uint64_t begin_ms = (uint64_t)i * facts->tile_ms;
        unsigned at = i % per_sheet;
        fb_buf_append_byte(buf, '\n');
        vtt_put_time(buf, begin_ms);
        fb_buf_append(buf, FB_STR(" --> "));
        vtt_put_time(buf, FB_MIN(begin_ms + facts->tile_ms, duration_ms));
        fb_buf_printf(buf, "\ns/%05u.jpg#xywh=%u,%u,%u,%u\n", i / per_sheet + 1,
                      at % facts->columns * facts->tile_width,
                      at / facts->columns * facts->tile_height, facts->tile_width,
                      facts->tile_height);
    }
}
