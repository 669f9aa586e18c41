#include "edge/fresh/rule.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/http/content_type.h"
#include "base/regex/regex.h"
#include "edge/fresh/fresh_internal.h"

#include <stdatomic.h>
#include <stdbool.h>

struct rule_compiled {
    struct edge_rule rule;
    struct fb_regex **patterns; /* owned; as many as the rule has */
};

struct edge_rules {
    atomic_uint n_refs;
    struct fb_arena arena;  /* what the rules point at */
    bool asks_content_type; /* one of them does */
    size_t n;
    struct rule_compiled items[];
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

static int rule_compile(struct fb_arena *arena, const struct edge_rule *from,
                        struct rule_compiled *compiled, struct fb_diag *diag)
{
    struct edge_rule *rule = &compiled->rule;

    *rule = *from;
    rule->n_patterns = 0; /* those that are compiled */
    rule->suffixes = copy_strings(arena, from->suffixes, from->n_suffixes);
    rule->prefixes = copy_strings(arena, from->prefixes, from->n_prefixes);
    rule->patterns = NULL;
    rule->content_types = copy_strings(arena, from->content_types, from->n_content_types);
    rule->edits = edge_edits_copy(arena, &from->edits);
    compiled->patterns = fb_arena_alloc(arena, from->n_patterns * sizeof(struct fb_regex *));
    for (size_t i = 0; i < from->n_patterns; i++) {
        int err = fb_regex_new(from->patterns[i], &compiled->patterns[i], diag);
        if (err < 0) {
            return err;
        }
        rule->n_patterns++;
    }
    return FB_OK;
}

int edge_rules_new(const struct edge_rule *rules, size_t n, struct edge_rules **ret_rules,
                   struct fb_diag *diag)
{
    struct edge_rules *list = fb_alloc(sizeof(*list) + n * sizeof(list->items[0]));

    atomic_init(&list->n_refs, 1);
    for (size_t i = 0; i < n; i++) {
        list->n++;
        int err = rule_compile(&list->arena, &rules[i], &list->items[i], diag);
        if (err < 0) {
            edge_rules_unref(list);
            return err;
        }
        list->asks_content_type |= rules[i].n_content_types > 0;
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
    for (size_t i = 0; i < rules->n; i++) {
        for (size_t j = 0; j < rules->items[i].rule.n_patterns; j++) {
            fb_regex_free(rules->items[i].patterns[j]);
        }
    }
    fb_arena_done(&rules->arena);
    fb_free(rules);
}

/* ---- matching ---------------------------------------------------------- */

static bool rule_matches_path(const struct rule_compiled *compiled, struct fb_arena *arena,
                              struct fb_str path)
{
    const struct edge_rule *rule = &compiled->rule;
    bool has_suffix = rule->n_suffixes == 0;
    bool has_prefix = rule->n_prefixes == 0;
    bool has_pattern = rule->n_patterns == 0;

    for (size_t i = 0; i < rule->n_suffixes && !has_suffix; i++) {
        has_suffix = fb_str_ends_with(path, rule->suffixes[i]);
    }
    for (size_t i = 0; i < rule->n_prefixes && !has_prefix; i++) {
        has_prefix = fb_str_starts_with(path, rule->prefixes[i]);
    }
    if (!has_suffix || !has_prefix) {
        return false;
    }
    for (size_t i = 0; i < rule->n_patterns && !has_pattern; i++) {
        has_pattern = fb_regex_match(compiled->patterns[i], arena, path) == FB_REGEX_MATCHES;
    }
    return has_pattern;
}

static bool rule_matches_type(const struct edge_rule *rule, struct fb_str essence)
{
    for (size_t i = 0; i < rule->n_content_types; i++) {
        if (edge_content_type_matches(essence, rule->content_types[i])) {
            return true;
        }
    }
    return rule->n_content_types == 0;
}

static struct edge_treatment treatment_of(struct edge_rules *rules, const struct edge_rule *rule)
{
    struct edge_treatment treatment = {.class = EDGE_CLASS_OTHER, .rules = rules};

    treatment.asks_content_type = rules != NULL && rules->asks_content_type;
    if (rule != NULL) {
        treatment.class = rule->class;
        treatment.min_ttl_ms = rule->min_ttl_ms;
        treatment.max_ttl_ms = rule->max_ttl_ms;
        treatment.caching = rule->caching;
        treatment.edits = &rule->edits;
    }
    return treatment;
}

struct edge_treatment edge_rules_find(struct edge_rules *rules, struct fb_arena *arena,
                                      struct fb_str path)
{
    for (size_t i = 0; rules != NULL && i < rules->n; i++) {
        const struct rule_compiled *compiled = &rules->items[i];
        if (compiled->rule.n_content_types == 0 && rule_matches_path(compiled, arena, path)) {
            return treatment_of(rules, &compiled->rule);
        }
    }
    return treatment_of(rules, NULL);
}

/* The first rule that matches the path and the content type, or NULL. */
static const struct edge_rule *rules_find_by_type(const struct edge_rules *rules,
                                                  struct fb_arena *arena, struct fb_str path,
                                                  struct fb_str essence)
{
    for (size_t i = 0; i < rules->n; i++) {
        const struct rule_compiled *compiled = &rules->items[i];
        if (rule_matches_type(&compiled->rule, essence) &&
            rule_matches_path(compiled, arena, path)) {
            return &compiled->rule;
        }
    }
    return NULL;
}

struct edge_treatment edge_treatment_refine(const struct edge_treatment *treatment,
                                            struct fb_arena *arena, struct fb_str path,
                                            const struct fb_response_head *response)
{
    struct fb_str type = fb_headers_find(&response->headers, FB_STR("content-type"));
    struct fb_str essence = fb_content_type_essence(type);
    struct edge_treatment refined = *treatment;

    if (treatment->asks_content_type) {
        const struct edge_rule *rule = rules_find_by_type(treatment->rules, arena, path, essence);
        refined = treatment_of(treatment->rules, rule);
        if (rule != NULL && rule->n_content_types > 0) {
            return refined; /* the rule knows what it is about */
        }
    }
    /* What an error page looks like says nothing of the path. */
    bool is_success = response->status >= 200 && response->status < 300;
    if (is_success && !edge_class_agrees(refined.class, essence)) {
        const struct edge_edits *edits = refined.edits;
        refined = treatment_of(treatment->rules, NULL);
        refined.edits = edits;
    }
    return refined;
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
