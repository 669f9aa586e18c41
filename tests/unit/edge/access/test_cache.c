#include "edge/access/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Places that stand for two sites. */
static const char sites[2];

static const struct edge_access *site(size_t i)
{
    return (const struct edge_access *)(const void *)&sites[i];
}

static const struct edge_access_grant *put(struct edge_access_cache *cache, struct fb_str token,
                                           int64_t expires_s, size_t path_len)
{
    struct edge_access_grant grant = {.expires_s = expires_s};

    for (size_t i = 0; i < path_len; i++) {
        fb_buf_append_byte(&grant.paths, '/');
    }
    const struct edge_access_grant *kept = edge_access_cache_put(cache, site(0), token, &grant);
    assert_null(grant.paths.ptr);
    return kept;
}

static void a_grant_is_found_by_its_token_where_it_was_verified(void **state)
{
    struct edge_access_cache *cache = edge_access_cache_new(7);

    (void)state;
    assert_null(edge_access_cache_find(cache, site(0), FB_STR("a")));
    assert_int_equal(put(cache, FB_STR("a"), 1, 3)->expires_s, 1);
    assert_int_equal(edge_access_cache_find(cache, site(0), FB_STR("a"))->expires_s, 1);
    assert_null(edge_access_cache_find(cache, site(1), FB_STR("a")));
    assert_null(edge_access_cache_find(cache, site(0), FB_STR("aa")));
    assert_int_equal(put(cache, FB_STR("a"), 2, 3)->expires_s, 2);
    assert_int_equal(edge_access_cache_find(cache, site(0), FB_STR("a"))->expires_s, 2);
    edge_access_cache_free(cache);
}

static void the_longest_idle_tokens_make_room(void **state)
{
    struct edge_access_cache *cache = edge_access_cache_new(7);
    char text[32];

    (void)state;
    for (int i = 0; i <= EDGE_ACCESS_CACHE_MAX; i++) {
        int len = snprintf(text, sizeof(text), "%d", i);
        (void)put(cache, (struct fb_str){text, (size_t)len}, i, 1);
        assert_non_null(edge_access_cache_find(cache, site(0), FB_STR("0")));
    }
    assert_null(edge_access_cache_find(cache, site(0), FB_STR("1")));
    assert_non_null(edge_access_cache_find(cache, site(0), FB_STR("2")));
    edge_access_cache_free(cache);
}

static void large_tokens_are_bounded_in_bytes(void **state)
{
    struct edge_access_cache *cache = edge_access_cache_new(7);
    char text[EDGE_ACCESS_TOKEN_MAX];

    (void)state;
    memset(text, 'x', sizeof(text));
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(text, 8, "%06d", i);
        (void)put(cache, (struct fb_str){text, sizeof(text)}, i, 1000);
        assert_true(edge_access_cache_bytes(cache) <= EDGE_ACCESS_CACHE_BYTES);
    }
    assert_non_null(edge_access_cache_find(cache, site(0), (struct fb_str){text, sizeof(text)}));
    edge_access_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grant_is_found_by_its_token_where_it_was_verified),
        cmocka_unit_test(the_longest_idle_tokens_make_room),
        cmocka_unit_test(large_tokens_are_bounded_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
