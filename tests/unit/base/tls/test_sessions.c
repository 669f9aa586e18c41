#include "base/tls/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
    *state = fb_tls_sessions_new();
    return 0;
}

static int tear_down(void **state)
{
    fb_tls_sessions_free(*state);
    return 0;
}

static void expect(struct fb_tls_sessions *sessions, struct fb_str name, struct fb_str session)
{
    uint8_t bytes[FB_TLS_SESSION_MAX];
    size_t len = fb_tls_sessions_get(sessions, name, bytes);

    assert_true(fb_str_equal((struct fb_str){(const char *)bytes, len}, session));
}

static void newest_of_a_name_is_kept(void **state)
{
    fb_tls_sessions_put(*state, FB_STR("a"), FB_STR("first"));
    fb_tls_sessions_put(*state, FB_STR("b"), FB_STR("other"));
    fb_tls_sessions_put(*state, FB_STR("a"), FB_STR("second"));
    expect(*state, FB_STR("a"), FB_STR("second"));
    expect(*state, FB_STR("b"), FB_STR("other"));
    expect(*state, FB_STR("c"), FB_STR_NONE);
}

static void forgotten_one_is_gone(void **state)
{
    fb_tls_sessions_put(*state, FB_STR("a"), FB_STR_NONE);
    fb_tls_sessions_put(*state, FB_STR("a"), FB_STR("first"));
    fb_tls_sessions_put(*state, FB_STR("a"), FB_STR_NONE);
    expect(*state, FB_STR("a"), FB_STR_NONE);
    fb_tls_sessions_put(*state, FB_STR("a"), FB_STR("second"));
    expect(*state, FB_STR("a"), FB_STR("second"));
}

static void oldest_name_makes_room(void **state)
{
    char name[8];

    for (int i = 0; i <= FB_TLS_SESSIONS_MAX; i++) {
        int len = snprintf(name, sizeof(name), "%d", i);
        fb_tls_sessions_put(*state, (struct fb_str){name, (size_t)len}, FB_STR("session"));
    }
    expect(*state, FB_STR("0"), FB_STR_NONE);
    expect(*state, FB_STR("1"), FB_STR("session"));
    expect(*state, fb_str_from(name), FB_STR("session"));
}

static void one_that_is_too_long_is_not_kept(void **state)
{
    static const char bytes[FB_TLS_SESSION_MAX + 1];

    fb_tls_sessions_put(*state, FB_STR("a"), FB_STR("first"));
    fb_tls_sessions_put(*state, FB_STR("a"), (struct fb_str){bytes, sizeof(bytes)});
    expect(*state, FB_STR("a"), FB_STR("first"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(newest_of_a_name_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgotten_one_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(oldest_name_makes_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_too_long_is_not_kept, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
