#include "edge/upstream/cdn_loop.h"

#include "edge/upstream/via.h"

#include <string.h>

static const struct fb_str field_name = FB_STR("cdn-loop");

struct fb_str edge_cdn_loop_append(struct fb_arena *arena, const struct fb_headers *headers,
                                   struct fb_str node)
{
    struct fb_str before =
        headers != NULL ? fb_headers_join(headers, arena, field_name) : FB_STR_NONE;
    char *text = fb_arena_alloc(arena, before.len + node.len + 3);
    size_t len = 0;

    if (before.len > 0) {
        memcpy(text, before.ptr, before.len);
        memcpy(text + before.len, ", ", 2);
        len = before.len + 2;
    }
    memcpy(text + len, node.ptr, node.len);
    return (struct fb_str){text, len + node.len};
}

/* ---- reading ----------------------------------------------------------- */

/* The identifier that a member begins with: a name, or a host and port. */
static struct fb_str member_id(struct fb_str member)
{
    size_t n = 0;

    while (n < member.len && member.ptr[n] != ';' && member.ptr[n] != ' ' &&
           member.ptr[n] != '\t' && member.ptr[n] != '"') {
        n++;
    }
    return fb_str_first(member, n);
}

/* Counts the members of `value` and looks for `node`: by the grammar, or with
 * every comma as a separator. */
static bool value_has(struct fb_str value, struct fb_str node, bool by_grammar, unsigned *n_members)
{
    struct fb_str member;
    unsigned n = 0;
    bool is_found = false;

    while (by_grammar ? fb_list_member(&value, &member) : fb_str_cut(&value, ',', &member)) {
        member = fb_str_trim(member);
        n += member.len > 0 ? 1 : 0;
        is_found |= fb_str_equal_nocase(member_id(member), node);
    }
    *n_members += n;
    return is_found;
}

/* True if a quoted string of `value` does not end. */
static bool value_is_torn(struct fb_str value)
{
    bool is_quoted = false;

    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"') {
            is_quoted = !is_quoted;
        } else if (value.ptr[i] == '\\' && is_quoted) {
            i++;
        }
    }
    return is_quoted;
}

static unsigned count_via(const struct fb_headers *headers)
{
    unsigned n = 0;

    for (size_t i = 0; i < headers->n; i++) {
        if (fb_str_equal_nocase(headers->items[i].name, FB_STR("via"))) {
            struct fb_str rest = headers->items[i].value;
            struct fb_str member;
            while (fb_list_member(&rest, &member)) {
                n++;
            }
        }
    }
    return n;
}

enum edge_loop edge_loop_of(const struct fb_headers *headers, struct fb_str node)
{
    bool is_here = edge_via_has(headers, node);
    unsigned n = 0;

    for (size_t i = 0; i < headers->n && !is_here; i++) {
        if (fb_str_equal_nocase(headers->items[i].name, field_name)) {
            struct fb_str value = headers->items[i].value;
            is_here = value_has(value, node, !value_is_torn(value), &n);
        }
    }
    if (is_here) {
        return EDGE_LOOP_CLOSED;
    }
    return n > EDGE_LOOP_MAX_MEMBERS || count_via(headers) > EDGE_LOOP_MAX_MEMBERS
               ? EDGE_LOOP_TOO_LONG
               : EDGE_LOOP_NONE;
}
