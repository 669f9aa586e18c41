/*
 * Doubly linked rings with the links inside the members.
 *
 * A list head and a node are the same struct; an initialised node that is in
 * no list points at itself, so removing it twice is harmless.
 *
 * Threads    One at a time.
 */
#pragma once

#include "base/core/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct fb_list {
    struct fb_list *next;
    struct fb_list *prev;
};

/* Visits every node; the current one may be removed while visited. */
/* NOLINTBEGIN(bugprone-macro-parentheses): `node` is declared here */
#define FB_LIST_EACH(node, list)                                                         \
    for (struct fb_list *node = (list)->next, *node##_next = node->next; node != (list); \
         node = node##_next, node##_next = node->next)
/* NOLINTEND(bugprone-macro-parentheses) */

static inline void fb_list_init(struct fb_list *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool fb_list_empty(const struct fb_list *list)
{
    return list->next == list;
}

/* Puts an initialised, unlinked `node` at the end. */
static inline void fb_list_append(struct fb_list *list, struct fb_list *node)
{
    node->prev = list->prev;
    node->next = list;
    list->prev->next = node;
    list->prev = node;
}

/* Puts `node` at the front. */
static inline void fb_list_prepend(struct fb_list *list, struct fb_list *node)
{
    fb_list_append(list->next, node);
}

/* Takes `node` out of whatever list it is in; harmless if it is in none. */
static inline void fb_list_remove(struct fb_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    fb_list_init(node);
}

/* The first node, left in place, or NULL. */
static inline struct fb_list *fb_list_first(const struct fb_list *list)
{
    return fb_list_empty(list) ? NULL : list->next;
}

/* Takes the first node out, or returns NULL. */
static inline struct fb_list *fb_list_pop(struct fb_list *list)
{
    struct fb_list *node = fb_list_first(list);
    if (node != NULL) {
        fb_list_remove(node);
    }
    return node;
}

/* Moves all nodes of `from` to the end of `list`. */
static inline void fb_list_splice(struct fb_list *list, struct fb_list *from)
{
    if (fb_list_empty(from)) {
        return;
    }
    from->next->prev = list->prev;
    list->prev->next = from->next;
    from->prev->next = list;
    list->prev = from->prev;
    fb_list_init(from);
}
