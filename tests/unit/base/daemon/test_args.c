#include "base/core/err.h"
#include "base/daemon/daemon_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_ARGS = 8 };

static int parse(const char *line, struct fb_daemon_args *ret_args, struct fb_diag *diag)
{
    static char copy[256];
    char *argv[MAX_ARGS] = {copy};
    int argc = 1;
    struct fb_str rest = fb_str_from(line);
    struct fb_str word;

    (void)strncpy(copy, line, sizeof(copy) - 1);
    while (rest.len > 0 && fb_str_cut(&rest, ' ', &word)) {
        argv[argc] = copy + (word.ptr - line);
        argv[argc++][word.len] = '\0';
    }
    return fb_daemon_args_parse(argc, argv, ret_args, diag);
}

static void refused(const char *line, const char *sentence)
{
    struct fb_daemon_args args;
    struct fb_diag diag = {0};
    assert_int_equal(parse(line, &args, &diag), FB_E_MALFORMED);
    assert_string_equal(diag.text, sentence);
}

static void options_take_their_values_in_both_forms(void **state)
{
    (void)state;
    struct fb_daemon_args args;
    assert_int_equal(parse("--config a.yaml --check", &args, NULL), FB_OK);
    assert_string_equal(args.config_path, "a.yaml");
    assert_int_equal(args.task, FB_DAEMON_CHECK);

    assert_int_equal(parse("--config=b.yaml --log-level=error --log-format json", &args, NULL),
                     FB_OK);
    assert_string_equal(args.config_path, "b.yaml");
    assert_int_equal(args.task, FB_DAEMON_RUN);
    assert_int_equal(args.log_level, FB_LOG_ERROR);
    assert_int_equal(args.log_format, FB_LOG_FORMAT_JSON);
}

static void help_and_version_need_no_configuration(void **state)
{
    (void)state;
    struct fb_daemon_args args;
    assert_int_equal(parse("--help", &args, NULL), FB_OK);
    assert_int_equal(args.task, FB_DAEMON_HELP);
    assert_int_equal(parse("--version", &args, NULL), FB_OK);
    assert_int_equal(args.task, FB_DAEMON_VERSION);
    assert_int_equal(parse("--print-reference", &args, NULL), FB_OK);
}

static void wrong_arguments_are_named(void **state)
{
    (void)state;
    refused("--chekc", "unknown option '--chekc' (--help lists all)");
    refused("edge.yaml", "unknown option 'edge.yaml' (--help lists all)");
    refused("--config", "--config takes a value: FILE");
    refused("--check=yes", "--check takes no value");
    refused("--check", "--config FILE is missing (--help tells more)");
    refused("", "--config FILE is missing (--help tells more)");
    refused("--config=a --log-level loud", "--log-level does not know 'loud'");
}

static void help_is_a_page_with_exit_codes(void **state)
{
    (void)state;
    const struct fb_daemon_program program = {.name = "forebay-x", .summary = "do x"};
    FB_AUTO(fb_buf_done) struct fb_buf page = {0};
    fb_daemon_args_help(&program, &page);
    assert_non_null(strstr(page.ptr, "NAME\n    forebay-x - do x\n"));
    assert_non_null(strstr(page.ptr, "--config FILE\n"));
    assert_non_null(strstr(page.ptr, "EXIT STATUS\n    0 "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_take_their_values_in_both_forms),
        cmocka_unit_test(help_and_version_need_no_configuration),
        cmocka_unit_test(wrong_arguments_are_named),
        cmocka_unit_test(help_is_a_page_with_exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
