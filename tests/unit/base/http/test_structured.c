#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/http/structured.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Writes what was read: "key:kind:integer:text:parameters" of each member, then how it ended. */
static void read_all(const char *value, struct fb_buf *out)
{
    struct fb_str rest = fb_str_from(value);
    struct fb_sf_member member;
    int err = FB_OK;

    while ((err = fb_sf_next_member(&rest, &member)) == FB_OK) {
        fb_buf_printf(out, "%.*s:%d:%lld:%.*s:%.*s|", FB_STR_ARG(member.key), (int)member.kind,
                      (long long)member.integer, FB_STR_ARG(member.text),
                      FB_STR_ARG(member.parameters));
    }
    fb_buf_append(out, err == FB_E_END ? FB_STR("end") : FB_STR("bad"));
}

static const struct {
    const char *value;
    const char *want;
} cases[] = {
    {"", "end"},
    {"  ", "end"},
    {"a", "a:5:1::|end"},
    {" a , b ", "a:5:1::|b:5:1::|end"},
    {"a\t,\tb", "a:5:1::|b:5:1::|end"},
    {"a=1,b=-2", "a:0:1::|b:0:-2::|end"},
    {"a=999999999999999", "a:0:999999999999999::|end"},
    {"a=1000000000000000", "bad"},
    {"a=-0", "a:0:0::|end"},
    {"a=1.5", "a:1:1500::|end"},
    {"a=123456789012.001", "a:1:123456789012001::|end"},
    {"a=1234567890123.0", "bad"},
    {"a=1.", "bad"},
    {"a=1.2345", "bad"},
    {"a=-", "bad"},
    {"a=\"x, y\"", "a:2:0:x, y:|end"},
    {"a=\"q\\\"\\\\\"", "a:2:0:q\\\"\\\\:|end"},
    {"a=\"q\\x\"", "bad"},
    {"a=\"open", "bad"},
    {"a=\"\x7f\"", "bad"},
    {"a=tok/en:1", "a:3:0:tok/en:1:|end"},
    {"a=*", "a:3:0:*:|end"},
    {"a=:aGk=:", "a:4:0:aGk=:|end"},
    {"a=:a?:", "bad"},
    {"a=:a", "bad"},
    {"a=?0;x;y=2", "a:5:0::;x;y=2|end"},
    {"a=?2", "bad"},
    {"a=(1 \"two\";p  tok)", "a:6:0:1 \"two\";p  tok:|end"},
    {"a=()", "a:6:0::|end"},
    {"a=(1", "bad"},
    {"a=(1\"x\")", "bad"},
    {"a=(1,2)", "bad"},
    {"a;x=?1", "a:5:1::;x=?1|end"},
    {"a; X", "bad"},
    {"A=1", "bad"},
    {"1=a", "bad"},
    {"a=", "bad"},
    {"a=,b", "bad"},
    {"a,", "bad"},
    {"a,,b", "a:5:1::|bad"},
    {",a", "bad"},
    {"a b", "bad"},
    {"a =1", "bad"},
    {"*k_-.9", "*k_-.9:5:1::|end"},
    {"a=@1659578233", "bad"},
};

static void dictionaries_are_read_as_the_rfc_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        FB_AUTO(fb_buf_done) struct fb_buf got = {0};
        read_all(cases[i].value, &got);
        if (!fb_str_equal(fb_buf_str(&got), fb_str_from(cases[i].want))) {
            fail_msg("\"%s\": %.*s, want %s", cases[i].value, FB_STR_ARG(fb_buf_str(&got)),
                     cases[i].want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dictionaries_are_read_as_the_rfc_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
