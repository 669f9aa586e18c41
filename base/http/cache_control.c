#include "base/http/cache_control.h"

#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/http/head.h"
#include "base/http/structured.h"

int64_t fb_delta_parse(struct fb_str text)
{
    int64_t number = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return 0;
        }
        number = FB_MIN(10 * number + (text.ptr[i] - '0'), FB_DELTA_MAX);
    }
    return number;
}

/* ---- directives ---------------------------------------------------------- */

static const struct fb_cache_control no_directives = {
    .max_age = FB_DELTA_NONE,
    .s_maxage = FB_DELTA_NONE,
    .stale_while_revalidate = FB_DELTA_NONE,
    .stale_if_error = FB_DELTA_NONE,
    .min_fresh = FB_DELTA_NONE,
    .max_stale = FB_DELTA_NONE,
};

/* The directive with a number that is called `name`, or NULL. */
static int64_t *find_delta(struct fb_cache_control *cc, struct fb_str name)
{
    const struct {
        struct fb_str name;
        int64_t *delta;
    } deltas[] = {
        {FB_STR("max-age"), &cc->max_age},
        {FB_STR("s-maxage"), &cc->s_maxage},
        {FB_STR("stale-while-revalidate"), &cc->stale_while_revalidate},
        {FB_STR("stale-if-error"), &cc->stale_if_error},
        {FB_STR("min-fresh"), &cc->min_fresh},
        {FB_STR("max-stale"), &cc->max_stale},
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(deltas); i++) {
        if (fb_str_equal_nocase(name, deltas[i].name)) {
            return deltas[i].delta;
        }
    }
    return NULL;
}

/* The directive without a number that is called `name`, if it counts with an argument. */
static bool *find_flag(struct fb_cache_control *cc, struct fb_str name, bool has_argument)
{
    const struct {
        struct fb_str name;
        bool *flag;
        bool allows;
    } flags[] = {
        {FB_STR("no-store"), &cc->no_store, false},
        {FB_STR("no-cache"), &cc->no_cache, false},
        {FB_STR("no-transform"), &cc->no_transform, false},
        {FB_STR("only-if-cached"), &cc->only_if_cached, false},
        {FB_STR("private"), &cc->is_private, false},
        {FB_STR("public"), &cc->is_public, true},
        {FB_STR("must-revalidate"), &cc->must_revalidate, false},
        {FB_STR("proxy-revalidate"), &cc->proxy_revalidate, false},
        {FB_STR("must-understand"), &cc->must_understand, true},
        {FB_STR("immutable"), &cc->immutable, true},
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(flags); i++) {
        if (fb_str_equal_nocase(name, flags[i].name)) {
            return flags[i].allows && has_argument ? NULL : flags[i].flag;
        }
    }
    return NULL;
}

/* True for what no response can do without: bytes would be misread, or the response
 * kept for longer or for others than it may be. */
static bool is_vital(struct fb_str name)
{
    static const struct fb_str names[] = {
        FB_STR("age"),           FB_STR("cache-control"), FB_STR("cdn-cache-control"),
        FB_STR("connection"),    FB_STR("content-range"), FB_STR("content-encoding"),
        FB_STR("content-type"),  FB_STR("date"),          FB_STR("etag"),
        FB_STR("expires"),       FB_STR("location"),      FB_STR("forebay-cache-control"),
        FB_STR("last-modified"), FB_STR("vary"),
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(names); i++) {
        if (fb_str_equal_nocase(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* True if `list` names fields, at least one, that a response can do without. */
static bool is_list_of_fields(struct fb_str list)
{
    struct fb_str name;
    size_t n = 0;

    while (fb_list_member(&list, &name)) {
        if (!fb_is_token(name) || is_vital(name)) {
            return false;
        }
        n++;
    }
    return n > 0;
}

/* Where no-cache or private keeps its list of fields; NULL for any other. */
static struct fb_str *find_fields(struct fb_cache_control *cc, struct fb_str name)
{
    if (fb_str_equal_nocase(name, FB_STR("no-cache"))) {
        return &cc->no_cache_fields;
    }
    return fb_str_equal_nocase(name, FB_STR("private")) ? &cc->private_fields : NULL;
}

/* A whole response that may not be shared has no fields of which that is said. */
static void settle_fields(struct fb_cache_control *cc)
{
    if (cc->no_cache) {
        cc->no_cache_fields = FB_STR_NONE;
    }
    if (cc->is_private) {
        cc->private_fields = FB_STR_NONE;
    }
}

/* ---- Cache-Control -------------------------------------------------------- */

/* One directive as it was written. */
struct directive {
    struct fb_str name;
    struct fb_str argument; /* without the quotes that some senders add */
    bool has_argument;
    bool is_spaced; /* around the '=' */
};

static struct directive directive_of(struct fb_str member)
{
    size_t equals = fb_str_find(member, '=');
    struct fb_str left = fb_str_first(member, equals);
    struct fb_str right = fb_str_skip(member, equals + 1);
    struct directive directive = {
        .name = fb_str_trim(left),
        .argument = fb_str_trim(right),
        .has_argument = equals < member.len,
    };
    struct fb_str text = directive.argument;

    directive.is_spaced = directive.name.len < left.len || text.len < right.len;
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"') {
        directive.argument = fb_str_first(fb_str_skip(text, 1), text.len - 2);
    }
    return directive;
}

static void note_delta(int64_t *delta, const struct directive *directive, bool is_optional)
{
    int64_t value = directive->is_spaced ? 0 : fb_delta_parse(directive->argument);

    if (is_optional && !directive->has_argument) {
        value = FB_DELTA_MAX;
    }
    if (*delta == FB_DELTA_NONE || value < *delta) {
        *delta = value;
    }
}

static void note_directive(struct fb_cache_control *cc, const struct directive *directive)
{
    int64_t *delta = find_delta(cc, directive->name);
    struct fb_str *fields = find_fields(cc, directive->name);

    if (delta != NULL) {
        note_delta(delta, directive, delta == &cc->max_stale);
        return;
    }
    if (fields != NULL && fields->len == 0 && is_list_of_fields(directive->argument)) {
        *fields = directive->argument;
        return;
    }
    bool *flag = find_flag(cc, directive->name, directive->has_argument);
    if (flag != NULL) {
        *flag = true;
    }
}

/* True if a quoted string in `text` has no end. */
static bool is_open_ended(struct fb_str text)
{
    bool is_quoted = false;

    for (size_t i = 0; i < text.len; i++) {
        if (is_quoted && text.ptr[i] == '\\') {
            i++;
        } else if (text.ptr[i] == '"') {
            is_quoted = !is_quoted;
        }
    }
    return is_quoted;
}

struct fb_cache_control fb_cache_control_parse(struct fb_str value)
{
    struct fb_cache_control cc = no_directives;
    bool is_damaged = is_open_ended(value);
    struct fb_str member;

    while (fb_list_member(&value, &member)) {
        struct directive directive = directive_of(member);
        note_directive(&cc, &directive);
    }
    if (is_damaged) {
        cc.no_store = true;
        cc.must_understand = false;
    }
    settle_fields(&cc);
    return cc;
}

/* ---- targeted fields ------------------------------------------------------- */

static void note_member(struct fb_cache_control *cc, const struct fb_sf_member *member)
{
    int64_t *delta = find_delta(cc, member->key);
    struct fb_str *fields = find_fields(cc, member->key);
    bool is_true = member->kind == FB_SF_BOOLEAN && member->integer == 1;
    bool is_false = member->kind == FB_SF_BOOLEAN && member->integer == 0;
    bool is_text = member->kind == FB_SF_STRING || member->kind == FB_SF_TOKEN;

    if (delta != NULL) {
        bool is_number = member->kind == FB_SF_INTEGER && member->integer >= 0;
        *delta = is_number ? FB_MIN(member->integer, FB_DELTA_MAX) : 0;
        return;
    }
    if (fields != NULL) {
        *fields = is_text && is_list_of_fields(member->text) ? member->text : FB_STR_NONE;
    }
    bool *flag = find_flag(cc, member->key, false);
    if (flag != NULL) {
        bool allows = find_flag(cc, member->key, true) == NULL;
        bool has_fields = fields != NULL && fields->len > 0;
        *flag = allows ? is_true : !is_false && !has_fields;
    }
}

int fb_cache_control_parse_targeted(struct fb_str value, struct fb_cache_control *ret_cc)
{
    struct fb_cache_control cc = no_directives;
    struct fb_sf_member member;
    size_t n = 0;
    int err = FB_OK;

    while ((err = fb_sf_next_member(&value, &member)) == FB_OK) {
        note_member(&cc, &member);
        n++;
    }
    if (err != FB_E_END || n == 0) {
        return FB_E_MALFORMED;
    }
    *ret_cc = cc;
    return FB_OK;
}
