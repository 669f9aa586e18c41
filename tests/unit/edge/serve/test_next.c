#include "base/core/attr.h"
#include "base/core/err.h"
#include "edge/serve/next.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PATH "/v/7/720p/seg-9.m4s"

/* What a player names with `line` in CMCD-Request when it asks for PATH; "" for nothing. */
static const char *told(const char *line, struct edge_next *ret_next)
{
    static char text[256];
    struct fb_arena arena = {0};
    struct edge_cmcd cmcd = {0};
    struct fb_request_head request = {.method = FB_METHOD_GET};
    struct edge_next next = {0};

    fb_headers_add(&request.headers, &arena, FB_STR("cmcd-request"), fb_str_from(line));
    edge_cmcd_read(&request, &cmcd);
    bool is_told = edge_next_told(&arena, &cmcd, FB_STR(PATH), &next);
    memset(text, 0, sizeof(text));
    if (is_told) {
        memcpy(text, next.path.ptr, next.path.len);
        next.path = FB_STR_NONE;
    }
    if (ret_next != NULL) {
        *ret_next = next;
    }
    edge_cmcd_done(&cmcd);
    fb_arena_done(&arena);
    return text;
}

static void a_player_names_what_comes_next(void **state)
{
    struct edge_next next;

    (void)state;
    assert_string_equal(told("nor=\"seg-10.m4s\"", &next), "/v/7/720p/seg-10.m4s");
    assert_false(next.has_range);
    assert_string_equal(told("nor=\"..%2F480p%2Fseg-10.m4s\"", NULL), "/v/7/480p/seg-10.m4s");
    assert_string_equal(told("nor=\"/v/7/720p/seg-10.m4s\"", NULL), "/v/7/720p/seg-10.m4s");
    assert_string_equal(told("nor=\"./seg%2D10.m4s\"", NULL), "/v/7/720p/seg-10.m4s");
}

static void it_may_name_a_range_of_it_or_of_this_one(void **state)
{
    struct edge_next next;

    (void)state;
    assert_string_equal(told("nrr=\"1000-1999\"", &next), PATH);
    assert_true(next.has_range);
    assert_int_equal(next.range.first, 1000);
    assert_int_equal(next.range.last, 1999);
    assert_string_equal(told("nor=\"seg-10.m4s\",nrr=\"0-\"", &next), "/v/7/720p/seg-10.m4s");
    assert_true(next.has_range);
}

static void it_may_name_nothing_of_another_title_or_host(void **state)
{
    static const char *const lines[] = {"nor=\"/v/8/720p/seg-10.m4s\"",
                                        "nor=\"../../8/720p/seg-1.m4s\"",
                                        "nor=\"//evil.example/v/7/720p/seg-10.m4s\"",
                                        "nor=\"http%3A%2F%2Fevil.example%2Fseg-10.m4s\"",
                                        "nor=\"../../../../../etc/passwd\"",
                                        "nor=\"seg-10.m4s?x=1\"",
                                        "nor=\"seg-10.m4s%00\"",
                                        "nor=\"%zz\"",
                                        "nor=\"\"",
                                        "nor=\"#a\"",
                                        "nor=\"seg-9.m4s\"", /* this very one */
                                        "nrr=\"-500\"",
                                        "nrr=\"5-1\"",
                                        "nrr=\"0-1,5-6\"",
                                        "bl=100",
                                        "nor"};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(lines); i++) {
        assert_string_equal(told(lines[i], NULL), "");
    }
}

static void the_next_number_is_guessed(void **state)
{
    static const struct {
        const char *path;
        const char *next;
        uint64_t number;
    } cases[] = {
        {"/v/7/seg-9.m4s", "/v/7/seg-10.m4s", 9},
        {"/v/7/009.m4s", "/v/7/010.m4s", 9},
        {"/v/7/999.ts", "/v/7/1000.ts", 999},
        {"/v/7/099.m4s", "/v/7/100.m4s", 99},
        {"/v/7/chunk_2_00041_video.mp4", "/v/7/chunk_2_00042_video.mp4", 41},
        {"/v/7/12", "/v/7/13", 12},
        {"/v/7/0", "/v/7/1", 0},
        {"/v/7/init.mp4", NULL, 0},
        {"/v/7/a%3Fb", NULL, 0},
        {"/v/7/a%20b7.m4s", NULL, 0},
        {"/v/7/", NULL, 0},
        {"/v/7/1234567890123456.m4s", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct fb_arena arena = {0};
        struct edge_next next;
        uint64_t number = 0;
        bool is_guessed = edge_next_guessed(&arena, fb_str_from(cases[i].path), &next, &number);
        assert_int_equal(is_guessed, cases[i].next != NULL);
        if (is_guessed) {
            assert_true(fb_str_equal(next.path, fb_str_from(cases[i].next)));
            assert_int_equal(number, cases[i].number);
        }
        fb_arena_done(&arena);
    }
}

static void a_title_is_the_path_without_its_last_two_components(void **state)
{
    (void)state;
    assert_true(fb_str_equal(edge_next_title(FB_STR("/v/7/720p/3.m4s")), FB_STR("/v/7")));
    assert_true(fb_str_equal(edge_next_title(FB_STR("/3.m4s")), FB_STR("")));
    assert_true(fb_str_equal(edge_next_title(FB_STR("")), FB_STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_player_names_what_comes_next),
        cmocka_unit_test(it_may_name_a_range_of_it_or_of_this_one),
        cmocka_unit_test(it_may_name_nothing_of_another_title_or_host),
        cmocka_unit_test(the_next_number_is_guessed),
        cmocka_unit_test(a_title_is_the_path_without_its_last_two_components),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
