#include "base/client/trip.h"
#include "base/loop/thread.h"
#include "upstream.h"

#include <errno.h>
#include <stdatomic.h>

/* A trip of a thread, while the test's own thread runs the loop. */
struct outing {
    struct fb_trip trip;
    struct fb_arena arena;
    struct fb_buf content;
    int prepared; /* what prepare gives */
    size_t max;   /* content beyond this is FB_E_LIMIT */
    struct fb_buf request;
    bool has_request;
    struct fb_loop *loop;
    int result;
    atomic_bool is_over;
    struct fb_post over;
};

static int outing_prepare(struct fb_trip *trip)
{
    struct outing *outing = FB_CONTAINER_OF(trip, struct outing, trip);

    assert_true(fb_loop_is_mine(trip->loop));
    if (outing->has_request) {
        trip->fetch.method = FB_METHOD_POST;
        trip->fetch.request_length = (int64_t)outing->request.len;
        trip->fetch.request_body = fb_reader_of_buf(&outing->request);
    }
    return outing->prepared;
}

static int outing_take(struct fb_trip *trip, struct fb_str bytes)
{
    struct outing *outing = FB_CONTAINER_OF(trip, struct outing, trip);

    if (outing->content.len + bytes.len > outing->max) {
        return FB_E_LIMIT;
    }
    fb_buf_append(&outing->content, bytes);
    return FB_OK;
}

static void on_over(struct fb_post *post)
{
    (void)post;
}

static void outing_go(void *ctx)
{
    struct outing *outing = ctx;

    outing->result = fb_trip_run(&outing->trip);
    atomic_store(&outing->is_over, true);
    fb_loop_post(outing->loop, &outing->over);
}

static void outing_init(struct outing *outing, struct fixture *f)
{
    *outing = (struct outing){
        .max = 1000,
        .loop = f->loop,
        .over.run = on_over,
        .trip = {.loop = f->loop,
                 .client = f->client,
                 .prepare = outing_prepare,
                 .take = outing_take,
                 .fetch = {.url = {.scheme = FB_STR("http"),
                                   .host = FB_STR("127.0.0.1"),
                                   .port = f->port,
                                   .target = FB_STR("/x")}}},
    };
    outing->trip.fetch.arena = &outing->arena;
}

static int outing_make(struct outing *outing)
{
    struct fb_thread *thread = NULL;

    assert_int_equal(fb_thread_start_body("outing", outing_go, outing, &thread), FB_OK);
    while (!atomic_load(&outing->is_over)) {
        fb_loop_turn_waiting(outing->loop);
    }
    fb_thread_join(thread);
    fb_loop_turn(outing->loop); /* the mail of its end */
    return outing->result;
}

static void outing_done(struct outing *outing)
{
    fb_buf_done(&outing->content);
    fb_buf_done(&outing->request);
    fb_arena_done(&outing->arena);
}

static void a_thread_gets_head_and_content(void **state)
{
    struct fixture *f = *state;
    struct outing outing;
    outing_init(&outing, f);

    assert_int_equal(outing_make(&outing), FB_OK);

    assert_int_equal(outing.trip.fetch.response.status, 200);
    assert_true(fb_str_equal(fb_buf_str(&outing.content), FB_STR("hello")));
    outing_done(&outing);
}

static void content_that_nobody_takes_is_dropped(void **state)
{
    struct fixture *f = *state;
    struct outing outing;
    outing_init(&outing, f);
    outing.trip.take = NULL;
    outing.trip.prepare = NULL;

    assert_int_equal(outing_make(&outing), FB_OK);

    assert_int_equal(outing.trip.fetch.response.status, 200);
    outing_done(&outing);
}

static void content_that_is_refused_ends_it(void **state)
{
    struct fixture *f = *state;
    struct outing outing;
    outing_init(&outing, f);
    outing.max = 4;

    assert_int_equal(outing_make(&outing), FB_E_LIMIT);
    outing_done(&outing);
}

static void a_cut_body_is_told_from_a_whole_one(void **state)
{
    struct fixture *f = *state;
    struct outing outing;
    outing_init(&outing, f);
    f->answer = FB_STR("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
    f->closes = true;

    assert_int_equal(outing_make(&outing), FB_E_CLOSED);

    assert_true(fb_str_equal(fb_buf_str(&outing.content), FB_STR("hello")));
    outing_done(&outing);
}

static void what_cannot_be_prepared_is_not_sent(void **state)
{
    struct fixture *f = *state;
    struct outing outing;
    outing_init(&outing, f);
    outing.prepared = -ENOMEM;

    assert_int_equal(outing_make(&outing), -ENOMEM);

    assert_int_equal(f->n_requests, 0);
    outing_done(&outing);
}

static void an_upstream_that_hangs_up_is_a_failure(void **state)
{
    struct fixture *f = *state;
    struct outing outing;
    outing_init(&outing, f);
    f->answer = FB_STR("");
    f->closes = true;

    assert_true(outing_make(&outing) < 0);
    outing_done(&outing);
}

static void what_was_prepared_goes_out(void **state)
{
    struct fixture *f = *state;
    struct outing outing;
    outing_init(&outing, f);
    outing.has_request = true;
    fb_buf_append(&outing.request, FB_STR("posted\r\n\r\n"));

    assert_int_equal(outing_make(&outing), FB_OK);

    struct fb_str sent = fb_buf_str(&f->peers[0]->in);
    assert_true(fb_str_ends_with(sent, FB_STR("posted\r\n\r\n")));
    outing_done(&outing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_thread_gets_head_and_content, set_up, tear_down),
        cmocka_unit_test_setup_teardown(content_that_nobody_takes_is_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(content_that_is_refused_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cut_body_is_told_from_a_whole_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_prepared_is_not_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_upstream_that_hangs_up_is_a_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_prepared_goes_out, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
