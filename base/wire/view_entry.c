#include "base/wire/view_entry.h"

#include "base/sketch/hyperloglog.h"
#include "base/wire/view_internal.h"

#include <stddef.h>
#include <string.h>

static const uint64_t startup_bounds_ms[FB_VIEW_STARTUP_N] = {100,  200,  400,  800,
                                                              1600, 3200, 6400, 0};

static const char *const reason_names[FB_VIEW_REASONS_N] = {
    [FB_VIEW_TOO_SHORT] = "too-short", [FB_VIEW_DUPLICATE] = "duplicate", [FB_VIEW_BOT] = "bot",
    [FB_VIEW_RATE] = "rate",           [FB_VIEW_NO_MEDIA] = "no-media",
};

static const char *const source_names[FB_VIEW_SOURCES_N] = {
    [FB_VIEW_FEED] = "feed",   [FB_VIEW_SEARCH] = "search",     [FB_VIEW_TRENDING] = "trending",
    [FB_VIEW_SHARE] = "share", [FB_VIEW_EXTERNAL] = "external", [FB_VIEW_OTHER] = "other",
};

#define NUMBER(member)       offsetof(struct fb_view_entry, member)
#define NUMBER_AT(member, i) (NUMBER(member) + (i) * sizeof(uint64_t))

const size_t fb_view_entry_numbers[FB_VIEW_NUMBERS_N] = {
    NUMBER(views),
    NUMBER(capped),
    NUMBER(sessions),
    NUMBER(watch_ms),
    NUMBER(ends),
    NUMBER(stalls),
    NUMBER(stall_ms),
    NUMBER(bytes),
    NUMBER(bytes_missed),
    NUMBER(startups),
    NUMBER_AT(startup, 0),
    NUMBER_AT(startup, 1),
    NUMBER_AT(startup, 2),
    NUMBER_AT(startup, 3),
    NUMBER_AT(startup, 4),
    NUMBER_AT(startup, 5),
    NUMBER_AT(startup, 6),
    NUMBER_AT(startup, 7),
    NUMBER_AT(uncounted, 0),
    NUMBER_AT(uncounted, 1),
    NUMBER_AT(uncounted, 2),
    NUMBER_AT(uncounted, 3),
    NUMBER_AT(uncounted, 4),
    NUMBER_AT(sources, 0),
    NUMBER_AT(sources, 1),
    NUMBER_AT(sources, 2),
    NUMBER_AT(sources, 3),
    NUMBER_AT(sources, 4),
    NUMBER_AT(sources, 5),
};

_Static_assert(FB_VIEW_NUMBERS_N ==
                   10 + FB_VIEW_STARTUP_N + (int)FB_VIEW_REASONS_N + (int)FB_VIEW_SOURCES_N,
               "every number has a column");

uint64_t *fb_view_entry_number(struct fb_view_entry *entry, size_t column)
{
    return (uint64_t *)(void *)((char *)entry + fb_view_entry_numbers[column]);
}

static uint64_t entry_number(const struct fb_view_entry *entry, size_t column)
{
    uint64_t number = 0;
    memcpy(&number, (const char *)entry + fb_view_entry_numbers[column], sizeof(number));
    return number;
}

uint64_t fb_view_sum(uint64_t a, uint64_t b)
{
    uint64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

void fb_view_entry_done(struct fb_view_entry *entry)
{
    fb_hyperloglog_free(entry->viewers);
    fb_hyperloglog_free(entry->networks);
    *entry = (struct fb_view_entry){0};
}

static void entry_unite(struct fb_hyperloglog **into, const struct fb_hyperloglog *from)
{
    if (from == NULL) {
        return;
    }
    if (*into == NULL) {
        *into = fb_hyperloglog_copy(from);
    } else {
        fb_hyperloglog_merge(*into, from);
    }
}

void fb_view_entry_merge(struct fb_view_entry *into, const struct fb_view_entry *from)
{
    for (size_t i = 0; i < FB_VIEW_NUMBERS_N; i++) {
        uint64_t *number = fb_view_entry_number(into, i);
        *number = fb_view_sum(*number, entry_number(from, i));
    }
    entry_unite(&into->viewers, from->viewers);
    entry_unite(&into->networks, from->networks);
}

bool fb_view_entry_is_empty(const struct fb_view_entry *entry)
{
    uint64_t any = 0;

    for (size_t i = 0; i < FB_VIEW_NUMBERS_N; i++) {
        any |= entry_number(entry, i);
    }
    return any == 0 && fb_hyperloglog_is_empty(entry->viewers) &&
           fb_hyperloglog_is_empty(entry->networks);
}

unsigned fb_view_startup_bucket(uint64_t ms)
{
    unsigned bucket = 0;

    while (bucket < FB_VIEW_STARTUP_N - 1 && ms >= startup_bounds_ms[bucket]) {
        bucket++;
    }
    return bucket;
}

uint64_t fb_view_startup_bound_ms(unsigned bucket)
{
    return startup_bounds_ms[bucket];
}

const char *fb_view_reason_name(enum fb_view_reason reason)
{
    return reason_names[reason];
}

const char *fb_view_source_name(enum fb_view_source source)
{
    return source_names[source];
}

enum fb_view_source fb_view_source_from(struct fb_str name)
{
    for (unsigned i = 0; i < FB_VIEW_SOURCES_N; i++) {
        if (fb_str_equal(name, fb_str_from(source_names[i]))) {
            return (enum fb_view_source)i;
        }
    }
    return FB_VIEW_OTHER;
}
