#include "base/core/err.h"
#include "origin/api/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct question {
    const char *peer;
    const char *fields[2]; /* X-Forwarded-For, in the order of arrival */
};

static void assert_peer(const struct question *question, const char *wanted)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct fb_network networks[2];
    struct fb_headers headers = {.n = 0};
    struct fb_address peer;
    char text[FB_ADDRESS_TEXT_MAX];

    assert_int_equal(fb_network_parse(FB_STR("10.0.0.0/8"), &networks[0], NULL), FB_OK);
    assert_int_equal(fb_network_parse(FB_STR("2001:db8:f::/48"), &networks[1], NULL), FB_OK);
    assert_int_equal(fb_address_from_ip(fb_str_from(question->peer), 0, &peer), FB_OK);
    for (size_t i = 0; i < 2 && question->fields[i] != NULL; i++) {
        fb_headers_add(&headers, &arena, FB_STR("x-forwarded-for"),
                       fb_str_from(question->fields[i]));
        fb_headers_add(&headers, &arena, FB_STR("X-Other"), FB_STR("198.51.100.99"));
    }
    struct fb_address found = origin_api_peer_of(
        &peer, &headers, &(struct origin_api_trusted){.networks = networks, .n = 2});
    (void)fb_address_text(&found, text);
    *strrchr(text, ':') = '\0'; /* the port says nothing */
    assert_string_equal(text, wanted);
}

static void whom_nobody_trusts_speaks_for_himself_alone(void **state)
{
    (void)state;

    assert_peer(&(struct question){"192.0.2.1", {NULL}}, "192.0.2.1");
    assert_peer(&(struct question){"192.0.2.1", {"198.51.100.1"}}, "192.0.2.1");
    assert_peer(&(struct question){"10.1.1.1", {NULL}}, "10.1.1.1");
}

static void whom_we_trust_names_the_client(void **state)
{
    (void)state;

    assert_peer(&(struct question){"10.1.1.1", {"198.51.100.1"}}, "198.51.100.1");
    assert_peer(&(struct question){"10.1.1.1", {"203.0.113.9, 198.51.100.1"}}, "198.51.100.1");
    assert_peer(&(struct question){"10.1.1.1", {"198.51.100.1, 10.2.2.2"}}, "198.51.100.1");
    assert_peer(&(struct question){"10.1.1.1", {"203.0.113.9", "198.51.100.1,10.2.2.2"}},
                "198.51.100.1");
    assert_peer(&(struct question){"10.1.1.1", {"198.51.100.1", "10.2.2.2"}}, "198.51.100.1");
    assert_peer(&(struct question){"2001:db8:f::1", {"[2001:db8::7]:80"}}, "[2001:db8::7]");
    assert_peer(&(struct question){"10.1.1.1", {"[2001:db8::7]"}}, "[2001:db8::7]");
    assert_peer(&(struct question){"10.1.1.1", {"198.51.100.1:8080"}}, "198.51.100.1");
}

static void what_is_no_address_is_who_named_it(void **state)
{
    (void)state;

    assert_peer(&(struct question){"10.1.1.1", {"unknown"}}, "10.1.1.1");
    assert_peer(&(struct question){"10.1.1.1", {"198.51.100.1,"}}, "10.1.1.1");
    assert_peer(&(struct question){"10.1.1.1", {"198.51.100.1, x, 10.2.2.2"}}, "10.2.2.2");
    assert_peer(&(struct question){"10.1.1.1", {",,,"}}, "10.1.1.1");
    assert_peer(&(struct question){"10.1.1.1", {""}}, "10.1.1.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whom_nobody_trusts_speaks_for_himself_alone),
        cmocka_unit_test(whom_we_trust_names_the_client),
        cmocka_unit_test(what_is_no_address_is_who_named_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
