#include "base/core/arena.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/map.h"
#include "edge/config/config.h"
#include "edge/config/config_internal.h"
#include "edge/fresh/rule.h"
#include "edge/site/host.h"
#include "edge/site/site.h"

enum { MANIFEST_MIN_MS = 1000, MANIFEST_MAX_MS = 30000 };

/* ---- checks ------------------------------------------------------------ */

static int site_check_suffix(struct fb_str value, struct fb_diag *diag)
{
    if (value.len == 0 || fb_str_find(value, '?') < value.len) {
        return fb_diag_set(diag, FB_E_MALFORMED, "the end of a path, such as .m4s, is expected");
    }
    return FB_OK;
}

static int site_check_prefix(struct fb_str value, struct fb_diag *diag)
{
    if (!fb_str_starts_with(value, FB_STR("/")) || fb_str_find(value, '?') < value.len) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "the beginning of a path, such as /media/, is expected");
    }
    return FB_OK;
}

static int site_check_ttl(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_ttl *ttl = conf;

    if (ttl->max != 0 && ttl->min > ttl->max) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'min' is longer than 'max'");
    }
    return FB_OK;
}

static int site_check_rule(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_rule *rule = conf;

    if (rule->class == EDGE_CLASS_SEGMENT && (rule->ttl.min != 0 || rule->ttl.max != 0)) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "segments never change and are kept a year: ttl does not apply");
    }
    return FB_OK;
}

static int site_check_field_name(struct fb_str value, struct fb_diag *diag)
{
    return edge_edit_check_name(value, diag);
}

static int site_check_field_line(struct fb_str value, struct fb_diag *diag)
{
    struct fb_header line;

    return edge_edit_parse(value, &line, diag);
}

static int site_check_parameter(struct fb_str value, struct fb_diag *diag)
{
    if (value.len == 0 || fb_str_find(value, '&') < value.len ||
        fb_str_find(value, '=') < value.len) {
        return fb_diag_set(diag, FB_E_MALFORMED, "the name of a query parameter is expected");
    }
    switch (edge_parameter_of(value)) {
    case EDGE_PARAMETER_ALWAYS:
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'%.*s' always counts: it selects what a playlist is to hold",
                           FB_STR_ARG(value));
    case EDGE_PARAMETER_NEVER:
        return fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' never counts: it tells of the player",
                           FB_STR_ARG(value));
    case EDGE_PARAMETER_BY_POLICY:
        break;
    }
    return FB_OK;
}

static int site_check_key(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_key *key = conf;

    if (key->include.n > 0 && key->query != EDGE_KEY_NONE) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'include' is for 'query: none', which takes no others");
    }
    if (key->exclude.n > 0 && key->query == EDGE_KEY_NONE) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'exclude' is not for 'query: none', which takes none anyway");
    }
    return FB_OK;
}

/* Adds the hosts of `site` to those of the sites before it. */
static int site_add_hosts(struct fb_map *hosts, const struct edge_conf_site *site,
                          struct fb_diag *diag)
{
    for (size_t i = 0; i < site->hosts.n; i++) {
        struct fb_str text = *FB_CONF_AT(struct fb_str, site->hosts, i);
        struct edge_host host;
        int err = edge_host_read(text, &host, diag);
        if (err < 0) {
            return err;
        }
        struct fb_str name = host.is_rest ? FB_STR("*") : edge_host_str(&host);
        if (fb_map_put(hosts, name, &hosts) != NULL) {
            return fb_diag_set(diag, FB_E_MALFORMED, "host '%.*s' is listed twice",
                               FB_STR_ARG(text));
        }
    }
    return FB_OK;
}

int edge_conf_check_sites(const struct fb_conf_list *sites, size_t *ret_entry, struct fb_diag *diag)
{
    struct fb_map *hosts = fb_map_new(1);
    int err = FB_OK;

    for (size_t i = 0; i < sites->n && err == FB_OK; i++) {
        *ret_entry = i;
        err = site_add_hosts(hosts, FB_CONF_AT(struct edge_conf_site, *sites, i), diag);
    }
    if (err == FB_OK && fb_map_count(hosts) > EDGE_SITE_HOSTS_MAX) {
        err = fb_diag_set(diag, FB_E_LIMIT, "there are more than %d hosts", EDGE_SITE_HOSTS_MAX);
    }
    fb_map_free(hosts);
    return err;
}

/* ---- tables ------------------------------------------------------------ */

#define AT(type, member) offsetof(struct type, member)

static const struct fb_conf_item match_items[] = {
    {"suffix", FB_CONF_STRINGS, AT(edge_conf_match, suffix), .check = site_check_suffix,
     .help = "The path, without its query, ends with one of these."},
    {"prefix", FB_CONF_STRINGS, AT(edge_conf_match, prefix), .check = site_check_prefix,
     .help = "The path begins with one of these."},
    {0},
};

static const struct fb_conf_section match_section = {
    .name = "match",
    .help = "Which paths a rule is for; what is not written is not asked.",
    .size = sizeof(struct edge_conf_match),
    .items = match_items,
};

static const struct fb_conf_item ttl_items[] = {
    {"min", FB_CONF_DURATION, AT(edge_conf_ttl, min), .preset = "0",
     .help = "Kept at least so long, whatever the upstream says."},
    {"max", FB_CONF_DURATION, AT(edge_conf_ttl, max), .preset = "0",
     .help = "Kept at most so long; 0: no bound."},
    {0},
};

static const struct fb_conf_section ttl_section = {
    .name = "ttl",
    .help = "Bounds of the time a response is fresh. A manifest's are 1s and 30s if not written.",
    .size = sizeof(struct edge_conf_ttl),
    .items = ttl_items,
    .check = site_check_ttl,
};

static const char *const class_names[] = {[EDGE_CLASS_OTHER] = "other",
                                          [EDGE_CLASS_SEGMENT] = "segment",
                                          [EDGE_CLASS_MANIFEST] = "manifest",
                                          NULL};

static const struct fb_conf_item rule_items[] = {
    {"match", FB_CONF_SECTION, AT(edge_conf_rule, match), .section = &match_section,
     .help = "Which paths this rule is for."},
    {"class", FB_CONF_ENUM, AT(edge_conf_rule, class), .names = class_names, .is_required = true,
     .help = "A `segment` never changes; a `manifest` does; `other` follows RFC 9111."},
    {"ttl", FB_CONF_SECTION, AT(edge_conf_rule, ttl), .section = &ttl_section,
     .help = "Bounds of the time a response is fresh; not for segments."},
    {0},
};

const struct fb_conf_section edge_conf_rule_section = {
    .name = "rules",
    .help = "The first rule that matches a path decides; a path that none matches follows plain "
            "RFC 9111.",
    .size = sizeof(struct edge_conf_rule),
    .items = rule_items,
    .check = site_check_rule,
};

static const char *const query_names[] =
    {[EDGE_KEY_WHOLE] = "whole", [EDGE_KEY_ALL] = "all", [EDGE_KEY_NONE] = "none", NULL};

static const struct fb_conf_item key_items[] = {
    {"query", FB_CONF_ENUM, AT(edge_conf_key, query), .names = query_names, .preset = "whole",
     .help = "`whole`: every parameter, in the order in which they are written; `all`: every one, "
             "in the order of their names; `none`: only those of `include`, likewise."},
    {"include", FB_CONF_STRINGS, AT(edge_conf_key, include), .check = site_check_parameter,
     .check_all = fb_conf_check_distinct, .help = "Parameters that count, with `query: none`."},
    {"exclude", FB_CONF_STRINGS, AT(edge_conf_key, exclude), .check = site_check_parameter,
     .check_all = fb_conf_check_distinct, .help = "Parameters that do not count, with the others."},
    {0},
};

static const struct fb_conf_section key_section = {
    .name = "key",
    .help = "Which parameters of a URL's query select a response; the upstream is asked without "
            "the others. `CMCD` and `CMCD-…` never count, `_HLS_msn`, `_HLS_part` and `_HLS_skip` "
            "always do, in this order behind the others. Other methods than GET and HEAD keep "
            "their query.",
    .size = sizeof(struct edge_conf_key),
    .items = key_items,
    .check = site_check_key,
};

static const struct fb_conf_item headers_items[] = {
    {"remove", FB_CONF_STRINGS, AT(edge_conf_headers, remove), .check = site_check_field_name,
     .check_all = fb_conf_check_distinct, .help = "Names of fields that clients do not get."},
    {"add", FB_CONF_STRINGS, AT(edge_conf_headers, add), .check = site_check_field_line,
     .help = "Lines that they get besides, such as `X-Frame-Options: DENY`. To replace a field, "
             "write it in both."},
    {0},
};

static const struct fb_conf_section headers_section = {
    .name = "headers",
    .help = "Changes to the header fields of responses on their way to clients; what is kept, and "
            "for how long, does not depend on them. Fields that frame a message, or that this "
            "node writes (`Age`, `Via`, `Cache-Status` …), stay.",
    .size = sizeof(struct edge_conf_headers),
    .items = headers_items,
};

static const struct fb_conf_item site_items[] = {
    {"hosts", FB_CONF_STRINGS, AT(edge_conf_site, hosts), .min = 1, .is_required = true,
     .check = edge_site_check_host, .check_all = fb_conf_check_distinct,
     .help = "Names without port, such as `video.example`; `*.cdn.example` for all that end so, in "
             "any depth; `*` for what no other site names. A name comes before wildcards, and a "
             "longer wildcard before a shorter one."},
    {"key", FB_CONF_SECTION, AT(edge_conf_site, key), .section = &key_section,
     .help = "What of a URL selects a response."},
    {"rules", FB_CONF_SECTIONS, AT(edge_conf_site, rules), .section = &edge_conf_rule_section,
     .help = "What is known of its paths; the root's rules if not written."},
    {"headers", FB_CONF_SECTION, AT(edge_conf_site, headers), .section = &headers_section,
     .help = "Changes to all its responses."},
    {0},
};

const struct fb_conf_section edge_conf_site_section = {
    .name = "sites",
    .help = "What holds for some hosts. Hosts that no site names share the root's `rules`, and "
            "the preset of everything else.",
    .size = sizeof(struct edge_conf_site),
    .items = site_items,
};

/* ---- what is made of it ------------------------------------------------ */

/* In the arena; borrows from the configuration. */
static struct edge_rule *site_rules(struct fb_arena *arena, const struct fb_conf_list *from_rules)
{
    struct edge_rule *rules = fb_arena_alloc(arena, from_rules->n * sizeof(*rules));

    for (size_t i = 0; i < from_rules->n; i++) {
        const struct edge_conf_rule *from = FB_CONF_AT(struct edge_conf_rule, *from_rules, i);
        bool takes_preset =
            from->class == EDGE_CLASS_MANIFEST && from->ttl.min == 0 && from->ttl.max == 0;
        rules[i] = (struct edge_rule){
            .suffixes = from->match.suffix.items,
            .n_suffixes = from->match.suffix.n,
            .prefixes = from->match.prefix.items,
            .n_prefixes = from->match.prefix.n,
            .class = (enum edge_class)from->class,
            .min_ttl_ms = takes_preset ? MANIFEST_MIN_MS : (int64_t)from->ttl.min,
            .max_ttl_ms = takes_preset ? MANIFEST_MAX_MS : (int64_t)from->ttl.max,
        };
    }
    return rules;
}

/* The lines of `headers`, in an arena. */
static struct edge_edits site_edits(struct fb_arena *arena, const struct edge_conf_headers *headers)
{
    struct fb_header *added = fb_arena_alloc(arena, headers->add.n * sizeof(*added));

    for (size_t i = 0; i < headers->add.n; i++) {
        struct fb_str text = *FB_CONF_AT(struct fb_str, headers->add, i);
        int err = edge_edit_parse(text, &added[i], NULL);
        FB_REQUIRE(err == FB_OK); /* the table has checked it */
    }
    return (struct edge_edits){.removed = headers->remove.items,
                               .n_removed = headers->remove.n,
                               .added = added,
                               .n_added = headers->add.n};
}

static struct edge_site_spec site_spec(struct fb_arena *arena, const struct edge_conf *conf,
                                       const struct edge_conf_site *from)
{
    const struct fb_conf_list *rules = from->rules.items != NULL ? &from->rules : &conf->rules;

    return (struct edge_site_spec){
        .hosts = from->hosts.items,
        .n_hosts = from->hosts.n,
        .site =
            {
                .key = {.query = (enum edge_key_query)from->key.query,
                        .included = from->key.include.items,
                        .n_included = from->key.include.n,
                        .excluded = from->key.exclude.items,
                        .n_excluded = from->key.exclude.n},
                .edits = site_edits(arena, &from->headers),
            },
        .rules = site_rules(arena, rules),
        .n_rules = rules->n,
    };
}

int edge_conf_sites(const struct edge_conf *conf, uint64_t seed, struct edge_sites **ret_sites,
                    struct fb_diag *diag)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct edge_site_spec *sites = fb_arena_alloc(&arena, conf->sites.n * sizeof(*sites));

    for (size_t i = 0; i < conf->sites.n; i++) {
        sites[i] = site_spec(&arena, conf, FB_CONF_AT(struct edge_conf_site, conf->sites, i));
    }
    return edge_sites_new(
        &(struct edge_sites_spec){
            .sites = sites,
            .n_sites = conf->sites.n,
            .rest = {.rules = site_rules(&arena, &conf->rules), .n_rules = conf->rules.n},
            .seed = seed,
        },
        ret_sites, diag);
}
