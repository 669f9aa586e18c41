#include "edge/views/beacon.h"

#include "base/core/err.h"
#include "base/json/json.h"

#include <string.h>

enum { BEACON_VERSION = 1, BEACON_EVENT_MAX = 32 };

/* A day of playing is no session, and sums of what is said stay far from 2^64. */
#define BEACON_MS_MAX INT64_C(86400000)

static enum edge_beacon_event beacon_event(struct fb_str name)
{
    static const struct fb_str names[] = {
        [EDGE_BEACON_START] = FB_STR("start"),
        [EDGE_BEACON_PROGRESS] = FB_STR("progress"),
        [EDGE_BEACON_STALL] = FB_STR("stall"),
        [EDGE_BEACON_END] = FB_STR("end"),
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(names); i++) {
        if (fb_str_equal(name, names[i])) {
            return (enum edge_beacon_event)i;
        }
    }
    return EDGE_BEACON_OTHER;
}

static bool beacon_says(const struct fb_json *root, const char *name)
{
    return fb_json_type(fb_json_find(root, name)) > FB_JSON_NULL;
}

/* What may be left out; players make fractions of milliseconds. */
static int beacon_number(const struct fb_json *root, const char *name, uint64_t *ret_number,
                         struct fb_diag *diag)
{
    const struct fb_json *member = fb_json_find(root, name);
    enum fb_json_type type = fb_json_type(member);
    double number = fb_json_real(member, 0);

    if (!beacon_says(root, name)) {
        return FB_OK;
    }
    if ((type != FB_JSON_INT && type != FB_JSON_REAL) ||
        !(number >= 0 && number <= (double)BEACON_MS_MAX)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' is no number from 0 to a day", name);
    }
    *ret_number = (uint64_t)number;
    return FB_OK;
}

/* A name of printable ASCII: it may come to stand in a table far from here. */
static int beacon_name(const struct fb_json *root, const char *name, size_t max, struct fb_str *ret,
                       struct fb_diag *diag)
{
    struct fb_str text = FB_STR_NONE;
    int err = fb_json_read_str(root, name, max, &text, diag);

    if (err < 0) {
        return err == FB_E_NOT_FOUND ? FB_E_MALFORMED : err;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~') {
            return fb_diag_set(diag, FB_E_MALFORMED, "'%s' has a byte that is not allowed", name);
        }
    }
    if (text.len == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' is empty", name);
    }
    *ret = text;
    return FB_OK;
}

static uint8_t beacon_copy(char *to, struct fb_str name)
{
    if (name.len > 0) {
        memcpy(to, name.ptr, name.len);
    }
    return (uint8_t)name.len;
}

static int beacon_read_names(const struct fb_json *root, struct edge_beacon *beacon,
                             struct fb_diag *diag)
{
    struct fb_str sid = FB_STR_NONE;
    struct fb_str video = FB_STR_NONE;
    struct fb_str event = FB_STR_NONE;
    int64_t version = 0;

    int err = fb_json_read_int(root, "v", BEACON_VERSION, BEACON_VERSION, &version, diag);
    if (err == FB_OK) {
        err = beacon_name(root, "sid", sizeof(beacon->sid), &sid, diag);
    }
    if (err == FB_OK) {
        err = beacon_name(root, "video", sizeof(beacon->video), &video, diag);
    }
    if (err == FB_OK) {
        err = beacon_name(root, "event", BEACON_EVENT_MAX, &event, diag);
    }
    if (err < 0) {
        return err;
    }
    beacon->event = beacon_event(event);
    beacon->sid_len = beacon_copy(beacon->sid, sid);
    beacon->video_len = beacon_copy(beacon->video, video);
    return FB_OK;
}

static int beacon_read_numbers(const struct fb_json *root, struct edge_beacon *beacon,
                               struct fb_diag *diag)
{
    uint64_t position_ms = 0; /* checked, and of no use here */
    uint64_t stalls = 0;

    int err = beacon_number(root, "watch_ms", &beacon->watch_ms, diag);
    if (err == FB_OK) {
        err = beacon_number(root, "duration_ms", &beacon->duration_ms, diag);
    }
    if (err == FB_OK) {
        err = beacon_number(root, "position_ms", &position_ms, diag);
    }
    if (err == FB_OK) {
        err = beacon_number(root, "startup_ms", &beacon->startup_ms, diag);
    }
    if (err == FB_OK) {
        err = beacon_number(root, "stall_ms", &beacon->stall_ms, diag);
    }
    if (err == FB_OK) {
        err = beacon_number(root, "stalls", &stalls, diag);
    }
    beacon->stalls = (uint32_t)stalls;
    beacon->has_watch = beacon_says(root, "watch_ms");
    beacon->has_startup = beacon_says(root, "startup_ms");
    return err;
}

int edge_beacon_parse(struct fb_str body, struct edge_beacon *ret_beacon, struct fb_diag *diag)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = NULL;
    struct edge_beacon beacon = {.source = FB_VIEW_OTHER};

    int err = fb_json_parse(body, EDGE_BEACON_MAX, &root, diag);
    if (err == FB_OK && fb_json_type(root) != FB_JSON_OBJECT) {
        err = fb_diag_set(diag, FB_E_MALFORMED, "a beacon is an object");
    }
    if (err == FB_OK) {
        err = beacon_read_names(root, &beacon, diag);
    }
    if (err == FB_OK) {
        err = beacon_read_numbers(root, &beacon, diag);
    }
    if (err < 0) {
        return err;
    }
    struct fb_str source = fb_json_str(fb_json_find(root, "source"));
    beacon.has_source = source.ptr != NULL;
    if (beacon.has_source) {
        beacon.source = fb_view_source_from(source);
    }
    *ret_beacon = beacon;
    return FB_OK;
}
