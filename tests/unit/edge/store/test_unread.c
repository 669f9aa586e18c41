#include "store_fixture.h"

/* A whole object of `n` bytes with a strong validator, with a reference for the caller. */
static struct edge_object *put_strong(struct fixture *f, const char *key, size_t n)
{
    struct fb_headers headers = {0};

    fb_headers_add(&headers, &f->arena, FB_STR("ETag"), FB_STR("\"a\""));
    struct edge_object *object = create_with(f, key, (int64_t)n, &headers, &f->none);
    struct edge_writer *writer = write_from(f, object, 0);
    edge_store_publish(f->store, f->loop, object);
    append(writer, n);
    edge_writer_finish(writer, FB_OK);
    return object;
}

static void bytes_that_were_given_back_are_given_again(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = put_strong(f, "k", 3 * MIB);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 1000, 2 * MIB, NULL);
    uint64_t offset = 1000;

    assert_true(fb_reader_can_unread(reader));
    assert_int_equal(read_on(reader, &offset), FB_E_END);
    fb_reader_unread(reader, 1500 * KIB + 7);
    offset -= 1500 * KIB + 7;
    assert_int_equal(read_on(reader, &offset), FB_E_END);
    assert_int_equal(offset, 1000 + 2 * MIB);
    fb_reader_unread(reader, 2 * MIB);
    offset = 1000;
    assert_int_equal(read_on(reader, &offset), FB_E_END);
    fb_reader_close(reader);
    edge_object_unref(object);
}

struct fake_source {
    struct edge_source source;
    uint64_t wanted;
};

static void fake_want(struct edge_source *source, struct edge_object *object, uint64_t offset,
                      uint64_t n)
{
    (void)object;
    (void)n;
    FB_CONTAINER_OF(source, struct fake_source, source)->wanted = offset;
}

static void what_was_evicted_meanwhile_is_asked_for_again(void **state)
{
    struct fixture *f = *state;
    struct fake_source source = {.source = {.want = fake_want}, .wanted = UINT64_MAX};
    struct edge_object *object = put_strong(f, "k", 2 * MIB);
    struct fb_reader *reader =
        edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, &source.source);
    uint64_t offset = 0;

    assert_int_equal(read_on(reader, &offset), FB_E_END);
    fb_reader_unread(reader, MIB + 100);
    put(f, "a", 4 * MIB); /* and nothing holds back what was given */
    put(f, "b", 3 * MIB + 512 * KIB);
    assert_false(edge_object_holds(object, 0, FB_LENGTH_UNKNOWN));
    struct fb_slice slice;
    assert_int_equal(fb_reader_next(reader, &slice), FB_E_LATER);
    start_wait(f, reader);
    assert_int_equal(source.wanted, MIB - 100);

    struct edge_writer *writer = write_from(f, object, 0);
    append(writer, 2 * MIB);
    edge_writer_finish(writer, FB_OK);
    turn(f);
    assert_int_equal(f->n_done, 1);
    offset = MIB - 100;
    assert_int_equal(read_on(reader, &offset), FB_E_END);
    fb_reader_close(reader);
    edge_object_unref(object);
}

static void what_cannot_be_fetched_in_parts_is_not_given_back(void **state)
{
    struct fixture *f = *state;

    put(f, "weak", MIB);
    struct edge_object *object = find(f, "weak");
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);
    assert_false(fb_reader_can_unread(reader));
    fb_reader_close(reader);
    edge_object_unref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(bytes_that_were_given_back_are_given_again),
        STORE_TEST(what_was_evicted_meanwhile_is_asked_for_again),
        STORE_TEST(what_cannot_be_fetched_in_parts_is_not_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
