#include "base/core/err.h"
#include "base/core/option.h"
#include "base/daemon/daemon_internal.h"

enum option_id {
    OPTION_CONFIG,
    OPTION_CHECK,
    OPTION_PRINT_CONFIG,
    OPTION_PRINT_REFERENCE,
    OPTION_LOG_LEVEL,
    OPTION_LOG_FORMAT,
    OPTION_VERSION,
    OPTION_HELP
};

static const struct fb_option option_rows[] = {
    [OPTION_CONFIG] = {"--config", "FILE", "Read the configuration from FILE (YAML).", 0},
    [OPTION_CHECK] = {"--check", NULL, "Check the configuration and exit.", 0},
    [OPTION_PRINT_CONFIG] = {"--print-config", NULL,
                             "Print the configuration with all presets filled in, and exit.", 0},
    [OPTION_PRINT_REFERENCE] = {"--print-reference", NULL,
                                "Print all keys of the configuration as Markdown, and exit.", 0},
    [OPTION_LOG_LEVEL] = {"--log-level", "LEVEL",
                          "Log from this level on: debug, info (preset), warn or error.", 0},
    [OPTION_LOG_FORMAT] = {"--log-format", "FORMAT",
                           "text, json, or auto (preset): text on a terminal, else JSON lines.", 0},
    [OPTION_VERSION] = {"--version", NULL, "Print the version and exit.", 0},
    [OPTION_HELP] = {"--help", NULL, "Print this page and exit.", 0},
};

static const struct fb_options options = {.rows = option_rows, .n = FB_ARRAY_LEN(option_rows)};

/* The index of `text` in `words`, or FB_E_MALFORMED. */
static int word_find(const char *const *words, size_t n, struct fb_str text, const char *option,
                     unsigned *ret_index, struct fb_diag *diag)
{
    for (size_t i = 0; i < n; i++) {
        if (fb_str_equal(text, fb_str_from(words[i]))) {
            *ret_index = (unsigned)i;
            return FB_OK;
        }
    }
    return fb_diag_set(diag, FB_E_MALFORMED, "%s does not know '%.*s'", option, FB_STR_ARG(text));
}

static int option_apply(struct fb_daemon_args *args, enum option_id id, const char *value,
                        struct fb_diag *diag)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    static const char *const formats[] = {"auto", "text", "json"};
    unsigned index = 0;
    int err = FB_OK;

    switch (id) {
    case OPTION_CONFIG:
        args->config_path = value;
        break;
    case OPTION_CHECK:
        args->task = FB_DAEMON_CHECK;
        break;
    case OPTION_PRINT_CONFIG:
        args->task = FB_DAEMON_PRINT_CONFIG;
        break;
    case OPTION_PRINT_REFERENCE:
        args->task = FB_DAEMON_PRINT_REFERENCE;
        break;
    case OPTION_LOG_LEVEL:
        err = word_find(levels, FB_ARRAY_LEN(levels), fb_str_from(value), "--log-level", &index,
                        diag);
        args->log_level = (enum fb_log_level)index;
        break;
    case OPTION_LOG_FORMAT:
        err = word_find(formats, FB_ARRAY_LEN(formats), fb_str_from(value), "--log-format", &index,
                        diag);
        args->log_format = (enum fb_log_format)index;
        break;
    case OPTION_VERSION:
        args->task = FB_DAEMON_VERSION;
        break;
    case OPTION_HELP:
        args->task = FB_DAEMON_HELP;
        break;
    }
    return err;
}

int fb_daemon_args_parse(int argc, char **argv, struct fb_daemon_args *ret_args,
                         struct fb_diag *diag)
{
    struct fb_daemon_args args = {.log_level = FB_LOG_INFO, .log_format = FB_LOG_FORMAT_AUTO};
    int at = 1;

    while (at < argc) {
        struct fb_option_given given;
        int err = fb_option_read(&options, argc, argv, &at, &given, diag);
        if (err == FB_OK) {
            err = option_apply(&args, (enum option_id)given.row, given.value, diag);
        }
        if (err < 0) {
            return err;
        }
    }
    bool needs_config = args.task == FB_DAEMON_RUN || args.task == FB_DAEMON_CHECK ||
                        args.task == FB_DAEMON_PRINT_CONFIG;
    if (needs_config && args.config_path == NULL) {
        return fb_diag_set(diag, FB_E_MALFORMED, "--config FILE is missing (--help tells more)");
    }
    *ret_args = args;
    return FB_OK;
}

void fb_daemon_args_help(const struct fb_daemon_program *program, struct fb_buf *buf)
{
    fb_buf_printf(buf, "NAME\n    %s - %s\n\n", program->name, program->summary);
    fb_buf_printf(buf,
                  "SYNOPSIS\n    %s --config FILE [--check | --print-config]\n"
                  "        [--log-level LEVEL] [--log-format FORMAT]\n"
                  "    %s --version | --help | --print-reference\n",
                  program->name, program->name);
    for (size_t i = 0; i < program->n_commands; i++) {
        fb_buf_printf(buf, "    %s %s ...\n", program->name, program->commands[i].name);
    }
    if (program->n_commands > 0) {
        fb_buf_append(buf, FB_STR("\nCOMMANDS (each has its own --help)\n"));
    }
    for (size_t i = 0; i < program->n_commands; i++) {
        fb_buf_printf(buf, "    %s\n        %s\n", program->commands[i].name,
                      program->commands[i].summary);
    }
    fb_buf_append(buf, FB_STR("\nOPTIONS\n"));
    fb_options_print(&options, buf);
    fb_buf_append(buf, FB_STR("\n"
                              "SIGNALS\n"
                              "    SIGTERM, SIGINT\n"
                              "        Take no new work, end what is under way, then exit. A "
                              "second one exits at once.\n"));
    if (program->reload != NULL) {
        fb_buf_append(buf, FB_STR("    SIGHUP\n"
                                  "        Read the configuration again and open log files again. "
                                  "A bad one changes\n"
                                  "        nothing; the log says what is wrong.\n"));
    }
    if (program->succession != NULL) {
        fb_buf_append(buf, FB_STR("    SIGUSR2\n"
                                  "        Start the program at its path anew and hand over to "
                                  "it: no connection\n"
                                  "        is refused. If it cannot start, this one goes on.\n"));
    }
    fb_buf_append(buf, FB_STR(""
                              "\n"
                              "EXIT STATUS\n"
                              "    0   Ended as asked; with --check: the configuration is good.\n"
                              "    1   Could not start, or broke; the log says why.\n"
                              "    2   Wrong arguments or configuration; standard error says "
                              "where.\n"
                              "\n"
                              "SEE ALSO\n"
                              "    docs/configuration.md, or --print-reference\n"));
}
