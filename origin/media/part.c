#include "origin/media/part.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/json/json.h"
#include "origin/model/result.h"

#include <stdio.h>
#include <string.h>

enum { SIDE_MAX = 1 << 16, RATE_MAX = 1 << 20, PASS_MAX = 2, CHANNELS_MAX = 64 };

void origin_part_done(struct origin_part *part)
{
    for (size_t i = 0; i < part->n_tracks; i++) {
        origin_track_done(&part->tracks[i].track);
    }
    fb_free(part->tracks);
    fb_free(part->sheets);
    *part = (struct origin_part){.tracks = NULL};
}

struct origin_part_track *origin_part_add_track(struct origin_part *part)
{
    FB_REQUIRE(part->n_tracks < ORIGIN_PART_TRACKS_MAX);
    part->tracks = fb_realloc(part->tracks, (part->n_tracks + 1) * sizeof(*part->tracks));
    struct origin_part_track *track = &part->tracks[part->n_tracks++];
    *track = (struct origin_part_track){.first_segment = 1};
    return track;
}

/* ---- store -------------------------------------------------------------- */

/* [duration, bytes, sha256, key offset, key bytes]: there may be many. */
static void segment_store(struct fb_json *list, const struct origin_segment *segment)
{
    FB_AUTO(fb_buf_done) struct fb_buf hex = {0};

    fb_text_hex(&hex, fb_sha256_str(segment->sha256));
    fb_json_add_int(list, (int64_t)segment->duration);
    fb_json_add_int(list, (int64_t)segment->bytes);
    fb_json_add_str(list, fb_buf_str(&hex));
    fb_json_add_int(list, (int64_t)segment->key_offset);
    fb_json_add_int(list, (int64_t)segment->key_bytes);
}

static void segments_store(struct fb_json *list, const struct origin_segment *segments, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        segment_store(fb_json_add_array(list), &segments[i]);
    }
}

static void track_store(struct fb_json *item, const struct origin_part_track *one)
{
    const struct origin_track *track = &one->track;

    fb_json_set_text(item, "path", track->path);
    fb_json_set_text(item, "codecs", track->codecs);
    fb_json_set_int(item, "timescale", track->timescale);
    fb_json_set_int(item, "rung", track->rung);
    fb_json_set_int(item, "width", track->width);
    fb_json_set_int(item, "height", track->height);
    fb_json_set_int(item, "rate_num", track->frame_rate.num);
    fb_json_set_int(item, "rate_den", track->frame_rate.den);
    fb_json_set_text(item, "name", track->name);
    fb_json_set_text(item, "iso639", track->iso639);
    fb_json_set_text(item, "language", track->language);
    fb_json_set_int(item, "channels", track->channels);
    fb_json_set_int(item, "sample_rate", track->sample_rate);
    fb_json_set_bool(item, "is_default", track->is_default);
    fb_json_set_bool(item, "is_forced", track->is_forced);
    fb_json_set_bool(item, "is_for_deaf", track->is_for_deaf);
    fb_json_set_bool(item, "is_for_blind", track->is_for_blind);
    fb_json_set_bool(item, "is_commentary", track->is_commentary);
    segment_store(fb_json_set_array(item, "head"), &track->head);
    fb_json_set_int(item, "first_segment", one->first_segment);
    segments_store(fb_json_set_array(item, "segments"), track->segments, track->n_segments);
}

void origin_part_dump(struct fb_buf *buf, const struct origin_part *part)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();

    fb_json_set_text(root, "kind", part->kind == ORIGIN_PART_CHUNK ? "chunk" : "sound");
    fb_json_set_int(root, "index", part->index);
    fb_json_set_int(root, "pass", part->pass);
    fb_json_set_int(root, "n_packets", (int64_t)part->n_packets);
    fb_json_set_int(root, "n_damaged", (int64_t)part->n_damaged);
    fb_json_set_bool(root, "is_partial", part->is_partial);
    fb_json_set_int(root, "first_sheet", part->first_sheet);
    segments_store(fb_json_set_array(root, "sheets"), part->sheets, part->n_sheets);
    segment_store(fb_json_set_array(root, "poster"), &part->poster);
    struct fb_json *tracks = fb_json_set_array(root, "tracks");
    for (size_t i = 0; i < part->n_tracks; i++) {
        track_store(fb_json_add_object(tracks), &part->tracks[i]);
    }
    fb_json_dump(root, buf);
}

/* ---- load --------------------------------------------------------------- */

static int number_load(const struct fb_json *object, const char *key, int64_t min, int64_t max,
                       unsigned *ret_number, struct fb_diag *diag)
{
    int64_t number = 0;
    int err = fb_json_read_int(object, key, min, max, &number, diag);
    if (err == FB_OK) {
        *ret_number = (unsigned)number;
    }
    return err;
}

static int flag_load(const struct fb_json *object, const char *key, bool *ret_flag,
                     struct fb_diag *diag)
{
    const struct fb_json *value = fb_json_find(object, key);
    if (fb_json_type(value) != FB_JSON_BOOL) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' is neither true nor false", key);
    }
    *ret_flag = fb_json_bool(value, false);
    return FB_OK;
}

static int text_load(const struct fb_json *object, const char *key, char *text, size_t size,
                     struct fb_diag *diag)
{
    struct fb_str value;
    int err = fb_json_read_str(object, key, size - 1, &value, diag);
    if (err == FB_OK && memchr(value.ptr, '\0', value.len) != NULL) {
        err = fb_diag_set(diag, FB_E_MALFORMED, "'%s' holds a NUL", key);
    }
    if (err == FB_OK) {
        (void)snprintf(text, size, "%.*s", FB_STR_ARG(value));
    }
    return err;
}

static int segment_load(const struct fb_json *list, struct origin_segment *ret_segment,
                        struct fb_diag *diag)
{
    struct origin_segment segment = {.duration = 0};
    int64_t numbers[] = {
        fb_json_int(fb_json_at(list, 0), -1),
        fb_json_int(fb_json_at(list, 1), -1),
        fb_json_int(fb_json_at(list, 3), -1),
        fb_json_int(fb_json_at(list, 4), -1),
    };
    bool is_good = fb_json_type(list) == FB_JSON_ARRAY && fb_json_count(list) == 5 &&
                   fb_text_unhex(fb_json_str(fb_json_at(list, 2)), segment.sha256,
                                 sizeof(segment.sha256)) == FB_OK;
    for (size_t i = 0; i < FB_ARRAY_LEN(numbers); i++) {
        is_good = is_good && numbers[i] >= 0 && numbers[i] <= INT64_MAX / ORIGIN_PART_SEGMENTS_MAX;
    }
    if (!is_good || numbers[2] > numbers[1] || numbers[3] > numbers[1] - numbers[2]) {
        return fb_diag_set(diag, FB_E_MALFORMED, "a segment is not well described");
    }
    segment.duration = (uint64_t)numbers[0];
    segment.bytes = (uint64_t)numbers[1];
    segment.key_offset = (uint64_t)numbers[2];
    segment.key_bytes = (uint64_t)numbers[3];
    *ret_segment = segment;
    return FB_OK;
}

static int segments_load(const struct fb_json *object, struct origin_part_track *one,
                         struct fb_diag *diag)
{
    const struct fb_json *list = fb_json_find(object, "segments");
    size_t n = fb_json_count(list);

    if (fb_json_type(list) != FB_JSON_ARRAY ||
        n + one->first_segment > (size_t)ORIGIN_PART_SEGMENTS_MAX) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'segments' is no list, or too long");
    }
    for (size_t i = 0; i < n; i++) {
        struct origin_segment segment;
        int err = segment_load(fb_json_at(list, i), &segment, diag);
        if (err < 0) {
            return err;
        }
        origin_track_add(&one->track, &segment);
    }
    return FB_OK;
}

static int track_numbers_load(const struct fb_json *item, struct origin_part_track *one,
                              struct fb_diag *diag)
{
    struct origin_track *track = &one->track;
    unsigned num = 0;
    unsigned den = 0;

    int err = number_load(item, "timescale", 1, INT32_MAX, &track->timescale, diag);
    if (err < 0 || (err = number_load(item, "rung", 0, SIDE_MAX, &track->rung, diag)) < 0 ||
        (err = number_load(item, "width", 0, SIDE_MAX, &track->width, diag)) < 0 ||
        (err = number_load(item, "height", 0, SIDE_MAX, &track->height, diag)) < 0 ||
        (err = number_load(item, "rate_num", 0, INT32_MAX, &num, diag)) < 0 ||
        (err = number_load(item, "rate_den", 0, INT32_MAX, &den, diag)) < 0 ||
        (err = number_load(item, "channels", 0, CHANNELS_MAX, &track->channels, diag)) < 0 ||
        (err = number_load(item, "sample_rate", 0, RATE_MAX, &track->sample_rate, diag)) < 0 ||
        (err = number_load(item, "first_segment", 1, ORIGIN_PART_SEGMENTS_MAX, &one->first_segment,
                           diag)) < 0) {
        return err;
    }
    track->frame_rate = (struct origin_ratio){(int)num, (int)den};
    return FB_OK;
}

static int track_flags_load(const struct fb_json *item, struct origin_track *track,
                            struct fb_diag *diag)
{
    int err = flag_load(item, "is_default", &track->is_default, diag);
    if (err < 0 || (err = flag_load(item, "is_forced", &track->is_forced, diag)) < 0 ||
        (err = flag_load(item, "is_for_deaf", &track->is_for_deaf, diag)) < 0 ||
        (err = flag_load(item, "is_for_blind", &track->is_for_blind, diag)) < 0) {
        return err;
    }
    return flag_load(item, "is_commentary", &track->is_commentary, diag);
}

/* Printable ASCII without quotes, so that it can stand in a playlist. */
static bool text_is_clean(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~' || *text == '"') {
            return false;
        }
    }
    return true;
}

static int track_texts_load(const struct fb_json *item, struct origin_track *track,
                            struct fb_diag *diag)
{
    int err = text_load(item, "path", track->path, sizeof(track->path), diag);
    if (err < 0 || (err = text_load(item, "codecs", track->codecs, sizeof(track->codecs), diag)) ||
        (err = text_load(item, "name", track->name, sizeof(track->name), diag)) < 0 ||
        (err = text_load(item, "iso639", track->iso639, sizeof(track->iso639), diag)) < 0 ||
        (err = text_load(item, "language", track->language, sizeof(track->language), diag)) < 0) {
        return err;
    }
    bool is_good = origin_path_is_plain(fb_str_from(track->path), sizeof(track->path) - 1) &&
                   text_is_clean(track->codecs) && text_is_clean(track->iso639) &&
                   text_is_clean(track->language);
    return is_good ? FB_OK : fb_diag_set(diag, FB_E_MALFORMED, "a track is not well described");
}

static int track_load(const struct fb_json *item, struct origin_part_track *one,
                      struct fb_diag *diag)
{
    int err = track_texts_load(item, &one->track, diag);
    if (err < 0 || (err = track_numbers_load(item, one, diag)) < 0 ||
        (err = track_flags_load(item, &one->track, diag)) < 0 ||
        (err = segment_load(fb_json_find(item, "head"), &one->track.head, diag)) < 0) {
        return err;
    }
    return segments_load(item, one, diag);
}

static int tracks_load(const struct fb_json *root, struct origin_part *part, struct fb_diag *diag)
{
    const struct fb_json *list = fb_json_find(root, "tracks");
    size_t n = fb_json_count(list);
    int err = FB_OK;

    if (fb_json_type(list) != FB_JSON_ARRAY || n > ORIGIN_PART_TRACKS_MAX) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'tracks' is no list, or too long");
    }
    for (size_t i = 0; err == FB_OK && i < n; i++) {
        err = track_load(fb_json_at(list, i), origin_part_add_track(part), diag);
    }
    return err;
}

static int sheets_load(const struct fb_json *root, struct origin_part *part, struct fb_diag *diag)
{
    const struct fb_json *list = fb_json_find(root, "sheets");
    size_t n = fb_json_count(list);
    int err = FB_OK;

    if (fb_json_type(list) != FB_JSON_ARRAY || n > ORIGIN_PART_SHEETS_MAX) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'sheets' is no list, or too long");
    }
    part->sheets = n > 0 ? fb_alloc_array(n, sizeof(*part->sheets)) : NULL;
    for (; err == FB_OK && part->n_sheets < n; part->n_sheets += err == FB_OK) {
        err = segment_load(fb_json_at(list, part->n_sheets), &part->sheets[part->n_sheets], diag);
    }
    return err;
}

static int part_numbers_load(const struct fb_json *root, struct origin_part *part,
                             struct fb_diag *diag)
{
    int64_t n_packets = 0;
    int64_t n_damaged = 0;

    int err = number_load(root, "index", 0, INT32_MAX, &part->index, diag);
    if (err < 0 || (err = number_load(root, "pass", 0, PASS_MAX, &part->pass, diag)) < 0 ||
        (err = number_load(root, "first_sheet", 0, INT32_MAX, &part->first_sheet, diag)) < 0 ||
        (err = fb_json_read_int(root, "n_packets", 0, INT64_MAX / 2, &n_packets, diag)) < 0 ||
        (err = fb_json_read_int(root, "n_damaged", 0, INT64_MAX / 2, &n_damaged, diag)) < 0) {
        return err;
    }
    part->n_packets = (uint64_t)n_packets;
    part->n_damaged = (uint64_t)n_damaged;
    return flag_load(root, "is_partial", &part->is_partial, diag);
}

int origin_part_parse(struct fb_str text, struct origin_part *ret_part, struct fb_diag *diag)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = NULL;
    FB_AUTO(origin_part_done) struct origin_part part = {.tracks = NULL};
    struct fb_str kind;

    int err = fb_json_parse(text, ORIGIN_PART_JSON_MAX, &root, diag);
    if (err < 0 || (err = fb_json_read_str(root, "kind", 8, &kind, diag)) < 0 ||
        (err = part_numbers_load(root, &part, diag)) < 0 ||
        (err = segment_load(fb_json_find(root, "poster"), &part.poster, diag)) < 0 ||
        (err = sheets_load(root, &part, diag)) < 0 || (err = tracks_load(root, &part, diag)) < 0) {
        return err;
    }
    part.kind = fb_str_equal(kind, FB_STR("sound")) ? ORIGIN_PART_SOUND : ORIGIN_PART_CHUNK;
    if (part.kind == ORIGIN_PART_CHUNK && !fb_str_equal(kind, FB_STR("chunk"))) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'kind' is no kind of part");
    }
    *ret_part = part;
    part = (struct origin_part){.tracks = NULL};
    return FB_OK;
}
