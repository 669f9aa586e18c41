/*
 * A configuration with every type of key, for the tests and the fuzz target of
 * base/conf.
 */
#pragma once

#include "base/conf/conf.h"
#include "base/core/err.h"

struct sample_ttl {
    uint64_t min_ms;
    uint64_t max_ms;
};

struct sample_rule {
    struct fb_conf_list suffix; /* of struct fb_str */
    int class_index;
    struct sample_ttl ttl;
};

struct sample_admin {
    struct fb_str address;
};

struct sample {
    struct fb_str node;
    struct fb_str folder;
    int64_t workers;
    int64_t offset;
    bool is_on;
    uint64_t memory_bytes;
    uint64_t rate_bits;
    struct fb_conf_list names; /* of struct fb_str */
    struct sample_admin admin;
    struct fb_conf_list rules; /* of struct sample_rule */
};

static const struct fb_conf_item sample_ttl_items[] = {
    {"min", FB_CONF_DURATION, offsetof(struct sample_ttl, min_ms), .preset = "1s"},
    {"max", FB_CONF_DURATION, offsetof(struct sample_ttl, max_ms), .max = 86400000, .preset = "1h"},
    {0},
};

static int sample_ttl_check(const void *conf, struct fb_diag *diag)
{
    const struct sample_ttl *ttl = conf;
    if (ttl->min_ms > ttl->max_ms) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'min' is longer than 'max'");
    }
    return 0;
}

static const struct fb_conf_section sample_ttl_section = {
    .name = "ttl",
    .size = sizeof(struct sample_ttl),
    .items = sample_ttl_items,
    .check = sample_ttl_check,
};

static const char *const sample_classes[] = {"segment", "manifest", "other", NULL};

static const struct fb_conf_item sample_rule_items[] = {
    {"suffix", FB_CONF_STRINGS, offsetof(struct sample_rule, suffix), .min = 1,
     .is_required = true},
    {"class", FB_CONF_ENUM, offsetof(struct sample_rule, class_index), .names = sample_classes,
     .preset = "other", .help = "What such a path is."},
    {"ttl", FB_CONF_SECTION, offsetof(struct sample_rule, ttl), .section = &sample_ttl_section},
    {0},
};

static const struct fb_conf_section sample_rule_section = {
    .name = "rule",
    .size = sizeof(struct sample_rule),
    .items = sample_rule_items,
};

/* Only the last rule is for everything else. */
static int sample_rules_check(const struct fb_conf_list *rules, size_t *ret_entry,
                              struct fb_diag *diag)
{
    for (size_t i = 0; i + 1 < rules->n; i++) {
        if (FB_CONF_AT(struct sample_rule, *rules, i)->suffix.n == 4) {
            *ret_entry = i;
            return fb_diag_set(diag, FB_E_MALFORMED, "four suffixes before the end");
        }
    }
    return 0;
}

static int sample_address_check(struct fb_str value, struct fb_diag *diag)
{
    if (fb_str_find(value, ':') == value.len) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' has no port", FB_STR_ARG(value));
    }
    return 0;
}

static const struct fb_conf_item sample_admin_items[] = {
    {"address", FB_CONF_STRING, offsetof(struct sample_admin, address), .is_required = true,
     .check = sample_address_check},
    {0},
};

static const struct fb_conf_section sample_admin_section = {
    .name = "admin",
    .help = "Where the operator looks in.",
    .size = sizeof(struct sample_admin),
    .items = sample_admin_items,
};

static const struct fb_conf_item sample_items[] = {
    {"node", FB_CONF_STRING, offsetof(struct sample, node), .min = 1, .max = 63,
     .is_required = true, .help = "Name of this box."},
    {"folder", FB_CONF_PATH, offsetof(struct sample, folder), .help = "Where it writes."},
    {"workers", FB_CONF_COUNT, offsetof(struct sample, workers), .max = 256, .preset = "auto"},
    {"offset", FB_CONF_INT, offsetof(struct sample, offset), .min = -10, .max = 10},
    {"on", FB_CONF_BOOL, offsetof(struct sample, is_on), .preset = "true"},
    {"memory", FB_CONF_SIZE, offsetof(struct sample, memory_bytes), .min = 1 << 20,
     .preset = "256MiB", .help = "Most that is kept."},
    {"rate", FB_CONF_RATE, offsetof(struct sample, rate_bits), .help = "Most it sends."},
    {"names", FB_CONF_STRINGS, offsetof(struct sample, names), .preset = "[a, b]",
     .check_all = fb_conf_check_distinct},
    {"admin", FB_CONF_SECTION, offsetof(struct sample, admin), .section = &sample_admin_section},
    {"rules", FB_CONF_SECTIONS, offsetof(struct sample, rules), .max = 8,
     .section = &sample_rule_section, .check_all = sample_rules_check},
    {0},
};

static const struct fb_conf_section sample_section = {
    .name = "sample.yaml",
    .size = sizeof(struct sample),
    .items = sample_items,
};
