#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/jose/jose.h"
#include "base/wire/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The example of RFC 7515 appendix A.3, and another pair. */
#define KEY                                                  \
    "{\"kty\":\"EC\",\"crv\":\"P-256\","                     \
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"," \
    "\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}"
#define OTHER_KEY                                            \
    "{\"kty\":\"EC\",\"crv\":\"P-256\","                     \
    "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\"," \
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"," \
    "\"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\"}"

struct fixture {
    struct fb_jose_key *key;
    struct fb_jose_key *other;
    struct fb_plan_draft draft;
    struct fb_plan_head head;
    struct fb_buf token;
    struct fb_diag diag;
};

static struct fb_jose_key *key_of(const char *text)
{
    struct fb_jose_key *key = NULL;

    assert_int_equal(fb_jose_key_parse(fb_str_from(text), &key, NULL), FB_OK);
    return key;
}

static struct fb_plan_entry entry_of(const char *path)
{
    return (struct fb_plan_entry){.path = fb_str_from(path),
                                  .size = 1000,
                                  .sha256 = {1, 2, 3},
                                  .value = 77,
                                  .reason = FB_STR("trending")};
}

static void seal(struct fixture *f)
{
    assert_int_equal(fb_plan_seal(&f->draft, f->key, FB_STR("k1"), &f->head, &f->token), FB_OK);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fb_plan_entry first = entry_of("/media/v/1/a.m4s");
    struct fb_plan_entry second = entry_of("/media/v/1/b.m4s?x=1");

    fixture = (struct fixture){.key = key_of(KEY),
                               .other = key_of(OTHER_KEY),
                               .head = {.region = "de-south",
                                        .serial = 7,
                                        .made_ms = 1800000000000,
                                        .until_ms = 1800086400000}};
    second.is_now = true;
    second.reason = FB_STR("release");
    assert_int_equal(fb_plan_add(&fixture.draft, &first), FB_OK);
    assert_int_equal(fb_plan_add(&fixture.draft, &second), FB_OK);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_jose_key_free(f->key);
    fb_jose_key_free(f->other);
    fb_plan_draft_done(&f->draft);
    fb_buf_done(&f->token);
    return 0;
}

static int open_with(struct fixture *f, const struct fb_jose_key *key, struct fb_plan_head *head)
{
    return fb_plan_head_open(fb_buf_str(&f->token), &key, 1, head, &f->diag);
}

/* Feeds `body` in pieces of `step` bytes. */
static int read_body(struct fixture *f, const struct fb_plan_head *head, struct fb_str body,
                     size_t step, struct fb_plan **ret_plan)
{
    struct fb_plan_reader *reader = fb_plan_reader_new(head);
    int err = FB_OK;

    while (err == FB_OK && body.len > 0) {
        err = fb_plan_reader_feed(reader, fb_str_first(body, step), &f->diag);
        body = fb_str_skip(body, step);
    }
    if (err == FB_OK) {
        err = fb_plan_reader_finish(reader, ret_plan, &f->diag);
    }
    fb_plan_reader_free(reader);
    return err;
}

static void a_plan_comes_back_as_it_was_made(void **state)
{
    struct fixture *f = *state;

    seal(f);
    for (size_t step = 1; step <= f->draft.body.len; step++) {
        struct fb_plan_head head = {0};
        FB_AUTO(fb_plan_freep) struct fb_plan *plan = NULL;
        assert_int_equal(open_with(f, f->key, &head), FB_OK);
        assert_int_equal(read_body(f, &head, fb_buf_str(&f->draft.body), step, &plan), FB_OK);
        assert_int_equal(memcmp(&plan->head, &f->head, sizeof(head)), 0);
        assert_int_equal(plan->n, 2);
        assert_int_equal(plan->n_bytes, 2000);
        assert_true(fb_str_equal(plan->entries[1].path, FB_STR("/media/v/1/b.m4s?x=1")));
        assert_true(fb_str_equal(plan->entries[1].reason, FB_STR("release")));
        assert_int_equal(plan->entries[0].sha256[2], 3);
        assert_int_equal(plan->entries[0].size, 1000);
        assert_int_equal(plan->entries[0].value, 77);
        assert_false(plan->entries[0].is_now);
        assert_true(plan->entries[1].is_now);
    }
}

static void a_head_that_another_key_has_signed_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fb_plan_head head = {.serial = 99};

    seal(f);
    assert_int_equal(open_with(f, f->other, &head), FB_E_DENIED);
    assert_int_equal(head.serial, 99);
    assert_int_equal(fb_plan_head_open(fb_buf_str(&f->token), NULL, 0, &head, &f->diag),
                     FB_E_DENIED);
    const struct fb_jose_key *keys[] = {f->other, f->key};
    assert_int_equal(fb_plan_head_open(fb_buf_str(&f->token), keys, 2, &head, &f->diag), FB_OK);
}

static void a_changed_head_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fb_plan_head head = {0};

    seal(f);
    for (size_t i = 0; i < f->token.len; i++) {
        f->token.ptr[i] ^= 1;
        assert_int_not_equal(open_with(f, f->key, &head), FB_OK);
        f->token.ptr[i] ^= 1;
    }
    assert_int_equal(open_with(f, f->key, &head), FB_OK);
}

static void a_body_that_is_not_that_of_the_head_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fb_plan *plan = NULL;
    struct fb_buf *body = &f->draft.body;

    seal(f);
    for (size_t i = 0; i < body->len; i++) {
        body->ptr[i] ^= 1;
        assert_int_not_equal(read_body(f, &f->head, fb_buf_str(body), 64, &plan), FB_OK);
        body->ptr[i] ^= 1;
        assert_int_not_equal(read_body(f, &f->head, fb_str_first(fb_buf_str(body), i), 64, &plan),
                             FB_OK);
    }
    fb_buf_append(body, FB_STR("\n"));
    assert_int_equal(read_body(f, &f->head, fb_buf_str(body), 64, &plan), FB_E_CORRUPT);
    assert_null(plan);
}

static void an_empty_plan_is_a_plan(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_plan_freep) struct fb_plan *plan = NULL;

    fb_plan_draft_done(&f->draft);
    seal(f);
    assert_int_equal(read_body(f, &f->head, FB_STR_NONE, 1, &plan), FB_OK);
    assert_int_equal(plan->n, 0);
}

static void what_is_no_entry_is_not_added(void **state)
{
    static const char *const paths[] = {"",     "media", "//host/a", "/a b",
                                        "/a\n", "/a#b",  "/\xc3\xa4"};
    struct fixture *f = *state;
    size_t before = f->draft.body.len;

    for (size_t i = 0; i < FB_ARRAY_LEN(paths); i++) {
        struct fb_plan_entry entry = entry_of(paths[i]);
        assert_int_equal(fb_plan_add(&f->draft, &entry), FB_E_MALFORMED);
    }
    struct fb_plan_entry empty = entry_of("/a");
    empty.size = 0;
    assert_int_equal(fb_plan_add(&f->draft, &empty), FB_E_MALFORMED);
    struct fb_plan_entry loud = entry_of("/a");
    loud.reason = FB_STR("Trending!");
    assert_int_equal(fb_plan_add(&f->draft, &loud), FB_E_MALFORMED);
    assert_int_equal(f->draft.body.len, before);
}

static void a_line_that_is_no_entry_is_told_by_its_number(void **state)
{
    struct fixture *f = *state;
    struct fb_plan *plan = NULL;

    fb_buf_append(&f->draft.body, FB_STR("{\"path\":\"/x\",\"size\":0}\n"));
    f->draft.n_entries++;
    seal(f);
    assert_int_equal(read_body(f, &f->head, fb_buf_str(&f->draft.body), 4096, &plan),
                     FB_E_MALFORMED);
    assert_non_null(strstr(f->diag.text, "line 3 of the plan"));
}

static void a_region_is_what_a_path_can_bear(void **state)
{
    (void)state;
    assert_true(fb_plan_is_region(FB_STR("de-south-1")));
    assert_false(fb_plan_is_region(FB_STR("")));
    assert_false(fb_plan_is_region(FB_STR("DE")));
    assert_false(fb_plan_is_region(FB_STR("a/b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_plan_comes_back_as_it_was_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_head_that_another_key_has_signed_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_changed_head_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_body_that_is_not_that_of_the_head_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_empty_plan_is_a_plan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_entry_is_not_added, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_that_is_no_entry_is_told_by_its_number, set_up,
                                        tear_down),
        cmocka_unit_test(a_region_is_what_a_path_can_bear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
