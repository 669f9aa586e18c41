#include "edge/fresh/rule.h"

#include "base/core/alloc.h"
#include "base/core/err.h"

#include <stdatomic.h>
#include <stdbool.h>

struct edge_rules {
    atomic_uint n_refs;
    struct fb_arena arena; /* what the rules point at */
    size_t n;
    struct edge_rule items[];
};

/* ---- lists ------------------------------------------------------------- */

static const struct fb_str *copy_strings(struct fb_arena *arena, const struct fb_str *from,
                                         size_t n)
{
    struct fb_str *copy = fb_arena_alloc(arena, n * sizeof(*copy));

    for (size_t i = 0; i < n; i++) {
        copy[i] = fb_arena_dup(arena, from[i]);
    }
    return copy;
}

static void rule_copy(struct fb_arena *arena, struct edge_rule *rule)
{
    rule->suffixes = copy_strings(arena, rule->suffixes, rule->n_suffixes);
    rule->prefixes = copy_strings(arena, rule->prefixes, rule->n_prefixes);
    rule->edits = edge_edits_copy(arena, &rule->edits);
}

int edge_rules_new(const struct edge_rule *rules, size_t n, struct edge_rules **ret_rules,
                   struct fb_diag *diag)
{
    struct edge_rules *list = fb_alloc(sizeof(*list) + n * sizeof(list->items[0]));

    (void)diag;
    atomic_init(&list->n_refs, 1);
    list->n = n;
    for (size_t i = 0; i < n; i++) {
        list->items[i] = rules[i];
        rule_copy(&list->arena, &list->items[i]);
    }
    *ret_rules = list;
    return FB_OK;
}

struct edge_rules *edge_rules_ref(struct edge_rules *rules)
{
    if (rules != NULL) {
        atomic_fetch_add_explicit(&rules->n_refs, 1, memory_order_relaxed);
    }
    return rules;
}

void edge_rules_unref(struct edge_rules *rules)
{
    if (rules == NULL || atomic_fetch_sub_explicit(&rules->n_refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    fb_arena_done(&rules->arena);
    fb_free(rules);
}

/* ---- matching ---------------------------------------------------------- */

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

struct edge_treatment edge_rules_find(struct edge_rules *rules, struct fb_arena *arena,
                                      struct fb_str path)
{
    (void)arena;
    for (size_t i = 0; rules != NULL && i < rules->n; i++) {
        const struct edge_rule *rule = &rules->items[i];
        if (rule_matches(rule, path)) {
            return (struct edge_treatment){.class = rule->class,
                                           .min_ttl_ms = rule->min_ttl_ms,
                                           .max_ttl_ms = rule->max_ttl_ms,
                                           .caching = rule->caching,
                                           .edits = &rule->edits,
                                           .rules = rules};
        }
    }
    return (struct edge_treatment){.class = EDGE_CLASS_OTHER, .rules = rules};
}

struct edge_treatment edge_treatment_refine(const struct edge_treatment *treatment,
                                            struct fb_arena *arena, struct fb_str path,
                                            const struct fb_response_head *response)
{
    (void)arena;
    (void)path;
    (void)response;
    return *treatment;
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
