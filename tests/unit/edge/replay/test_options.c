#include "base/core/attr.h"
#include "base/core/err.h"
#include "edge/replay/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t footprint = 1000000;

/* What `text` comes to; 0 if it is refused. */
static uint64_t size_of(const char *text)
{
    struct edge_replay_size size;
    struct fb_diag diag = {0};

    if (edge_replay_size_parse(fb_str_from(text), &size, &diag) < 0) {
        assert_non_null(strstr(diag.text, "is neither a size such as 8GiB nor a share"));
        return 0;
    }
    assert_true(size.is_set);
    return edge_replay_size_of(&size, footprint);
}

static int parse(int argc, const char *const *argv, struct edge_replay_args *args,
                 struct fb_diag *diag)
{
    /* argv is not written. */
    return edge_replay_args_parse(argc, (char **)(uintptr_t)argv, args, diag);
}

#define PARSE(args, diag, ...)                                               \
    parse((int)FB_ARRAY_LEN(((const char *const[]){"replay", __VA_ARGS__})), \
          (const char *const[]){"replay", __VA_ARGS__, NULL}, args, diag)

#define REFUSED(words, ...)                                                 \
    do {                                                                    \
        struct edge_replay_args args;                                       \
        struct fb_diag diag = {0};                                          \
        assert_int_equal(PARSE(&args, &diag, __VA_ARGS__), FB_E_MALFORMED); \
        assert_string_equal(diag.text, words);                              \
    } while (0)

static void shares_are_of_the_footprint(void **state)
{
    (void)state;
    assert_int_equal(size_of("1%"), 10000);
    assert_int_equal(size_of("0.01"), 10000);
    assert_int_equal(size_of("0.2%"), 2000);
    assert_int_equal(size_of("0.002"), 2000);
    assert_int_equal(size_of("12.5%"), 125000);
    assert_int_equal(size_of("1.0"), 1000000);
    assert_int_equal(size_of("150%"), 1500000);
}

static void sizes_are_as_in_the_configuration(void **state)
{
    (void)state;
    assert_int_equal(size_of("512"), 512);
    assert_int_equal(size_of("64KiB"), 65536);
    assert_int_equal(size_of("1.5MB"), 1500000);
}

static void what_is_neither_is_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "%",
                                        "x",
                                        "-1%",
                                        "1%%",
                                        "0",
                                        "0%",
                                        "0.0",
                                        "1..5",
                                        "1,5%",
                                        "5KiX",
                                        "1.%",
                                        "0.0000001",
                                        "[1]",
                                        "1MiB\nb: 2",
                                        "2000000%",
                                        "99999999999999999999"};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(wrong); i++) {
        if (size_of(wrong[i]) != 0) {
            fail_msg("'%s' was taken", wrong[i]);
        }
    }
}

static void options_come_before_traces(void **state)
{
    struct edge_replay_args args;

    (void)state;
    assert_int_equal(PARSE(&args, NULL, "--config", "e.yaml", "--memory=1%", "a.fbt", "b.fbt"),
                     FB_OK);
    assert_string_equal(args.config_path, "e.yaml");
    assert_true(args.memory.is_set && args.memory.is_share);
    assert_int_equal(args.n_paths, 2);
    assert_string_equal(args.paths[1], "b.fbt");
}

static void help_needs_nothing_else(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf page = {0};
    struct edge_replay_args args;

    (void)state;
    assert_int_equal(PARSE(&args, NULL, "--help"), FB_OK);
    assert_true(args.wants_help);
    edge_replay_help(&page);
    assert_non_null(strstr(page.ptr, "EXIT STATUS"));
    assert_non_null(strstr(page.ptr, "--memory SHARE|SIZE"));
}

static void wrong_arguments_are_named(void **state)
{
    (void)state;
    REFUSED("unknown option '--memroy' (--help lists all)", "--memroy=1%");
    REFUSED("--config takes a value: FILE", "--config");
    REFUSED("--help takes no value", "--help=1");
    REFUSED("--config FILE is missing (forebay-edge replay --help tells more)", "a.fbt");
    REFUSED("a trace is missing (forebay-edge replay --help tells more)", "--config", "e.yaml");
    REFUSED("--memory: 'much' is neither a size such as 8GiB nor a share such as 1% or 0.01",
            "--memory", "much");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_of_the_footprint),
        cmocka_unit_test(sizes_are_as_in_the_configuration),
        cmocka_unit_test(what_is_neither_is_refused),
        cmocka_unit_test(options_come_before_traces),
        cmocka_unit_test(help_needs_nothing_else),
        cmocka_unit_test(wrong_arguments_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
