#include "base/conf/conf_internal.h"

static bool sections_equal(const struct fb_conf_section *section, const void *a, const void *b);

static bool lists_equal(const struct fb_conf_item *item, const struct fb_conf_list *a,
                        const struct fb_conf_list *b)
{
    if (a->items == NULL || b->items == NULL) {
        return a->items == b->items; /* neither is written */
    }
    if (a->n != b->n) {
        return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        bool is_equal =
            item->type == FB_CONF_STRINGS
                ? fb_str_equal(*FB_CONF_AT(struct fb_str, *a, i), *FB_CONF_AT(struct fb_str, *b, i))
                : sections_equal(item->section, (const char *)a->items + i * item->section->size,
                                 (const char *)b->items + i * item->section->size);
        if (!is_equal) {
            return false;
        }
    }
    return true;
}

static bool texts_equal(const struct fb_str *a, const struct fb_str *b)
{
    return (a->ptr == NULL) == (b->ptr == NULL) && fb_str_equal(*a, *b);
}

/* `a` and `b` are the item's members in two structs. */
static bool members_equal(const struct fb_conf_item *item, const void *a, const void *b)
{
    switch (item->type) {
    case FB_CONF_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case FB_CONF_ENUM:
        return *(const int *)a == *(const int *)b;
    case FB_CONF_INT:
    case FB_CONF_COUNT:
        return *(const int64_t *)a == *(const int64_t *)b;
    case FB_CONF_SIZE:
    case FB_CONF_DURATION:
    case FB_CONF_RATE:
        return *(const uint64_t *)a == *(const uint64_t *)b;
    case FB_CONF_STRING:
    case FB_CONF_PATH:
        return texts_equal(a, b);
    case FB_CONF_STRINGS:
    case FB_CONF_SECTIONS:
        return lists_equal(item, a, b);
    case FB_CONF_SECTION:
        break;
    }
    return sections_equal(item->section, a, b);
}

static bool sections_equal(const struct fb_conf_section *section, const void *a, const void *b)
{
    for (const struct fb_conf_item *item = section->items; item->key != NULL; item++) {
        if (!members_equal(item, (const char *)a + item->offset, (const char *)b + item->offset)) {
            return false;
        }
    }
    return true;
}

static void tell_below(const struct fb_conf_section *section, const void *old, const void *news,
                       struct fb_str path, const struct fb_conf_teller *teller)
{
    for (const struct fb_conf_item *item = section->items; item->key != NULL; item++) {
        const void *before = (const char *)old + item->offset;
        const void *after = (const char *)news + item->offset;
        if (item->is_live || members_equal(item, before, after)) {
            continue;
        }
        FB_AUTO(fb_buf_done) struct fb_buf key = {0};
        fb_buf_printf(&key, "%.*s%s%s", FB_STR_ARG(path), path.len > 0 ? "." : "", item->key);
        if (item->type == FB_CONF_SECTION) {
            tell_below(item->section, before, after, fb_buf_str(&key), teller);
        } else {
            teller->tell(teller->ctx, fb_buf_str(&key));
        }
    }
}

void fb_conf_tell_restarts(const struct fb_conf_section *section, const void *old, const void *news,
                           const struct fb_conf_teller *teller)
{
    tell_below(section, old, news, FB_STR_NONE, teller);
}
