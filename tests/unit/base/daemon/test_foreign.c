#include "base/daemon/daemon_internal.h"
#include "base/http/head.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* NULL: without that field. */
struct order {
    const char *host;
    const char *origin;
    const char *site;
};

static bool is_foreign(enum fb_method method, const struct order *order)
{
    struct fb_header fields[2];
    struct fb_request_head request = {.method = method, .headers = {.items = fields}};

    request.host = order->host == NULL ? FB_STR("") : fb_str_from(order->host);
    if (order->origin != NULL) {
        fields[request.headers.n++] =
            (struct fb_header){FB_STR("Origin"), fb_str_from(order->origin)};
    }
    if (order->site != NULL) {
        fields[request.headers.n++] =
            (struct fb_header){FB_STR("Sec-Fetch-Site"), fb_str_from(order->site)};
    }
    return fb_daemon_is_foreign(&request);
}

static void all_are(const struct order *orders, size_t n, bool expected)
{
    for (size_t i = 0; i < n; i++) {
        if (is_foreign(FB_METHOD_POST, &orders[i]) != expected) {
            fail_msg("Host '%s', Origin '%s', Sec-Fetch-Site '%s' is %s",
                     orders[i].host == NULL ? "" : orders[i].host,
                     orders[i].origin == NULL ? "" : orders[i].origin,
                     orders[i].site == NULL ? "" : orders[i].site, expected ? "obeyed" : "refused");
        }
    }
}

static void a_page_of_the_address_itself_is_obeyed(void **state)
{
    static const struct order orders[] = {
        {"127.0.0.1:9100", "http://127.0.0.1:9100", "same-origin"},
        {"127.0.0.1:9100", "http://127.0.0.1:9100", NULL},
        {"127.0.0.1:9100", NULL, "same-origin"},
        {"127.0.0.1:9100", NULL, "none"},
        {"192.0.2.7", "https://192.0.2.7", "same-origin"},
        {"[::1]", "http://[::1]", "same-origin"},
        {"[2001:DB8::1]:9100", "https://[2001:db8::1]:9100", "same-origin"},
        {"localhost", "http://localhost", "same-origin"},
        {"LocalHost:9100", "http://localhost:9100", "same-origin"},
    };

    (void)state;
    all_are(orders, FB_ARRAY_LEN(orders), false);
}

static void a_page_of_another_site_is_foreign(void **state)
{
    static const struct order orders[] = {
        {"127.0.0.1:9100", "http://evil.example", NULL},
        {"127.0.0.1:9100", "http://127.0.0.1:8080", NULL},
        {"127.0.0.1:9100", "http://localhost:9100", NULL},
        {"127.0.0.1:9100", "null", NULL},
        {"127.0.0.1:9100", "", NULL},
        {NULL, "null", NULL},
        {NULL, NULL, "none"},
        {"127.0.0.1:9100", NULL, "cross-site"},
        {"127.0.0.1:9100", NULL, "same-site"},
        {"127.0.0.1:9100", "http://127.0.0.1:9100", "cross-site"},
        {"127.0.0.1:9100", "http://evil.example", "same-origin"},
    };

    (void)state;
    all_are(orders, FB_ARRAY_LEN(orders), true);
}

static void a_page_under_a_name_is_foreign_though_it_asks_its_own_host(void **state)
{
    static const struct order orders[] = {
        {"evil.example", "http://evil.example", "same-origin"},
        {"evil.example:9100", "http://evil.example:9100", NULL},
        {"evil.example:9100", NULL, "same-origin"},
        {"evil.example", NULL, "none"},
        {"127.0.0.1.evil.example", "http://127.0.0.1.evil.example", "same-origin"},
        {"localhost.evil.example", "http://localhost.evil.example", "same-origin"},
        {"evil-localhost", "http://evil-localhost", "same-origin"},
        {"127.1", "http://127.1", "same-origin"},
        {"1", "http://1", "same-origin"},
        {"[127.0.0.1]", "http://[127.0.0.1]", "same-origin"},
        {"[localhost]", "http://[localhost]", "same-origin"},
    };

    (void)state;
    all_are(orders, FB_ARRAY_LEN(orders), true);
}

static void a_script_uses_any_name(void **state)
{
    static const struct order orders[] = {
        {"node-7.example:9100", NULL, NULL},
        {"127.0.0.1:9100", NULL, NULL},
        {"localhost", NULL, NULL},
        {NULL, NULL, NULL},
    };

    (void)state;
    all_are(orders, FB_ARRAY_LEN(orders), false);
}

static void each_of_the_fetch_fields_tells_a_browser(void **state)
{
    static const char *const names[] = {"Sec-Fetch-Mode", "sec-fetch-dest", "SEC-FETCH-USER",
                                        "Sec-Fetch-Storage-Access"};
    static const char *const hosts[] = {"evil.example", "127.0.0.1:9100"};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(names); i++) {
        for (size_t j = 0; j < FB_ARRAY_LEN(hosts); j++) {
            struct fb_header field = {fb_str_from(names[i]), FB_STR("x")};
            const struct fb_request_head request = {.method = FB_METHOD_POST,
                                                    .host = fb_str_from(hosts[j]),
                                                    .headers = {.items = &field, .n = 1}};
            assert_true(fb_daemon_is_foreign(&request));
        }
    }
}

static void whoever_only_reads_is_not_foreign(void **state)
{
    static const struct order order = {"evil.example", "http://evil.example", "cross-site"};

    (void)state;
    assert_false(is_foreign(FB_METHOD_GET, &order));
    assert_false(is_foreign(FB_METHOD_HEAD, &order));
    assert_true(is_foreign(FB_METHOD_PUT, &order));
    assert_true(is_foreign(FB_METHOD_DELETE, &order));
    assert_true(is_foreign(FB_METHOD_OTHER, &order));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_of_the_address_itself_is_obeyed),
        cmocka_unit_test(a_page_of_another_site_is_foreign),
        cmocka_unit_test(a_page_under_a_name_is_foreign_though_it_asks_its_own_host),
        cmocka_unit_test(a_script_uses_any_name),
        cmocka_unit_test(each_of_the_fetch_fields_tells_a_browser),
        cmocka_unit_test(whoever_only_reads_is_not_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
