#include "base/conf/conf_internal.h"
#include "base/core/alloc.h"

enum { PRINT_INDENT = 2 };

static void print_section(const struct fb_conf_section *section, const void *conf, int indent,
                          bool is_entry, struct fb_buf *buf);

static const void *print_member(const struct fb_conf_item *item, const void *conf)
{
    return (const char *)conf + item->offset;
}

/* True for a text or list that was not written and has no preset. */
static bool print_is_absent(const struct fb_conf_item *item, const void *member)
{
    if (item->type == FB_CONF_STRING || item->type == FB_CONF_PATH) {
        return ((const struct fb_str *)member)->ptr == NULL;
    }
    if (item->type == FB_CONF_STRINGS || item->type == FB_CONF_SECTIONS) {
        return ((const struct fb_conf_list *)member)->items == NULL;
    }
    return false;
}

/* A section that lacks what it requires was not written at all. */
static bool print_is_absent_section(const struct fb_conf_section *section, const void *conf)
{
    for (const struct fb_conf_item *item = section->items; item->key != NULL; item++) {
        if (item->is_required && print_is_absent(item, print_member(item, conf))) {
            return true;
        }
    }
    return false;
}

static void print_strings(const struct fb_conf_list *list, struct fb_buf *buf)
{
    fb_buf_append(buf, FB_STR(" ["));
    for (size_t i = 0; i < list->n; i++) {
        fb_buf_append(buf, i > 0 ? FB_STR(", ") : FB_STR(""));
        fb_conf_string_print(FB_CONF_AT(struct fb_str, *list, i)[0], buf);
    }
    fb_buf_append(buf, FB_STR("]\n"));
}

static void print_sections(const struct fb_conf_item *item, const struct fb_conf_list *list,
                           int indent, struct fb_buf *buf)
{
    fb_buf_append(buf, list->n == 0 ? FB_STR(" []\n") : FB_STR("\n"));
    for (size_t i = 0; i < list->n; i++) {
        const void *entry = (const char *)list->items + i * item->section->size;
        print_section(item->section, entry, indent + 2 * PRINT_INDENT, true, buf);
    }
}

static void print_item(const struct fb_conf_item *item, const void *member, int indent,
                       struct fb_buf *buf)
{
    fb_buf_printf(buf, "%s:", item->key);
    if (item->type == FB_CONF_SECTION) {
        fb_buf_append_byte(buf, '\n');
        print_section(item->section, member, indent + PRINT_INDENT, false, buf);
    } else if (item->type == FB_CONF_SECTIONS) {
        print_sections(item, member, indent, buf);
    } else if (item->type == FB_CONF_STRINGS) {
        print_strings(member, buf);
    } else if (item->is_secret) {
        fb_buf_append(buf, FB_STR(" \"(not shown)\"\n"));
    } else {
        fb_buf_append_byte(buf, ' ');
        fb_conf_value_print(item, member, buf);
        fb_buf_append_byte(buf, '\n');
    }
}

/* The first key of an entry stands behind the dash. */
static void print_section(const struct fb_conf_section *section, const void *conf, int indent,
                          bool is_entry, struct fb_buf *buf)
{
    bool needs_dash = is_entry;

    for (const struct fb_conf_item *item = section->items; item->key != NULL; item++) {
        const void *member = print_member(item, conf);
        if (print_is_absent(item, member) || (item->type == FB_CONF_SECTION && !item->is_required &&
                                              print_is_absent_section(item->section, member))) {
            continue;
        }
        if (needs_dash) {
            fb_buf_printf(buf, "%*s- ", indent - PRINT_INDENT, "");
            needs_dash = false;
        } else {
            fb_buf_printf(buf, "%*s", indent, "");
        }
        print_item(item, member, indent, buf);
    }
    if (needs_dash) {
        fb_buf_printf(buf, "%*s- {}\n", indent - PRINT_INDENT, "");
    }
}

void fb_conf_print(const struct fb_conf_section *section, const void *conf, struct fb_buf *buf)
{
    print_section(section, conf, 0, false, buf);
}

/* ---- reference -------------------------------------------------------------------- */

static void reference_row(const struct fb_conf_item *item, struct fb_buf *buf)
{
    FB_AUTO(fb_buf_done) struct fb_buf expected = {0};

    fb_conf_expected(item, &expected);
    fb_buf_printf(buf, "| `%s` | %s | ", item->key, expected.ptr);
    if (item->is_required) {
        fb_buf_append(buf, FB_STR("required"));
    } else if (item->preset != NULL) {
        fb_buf_printf(buf, "`%s`", item->preset);
    }
    fb_buf_printf(buf, " | %s%s |\n", item->help != NULL ? item->help : "",
                  item->is_live ? " *Live.*" : "");
}

enum { REFERENCE_MAX = 64 };

/* The sections that have a table already, and where. */
struct reference {
    const struct fb_conf_section *sections[REFERENCE_MAX];
    char *paths[REFERENCE_MAX]; /* owned */
    size_t n;
    struct fb_buf *buf;
};

static const char *reference_find(const struct reference *reference,
                                  const struct fb_conf_section *section)
{
    for (size_t i = 0; i < reference->n; i++) {
        if (reference->sections[i] == section) {
            return reference->paths[i];
        }
    }
    return NULL;
}

/* `path` is where the section stands in the file, empty for the root. What stands in
 * several places has one table. */
static void reference_section(struct reference *reference, const struct fb_conf_section *section,
                              struct fb_str path)
{
    struct fb_str title = path.len > 0 ? path : fb_str_from(section->name);
    const char *elsewhere = reference_find(reference, section);
    struct fb_buf *buf = reference->buf;

    fb_buf_printf(buf, "### `%.*s`\n\n", FB_STR_ARG(title));
    if (elsewhere != NULL) {
        fb_buf_printf(buf, "The keys of `%s`.\n\n", elsewhere);
        return;
    }
    if (reference->n < REFERENCE_MAX) {
        reference->sections[reference->n] = section;
        reference->paths[reference->n++] = fb_str_dup(path);
    }
    if (section->help != NULL) {
        fb_buf_printf(buf, "%s\n\n", section->help);
    }
    fb_buf_append(buf, FB_STR("| key | value | preset | meaning |\n| --- | --- | --- | --- |\n"));
    for (const struct fb_conf_item *item = section->items; item->key != NULL; item++) {
        reference_row(item, buf);
    }
    fb_buf_append_byte(buf, '\n');
    for (const struct fb_conf_item *item = section->items; item->key != NULL; item++) {
        if (item->section == NULL) {
            continue;
        }
        FB_AUTO(fb_buf_done) struct fb_buf below = {0};
        fb_buf_printf(&below, "%.*s%s%s%s", FB_STR_ARG(path), path.len > 0 ? "." : "", item->key,
                      item->type == FB_CONF_SECTIONS ? "[]" : "");
        reference_section(reference, item->section, fb_buf_str(&below));
    }
}

void fb_conf_reference(const struct fb_conf_section *section, struct fb_buf *buf)
{
    struct reference reference = {.buf = buf};

    reference_section(&reference, section, FB_STR_NONE);
    for (size_t i = 0; i < reference.n; i++) {
        fb_free(reference.paths[i]);
    }
}
