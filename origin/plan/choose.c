#include "origin/plan/choose.h"

#include "base/core/alloc.h"
#include "base/core/err.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The share of viewers that a track of sound has which is not the first. */
#define OTHER_SOUND 0.1

struct candidate {
    char *path; /* owned; as edges are asked for it */
    uint64_t size;
    double requests;
    const char *reason; /* for ever */
    uint8_t sha256[FB_SHA256_SIZE];
    bool is_now;
};

struct origin_chooser {
    struct origin_chooser_options options;
    struct candidate *candidates; /* owned */
    size_t n;
    size_t room; /* of candidates: twice the most that are wanted */
};

struct origin_chooser *origin_chooser_new(const struct origin_chooser_options *options)
{
    struct origin_chooser *chooser = FB_NEW(struct origin_chooser);

    chooser->options = *options;
    chooser->room = 2 * options->max_entries + 1;
    chooser->candidates = fb_alloc(chooser->room * sizeof(*chooser->candidates));
    return chooser;
}

static void chooser_cut(struct origin_chooser *chooser, size_t n)
{
    while (chooser->n > n) {
        fb_free(chooser->candidates[--chooser->n].path);
    }
}

void origin_chooser_free(struct origin_chooser *chooser)
{
    if (chooser != NULL) {
        chooser_cut(chooser, 0);
        fb_free(chooser->candidates);
        fb_free(chooser);
    }
}

/* ---- how often a file is asked for --------------------------------------------------- */

struct place {
    struct fb_str folder; /* "720p" of "v/720p/seg-00001.m4s" */
    double at_s;          /* where in the video it begins */
};

/* "init.mp4" or "seg-00001.m4s", numbered from 1. */
static bool name_parse(struct fb_str name, double segment_s, double *ret_at_s)
{
    struct fb_str begin = FB_STR("seg-");
    struct fb_str end = FB_STR(".m4s");
    uint64_t number = 0;

    if (fb_str_equal(name, FB_STR("init.mp4"))) {
        *ret_at_s = 0;
        return true;
    }
    if (!fb_str_starts_with(name, begin) || !fb_str_ends_with(name, end) ||
        name.len <= begin.len + end.len) {
        return false;
    }
    struct fb_str digits = fb_str_skip(fb_str_first(name, name.len - end.len), begin.len);
    if (fb_str_to_u64(digits, &number) < 0 || number == 0) {
        return false;
    }
    *ret_at_s = (double)(number - 1) * segment_s;
    return true;
}

static bool path_parse(struct fb_str path, double segment_s, struct place *ret_place)
{
    struct fb_str rest = fb_str_skip(path, 2); /* "v/" */
    size_t slash = fb_str_find(rest, '/');
    struct place place = {.folder = fb_str_first(rest, slash)};

    if (slash >= rest.len || !name_parse(fb_str_skip(rest, slash + 1), segment_s, &place.at_s)) {
        return false;
    }
    *ret_place = place;
    return true;
}

static double share_of(const struct origin_plan_video *video, struct fb_str rendition)
{
    if (video->n_shares == 0) {
        return 1;
    }
    for (size_t i = 0; i < video->n_shares; i++) {
        if (fb_str_equal(fb_str_from(video->shares[i].rendition), rendition)) {
            return video->shares[i].share;
        }
    }
    return 0;
}

/* Below 0: the file is not one that can be kept ahead. */
static double requests_of(const struct origin_plan_video *video, struct fb_str path,
                          double *ret_at_s)
{
    struct place place = {.at_s = 0};
    double share = 1;

    if (fb_str_equal(path, FB_STR("poster.jpg"))) {
        *ret_at_s = 0;
        return video->views;
    }
    bool is_video = fb_str_starts_with(path, FB_STR("v/"));
    if ((!is_video && !fb_str_starts_with(path, FB_STR("a/"))) ||
        !path_parse(path, video->segment_s, &place)) {
        return -1;
    }
    if (is_video) {
        share = share_of(video, place.folder);
    } else if (!fb_str_equal(place.folder, FB_STR("0"))) {
        share = OTHER_SOUND;
    }
    *ret_at_s = place.at_s;
    return video->views * share * exp(-place.at_s / video->average_s);
}

/* ---- the best ---------------------------------------------------------------------------- */

static int compare(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;

    if (a->is_now != b->is_now) {
        return a->is_now ? -1 : 1;
    }
    if (a->requests > b->requests || a->requests < b->requests) {
        return a->requests > b->requests ? -1 : 1;
    }
    return strcmp(a->path, b->path);
}

static void chooser_sort(struct origin_chooser *chooser)
{
    qsort(chooser->candidates, chooser->n, sizeof(*chooser->candidates), compare);
}

void origin_chooser_add(struct origin_chooser *chooser, const struct origin_plan_video *video,
                        const struct origin_plan_file *file)
{
    double at_s = 0;
    double requests = requests_of(video, file->path, &at_s);
    FB_AUTO(fb_buf_done) struct fb_buf path = {0};

    if (requests < chooser->options.least || file->size == 0) {
        return;
    }
    if (chooser->n == chooser->room) {
        chooser_sort(chooser);
        chooser_cut(chooser, chooser->options.max_entries);
    }
    fb_buf_printf(&path, "/media/%s/%.*s/%.*s", file->video.text, FB_STR_ARG(file->version),
                  FB_STR_ARG(file->path));
    struct candidate *candidate = &chooser->candidates[chooser->n++];
    *candidate = (struct candidate){
        .path = fb_str_dup(fb_buf_str(&path)),
        .size = file->size,
        .requests = requests,
        .reason = video->reason,
        .is_now = video->is_now && at_s < (double)ORIGIN_PLAN_NOW_S,
    };
    memcpy(candidate->sha256, file->sha256, sizeof(candidate->sha256));
}

static int candidate_put(const struct candidate *candidate, struct fb_plan_draft *draft)
{
    double value = -expm1(-candidate->requests) * (double)candidate->size;
    struct fb_plan_entry entry = {
        .path = fb_str_from(candidate->path),
        .size = candidate->size,
        .value = (uint64_t)value,
        .reason = fb_str_from(candidate->reason),
        .is_now = candidate->is_now,
    };

    memcpy(entry.sha256, candidate->sha256, sizeof(entry.sha256));
    return fb_plan_add(draft, &entry);
}

int origin_chooser_finish(struct origin_chooser *chooser, struct fb_plan_draft *draft)
{
    uint64_t left = chooser->options.max_bytes;
    size_t n = 0;

    chooser_sort(chooser);
    for (size_t i = 0; i < chooser->n && n < chooser->options.max_entries; i++) {
        const struct candidate *candidate = &chooser->candidates[i];
        if (candidate->size <= left) {
            int err = candidate_put(candidate, draft);
            if (err < 0) {
                return err == FB_E_LIMIT ? FB_OK : err; /* as many as a plan bears */
            }
            left -= candidate->size;
            n++;
        }
    }
    return FB_OK;
}
