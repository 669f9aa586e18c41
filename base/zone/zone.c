#include "base/zone/zone.h"

#include "base/core/alloc.h"
#include "base/core/err.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

struct fb_zone {
    GTimeZone *zone; /* owned */
};

/* What the tz database calls its zones: nothing that would be read as a path or a rule. */
static bool zone_is_name(struct fb_str name)
{
    static const char others[] = "/_-+";

    if (name.len == 0 || name.len > FB_ZONE_NAME_MAX || !g_ascii_isalpha(name.ptr[0])) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!g_ascii_isalnum(name.ptr[i]) && memchr(others, name.ptr[i], 4) == NULL) {
            return false;
        }
    }
    return true;
}

int fb_zone_open(struct fb_str name, struct fb_zone **ret_zone, struct fb_diag *diag)
{
    char text[FB_ZONE_NAME_MAX + 1] = {0};
    GTimeZone *found = NULL;

    if (zone_is_name(name)) {
        memcpy(text, name.ptr, name.len);
        found = g_time_zone_new_identifier(text);
    }
    if (found == NULL) {
        return fb_diag_set(diag, FB_E_NOT_FOUND,
                           "'%.*s' is no time zone that this system knows; write one like "
                           "'Europe/Berlin' or 'UTC'",
                           FB_STR_ARG(name));
    }
    struct fb_zone *zone = FB_NEW(struct fb_zone);
    zone->zone = found;
    *ret_zone = zone;
    return FB_OK;
}

void fb_zone_free(struct fb_zone *zone)
{
    if (zone != NULL) {
        g_time_zone_unref(zone->zone);
        fb_free(zone);
    }
}

int32_t fb_zone_offset_s(const struct fb_zone *zone, int64_t unix_s)
{
    int interval = g_time_zone_find_interval(zone->zone, G_TIME_TYPE_UNIVERSAL, unix_s);

    return g_time_zone_get_offset(zone->zone, interval);
}
