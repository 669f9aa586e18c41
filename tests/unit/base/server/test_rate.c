/*
 * How fast a connection may send, as what is under way on it says.
 */
#include "h2_client.h"

enum { MAX_RATES = 8 };

/* What the stream was told, in order. */
static uint64_t rates[MAX_RATES];
static size_t n_rates;

static void on_pace(struct fb_stream *stream, uint64_t rate)
{
    (void)stream;
    assert_true(n_rates < MAX_RATES);
    rates[n_rates++] = rate;
}

/* A pair has no kernel to tell. */
static void watch(struct fb_stream *served)
{
    static struct fb_stream_ops ops;

    ops = *served->ops;
    ops.pace = on_pace;
    served->ops = &ops;
}

static int set_up_watched(void **state)
{
    set_up(state);
    struct fixture *f = *state;

    n_rates = 0;
    f->wire.connected = watch;
    wire_hang_up(&f->wire);
    wire_connect(&f->wire);
    return 0;
}

#define RATE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_watched, tear_down)

static void a_response_has_the_rate_that_its_handler_gave_it(void **state)
{
    struct fixture *f = *state;

    wire_send(&f->wire, GET("/?pace=1000"));
    has(f, "hello");
    assert_int_equal(n_rates, 1);
    assert_int_equal(rates[0], 1000);
    wire_send(&f->wire, GET("/"));
    assert_int_equal(n_rates, 2);
    assert_int_equal(rates[1], 0);
    wire_send(&f->wire, GET("/"));
    assert_int_equal(n_rates, 2); /* it has none already */
}

static void responses_of_one_connection_share_the_sum_of_their_rates(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_init(&client, &f->wire, 0);
    (void)client_get(&client, "/stream?pace=1000"); /* under way until the end */
    struct reply *reply = client_get(&client, "/large?pace=500");
    assert_int_equal(reply->body.len, LARGE_BYTES);
    assert_int_equal(n_rates, 3);
    assert_int_equal(rates[0], 1000);
    assert_int_equal(rates[1], 1500);
    assert_int_equal(rates[2], 1000);
    fake_give(&f->body, "x", FB_E_END);
    wire_turn(&f->wire);
    client_done(&client);
}

/* While it lasts. */
static void one_response_without_a_rate_frees_the_others(void **state)
{
    struct fixture *f = *state;
    struct client client;

    client_init(&client, &f->wire, 0);
    (void)client_get(&client, "/stream?pace=1000");
    (void)client_get(&client, "/");
    assert_int_equal(n_rates, 3);
    assert_int_equal(rates[1], 0);
    assert_int_equal(rates[2], 1000);
    fake_give(&f->body, "x", FB_E_END);
    wire_turn(&f->wire);
    client_done(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RATE_TEST(a_response_has_the_rate_that_its_handler_gave_it),
        RATE_TEST(responses_of_one_connection_share_the_sum_of_their_rates),
        RATE_TEST(one_response_without_a_rate_frees_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
