#include "origin/access/countries.h"

#include "base/core/err.h"
#include "base/json/json.h"

int origin_country_check(struct fb_str country, struct fb_diag *diag)
{
    bool is_country = country.len == ORIGIN_COUNTRY_LEN;

    for (size_t i = 0; is_country && i < country.len; i++) {
        is_country = country.ptr[i] >= 'A' && country.ptr[i] <= 'Z';
    }
    return is_country ? FB_OK
                      : fb_diag_set(diag, FB_E_MALFORMED,
                                    "a country is two capital letters of ISO 3166-1, such as DE");
}

static int load_list(const struct fb_json *array, const char *name, struct fb_buf *list,
                     struct fb_diag *diag)
{
    size_t n = fb_json_count(array);

    if (fb_json_type(array) != FB_JSON_ARRAY || n == 0 || n > ORIGIN_COUNTRIES_MAX) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' must be an array of 1 to %d countries", name,
                           ORIGIN_COUNTRIES_MAX);
    }
    fb_buf_printf(list, "%s:", name);
    for (size_t i = 0; i < n; i++) {
        struct fb_str country = fb_json_str(fb_json_at(array, i));
        int err = origin_country_check(country, diag);
        if (err < 0) {
            return err;
        }
        fb_buf_printf(list, "%s%.*s", i > 0 ? "," : "", FB_STR_ARG(country));
    }
    return FB_OK;
}

int origin_countries_load(const struct fb_json *json, struct fb_buf *list, struct fb_diag *diag)
{
    enum fb_json_type type = fb_json_type(json);
    const struct fb_json *allow = fb_json_find(json, "allow");
    const struct fb_json *deny = fb_json_find(json, "deny");
    size_t before = list->len;

    if (type == FB_JSON_ABSENT || type == FB_JSON_NULL) {
        return FB_OK;
    }
    if (type != FB_JSON_OBJECT || fb_json_count(json) != 1 || (allow == NULL && deny == NULL)) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'countries' must be an object with either 'allow' or 'deny', or null");
    }
    int err =
        allow != NULL ? load_list(allow, "allow", list, diag) : load_list(deny, "deny", list, diag);
    if (err < 0) {
        fb_buf_truncate(list, before);
    }
    return err;
}

/* Cuts the kind off `*list`; false if it is neither. */
static bool cut_kind(struct fb_str *list, bool *ret_is_allow)
{
    struct fb_str kind = FB_STR_NONE;

    if (!fb_str_cut(list, ':', &kind)) {
        return false;
    }
    *ret_is_allow = fb_str_equal(kind, FB_STR("allow"));
    return *ret_is_allow || fb_str_equal(kind, FB_STR("deny"));
}

void origin_countries_store(struct fb_json *object, const char *key, struct fb_str list)
{
    struct fb_str country = FB_STR_NONE;
    bool is_allow = false;

    if (!cut_kind(&list, &is_allow)) {
        fb_json_set_null(object, key);
        return;
    }
    struct fb_json *countries =
        fb_json_set_array(fb_json_set_object(object, key), is_allow ? "allow" : "deny");
    while (fb_str_cut(&list, ',', &country)) {
        fb_json_add_str(countries, country);
    }
}

enum origin_countries_verdict origin_countries_judge(struct fb_str list, struct fb_str country)
{
    struct fb_str one = FB_STR_NONE;
    bool is_allow = false;
    bool is_there = false;

    if (list.len == 0) {
        return ORIGIN_COUNTRIES_YES;
    }
    if (!cut_kind(&list, &is_allow)) {
        return ORIGIN_COUNTRIES_NO;
    }
    if (country.len == 0) {
        return ORIGIN_COUNTRIES_DEPENDS;
    }
    while (fb_str_cut(&list, ',', &one)) {
        is_there = is_there || fb_str_equal(one, country);
    }
    return is_there == is_allow ? ORIGIN_COUNTRIES_YES : ORIGIN_COUNTRIES_NO;
}
