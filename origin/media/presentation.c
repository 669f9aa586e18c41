#include "origin/media/presentation.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "origin/model/text.h"

#include <stdio.h>
#include <string.h>

enum { BITS = 8, MS_PER_S = 1000, SEGMENTS_FIRST = 16, NUMBER_MAX = 4 /* " 33" */ };

void origin_track_add(struct origin_track *track, const struct origin_segment *segment)
{
    size_t n = track->n_segments;
    bool is_full = n == 0 || (n >= SEGMENTS_FIRST && (n & (n - 1)) == 0);
    if (is_full) {
        size_t room = FB_MAX(n * 2, (size_t)SEGMENTS_FIRST);
        track->segments = fb_realloc(track->segments, room * sizeof(*track->segments));
    }
    track->segments[n] = *segment;
    track->n_segments = n + 1;
}

void origin_track_done(struct origin_track *track)
{
    fb_free(track->segments);
    *track = (struct origin_track){0};
}

static bool name_is_taken(const struct origin_track *tracks, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(tracks[i].name, tracks[index].name) == 0) {
            return true;
        }
    }
    return false;
}

void origin_tracks_name_apart(struct origin_track *tracks, size_t n_tracks)
{
    char name[ORIGIN_TRACK_NAME_MAX - NUMBER_MAX];

    for (size_t i = 0; i < n_tracks; i++) {
        origin_text_clean(fb_str_from(tracks[i].name), name, sizeof(name));
        for (size_t number = 2; name_is_taken(tracks, i) && number <= n_tracks + 1; number++) {
            (void)snprintf(tracks[i].name, sizeof(tracks[i].name), "%s %zu", name, number);
        }
    }
}

bool origin_track_is_text(const struct origin_track *track)
{
    return strncmp(track->path, "t/", 2) == 0;
}

uint64_t origin_track_duration(const struct origin_track *track)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < track->n_segments; i++) {
        sum += track->segments[i].duration;
    }
    return sum;
}

uint64_t origin_track_duration_ms(const struct origin_track *track)
{
    uint64_t duration = origin_track_duration(track);
    return (duration * MS_PER_S + track->timescale / 2) / track->timescale;
}

uint64_t origin_track_rate(const struct origin_track *track, uint64_t bytes, uint64_t duration)
{
    return duration == 0 ? 0 : (bytes * BITS * track->timescale + duration - 1) / duration;
}

uint64_t origin_track_average_rate(const struct origin_track *track)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < track->n_segments; i++) {
        bytes += track->segments[i].bytes;
    }
    return origin_track_rate(track, bytes, origin_track_duration(track));
}

uint64_t origin_track_peak_rate(const struct origin_track *track, unsigned target_s)
{
    uint64_t target = (uint64_t)target_s * track->timescale;
    uint64_t peak = 0;

    for (size_t first = 0; first < track->n_segments; first++) {
        uint64_t bytes = 0;
        uint64_t duration = 0;
        for (size_t i = first; i < track->n_segments; i++) {
            bytes += track->segments[i].bytes;
            duration += track->segments[i].duration;
            if (duration * 2 > target * 3) {
                break;
            }
            if (duration * 2 >= target) {
                peak = FB_MAX(peak, origin_track_rate(track, bytes, duration));
            }
        }
    }
    /* A video shorter than half a target has no such stretch. */
    return peak > 0 ? peak : origin_track_average_rate(track);
}

unsigned origin_track_target_s(const struct origin_track *track)
{
    uint64_t longest = 0;
    for (size_t i = 0; i < track->n_segments; i++) {
        longest = FB_MAX(longest, track->segments[i].duration);
    }
    uint64_t rounded = (longest * 2 + track->timescale) / (2ULL * track->timescale);
    return (unsigned)FB_MAX(rounded, 1U);
}
