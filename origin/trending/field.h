/*
 * The field: all videos that are looked at closely, with what was done with each.
 *
 * Ownership  new → free. Videos are the field's, at one place until they are removed.
 * Threads    One at a time.
 * Limits     `max_videos`; ORIGIN_FIELD_NAMES names of regions and of categories: what comes with
 *            further ones has none.
 */
#pragma once

#include "base/core/str.h"
#include "origin/model/id.h"
#include "origin/trending/series.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_map;

enum { ORIGIN_FIELD_NAMES = 255 };

/* Names that are numbers here; 0 is the empty one. */
struct origin_names {
    struct fb_map *numbers;              /* owned */
    char *names[ORIGIN_FIELD_NAMES + 1]; /* owned */
    size_t n;
};

uint16_t origin_names_number(struct origin_names *names, struct fb_str name);

/* One region of a video. */
struct origin_field_region {
    uint16_t region;
    struct origin_series series;
    double totals[ORIGIN_TRENDING_N_WINDOWS]; /* of origin_field_score() */
};

/* What an hour of a video weighs, of likes and shares. */
struct origin_field_hour {
    int32_t hour;
    float likes;
    float shares;
};

struct origin_field_video {
    struct origin_id id;
    uint32_t place;                      /* in field->videos */
    struct origin_field_region *regions; /* owned */
    size_t n_regions;
    struct origin_field_hour *hours; /* owned, in no order */
    size_t n_hours;
    struct origin_score scores[ORIGIN_TRENDING_N_WINDOWS]; /* of origin_field_score() */

    /* Its user's. */
    int64_t seq;         /* 0: not known */
    uint64_t read_round; /* when the catalog was last asked; 0: never */
    bool is_shown;
    bool is_changed; /* views came since the last round */
    uint16_t category;
    struct origin_id owner;
};

struct origin_field {
    struct origin_field_video **videos; /* owned, in no order */
    size_t n;
    size_t max_videos;
    struct fb_map *by_id; /* owned */
    struct origin_names regions;
    struct origin_names categories;
};

struct origin_field *origin_field_new(size_t max_videos, uint64_t seed);
void origin_field_free(struct origin_field *field);

/* NULL if it is not there. */
struct origin_field_video *origin_field_find(const struct origin_field *field,
                                             const struct origin_id *id);

/* The same, entered if it is not there; NULL if there is no room. */
struct origin_field_video *origin_field_enter(struct origin_field *field,
                                              const struct origin_id *id);

void origin_field_remove(struct origin_field *field, struct origin_field_video *video);

/* The series of a region, made if there is none. Good until the video is given another region. */
struct origin_series *origin_field_series(struct origin_field *field,
                                          struct origin_field_video *video, struct fb_str region);

/* Forgets the likes and shares of hours from `since_hour` on: they are told anew. */
void origin_field_forget_hours(struct origin_field *field, int32_t since_hour);

/* Adds to an hour. */
void origin_field_add_hour(struct origin_field_video *video, const struct origin_field_hour *hour);

/* Drops what is too old, and videos of which nothing is left. */
void origin_field_age(struct origin_field *field, int64_t now_ms);

/* Writes all scores. */
void origin_field_score(struct origin_field *field, const struct origin_score_rules *rules,
                        int64_t now_ms);
