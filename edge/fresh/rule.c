#include "edge/fresh/rule.h"

#include <stdbool.h>

static bool rule_matches(const struct edge_rule *rule, struct fb_str path)
{
    bool has_suffix = rule->n_suffixes == 0;
    bool has_prefix = rule->n_prefixes == 0;

    for (size_t i = 0; i < rule->n_suffixes && !has_suffix; i++) {
        has_suffix = fb_str_ends_with(path, rule->suffixes[i]);
    }
    for (size_t i = 0; i < rule->n_prefixes && !has_prefix; i++) {
        has_prefix = fb_str_starts_with(path, rule->prefixes[i]);
    }
    return has_suffix && has_prefix;
}

struct edge_treatment edge_rules_find(const struct edge_rule *rules, size_t n_rules,
                                      struct fb_str path)
{
    for (size_t i = 0; i < n_rules; i++) {
        if (rule_matches(&rules[i], path)) {
            return (struct edge_treatment){.class = rules[i].class,
                                           .min_ttl_ms = rules[i].min_ttl_ms,
                                           .max_ttl_ms = rules[i].max_ttl_ms};
        }
    }
    return (struct edge_treatment){.class = EDGE_CLASS_OTHER};
}

const char *edge_class_name(enum edge_class class)
{
    switch (class) {
    case EDGE_CLASS_SEGMENT:
        return "segment";
    case EDGE_CLASS_MANIFEST:
        return "manifest";
    case EDGE_CLASS_OTHER:
        break;
    }
    return "other";
}
