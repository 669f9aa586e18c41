#include "access_fixture.h"
#include "base/core/arena.h"

struct reading {
    struct fb_arena arena;
    struct fb_request_head clean;
    struct edge_access_ticket ticket;
};

static void reading_done(struct reading *reading)
{
    fb_arena_done(&reading->arena);
}

/* `target`, with up to two fields. */
static struct reading read_request(const char *target, struct fb_header a, struct fb_header b)
{
    struct reading r = {0};
    struct edge_access_spec spec = access_spec();
    struct edge_access *access = access_make(&spec);
    struct fb_header fields[] = {a, b};
    struct fb_request_head request = {.method = FB_METHOD_GET,
                                      .target = fb_str_from(target),
                                      .headers = {.items = fields,
                                                  .n = b.name.ptr != NULL   ? 2
                                                       : a.name.ptr != NULL ? 1
                                                                            : 0}};
    size_t mark = fb_str_find(request.target, '?');

    request.path = fb_str_first(request.target, mark);
    if (mark < request.target.len) {
        request.query = fb_str_skip(request.target, mark + 1);
    }
    edge_access_read(access, &r.arena, &request, &r.clean, &r.ticket);
    edge_access_unref(access);
    return r;
}

#define NONE               ((struct fb_header){0})
#define FIELD(name, value) ((struct fb_header){FB_STR(name), FB_STR(value)})

static void expect(const char *target, struct fb_header field, enum edge_access_place place,
                   const char *token, const char *left)
{
    FB_AUTO(reading_done) struct reading r = read_request(target, field, NONE);

    assert_int_equal(r.ticket.place, place);
    if (!fb_str_equal(r.ticket.token, fb_str_from(token))) {
        fail_msg("%s: token '%.*s'", target, FB_STR_ARG(r.ticket.token));
    }
    if (!fb_str_equal(r.clean.target, fb_str_from(left))) {
        fail_msg("%s: left '%.*s'", target, FB_STR_ARG(r.clean.target));
    }
}

static void a_token_leaves_the_query(void **state)
{
    (void)state;
    expect("/a", NONE, EDGE_ACCESS_NOWHERE, "", "/a");
    expect("/a?b=1", NONE, EDGE_ACCESS_NOWHERE, "", "/a?b=1");
    expect("/a?token=x", NONE, EDGE_ACCESS_QUERY, "x", "/a");
    expect("/a?token=", NONE, EDGE_ACCESS_QUERY, "", "/a");
    expect("/a?token", NONE, EDGE_ACCESS_QUERY, "", "/a");
    expect("/a?b=1&token=x&c", NONE, EDGE_ACCESS_QUERY, "x", "/a?b=1&c");
    expect("/a?%74oken=x&tokens=1", NONE, EDGE_ACCESS_QUERY, "x", "/a?tokens=1");
    expect("/a?token=x&token=y", NONE, EDGE_ACCESS_QUERY, "x", "/a");
    expect("/a?&token=x", NONE, EDGE_ACCESS_QUERY, "x", "/a");
    expect("/a?token=kid%3Dk1~path%3D%2Fa%2520b", NONE, EDGE_ACCESS_QUERY, "kid=k1~path=/a%20b",
           "/a");
    expect("/a?token=%zz", NONE, EDGE_ACCESS_QUERY, "", "/a");
}

static void a_token_leaves_the_path(void **state)
{
    (void)state;
    expect("/kid=k1~path=%2Fa%2F~hmac=0/a/b?c", NONE, EDGE_ACCESS_SEGMENT, "kid=k1~path=/a/~hmac=0",
           "/a/b?c");
    expect("/kid%3Dk1/a", NONE, EDGE_ACCESS_SEGMENT, "kid=k1", "/a");
    expect("/kid=k1", NONE, EDGE_ACCESS_NOWHERE, "", "/kid=k1");
    expect("/a/kid=k1/b", NONE, EDGE_ACCESS_NOWHERE, "", "/a/kid=k1/b");
    expect("*", NONE, EDGE_ACCESS_NOWHERE, "", "*");
    expect("/", NONE, EDGE_ACCESS_NOWHERE, "", "/");
}

static void a_token_leaves_the_fields(void **state)
{
    const struct {
        struct fb_header field;
        const char *token;
        const char *left; /* NULL: the field is gone */
        enum edge_access_place place;
    } cases[] = {
        {FIELD("Authorization", "Bearer x.y.z"), "x.y.z", NULL, EDGE_ACCESS_BEARER},
        {FIELD("authorization", "bearer  x"), "x", NULL, EDGE_ACCESS_BEARER},
        {FIELD("Authorization", "Bearer"), "", NULL, EDGE_ACCESS_BEARER},
        {FIELD("Authorization", "Basic YTpi"), "", "Basic YTpi", EDGE_ACCESS_NOWHERE},
        {FIELD("Authorization", "BearerX y"), "", "BearerX y", EDGE_ACCESS_NOWHERE},
        {FIELD("Cookie", "pass=x"), "x", NULL, EDGE_ACCESS_COOKIE},
        {FIELD("Cookie", "a=1; pass=x; b=2"), "x", "a=1; b=2", EDGE_ACCESS_COOKIE},
        {FIELD("Cookie", "pass=x; b=2"), "x", "b=2", EDGE_ACCESS_COOKIE},
        {FIELD("Cookie", "a=1; compass=x"), "", "a=1; compass=x", EDGE_ACCESS_NOWHERE},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        FB_AUTO(reading_done) struct reading r = read_request("/a", cases[i].field, NONE);
        assert_int_equal(r.ticket.place, cases[i].place);
        assert_true(fb_str_equal(r.ticket.token, fb_str_from(cases[i].token)));
        assert_int_equal(r.clean.headers.n, cases[i].left != NULL ? 1 : 0);
        if (cases[i].left != NULL) {
            assert_true(fb_str_equal(r.clean.headers.items[0].value, fb_str_from(cases[i].left)));
        }
    }
}

/* All of them go, whichever counts. */
static void of_several_tokens_one_counts_and_all_leave(void **state)
{
    FB_AUTO(reading_done)
    struct reading r = read_request("/kid=p/a?token=q", FIELD("Cookie", "pass=c"),
                                    FIELD("Authorization", "Bearer b"));
    FB_AUTO(reading_done)
    struct reading without = read_request("/kid=p/a?token=q", FIELD("Cookie", "pass=c"), NONE);

    (void)state;
    assert_true(fb_str_equal(r.ticket.token, FB_STR("b")));
    assert_true(fb_str_equal(without.ticket.token, FB_STR("q")));
    assert_int_equal(r.clean.headers.n, 0);
    assert_true(fb_str_equal(r.clean.target, FB_STR("/a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_leaves_the_query),
        cmocka_unit_test(a_token_leaves_the_path),
        cmocka_unit_test(a_token_leaves_the_fields),
        cmocka_unit_test(of_several_tokens_one_counts_and_all_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
