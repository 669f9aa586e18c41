#include "catalog_fixture.h"
#include "origin/catalog/refresh_tokens.h"

static struct origin_refresh_token token_of(struct fixture *f, const char *text)
{
    struct origin_refresh_token token = {.expires_ms = f->clock.wall_now_ms + 1000};
    fb_sha256(fb_str_from(text), token.hash);
    return token;
}

static int rotate(struct fixture *f, const char *from, const char *to)
{
    struct origin_refresh_token old = token_of(f, from);
    struct origin_refresh_token next = token_of(f, to);
    struct origin_id user;

    int err = origin_catalog_refresh_rotate(f->catalog, old.hash, &next, &user);
    if (err == FB_OK) {
        assert_true(origin_id_equal(&user, &f->user));
    }
    return err;
}

static void an_address_has_one_account(void **state)
{
    struct fixture *f = *state;
    struct origin_user user;
    struct origin_id id;

    assert_int_equal(origin_catalog_user_add(f->catalog, FB_STR("a@example.org"), FB_STR("x"), &id),
                     FB_E_EXISTS);
    must(origin_catalog_user_find(f->catalog, FB_STR("a@example.org"), &user));
    assert_true(origin_id_equal(&user.id, &f->user));
    assert_string_equal(user.password_hash, "hash");
    assert_int_equal(origin_catalog_user_find(f->catalog, FB_STR("b@example.org"), &user),
                     FB_E_NOT_FOUND);
}

static void a_token_is_replaced_by_the_next(void **state)
{
    struct fixture *f = *state;
    struct origin_refresh_token first = token_of(f, "1");

    must(origin_catalog_refresh_add(f->catalog, &f->user, &first));
    assert_int_equal(rotate(f, "1", "2"), FB_OK);
    assert_int_equal(rotate(f, "2", "3"), FB_OK);
    assert_int_equal(rotate(f, "never given", "4"), FB_E_NOT_FOUND);
}

static void a_token_that_comes_twice_ends_its_family_alone(void **state)
{
    struct fixture *f = *state;
    struct origin_refresh_token first = token_of(f, "1");
    struct origin_refresh_token other = token_of(f, "other");

    must(origin_catalog_refresh_add(f->catalog, &f->user, &first));
    must(origin_catalog_refresh_add(f->catalog, &f->user, &other));
    assert_int_equal(rotate(f, "1", "2"), FB_OK);
    assert_int_equal(rotate(f, "1", "stolen"), FB_E_CONFLICT);
    assert_int_equal(rotate(f, "2", "3"), FB_E_NOT_FOUND);
    assert_int_equal(rotate(f, "stolen", "5"), FB_E_NOT_FOUND);
    assert_int_equal(rotate(f, "other", "another"), FB_OK);
}

static void a_token_expires(void **state)
{
    struct fixture *f = *state;
    struct origin_refresh_token first = token_of(f, "1");

    must(origin_catalog_refresh_add(f->catalog, &f->user, &first));
    test_clock_advance_ms(&f->clock, 1000);
    assert_int_equal(rotate(f, "1", "2"), FB_E_EXPIRED);
    struct origin_refresh_token second = token_of(f, "x");
    must(origin_catalog_refresh_add(f->catalog, &f->user, &second)); /* forgets the first */
    assert_int_equal(rotate(f, "1", "2"), FB_E_NOT_FOUND);
}

static void revoking_any_token_revokes_its_family(void **state)
{
    struct fixture *f = *state;
    struct origin_refresh_token first = token_of(f, "1");

    must(origin_catalog_refresh_add(f->catalog, &f->user, &first));
    assert_int_equal(rotate(f, "1", "2"), FB_OK);
    must(origin_catalog_refresh_revoke(f->catalog, first.hash));
    assert_int_equal(rotate(f, "2", "3"), FB_E_NOT_FOUND);
    must(origin_catalog_refresh_revoke(f->catalog, first.hash));
}

static void what_was_written_is_there_after_opening_again(void **state)
{
    struct fixture *f = *state;
    struct origin_user user;

    origin_catalog_close(f->catalog);
    must(origin_catalog_open(fb_str_from(f->url), 1, &f->clock.clock, &f->catalog, NULL));
    must(origin_catalog_user_find(f->catalog, FB_STR("a@example.org"), &user));
}

static void only_sqlite_is_known(void **state)
{
    (void)state;
    struct origin_catalog *catalog = NULL;
    struct fb_diag diag;

    assert_int_equal(
        origin_catalog_open(FB_STR("postgres:x"), 1, fb_clock_system(), &catalog, &diag),
        FB_E_UNSUPPORTED);
    assert_non_null(strstr(diag.text, "postgres:x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_address_has_one_account, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_is_replaced_by_the_next, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_that_comes_twice_ends_its_family_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_token_expires, set_up, tear_down),
        cmocka_unit_test_setup_teardown(revoking_any_token_revokes_its_family, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_written_is_there_after_opening_again, set_up,
                                        tear_down),
        cmocka_unit_test(only_sqlite_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
