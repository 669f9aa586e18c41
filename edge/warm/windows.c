#include "edge/warm/windows.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/zone/zone.h"

enum { DAY_MINUTES = 24 * 60, MINUTE_S = 60, LOOK_AHEAD_MINUTES = 2 * DAY_MINUTES };

static const int64_t minute_ms = 60000;

struct window {
    unsigned begin; /* minutes of the day on the wall; `end` itself is outside */
    unsigned end;   /* at most `begin`: of the next day */
    struct fb_zone *zone;
};

struct edge_windows {
    size_t n;
    struct window items[];
};

/* ---- reading -------------------------------------------------------------- */

/* Two digits, up to `max`. */
static bool read_two(struct fb_str *text, unsigned max, unsigned *ret_number)
{
    uint64_t number = 0;

    if (text->len < 2 || fb_str_to_u64(fb_str_first(*text, 2), &number) < 0 || number > max) {
        return false;
    }
    *text = fb_str_skip(*text, 2);
    *ret_number = (unsigned)number;
    return true;
}

static bool read_byte(struct fb_str *text, char byte)
{
    if (text->len == 0 || text->ptr[0] != byte) {
        return false;
    }
    *text = fb_str_skip(*text, 1);
    return true;
}

/* "02:30"; 24:00 is the end of a day. */
static bool read_minute(struct fb_str *text, unsigned *ret_minute)
{
    unsigned hour = 0;
    unsigned minute = 0;

    if (!read_two(text, 24, &hour) || !read_byte(text, ':') || !read_two(text, 59, &minute) ||
        hour * 60 + minute > DAY_MINUTES) {
        return false;
    }
    *ret_minute = hour * 60 + minute;
    return true;
}

static int window_parse(struct fb_str text, struct window *ret_window, struct fb_diag *diag)
{
    struct window window = {0};
    struct fb_str rest = fb_str_trim(text);

    if (!read_minute(&rest, &window.begin) || !read_byte(&rest, '-') ||
        !read_minute(&rest, &window.end) || !read_byte(&rest, ' ')) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'%.*s' is no window; write one like '02:00-10:00 Europe/Berlin'",
                           FB_STR_ARG(text));
    }
    if (window.begin == window.end || window.begin == DAY_MINUTES) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "the window '%.*s' is empty; a whole day is '00:00-24:00'",
                           FB_STR_ARG(text));
    }
    int err = fb_zone_open(fb_str_trim(rest), &window.zone, diag);
    if (err == FB_OK) {
        *ret_window = window;
    }
    return err;
}

int edge_windows_check(struct fb_str text, struct fb_diag *diag)
{
    struct window window = {0};

    int err = window_parse(text, &window, diag);
    fb_zone_free(window.zone);
    return err;
}

int edge_windows_parse(const struct fb_str *texts, size_t n, struct edge_windows **ret_windows,
                       struct fb_diag *diag)
{
    if (n > EDGE_WINDOWS_MAX) {
        return fb_diag_set(diag, FB_E_LIMIT, "there are more than %d windows", EDGE_WINDOWS_MAX);
    }
    struct edge_windows *windows = fb_alloc(sizeof(*windows) + n * sizeof(windows->items[0]));
    while (windows->n < n) {
        int err = window_parse(texts[windows->n], &windows->items[windows->n], diag);
        if (err < 0) {
            edge_windows_free(windows);
            return err;
        }
        windows->n++;
    }
    *ret_windows = windows;
    return FB_OK;
}

void edge_windows_free(struct edge_windows *windows)
{
    for (size_t i = 0; windows != NULL && i < windows->n; i++) {
        fb_zone_free(windows->items[i].zone);
    }
    fb_free(windows);
}

/* ---- asking --------------------------------------------------------------- */

static bool window_is_open(const struct window *window, int64_t unix_s)
{
    int64_t minutes = (unix_s + fb_zone_offset_s(window->zone, unix_s)) / MINUTE_S;
    unsigned now = (unsigned)(minutes % DAY_MINUTES);

    if (window->begin < window->end) {
        return now >= window->begin && now < window->end;
    }
    return now >= window->begin || now < window->end;
}

bool edge_windows_are_open(const struct edge_windows *windows, int64_t wall_ms)
{
    for (size_t i = 0; i < windows->n; i++) {
        if (window_is_open(&windows->items[i], wall_ms / 1000)) {
            return true;
        }
    }
    return false;
}

/* Minute by minute, because clocks that jump open and close windows too. */
int64_t edge_windows_next_change(const struct edge_windows *windows, int64_t wall_ms)
{
    bool is_open = edge_windows_are_open(windows, wall_ms);
    int64_t minute = wall_ms / minute_ms;

    for (unsigned i = 1; windows->n > 0 && i <= LOOK_AHEAD_MINUTES; i++) {
        int64_t at_ms = (minute + i) * minute_ms;
        if (edge_windows_are_open(windows, at_ms) != is_open) {
            return at_ms;
        }
    }
    return 0;
}
