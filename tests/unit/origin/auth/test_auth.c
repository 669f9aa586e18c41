#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/thread.h"
#include "origin/auth/auth.h"
#include "origin/catalog/catalog.h"
#include "tests/support/test_clock.h"
#include "tests/support/test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { LITTLE_MEMORY = 8192 };

struct fixture {
    struct test_folder folder;
    struct test_clock clock;
    struct origin_catalog *catalog;
    struct origin_auth *auth;
};

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);
    char url[TEST_PATH_MAX + 16];

    f->folder = test_folder_new();
    f->clock = test_clock_at_start();
    (void)snprintf(url, sizeof(url), "sqlite:%s/db", f->folder.path);
    assert_int_equal(origin_catalog_open(fb_str_from(url), 4, &f->clock.clock, &f->catalog, NULL),
                     FB_OK);
    assert_int_equal(origin_auth_open(
                         &(struct origin_auth_options){
                             .catalog = f->catalog,
                             .clock = &f->clock.clock,
                             .secret = {7},
                             .access_ms = 1000,
                             .refresh_ms = 5000,
                             .passwords = {.rounds = 1, .memory_bytes = LITTLE_MEMORY},
                         },
                         &f->auth, NULL),
                     FB_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    origin_auth_close(f->auth);
    origin_catalog_close(f->catalog);
    test_folder_done(&f->folder);
    fb_free(f);
    return 0;
}

static int enrol(struct fixture *f, const char *email, const char *password, struct origin_id *id,
                 struct fb_diag *diag)
{
    uint32_t wait_ms = 0;
    struct origin_credentials credentials = {fb_str_from(email), fb_str_from(password),
                                             FB_STR("127.0.0.1")};
    return origin_auth_register(f->auth, &credentials, id, &wait_ms, diag);
}

static int login(struct fixture *f, const char *email, const char *password,
                 struct origin_session *session)
{
    uint32_t wait_ms = 0;
    struct origin_credentials credentials = {fb_str_from(email), fb_str_from(password),
                                             FB_STR("127.0.0.1")};
    return origin_auth_login(f->auth, &credentials, session, &wait_ms);
}

static int who(struct fixture *f, const struct origin_session *session, struct origin_id *id)
{
    FB_AUTO(fb_buf_done) struct fb_buf field = {0};
    fb_buf_printf(&field, "bearer  %.*s", FB_STR_ARG(fb_buf_str(&session->access)));
    return origin_auth_user(f->auth, fb_buf_str(&field), id);
}

static void who_logged_in_is_known_until_the_token_expires(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(origin_session_done) struct origin_session session = {.expires_in_s = 0};
    struct origin_id made;
    struct origin_id told;

    assert_int_equal(enrol(f, " Ada@Example.org ", "password 1", &made, NULL), FB_OK);
    assert_int_equal(login(f, "ada@example.ORG", "password 1", &session), FB_OK);
    assert_int_equal(session.expires_in_s, 1);
    assert_int_equal(who(f, &session, &told), FB_OK);
    assert_true(origin_id_equal(&made, &told));
    test_clock_advance_ms(&f->clock, 1000);
    assert_int_equal(who(f, &session, &told), FB_E_EXPIRED);
    assert_int_equal(origin_auth_user(f->auth, FB_STR_NONE, &told), FB_E_NOT_FOUND);
    assert_int_equal(origin_auth_user(f->auth, FB_STR("Basic YTpi"), &told), FB_E_DENIED);
}

static void addresses_without_sense_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "",           "ada",         "@example.org",   "ada@",        "ada@example",
        "a b@ex.org", "a@b@ex.org",  "ada@-ex.org",    "ada@ex-.org", "ada@ex..org",
        ".a@ex.org",  "a.@ex.org",   "ada@exa_mp.org", "a\"b@ex.org", "\xc3\xa4@ex.org",
        "a@ex.org\n", "a@[1.2.3.4]",
    };
    static const char *const good[] = {"a.b+c@ex.org", "o'hara@mail.ex-ample.co.uk", "1@2.3"};
    struct origin_id id;

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        struct fb_diag diag = {.err = FB_OK};
        assert_int_equal(enrol(f, bad[i], "password 1", &id, &diag), FB_E_MALFORMED);
        assert_non_null(strstr(diag.text, "e-mail"));
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(good); i++) {
        assert_int_equal(enrol(f, good[i], "password 1", &id, NULL), FB_OK);
    }
}

static void a_password_is_neither_short_nor_endless(void **state)
{
    struct fixture *f = *state;
    char password[ORIGIN_AUTH_PASSWORD_MAX + 2];
    struct origin_id id;

    memset(password, 'x', sizeof(password) - 1);
    password[sizeof(password) - 1] = '\0';
    assert_int_equal(enrol(f, "a@ex.org", "1234567", &id, NULL), FB_E_MALFORMED);
    assert_int_equal(enrol(f, "a@ex.org", password, &id, NULL), FB_E_MALFORMED);
    assert_int_equal(enrol(f, "a@ex.org", "12345678\xff", &id, NULL), FB_E_MALFORMED);
    assert_int_equal(enrol(f, "a@ex.org", password + 1, &id, NULL), FB_OK);
}

static void only_the_password_opens(void **state)
{
    struct fixture *f = *state;
    struct origin_session session;
    struct origin_id id;

    assert_int_equal(enrol(f, "a@ex.org", "password 1", &id, NULL), FB_OK);
    assert_int_equal(enrol(f, "a@ex.org", "password 2", &id, NULL), FB_E_EXISTS);
    assert_int_equal(login(f, "a@ex.org", "password 2", &session), FB_E_DENIED);
    assert_int_equal(login(f, "a@ex.org", "", &session), FB_E_DENIED);
    assert_int_equal(login(f, "b@ex.org", "nobody", &session), FB_E_DENIED);
    assert_int_equal(login(f, "nonsense", "password 1", &session), FB_E_DENIED);
}

static void a_session_is_refreshed_and_ended(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(origin_session_done) struct origin_session first = {.expires_in_s = 0};
    FB_AUTO(origin_session_done) struct origin_session second = {.expires_in_s = 0};
    struct origin_session third;
    struct origin_id made;
    struct origin_id told;

    assert_int_equal(enrol(f, "a@ex.org", "password 1", &made, NULL), FB_OK);
    assert_int_equal(login(f, "a@ex.org", "password 1", &first), FB_OK);
    test_clock_advance_ms(&f->clock, 2000);
    assert_int_equal(origin_auth_refresh(f->auth, fb_buf_str(&first.refresh), &second), FB_OK);
    assert_int_equal(who(f, &second, &told), FB_OK);
    assert_true(origin_id_equal(&made, &told));
    assert_int_equal(origin_auth_logout(f->auth, fb_buf_str(&second.refresh)), FB_OK);
    assert_int_equal(origin_auth_refresh(f->auth, fb_buf_str(&second.refresh), &third),
                     FB_E_DENIED);
    assert_int_equal(origin_auth_refresh(f->auth, FB_STR("x"), &third), FB_E_DENIED);
    assert_int_equal(origin_auth_logout(f->auth, FB_STR("x")), FB_OK);
}

static void attempts_on_one_account_run_out(void **state)
{
    struct fixture *f = *state;
    struct origin_session session;

    for (int i = 0; i < ORIGIN_AUTH_ACCOUNT_BURST; i++) {
        assert_int_equal(login(f, "a@ex.org", "guess", &session), FB_E_DENIED);
    }
    assert_int_equal(login(f, "a@ex.org", "guess", &session), FB_E_LIMIT);
    assert_int_equal(login(f, "b@ex.org", "guess", &session), FB_E_DENIED);
    test_clock_advance_ms(&f->clock, ORIGIN_AUTH_ACCOUNT_REFILL_MS);
    assert_int_equal(login(f, "a@ex.org", "guess", &session), FB_E_DENIED);
}

static void a_secret_is_drawn_once_and_read_back(void **state)
{
    struct fixture *f = *state;
    uint8_t first[ORIGIN_SECRET_BYTES];
    uint8_t again[ORIGIN_SECRET_BYTES];
    uint8_t other[ORIGIN_SECRET_BYTES];
    char keys[TEST_PATH_MAX + 16];
    char path[TEST_PATH_MAX + 32];
    struct stat st;

    (void)snprintf(keys, sizeof(keys), "%s/deep/keys", f->folder.path);
    assert_int_equal(origin_secret_load(keys, "a.key", first, NULL), FB_OK);
    assert_int_equal(origin_secret_load(keys, "a.key", again, NULL), FB_OK);
    assert_int_equal(origin_secret_load(keys, "b.key", other, NULL), FB_OK);
    assert_memory_equal(first, again, sizeof(first));
    assert_memory_not_equal(first, other, sizeof(first));
    (void)snprintf(path, sizeof(path), "%s/a.key", keys);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* ---- hashes at once -------------------------------------------------------- */

struct member {
    struct origin_passwords *passwords;
    struct fb_thread *thread;
    int result;
};

static void member_body(void *ctx)
{
    char hash[ORIGIN_PASSWORD_HASH_SIZE];
    struct member *member = ctx;
    member->result = origin_password_hash(member->passwords, FB_STR("password"), hash);
}

static void a_crowd_waits_its_turn_or_is_refused(void **state)
{
    (void)state;
    struct origin_passwords *passwords = NULL;
    struct member crowd[6];

    assert_int_equal(
        origin_passwords_new(
            &(struct origin_passwords_options){
                .rounds = 1, .memory_bytes = LITTLE_MEMORY, .max_hashes = 1, .max_waiting = 2},
            &passwords),
        FB_OK);
    for (size_t i = 0; i < FB_ARRAY_LEN(crowd); i++) {
        crowd[i] = (struct member){.passwords = passwords};
        assert_int_equal(fb_thread_start_body("hash", member_body, &crowd[i], &crowd[i].thread),
                         FB_OK);
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(crowd); i++) {
        fb_thread_join(crowd[i].thread);
        assert_true(crowd[i].result == FB_OK || crowd[i].result == FB_E_BUSY);
    }
    origin_passwords_free(passwords);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_logged_in_is_known_until_the_token_expires, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(addresses_without_sense_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_password_is_neither_short_nor_endless, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_password_opens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_session_is_refreshed_and_ended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(attempts_on_one_account_run_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_secret_is_drawn_once_and_read_back, set_up, tear_down),
        cmocka_unit_test(a_crowd_waits_its_turn_or_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
