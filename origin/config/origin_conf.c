#include "base/core/err.h"
#include "base/http/node_name.h"
#include "base/net/address.h"
#include "base/net/network.h"
#include "origin/config/check.h"
#include "origin/config/config.h"

#define AT(type, member) offsetof(struct type, member)

static int check_database(struct fb_str value, struct fb_diag *diag)
{
    struct fb_str scheme = FB_STR("sqlite:");
    return fb_str_starts_with(value, scheme) && value.len > scheme.len
               ? FB_OK
               : fb_diag_set(diag, FB_E_MALFORMED, "sqlite:<file> is expected");
}

/* What stands in URLs and file names as it is. */
static int check_category(struct fb_str value, struct fb_diag *diag)
{
    bool is_good = value.len > 0 && value.len <= ORIGIN_CONF_CATEGORY_MAX;

    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        is_good = is_good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
    }
    return is_good ? FB_OK
                   : fb_diag_set(diag, FB_E_MALFORMED, "1 to %d of a-z, 0-9 and - are expected",
                                 ORIGIN_CONF_CATEGORY_MAX);
}

static const struct fb_conf_item listen_items[] = {
    {"address", FB_CONF_STRING, AT(origin_conf_listen, address), .is_required = true,
     .check = fb_address_check, .help = "Address and port, such as 127.0.0.1:7000."},
    {0},
};
static const struct fb_conf_section listen_section = {
    .name = "listen",
    .help = "Where API, uploads and media are served.",
    .size = sizeof(struct origin_conf_listen),
    .items = listen_items,
};

static const struct fb_conf_item upload_items[] = {
    {"keep_original", FB_CONF_BOOL, AT(origin_conf_upload, keep_original), .preset = "true",
     .help =
         "Keep the file that was uploaded when its video is published, so that the video can be "
         "made anew."},
    {"max_size", FB_CONF_SIZE, AT(origin_conf_upload, max_size), .min = 1, .max = INT64_MAX,
     .preset = "64GiB", .help = "The largest file that may be uploaded."},
    {"expires", FB_CONF_DURATION, AT(origin_conf_upload, expires), .min = 60000,
     .max = 7LL * 24 * 3600 * 1000, .preset = "6h", .help = "How long an upload URL is good for."},
    {"url", FB_CONF_STRING, AT(origin_conf_upload, url), .check = origin_conf_check_url,
     .help = "Where clients reach the upload route, such as https://upload.example.org; by default "
             "http:// and the host that they asked."},
    {"multipart_from", FB_CONF_SIZE, AT(origin_conf_upload, multipart_from), .max = INT64_MAX,
     .preset = "64MiB", .help = "Larger files are sent in parts, unless the client says."},
    {"unfinished", FB_CONF_DURATION, AT(origin_conf_upload, unfinished), .min = 60000,
     .max = 366LL * 24 * 3600 * 1000, .preset = "7d",
     .help = "After so long without a byte an upload is forgotten, and a video that waits for "
             "its upload has failed."},
    {"per_hour", FB_CONF_INT, AT(origin_conf_upload, per_hour), .max = 1000000, .preset = "5",
     .help = "Videos that one user may begin in an hour; 0: any number."},
    {"quota", FB_CONF_SIZE, AT(origin_conf_upload, quota), .max = INT64_MAX, .preset = "1TiB",
     .help = "Bytes that all files of one user may have, as they were uploaded; 0: any number."},
    {0},
};
static const struct fb_conf_section upload_section = {
    .name = "upload",
    .help = "Uploads, as S3 has them (docs/uploads.md).",
    .size = sizeof(struct origin_conf_upload),
    .items = upload_items,
};

static const struct fb_conf_item auth_items[] = {
    {"access_ttl", FB_CONF_DURATION, AT(origin_conf_auth, access_ttl), .min = 1000,
     .max = 24LL * 3600 * 1000, .preset = "15m", .help = "How long an access token is good for."},
    {"refresh_ttl", FB_CONF_DURATION, AT(origin_conf_auth, refresh_ttl), .min = 1000,
     .max = 366LL * 24 * 3600 * 1000, .preset = "30d",
     .help = "How long a session lasts without being used."},
    {"hash_memory", FB_CONF_SIZE, AT(origin_conf_auth, hash_memory), .min = 8192,
     .max = 4LL * 1024 * 1024 * 1024, .preset = "64MiB",
     .help = "Memory of one password hash (argon2id)."},
    {"max_hashes", FB_CONF_INT, AT(origin_conf_auth, max_hashes), .min = 1, .max = 256,
     .preset = "2",
     .help = "Password hashes at once; a few more wait, none takes the last threads."},
    {0},
};
static const struct fb_conf_section auth_section = {
    .name = "auth",
    .help = "Accounts and sessions.",
    .size = sizeof(struct origin_conf_auth),
    .items = auth_items,
};

#define PACE_BURST(preset_)                                                           \
    {                                                                                 \
        "burst", FB_CONF_INT, AT(origin_conf_pace, burst),                            \
            .min = 1, .max = 100000, .preset = (preset_), .help = "How many at once." \
    }
#define PACE_REFILL(preset_)                                      \
    {                                                             \
        "refill", FB_CONF_DURATION, AT(origin_conf_pace, refill), \
            .min = 1, .max = 3600000, .preset = (preset_),        \
            .help = "How long until there is one more."           \
    }

static const struct fb_conf_item reactions_items[] = {PACE_BURST("60"), PACE_REFILL("1s"), {0}};
static const struct fb_conf_item comments_items[] = {PACE_BURST("10"), PACE_REFILL("6s"), {0}};
static const struct fb_conf_item searches_items[] = {PACE_BURST("120"), PACE_REFILL("100ms"), {0}};
static const struct fb_conf_section reactions_section = {
    .name = "limits.reactions",
    .help = "Likes, saves, follows and shares of one account.",
    .size = sizeof(struct origin_conf_pace),
    .items = reactions_items,
};
static const struct fb_conf_section comments_section = {
    .name = "limits.comments",
    .help = "Comments of one account.",
    .size = sizeof(struct origin_conf_pace),
    .items = comments_items,
};
static const struct fb_conf_section searches_section = {
    .name = "limits.searches",
    .help = "Searches and suggestions from one address.",
    .size = sizeof(struct origin_conf_pace),
    .items = searches_items,
};

static const struct fb_conf_item limits_items[] = {
    {"reactions", FB_CONF_SECTION, AT(origin_conf_limits, reactions), .section = &reactions_section,
     .help = "Likes, saves, follows and shares of one account."},
    {"comments", FB_CONF_SECTION, AT(origin_conf_limits, comments), .section = &comments_section,
     .help = "Comments of one account."},
    {"searches", FB_CONF_SECTION, AT(origin_conf_limits, searches), .section = &searches_section,
     .help = "Searches and suggestions from one address."},
    {0},
};
static const struct fb_conf_section limits_section = {
    .name = "limits",
    .help = "How much one client may do at once; beyond it is 429.",
    .size = sizeof(struct origin_conf_limits),
    .items = limits_items,
};

static const struct fb_conf_item trending_items[] = {
    {"every", FB_CONF_DURATION, AT(origin_conf_trending, every), .min = 100, .max = 3600000,
     .preset = "30s", .help = "How often it is computed."},
    {"half_life", FB_CONF_DURATION, AT(origin_conf_trending, half_life), .min = 60000,
     .max = 7LL * 24 * 3600 * 1000, .preset = "6h",
     .help = "The age at which a view counts half in the list of the day; in proportion in the "
             "others."},
    {"videos", FB_CONF_INT, AT(origin_conf_trending, videos), .min = 100, .max = 10000000,
     .preset = "100000",
     .help = "Videos that are looked at closely; of others views are counted, by which they take "
             "a place."},
    {0},
};
static const struct fb_conf_section trending_section = {
    .name = "trending",
    .help = "What trends (trending.md).",
    .size = sizeof(struct origin_conf_trending),
    .items = trending_items,
};

static const struct fb_conf_item views_items[] = {
    {"token", FB_CONF_STRING, AT(origin_conf_views, token), .max = 256, .is_secret = true,
     .check = origin_conf_check_token,
     .help = "What nodes must show to report views, at least 16 visible characters; without it no "
             "reports are taken."},
    {0},
};
static const struct fb_conf_section views_section = {
    .name = "views",
    .help = "Reports of views, from regional nodes and edges.",
    .size = sizeof(struct origin_conf_views),
    .items = views_items,
};

static const struct fb_conf_item plan_items[] = {
    {"storage", FB_CONF_SIZE, AT(origin_conf_plan, storage), .min = 1, .max = INT64_MAX,
     .preset = "100GiB",
     .help = "How much a region's plan names at most; an edge stops at its own `warm.storage`."},
    {"entries", FB_CONF_INT, AT(origin_conf_plan, entries), .min = 1, .max = 100000,
     .preset = "50000", .help = "How many files a region's plan names at most."},
    {"every", FB_CONF_DURATION, AT(origin_conf_plan, every), .min = 60000, .max = 86400000,
     .preset = "10m", .help = "How often plans are made anew."},
    {"followers", FB_CONF_INT, AT(origin_conf_plan, followers), .min = 1, .max = INT64_MAX,
     .preset = "1000",
     .help = "From how many followers on a creator's new videos are to be everywhere at once."},
    {0},
};
static const struct fb_conf_section plan_section = {
    .name = "plan",
    .help = "What the edges of each region should hold before anybody asks.",
    .size = sizeof(struct origin_conf_plan),
    .items = plan_items,
};

static const struct fb_conf_item webhook_items[] = {
    {"url", FB_CONF_STRING, AT(origin_conf_webhook, url), .is_required = true,
     .check = origin_conf_check_url, .help = "Where events are posted to."},
    {"secret", FB_CONF_STRING, AT(origin_conf_webhook, secret), .is_required = true, .max = 256,
     .is_secret = true, .check = origin_conf_check_token,
     .help = "What signs them, at least 16 visible characters."},
    {0},
};
static const struct fb_conf_section webhook_section = {
    .name = "webhooks[]",
    .help = "Who is told what becomes of videos (webhooks.md). A change needs a restart.",
    .size = sizeof(struct origin_conf_webhook),
    .items = webhook_items,
};

static const struct fb_conf_item origin_items[] = {
    {"node", FB_CONF_STRING, AT(origin_conf, node), .min = 1, .max = 64, .preset = "origin",
     .check = fb_node_name_check, .help = "The name of this node."},
    {"listen", FB_CONF_SECTIONS, AT(origin_conf, listen), .min = 1, .max = 16, .is_required = true,
     .section = &listen_section, .help = "Where API, uploads and media are served."},
    {"admin", FB_CONF_SECTION, AT(origin_conf, admin), .section = &origin_conf_admin_section,
     .help = "The operator's side."},
    {"public_url", FB_CONF_STRING, AT(origin_conf, public_url), .is_required = true,
     .check = origin_conf_check_url, .help = "Where players fetch media: the edge."},
    {"database", FB_CONF_STRING, AT(origin_conf, database), .preset = "sqlite:data/origin.db",
     .check = check_database, .help = "The catalog, sqlite:<file>."},
    {"objects", FB_CONF_STRING, AT(origin_conf, objects), .preset = "file:data/objects",
     .check = origin_conf_check_objects,
     .help = "Uploads and media: file:<folder>, or s3://<bucket>[/<prefix>] with `s3`."},
    {"s3", FB_CONF_SECTION, AT(origin_conf, s3), .section = &origin_conf_s3_section,
     .help = "The server of objects that are in S3 (docs/objects.md)."},
    {"data", FB_CONF_PATH, AT(origin_conf, data),
     .help = "The folder of keys and scratch files; by default the database's."},
    {"web", FB_CONF_PATH, AT(origin_conf, web), .probe = origin_conf_probe_web,
     .help = "The folder of the pages, /studio and /watch; none by default."},
    {"workers", FB_CONF_INT, AT(origin_conf, workers), .max = 64, .preset = "2",
     .help = "Videos transcoded at once in this process; 0 with separate workers."},
    {"worker_threads", FB_CONF_COUNT, AT(origin_conf, worker_threads), .min = 1, .max = 256,
     .preset = "auto",
     .help =
         "Threads of each encoder, for videos that are prepared here: it decides what bytes come "
         "out. auto: 1."},
    {"worker_token", FB_CONF_STRING, AT(origin_conf, worker_token), .max = 256, .is_secret = true,
     .check = origin_conf_check_token,
     .help = "What forebay-worker must show, at least 16 visible characters; without it no other "
             "process gets tasks."},
    {"threads", FB_CONF_INT, AT(origin_conf, threads), .min = 2, .max = 128, .preset = "16",
     .help = "Threads for API requests and files."},
    {"drain", FB_CONF_DURATION, AT(origin_conf, drain), .max = 600000, .preset = "10s",
     .help = "How long requests may go on after SIGTERM."},
    {"upload", FB_CONF_SECTION, AT(origin_conf, upload), .section = &upload_section,
     .help = "Uploads, as S3 has them (docs/uploads.md)."},
    {"auth", FB_CONF_SECTION, AT(origin_conf, auth), .section = &auth_section,
     .help = "Accounts and sessions."},
    {"jobs", FB_CONF_SECTION, AT(origin_conf, jobs), .section = &origin_conf_jobs_section,
     .help = "The work on videos."},
    {"transcode", FB_CONF_SECTION, AT(origin_conf, transcode),
     .section = &origin_conf_transcode_section, .help = "What is made of a video."},
    {"views", FB_CONF_SECTION, AT(origin_conf, views), .section = &views_section,
     .help = "Reports of views, from regional nodes and edges."},
    {"plan", FB_CONF_SECTION, AT(origin_conf, plan), .section = &plan_section,
     .help = "What the edges of each region should hold before anybody asks."},
    {"playback", FB_CONF_SECTION, AT(origin_conf, playback),
     .section = &origin_conf_playback_section, .help = "Passes for media."},
    {"countries", FB_CONF_SECTION, AT(origin_conf, countries),
     .section = &origin_conf_countries_section, .help = "Where videos may be played."},
    {"purge", FB_CONF_SECTION, AT(origin_conf, purge), .section = &origin_conf_purge_section,
     .help = "What has to go, from the store and from nodes."},
    {"master_keys", FB_CONF_PATH, AT(origin_conf, master_keys), .probe = origin_conf_probe_read,
     .help = "The file of keys that seal content keys (encryption.md); by default "
             "`keys/master.keys` in the folder of keys, which is made."},
    {"admins", FB_CONF_STRINGS, AT(origin_conf, admins), .max = 256,
     .check_all = fb_conf_check_distinct,
     .help =
         "E-mail addresses of the accounts that may deactivate videos, remove comments, and see "
         "reports and plans. Nobody proves that an address is theirs: register it before it "
         "stands here."},
    {"categories", FB_CONF_STRINGS, AT(origin_conf, categories), .max = 256,
     .check = check_category, .check_all = fb_conf_check_distinct,
     .help = "What a video's category can be, such as `music`; up to 32 of `a`-`z`, `0`-`9` and "
             "`-` each."},
    {"webhooks", FB_CONF_SECTIONS, AT(origin_conf, webhooks), .max = 16,
     .section = &webhook_section, .help = "Who is told what becomes of videos."},
    {"trending", FB_CONF_SECTION, AT(origin_conf, trending), .section = &trending_section,
     .help = "What trends."},
    {"limits", FB_CONF_SECTION, AT(origin_conf, limits), .section = &limits_section,
     .help = "How much one client may do at once; beyond it is 429."},
    {"trusted", FB_CONF_STRINGS, AT(origin_conf, trusted), .max = 256, .check = fb_network_check,
     .check_all = fb_conf_check_distinct,
     .help =
         "Networks of proxies whose `X-Forwarded-For` is believed, such as `192.0.2.0/24`: limits "
         "then count, and trending weighs, whom they ask for."},
    {0},
};

static int check_origin(const void *conf, struct fb_diag *diag)
{
    const struct origin_conf *origin = conf;

    if (fb_str_starts_with(origin->objects, FB_STR("s3://")) &&
        (origin->s3.endpoint.len == 0 || origin->s3.credentials.len == 0)) {
        int err = fb_diag_set(diag, FB_E_MALFORMED,
                              "a bucket wants s3.endpoint and s3.credentials beside it");
        return fb_diag_blame(diag, err, &origin->objects);
    }
    return FB_OK;
}

const struct fb_conf_section origin_conf_section = {
    .name = "origin.yaml",
    .help = "The configuration of `forebay-origin`.",
    .size = sizeof(struct origin_conf),
    .items = origin_items,
    .check = check_origin,
};
