#include "base/conf/conf.h"
#include "base/core/err.h"
#include "edge/tool/tool_internal.h"

enum option_id {
    OPTION_JSON,
    OPTION_ZONE,
    OPTION_RATE,
    OPTION_QUIET,
    OPTION_NODE,
    OPTION_SIZE,
    OPTION_OBJECT,
    OPTION_SECONDS,
    OPTION_KEEP,
    OPTION_FORCE,
    OPTION_HELP
};

#define OF(verb) (1U << (verb))
#define OF_ALL   (OF(TOOL_VERBS) - 1)

struct option_row {
    const char *name;
    const char *value; /* what it is called on the page, or NULL */
    unsigned verbs;
    const char *help;
};

static const struct option_row option_rows[] = {
    [OPTION_JSON] = {"--json", NULL, OF(TOOL_INSPECT) | OF(TOOL_BENCH), "Print one JSON document."},
    [OPTION_ZONE] = {"--zone", "N", OF(TOOL_INSPECT), "List the records of zone N instead."},
    [OPTION_RATE] = {"--rate", "SIZE", OF(TOOL_VERIFY),
                     "Read at most so much a second, such as 100MiB."},
    [OPTION_QUIET] = {"--quiet", NULL, OF(TOOL_VERIFY), "Do not tell how far it is."},
    [OPTION_NODE] = {"--node", "NAME", OF(TOOL_FORMAT),
                     "Whose volume it will be: `node` in the configuration of the edge."},
    [OPTION_SIZE] = {"--size", "SIZE", OF(TOOL_FORMAT) | OF(TOOL_BENCH),
                     "How long to make a file that is not there, such as 100GiB. Its room is\n"
                     "        reserved."},
    [OPTION_OBJECT] = {"--object", "SIZE", OF(TOOL_BENCH),
                       "Bytes of an object, at most 4MiB (1MiB)."},
    [OPTION_SECONDS] = {"--seconds", "N", OF(TOOL_BENCH), "How long each part takes (5)."},
    [OPTION_KEEP] = {"--keep", NULL, OF(TOOL_BENCH),
                     "Leave the volume as it was written, of node 'bench'."},
    [OPTION_FORCE] = {"--force", NULL, OF(TOOL_FORMAT) | OF(TOOL_BENCH), "Give up what is there."},
    [OPTION_HELP] = {"--help", NULL, OF_ALL, "Print this page and exit."},
};

enum { TOOL_RATE_MIN = 1024 * 1024 }; /* bytes per second; less is a forgotten unit */

/* ---- values -------------------------------------------------------------- */

/* As it is written in the configuration. */
static int size_read(const char *text, uint64_t *ret_bytes, struct fb_diag *diag)
{
    static const struct fb_conf_item items[] = {
        {"size", FB_CONF_SIZE, 0, .is_required = true},
        {0},
    };
    static const struct fb_conf_section section = {
        .name = "size", .size = sizeof(uint64_t), .items = items};
    FB_AUTO(fb_buf_done) struct fb_buf yaml = {0};

    fb_buf_printf(&yaml, "size: %s\n", text);
    if (fb_conf_parse(&section, fb_buf_str(&yaml), "size", ret_bytes, NULL) < 0 ||
        *ret_bytes == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' is no size such as 100GiB", text);
    }
    return FB_OK;
}

static int number_read(const char *text, uint32_t *ret_number, struct fb_diag *diag)
{
    uint64_t number;

    if (fb_str_to_u64(fb_str_from(text), &number) < 0 || number > INT32_MAX) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' is no number", text);
    }
    *ret_number = (uint32_t)number;
    return FB_OK;
}

static int option_apply(struct tool_args *args, enum option_id id, const char *value,
                        struct fb_diag *diag)
{
    switch (id) {
    case OPTION_JSON:
        args->json = true;
        return FB_OK;
    case OPTION_ZONE:
        args->has_zone = true;
        return number_read(value, &args->zone, diag);
    case OPTION_RATE:
        if (size_read(value, &args->rate, diag) < 0) {
            return diag->err;
        }
        return args->rate >= TOOL_RATE_MIN ? FB_OK
                                           : fb_diag_set(diag, FB_E_LIMIT,
                                                         "'%s' a second would take for ever: "
                                                         "give a unit, and at least 1MiB",
                                                         value);
    case OPTION_QUIET:
        args->quiet = true;
        return FB_OK;
    case OPTION_NODE:
        args->node = value;
        return FB_OK;
    case OPTION_SIZE:
        return size_read(value, &args->size, diag);
    case OPTION_OBJECT:
        return size_read(value, &args->object_bytes, diag);
    case OPTION_SECONDS:
        if (number_read(value, &args->seconds, diag) < 0) {
            return diag->err;
        }
        return args->seconds > 0 ? FB_OK
                                 : fb_diag_set(diag, FB_E_LIMIT, "at least one second is needed");
    case OPTION_KEEP:
        args->keep = true;
        return FB_OK;
    case OPTION_FORCE:
        args->force = true;
        return FB_OK;
    case OPTION_HELP:
        args->wants_help = true;
        return FB_OK;
    }
    return FB_E_MALFORMED;
}

/* ---- arguments ----------------------------------------------------------- */

static int option_find(struct fb_str name, enum tool_verb verb, enum option_id *ret_id,
                       struct fb_diag *diag)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(option_rows); i++) {
        if ((option_rows[i].verbs & OF(verb)) != 0 &&
            fb_str_equal(name, fb_str_from(option_rows[i].name))) {
            *ret_id = (enum option_id)i;
            return FB_OK;
        }
    }
    return fb_diag_set(diag, FB_E_MALFORMED, "unknown option '%.*s' (--help lists all)",
                       FB_STR_ARG(name));
}

/* Reads the option at argv[*at], and its value behind it, and steps over both. */
static int option_read(int argc, char **argv, int *at, struct tool_args *args, struct fb_diag *diag)
{
    struct fb_str arg = fb_str_from(argv[*at]);
    size_t equals = fb_str_find(arg, '=');
    const char *value = equals < arg.len ? argv[*at] + equals + 1 : NULL;
    enum option_id id = OPTION_HELP;

    int err = option_find(fb_str_first(arg, equals), args->verb, &id, diag);
    if (err < 0) {
        return err;
    }
    const struct option_row *row = &option_rows[id];
    if (row->value != NULL && value == NULL && *at + 1 < argc) {
        *at += 1;
        value = argv[*at];
    }
    if ((row->value != NULL) != (value != NULL)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "%s takes %s%s", row->name,
                           row->value != NULL ? "a value: " : "no value",
                           row->value != NULL ? row->value : "");
    }
    *at += 1;
    err = option_apply(args, id, value, diag);
    return err < 0 ? fb_diag_prefix(diag, err, "%s", row->name) : FB_OK;
}

int edge_tool_args_parse(int argc, char **argv, enum tool_verb verb, struct tool_args *ret_args,
                         struct fb_diag *diag)
{
    struct tool_args args = {.verb = verb};
    int at = 1;

    while (at < argc) {
        int err = FB_OK;
        if (fb_str_starts_with(fb_str_from(argv[at]), FB_STR("--"))) {
            err = option_read(argc, argv, &at, &args, diag);
        } else if (args.path == NULL) {
            args.path = argv[at++];
        } else {
            err = fb_diag_set(diag, FB_E_MALFORMED, "one path is enough, not '%s' too", argv[at]);
        }
        if (err < 0) {
            return err;
        }
    }
    if (!args.wants_help && args.path == NULL) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "the path of a volume is missing (--help tells "
                           "more)");
    }
    if (!args.wants_help && verb == TOOL_FORMAT && args.node == NULL) {
        return fb_diag_set(diag, FB_E_MALFORMED, "--node NAME is missing: whose volume it will be");
    }
    *ret_args = args;
    return FB_OK;
}

void edge_tool_args_help(struct fb_buf *buf, enum tool_verb verb)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(option_rows); i++) {
        const struct option_row *row = &option_rows[i];
        if ((row->verbs & OF(verb)) != 0) {
            fb_buf_printf(buf, "    %s%s%s\n        %s\n", row->name, row->value != NULL ? " " : "",
                          row->value != NULL ? row->value : "", row->help);
        }
    }
}
