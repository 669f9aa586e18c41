#include "base/core/arena.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/http/head.h"
#include "base/regex/regex.h"
#include "edge/config/config_internal.h"

enum { MANIFEST_MIN_MS = 1000, MANIFEST_MAX_MS = 30000 };

#define DAY_MS ((int64_t)86400000)

/* ---- checks ------------------------------------------------------------ */

static int rule_check_suffix(struct fb_str value, struct fb_diag *diag)
{
    if (value.len == 0 || fb_str_find(value, '?') < value.len) {
        return fb_diag_set(diag, FB_E_MALFORMED, "the end of a path, such as .m4s, is expected");
    }
    return FB_OK;
}

static int rule_check_prefix(struct fb_str value, struct fb_diag *diag)
{
    if (!fb_str_starts_with(value, FB_STR("/")) || fb_str_find(value, '?') < value.len) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "the beginning of a path, such as /media/, is expected");
    }
    return FB_OK;
}

static int rule_check_ttl(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_ttl *ttl = conf;

    if (ttl->max != 0 && ttl->min > ttl->max) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'min' is longer than 'max'");
    }
    return FB_OK;
}

static int rule_check_whole(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_rule *rule = conf;

    if (rule->class == EDGE_CLASS_SEGMENT && (rule->ttl.min != 0 || rule->ttl.max != 0)) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "segments never change and are kept a year: ttl does not apply");
    }
    return FB_OK;
}

static int rule_check_content_type(struct fb_str value, struct fb_diag *diag)
{
    size_t slash = fb_str_find(value, '/');
    struct fb_str subtype = fb_str_skip(value, slash + 1);

    if (!fb_is_token(fb_str_first(value, slash)) || !fb_is_token(subtype) ||
        fb_str_equal(fb_str_first(value, slash), FB_STR("*"))) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "a content type without parameters, such as video/mp4 or video/*, is "
                           "expected");
    }
    return FB_OK;
}

/* "404", or "4xx" as 4; 0 for anything else. */
static unsigned rule_status(struct fb_str text)
{
    uint64_t status = 0;

    if (fb_str_equal(text, FB_STR("4xx")) || fb_str_equal(text, FB_STR("5xx"))) {
        return (unsigned)(text.ptr[0] - '0');
    }
    if (fb_str_to_u64(text, &status) < 0 || status < 400 || status > 599) {
        return 0;
    }
    return (unsigned)status;
}

static int rule_check_status(struct fb_str value, struct fb_diag *diag)
{
    if (rule_status(value) == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "a status of 400 to 599, 4xx or 5xx is expected");
    }
    return FB_OK;
}

static int rule_check_negative(const struct fb_conf_list *list, size_t *ret_entry,
                               struct fb_diag *diag)
{
    return fb_conf_check_distinct_by(list, FB_CONF_TEXT("status", edge_conf_negative, status),
                                     ret_entry, diag);
}

static int rule_check_field_name(struct fb_str value, struct fb_diag *diag)
{
    return edge_edit_check_name(value, diag);
}

static int rule_check_field_line(struct fb_str value, struct fb_diag *diag)
{
    struct fb_header line;

    return edge_edit_parse(value, &line, diag);
}

/* ---- tables ------------------------------------------------------------ */

#define AT(type, member) offsetof(struct type, member)

static const struct fb_conf_item headers_items[] = {
    {"remove", FB_CONF_STRINGS, AT(edge_conf_headers, remove), .check = rule_check_field_name,
     .check_all = fb_conf_check_distinct,
     .help =
         "Names of fields of upstreams that clients do not get. Without an upstream's `Server`, "
         "this node says its own."},
    {"add", FB_CONF_STRINGS, AT(edge_conf_headers, add), .check = rule_check_field_line,
     .help = "Lines that they get besides, such as `X-Frame-Options: DENY`. To replace a field, "
             "write it in both."},
    {0},
};

const struct fb_conf_section edge_conf_headers_section = {
    .name = "headers",
    .help = "Changes to the header fields of responses on their way to clients; what is kept, and "
            "for how long, does not depend on them. Fields that frame a message, or that this "
            "node writes (`Age`, `Via`, `Cache-Status` …), stay.",
    .size = sizeof(struct edge_conf_headers),
    .items = headers_items,
};

static const struct fb_conf_item match_items[] = {
    {"suffix", FB_CONF_STRINGS, AT(edge_conf_match, suffix), .check = rule_check_suffix,
     .help = "The path, without its query, ends with one of these."},
    {"prefix", FB_CONF_STRINGS, AT(edge_conf_match, prefix), .check = rule_check_prefix,
     .help = "The path begins with one of these."},
    {"regex", FB_CONF_STRINGS, AT(edge_conf_match, regex), .check = fb_regex_check,
     .help = "One of these regular expressions (in Perl's syntax) matches somewhere in the path; "
             "`^` and `$` bind it to the ends. One that needs too many steps does not match."},
    {"content_type", FB_CONF_STRINGS, AT(edge_conf_match, content_type),
     .check = rule_check_content_type,
     .help = "The response is of one of these types, such as `video/mp4` or `video/*`. Such a "
             "rule has its say when the response is there; until then, the others decide."},
    {0},
};

static const struct fb_conf_section match_section = {
    .name = "match",
    .help = "What a rule is for; all that is written must hold, what is not written is not asked. "
            "The path is looked at in its normal form, without its query.",
    .size = sizeof(struct edge_conf_match),
    .items = match_items,
};

static const struct fb_conf_item ttl_items[] = {
    {"min", FB_CONF_DURATION, AT(edge_conf_ttl, min), .preset = "0",
     .help = "Kept at least so long, whatever the upstream says."},
    {"max", FB_CONF_DURATION, AT(edge_conf_ttl, max), .preset = "0",
     .help = "Kept at most so long; 0: no bound."},
    {"errors", FB_CONF_DURATION, AT(edge_conf_ttl, errors), .max = DAY_MS, .preset = "0",
     .help = "No error (400 and above) is kept longer; 0: 10s for segments and manifests, which "
             "may be asked for before they are there, and no bound for others."},
    {0},
};

static const struct fb_conf_section ttl_section = {
    .name = "ttl",
    .help =
        "Bounds of the time a response is fresh. A manifest's `min` and `max` are 1s and 30s if "
        "neither is written.",
    .size = sizeof(struct edge_conf_ttl),
    .items = ttl_items,
    .check = rule_check_ttl,
};

static const struct fb_conf_item negative_items[] = {
    {"status", FB_CONF_STRING, AT(edge_conf_negative, status), .is_required = true,
     .check = rule_check_status, .help = "`404`, or `4xx` for all that have no entry."},
    {"ttl", FB_CONF_DURATION, AT(edge_conf_negative, ttl), .max = DAY_MS, .is_required = true,
     .help = "Kept so long, or less if the upstream says so; 0: not at all."},
    {0},
};

static const struct fb_conf_section negative_section = {
    .name = "negative",
    .help = "How long errors are kept, by status. Without an entry it is as in RFC 9111, and those "
            "of 5xx but 501 are not kept.",
    .size = sizeof(struct edge_conf_negative),
    .items = negative_items,
};

static const struct fb_conf_item heuristic_items[] = {
    {"percent", FB_CONF_INT, AT(edge_conf_heuristic, percent), .min = 0, .max = 100, .preset = "0",
     .help = "Of the time since Last-Modified, for which a response is fresh that says nothing of "
             "it; 0: none is."},
    {"max", FB_CONF_DURATION, AT(edge_conf_heuristic, max), .min = 1, .max = 365 * DAY_MS,
     .preset = "1d", .help = "But no longer."},
    {0},
};

static const struct fb_conf_section heuristic_section = {
    .name = "heuristic",
    .help = "Freshness of what says nothing of its own (RFC 9111 section 4.2.2), of class `other`.",
    .size = sizeof(struct edge_conf_heuristic),
    .items = heuristic_items,
};

const char *const edge_conf_cookie_names[] = {[EDGE_COOKIES_BY_CLASS] = "by-class",
                                              [EDGE_COOKIES_PASS] = "pass",
                                              [EDGE_COOKIES_DROP] = "drop",
                                              [EDGE_COOKIES_SHARE] = "share",
                                              NULL};

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
     .help = "Bounds of the time a response is fresh; `min` and `max` are not for segments."},
    {"negative", FB_CONF_SECTIONS, AT(edge_conf_rule, negative), .section = &negative_section,
     .max = EDGE_NEGATIVE_MAX, .check_all = rule_check_negative,
     .help = "How long errors are kept."},
    {"heuristic", FB_CONF_SECTION, AT(edge_conf_rule, heuristic), .section = &heuristic_section,
     .help = "Freshness of what says nothing of its own."},
    {"cookies", FB_CONF_ENUM, AT(edge_conf_rule, cookies), .names = edge_conf_cookie_names,
     .preset = "by-class",
     .help =
         "What becomes of a response with Set-Cookie: `pass`, it is not kept; `drop`, it is kept "
         "and given without the field; `share`, it is kept with it, so that everybody gets one "
         "cookie; `by-class`, what the site says, and else `drop` for segments and `pass` for "
         "all others."},
    {"stale_despite_s_maxage", FB_CONF_BOOL, AT(edge_conf_rule, stale_despite_s_maxage),
     .preset = "false",
     .help = "`s-maxage` forbids any use when stale; true: not beside an express "
             "`stale-while-revalidate` or `stale-if-error`."},
    {"headers", FB_CONF_SECTION, AT(edge_conf_rule, headers), .section = &edge_conf_headers_section,
     .help = "Changes to its responses, after the site's."},
    {0},
};

const struct fb_conf_section edge_conf_rule_section = {
    .name = "rules",
    .help =
        "The first rule that matches decides; what none matches follows plain RFC 9111. A class "
        "that the response's content type contradicts gives way to `other`: a page is no "
        "segment, whatever its path ends with.",
    .size = sizeof(struct edge_conf_rule),
    .items = rule_items,
    .check = rule_check_whole,
};

/* ---- what is made of it ------------------------------------------------ */

struct edge_edits edge_conf_edits(struct fb_arena *arena, const struct edge_conf_headers *headers)
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

static struct edge_caching rule_caching(const struct edge_conf_rule *from,
                                        enum edge_cookies cookies)
{
    struct edge_caching caching = {
        .heuristic_percent = (unsigned)from->heuristic.percent,
        .heuristic_max_ms = (int64_t)from->heuristic.max,
        .n_negative = (uint8_t)from->negative.n,
        .error_max_ms = (int64_t)from->ttl.errors,
        .cookies =
            from->cookies != EDGE_COOKIES_BY_CLASS ? (enum edge_cookies)from->cookies : cookies,
        .is_lax_on_s_maxage = from->stale_despite_s_maxage,
    };

    for (size_t i = 0; i < from->negative.n; i++) {
        const struct edge_conf_negative *entry =
            FB_CONF_AT(struct edge_conf_negative, from->negative, i);
        caching.negative[i] = (struct edge_negative){.status = (uint16_t)rule_status(entry->status),
                                                     .ttl_ms = (uint32_t)entry->ttl};
    }
    return caching;
}

static struct edge_rule rule_of(struct fb_arena *arena, const struct edge_conf_rule *from,
                                enum edge_cookies cookies)
{
    bool takes_preset =
        from->class == EDGE_CLASS_MANIFEST && from->ttl.min == 0 && from->ttl.max == 0;

    return (struct edge_rule){
        .suffixes = from->match.suffix.items,
        .n_suffixes = from->match.suffix.n,
        .prefixes = from->match.prefix.items,
        .n_prefixes = from->match.prefix.n,
        .patterns = from->match.regex.items,
        .n_patterns = from->match.regex.n,
        .content_types = from->match.content_type.items,
        .n_content_types = from->match.content_type.n,
        .class = (enum edge_class)from->class,
        .min_ttl_ms = takes_preset ? MANIFEST_MIN_MS : (int64_t)from->ttl.min,
        .max_ttl_ms = takes_preset ? MANIFEST_MAX_MS : (int64_t)from->ttl.max,
        .caching = rule_caching(from, cookies),
        .edits = edge_conf_edits(arena, &from->headers),
    };
}

struct edge_rule *edge_conf_rules(struct fb_arena *arena, const struct fb_conf_list *list,
                                  enum edge_cookies cookies, size_t *ret_n)
{
    struct edge_rule *rules = fb_arena_alloc(arena, (list->n + 1) * sizeof(*rules));
    size_t n = 0;

    while (n < list->n) {
        rules[n] = rule_of(arena, FB_CONF_AT(struct edge_conf_rule, *list, n), cookies);
        n++;
    }
    if (cookies != EDGE_COOKIES_BY_CLASS) {
        /* Of paths that no rule matches the site has something to say too. */
        rules[n++] = (struct edge_rule){.caching = {.cookies = cookies}};
    }
    *ret_n = n;
    return rules;
}
