#include "edge/upstream/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct edge_forwarded v4 = {.address = FB_STR("192.0.2.7"),
                                         .host = FB_STR("a.example:8080"),
                                         .is_secure = true};

static void assert_field(const struct fb_headers *headers, const char *name, const char *value)
{
    assert_int_equal(fb_headers_count(headers, fb_str_from(name)), 1);
    struct fb_str got = fb_headers_find(headers, fb_str_from(name));
    assert_int_equal(got.len, strlen(value));
    assert_memory_equal(got.ptr, value, got.len);
}

static void an_upstream_is_told_in_the_form_that_it_wants(void **state)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_headers x = {0};
    struct fb_headers rfc7239 = {0};
    struct fb_headers none = {0};

    (void)state;
    edge_forwarded_add(&x, &arena, EDGE_FORWARDING_X, &v4);
    assert_int_equal(x.n, 3);
    assert_field(&x, "X-Forwarded-For", "192.0.2.7");
    assert_field(&x, "X-Forwarded-Proto", "https");
    assert_field(&x, "X-Forwarded-Host", "a.example:8080");
    edge_forwarded_add(&rfc7239, &arena, EDGE_FORWARDING_RFC7239, &v4);
    assert_int_equal(rfc7239.n, 1);
    assert_field(&rfc7239, "Forwarded", "for=192.0.2.7;host=\"a.example:8080\";proto=https");
    edge_forwarded_add(&none, &arena, EDGE_FORWARDING_OFF, &v4);
    assert_int_equal(none.n, 0);
}

static void an_ipv6_address_has_brackets_in_forwarded_alone(void **state)
{
    static const struct edge_forwarded v6 = {.address = FB_STR("2001:db8::1")};
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_headers headers = {0};

    (void)state;
    edge_forwarded_add(&headers, &arena, EDGE_FORWARDING_X, &v6);
    assert_field(&headers, "X-Forwarded-For", "2001:db8::1");
    assert_field(&headers, "X-Forwarded-Proto", "http");
    assert_int_equal(headers.n, 2); /* it named no host */
    edge_forwarded_add(&headers, &arena, EDGE_FORWARDING_RFC7239, &v6);
    assert_field(&headers, "Forwarded", "for=\"[2001:db8::1]\";proto=http");
}

static void an_address_that_is_not_known_is_said_to_be_so(void **state)
{
    static const struct edge_forwarded nobody = {.is_secure = false};
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_headers headers = {0};

    (void)state;
    edge_forwarded_add(&headers, &arena, EDGE_FORWARDING_X, &nobody);
    edge_forwarded_add(&headers, &arena, EDGE_FORWARDING_RFC7239, &nobody);
    assert_field(&headers, "X-Forwarded-For", "unknown");
    assert_field(&headers, "Forwarded", "for=unknown;proto=http");
}

static void addresses_that_a_trusted_peer_named_stand_before_its_own(void **state)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_headers before = {0};
    struct fb_headers headers = {0};
    struct edge_forwarded client = v4;

    (void)state;
    fb_headers_add(&before, &arena, FB_STR("x-forwarded-for"), FB_STR("198.51.100.1"));
    fb_headers_add(&before, &arena, FB_STR("X-Forwarded-For"), FB_STR("198.51.100.2"));
    fb_headers_add(&before, &arena, FB_STR("X-Forwarded-Proto"), FB_STR("http"));
    fb_headers_add(&before, &arena, FB_STR("Forwarded"), FB_STR("for=198.51.100.1"));
    client.before = &before;
    edge_forwarded_add(&headers, &arena, EDGE_FORWARDING_X, &client);
    edge_forwarded_add(&headers, &arena, EDGE_FORWARDING_RFC7239, &client);
    assert_field(&headers, "X-Forwarded-For", "198.51.100.1, 198.51.100.2, 192.0.2.7");
    assert_field(&headers, "X-Forwarded-Proto", "http"); /* the first client's */
    assert_field(&headers, "X-Forwarded-Host", "a.example:8080");
    assert_field(&headers, "Forwarded",
                 "for=198.51.100.1, for=192.0.2.7;host=\"a.example:8080\";proto=https");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upstream_is_told_in_the_form_that_it_wants),
        cmocka_unit_test(an_ipv6_address_has_brackets_in_forwarded_alone),
        cmocka_unit_test(an_address_that_is_not_known_is_said_to_be_so),
        cmocka_unit_test(addresses_that_a_trusted_peer_named_stand_before_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
