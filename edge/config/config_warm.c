#include "base/core/err.h"
#include "base/jose/jose.h"
#include "base/sys/file.h"
#include "base/wire/plan.h"
#include "edge/config/config_internal.h"
#include "edge/config/tls.h"
#include "edge/upstream/upstream.h"
#include "edge/warm/warm.h"
#include "edge/warm/windows.h"

enum { BITS_A_BYTE = 8, DAY_MS = 86400000 };

/* ---- checks ---------------------------------------------------------------- */

int edge_conf_check_region(struct fb_str value, struct fb_diag *diag)
{
    return fb_plan_is_region(value)
               ? FB_OK
               : fb_diag_set(diag, FB_E_MALFORMED, "a name made of a-z, 0-9 and '-' is expected");
}

static int warm_check_guard(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_warm_guard *guard = conf;

    if (guard->percentile != 0 && guard->commit == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'percentile' needs a 'commit': at the beginning of a month there is "
                           "nothing else to fill by");
    }
    return FB_OK;
}

static int warm_check(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_warm *warm = conf;

    if (warm->keys.n == 0 && (warm->windows.n > 0 || warm->now || warm->host.len > 0)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "without 'keys' no plan is taken");
    }
    if (warm->keys.n > 0 && warm->host.len == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'host' is missing: the one that players name");
    }
    if (warm->keys.n > 0 && warm->windows.n == 0 && !warm->now) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "without 'windows' and without 'now' nothing would ever be filled");
    }
    return FB_OK;
}

/* How well a host of a site fits, as edge/site finds it; 0: not at all. */
static size_t warm_match(struct fb_str pattern, struct fb_str host)
{
    if (fb_str_equal_nocase(pattern, host)) {
        return SIZE_MAX;
    }
    if (fb_str_equal(pattern, FB_STR("*"))) {
        return 1;
    }
    struct fb_str suffix = fb_str_skip(pattern, 1);
    bool is_wild = fb_str_starts_with(pattern, FB_STR("*.")) && host.len > suffix.len &&
                   fb_str_equal_nocase(fb_str_skip(host, host.len - suffix.len), suffix);
    return is_wild ? pattern.len : 0;
}

/* The upstreams of the site that `warm.host` names. */
static const struct fb_conf_list *warm_upstreams(const struct edge_conf *conf)
{
    struct fb_str host = fb_str_first(conf->warm.host, fb_str_find(conf->warm.host, ':'));
    const struct fb_conf_list *found = &conf->upstreams;
    size_t best = 0;

    for (size_t i = 0; i < conf->sites.n; i++) {
        const struct edge_conf_site *site = FB_CONF_AT(struct edge_conf_site, conf->sites, i);
        for (size_t k = 0; k < site->hosts.n; k++) {
            size_t match = warm_match(*FB_CONF_AT(struct fb_str, site->hosts, k), host);
            if (match > best) {
                best = match;
                found = site->upstreams.items != NULL ? &site->upstreams : &conf->upstreams;
            }
        }
    }
    return found;
}

int edge_conf_check_warm(const struct edge_conf *conf, struct fb_diag *diag)
{
    const struct fb_conf_list *upstreams = warm_upstreams(conf);
    bool has_regional = false;

    if (conf->warm.keys.n == 0) {
        return FB_OK;
    }
    for (size_t i = 0; i < upstreams->n; i++) {
        has_regional |=
            FB_CONF_AT(struct edge_conf_upstream, *upstreams, i)->tier == EDGE_TIER_REGIONAL;
    }
    if (conf->region.len == 0) {
        int err = fb_diag_set(diag, FB_E_MALFORMED, "a plan is for a 'region', which is missing");
        return fb_diag_blame(diag, err, &conf->warm);
    }
    if (!has_regional) {
        int err = fb_diag_set(diag, FB_E_MALFORMED,
                              "no upstream of '%.*s' has 'tier: regional', and of others nothing "
                              "is filled",
                              FB_STR_ARG(conf->warm.host));
        return fb_diag_blame(diag, err, &conf->warm.host);
    }
    return FB_OK;
}

/* ---- tables ---------------------------------------------------------------- */

#define GUARD_AT(member) offsetof(struct edge_conf_warm_guard, member)

static const struct fb_conf_item guard_items[] = {
    {"percentile", FB_CONF_INT, GUARD_AT(percentile), .max = 99, .preset = "0",
     .help = "The one that transit is billed by, such as 95; 0: no guard."},
    {"commit", FB_CONF_RATE, GUARD_AT(commit), .max = 10000000000000, .preset = "0",
     .help = "What is paid for anyway: up to this rate filling goes on also if the month so far "
             "was calmer."},
    {0},
};

static const struct fb_conf_section guard_section = {
    .name = "guard",
    .help = "All that comes from upstreams, for clients or for the plan, is noted in samples of "
            "five minutes, as transit is billed. Filling goes on while the present one is below "
            "`commit`, or below the percentile of the samples of this month (of UTC) so far. They "
            "are kept in `state`.",
    .size = sizeof(struct edge_conf_warm_guard),
    .items = guard_items,
    .check = warm_check_guard,
};

#define AT(member) offsetof(struct edge_conf_warm, member)

static const struct fb_conf_item warm_items[] = {
    {"keys", FB_CONF_STRINGS, AT(keys), .max = EDGE_WARM_KEYS_MAX,
     .check_all = fb_conf_check_distinct,
     .help = "Files of public keys of P-256 (PEM or JWK): plans are taken that one of them has "
             "signed. None: nothing is warmed."},
    {"host", FB_CONF_STRING, AT(host), .max = 253,
     .help = "The host that players name; the plan's paths are its paths, and the plan is asked "
             "for under it."},
    {"windows", FB_CONF_STRINGS, AT(windows), .max = EDGE_WINDOWS_MAX, .check = edge_windows_check,
     .check_all = fb_conf_check_distinct,
     .help = "When to fill, by the clock on the wall: `02:00-10:00 Europe/Berlin`; "
             "`22:00-06:00 UTC` reaches over midnight, `00:00-24:00 UTC` is always. On days when "
             "clocks change, a window is as long as the wall says."},
    {"now", FB_CONF_BOOL, AT(now), .preset = "false",
     .help = "Whether entries that the plan marks `now`, such as releases, are filled outside of "
             "windows too."},
    {"rate", FB_CONF_RATE, AT(rate), .max = 10000000000000, .preset = "500Mbit/s",
     .help = "Filling is not faster, over any span longer than what `parallel` objects take; 0: "
             "no bound."},
    {"parallel", FB_CONF_INT, AT(parallel), .min = 1, .max = EDGE_WARM_PARALLEL_MAX, .preset = "8",
     .help = "Objects on their way at a time."},
    {"storage", FB_CONF_SIZE, AT(storage), .min = 1, .preset = "100GiB",
     .help = "The first so many bytes of the plan are filled. Without volumes no more than half of "
             "`store.memory` is."},
    {"demand", FB_CONF_RATE, AT(demand), .max = 10000000000000, .preset = "0",
     .help = "Filling pauses while clients are sent more than that, until it is less than 90 % "
             "of it; 0: never."},
    {"guard", FB_CONF_SECTION, AT(guard), .section = &guard_section,
     .help = "That filling does not make transit dearer."},
    {"least_yield", FB_CONF_INT, AT(least_yield), .max = 10000, .preset = "30",
     .help = "Bytes served of what was filled, in percent of the bytes filled, over `yield_span`. "
             "If it is less, nothing is filled for as long, then it is tried again; 0: it does not "
             "matter."},
    {"yield_span", FB_CONF_DURATION, AT(yield_span), .min = 60000, .max = (int64_t)90 * DAY_MS,
     .preset = "7d", .help = "Over which the yield is taken."},
    {"pull", FB_CONF_DURATION, AT(pull), .min = 1000, .max = DAY_MS, .preset = "1m",
     .help = "Between looks at the plan."},
    {0},
};

const struct fb_conf_section edge_conf_warm_section = {
    .name = "warm",
    .help = "Filling by the plan of the region ([plans](plans.md)), before anybody asks, from "
            "upstreams of `tier: regional` alone. A change needs a restart.",
    .size = sizeof(struct edge_conf_warm),
    .items = warm_items,
    .check = warm_check,
};

/* As enum edge_prefetch_kind has them. */
static const char *const next_names[] = {"off", "told", "guessed", NULL};

static const struct fb_conf_item prefetch_items[] = {
    {"next", FB_CONF_ENUM, offsetof(struct edge_conf_prefetch, next), .names = next_names,
     .preset = "told",
     .help = "`told`: what a player with a session names in CMCD (`nor`, `nrr`) is fetched before "
             "it asks. `guessed`: besides, the segment with the next number, for players with a "
             "session and for clients that have just asked for two in order. One at a time for "
             "each; of the same title, and of class `segment`."},
    {"parallel", FB_CONF_INT, offsetof(struct edge_conf_prefetch, parallel), .min = 1, .max = 64,
     .preset = "8", .help = "On their way at a time, for each worker."},
    {0},
};

const struct fb_conf_section edge_conf_prefetch_section = {
    .name = "prefetch",
    .help = "The next segment of who is watching, fetched while the present one is sent. A change "
            "needs a restart.",
    .size = sizeof(struct edge_conf_prefetch),
    .items = prefetch_items,
};

/* ---- what is made of it ---------------------------------------------------- */

static int warm_read_key(const struct fb_str *path, struct fb_jose_key **ret_key,
                         struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct fb_jose_key *key = NULL;

    int err = fb_file_read_path(path->ptr, FB_JOSE_KEY_FILE_MAX, &text, diag);
    if (err == FB_OK) {
        err = fb_jose_key_parse(fb_buf_str(&text), &key, diag);
    }
    if (err == FB_OK &&
        (fb_jose_key_algorithm(key) != FB_JOSE_ES256 || fb_jose_key_is_private(key))) {
        err = fb_diag_set(diag, FB_E_MALFORMED, "a public key of P-256 is expected");
        fb_jose_key_free(key);
    }
    if (err < 0) {
        (void)fb_diag_blame(diag, err, path);
        return fb_diag_prefix(diag, err, "key '%.*s'", FB_STR_ARG(*path));
    }
    *ret_key = key;
    return FB_OK;
}

int edge_conf_warm(const struct edge_conf *conf, struct edge_warm_settings *ret_settings,
                   struct fb_diag *diag)
{
    const struct edge_conf_warm *warm = &conf->warm;
    struct edge_warm_settings settings = {
        .region = conf->region,
        .host = warm->host,
        .fills_now = warm->now,
        .rate = warm->rate / BITS_A_BYTE,
        .parallel = (unsigned)warm->parallel,
        .storage = conf->store.volumes.n > 0 ? warm->storage
                                             : FB_MIN(warm->storage, conf->store.memory / 2),
        .demand = warm->demand / BITS_A_BYTE,
        .percentile = (unsigned)warm->guard.percentile,
        .commit = warm->guard.commit / BITS_A_BYTE,
        .least_yield = (unsigned)warm->least_yield,
        .yield_span_ms = (int64_t)warm->yield_span,
        .pull_ms = warm->pull,
    };

    int err = edge_windows_parse(warm->windows.items, warm->windows.n, &settings.windows, diag);
    for (size_t i = 0; i < warm->keys.n && err == FB_OK; i++) {
        err = warm_read_key(FB_CONF_AT(struct fb_str, warm->keys, i), &settings.keys[i], diag);
        settings.n_keys += err == FB_OK ? 1 : 0;
    }
    if (err < 0) {
        edge_warm_settings_done(&settings);
        return err;
    }
    *ret_settings = settings;
    return FB_OK;
}

int edge_conf_warm_pool(const struct edge_conf *conf, struct edge_upstreams *upstreams,
                        struct edge_tls *tls, const struct edge_pool **ret_pool,
                        struct fb_diag *diag)
{
    const struct fb_conf_list *all = warm_upstreams(conf);
    struct edge_conf_upstream regional[EDGE_UPSTREAMS_MAX];
    struct fb_conf_list list = {.items = regional};

    for (size_t i = 0; i < all->n; i++) {
        const struct edge_conf_upstream *one = FB_CONF_AT(struct edge_conf_upstream, *all, i);
        if (one->tier == EDGE_TIER_REGIONAL) {
            regional[list.n++] = *one;
        }
    }
    return edge_conf_pool(&list, upstreams, tls, ret_pool, diag);
}
