#include "origin/media/survey.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/picture.h"
#include "origin/media/position.h"
#include "origin/media/reader.h"
#include "origin/media/timeline.h"

#include <string.h>

enum {
    US_PER_S = 1000000,
    US_PER_MS = 1000,
    SURVEY_MAX_HOLD_S = 60,      /* as picture.c holds a frame, and sound.c fills a gap */
    SURVEY_MAX_TAIL_US = 100000, /* of sound that does not stretch the picture */
    SURVEY_EARLIER_US = 2000000, /* how far apart an entry and the one before lie */
    SURVEY_CHUNKS_FIRST = 16,
};

/* So many bytes may be read again by all source chunks that must be read up to. */
#define SURVEY_MAX_AGAIN (64ULL << 30)

struct survey_key {
    bool is_known;
    int64_t us; /* our time */
    struct origin_recipe_entry entry;
};

struct survey {
    struct origin_source *source;
    struct origin_recipe *recipe;
    struct origin_step_progress *progress;
    struct origin_reader reader;
    struct origin_timeline timeline;
    AVPacket *packet; /* owned, scratch */

    uint64_t n_packets; /* of picture */
    bool is_timeless;   /* some do not tell when they are shown */
    int64_t due_us;     /* when the next picture would be shown, if it does not tell */
    int64_t last_us;    /* of the picture that is shown last */
    int64_t last_duration_us;
    int64_t sound_us[ORIGIN_MEDIA_MAX_AUDIO]; /* the end of each track */

    struct survey_key key;     /* the last key picture */
    struct survey_key earlier; /* one well before it */
    uint32_t next_sheet;       /* the next border to decide on */
    int64_t lead_us;           /* that decoding begins before a border */
};

/* ---- source chunks ----------------------------------------------------- */

/* A source chunk that begins at `place`, where segment number `segment` does. */
static void survey_add_chunk(struct survey *survey, uint64_t place, uint32_t segment)
{
    struct origin_recipe *recipe = survey->recipe;
    size_t n = recipe->n_chunks;

    if (n == 0 || (n >= SURVEY_CHUNKS_FIRST && (n & (n - 1)) == 0)) {
        size_t room = FB_MAX(n * 2, (size_t)SURVEY_CHUNKS_FIRST);
        recipe->chunks = fb_realloc(recipe->chunks, room * sizeof(*recipe->chunks));
    }
    recipe->chunks[n] = (struct origin_recipe_chunk){
        .first_place = place,
        .first_segment = segment,
        .entry = survey->key.entry,
        .earlier = survey->earlier.is_known ? survey->earlier.entry : survey->key.entry,
    };
    recipe->n_chunks = n + 1;
}

static int64_t survey_border_us(const struct survey *survey, uint32_t sheet, uint64_t *ret_place)
{
    *ret_place = origin_recipe_place(survey->recipe, (uint64_t)sheet * survey->recipe->sheet_ms);
    return origin_rate_time_us(survey->source->rate, (int64_t)*ret_place);
}

/* Decides on all borders up to `until_us`, for which no better key picture will come. */
static void survey_decide(struct survey *survey, int64_t until_us)
{
    const struct origin_recipe *recipe = survey->recipe;
    int64_t max_lead_us = (int64_t)recipe->sheet_ms * US_PER_MS / 2 + survey->lead_us;

    for (;; survey->next_sheet++) {
        uint64_t place = 0;
        int64_t border_us = survey_border_us(survey, survey->next_sheet, &place);
        if (border_us - survey->lead_us >= until_us) {
            break;
        }
        bool is_near = survey->key.is_known && border_us - survey->key.us <= max_lead_us;
        if (is_near && recipe->n_chunks < ORIGIN_RECIPE_CHUNKS_MAX) {
            uint32_t per_sheet = recipe->sheet_ms / recipe->request.segment_ms;
            survey_add_chunk(survey, place, survey->next_sheet * per_sheet + 1);
        }
    }
}

static void survey_take_key(struct survey *survey, int64_t us,
                            const struct origin_recipe_entry *entry)
{
    if (survey->key.is_known && us <= survey->key.us) {
        return;
    }
    survey_decide(survey, us);
    if (survey->key.is_known &&
        (!survey->earlier.is_known || us - survey->earlier.us > 2 * (int64_t)SURVEY_EARLIER_US)) {
        survey->earlier = survey->key;
    }
    survey->key = (struct survey_key){.is_known = true, .us = us, .entry = *entry};
}

/* ---- packets ----------------------------------------------------------- */

static int survey_note_jump(struct survey *survey, int64_t shift_us, struct fb_diag *diag)
{
    struct origin_recipe *recipe = survey->recipe;
    int64_t before = recipe->n_jumps > 0 ? recipe->jumps[recipe->n_jumps - 1].shift_us : 0;

    if (shift_us == before) {
        return FB_OK;
    }
    if (recipe->n_jumps == ORIGIN_RECIPE_JUMPS_MAX) {
        return fb_diag_set(diag, FB_E_CORRUPT, "the file is damaged: its clock is never steady");
    }
    if (recipe->n_jumps == 0) {
        recipe->jumps = fb_alloc_array(ORIGIN_RECIPE_JUMPS_MAX, sizeof(*recipe->jumps));
    }
    recipe->jumps[recipe->n_jumps++] =
        (struct origin_recipe_jump){.packet = survey->n_packets, .shift_us = shift_us};
    return FB_OK;
}

/* When the packet's picture is shown, or about when. */
static int64_t survey_picture_us(const struct survey *survey)
{
    const AVPacket *packet = survey->packet;
    const struct origin_source *source = survey->source;

    if (packet->pts != AV_NOPTS_VALUE) {
        return av_rescale_q(packet->pts, source->video->time_base, AV_TIME_BASE_Q);
    }
    if (packet->dts != AV_NOPTS_VALUE && source->delay > 0) {
        return av_rescale_q(packet->dts + source->delay, source->video->time_base, AV_TIME_BASE_Q);
    }
    return survey->due_us;
}

static int survey_take_picture(struct survey *survey, struct fb_diag *diag)
{
    AVPacket *packet = survey->packet;
    const AVStream *stream = survey->source->video;
    struct origin_recipe_entry entry = origin_position_of(packet, survey->n_packets);
    int64_t zero_us = survey->source->zero_us;
    int64_t decode_us = 0;
    int err = FB_OK;

    if (origin_packet_time_us(packet, stream, &decode_us)) {
        int64_t duration_us = av_rescale_q(packet->duration, stream->time_base, AV_TIME_BASE_Q);
        int64_t shift_us = origin_timeline_shift(&survey->timeline, (unsigned)stream->index,
                                                 decode_us, duration_us);
        err = survey_note_jump(survey, shift_us + zero_us, diag);
        origin_packet_shift(packet, stream, shift_us);
    }
    survey->n_packets++;
    bool is_shown = (packet->flags & AV_PKT_FLAG_DISCARD) == 0;
    bool is_told = packet->pts != AV_NOPTS_VALUE;
    int64_t us = survey_picture_us(survey);
    survey->is_timeless = survey->is_timeless || (!is_told && is_shown);
    if ((packet->flags & AV_PKT_FLAG_KEY) != 0 && is_told && is_shown && err == FB_OK) {
        survey_take_key(survey, us, &entry);
    }
    int64_t duration_us = av_rescale_q(packet->duration, stream->time_base, AV_TIME_BASE_Q);
    if (is_shown && us >= survey->last_us) {
        survey->last_us = us;
        survey->last_duration_us = duration_us;
    }
    if (is_shown) {
        survey->due_us =
            us + (duration_us > 0 ? duration_us : origin_rate_time_us(survey->source->rate, 1));
    }
    return err;
}

static void survey_take_sound(struct survey *survey, unsigned index)
{
    AVPacket *packet = survey->packet;
    const AVStream *stream = survey->source->audios[index];
    int64_t us = survey->sound_us[index];
    int64_t duration_us = av_rescale_q(packet->duration, stream->time_base, AV_TIME_BASE_Q);
    int64_t decode_us = 0;

    if (origin_packet_time_us(packet, stream, &decode_us)) {
        origin_packet_shift(packet, stream,
                            origin_timeline_shift(&survey->timeline, (unsigned)stream->index,
                                                  decode_us, duration_us));
        int64_t at = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
        us = FB_MIN(av_rescale_q(at, stream->time_base, AV_TIME_BASE_Q),
                    us + (int64_t)SURVEY_MAX_HOLD_S * US_PER_S);
    }
    survey->sound_us[index] = FB_MAX(survey->sound_us[index], us + duration_us);
}

static int survey_take_packet(struct survey *survey, struct fb_diag *diag)
{
    const struct origin_source *source = survey->source;
    int index = survey->packet->stream_index;

    if (index == source->video->index) {
        return survey_take_picture(survey, diag);
    }
    for (unsigned i = 0; i < source->n_audios; i++) {
        if (index == source->audios[i]->index) {
            survey_take_sound(survey, i);
        }
    }
    return FB_OK;
}

static int survey_read(struct survey *survey, struct fb_diag *diag)
{
    const struct origin_source *source = survey->source;
    int64_t max_us = (int64_t)ORIGIN_MEDIA_MAX_HOURS * 3600 * US_PER_S;

    for (;;) {
        int err = origin_reader_next(&survey->reader, survey->packet, diag);
        if (err == FB_OK) {
            err = survey_take_packet(survey, diag);
            av_packet_unref(survey->packet);
        }
        if (err == FB_OK && survey->last_us > max_us) {
            err = fb_diag_set(diag, FB_E_LIMIT, "the video is longer than %d hours",
                              ORIGIN_MEDIA_MAX_HOURS);
        }
        if (err < 0) {
            return err == FB_E_END ? FB_OK : err;
        }
        int64_t at = avio_tell(source->format->pb);
        origin_step_report(survey->progress, (uint64_t)FB_MAX(at, 0), source->n_bytes * 2);
    }
}

/* ---- afterwards -------------------------------------------------------- */

/* Picture and sound end together: the shorter one is held or filled. A tail of
 * sound that nobody would notice does not stretch the picture. */
static int survey_count_places(struct survey *survey, struct fb_diag *diag)
{
    struct origin_recipe *recipe = survey->recipe;
    struct origin_ratio rate = survey->source->rate;
    int64_t step_us = origin_rate_time_us(rate, 1);
    int64_t hold_us = survey->last_duration_us > 0 ? survey->last_duration_us : step_us;
    int64_t sound_us = 0;

    if (survey->n_packets == 0) {
        return fb_diag_set(diag, FB_E_CORRUPT, "the video has no picture that we can read");
    }
    hold_us = FB_MIN(hold_us, (int64_t)SURVEY_MAX_HOLD_S * US_PER_S);
    int64_t n = origin_rate_index(rate, survey->last_us + hold_us);
    n = FB_MAX(FB_MAX(n, origin_rate_index(rate, survey->last_us) + 1), 1);
    for (unsigned i = 0; i < survey->source->n_audios; i++) {
        sound_us = FB_MAX(sound_us, survey->sound_us[i]);
    }
    if (sound_us > origin_rate_time_us(rate, n) + SURVEY_MAX_TAIL_US) {
        n = FB_MAX(n, origin_rate_index(rate, sound_us));
    }
    recipe->n_places = (uint64_t)n;
    int64_t end_us = origin_rate_time_us(rate, n);
    recipe->duration_ms = (uint64_t)FB_MAX((end_us + US_PER_MS / 2) / US_PER_MS, 1);
    if (recipe->duration_ms > (uint64_t)ORIGIN_MEDIA_MAX_HOURS * 3600 * 1000) {
        return fb_diag_set(diag, FB_E_LIMIT, "the video is longer than %d hours",
                           ORIGIN_MEDIA_MAX_HOURS);
    }
    return FB_OK;
}

/* A file cut in the middle still tells how long it was. */
static void survey_judge_length(struct survey *survey)
{
    const struct origin_source *source = survey->source;
    const AVStream *video = source->video;
    int64_t end_us = survey->last_us + survey->last_duration_us;
    int64_t told_us = 0;

    if (video->duration != AV_NOPTS_VALUE && video->duration > 0) {
        told_us = av_rescale_q(video->duration, video->time_base, AV_TIME_BASE_Q);
    } else if (source->is_length_told) { /* of picture or sound, whichever is longer */
        told_us = source->duration_us;
        end_us = FB_MAX(end_us, origin_step_end_us(survey->recipe));
    }
    bool is_short = source->duration_us > 0 && end_us < told_us - told_us / 20 - 500000;
    survey->recipe->is_partial = survey->reader.is_partial || is_short;
}

/* Whether a demuxer gets to each source chunk without reading up to there. */
static int survey_try_seeking(struct survey *survey, struct fb_diag *diag)
{
    struct origin_recipe *recipe = survey->recipe;

    for (size_t i = 1; i < recipe->n_chunks; i++) {
        struct origin_recipe_chunk *chunk = &recipe->chunks[i];
        int err = origin_position_seek(&survey->reader, &chunk->entry, survey->packet, diag);
        av_packet_unref(survey->packet);
        if (err < 0 && err != FB_E_NOT_FOUND) {
            return err;
        }
        chunk->is_seekable = err == FB_OK;
        origin_step_report(survey->progress, recipe->n_chunks + i, recipe->n_chunks * 2);
    }
    return FB_OK;
}

/* Leaves out the source chunks that are too short or not worth getting to, and
 * lays the others end to end. */
static void survey_lay_chunks(struct survey *survey)
{
    struct origin_recipe *recipe = survey->recipe;
    uint64_t shortest = origin_recipe_place(recipe, recipe->request.segment_ms);
    uint64_t n_far = 0;
    size_t n = 1;

    for (size_t i = 1; i < recipe->n_chunks; i++) {
        n_far += recipe->chunks[i].is_seekable ? 0 : 1;
    }
    bool is_far_good = n_far * survey->source->n_bytes / 2 <= SURVEY_MAX_AGAIN;
    for (size_t i = 1; i < recipe->n_chunks && !survey->is_timeless; i++) {
        struct origin_recipe_chunk *chunk = &recipe->chunks[i];
        if ((chunk->is_seekable || is_far_good) &&
            chunk->first_place + shortest <= recipe->n_places) {
            recipe->chunks[n++] = *chunk;
        }
    }
    recipe->n_chunks = n;
    for (size_t i = 0; i < n; i++) {
        uint64_t end = i + 1 < n ? recipe->chunks[i + 1].first_place : recipe->n_places;
        recipe->chunks[i].n_places = end - recipe->chunks[i].first_place;
    }
}

static void survey_done(struct survey *survey)
{
    av_packet_free(&survey->packet);
}

int origin_survey(struct origin_source *source, struct origin_recipe *recipe,
                  struct origin_step_progress *progress, struct fb_diag *diag)
{
    FB_AUTO(survey_done)
    struct survey survey = {
        .source = source,
        .recipe = recipe,
        .progress = progress,
        .reader = {.source = source},
        .timeline = {.zero_us = source->zero_us,
                     .may_jump = (source->format->iformat->flags & AVFMT_TS_DISCONT) != 0},
        .packet = origin_av_packet_new(),
        .next_sheet = 1,
        .last_us = INT64_MIN / 2,
        .lead_us = source->scan == ORIGIN_SCAN_WHOLE ? 0 : ORIGIN_PICTURE_LEAD_US,
    };
    survey_add_chunk(&survey, 0, 1); /* from the first packet */
    int err = survey_read(&survey, diag);
    survey.last_us = FB_MAX(survey.last_us, 0);
    if (err == FB_OK) {
        err = survey_count_places(&survey, diag);
    }
    if (err == FB_OK) {
        survey_judge_length(&survey);
        survey_decide(&survey, origin_step_end_us(recipe));
        err = survey_try_seeking(&survey, diag);
    }
    if (err == FB_OK) {
        survey_lay_chunks(&survey);
    }
    return err;
}
