#include "base/core/err.h"
#include "base/tls/tickets.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { LIFETIME_S = 3600, HOUR_MS = 3600 * 1000 };

struct fixture {
    struct test_clock clock;
    struct fb_tls_tickets *tickets;
    uint8_t ticket[256];
    size_t len;
    uint8_t session[256];
    size_t session_len;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.clock = test_clock_at_start()};
    f.tickets = fb_tls_tickets_new(&f.clock.clock, LIFETIME_S);
    assert_int_equal(
        fb_tls_ticket_seal(f.tickets, FB_STR("session"), f.ticket, sizeof(f.ticket), &f.len),
        FB_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fb_tls_tickets_unref(f->tickets);
    return 0;
}

static int open_it(struct fixture *f)
{
    return fb_tls_ticket_open(f->tickets, f->ticket, f->len, f->session, &f->session_len);
}

static void what_is_sealed_opens(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(f->len, strlen("session") + FB_TLS_TICKET_OVERHEAD);
    assert_int_equal(open_it(f), FB_OK);
    assert_int_equal(f->session_len, strlen("session"));
    assert_memory_equal(f->session, "session", f->session_len);
}

static void any_changed_byte_is_denied(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < f->len; i++) {
        f->ticket[i] ^= 0x40;
        assert_int_equal(open_it(f), FB_E_DENIED);
        f->ticket[i] ^= 0x40;
    }
    for (size_t len = 0; len < f->len; len++) {
        assert_int_equal(
            fb_tls_ticket_open(f->tickets, f->ticket, len, f->session, &f->session_len),
            FB_E_DENIED);
    }
}

static void ticket_outlives_the_change_of_keys_but_not_its_lifetime(void **state)
{
    struct fixture *f = *state;
    uint8_t other[256];
    size_t len = 0;

    test_clock_advance_ms(&f->clock, HOUR_MS / 2);
    assert_int_equal(
        fb_tls_ticket_seal(f->tickets, FB_STR("late"), f->ticket, sizeof(f->ticket), &f->len),
        FB_OK);
    test_clock_advance_ms(&f->clock, HOUR_MS / 2 + 1);
    assert_int_equal(fb_tls_ticket_seal(f->tickets, FB_STR("new"), other, sizeof(other), &len),
                     FB_OK);
    assert_memory_not_equal(other, f->ticket, 16); /* of another key */
    assert_int_equal(open_it(f), FB_OK);
    test_clock_advance_ms(&f->clock, HOUR_MS / 2);
    assert_int_equal(open_it(f), FB_E_EXPIRED);
}

static void key_of_two_lifetimes_ago_is_gone(void **state)
{
    struct fixture *f = *state;

    test_clock_advance_ms(&f->clock, 2 * HOUR_MS);
    assert_int_equal(open_it(f), FB_E_DENIED);
}

static struct fb_tls_tickets *taken_over(struct fixture *f, int *ret_err)
{
    struct fb_tls_tickets *next = fb_tls_tickets_new(&f->clock.clock, LIFETIME_S);
    char saved[FB_TLS_TICKETS_SAVED_MAX];

    size_t len = fb_tls_tickets_save(f->tickets, saved);
    *ret_err = fb_tls_tickets_load(next, (struct fb_str){saved, len});
    return next;
}

static void keys_that_were_saved_open_the_same_tickets(void **state)
{
    struct fixture *f = *state;
    uint8_t other[256];
    size_t len = 0;
    int err = 0;

    test_clock_advance_ms(&f->clock, HOUR_MS / 2);
    assert_int_equal(
        fb_tls_ticket_seal(f->tickets, FB_STR("late"), f->ticket, sizeof(f->ticket), &f->len),
        FB_OK);
    test_clock_advance_ms(&f->clock, HOUR_MS / 2 + 1);
    assert_int_equal(fb_tls_ticket_seal(f->tickets, FB_STR("new"), other, sizeof(other), &len),
                     FB_OK); /* of the second key */
    struct fb_tls_tickets *next = taken_over(f, &err);
    assert_int_equal(err, FB_OK);
    assert_int_equal(fb_tls_ticket_open(next, f->ticket, f->len, f->session, &f->session_len),
                     FB_OK);
    assert_memory_equal(f->session, "late", f->session_len);
    assert_int_equal(fb_tls_ticket_open(next, other, len, f->session, &f->session_len), FB_OK);
    assert_memory_equal(f->session, "new", f->session_len);
    test_clock_advance_ms(&f->clock, HOUR_MS);
    assert_int_equal(fb_tls_ticket_open(next, f->ticket, f->len, f->session, &f->session_len),
                     FB_E_DENIED); /* the first key has had its two lifetimes */
    fb_tls_tickets_unref(next);
}

static void keys_that_nobody_drew_yet_are_none(void **state)
{
    struct fixture *f = *state;
    int err = 0;

    fb_tls_tickets_unref(f->tickets);
    f->tickets = fb_tls_tickets_new(&f->clock.clock, LIFETIME_S);
    struct fb_tls_tickets *next = taken_over(f, &err);
    assert_int_equal(err, FB_OK);
    assert_int_equal(fb_tls_ticket_open(next, f->ticket, f->len, f->session, &f->session_len),
                     FB_E_DENIED);
    fb_tls_tickets_unref(next);
}

static void what_is_no_saved_keys_changes_nothing(void **state)
{
    struct fixture *f = *state;
    char saved[FB_TLS_TICKETS_SAVED_MAX + 1] = {0};

    size_t len = fb_tls_tickets_save(f->tickets, saved);
    memset(saved + 1, 0, len - 1);
    for (size_t n = 0; n < sizeof(saved); n++) {
        if (n != len) {
            assert_int_equal(fb_tls_tickets_load(f->tickets, (struct fb_str){saved, n}),
                             FB_E_MALFORMED);
        }
    }
    saved[0] = 3;
    assert_int_equal(fb_tls_tickets_load(f->tickets, (struct fb_str){saved, len}), FB_E_MALFORMED);
    assert_int_equal(open_it(f), FB_OK);
}

static void no_room_is_a_limit(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        fb_tls_ticket_seal(f->tickets, FB_STR("session"), f->ticket, f->len - 1, &f->len),
        FB_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_sealed_opens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_changed_byte_is_denied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ticket_outlives_the_change_of_keys_but_not_its_lifetime,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(key_of_two_lifetimes_ago_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_that_were_saved_open_the_same_tickets, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(keys_that_nobody_drew_yet_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_saved_keys_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_room_is_a_limit, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
