/*
 * Lists of countries: where something may be shown, or where not.
 *
 * A list is a text: "allow:DE,FR" (there alone), "deny:RU" (everywhere else), or empty
 * (everywhere). Countries are ISO 3166-1 alpha-2, in capitals.
 *
 * Threads    Pure functions, any thread.
 * Limits     ORIGIN_COUNTRIES_MAX of them.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdbool.h>

struct fb_json;

enum { ORIGIN_COUNTRIES_MAX = 250, ORIGIN_COUNTRY_LEN = 2 };

/* FB_E_MALFORMED unless it is two capital letters. */
FB_MUST_CHECK int origin_country_check(struct fb_str country, struct fb_diag *diag);

/* Appends the list that {"allow": ["DE"]} or {"deny": ["RU"]} is; of NULL and null, nothing. */
FB_MUST_CHECK int origin_countries_load(const struct fb_json *json, struct fb_buf *list,
                                        struct fb_diag *diag);

/* The same as a member of `object`; null for the empty list. */
void origin_countries_store(struct fb_json *object, const char *key, struct fb_str list);

enum origin_countries_verdict {
    ORIGIN_COUNTRIES_YES,
    ORIGIN_COUNTRIES_NO,
    ORIGIN_COUNTRIES_DEPENDS
};

/* Whether `list` lets `country` see it; of a country that is not known (empty) it depends, unless
 * the list is empty. A list that is none lets nobody. */
enum origin_countries_verdict origin_countries_judge(struct fb_str list, struct fb_str country);
