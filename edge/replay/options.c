#include "edge/replay/options.h"

#include "base/conf/conf.h"
#include "base/core/err.h"
#include "base/core/option.h"

enum { SHARE_MAX_DIGITS = 6 };

#define MILLION 1000000U

/* ---- sizes ------------------------------------------------------------- */

/* Decimal digits with a point perhaps, in millionths. */
static int decimal_read(struct fb_str text, uint64_t *ret_millionths)
{
    size_t point = fb_str_find(text, '.');
    struct fb_str fraction = fb_str_skip(text, point + 1);
    uint64_t whole = 0;
    uint64_t part = 0;

    if (fb_str_to_u64(fb_str_first(text, point), &whole) < 0 || whole > MILLION ||
        fraction.len > SHARE_MAX_DIGITS ||
        (point < text.len && fb_str_to_u64(fraction, &part) < 0)) {
        return FB_E_MALFORMED;
    }
    for (size_t i = fraction.len; i < SHARE_MAX_DIGITS; i++) {
        part *= 10;
    }
    *ret_millionths = whole * MILLION + part;
    return FB_OK;
}

/* As it is written in the configuration. */
static int bytes_read(struct fb_str text, uint64_t *ret_bytes)
{
    static const struct fb_conf_item items[] = {
        {"size", FB_CONF_SIZE, 0, .is_required = true},
        {0},
    };
    static const struct fb_conf_section section = {
        .name = "size", .size = sizeof(uint64_t), .items = items};
    FB_AUTO(fb_buf_done) struct fb_buf yaml = {0};

    fb_buf_printf(&yaml, "size: %.*s\n", FB_STR_ARG(text));
    return fb_conf_parse(&section, fb_buf_str(&yaml), "size", ret_bytes, NULL);
}

int edge_replay_size_parse(struct fb_str text, struct edge_replay_size *ret_size,
                           struct fb_diag *diag)
{
    struct edge_replay_size size = {.is_set = true};
    bool is_percent = fb_str_ends_with(text, FB_STR("%"));
    bool is_number = true;
    bool has_point = false;

    for (size_t i = 0; i < text.len; i++) {
        has_point = has_point || text.ptr[i] == '.';
        is_number = is_number && ((text.ptr[i] >= '0' && text.ptr[i] <= '9') || text.ptr[i] == '.');
    }
    size.is_share = is_percent || (is_number && has_point);
    int err = size.is_share ? decimal_read(fb_str_first(text, text.len - (is_percent ? 1 : 0)),
                                           &size.millionths)
                            : bytes_read(text, &size.n_bytes);
    if (is_percent) {
        size.millionths /= 100;
    }
    if (err < 0 || (size.is_share ? size.millionths : size.n_bytes) == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'%.*s' is neither a size such as 8GiB nor a share such as 1%% or 0.01",
                           FB_STR_ARG(text));
    }
    *ret_size = size;
    return FB_OK;
}

uint64_t edge_replay_size_of(const struct edge_replay_size *size, uint64_t footprint)
{
    return size->is_share ? (uint64_t)((unsigned __int128)footprint * size->millionths / MILLION)
                          : size->n_bytes;
}

/* ---- arguments --------------------------------------------------------- */

enum option_id { OPTION_CONFIG, OPTION_MEMORY, OPTION_VOLUMES, OPTION_DAILY, OPTION_HELP };

static const struct fb_option option_rows[] = {
    [OPTION_CONFIG] = {"--config", "FILE",
                       "The configuration of the edge: its `store` section is what is replayed.",
                       0},
    [OPTION_MEMORY] = {"--memory", "SHARE|SIZE",
                       "Instead of store.memory: a size such as 8GiB, or a share of each trace's\n"
                       "        footprint such as 1% or 0.01.",
                       0},
    [OPTION_VOLUMES] = {"--volumes", "SHARE|SIZE",
                        "Instead of store.volumes: one volume of this size. Their endurance does\n"
                        "        not count then, since a trace's days are not to the scale of a\n"
                        "        drive's; --daily sets a budget.",
                        0},
    [OPTION_DAILY] = {"--daily", "SHARE|SIZE", "What may be written to the volumes in a day.", 0},
    [OPTION_HELP] = {"--help", NULL, "Print this page and exit.", 0},
};

static int option_apply(struct edge_replay_args *args, enum option_id id, const char *value,
                        struct fb_diag *diag)
{
    int err = FB_OK;

    switch (id) {
    case OPTION_CONFIG:
        args->config_path = value;
        break;
    case OPTION_MEMORY:
        err = edge_replay_size_parse(fb_str_from(value), &args->memory, diag);
        break;
    case OPTION_VOLUMES:
        err = edge_replay_size_parse(fb_str_from(value), &args->volumes, diag);
        break;
    case OPTION_DAILY:
        err = edge_replay_size_parse(fb_str_from(value), &args->daily, diag);
        break;
    case OPTION_HELP:
        args->wants_help = true;
        break;
    }
    return err < 0 ? fb_diag_prefix(diag, err, "%s", option_rows[id].name) : FB_OK;
}

static const struct fb_options options = {.rows = option_rows, .n = FB_ARRAY_LEN(option_rows)};

int edge_replay_args_parse(int argc, char **argv, struct edge_replay_args *ret_args,
                           struct fb_diag *diag)
{
    struct edge_replay_args args = {0};
    int at = 1;

    while (at < argc && fb_str_starts_with(fb_str_from(argv[at]), FB_STR("--"))) {
        struct fb_option_given given;
        int err = fb_option_read(&options, argc, argv, &at, &given, diag);
        if (err == FB_OK) {
            err = option_apply(&args, (enum option_id)given.row, given.value, diag);
        }
        if (err < 0) {
            return err;
        }
    }
    args.paths = argv + at;
    args.n_paths = (size_t)(argc - at);
    if (!args.wants_help && args.config_path == NULL) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "--config FILE is missing (forebay-edge replay --help tells more)");
    }
    if (!args.wants_help && args.n_paths == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "a trace is missing (forebay-edge replay --help tells more)");
    }
    *ret_args = args;
    return FB_OK;
}

/* ---- the manual page --------------------------------------------------- */

void edge_replay_help(struct fb_buf *buf)
{
    fb_buf_append(buf, FB_STR("NAME\n"
                              "    forebay-edge replay - what the store would have done with the "
                              "requests of a trace\n"
                              "\n"
                              "SYNOPSIS\n"
                              "    forebay-edge replay --config FILE [--memory SHARE|SIZE] "
                              "[--volumes SHARE|SIZE]\n"
                              "        [--daily SHARE|SIZE] TRACE...\n"
                              "\n"
                              "DESCRIPTION\n"
                              "    Runs each TRACE, a file in the FBTR1 format, through the "
                              "policies that the\n"
                              "    server links, in virtual time and from an empty store, and "
                              "prints one JSON\n"
                              "    document: hits, misses and evictions of each tier, bytes "
                              "written to the\n"
                              "    volumes by reason, and the means over the traces. "
                              "docs/replay.md tells what\n"
                              "    each number means.\n"
                              "\n"
                              "OPTIONS\n"));
    fb_options_print(&options, buf);
    fb_buf_append(buf, FB_STR("\n"
                              "EXIT STATUS\n"
                              "    0   All traces were replayed.\n"
                              "    1   A trace could not be read; standard error says why and "
                              "where.\n"
                              "    2   Wrong arguments or configuration.\n"
                              "\n"
                              "EXAMPLE\n"
                              "    forebay-edge replay --config edge.yaml --memory 0.2% \\\n"
                              "        --volumes 10% vod.fbt\n"));
}
