#include "base/conf/conf_internal.h"
#include "base/core/check.h"
#include "base/core/err.h"

#include <yaml.h>

#include <string.h>

/* What libyaml's events build. A mapping waits for a key, then for its value. */
struct builder {
    const char *name;
    struct fb_arena *arena;
    struct fb_diag *diag;
    struct fb_conf_node *root;                       /* NULL until it came */
    struct fb_conf_node *stack[FB_CONF_MAX_DEPTH];   /* open mappings and lists */
    struct fb_conf_node *pending[FB_CONF_MAX_DEPTH]; /* of each mapping, the key that came */
    unsigned depth;
    unsigned n_documents;
};

int fb_conf_fail(struct fb_diag *diag, int err, const char *name, struct fb_conf_place place)
{
    return fb_diag_prefix(diag, err, "%s:%u:%u", name, place.line, place.column);
}

static struct fb_conf_place builder_place(yaml_mark_t mark)
{
    return (struct fb_conf_place){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

static int builder_fail(const struct builder *b, yaml_mark_t mark, int err, const char *sentence)
{
    (void)fb_diag_set(b->diag, err, "%s", sentence);
    return fb_conf_fail(b->diag, err, b->name, builder_place(mark));
}

static struct fb_conf_node *builder_new(const struct builder *b, const yaml_event_t *event,
                                        enum fb_conf_kind kind)
{
    struct fb_conf_node *node = fb_arena_alloc(b->arena, sizeof(*node));

    node->kind = kind;
    node->place = builder_place(event->start_mark);
    return node;
}

/* True if the open mapping wants a key next. */
static bool builder_wants_key(const struct builder *b)
{
    return b->depth > 0 && b->stack[b->depth - 1]->kind == FB_CONF_MAP &&
           b->pending[b->depth - 1] == NULL;
}

static int builder_add_key(struct builder *b, struct fb_conf_node *key, yaml_mark_t mark)
{
    const struct fb_conf_node *map = b->stack[b->depth - 1];

    if (map->n >= FB_CONF_MAX_KEYS) {
        return builder_fail(b, mark, FB_E_LIMIT, "too many keys in one section");
    }
    for (const struct fb_conf_node *other = map->first; other != NULL; other = other->next) {
        if (fb_str_equal(other->key, key->text)) {
            (void)fb_diag_set(b->diag, FB_E_MALFORMED,
                              "key '%.*s' is given twice, first in line %u", FB_STR_ARG(key->text),
                              other->key_place.line);
            return fb_conf_fail(b->diag, FB_E_MALFORMED, b->name, builder_place(mark));
        }
    }
    b->pending[b->depth - 1] = key;
    return FB_OK;
}

static void builder_add(struct builder *b, struct fb_conf_node *node)
{
    if (b->depth == 0) {
        b->root = node;
        return;
    }
    struct fb_conf_node *parent = b->stack[b->depth - 1];
    const struct fb_conf_node *key = b->pending[b->depth - 1];
    if (parent->kind == FB_CONF_MAP) {
        node->key = key->text;
        node->key_place = key->place;
        b->pending[b->depth - 1] = NULL;
    }
    if (parent->first == NULL) {
        parent->first = node;
    } else {
        parent->last->next = node;
    }
    parent->last = node;
    parent->n++;
}

static int builder_on_scalar(struct builder *b, const yaml_event_t *event)
{
    struct fb_conf_node *node = builder_new(b, event, FB_CONF_SCALAR);
    struct fb_str text = {(const char *)event->data.scalar.value, event->data.scalar.length};

    if (memchr(text.ptr, '\0', text.len) != NULL) {
        return builder_fail(b, event->start_mark, FB_E_MALFORMED, "a text may not contain NUL");
    }
    node->text = fb_arena_dup(b->arena, text);
    node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (builder_wants_key(b)) {
        return builder_add_key(b, node, event->start_mark);
    }
    builder_add(b, node);
    return FB_OK;
}

static int builder_on_start(struct builder *b, const yaml_event_t *event, enum fb_conf_kind kind)
{
    if (builder_wants_key(b)) {
        return builder_fail(b, event->start_mark, FB_E_MALFORMED, "expected a key");
    }
    if (b->depth == FB_CONF_MAX_DEPTH) {
        return builder_fail(b, event->start_mark, FB_E_LIMIT, "too many levels of nesting");
    }
    struct fb_conf_node *node = builder_new(b, event, kind);
    builder_add(b, node);
    b->pending[b->depth] = NULL;
    b->stack[b->depth++] = node;
    return FB_OK;
}

/* YAML's own references and types say nothing that our tables want. */
static int builder_refuse(const struct builder *b, const yaml_event_t *event, const void *anchor,
                          const void *tag)
{
    if (anchor != NULL) {
        return builder_fail(b, event->start_mark, FB_E_UNSUPPORTED, "anchors are not supported");
    }
    if (tag != NULL) {
        return builder_fail(b, event->start_mark, FB_E_UNSUPPORTED, "tags are not supported");
    }
    return FB_OK;
}

static int builder_on_event(struct builder *b, const yaml_event_t *event)
{
    int err = FB_OK;

    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (b->n_documents++ > 0) {
            return builder_fail(b, event->start_mark, FB_E_UNSUPPORTED, "a second document");
        }
        return FB_OK;
    case YAML_ALIAS_EVENT:
        return builder_fail(b, event->start_mark, FB_E_UNSUPPORTED, "aliases are not supported");
    case YAML_SCALAR_EVENT:
        err = builder_refuse(b, event, event->data.scalar.anchor, event->data.scalar.tag);
        return err < 0 ? err : builder_on_scalar(b, event);
    case YAML_MAPPING_START_EVENT:
        err = builder_refuse(b, event, event->data.mapping_start.anchor,
                             event->data.mapping_start.tag);
        return err < 0 ? err : builder_on_start(b, event, FB_CONF_MAP);
    case YAML_SEQUENCE_START_EVENT:
        err = builder_refuse(b, event, event->data.sequence_start.anchor,
                             event->data.sequence_start.tag);
        return err < 0 ? err : builder_on_start(b, event, FB_CONF_LIST);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        FB_REQUIRE(b->depth > 0);
        b->depth--;
        return FB_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return FB_OK;
}

/* libyaml's word for it does not tell what to do. */
static const char *problem_of(const yaml_parser_t *parser)
{
    static const char no_token[] = "found character that cannot start any token";

    if (parser->problem == NULL) {
        return "not YAML";
    }
    return strcmp(parser->problem, no_token) == 0
               ? "nothing may begin so: indent with spaces, not tabs, and quote a text that begins "
                 "with '@', '`' or '%'"
               : parser->problem;
}

static int builder_run(struct builder *b, yaml_parser_t *parser)
{
    yaml_event_type_t type = YAML_NO_EVENT;

    while (type != YAML_STREAM_END_EVENT) {
        yaml_event_t event;
        if (yaml_parser_parse(parser, &event) == 0) {
            return builder_fail(b, parser->problem_mark, FB_E_MALFORMED, problem_of(parser));
        }
        type = event.type;
        int err = builder_on_event(b, &event);
        yaml_event_delete(&event);
        if (err < 0) {
            return err;
        }
    }
    return FB_OK;
}

int fb_conf_tree(struct fb_str text, const char *name, struct fb_arena *arena,
                 struct fb_conf_node **ret_root, struct fb_diag *diag)
{
    struct builder b = {.name = name, .arena = arena, .diag = diag};

    if (text.len > FB_CONF_MAX_BYTES) {
        return fb_diag_set(diag, FB_E_LIMIT, "%s: longer than %d bytes", name, FB_CONF_MAX_BYTES);
    }
    FB_AUTO(yaml_parser_delete) yaml_parser_t parser;
    int is_ready = yaml_parser_initialize(&parser);
    FB_REQUIRE(is_ready == 1); /* fails only without memory */
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)(text.ptr != NULL ? text.ptr : ""),
                                 text.len);

    int err = builder_run(&b, &parser);
    if (err < 0) {
        return err;
    }
    if (b.root == NULL) {
        b.root = fb_arena_alloc(arena, sizeof(*b.root));
        b.root->kind = FB_CONF_MAP;
        b.root->place = (struct fb_conf_place){1, 1};
    }
    *ret_root = b.root;
    return FB_OK;
}
