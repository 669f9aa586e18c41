#include "base/core/err.h"
#include "base/tls/post.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define UPDATE(request) "\x18\0\0\1" request
#define TICKET          "\4\0\0\6ticket"

static void messages_come_one_after_another(void **state)
{
    struct fb_tls_post post = {.is_whole = false};
    struct fb_tls_post_message message;
    struct fb_str bytes = {TICKET TICKET UPDATE("\1"), 25};

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fb_tls_post_take(&post, &bytes, true, &message), FB_OK);
        assert_int_equal(message.kind, FB_TLS_POST_TICKET);
        assert_true(fb_str_equal(message.body, FB_STR("ticket")));
    }
    assert_int_equal(fb_tls_post_take(&post, &bytes, true, &message), FB_OK);
    assert_int_equal(message.kind, FB_TLS_POST_KEY_UPDATE);
    assert_true(message.wants_answer);
    assert_int_equal(fb_tls_post_take(&post, &bytes, true, &message), FB_E_LATER);
    assert_false(fb_tls_post_has_begun(&post));
    fb_tls_post_done(&post);
}

static void message_may_be_cut_anywhere(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < 10; cut++) {
        struct fb_tls_post post = {.is_whole = false};
        struct fb_tls_post_message message;
        struct fb_str rest = {TICKET TICKET, 20};
        struct fb_str first = fb_str_first(rest, cut);
        rest = fb_str_skip(rest, cut);
        assert_int_equal(fb_tls_post_take(&post, &first, true, &message), FB_E_LATER);
        assert_true(fb_tls_post_has_begun(&post));
        for (int i = 0; i < 2; i++) {
            assert_int_equal(fb_tls_post_take(&post, &rest, true, &message), FB_OK);
            assert_true(fb_str_equal(message.body, FB_STR("ticket")));
            assert_false(fb_tls_post_has_begun(&post));
        }
        assert_int_equal(fb_tls_post_take(&post, &rest, true, &message), FB_E_LATER);
        fb_tls_post_done(&post);
    }
}

static void our_own_update_wants_no_answer(void **state)
{
    struct fb_tls_post post = {.is_whole = false};
    struct fb_tls_post_message message;
    struct fb_str bytes = fb_tls_key_update;

    (void)state;
    assert_int_equal(fb_tls_post_take(&post, &bytes, false, &message), FB_OK);
    assert_int_equal(message.kind, FB_TLS_POST_KEY_UPDATE);
    assert_false(message.wants_answer);
    fb_tls_post_done(&post);
}

static void what_may_not_come_is_refused(void **state)
{
    static const struct {
        struct fb_str bytes;
        bool is_client;
        int err;
    } cases[] = {
        {{TICKET, 10}, false, FB_E_UNSUPPORTED},
        {{"\4", 1}, false, FB_E_UNSUPPORTED},       /* at its first byte */
        {{"\1\0\0\0", 4}, false, FB_E_UNSUPPORTED}, /* renegotiation */
        {{"\0\0\0\0", 4}, true, FB_E_UNSUPPORTED},
        {{"\x0d\0\0\0", 4}, true, FB_E_UNSUPPORTED}, /* asks for a certificate, late */
        {{UPDATE("\2"), 5}, false, FB_E_CONFLICT},
        {{"\x18\0\0\2\0\0", 6}, false, FB_E_MALFORMED},
        {{"\x18\0\0\0", 4}, false, FB_E_MALFORMED},
        {{UPDATE("\0") UPDATE("\0"), 10}, false, FB_E_UNSUPPORTED},
        {{"\4\0\x40\0", 4}, true, FB_E_MALFORMED},
        {{"\4\xff\xff\xff", 4}, true, FB_E_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fb_tls_post post = {.is_whole = false};
        struct fb_tls_post_message message;
        struct fb_str bytes = cases[i].bytes;
        assert_int_equal(fb_tls_post_take(&post, &bytes, cases[i].is_client, &message),
                         cases[i].err);
        fb_tls_post_done(&post);
    }
}

static void ticket_says_all_that_a_session_needs(void **state)
{
    struct fb_str body = {"\0\0\x0e\x10\1\2\3\4\2no\0\3tic\0\4\0\x2a\0\0", 22};
    struct fb_tls_ticket ticket;

    (void)state;
    assert_int_equal(fb_tls_post_ticket(body, &ticket), FB_OK);
    assert_int_equal(ticket.lifetime_s, 3600);
    assert_int_equal(ticket.age_add, 0x01020304);
    assert_true(fb_str_equal(ticket.nonce, FB_STR("no")));
    assert_true(fb_str_equal(ticket.ticket, FB_STR("tic")));
    for (size_t len = 0; len < body.len; len++) {
        assert_int_equal(fb_tls_post_ticket(fb_str_first(body, len), &ticket), FB_E_MALFORMED);
    }
    body = (struct fb_str){"\0\0\x0e\x10\1\2\3\4\0\0\0\0\0", 13};
    assert_int_equal(fb_tls_post_ticket(body, &ticket), FB_E_MALFORMED);
    body = (struct fb_str){"\0\x09\x3a\x81\1\2\3\4\0\0\1t\0\0", 14};
    assert_int_equal(fb_tls_post_ticket(body, &ticket), FB_E_CONFLICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticket_says_all_that_a_session_needs),
        cmocka_unit_test(messages_come_one_after_another),
        cmocka_unit_test(message_may_be_cut_anywhere),
        cmocka_unit_test(our_own_update_wants_no_answer),
        cmocka_unit_test(what_may_not_come_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
