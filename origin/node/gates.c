#include "origin/node/gates.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/log/log.h"
#include "base/net/network.h"
#include "base/sys/file.h"
#include "origin/access/access.h"
#include "origin/access/geo.h"
#include "origin/auth/secret.h"
#include "origin/calls/calls.h"
#include "origin/config/config.h"
#include "origin/keys/sealer.h"
#include "origin/node/node.h"
#include "origin/node/rounds.h"
#include "origin/removal/way.h"

#include <stdio.h>
#include <string.h>

enum {
    KEYS_ROUND_MS = 60 * 1000,
    COUNTRIES_ROUND_MS = 2000,
    REMOVALS_ROUND_MS = 2000,
    PURGES_ROUND_MS = 1000,
    SECRET_FILE_MAX = 4096,
    SECRET_MIN = 16,
};

/* ---- rounds ----------------------------------------------------------------------- */

static int gates_run_keys(void *ctx)
{
    struct origin_gates *gates = ctx;
    struct fb_diag diag = {0};

    int err = origin_sealer_file_reload(gates->sealer, &diag);
    if (err < 0) {
        FB_LOG(WARN, "origin", "could not read the master keys again, those read before hold",
               FB_LOG_TEXT("reason", diag.text));
        return err;
    }
    return origin_keys_run(gates->keys);
}

static int gates_run_countries(void *ctx)
{
    struct origin_gates *gates = ctx;
    struct fb_diag diag = {0};
    bool is_new = false;

    int err = origin_geo_run(gates->geo, &is_new, &diag);
    if (err < 0) {
        FB_LOG(WARN, "origin", "could not take the new database of countries, the old one holds",
               FB_LOG_TEXT("reason", diag.text));
    } else if (is_new) {
        FB_LOG(INFO, "origin", "took a new database of countries");
    }
    return err;
}

static void gates_add_round(struct origin_node *node, const char *name, uint32_t period_ms,
                            int (*run)(void *), void *ctx)
{
    origin_rounds_add(
        node->rounds,
        &(struct origin_round){.name = name, .period_ms = period_ms, .run = run, .ctx = ctx});
}

/* ---- keys -------------------------------------------------------------------------- */

static int gates_open_keys(struct origin_node *node, const char *folder, struct fb_diag *diag)
{
    struct origin_gates *gates = &node->gates;
    struct fb_str given = node->conf->master_keys;
    FB_AUTO(fb_buf_done) struct fb_buf path = {0};

    if (given.len > 0) {
        fb_buf_append(&path, given);
    } else {
        fb_buf_printf(&path, "%s/master.keys", folder);
    }
    int err = origin_sealer_file_open(path.ptr, given.len == 0, &gates->sealer, diag);
    if (err == FB_OK) {
        gates->keys = origin_keys_open(&(struct origin_keys_options){
            .catalog = node->catalog,
            .sealer = origin_sealer_file_sealer(gates->sealer),
            .metrics = node->metrics,
        });
        gates_add_round(node, "keys", KEYS_ROUND_MS, gates_run_keys, gates);
    }
    return err;
}

int origin_gates_key(void *ctx, const struct origin_id *video, const struct origin_id *job,
                     enum origin_scheme scheme, struct origin_content_key *ret_key)
{
    struct origin_gates *gates = ctx;
    return origin_keys_of_job(gates->keys, video, job, scheme, ret_key);
}

/* ---- access ------------------------------------------------------------------------ */

static int gates_read_secret(struct fb_str path, struct fb_str *ret_secret, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    char *name = fb_str_dup(path);

    int err = fb_file_read_path(name, SECRET_FILE_MAX, &text, diag);
    fb_free(name);
    if (err < 0) {
        return err;
    }
    struct fb_str line = fb_str_first(fb_buf_str(&text), fb_str_find(fb_buf_str(&text), '\n'));
    line = fb_str_trim(line);
    if (line.len < SECRET_MIN) {
        return fb_diag_set(diag, FB_E_MALFORMED, "the secret in '%.*s' has less than %d bytes",
                           FB_STR_ARG(path), SECRET_MIN);
    }
    *ret_secret = (struct fb_str){fb_str_dup(line), line.len};
    explicit_bzero(text.ptr, text.len);
    return FB_OK;
}

/* The configured ones, or one of our own. */
static int gates_load_passes(struct origin_node *node, const char *folder, struct fb_diag *diag)
{
    const struct origin_conf_playback *conf = &node->conf->playback;
    struct origin_gates *gates = &node->gates;
    uint8_t own[ORIGIN_SECRET_BYTES];
    int err = FB_OK;

    gates->pass_keys = fb_alloc_array(conf->keys.n + 1, sizeof(*gates->pass_keys));
    for (size_t i = 0; err == FB_OK && i < conf->keys.n; i++) {
        const struct origin_conf_pass_key *key =
            FB_CONF_AT(struct origin_conf_pass_key, conf->keys, i);
        gates->pass_keys[i].id = key->id;
        err = gates_read_secret(key->secret_file, &gates->pass_keys[i].secret, diag);
        gates->n_pass_keys += err == FB_OK ? 1 : 0;
    }
    if (conf->keys.n == 0 &&
        (err = origin_secret_load(folder, "playback.key", own, diag)) == FB_OK) {
        FB_AUTO(fb_buf_done) struct fb_buf hex = {0};
        fb_text_hex(&hex, (struct fb_str){(const char *)own, sizeof(own)});
        gates->pass_keys[0] = (struct origin_pass_key){
            .id = FB_STR("origin"),
            .secret = {fb_str_dup(fb_buf_str(&hex)), hex.len},
        };
        gates->n_pass_keys = 1;
    }
    return err;
}

/* As a list of origin/access/countries.h. */
static char *gates_countries(const struct origin_conf_countries *conf)
{
    const struct fb_conf_list *list = conf->allow.n > 0 ? &conf->allow : &conf->deny;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    for (size_t i = 0; i < list->n; i++) {
        struct fb_str country = *FB_CONF_AT(struct fb_str, *list, i);
        const char *kind = conf->allow.n > 0 ? "allow:" : "deny:";
        fb_buf_printf(&text, "%s%.*s", i > 0 ? "," : kind, FB_STR_ARG(country));
    }
    return fb_str_dup(fb_buf_str(&text));
}

static int gates_open_countries(struct origin_node *node, struct fb_diag *diag)
{
    const struct origin_conf_countries *conf = &node->conf->countries;
    struct origin_gates *gates = &node->gates;

    gates->countries = gates_countries(conf);
    if (conf->database.len == 0) {
        return FB_OK;
    }
    char *path = fb_str_dup(conf->database);
    int err = origin_geo_open(path, &gates->geo, diag);
    fb_free(path);
    if (err == FB_OK) {
        gates_add_round(node, "countries", COUNTRIES_ROUND_MS, gates_run_countries, gates);
    }
    return err;
}

static void gates_open_access(struct origin_node *node)
{
    const struct origin_conf_playback *conf = &node->conf->playback;
    struct origin_gates *gates = &node->gates;

    gates->tiers = fb_alloc_array(conf->tiers.n, sizeof(*gates->tiers));
    for (size_t i = 0; i < conf->tiers.n; i++) {
        FB_IGNORE(fb_network_parse(*FB_CONF_AT(struct fb_str, conf->tiers, i), &gates->tiers[i],
                                   NULL)); /* was checked when loaded */
    }
    gates->access = origin_access_new(&(struct origin_access_options){
        .auth = node->auth,
        .engagement = node->engagement,
        .clock = fb_clock_system(),
        .metrics = node->metrics,
        .geo = gates->geo,
        .countries = fb_str_from(gates->countries),
        .serves_unknown = node->conf->countries.unknown == ORIGIN_CONF_UNKNOWN_SERVE,
        .passes = {gates->pass_keys, gates->n_pass_keys},
        .pass_ms = (int64_t)conf->pass,
        .passes_for_all = conf->pass_all,
        .tiers = gates->tiers,
        .n_tiers = conf->tiers.n,
    });
}

/* ---- removal ----------------------------------------------------------------------- */

static int gates_open_removals(struct origin_node *node, struct fb_diag *diag)
{
    const struct origin_conf_purge *conf = &node->conf->purge;
    struct origin_gates *gates = &node->gates;
    struct origin_removals_options options = {
        .catalog = node->catalog,
        .objects = node->objects,
        .clock = fb_clock_system(),
        .metrics = node->metrics,
        .late_ms = (int64_t)conf->late,
        .n_nodes = conf->nodes.n,
    };
    int err = FB_OK;

    gates->nodes = fb_alloc_array(conf->nodes.n, sizeof(*gates->nodes));
    for (size_t i = 0; i < conf->nodes.n; i++) {
        const struct origin_conf_purge_node *one =
            FB_CONF_AT(struct origin_conf_purge_node, conf->nodes, i);
        gates->nodes[i] = (struct origin_purge_node){
            .url = one->url, .is_upper = one->tier == ORIGIN_CONF_TIER_REGIONAL};
    }
    options.nodes = gates->nodes;
    if (conf->nodes.n > 0) {
        err = origin_calls_open(&(struct origin_calls_options){.authorities = conf->authorities,
                                                               .certificate = conf->certificate,
                                                               .key = conf->key},
                                &gates->calls, diag);
        if (err < 0) {
            return err;
        }
        options.way = origin_way_of(gates->calls);
    }
    err = origin_removals_new(&options, &gates->removals);
    if (err < 0) {
        return fb_diag_set(diag, err, "note which nodes are to be purged: %s", fb_err_text(err));
    }
    gates_add_round(node, "removals", REMOVALS_ROUND_MS, origin_removals_run, gates->removals);
    gates_add_round(node, "purges", PURGES_ROUND_MS, origin_removals_run_purges, gates->removals);
    return FB_OK;
}

/* ---- open and close ------------------------------------------------------------------ */

int origin_gates_open(struct origin_node *node, struct fb_diag *diag)
{
    char folder[ORIGIN_NODE_PATH + 8];

    (void)snprintf(folder, sizeof(folder), "%s/keys", node->data);
    int err = gates_load_passes(node, folder, diag);
    if (err < 0 || (err = gates_open_keys(node, folder, diag)) < 0 ||
        (err = gates_open_countries(node, diag)) < 0) {
        return err;
    }
    gates_open_access(node);
    return gates_open_removals(node, diag);
}

void origin_gates_close(struct origin_gates *gates)
{
    origin_removals_free(gates->removals);
    origin_calls_close(gates->calls);
    origin_access_free(gates->access);
    origin_geo_close(gates->geo);
    origin_keys_close(gates->keys);
    origin_sealer_file_close(gates->sealer);
    for (size_t i = 0; i < gates->n_pass_keys; i++) {
        struct fb_str secret = gates->pass_keys[i].secret;
        explicit_bzero((char *)(uintptr_t)secret.ptr, secret.len);
        fb_free((void *)(uintptr_t)secret.ptr);
    }
    fb_free(gates->pass_keys);
    fb_free(gates->tiers);
    fb_free(gates->nodes);
    fb_free(gates->countries);
    *gates = (struct origin_gates){.keys = NULL};
}
