#include "base/conf/conf.h"
#include "base/core/err.h"
#include "base/core/option.h"
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

static const struct fb_option option_rows[] = {
    [OPTION_JSON] = {"--json", NULL, "Print one JSON document.", OF(TOOL_INSPECT) | OF(TOOL_BENCH)},
    [OPTION_ZONE] = {"--zone", "N", "List the records of zone N instead.", OF(TOOL_INSPECT)},
    [OPTION_RATE] = {"--rate", "SIZE", "Read at most so much a second, such as 100MiB.",
                     OF(TOOL_VERIFY)},
    [OPTION_QUIET] = {"--quiet", NULL, "Do not tell how far it is.", OF(TOOL_VERIFY)},
    [OPTION_NODE] = {"--node", "NAME",
                     "Whose volume it will be: `node` in the configuration of the edge.",
                     OF(TOOL_FORMAT)},
    [OPTION_SIZE] = {"--size", "SIZE",
                     "How long to make a file that is not there, such as 100GiB. Its room is\n"
                     "        reserved.",
                     OF(TOOL_FORMAT) | OF(TOOL_BENCH)},
    [OPTION_OBJECT] = {"--object", "SIZE", "Bytes of an object, at most 4MiB (1MiB).",
                       OF(TOOL_BENCH)},
    [OPTION_SECONDS] = {"--seconds", "N", "How long each part takes (5).", OF(TOOL_BENCH)},
    [OPTION_KEEP] = {"--keep", NULL, "Leave the volume as it was written, of node 'bench'.",
                     OF(TOOL_BENCH)},
    [OPTION_FORCE] = {"--force", NULL, "Give up what is there.", OF(TOOL_FORMAT) | OF(TOOL_BENCH)},
    [OPTION_HELP] = {"--help", NULL, "Print this page and exit.", 0},
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

static struct fb_options options_of(enum tool_verb verb)
{
    return (struct fb_options){
        .rows = option_rows, .n = FB_ARRAY_LEN(option_rows), .kind = OF(verb)};
}

/* Reads the option at argv[*at], and its value behind it, and steps over both. */
static int option_read(int argc, char **argv, int *at, struct tool_args *args, struct fb_diag *diag)
{
    const struct fb_options options = options_of(args->verb);
    struct fb_option_given given;

    int err = fb_option_read(&options, argc, argv, at, &given, diag);
    if (err < 0) {
        return err;
    }
    err = option_apply(args, (enum option_id)given.row, given.value, diag);
    return err < 0 ? fb_diag_prefix(diag, err, "%s", option_rows[given.row].name) : FB_OK;
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
    const struct fb_options options = options_of(verb);

    fb_options_print(&options, buf);
}
