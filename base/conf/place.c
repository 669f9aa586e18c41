/* Where in the text stands what a check found wrong. */
#include "base/conf/conf_internal.h"

static bool is_within(const void *at, const void *ptr, size_t size)
{
    return (uintptr_t)at >= (uintptr_t)ptr && (uintptr_t)at - (uintptr_t)ptr < size;
}

/* Of the entries, or of what is in one: a list in it has its memory elsewhere. */
static const struct fb_conf_node *find_in_list(const struct fb_conf_item *item,
                                               const struct fb_conf_node *node,
                                               const struct fb_conf_list *list, const void *at)
{
    bool has_sections = item->type == FB_CONF_SECTIONS;
    size_t size = has_sections ? item->section->size : sizeof(struct fb_str);
    const char *member = list->items;

    for (const struct fb_conf_node *entry = node->first; entry != NULL; entry = entry->next) {
        const struct fb_conf_node *inner =
            has_sections ? fb_conf_find_node(item->section, entry, member, at) : NULL;
        if (inner != NULL || is_within(at, member, size)) {
            return inner != NULL ? inner : entry;
        }
        member += size;
    }
    return NULL;
}

static const struct fb_conf_node *find_in_item(const struct fb_conf_item *item,
                                               const struct fb_conf_node *node, const void *member,
                                               const void *at)
{
    const struct fb_conf_node *inner = NULL;

    if (item->type == FB_CONF_SECTION) {
        inner = fb_conf_find_node(item->section, node, member, at);
        return inner == NULL && is_within(at, member, item->section->size) ? node : inner;
    }
    if (item->type == FB_CONF_SECTIONS || item->type == FB_CONF_STRINGS) {
        inner = find_in_list(item, node, member, at);
    }
    return inner == NULL && at == member ? node : inner;
}

const struct fb_conf_node *fb_conf_find_node(const struct fb_conf_section *section,
                                             const struct fb_conf_node *map, const void *conf,
                                             const void *at)
{
    for (const struct fb_conf_node *node = map->first; node != NULL; node = node->next) {
        const struct fb_conf_item *item = section->items;
        while (item->key != NULL && !fb_str_equal(node->key, fb_str_from(item->key))) {
            item++;
        }
        if (item->key != NULL) {
            const struct fb_conf_node *found =
                find_in_item(item, node, (const char *)conf + item->offset, at);
            if (found != NULL) {
                return found;
            }
        }
    }
    return NULL;
}
