#include "parts_fixture.h"

/* A client of a whole body of `length` bytes, whose fetch 0 was answered with `fields`. */
static struct fake_body *begin(struct fixture *f, struct client *client, const char *fields,
                               int64_t length)
{
    struct joiner *joiner = join_range(f, 0, NULL);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, fields, length);

    turn(f);
    struct edge_object *object = take_object(joiner);
    client_open(f, client, object, 0, FB_LENGTH_UNKNOWN);
    edge_object_unref(object);
    turn(f);
    return body;
}

/* The same of LENGTH bytes, of which `n` come before it breaks off. */
static void begin_broken(struct fixture *f, struct client *client, uint64_t n)
{
    struct fake_body *body = begin(f, client, STRONG, (int64_t)LENGTH);

    break_body(f, body, 0, n, FB_E_CLOSED);
}

static void a_body_goes_on_from_the_byte_where_it_broke(void **state)
{
    static const uint64_t cuts[] = {1,       MIB - 1,     MIB,         MIB + 1,   4 * MIB - 1,
                                    4 * MIB, 4 * MIB + 1, 9 * MIB + 5, LENGTH - 1};
    static const int causes[] = {FB_E_CLOSED, FB_E_TIMEOUT, FB_E_END, -104, FB_E_MALFORMED};
    struct fixture *f = *state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(cuts); i++) {
        struct client client;
        char want[64];
        f->upstream.n_fetches = 0;
        struct fake_body *body = begin(f, &client, STRONG, (int64_t)LENGTH);
        break_body(f, body, 0, cuts[i], causes[i % FB_ARRAY_LEN(causes)]);
        assert_int_equal(client.at, cuts[i]);
        assert_int_equal(client.end, FB_E_LATER); /* it does not notice */
        assert_int_equal(f->upstream.n_fetches, 2);
        (void)snprintf(want, sizeof(want), "bytes=%llu-%llu", (unsigned long long)cuts[i],
                       (unsigned long long)LENGTH - 1);
        assert_sent(f, 1, "Range", want);
        assert_sent(f, 1, "If-Range", "\"s\"");
        assert_int_equal(f->upstream.fetches[1]->avoided, 1);
        give_part(f, 1, STRONG, cuts[i], LENGTH, LENGTH);
        assert_int_equal(client.end, FB_E_END);
        assert_int_equal(client.at, LENGTH);
        client_close(f, &client);
        assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_resumed_total"), i + 1);
        assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_failed_total"), 0);
        edge_store_invalidate(f->store, f->loop, FB_STR("a/k"));
        turn(f);
    }
}

static void one_that_broke_before_its_first_byte_is_asked_for_again(void **state)
{
    struct fixture *f = *state;
    struct client client;

    fake_body_end(begin(f, &client, STRONG, (int64_t)LENGTH), FB_E_CLOSED);
    turn(f);
    assert_sent(f, 1, "Range", NULL);
    struct fake_body *body = fake_answer(&f->upstream, 1, 200, STRONG, (int64_t)LENGTH);
    turn(f);
    finish_body(f, body, 0, LENGTH);
    client_close_whole(f, &client);
}

static void one_of_unknown_length_goes_on_too(void **state)
{
    static const uint64_t cuts[] = {2, 4096, MIB - 1, MIB, 2 * MIB + 3, 3 * MIB};
    struct fixture *f = *state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(cuts); i++) {
        struct client client;
        char want[64];
        f->upstream.n_fetches = 0;
        struct fake_body *body = begin(f, &client, STRONG, FB_LENGTH_UNKNOWN);
        break_body(f, body, 0, cuts[i], FB_E_CLOSED);
        /* From one byte before: perhaps there was nothing more to come. */
        (void)snprintf(want, sizeof(want), "bytes=%llu-", (unsigned long long)cuts[i] - 1);
        assert_sent(f, 1, "Range", want);
        give_part(f, 1, STRONG, cuts[i] - 1, 3 * MIB, 3 * MIB);
        assert_int_equal(client.end, FB_E_END);
        assert_int_equal(client.at, 3 * MIB);
        client_close(f, &client);
        edge_store_invalidate(f->store, f->loop, FB_STR("a/k"));
        turn(f);
    }
}

static void without_a_strong_validator_its_readers_are_cut(void **state)
{
    static const char *const weak[] = {KEEP, KEEP "ETag: W/\"s\"\n"};
    struct fixture *f = *state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(weak); i++) {
        struct client client;
        f->upstream.n_fetches = 0;
        struct fake_body *body = begin(f, &client, weak[i], (int64_t)LENGTH);
        break_body(f, body, 0, 10, FB_E_TIMEOUT);
        assert_int_equal(client.at, 10);
        assert_int_equal(client.end, FB_E_TIMEOUT);
        assert_int_equal(f->upstream.n_fetches, 1);
        assert_false(is_stored(f, "a/k"));
        client_close(f, &client);
    }
}

static void an_upstream_without_ranges_is_passed_over_what_is_here(void **state)
{
    struct fixture *f = *state;
    struct client client;

    begin_broken(f, &client, 3 * MIB + 7);
    struct fake_body *body = fake_answer(&f->upstream, 1, 200, STRONG, (int64_t)LENGTH);
    turn(f);
    push_span(body, 0, 2 * MIB);
    turn(f);
    assert_int_equal(client.at, 3 * MIB + 7);
    finish_body(f, body, 2 * MIB, LENGTH);
    client_close_whole(f, &client);
}

static void tries_that_bring_nothing_come_to_an_end(void **state)
{
    static const uint64_t pauses_ms[] = {0, 250, 1000, 2000};
    struct fixture *f = *state;
    struct client client;

    begin_broken(f, &client, 100);
    for (unsigned i = 1; i <= EDGE_FILL_MAX_TRIES; i++) {
        if (pauses_ms[i - 1] > 0) {
            assert_int_equal(f->upstream.n_fetches, i);
            expire(f, pauses_ms[i - 1] - 1);
            assert_int_equal(f->upstream.n_fetches, i);
            expire(f, 1);
        }
        assert_int_equal(f->upstream.n_fetches, i + 1);
        assert_int_equal(client.end, FB_E_LATER);
        switch (i) { /* each in another way */
        case 1:
            fake_fail(&f->upstream, i, FB_E_UNAVAILABLE);
            break;
        case 2:
            (void)fake_answer(&f->upstream, i, 503, "", 0);
            break;
        case 3: /* not what was asked for */
            (void)answer_part(f, i, STRONG, 99, LENGTH, LENGTH);
            break;
        default:
            fake_body_end(answer_part(f, i, STRONG, 100, LENGTH, LENGTH), FB_E_TIMEOUT);
            break;
        }
        turn(f);
    }
    assert_int_equal(client.at, 100);
    assert_int_equal(client.end, FB_E_TIMEOUT);
    client_close(f, &client);
    assert_int_equal(edge_fill_count(f->table), 0);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_failed_total"), 1);
    /* What is here is still worth something. */
    assert_true(is_stored(f, "a/k"));
}

static void progress_earns_more_tries(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct fake_body *body = begin(f, &client, STRONG, (int64_t)LENGTH);
    uint64_t at = 0;

    for (unsigned i = 1; i < 3 * EDGE_FILL_MAX_TRIES; i++) {
        push_span(body, at, at + EDGE_FILL_PROGRESS_BYTES);
        at += EDGE_FILL_PROGRESS_BYTES;
        turn(f);
        fake_body_end(body, FB_E_CLOSED);
        turn(f);
        assert_int_equal(f->upstream.n_fetches, i + 1); /* at once */
        body = answer_part(f, i, STRONG, at, LENGTH, LENGTH);
        turn(f);
    }
    finish_body(f, body, at, LENGTH);
    client_close_whole(f, &client);
}

static void an_answer_that_stops_short_is_continued(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = make_empty(f, STRONG);
    struct client client;

    client_open(f, &client, object, 0, 3 * (int64_t)MIB);
    turn(f);
    assert_sent(f, 0, "Range", "bytes=0-3145727");
    give_part(f, 0, STRONG, 0, MIB + 9, LENGTH);
    assert_sent(f, 1, "Range", "bytes=1048585-3145727");
    assert_int_equal(f->upstream.fetches[1]->avoided, 0);
    give_part(f, 1, STRONG, MIB + 9, 3 * MIB, LENGTH);
    client_close_whole(f, &client);
    edge_object_unref(object);
}

/* ---- several upstreams ------------------------------------------------- */

/* Answers fetch `i` as upstream number `upstream`. */
static struct fake_body *answer_as(struct fixture *f, unsigned i, unsigned upstream,
                                   const char *fields, uint64_t first)
{
    f->upstream.fetches[i]->upstream = upstream;
    return answer_part(f, i, fields, first, LENGTH, LENGTH);
}

static void another_upstreams_other_object_is_not_believed_at_once(void **state)
{
    struct fixture *f = *state;
    struct client client;

    begin_broken(f, &client, 100);
    (void)answer_as(f, 1, 1, KEEP "ETag: \"other\"\n", 100);
    turn(f);
    expire(f, 250);
    assert_int_equal(f->upstream.fetches[2]->avoided, 3);
    struct fake_body *body = answer_as(f, 2, 0, STRONG, 100); /* the first is back */
    turn(f);
    finish_body(f, body, 100, LENGTH);
    client_close_whole(f, &client);
}

static void an_object_that_nobody_has_any_more_has_changed(void **state)
{
    struct fixture *f = *state;
    struct client client;

    begin_broken(f, &client, 100);
    (void)answer_as(f, 1, 1, KEEP "ETag: \"other\"\n", 100);
    turn(f);
    expire(f, 250);
    (void)answer_as(f, 2, 1, KEEP "ETag: \"other\"\n", 100);
    turn(f);
    assert_int_equal(client.end, FB_E_CONFLICT);
    assert_false(is_stored(f, "a/k"));
    client_close(f, &client);
}

static void one_upstream_alone_is_believed(void **state)
{
    struct fixture *f = *state;
    struct client client;

    begin_broken(f, &client, 100);
    (void)answer_as(f, 1, 0, KEEP "ETag: \"other\"\n", 100);
    turn(f);
    assert_int_equal(client.end, FB_E_CONFLICT);
    client_close(f, &client);
}

static void an_object_that_is_gone_for_all_who_answer_has_changed(void **state)
{
    struct fixture *f = *state;
    struct client client;

    begin_broken(f, &client, 100);
    for (unsigned i = 1; i <= EDGE_FILL_MAX_TRIES; i++) {
        expire(f, 2000);
        if (i == 1) {
            f->upstream.fetches[i]->upstream = 1;
            (void)fake_answer(&f->upstream, i, 404, "", 0);
        } else {
            fake_fail(&f->upstream, i, FB_E_UNAVAILABLE);
        }
        turn(f);
    }
    assert_int_equal(client.end, FB_E_CONFLICT);
    assert_false(is_stored(f, "a/k"));
    client_close(f, &client);
}

/* ---- leaving ----------------------------------------------------------- */

static void a_drain_ends_a_body_in_every_state(void **state)
{
    struct fixture *f = *state;
    struct client pumping;
    struct client pausing;
    struct client resuming;

    /* One loop can be drained but once, so all at a time. */
    struct fake_body *body = begin(f, &pumping, STRONG, (int64_t)LENGTH);
    push_span(body, 0, 10);
    turn(f);
    edge_store_invalidate(f->store, f->loop, FB_STR("a/k"));
    f->upstream.n_fetches = 0;
    body = begin(f, &resuming, STRONG, (int64_t)LENGTH);
    fake_body_end(body, FB_E_CLOSED);
    turn(f);
    struct edge_fetch *asked = f->upstream.fetches[1];
    edge_store_invalidate(f->store, f->loop, FB_STR("a/k"));
    f->upstream.n_fetches = 2; /* `asked` stays to be canceled */
    struct joiner *joiner = join_range(f, 1, NULL);
    body = fake_answer(&f->upstream, 2, 200, STRONG, (int64_t)LENGTH);
    turn(f);
    struct edge_object *object = take_object(joiner);
    client_open(f, &pausing, object, 0, FB_LENGTH_UNKNOWN);
    edge_object_unref(object);
    fake_body_end(body, FB_E_CLOSED);
    turn(f);
    fake_fail(&f->upstream, 3, FB_E_UNAVAILABLE);
    turn(f);
    assert_non_null(asked);
    assert_int_equal(edge_fill_count(f->table), 3);

    drain(f);
    turn(f);
    assert_int_equal(f->n_drained, 1);
    assert_int_equal(f->upstream.n_canceled, 1);
    assert_int_equal(pumping.end, FB_E_CANCELED);
    assert_int_equal(pausing.end, FB_E_CANCELED);
    assert_int_equal(resuming.end, FB_E_CANCELED);
    client_close(f, &pumping);
    client_close(f, &pausing);
    client_close(f, &resuming);
}

static void what_is_purged_and_unread_is_not_resumed(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct fake_body *body = begin(f, &client, STRONG, (int64_t)LENGTH);

    push_span(body, 0, 10);
    turn(f);
    client_close(f, &client);
    edge_store_invalidate(f->store, f->loop, FB_STR("a/k"));
    turn(f);
    push_span(body, 10, 20);
    turn(f);
    assert_int_equal(edge_fill_count(f->table), 0);
    assert_int_equal(f->upstream.n_fetches, 1);
}

/* ---- cuts anywhere ------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return *seed >> 33;
}

/* Whatever the upstreams do, a client has the right bytes and all of them, or is
 * cut. */
static void no_cut_body_ever_passes_for_a_whole_one(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 7;
    unsigned n_whole = 0;

    for (unsigned round = 0; round < 40; round++) {
        struct client client;
        f->upstream.n_fetches = 0;
        bool is_known = next_random(&seed) % 2 == 0;
        struct fake_body *body =
            begin(f, &client, STRONG, is_known ? (int64_t)(2 * MIB + 5) : FB_LENGTH_UNKNOWN);
        uint64_t at = 0;
        while (client.end == FB_E_LATER) {
            uint64_t end = FB_MIN(at + 1 + next_random(&seed) % MIB, 2 * MIB + 5);
            unsigned i = f->upstream.n_fetches;
            push_span(body, at, end);
            fake_body_end(body, end == 2 * MIB + 5 && next_random(&seed) % 2 == 0 ? FB_E_END
                                                                                  : FB_E_CLOSED);
            turn(f);
            expire(f, 2000);
            if (f->upstream.n_fetches == i) {
                break;
            }
            at = client.at - (is_known || client.at == 0 ? 0 : 1);
            if (next_random(&seed) % 3 == 0 || at == 0) {
                at = 0;
                body = fake_answer(&f->upstream, i, 200, STRONG, 2 * (int64_t)MIB + 5);
            } else {
                body = answer_part(f, i, STRONG, at, 2 * MIB + 5, 2 * MIB + 5);
            }
            turn(f);
        }
        n_whole += client.end == FB_E_END ? 1 : 0;
        assert_true(client.end != FB_E_END || client.at == 2 * MIB + 5);
        assert_int_equal(edge_fill_count(f->table), 0);
        client_close(f, &client);
        edge_store_invalidate(f->store, f->loop, FB_STR("a/k"));
        turn(f);
    }
    assert_true(n_whole > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILL_TEST(a_body_goes_on_from_the_byte_where_it_broke),
        FILL_TEST(one_that_broke_before_its_first_byte_is_asked_for_again),
        FILL_TEST(one_of_unknown_length_goes_on_too),
        FILL_TEST(without_a_strong_validator_its_readers_are_cut),
        FILL_TEST(an_upstream_without_ranges_is_passed_over_what_is_here),
        FILL_TEST(tries_that_bring_nothing_come_to_an_end),
        FILL_TEST(progress_earns_more_tries),
        FILL_TEST(an_answer_that_stops_short_is_continued),
        FILL_TEST(another_upstreams_other_object_is_not_believed_at_once),
        FILL_TEST(an_object_that_nobody_has_any_more_has_changed),
        FILL_TEST(one_upstream_alone_is_believed),
        FILL_TEST(an_object_that_is_gone_for_all_who_answer_has_changed),
        FILL_TEST(a_drain_ends_a_body_in_every_state),
        FILL_TEST(what_is_purged_and_unread_is_not_resumed),
        FILL_TEST(no_cut_body_ever_passes_for_a_whole_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
