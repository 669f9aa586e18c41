#include "origin/trending/field.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/map.h"

#include <string.h>

static const int64_t hour_ms = 3600000;

/* ---- names ------------------------------------------------------------------------- */

static void names_init(struct origin_names *names, uint64_t seed)
{
    names->numbers = fb_map_new(seed);
    names->names[0] = fb_str_dup(FB_STR(""));
    names->n = 1;
}

static void names_done(struct origin_names *names)
{
    for (size_t i = 0; i < names->n; i++) {
        fb_free(names->names[i]);
    }
    fb_map_free(names->numbers);
}

uint16_t origin_names_number(struct origin_names *names, struct fb_str name)
{
    if (name.len == 0) {
        return 0;
    }
    char **found = fb_map_find(names->numbers, name);
    if (found != NULL) {
        return (uint16_t)(found - names->names);
    }
    if (names->n > ORIGIN_FIELD_NAMES) {
        return 0;
    }
    names->names[names->n] = fb_str_dup(name);
    (void)fb_map_put(names->numbers, name, &names->names[names->n]);
    return (uint16_t)names->n++;
}

/* ---- videos ------------------------------------------------------------------------ */

struct origin_field *origin_field_new(size_t max_videos, uint64_t seed)
{
    struct origin_field *field = FB_NEW(struct origin_field);

    field->max_videos = max_videos;
    field->by_id = fb_map_new(seed);
    names_init(&field->regions, seed);
    names_init(&field->categories, seed);
    return field;
}

static void video_free(struct origin_field_video *video)
{
    for (size_t i = 0; i < video->n_regions; i++) {
        origin_series_done(&video->regions[i].series);
    }
    fb_free(video->regions);
    fb_free(video->hours);
    fb_free(video);
}

void origin_field_free(struct origin_field *field)
{
    if (field == NULL) {
        return;
    }
    for (size_t i = 0; i < field->n; i++) {
        video_free(field->videos[i]);
    }
    fb_free(field->videos);
    fb_map_free(field->by_id);
    names_done(&field->regions);
    names_done(&field->categories);
    fb_free(field);
}

struct origin_field_video *origin_field_find(const struct origin_field *field,
                                             const struct origin_id *id)
{
    return fb_map_find(field->by_id, origin_id_str(id));
}

struct origin_field_video *origin_field_enter(struct origin_field *field,
                                              const struct origin_id *id)
{
    struct origin_field_video *video = origin_field_find(field, id);

    if (video != NULL || field->n == field->max_videos) {
        return video;
    }
    if ((field->n & (field->n - 1)) == 0) { /* a power of two, or none: it is full */
        field->videos = fb_realloc(field->videos, FB_MAX(field->n * 2, (size_t)1) *
                                                      sizeof(struct origin_field_video *));
    }
    video = FB_NEW(struct origin_field_video);
    video->id = *id;
    video->place = (uint32_t)field->n;
    field->videos[field->n++] = video;
    (void)fb_map_put(field->by_id, origin_id_str(id), video);
    return video;
}

void origin_field_remove(struct origin_field *field, struct origin_field_video *video)
{
    struct origin_field_video *last = field->videos[field->n - 1];

    (void)fb_map_remove(field->by_id, origin_id_str(&video->id));
    last->place = video->place;
    field->videos[video->place] = last;
    field->n--;
    if (field->n > 0 && (field->n & (field->n - 1)) == 0) {
        field->videos = fb_realloc(field->videos, field->n * sizeof(struct origin_field_video *));
    }
    video_free(video);
}

struct origin_series *origin_field_series(struct origin_field *field,
                                          struct origin_field_video *video, struct fb_str region)
{
    uint16_t number = origin_names_number(&field->regions, region);

    for (size_t i = 0; i < video->n_regions; i++) {
        if (video->regions[i].region == number) {
            return &video->regions[i].series;
        }
    }
    video->regions = fb_realloc(video->regions, (video->n_regions + 1) * sizeof(*video->regions));
    struct origin_field_region *added = &video->regions[video->n_regions++];
    *added = (struct origin_field_region){.region = number};
    return &added->series;
}

/* ---- likes and shares -------------------------------------------------------------- */

void origin_field_forget_hours(struct origin_field *field, int32_t since_hour)
{
    for (size_t i = 0; i < field->n; i++) {
        struct origin_field_video *video = field->videos[i];
        size_t n = 0;
        for (size_t j = 0; j < video->n_hours; j++) {
            if (video->hours[j].hour < since_hour) {
                video->hours[n++] = video->hours[j];
            }
        }
        video->n_hours = n;
    }
}

void origin_field_add_hour(struct origin_field_video *video, const struct origin_field_hour *hour)
{
    for (size_t i = 0; i < video->n_hours; i++) {
        if (video->hours[i].hour == hour->hour) {
            video->hours[i].likes += hour->likes;
            video->hours[i].shares += hour->shares;
            return;
        }
    }
    video->hours = fb_realloc(video->hours, (video->n_hours + 1) * sizeof(*video->hours));
    video->hours[video->n_hours++] = *hour;
}

/* ---- rounds ------------------------------------------------------------------------ */

static bool video_age(struct origin_field_video *video, int64_t now_ms)
{
    int32_t first = (int32_t)((now_ms - ORIGIN_TRENDING_KEPT_MS) / hour_ms);
    size_t n = 0;

    for (size_t i = 0; i < video->n_regions; i++) {
        struct origin_field_region *region = &video->regions[i];
        if (origin_series_age(&region->series, now_ms)) {
            video->regions[n++] = *region;
        } else {
            origin_series_done(&region->series);
        }
    }
    video->n_regions = n;
    n = 0;
    for (size_t i = 0; i < video->n_hours; i++) {
        if (video->hours[i].hour >= first) {
            video->hours[n++] = video->hours[i];
        }
    }
    video->n_hours = n;
    return video->n_regions > 0 || video->n_hours > 0;
}

void origin_field_age(struct origin_field *field, int64_t now_ms)
{
    for (size_t i = field->n; i-- > 0;) {
        if (!video_age(field->videos[i], now_ms)) {
            origin_field_remove(field, field->videos[i]);
        }
    }
}

static void sum_hours(const struct origin_field_video *video, const struct origin_fades *fades,
                      struct origin_score_sums sums[ORIGIN_TRENDING_N_WINDOWS])
{
    for (size_t i = 0; i < video->n_hours; i++) {
        const struct origin_field_hour *hour = &video->hours[i];
        int64_t age_ms = fades->now_ms - ((int64_t)hour->hour * hour_ms + hour_ms / 2);
        for (size_t w = 0; w < ORIGIN_TRENDING_N_WINDOWS; w++) {
            enum origin_trending_window window = (enum origin_trending_window)w;
            if (age_ms - hour_ms / 2 < origin_trending_window_ms(window)) {
                double fade = origin_score_fade(fades->rules, window, age_ms);
                sums[w].likes += (double)hour->likes * fade;
                sums[w].shares += (double)hour->shares * fade;
            }
        }
    }
}

static void add_sums(struct origin_score_sums *into, const struct origin_score_sums *sums)
{
    into->views += sums->views;
    into->ends += sums->ends;
    into->fresh += sums->fresh;
    into->before += sums->before;
}

static void video_score(struct origin_field_video *video, const struct origin_fades *fades)
{
    struct origin_score_sums all[ORIGIN_TRENDING_N_WINDOWS] = {0};

    sum_hours(video, fades, all);
    for (size_t i = 0; i < video->n_regions; i++) {
        struct origin_score_sums sums[ORIGIN_TRENDING_N_WINDOWS] = {0};
        origin_series_sum(&video->regions[i].series, fades, sums);
        for (size_t w = 0; w < ORIGIN_TRENDING_N_WINDOWS; w++) {
            add_sums(&all[w], &sums[w]);
            /* Likes and shares bear no region: they count where it is watched. */
            sums[w].likes = sums[w].views > 0 ? all[w].likes : 0;
            sums[w].shares = sums[w].views > 0 ? all[w].shares : 0;
            video->regions[i].totals[w] =
                origin_score_of(fades->rules, (enum origin_trending_window)w, &sums[w]).total;
        }
    }
    for (size_t w = 0; w < ORIGIN_TRENDING_N_WINDOWS; w++) {
        video->scores[w] = origin_score_of(fades->rules, (enum origin_trending_window)w, &all[w]);
    }
}

void origin_field_score(struct origin_field *field, const struct origin_score_rules *rules,
                        int64_t now_ms)
{
    struct origin_fades *fades = FB_NEW(struct origin_fades);

    origin_fades_init(fades, rules, now_ms);
    for (size_t i = 0; i < field->n; i++) {
        video_score(field->videos[i], fades);
    }
    fb_free(fades);
}
