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
        cmocka_unit_test_setup_teardown(no_room_is_a_limit, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
