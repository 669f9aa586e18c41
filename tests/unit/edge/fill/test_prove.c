#define FIXTURE_VERIFIES true

#include "base/crypto/base64.h"
#include "base/crypto/hash.h"
#include "parts_fixture.h"

/* The body's digest, as a member of a dictionary. */
static struct fb_buf digest_of(uint64_t first, uint64_t end)
{
    struct fb_sha512 hash;
    uint8_t digest[FB_SHA512_SIZE];
    struct fb_buf text = {0};

    fb_sha512_init(&hash);
    while (first < end) {
        struct fb_str some = bytes_at(first, end - first);
        fb_sha512_update(&hash, some);
        first += some.len;
    }
    fb_sha512_finish(&hash, digest);
    fb_buf_append(&text, FB_STR("sha-512=:"));
    fb_base64_encode(&text, FB_BASE64_STD, (struct fb_str){(char *)digest, sizeof(digest)});
    fb_buf_append(&text, FB_STR(":"));
    return text;
}

/* Lines of fields with the digest of those bytes under `name`. */
static const char *fields_with(const char *fields, const char *name, uint64_t first, uint64_t end)
{
    static char lines[512];
    struct fb_buf digest = digest_of(first, end);

    (void)snprintf(lines, sizeof(lines), "%s%s: %.*s\n", fields, name,
                   FB_STR_ARG(fb_buf_str(&digest)));
    fb_buf_done(&digest);
    return lines;
}

/* A client of all of a body that claims to be `length` of our bytes. */
static struct fake_body *begin(struct fixture *f, struct client *client, const char *fields,
                               int64_t told, uint64_t length)
{
    struct joiner *joiner = join_range(f, 0, NULL);
    struct fake_body *body =
        fake_answer(&f->upstream, 0, 200, fields_with(fields, "Repr-Digest", 0, length), told);

    turn(f);
    struct edge_object *object = take_object(joiner);
    client_open(f, client, object, 0, FB_LENGTH_UNKNOWN);
    edge_object_unref(object);
    turn(f);
    return body;
}

static uint64_t counted(struct fixture *f, const char *name)
{
    return fb_metrics_sum(f->metrics, name);
}

static void a_body_that_is_what_its_digest_says_is_kept(void **state)
{
    static const uint64_t lengths[] = {1, 1000, EDGE_FILL_HELD_BYTES, MIB + 1, LENGTH};
    struct fixture *f = *state;

    for (unsigned i = 0; i < 2 * FB_ARRAY_LEN(lengths); i++) {
        uint64_t length = lengths[i / 2];
        bool is_told = i % 2 == 0 || length > 4 * MIB; /* with or without Content-Length */
        struct client client;
        f->upstream.n_fetches = 0;
        struct fake_body *body =
            begin(f, &client, STRONG, is_told ? (int64_t)length : FB_LENGTH_UNKNOWN, length);
        finish_body(f, body, 0, length);
        assert_int_equal(client.at, length);
        client_close_whole(f, &client);
        assert_int_equal(counted(f, "edge_fill_proven_total"), i + 1);
        assert_true(is_stored(f, "a/k"));
        edge_store_invalidate(f->store, f->loop, FB_STR("a/k"));
        turn(f);
    }
    assert_int_equal(counted(f, "edge_fill_corrupt_total"), 0);
}

static void the_end_of_a_body_waits_for_its_digest(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct fake_body *body = begin(f, &client, STRONG, (int64_t)LENGTH, LENGTH);

    push_span(body, 0, LENGTH - 1);
    turn(f);
    assert_int_equal(client.at, LENGTH - EDGE_FILL_HELD_BYTES);
    finish_body(f, body, LENGTH - 1, LENGTH);
    client_close_whole(f, &client);
}

/* Sends a body whose last byte is wrong. */
static void send_wrong(struct fixture *f, struct fake_body *body, uint64_t length)
{
    push_span(body, 0, length - 1);
    fake_body_push(body, FB_STR("\n"));
    fake_body_end(body, FB_E_END);
    turn(f);
}

static void readers_of_a_body_that_is_something_else_never_see_its_end(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 2; i++) {
        bool is_told = i == 0; /* how long it is */
        struct client client;
        struct client slow;
        f->upstream.n_fetches = 0;
        struct fake_body *body = begin(
            f, &client, STRONG, is_told ? (int64_t)(3 * MIB) : FB_LENGTH_UNKNOWN, 3 * MIB + 1);
        struct edge_object *object = find(f, "a/k");
        client_open(f, &slow, object, 0, FB_LENGTH_UNKNOWN);
        slow.stop = 100;
        push_span(body, 0, 100);
        turn(f);
        push_span(body, 100, 3 * MIB - 1);
        turn(f);
        finish_body(f, body, 3 * MIB - 1, 3 * MIB);
        assert_int_equal(client.end, FB_E_CORRUPT);
        assert_int_equal(client.at, 3 * MIB - (is_told ? EDGE_FILL_HELD_BYTES : 0));
        client_go_on(&slow, UINT64_MAX);
        assert_int_equal(slow.end, FB_E_CORRUPT);
        assert_int_equal(slow.at, is_told ? 100 : 3 * MIB);
        assert_false(is_stored(f, "a/k"));
        assert_int_equal(edge_store_cause(f->store, FB_STR("a/k"), 0), EDGE_CAUSE_CORRUPT);
        assert_int_equal(f->upstream.n_fetches, 1);
        assert_int_equal(f->upstream.n_blamed, i + 1);
        assert_int_equal(counted(f, "edge_fill_corrupt_total"), i + 1);
        client_close(f, &slow);
        client_close(f, &client);
        edge_object_unref(object);
    }
}

static void of_which_nothing_was_shown_another_upstream_is_asked_once(void **state)
{
    const uint64_t length = EDGE_FILL_HELD_BYTES;
    struct fixture *f = *state;
    struct client client;

    send_wrong(f, begin(f, &client, STRONG, (int64_t)length, length), length);
    assert_int_equal(client.end, FB_E_LATER);
    assert_int_equal(f->upstream.n_fetches, 2);
    assert_int_equal(f->upstream.fetches[1]->avoided, 1);
    assert_sent(f, 1, "Range", NULL);
    struct fake_body *body = fake_answer(&f->upstream, 1, 200, STRONG, (int64_t)length);
    turn(f);
    finish_body(f, body, 0, length);
    client_close_whole(f, &client);
    assert_true(is_stored(f, "a/k"));
}

static void a_second_wrong_one_ends_it(void **state)
{
    struct fixture *f = *state;
    struct client client;

    send_wrong(f, begin(f, &client, STRONG, 1000, 1000), 1000);
    const char *fields = fields_with(STRONG, "Content-Digest", 0, 1000);
    struct fake_body *body = fake_answer(&f->upstream, 1, 200, fields, 1000);
    turn(f);
    send_wrong(f, body, 1000);
    assert_int_equal(client.end, FB_E_CORRUPT);
    assert_int_equal(client.at, 0);
    assert_int_equal(f->upstream.n_fetches, 2);
    assert_false(is_stored(f, "a/k"));
    client_close(f, &client);
}

static void without_a_validator_nobody_else_is_asked(void **state)
{
    struct fixture *f = *state;
    struct client client;

    send_wrong(f, begin(f, &client, KEEP, 1000, 1000), 1000);
    assert_int_equal(client.end, FB_E_CORRUPT);
    assert_int_equal(f->upstream.n_fetches, 1);
    client_close(f, &client);
}

/* Breaks a body anywhere, and goes on with it; what comes last is right or wrong. */
static void the_digest_is_followed_over_a_body_that_breaks(void **state)
{
    static const uint64_t cuts[] = {
        1,         MIB, 3 * MIB, LENGTH - EDGE_FILL_HELD_BYTES, LENGTH - EDGE_FILL_HELD_BYTES + 1,
        LENGTH - 1};
    struct fixture *f = *state;

    for (unsigned i = 0; i < 2 * FB_ARRAY_LEN(cuts); i++) {
        uint64_t cut = cuts[i / 2];
        bool is_right = i % 2 == 0;
        struct client client;
        f->upstream.n_fetches = 0;
        struct fake_body *body = begin(f, &client, STRONG, (int64_t)LENGTH, LENGTH);
        break_body(f, body, 0, cut, FB_E_CLOSED);
        body = answer_part(f, 1, STRONG, cut, LENGTH, LENGTH);
        turn(f);
        push_span(body, cut, LENGTH - 1);
        fake_body_push(body, is_right ? bytes_at(LENGTH - 1, 1) : FB_STR("\n"));
        fake_body_end(body, FB_E_END);
        turn(f);
        assert_int_equal(client.end, is_right ? FB_E_END : FB_E_CORRUPT);
        assert_int_equal(is_stored(f, "a/k"), is_right);
        client_close(f, &client);
        edge_store_invalidate(f->store, f->loop, FB_STR("a/k"));
        turn(f);
    }
}

static void a_part_is_held_to_the_digest_of_its_content(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 2; i++) {
        f->upstream.n_fetches = 0;
        struct joiner *joiner = join_range(f, 0, "bytes=1048576-2097151");
        const char *fields = fields_with(STRONG, "Content-Digest", MIB, 2 * MIB);
        struct fake_body *body = answer_part(f, 0, fields, MIB, 2 * MIB, LENGTH);
        struct client client;
        turn(f);
        struct edge_object *object = take_object(joiner);
        client_open(f, &client, object, MIB, (int64_t)MIB);
        push_span(body, MIB, 2 * MIB - 1);
        turn(f);
        assert_int_equal(client.at, 2 * MIB - EDGE_FILL_HELD_BYTES);
        fake_body_push(body, i == 0 ? bytes_at(2 * MIB - 1, 1) : FB_STR("\n"));
        fake_body_end(body, FB_E_END);
        turn(f);
        assert_int_equal(client.end, i == 0 ? FB_E_END : FB_E_CORRUPT);
        assert_int_equal(is_stored(f, "a/k"), i == 0);
        client_close(f, &client);
        edge_object_unref(object);
        edge_store_invalidate(f->store, f->loop, FB_STR("a/k"));
        turn(f);
    }
}

static void a_claim_about_the_whole_says_nothing_of_a_part(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join_range(f, 0, "bytes=1048576-2097151");

    give_part(f, 0, fields_with(STRONG, "Repr-Digest", 0, 5), MIB, 2 * MIB, LENGTH);
    drop_object(joiner);
    assert_true(is_stored(f, "a/k"));
    assert_int_equal(counted(f, "edge_fill_corrupt_total"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILL_TEST(a_body_that_is_what_its_digest_says_is_kept),
        FILL_TEST(the_end_of_a_body_waits_for_its_digest),
        FILL_TEST(readers_of_a_body_that_is_something_else_never_see_its_end),
        FILL_TEST(of_which_nothing_was_shown_another_upstream_is_asked_once),
        FILL_TEST(a_second_wrong_one_ends_it),
        FILL_TEST(without_a_validator_nobody_else_is_asked),
        FILL_TEST(the_digest_is_followed_over_a_body_that_breaks),
        FILL_TEST(a_part_is_held_to_the_digest_of_its_content),
        FILL_TEST(a_claim_about_the_whole_says_nothing_of_a_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
