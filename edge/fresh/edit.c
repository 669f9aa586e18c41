#include "edge/fresh/edit.h"

#include "base/core/err.h"

struct edge_edits edge_edits_copy(struct fb_arena *arena, const struct edge_edits *edits)
{
    struct fb_str *removed = fb_arena_alloc(arena, edits->n_removed * sizeof(*removed));
    struct fb_header *added = fb_arena_alloc(arena, edits->n_added * sizeof(*added));

    for (size_t i = 0; i < edits->n_removed; i++) {
        removed[i] = fb_arena_dup(arena, edits->removed[i]);
    }
    for (size_t i = 0; i < edits->n_added; i++) {
        added[i].name = fb_arena_dup(arena, edits->added[i].name);
        added[i].value = fb_arena_dup(arena, edits->added[i].value);
    }
    return (struct edge_edits){.removed = removed,
                               .n_removed = edits->n_removed,
                               .added = added,
                               .n_added = edits->n_added};
}

void edge_edits_apply(const struct edge_edits *edits, struct fb_headers *headers,
                      struct fb_arena *arena)
{
    if (edits == NULL) {
        return;
    }
    for (size_t i = 0; i < edits->n_removed; i++) {
        fb_headers_remove(headers, edits->removed[i]);
    }
    for (size_t i = 0; i < edits->n_added; i++) {
        fb_headers_add(headers, arena, edits->added[i].name, edits->added[i].value);
    }
}

int edge_edit_check_name(struct fb_str name, struct fb_diag *diag)
{
    static const struct fb_str own[] = {
        FB_STR("connection"),
        FB_STR("keep-alive"),
        FB_STR("proxy-connection"),
        FB_STR("transfer-encoding"),
        FB_STR("content-length"),
        FB_STR("trailer"),
        FB_STR("te"),
        FB_STR("upgrade"),
        FB_STR("content-range"),
        FB_STR("age"),
        FB_STR("via"),
        FB_STR("cache-status"),
        FB_STR("date"),
        FB_STR("etag"),
        FB_STR("content-encoding"),
    };

    if (!fb_is_token(name)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' is not the name of a header field",
                           FB_STR_ARG(name));
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(own); i++) {
        if (fb_str_equal_nocase(name, own[i])) {
            return fb_diag_set(diag, FB_E_MALFORMED,
                               "the field '%.*s' tells how this very message is to be read, and is "
                               "not for a site to change",
                               FB_STR_ARG(name));
        }
    }
    return FB_OK;
}

/* Visible bytes, space and tab (RFC 9110 section 5.5). */
static bool is_field_value(struct fb_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

int edge_edit_parse(struct fb_str text, struct fb_header *ret_line, struct fb_diag *diag)
{
    size_t colon = fb_str_find(text, ':');
    struct fb_header line = {.name = fb_str_first(text, colon),
                             .value = fb_str_trim(fb_str_skip(text, colon + 1))};

    if (colon == text.len || !is_field_value(line.value)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'Name: value' is expected");
    }
    int err = edge_edit_check_name(line.name, diag);
    if (err < 0) {
        return err;
    }
    *ret_line = line;
    return FB_OK;
}
