#include "base/core/option.h"

#include "base/core/err.h"

static bool is_of(const struct fb_options *options, const struct fb_option *row)
{
    return options->kind == 0 || row->kinds == 0 || (row->kinds & options->kind) != 0;
}

static int option_find(const struct fb_options *options, struct fb_str name, size_t *ret_row,
                       struct fb_diag *diag)
{
    for (size_t i = 0; i < options->n; i++) {
        if (is_of(options, &options->rows[i]) &&
            fb_str_equal(name, fb_str_from(options->rows[i].name))) {
            *ret_row = i;
            return FB_OK;
        }
    }
    return fb_diag_set(diag, FB_E_MALFORMED, "unknown option '%.*s' (--help lists all)",
                       FB_STR_ARG(name));
}

int fb_option_read(const struct fb_options *options, int argc, char **argv, int *at,
                   struct fb_option_given *ret_given, struct fb_diag *diag)
{
    struct fb_str arg = fb_str_from(argv[*at]);
    size_t equals = fb_str_find(arg, '=');
    const char *value = equals < arg.len ? argv[*at] + equals + 1 : NULL;
    int behind = *at + 1;
    size_t found = 0;

    int err = option_find(options, fb_str_first(arg, equals), &found, diag);
    if (err < 0) {
        return err;
    }
    const struct fb_option *row = &options->rows[found];
    if (row->value != NULL && value == NULL && behind < argc) {
        value = argv[behind++];
    }
    if ((row->value != NULL) != (value != NULL)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "%s takes %s%s", row->name,
                           row->value != NULL ? "a value: " : "no value",
                           row->value != NULL ? row->value : "");
    }
    *at = behind;
    *ret_given = (struct fb_option_given){.row = found, .value = value};
    return FB_OK;
}

void fb_options_print(const struct fb_options *options, struct fb_buf *buf)
{
    for (size_t i = 0; i < options->n; i++) {
        const struct fb_option *row = &options->rows[i];
        if (is_of(options, row)) {
            fb_buf_printf(buf, "    %s%s%s\n        %s\n", row->name, row->value != NULL ? " " : "",
                          row->value != NULL ? row->value : "", row->help);
        }
    }
}
