#include "base/conf/conf.h"

#include "base/conf/conf_internal.h"
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/sys/file.h"

#include <string.h>

/* What binding needs to know besides table, node and struct. */
struct binding {
    const char *name;
    struct fb_diag *diag;
    bool probes; /* also what is there on this machine */
    int (*check)(const void *ctx, const void *conf, struct fb_diag *diag); /* or NULL */
    const void *check_ctx;
};

static int bind_section(const struct binding *b, const struct fb_conf_section *section,
                        const struct fb_conf_node *node, void *conf);

static void *conf_member(const struct fb_conf_item *item, void *conf)
{
    return (char *)conf + item->offset;
}

/* An empty value stands for an empty section: `store:` and nothing after it. */
static bool node_is_empty(const struct fb_conf_node *node)
{
    return node->kind == FB_CONF_SCALAR && node->is_plain && node->text.len == 0;
}

static int bind_expected(const struct binding *b, const struct fb_conf_item *item,
                         const struct fb_conf_node *node)
{
    FB_AUTO(fb_buf_done) struct fb_buf expected = {0};

    fb_conf_expected(item, &expected);
    (void)fb_diag_set(b->diag, FB_E_MALFORMED, "'%s' must be %s", item->key, expected.ptr);
    return fb_conf_fail(b->diag, FB_E_MALFORMED, b->name, node->place);
}

static int bind_scalar(const struct binding *b, const struct fb_conf_item *item,
                       const struct fb_conf_node *node, void *member)
{
    bool is_text = item->type == FB_CONF_STRING || item->type == FB_CONF_PATH;

    if (node->kind != FB_CONF_SCALAR || (is_text && node_is_empty(node))) {
        return bind_expected(b, item, node);
    }
    int err = fb_conf_value_read(item, node->text, member, b->diag);
    if (err == FB_OK && b->probes && item->probe != NULL) {
        err = item->probe(((struct fb_str *)member)->ptr, b->diag);
        if (err < 0) {
            err = fb_diag_prefix(b->diag, err, "'%s'", item->key);
        }
    }
    return err < 0 ? fb_conf_fail(b->diag, err, b->name, node->place) : FB_OK;
}

static int bind_entry_count(const struct binding *b, const struct fb_conf_item *item,
                            const struct fb_conf_node *node)
{
    int64_t min = 0;
    int64_t max = 0;

    if (node->kind != FB_CONF_LIST) {
        return bind_expected(b, item, node);
    }
    fb_conf_bounds(item, &min, &max);
    if ((int64_t)node->n < min || (int64_t)node->n > max) {
        (void)fb_diag_set(b->diag, FB_E_MALFORMED, "'%s' has %zu entries, expected %lld to %lld",
                          item->key, node->n, (long long)min, (long long)max);
        return fb_conf_fail(b->diag, FB_E_MALFORMED, b->name, node->place);
    }
    return FB_OK;
}

static int bind_check_all(const struct binding *b, const struct fb_conf_item *item,
                          const struct fb_conf_node *node, const struct fb_conf_list *list)
{
    const struct fb_conf_node *at = node->first;
    size_t entry = 0;
    int err = item->check_all != NULL ? item->check_all(list, &entry, b->diag) : FB_OK;

    if (err == FB_OK) {
        return FB_OK;
    }
    for (size_t i = 0; i < entry && at != NULL && at->next != NULL; i++) {
        at = at->next;
    }
    (void)fb_diag_prefix(b->diag, err, "'%s'", item->key);
    return fb_conf_fail(b->diag, err, b->name, at != NULL ? at->place : node->place);
}

static int bind_strings(const struct binding *b, const struct fb_conf_item *item,
                        const struct fb_conf_node *node, struct fb_conf_list *list)
{
    /* Each entry is read as a text of its own, without the bounds of the list. */
    const struct fb_conf_item entry = {
        .key = item->key, .type = FB_CONF_STRING, .check = item->check};

    int err = bind_entry_count(b, item, node);
    if (err < 0) {
        return err;
    }
    struct fb_str *strings = fb_alloc_array(node->n, sizeof(*strings));
    list->items = strings;
    for (const struct fb_conf_node *at = node->first; at != NULL; at = at->next) {
        err = bind_scalar(b, &entry, at, &strings[list->n]);
        if (err < 0) {
            return err;
        }
        list->n++;
    }
    return bind_check_all(b, item, node, list);
}

static int bind_sections(const struct binding *b, const struct fb_conf_item *item,
                         const struct fb_conf_node *node, struct fb_conf_list *list)
{
    int err = bind_entry_count(b, item, node);
    if (err < 0) {
        return err;
    }
    list->items = fb_alloc_array(node->n, item->section->size);
    for (const struct fb_conf_node *at = node->first; at != NULL; at = at->next) {
        char *entry = (char *)list->items + list->n * item->section->size;
        list->n++; /* before it is whole: what it has by then will be freed */
        err = bind_section(b, item->section, at, entry);
        if (err < 0) {
            return err;
        }
    }
    return bind_check_all(b, item, node, list);
}

static int bind_item(const struct binding *b, const struct fb_conf_item *item,
                     const struct fb_conf_node *node, void *conf)
{
    void *member = conf_member(item, conf);

    switch (item->type) {
    case FB_CONF_SECTION:
        return bind_section(b, item->section, node, member);
    case FB_CONF_SECTIONS:
        return bind_sections(b, item, node, member);
    case FB_CONF_STRINGS:
        return bind_strings(b, item, node, member);
    case FB_CONF_BOOL:
    case FB_CONF_INT:
    case FB_CONF_COUNT:
    case FB_CONF_SIZE:
    case FB_CONF_DURATION:
    case FB_CONF_RATE:
    case FB_CONF_STRING:
    case FB_CONF_PATH:
    case FB_CONF_ENUM:
        break;
    }
    return bind_scalar(b, item, node, member);
}

/* A preset is text of ours: that it can be read is a contract. */
static void bind_preset(const struct fb_conf_item *item, void *conf)
{
    const struct binding b = {.name = "preset"};
    int err = FB_OK;

    if (item->type == FB_CONF_SECTION) {
        err = bind_section(&b, item->section, NULL, conf_member(item, conf));
    } else if (item->preset != NULL && item->type == FB_CONF_STRINGS) {
        FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
        struct fb_conf_node *node = NULL;
        err = fb_conf_tree(fb_str_from(item->preset), "preset", &arena, &node, NULL);
        FB_REQUIRE(err == FB_OK);
        err = bind_item(&b, item, node, conf);
    } else if (item->preset != NULL) {
        err = fb_conf_value_read(item, fb_str_from(item->preset), conf_member(item, conf), NULL);
    }
    FB_REQUIRE(err == FB_OK);
}

static const struct fb_conf_node *node_find(const struct fb_conf_node *map, const char *key)
{
    const struct fb_conf_node *at = map != NULL ? map->first : NULL;

    while (at != NULL && !fb_str_equal(at->key, fb_str_from(key))) {
        at = at->next;
    }
    return at;
}

static int bind_check_keys(const struct binding *b, const struct fb_conf_section *section,
                           const struct fb_conf_node *map)
{
    enum { SHOWN = 80 };

    for (const struct fb_conf_node *at = map->first; at != NULL; at = at->next) {
        const struct fb_conf_item *item = section->items;
        while (item->key != NULL && !fb_str_equal(at->key, fb_str_from(item->key))) {
            item++;
        }
        if (item->key == NULL) {
            const char *nearest = fb_conf_nearest(section, at->key);
            (void)fb_diag_set(b->diag, FB_E_MALFORMED, "unknown key '%.*s'%s%s%s",
                              FB_STR_ARG(fb_str_first(at->key, SHOWN)),
                              nearest != NULL ? " (did you mean '" : "",
                              nearest != NULL ? nearest : "", nearest != NULL ? "'?)" : "");
            return fb_conf_fail(b->diag, FB_E_MALFORMED, b->name, at->key_place);
        }
    }
    return FB_OK;
}

/* With the place of the culprit in `conf`, or else of the section. */
static int bind_fail(const struct binding *b, int err, const struct fb_conf_section *section,
                     const struct fb_conf_node *node, const void *conf)
{
    const struct fb_conf_node *culprit = NULL;

    if (b->diag != NULL && b->diag->culprit != NULL) {
        culprit = fb_conf_find_node(section, node, conf, b->diag->culprit);
        b->diag->culprit = NULL; /* it will be gone */
    }
    return fb_conf_fail(b->diag, err, b->name, culprit != NULL ? culprit->place : node->place);
}

static int bind_check_section(const struct binding *b, const struct fb_conf_section *section,
                              const struct fb_conf_node *node, const void *conf)
{
    int err = section->check != NULL ? section->check(conf, b->diag) : FB_OK;

    if (err == FB_OK && b->probes && section->probe != NULL) {
        err = section->probe(conf, b->diag);
    }
    return err < 0 ? bind_fail(b, err, section, node, conf) : FB_OK;
}

/* `node` is NULL for a section that is not written. */
static int bind_section(const struct binding *b, const struct fb_conf_section *section,
                        const struct fb_conf_node *node, void *conf)
{
    if (node != NULL && node->kind != FB_CONF_MAP && !node_is_empty(node)) {
        (void)fb_diag_set(b->diag, FB_E_MALFORMED, "expected the keys of section '%s'",
                          section->name);
        return fb_conf_fail(b->diag, FB_E_MALFORMED, b->name, node->place);
    }
    int err = node != NULL ? bind_check_keys(b, section, node) : FB_OK;
    if (err < 0) {
        return err;
    }
    for (const struct fb_conf_item *item = section->items; item->key != NULL; item++) {
        const struct fb_conf_node *at = node_find(node, item->key);
        if (at != NULL) {
            err = bind_item(b, item, at, conf);
        } else if (item->is_required && node != NULL) {
            (void)fb_diag_set(b->diag, FB_E_MALFORMED, "section '%s' lacks the key '%s'",
                              section->name, item->key);
            err = fb_conf_fail(b->diag, FB_E_MALFORMED, b->name, node->place);
        } else {
            bind_preset(item, conf);
        }
        if (err < 0) {
            return err;
        }
    }
    return node != NULL ? bind_check_section(b, section, node, conf) : FB_OK;
}

/* Of a text that stands twice. */
enum { MAX_SHOWN = 80 };

/* The first entry whose text at `offset` stands in one before it; list->n: none. */
static size_t find_second(const struct fb_conf_list *list, size_t entry_size, size_t offset,
                          struct fb_str *ret_text)
{
    const char *first = (const char *)list->items + offset;

    for (size_t i = 0; i < list->n; i++) {
        const struct fb_str *text = (const void *)(first + i * entry_size);
        for (size_t j = 0; j < i; j++) {
            if (fb_str_equal(*text,
                             *(const struct fb_str *)(const void *)(first + j * entry_size))) {
                *ret_text = fb_str_first(*text, MAX_SHOWN);
                return i;
            }
        }
    }
    return list->n;
}

int fb_conf_check_distinct(const struct fb_conf_list *list, size_t *ret_entry, struct fb_diag *diag)
{
    struct fb_str text;
    size_t second = find_second(list, sizeof(struct fb_str), 0, &text);

    if (second == list->n) {
        return FB_OK;
    }
    *ret_entry = second;
    return fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' is listed twice", FB_STR_ARG(text));
}

int fb_conf_check_distinct_by(const struct fb_conf_list *list, const struct fb_conf_text *text,
                              size_t *ret_entry, struct fb_diag *diag)
{
    struct fb_str shown;
    size_t second = find_second(list, text->entry_size, text->offset, &shown);

    if (second == list->n) {
        return FB_OK;
    }
    *ret_entry = second;
    return fb_diag_set(diag, FB_E_MALFORMED, "%s '%.*s' is listed twice", text->noun,
                       FB_STR_ARG(shown));
}

/* ---- entry points --------------------------------------------------------------- */

static int conf_bind(const struct binding *b, const struct fb_conf_section *section,
                     struct fb_str text, void *conf)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    FB_AUTO(fb_freep) void *fresh = fb_alloc(section->size);
    struct fb_conf_node *root = NULL;

    int err = fb_conf_tree(text, b->name, &arena, &root, b->diag);
    if (err < 0) {
        return err;
    }
    err = bind_section(b, section, root, fresh);
    if (err == FB_OK && b->check != NULL) {
        err = b->check(b->check_ctx, fresh, b->diag);
        err = err < 0 ? bind_fail(b, err, section, root, fresh) : FB_OK;
    }
    if (err < 0) {
        fb_conf_done(section, fresh);
        return err;
    }
    memcpy(conf, fresh, section->size);
    return FB_OK;
}

int fb_conf_parse(const struct fb_conf_section *section, struct fb_str text, const char *name,
                  void *conf, struct fb_diag *diag)
{
    const struct binding b = {.name = name, .diag = diag};

    return conf_bind(&b, section, text, conf);
}

int fb_conf_load_with(const struct fb_conf_section *section, const struct fb_conf_loading *loading,
                      void *conf, struct fb_diag *diag)
{
    const struct binding b = {.name = loading->path,
                              .diag = diag,
                              .probes = loading->probes,
                              .check = loading->check,
                              .check_ctx = loading->ctx};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    int err = fb_file_read_path(loading->path, FB_CONF_MAX_BYTES, &text, diag);
    if (err < 0) {
        return err;
    }
    return conf_bind(&b, section, fb_buf_str(&text), conf);
}

int fb_conf_load(const struct fb_conf_section *section, const char *path, void *conf,
                 struct fb_diag *diag)
{
    return fb_conf_load_with(section, &(struct fb_conf_loading){.path = path}, conf, diag);
}

static void string_done(struct fb_str *str)
{
    fb_free((void *)(uintptr_t)str->ptr);
    *str = FB_STR_NONE;
}

static void list_done(const struct fb_conf_item *item, struct fb_conf_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        if (item->type == FB_CONF_STRINGS) {
            string_done(&((struct fb_str *)list->items)[i]);
        } else {
            fb_conf_done(item->section, (char *)list->items + i * item->section->size);
        }
    }
    fb_free(list->items);
}

void fb_conf_done(const struct fb_conf_section *section, void *conf)
{
    for (const struct fb_conf_item *item = section->items; item->key != NULL; item++) {
        void *member = conf_member(item, conf);
        if (item->type == FB_CONF_STRING || item->type == FB_CONF_PATH) {
            string_done(member);
        } else if (item->type == FB_CONF_STRINGS || item->type == FB_CONF_SECTIONS) {
            list_done(item, member);
        } else if (item->type == FB_CONF_SECTION) {
            fb_conf_done(item->section, member);
        }
    }
    memset(conf, 0, section->size);
}
