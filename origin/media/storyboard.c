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
    unsigned at;                   /* the sheet that is being drawn, of the video */
    unsigned next;                 /* its first tile without a picture */
    AVFrame *sheet;                /* owned; NULL until the first tile */
    AVFrame *tile;                 /* owned, scratch: the last picture, in the size of a tile */
    struct origin_filter *scaler;  /* owned */
    struct origin_segment *sheets; /* owned; those that are written */
    size_t n_sheets;
    struct origin_poster poster;
};

/* ---- layout ------------------------------------------------------------ */

unsigned origin_storyboard_tile_ms(uint64_t duration_ms, unsigned segment_ms, unsigned sheet_ms)
{
    unsigned tile_ms = duration_ms > SHORT_MS ? segment_ms : segment_ms / 2;
    while (sheet_ms % tile_ms != 0 || sheet_ms / tile_ms > ORIGIN_STORYBOARD_MAX_TILES) {
        tile_ms = tile_ms < segment_ms ? segment_ms : tile_ms + segment_ms;
    }
    return tile_ms;
}

static unsigned even(double side)
{
    return FB_MAX((unsigned)lround(side / 2.0) * 2, 2U);
}

static uint64_t parts_of(uint64_t whole, unsigned part)
{
    return (whole + part - 1) / part;
}

/* Five or so. Where there are several sheets all their places are used: players
 * divide a sheet's time evenly among them. */
static unsigned columns_of(unsigned n, bool is_exact)
{
    unsigned columns = FB_MIN(n, (unsigned)STORYBOARD_COLUMNS);
    while (is_exact && n % columns != 0) {
        columns++;
    }
    return columns;
}

void origin_storyboard_describe(const struct origin_storyboard_options *options,
                                struct origin_storyboard_facts *ret_facts)
{
    *ret_facts = (struct origin_storyboard_facts){0};
    unsigned longest = FB_MAX(options->width, options->height);
    if (longest == 0 || options->duration_ms == 0) {
        return;
    }
    unsigned tile_ms =
        origin_storyboard_tile_ms(options->duration_ms, options->segment_ms, options->sheet_ms);
    double scale = fmin((double)ORIGIN_STORYBOARD_TILE_SIDE / longest, 1.0);
    uint64_t sheet_ms = FB_MIN(options->duration_ms, (uint64_t)options->sheet_ms);
    unsigned n = (unsigned)parts_of(sheet_ms, tile_ms);

    ret_facts->tile_ms = tile_ms;
    ret_facts->sheet_ms = options->sheet_ms;
    ret_facts->columns = columns_of(n, options->duration_ms > options->sheet_ms);
    ret_facts->rows = (unsigned)parts_of(n, ret_facts->columns);
    ret_facts->tile_width = even(options->width * scale);
    ret_facts->tile_height = even(options->height * scale);
    ret_facts->n_tiles = (unsigned)parts_of(options->duration_ms, tile_ms);
    ret_facts->n_sheets = parts_of(options->duration_ms, options->sheet_ms);
}

/* ---- drawing ----------------------------------------------------------- */

int origin_storyboard_new(const struct origin_storyboard_options *options,
                          struct origin_storyboard **ret_storyboard, struct fb_diag *diag)
{
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
    storyboard->at = options->first_sheet;
    storyboard->tile = origin_av_frame_new();
    storyboard->sheets = fb_alloc(FB_MAX(options->n_sheets, 1U) * sizeof(*storyboard->sheets));
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
        fb_free(storyboard->sheets);
        fb_free(storyboard);
    }
}

static void sheet_clear(AVFrame *sheet)
{
    for (int plane = 0; plane < STORYBOARD_PLANES; plane++) {
        int black = plane == 0 ? STORYBOARD_BLACK_LUMA : STORYBOARD_BLACK_CHROMA;
        int rows = plane == 0 ? sheet->height : sheet->height / 2;
        memset(sheet->data[plane], black, (size_t)sheet->linesize[plane] * (size_t)rows);
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
    sheet_clear(sheet);
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

/* ---- files ------------------------------------------------------------- */

static int storyboard_put(struct origin_storyboard *storyboard, const char *path, AVPacket *packet,
                          struct origin_segment *ret_file, struct fb_diag *diag)
{
    struct fb_str bytes = {(const char *)packet->data, (size_t)packet->size};
    int err = origin_output_put(storyboard->options.output, path, bytes);

    if (err < 0) {
        return fb_diag_set(diag, err, "write %s: %s", path, fb_err_text(err));
    }
    *ret_file = (struct origin_segment){.bytes = bytes.len};
    fb_sha256(bytes, ret_file->sha256);
    return FB_OK;
}

/* How many tiles the current sheet has of the video. */
static unsigned sheet_n_tiles(const struct origin_storyboard *storyboard)
{
    unsigned per_sheet = storyboard->facts.sheet_ms / storyboard->facts.tile_ms;
    uint64_t before = (uint64_t)storyboard->at * per_sheet;
    uint64_t n = storyboard->facts.n_tiles;
    return before < n ? (unsigned)FB_MIN(n - before, (uint64_t)per_sheet) : 0;
}

/* Writes the current sheet and turns to the next. */
static int sheet_finish(struct origin_storyboard *storyboard, struct fb_diag *diag)
{
    FB_AUTO(origin_av_packet_done) AVPacket *packet = origin_av_packet_new();
    char path[ORIGIN_OUTPUT_PATH_MAX];

    while (storyboard->next < sheet_n_tiles(storyboard)) {
        tile_put(storyboard); /* the last picture is on until the end */
    }
    (void)snprintf(path, sizeof(path), "s/%05u.jpg", storyboard->at + 1);
    int err = origin_jpeg_encode(storyboard->sheet, STORYBOARD_QUALITY, packet, diag);
    if (err == FB_OK) {
        err = storyboard_put(storyboard, path, packet, &storyboard->sheets[storyboard->n_sheets],
                             diag);
    }
    if (err == FB_OK) {
        storyboard->n_sheets++;
        storyboard->at++;
        storyboard->next = 0;
        sheet_clear(storyboard->sheet);
    }
    return err;
}

static int poster_finish(struct origin_storyboard *storyboard, struct origin_segment *ret_poster,
                         struct fb_diag *diag)
{
    FB_AUTO(origin_av_packet_done) AVPacket *packet = origin_av_packet_new();
    int err = origin_poster_encode(&storyboard->poster, packet, diag);
    return err == FB_OK ? storyboard_put(storyboard, "poster.jpg", packet, ret_poster, diag) : err;
}

/* ---- entry points ------------------------------------------------------ */

static bool storyboard_is_over(const struct origin_storyboard *storyboard)
{
    return storyboard->n_sheets == storyboard->options.n_sheets || sheet_n_tiles(storyboard) == 0;
}

/* When the next tile is due. */
static int64_t storyboard_next_us(const struct origin_storyboard *storyboard)
{
    int64_t ms = (int64_t)storyboard->at * storyboard->facts.sheet_ms +
                 (int64_t)storyboard->next * storyboard->facts.tile_ms;
    return ms * US_PER_MS;
}

static int storyboard_draw(struct origin_storyboard *storyboard, const AVFrame *frame,
                           int64_t at_us, struct fb_diag *diag)
{
    int err = storyboard->sheet == NULL ? sheet_open(storyboard) : FB_OK;
    if (err == FB_OK) {
        err = tile_scale(storyboard, frame, diag);
    }
    if (err < 0) {
        return fb_diag_set(diag, err, "make the storyboard: %s", fb_err_text(err));
    }
    while (err == FB_OK && !storyboard_is_over(storyboard) &&
           at_us >= storyboard_next_us(storyboard)) {
        tile_put(storyboard);
        if (storyboard->next == sheet_n_tiles(storyboard)) {
            err = sheet_finish(storyboard, diag);
        }
    }
    return err;
}

int origin_storyboard_show(struct origin_storyboard *storyboard, const AVFrame *frame,
                           int64_t at_us, struct fb_diag *diag)
{
    const struct origin_storyboard_options *options = &storyboard->options;
    int64_t sheet = at_us / US_PER_MS / options->sheet_ms;

    if (sheet == options->poster_sheet) {
        origin_poster_look(&storyboard->poster, frame, at_us);
    }
    bool is_due = options->has_sheets && !storyboard_is_over(storyboard) &&
                  at_us >= storyboard_next_us(storyboard);
    return is_due ? storyboard_draw(storyboard, frame, at_us, diag) : FB_OK;
}

int origin_storyboard_finish(struct origin_storyboard *storyboard, struct origin_part *part,
                             struct fb_diag *diag)
{
    int err = FB_OK;

    while (err == FB_OK && storyboard->sheet != NULL && !storyboard_is_over(storyboard)) {
        err = sheet_finish(storyboard, diag);
    }
    if (err == FB_OK && storyboard->poster.frame != NULL) {
        err = poster_finish(storyboard, &part->poster, diag);
    }
    if (err == FB_OK && storyboard->n_sheets > 0) {
        part->first_sheet = storyboard->options.first_sheet;
        part->n_sheets = storyboard->n_sheets;
        part->sheets = storyboard->sheets;
        storyboard->sheets = NULL;
        storyboard->n_sheets = 0;
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
    unsigned per_sheet = facts->sheet_ms / facts->tile_ms;

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
