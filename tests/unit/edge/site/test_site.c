#include "base/core/err.h"
#include "edge/site/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct fb_str film_hosts[] = {FB_STR("Film.example"), FB_STR("*.film.example"),
                                           FB_STR("[2001:DB8::1]")};
static const struct fb_str deep_hosts[] = {FB_STR("*.deep.film.example"), FB_STR("*.b.c.d.e")};
static const struct fb_str rest_hosts[] = {FB_STR("*")};

static struct edge_sites *make(const struct edge_site_spec *sites, size_t n)
{
    struct edge_sites *made = NULL;
    struct fb_diag diag = {0};

    if (edge_sites_new(&(struct edge_sites_spec){.sites = sites, .n_sites = n, .seed = 7}, &made,
                       &diag) < 0) {
        fail_msg("%s", diag.text);
    }
    return made;
}

static void a_host_names_a_site(void **state)
{
    static const struct edge_site_spec specs[] = {
        {.hosts = film_hosts, .n_hosts = 3, .site = {.name = FB_STR("film")}},
        {.hosts = deep_hosts, .n_hosts = 2, .site = {.name = FB_STR("deep")}},
    };
    static const struct {
        const char *host;
        const char *site;
    } cases[] = {
        {"film.example", "film"},
        {"FILM.Example", "film"},
        {"film.example:8080", "film"},
        {"film.example.", "film"},
        {"film.example.:80", "film"},
        {"a.film.example", "film"},
        {"a.b.film.example", "film"},
        {"deep.film.example", "film"},
        {"a.deep.film.example", "deep"},
        {"a.b.DEEP.film.example:1", "deep"},
        {"[2001:db8::1]", "film"},
        {"[2001:db8::1]:443", "film"},
        {"[2001:db8::2]:443", ""},
        {"x.b.c.d.e", "deep"},
        {"b.c.d.e", ""},
        {"xb.c.d.e", ""},
        {"xfilm.example", ""},
        {"example", ""},
        {"film.example.net", ""},
        {".film.example", ""},
        {"..film.example", ""},
        {"*.film.example", "film"},
        {"", ""},
        {".", ""},
        {":80", ""},
        {"[", ""},
        {"[::1", ""},
    };

    (void)state;
    struct edge_sites *sites = make(specs, FB_ARRAY_LEN(specs));
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        const struct edge_site *site = edge_sites_find(sites, fb_str_from(cases[i].host));
        if (!fb_str_equal(site->name, fb_str_from(cases[i].site))) {
            fail_msg("'%s': '%.*s'", cases[i].host, FB_STR_ARG(site->name));
        }
    }
    edge_sites_unref(sites);
}

static void a_star_stands_for_the_rest(void **state)
{
    static const struct edge_site_spec specs[] = {
        {.hosts = rest_hosts, .n_hosts = 1},
        {.hosts = film_hosts, .n_hosts = 3},
    };

    (void)state;
    struct edge_sites *sites = make(specs, 2);
    assert_true(fb_str_equal(edge_sites_find(sites, FB_STR("any"))->name, FB_STR("*")));
    assert_true(fb_str_equal(edge_sites_find(sites, FB_STR(""))->name, FB_STR("*")));
    assert_true(
        fb_str_equal(edge_sites_find(sites, FB_STR("film.example"))->name, FB_STR("Film.example")));
    edge_sites_unref(sites);
}

static void hosts_of_any_length_find_a_site(void **state)
{
    static const struct edge_site_spec spec = {.hosts = film_hosts, .n_hosts = 3};
    char host[1000];

    (void)state;
    struct edge_sites *sites = make(&spec, 1);
    for (size_t len = 0; len < sizeof(host); len++) {
        memset(host, 'a', sizeof(host));
        for (size_t i = 1; i < len; i += 2) {
            host[i] = '.';
        }
        assert_int_equal(edge_sites_find(sites, (struct fb_str){host, len})->name.len, 0);
    }
    edge_sites_unref(sites);
}

static void what_is_said_of_a_site_is_copied(void **state)
{
    char name[] = "token";
    char field[] = "X-A";
    struct fb_str excluded = fb_str_from(name);
    struct fb_header added = {fb_str_from(field), FB_STR("1")};
    struct edge_rule rule = {.class = EDGE_CLASS_SEGMENT};
    struct edge_site_spec spec = {
        .hosts = film_hosts,
        .n_hosts = 3,
        .site = {.key = {.excluded = &excluded, .n_excluded = 1},
                 .edits = {.added = &added, .n_added = 1}},
        .rules = &rule,
        .n_rules = 1,
    };

    (void)state;
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct edge_sites *sites = make(&spec, 1);
    memset(name, 'x', sizeof(name));
    memset(field, 'x', sizeof(field));
    const struct edge_site *site = edge_sites_find(sites, FB_STR("film.example"));
    struct edge_target target;
    struct fb_request_head request = {.host = FB_STR("film.example"),
                                      .target = FB_STR("/a?token=1&b"),
                                      .path = FB_STR("/a"),
                                      .query = FB_STR("token=1&b")};
    assert_int_equal(edge_site_key(site, &arena, &request, &target), FB_OK);
    assert_true(fb_str_equal(target.key, FB_STR("film.example/a?b")));
    assert_true(fb_str_equal(site->edits.added[0].name, FB_STR("X-A")));
    assert_int_equal(edge_site_treat(site, &arena, FB_STR("/a")).class, EDGE_CLASS_SEGMENT);
    edge_sites_unref(sites);
}

static void sites_live_as_long_as_anybody_holds_them(void **state)
{
    static const struct edge_site_spec spec = {.hosts = film_hosts, .n_hosts = 3};

    (void)state;
    struct edge_sites *sites = make(&spec, 1);
    struct edge_sites *held = edge_sites_ref(sites);
    edge_sites_unref(sites);
    assert_true(
        fb_str_equal(edge_sites_find(held, FB_STR("film.example"))->name, FB_STR("Film.example")));
    edge_sites_unref(held);
    edge_sites_unref(NULL);
    assert_null(edge_sites_ref(NULL));
}

static void a_host_is_of_one_site(void **state)
{
    static const struct fb_str again[] = {FB_STR("FILM.example")};
    static const struct edge_site_spec specs[] = {
        {.hosts = film_hosts, .n_hosts = 3},
        {.hosts = again, .n_hosts = 1},
    };
    static const struct edge_site_spec stars[] = {
        {.hosts = rest_hosts, .n_hosts = 1},
        {.hosts = rest_hosts, .n_hosts = 1},
    };
    struct edge_sites *sites = NULL;
    struct fb_diag diag = {0};

    (void)state;
    assert_int_equal(
        edge_sites_new(&(struct edge_sites_spec){.sites = specs, .n_sites = 2}, &sites, &diag),
        FB_E_MALFORMED);
    assert_string_equal(diag.text, "host 'FILM.example' is listed twice");
    assert_int_equal(
        edge_sites_new(&(struct edge_sites_spec){.sites = stars, .n_sites = 2}, &sites, NULL),
        FB_E_MALFORMED);
}

static void what_is_no_host_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",           "a.example:80", "*.",  "*a.example", "a.*.example",
        "a..example", ".example",     "a b", "[::1",       "[]",
        "*.[::1]",    "[g]",          "a/b", "http://a",   "a.example.",
    };
    char many[2 * EDGE_SITE_DEPTH_MAX + 6] = "*";

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(wrong); i++) {
        struct fb_diag diag = {0};
        if (edge_site_check_host(fb_str_from(wrong[i]), &diag) != FB_E_MALFORMED) {
            fail_msg("'%s' is taken", wrong[i]);
        }
        assert_true(diag.text[0] != '\0');
    }
    for (int i = 0; i <= EDGE_SITE_DEPTH_MAX; i++) {
        (void)snprintf(many + 1 + 2 * (size_t)i, 3, ".a");
    }
    assert_int_equal(edge_site_check_host(fb_str_from(many), NULL), FB_E_MALFORMED);
    many[strlen(many) - 2] = '\0';
    assert_int_equal(edge_site_check_host(fb_str_from(many), NULL), FB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_names_a_site),
        cmocka_unit_test(a_star_stands_for_the_rest),
        cmocka_unit_test(hosts_of_any_length_find_a_site),
        cmocka_unit_test(what_is_said_of_a_site_is_copied),
        cmocka_unit_test(sites_live_as_long_as_anybody_holds_them),
        cmocka_unit_test(a_host_is_of_one_site),
        cmocka_unit_test(what_is_no_host_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
