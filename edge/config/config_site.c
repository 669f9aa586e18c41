#include "base/core/alloc.h"
#include "base/core/err.h"
#include "edge/config/config.h"
#include "edge/config/config_internal.h"
#include "edge/fresh/rule.h"
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

/* ---- what is made of it ------------------------------------------------ */

/* Freed by the caller with fb_free(); borrows from the configuration. */
static struct edge_rule *site_rules(const struct fb_conf_list *from_rules)
{
    struct edge_rule *rules = fb_alloc_array(from_rules->n, sizeof(*rules));

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

int edge_conf_sites(const struct edge_conf *conf, uint64_t seed, struct edge_sites **ret_sites,
                    struct fb_diag *diag)
{
    FB_AUTO(fb_freep) struct edge_rule *rules = site_rules(&conf->rules);

    return edge_sites_new(
        &(struct edge_sites_spec){
            .rest = {.rules = rules, .n_rules = conf->rules.n},
            .seed = seed,
        },
        ret_sites, diag);
}
