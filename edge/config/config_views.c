#include "base/core/err.h"
#include "base/regex/regex.h"
#include "base/sys/file.h"
#include "edge/config/config_internal.h"
#include "edge/views/pattern.h"
#include "edge/views/views.h"

enum { VIEWS_KEY_MIN = 16, VIEWS_KEY_MAX = 4096 };

#define AT(member) offsetof(struct edge_conf_views, member)

static int conf_check_views(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_views *views = conf;

    if (views->key.ptr != NULL && views->key_file.ptr != NULL) {
        return fb_diag_set(diag, FB_E_MALFORMED, "either 'key' or 'key_file' is expected");
    }
    return FB_OK;
}

static int conf_check_beacon(struct fb_str value, struct fb_diag *diag)
{
    return value.len == 0 || fb_str_starts_with(value, FB_STR("/"))
               ? FB_OK
               : fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' is no path", FB_STR_ARG(value));
}

static const struct fb_conf_item views_items[] = {
    {"enabled", FB_CONF_BOOL, AT(enabled), .preset = "false",
     .help = "Whether views are counted at all."},
    {"paths", FB_CONF_STRINGS, AT(paths), .min = 1, .max = 32, .check = edge_pattern_check,
     .preset = "[\"/media/{video}/{version}/v/{rendition}/seg-{number}.m4s\"]",
     .help = "Which paths are segments of video: a name in braces stands for a part of one segment "
             "of the path, `{number}` for digits. `{video}`, `{rendition}`, and `{number}` or "
             "`{segment}` are taken out."},
    {"audio", FB_CONF_STRINGS, AT(audio), .max = 32, .check = edge_pattern_check,
     .preset = "[\"/media/{video}/{version}/a/{rendition}/seg-{number}.m4s\"]",
     .help = "Which are segments of sound beside video: their bytes are counted."},
    {"manifests", FB_CONF_STRINGS, AT(manifests), .max = 32, .check = edge_pattern_check,
     .preset = "[\"/media/{video}/{version}/master.m3u8\", "
               "\"/media/{video}/{version}/manifest.mpd\", "
               "\"/media/{video}/{version}/ondemand.mpd\", "
               "\"/media/{video}/{version}/{kind}/{track}/index.m3u8\"]",
     .help = "Which are playlists and manifests: who fetches nothing else is `no-media`."},
    {"beacon", FB_CONF_STRING, AT(beacon), .max = 256, .check = conf_check_beacon,
     .preset = "/beacon", .help = "Where players send beacons, with POST; empty: nowhere."},
    {"beacon_rate", FB_CONF_INT, AT(beacon_rate), .min = 0, .max = 100000, .preset = "20",
     .help = "Beacons a second of one client, and five times as many at once; 0: no bound."},
    {"segment", FB_CONF_DURATION, AT(segment), .min = 100, .max = 60000, .preset = "4s",
     .help = "What a segment plays, where the player does not say (CMCD `d`)."},
    {"least", FB_CONF_DURATION, AT(least), .min = 1000, .max = 600000, .preset = "10s",
     .help = "Watched, that makes a view."},
    {"share", FB_CONF_INT, AT(share), .min = 1, .max = 100, .preset = "50",
     .help = "Or so many percent of a shorter video, whose duration a beacon tells."},
    {"again", FB_CONF_DURATION, AT(again), .min = 0, .max = 21600000, .preset = "30m",
     .help = "Until the same viewer is counted again for a video; 0: each time."},
    {"idle", FB_CONF_DURATION, AT(idle), .min = 5000, .max = 600000, .preset = "60s",
     .help = "Without a request or beacon, that ends a session whose player has nothing ahead."},
    {"starts", FB_CONF_INT, AT(starts), .min = 0, .max = 1000000000, .preset = "300",
     .help = "Sessions of one video that one network (24 bits of IPv4, 48 of IPv6) may begin in a "
             "minute; further ones do not count; 0: no bound."},
    {"sessions", FB_CONF_INT, AT(sessions), .min = 1, .max = 10000000, .preset = "200000",
     .help = "Sessions at once, of about 1 KiB each with what is remembered of their viewers; "
             "further ones end the oldest."},
    {"every", FB_CONF_DURATION, AT(every), .min = 0, .max = 60000, .preset = "20s",
     .help = "What is counted goes to the reports so often, also in the midst of its minute, which "
             "is then told of in several entries; 0: once its minute is over."},
    {"bots", FB_CONF_STRINGS, AT(bots), .max = 64, .check = fb_regex_check,
     .preset = "[\"(?i)bot\\\\b|crawl|spider|slurp|preview|monitor\", "
               "\"(?i)^(curl|wget|python|scrapy|go-http-client|libwww|java/|ruby)\"]",
     .help = "Regular expressions of agents that are no viewers."},
    {"key", FB_CONF_STRING, AT(key), .min = VIEWS_KEY_MIN, .max = 1024, .is_secret = true,
     .help =
         "A secret that all nodes share, so that a viewer whom two of them saw is one in the "
         "estimate of viewers. Unset: drawn at the start, and each node's viewers are its own."},
    {"key_file", FB_CONF_PATH, AT(key_file), .probe = edge_conf_probe_read,
     .help = "A file whose first line is the `key`, of 16 bytes or more."},
    {0},
};

const struct fb_conf_section edge_conf_views_section = {
    .name = "views",
    .help = "What of requests and beacons counts as a view ([views.md](views.md)). A change needs "
            "a restart.",
    .size = sizeof(struct edge_conf_views),
    .items = views_items,
    .check = conf_check_views,
};

static int views_read_key(const struct edge_conf_views *views, struct fb_buf *buf,
                          struct fb_str *ret_key, struct fb_diag *diag)
{
    if (views->key_file.ptr == NULL) {
        *ret_key = views->key;
        return FB_OK;
    }
    int err = fb_file_read_path(views->key_file.ptr, VIEWS_KEY_MAX, buf, diag);
    if (err < 0) {
        return fb_diag_blame(diag, err, &views->key_file);
    }
    struct fb_str text = fb_buf_str(buf);
    text = fb_str_trim(fb_str_first(text, fb_str_find(text, '\n')));
    if (text.len < VIEWS_KEY_MIN) {
        err = fb_diag_set(diag, FB_E_MALFORMED, "'%s' has a key of less than 16 bytes",
                          views->key_file.ptr);
        return fb_diag_blame(diag, err, &views->key_file);
    }
    *ret_key = text;
    return FB_OK;
}

int edge_conf_views(const struct edge_conf *conf, struct fb_buf *buf,
                    struct edge_views_options *ret_options, struct fb_diag *diag)
{
    const struct edge_conf_views *views = &conf->views;
    struct fb_str key = FB_STR_NONE;

    int err = views->enabled ? views_read_key(views, buf, &key, diag) : FB_OK;
    if (err < 0) {
        return err;
    }
    *ret_options = (struct edge_views_options){
        .is_on = views->enabled,
        .media = views->paths.items,
        .n_media = views->paths.n,
        .audio = views->audio.items,
        .n_audio = views->audio.n,
        .manifests = views->manifests.items,
        .n_manifests = views->manifests.n,
        .bots = views->bots.items,
        .n_bots = views->bots.n,
        .beacon = views->beacon,
        .beacons_per_s = (uint32_t)views->beacon_rate,
        .key = key,
        .segment_ms = (uint32_t)views->segment,
        .least_ms = (uint32_t)views->least,
        .share_percent = (uint32_t)views->share,
        .again_ms = (uint32_t)views->again,
        .idle_ms = (uint32_t)views->idle,
        .starts = (uint32_t)views->starts,
        .max_sessions = (size_t)views->sessions,
        .every_ms = (uint32_t)views->every,
    };
    return FB_OK;
}
