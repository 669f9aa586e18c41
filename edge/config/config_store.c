#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "edge/config/config_internal.h"
#include "edge/policy/policy.h"
#include "edge/store/store.h"
#include "edge/volume/opening.h"
#include "edge/volume/volumes.h"

#include <errno.h>
#include <inttypes.h>

enum {
    THOUSANDTHS = 1000,
    N_DECIMALS = 3,
    MAX_DRIVE_WRITES = 100, /* a day; no drive is made for more */
    BITS_A_BYTE = 8
};

#define MIN_VOLUME_BYTES ((uint64_t)64 * 1024 * 1024)

/* ---- checks ------------------------------------------------------------ */

/* A decimal number, in thousandths. */
static int conf_read_drive_writes(struct fb_str text, uint32_t *ret_thousandths)
{
    struct fb_str whole = FB_STR_NONE;
    uint64_t value = 0;
    uint64_t part = 0;

    FB_IGNORE(fb_str_cut(&text, '.', &whole)); /* a text has a first part */
    int err = fb_str_to_u64(whole, &value);
    if (err < 0 || value > MAX_DRIVE_WRITES || text.len > N_DECIMALS) {
        return FB_E_MALFORMED;
    }
    if (text.len > 0 && fb_str_to_u64(text, &part) < 0) {
        return FB_E_MALFORMED;
    }
    for (size_t i = text.len; i < N_DECIMALS; i++) {
        part *= 10;
    }
    *ret_thousandths = (uint32_t)(value * THOUSANDTHS + part);
    return FB_OK;
}

static int conf_check_drive_writes(struct fb_str value, struct fb_diag *diag)
{
    uint32_t thousandths = 0;

    if (conf_read_drive_writes(value, &thousandths) < 0 || thousandths == 0 ||
        thousandths > MAX_DRIVE_WRITES * THOUSANDTHS) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "a number from 0.001 to %d with at most %d decimals is expected, "
                           "such as 0.8",
                           MAX_DRIVE_WRITES, N_DECIMALS);
    }
    return FB_OK;
}

/* Who left the unit out sees it by the bytes. */
static int say_too_small(const char *key, uint64_t bytes, struct fb_diag *diag)
{
    return fb_diag_set(diag, FB_E_MALFORMED,
                       "'%s' is too small, %" PRIu64 " bytes: at least 64MiB is expected, such as "
                       "500GB",
                       key, bytes);
}

static int conf_check_endurance(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_endurance *endurance = conf;

    if (endurance->drive_writes_per_day.len > 0 && endurance->bytes_per_day != 0) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'drive_writes_per_day' and 'bytes_per_day' say the same: write one");
    }
    if (endurance->bytes_per_day != 0 && endurance->bytes_per_day < MIN_VOLUME_BYTES) {
        int err = say_too_small("bytes_per_day", endurance->bytes_per_day, diag);
        return fb_diag_blame(diag, err, &endurance->bytes_per_day);
    }
    return FB_OK;
}

static int conf_check_volume_path(struct fb_str value, struct fb_diag *diag)
{
    if (value.len == 0 || fb_str_ends_with(value, FB_STR("/"))) {
        return fb_diag_set(diag, FB_E_MALFORMED, "the path of a block device or file is expected");
    }
    return FB_OK;
}

static int conf_check_volume(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_volume *volume = conf;

    if (volume->size != 0 && volume->size < MIN_VOLUME_BYTES) {
        int err = say_too_small("size", volume->size, diag);
        return fb_diag_blame(diag, err, &volume->size);
    }
    return FB_OK;
}

/* At the start it is no error: a drive may come back later. */
static int conf_probe_volume(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_volume *volume = conf;

    int err = volume->size == 0 ? fb_file_check_use(volume->path.ptr, FB_FILE_READ, diag) : FB_OK;
    if (err == -ENOENT) {
        (void)fb_diag_set(diag, err, "there is no '%s', and without a 'size' it is not made",
                          volume->path.ptr);
    }
    if (err == FB_OK) {
        err = fb_file_check_use(volume->path.ptr, FB_FILE_APPEND, diag);
    }
    return err < 0 ? fb_diag_blame(diag, err, &volume->path) : FB_OK;
}

int edge_conf_probe_volumes(const struct edge_conf *conf, struct fb_diag *diag)
{
    int err = FB_OK;

    for (size_t i = 0; i < conf->store.volumes.n && err == FB_OK; i++) {
        const struct edge_conf_volume *volume =
            FB_CONF_AT(struct edge_conf_volume, conf->store.volumes, i);
        const struct edge_opening opening = {
            .path = volume->path.ptr, .size = volume->size, .node = conf->node};
        err = edge_opening_check(&opening, diag);
        if (err < 0) {
            return fb_diag_blame(diag, err, &volume->path);
        }
    }
    return err;
}

static int conf_check_volumes(const struct fb_conf_list *volumes, size_t *ret_entry,
                              struct fb_diag *diag)
{
    return fb_conf_check_distinct_by(volumes, FB_CONF_TEXT("volume", edge_conf_volume, path),
                                     ret_entry, diag);
}

/* ---- tables ------------------------------------------------------------ */

#define AT(type, member) offsetof(struct type, member)

static const struct fb_conf_item endurance_items[] = {
    {"drive_writes_per_day", FB_CONF_STRING, AT(edge_conf_endurance, drive_writes_per_day),
     .check = conf_check_drive_writes,
     .help = "How often the whole volume may be written in a day, as the maker rates a drive: "
             "`0.8`, from 0.001 to 100. A file on a larger drive counts with its own size."},
    {"bytes_per_day", FB_CONF_SIZE, AT(edge_conf_endurance, bytes_per_day), .max = INT64_MAX,
     .preset = "0", .help = "The same in bytes, such as `500GB`; 0: no bound."},
    {0},
};

static const struct fb_conf_section endurance_section = {
    .name = "endurance",
    .help = "What may be written to a volume in a day (UTC), everything counted; with neither key "
            "there is no bound. It is never exceeded, over restarts too.",
    .size = sizeof(struct edge_conf_endurance),
    .items = endurance_items,
    .check = conf_check_endurance,
};

static const struct fb_conf_item volume_items[] = {
    {"path", FB_CONF_PATH, AT(edge_conf_volume, path), .is_required = true,
     .check = conf_check_volume_path,
     .help = "A block device, such as `/dev/disk/by-id/…`, or a file. It must be blank, missing, "
             "or this node's volume already: anything else is refused and left as it is."},
    {"size", FB_CONF_SIZE, AT(edge_conf_volume, size), .max = INT64_MAX, .preset = "0",
     .help = "Of a file that is missing when the node starts: it is made that long, at least "
             "`64MiB`, with all its room reserved, so mount first what it lies on. 0: it must be "
             "there. What is there keeps its size."},
    {"endurance", FB_CONF_SECTION, AT(edge_conf_volume, endurance), .section = &endurance_section,
     .help = "What may be written to it in a day; the store's if not written."},
    {"scrub", FB_CONF_RATE, AT(edge_conf_volume, scrub), .preset = "32Mbit/s",
     .help = "How fast what it holds is read again in the background, to find what rots; 0: "
             "never."},
    {0},
};

static const struct fb_conf_section volume_section = {
    .name = "volumes",
    .help = "The drives behind the memory. Objects are spread over them by size; one that fails "
            "leaves the others alone and comes back by itself.",
    .size = sizeof(struct edge_conf_volume),
    .items = volume_items,
    .check = conf_check_volume,
    .probe = conf_probe_volume,
};

static const char *const eviction_names[] = {
    [EDGE_POLICY_RATE] = "rate", [EDGE_POLICY_RECENT] = "recent", [EDGE_POLICY_S3FIFO] = "s3-fifo",
    [EDGE_POLICY_LRU] = "lru",   [EDGE_POLICY_AUTO] = "auto",     NULL};

static const struct fb_conf_item store_items[] = {
    {"memory", FB_CONF_SIZE, AT(edge_conf_store, memory), .min = EDGE_STORE_MIN_BYTES,
     .max = INT64_MAX, .preset = "256MiB",
     .help = "Bound of the RAM tier: bodies, heads, index and overhead, huge pages idle or not. "
             "The process takes about 32 MiB more, and what volumes need by their size."},
    {"eviction", FB_CONF_ENUM, AT(edge_conf_store, eviction), .names = eviction_names,
     .preset = "auto",
     .help =
         "What goes from memory when room is needed: by `rate`, what was asked for least often for "
         "its age; by `recent`, nearly what was asked for longest ago, at no cost to a hit; "
         "by `s3-fifo`, what was not asked for again soon; by `lru`, what was asked for longest "
         "ago; `auto` is `recent` above volumes, which keep what is asked for often, and `rate` "
         "without them. Why not `s3-fifo` by preset: with 0.2, 0.5 and 1 % of the footprint of five "
         "traces it goes .055, .205 and .299 of the way from `lru` to the offline optimum in bytes, "
         "and in the worst of them .11 the other way; `rate` goes .167, .271 and .329, and .08 at "
         "least (`tests/bench/sim`)."},
    {"endurance", FB_CONF_SECTION, AT(edge_conf_store, endurance), .section = &endurance_section,
     .help = "What may be written in a day to each volume that says nothing of its own."},
    {"volumes", FB_CONF_SECTIONS, AT(edge_conf_store, volumes), .section = &volume_section,
     .max = EDGE_VOLUMES_MAX, .check_all = conf_check_volumes,
     .help = "The drives behind the memory; none: memory alone."},
    {0},
};

const struct fb_conf_section edge_conf_store_section = {
    .name = "store",
    .help = "What is kept, and where.",
    .size = sizeof(struct edge_conf_store),
    .items = store_items,
};

/* ---- what is made of it ------------------------------------------------ */

static bool conf_is_bound(const struct edge_conf_endurance *endurance)
{
    return endurance->drive_writes_per_day.len > 0 || endurance->bytes_per_day != 0;
}

struct edge_volume_spec *edge_conf_volumes(const struct edge_conf *conf)
{
    const struct edge_conf_store *store = &conf->store;
    struct edge_volume_spec *specs = fb_alloc_array(store->volumes.n, sizeof(*specs));

    for (size_t i = 0; i < store->volumes.n; i++) {
        const struct edge_conf_volume *from =
            FB_CONF_AT(struct edge_conf_volume, store->volumes, i);
        const struct edge_conf_endurance *endurance =
            conf_is_bound(&from->endurance) ? &from->endurance : &store->endurance;
        uint32_t share = 0;

        if (endurance->drive_writes_per_day.len > 0) {
            FB_IGNORE(conf_read_drive_writes(endurance->drive_writes_per_day,
                                             &share)); /* was checked when loaded */
        }
        specs[i] = (struct edge_volume_spec){
            .path = from->path.ptr,
            .size = from->size,
            .daily_bytes = endurance->bytes_per_day,
            .daily_share = share,
            .scrub_rate = from->scrub / BITS_A_BYTE,
        };
    }
    return specs;
}
