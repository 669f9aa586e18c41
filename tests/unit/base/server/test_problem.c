#include "base/server/problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_detail(const char *detail, const char *expected)
{
    FB_AUTO(fb_buf_done) struct fb_buf json = {0};
    FB_AUTO(fb_buf_done) struct fb_buf whole = {0};

    fb_problem_json(&json, 422, NULL, fb_str_from(detail));
    fb_buf_printf(&whole,
                  "{\"type\":\"about:blank\",\"title\":\"Unprocessable Content\",\"status\":422,"
                  "\"detail\":\"%s\"}\n",
                  expected);
    assert_true(fb_str_equal(fb_buf_str(&json), fb_buf_str(&whole)));
}

static void a_diagnostic_becomes_a_sentence(void **state)
{
    (void)state;
    assert_detail("the name is taken", "The name is taken.");
    assert_detail("'url' is expected!", "'url' is expected!");
}

static void the_name_of_a_file_is_spelled_as_it_is(void **state)
{
    (void)state;
    assert_detail("edge.yaml:19:5: unknown key", "edge.yaml:19:5: unknown key.");
    assert_detail("conf/edge:1:1: no", "conf/edge:1:1: no.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_diagnostic_becomes_a_sentence),
        cmocka_unit_test(the_name_of_a_file_is_spelled_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
