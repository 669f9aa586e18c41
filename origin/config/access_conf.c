/*
 * The sections of who may see what, and of what has to go.
 */
#include "base/core/err.h"
#include "base/net/network.h"
#include "origin/config/check.h"
#include "origin/config/config.h"

#define AT(type, member) offsetof(struct type, member)

/* What a token may name its key by (docs/signed-urls.md). */
static int check_key_id(struct fb_str value, struct fb_diag *diag)
{
    bool is_good = value.len > 0 && value.len <= 64;

    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        is_good = is_good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-');
    }
    return is_good ? FB_OK
                   : fb_diag_set(diag, FB_E_MALFORMED,
                                 "1 to 64 letters, digits, '.', '_' and '-' are expected");
}

static int check_country(struct fb_str value, struct fb_diag *diag)
{
    bool is_good = value.len == 2;

    for (size_t i = 0; i < value.len; i++) {
        is_good = is_good && value.ptr[i] >= 'A' && value.ptr[i] <= 'Z';
    }
    return is_good ? FB_OK
                   : fb_diag_set(diag, FB_E_MALFORMED,
                                 "two capital letters of ISO 3166-1 are expected, such as DE");
}

/* ---- playback ------------------------------------------------------------------- */

static const struct fb_conf_item key_items[] = {
    {"id", FB_CONF_STRING, AT(origin_conf_pass_key, id), .is_required = true, .check = check_key_id,
     .help = "Its name, as edges know it."},
    {"secret_file", FB_CONF_PATH, AT(origin_conf_pass_key, secret_file), .is_required = true,
     .probe = origin_conf_probe_read,
     .help = "A file whose first line, of 16 bytes or more, is the secret."},
    {0},
};
static const struct fb_conf_section key_section = {
    .name = "playback.keys",
    .help = "A key that passes are signed with, as in `access.keys` of edges.",
    .size = sizeof(struct origin_conf_pass_key),
    .items = key_items,
};

static const struct fb_conf_item playback_items[] = {
    {"keys", FB_CONF_SECTIONS, AT(origin_conf_playback, keys), .max = 16, .section = &key_section,
     .help = "What passes are signed with: the first signs, all are good. Without any the origin "
             "draws one of its own, `origin`, which it alone knows."},
    {"pass", FB_CONF_DURATION, AT(origin_conf_playback, pass), .min = 60000,
     .max = 7LL * 24 * 3600 * 1000, .preset = "6h",
     .help = "How long a pass is good for, or up to a quarter longer."},
    {"pass_all", FB_CONF_BOOL, AT(origin_conf_playback, pass_all), .preset = "false",
     .help = "Give players passes for public videos too: for edges that ask all for them."},
    {"tiers", FB_CONF_STRINGS, AT(origin_conf_playback, tiers), .max = 256,
     .check = fb_network_check, .check_all = fb_conf_check_distinct,
     .help = "Networks of nodes that ask players for passes themselves, and so get media of "
             "private videos without."},
    {0},
};
const struct fb_conf_section origin_conf_playback_section = {
    .name = "playback",
    .help = "Passes for media (access.md).",
    .size = sizeof(struct origin_conf_playback),
    .items = playback_items,
};

/* ---- countries --------------------------------------------------------------------- */

static int check_countries(const void *conf, struct fb_diag *diag)
{
    const struct origin_conf_countries *countries = conf;

    return countries->allow.n == 0 || countries->deny.n == 0
               ? FB_OK
               : fb_diag_set(diag, FB_E_MALFORMED,
                             "either 'allow' or 'deny' is expected, not both");
}

static const char *const unknown_names[] = {"serve", "refuse", NULL};

static const struct fb_conf_item countries_items[] = {
    {"database", FB_CONF_PATH, AT(origin_conf_countries, database), .probe = origin_conf_probe_read,
     .help = "A MaxMind database of countries. Another file under its name is taken within "
             "seconds; put it there by renaming. Without it no country is known."},
    {"allow", FB_CONF_STRINGS, AT(origin_conf_countries, allow), .max = 250, .check = check_country,
     .check_all = fb_conf_check_distinct, .help = "Where videos may be played, and nowhere else."},
    {"deny", FB_CONF_STRINGS, AT(origin_conf_countries, deny), .max = 250, .check = check_country,
     .check_all = fb_conf_check_distinct, .help = "Where videos may not be played."},
    {"unknown", FB_CONF_ENUM, AT(origin_conf_countries, unknown), .names = unknown_names,
     .preset = "refuse",
     .help = "What is done where there is a list, and it is not known where a client is."},
    {0},
};
const struct fb_conf_section origin_conf_countries_section = {
    .name = "countries",
    .help = "Where videos may be played (access.md).",
    .size = sizeof(struct origin_conf_countries),
    .items = countries_items,
    .check = check_countries,
};

/* ---- purges -------------------------------------------------------------------------- */

static const char *const tier_names[] = {"edge", "regional", NULL};

static const struct fb_conf_item node_items[] = {
    {"url", FB_CONF_STRING, AT(origin_conf_purge_node, url), .is_required = true,
     .check = origin_conf_check_url,
     .help = "Its address for operators, such as http://10.0.0.7:9100."},
    {"tier", FB_CONF_ENUM, AT(origin_conf_purge_node, tier), .names = tier_names, .preset = "edge",
     .help = "Regional nodes are told before edges, which fetch from them."},
    {0},
};
static const struct fb_conf_section node_section = {
    .name = "purge.nodes",
    .help = "A node that keeps copies.",
    .size = sizeof(struct origin_conf_purge_node),
    .items = node_items,
};

static const struct fb_conf_item purge_items[] = {
    {"nodes", FB_CONF_SECTIONS, AT(origin_conf_purge, nodes), .max = 10000,
     .section = &node_section, .help = "Whom to tell when something has to go."},
    {"authorities", FB_CONF_PATH, AT(origin_conf_purge, authorities),
     .probe = origin_conf_probe_read,
     .help = "Whom certificates of nodes are by, in PEM; by default the system's."},
    {"certificate", FB_CONF_PATH, AT(origin_conf_purge, certificate),
     .probe = origin_conf_probe_read, .help = "The certificate to show them, in PEM."},
    {"key", FB_CONF_PATH, AT(origin_conf_purge, key), .probe = origin_conf_probe_read,
     .help = "The key of that certificate."},
    {"late", FB_CONF_DURATION, AT(origin_conf_purge, late), .min = 1000,
     .max = 7LL * 24 * 3600 * 1000, .preset = "1h",
     .help = "When the objects of a deleted video are removed a second time, for what a worker "
             "that had not yet heard of it wrote."},
    {0},
};
const struct fb_conf_section origin_conf_purge_section = {
    .name = "purge",
    .help = "What has to go, from the store and from nodes (access.md).",
    .size = sizeof(struct origin_conf_purge),
    .items = purge_items,
};
