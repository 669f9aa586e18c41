#include "store_fixture.h"

/* ---- the index --------------------------------------------------------- */

static struct fb_headers one_header(struct fixture *f, const char *name, const char *value)
{
    struct fb_headers headers = {0};

    fb_headers_add(&headers, &f->arena, fb_str_from(name), fb_str_from(value));
    return headers;
}

static void heads_are_kept_in_the_objects_own_memory(void **state)
{
    struct fixture *f = *state;
    char value[] = "\"v1\"";
    struct fb_headers response = one_header(f, "ETag", value);
    struct edge_object *object = create_with(f, "a.example/x", 3, &response, &f->none);

    value[1] = 'X';
    const struct edge_object_head *head = edge_object_head(object);
    assert_true(fb_str_equal(head->etag, FB_STR("\"v1\"")));
    assert_null(head->last_modified.ptr);
    assert_true(fb_str_equal(head->key, FB_STR("a.example/x")));
    assert_int_equal(head->status, 200);
    assert_int_equal(head->terms.lifetime_ms, 1000);
    edge_object_unref(object);
}

static void a_head_is_kept_as_lines_too(void **state)
{
    struct fixture *f = *state;
    struct fb_header fields[] = {{FB_STR("Server"), FB_STR("a")},
                                 {FB_STR("Cache-Tag"), FB_STR("x")},
                                 {FB_STR("X-Empty"), FB_STR("")},
                                 {FB_STR("forebay-cache-control"), FB_STR("max-age=1")}};
    struct fb_headers headers = {.items = fields, .n = 3};

    struct edge_object *plain = create_with(f, "h/plain", 1, &headers, &f->none);
    assert_true(fb_str_equal(edge_object_head(plain)->lines, FB_STR("Server: a\r\nX-Empty: \r\n")));
    assert_int_equal(edge_object_head(plain)->headers.n, 2);
    assert_false(edge_object_head(plain)->has_for_tiers);
    headers.n = 4;
    struct edge_object *other = create_with(f, "h/other", 1, &headers, &f->none);
    assert_true(edge_object_head(other)->has_for_tiers);
    edge_object_unref(plain);
    edge_object_unref(other);
}

static void variants_are_told_apart_by_vary(void **state)
{
    struct fixture *f = *state;
    struct fb_headers vary = one_header(f, "Vary", "Accept");
    struct fb_headers wants_a = one_header(f, "Accept", "a");
    struct fb_headers wants_b = one_header(f, "Accept", "b");
    struct edge_object *a = create_with(f, "k", 0, &vary, &wants_a);
    struct edge_object *b = create_with(f, "k", 0, &vary, &wants_b);

    edge_store_publish(f->store, f->loop, a);
    assert_null(edge_store_find(f->store, FB_STR("k"), &wants_b));
    assert_null(edge_store_find(f->store, FB_STR("k"), &f->none));
    edge_store_publish(f->store, f->loop, b);
    struct edge_object *found = edge_store_find(f->store, FB_STR("k"), &wants_a);
    assert_ptr_equal(found, a);
    edge_object_unref(found);
    found = edge_store_find(f->store, FB_STR("k"), &wants_b);
    assert_ptr_equal(found, b);
    edge_object_unref(found);
    assert_int_equal(edge_store_stats(f->store).n_objects, 2);
    assert_int_equal(purge(f, "k"), 2);
    assert_int_equal(purge(f, "k"), 0);
    edge_object_unref(a);
    edge_object_unref(b);
}

static void the_oldest_of_too_many_variants_gives_way(void **state)
{
    struct fixture *f = *state;
    struct fb_headers vary = one_header(f, "Vary", "Accept");

    for (unsigned i = 0; i <= EDGE_STORE_MAX_VARIANTS; i++) {
        char text[8];
        (void)snprintf(text, sizeof(text), "%u", i);
        struct fb_headers wants = one_header(f, "Accept", text);
        struct edge_object *object = create_with(f, "k", 0, &vary, &wants);
        edge_store_publish(f->store, f->loop, object);
        edge_object_unref(object);
    }
    struct fb_headers first = one_header(f, "Accept", "0");
    struct fb_headers second = one_header(f, "Accept", "1");
    assert_null(edge_store_find(f->store, FB_STR("k"), &first));
    struct edge_object *found = edge_store_find(f->store, FB_STR("k"), &second);
    assert_non_null(found);
    edge_object_unref(found);
    assert_int_equal(edge_store_stats(f->store).n_objects, EDGE_STORE_MAX_VARIANTS);
}

static void a_newer_object_takes_the_place_of_the_same_variant(void **state)
{
    struct fixture *f = *state;

    put(f, "k", 100);
    put(f, "k", 200);
    struct edge_object *found = edge_store_find(f->store, FB_STR("k"), &f->none);
    assert_int_equal(edge_object_length(found), 200);
    edge_object_unref(found);
    assert_int_equal(edge_store_stats(f->store).n_objects, 1);
    assert_int_equal(purge(f, "k"), 1);
}

static struct edge_object *renew(struct fixture *f, struct edge_object *old)
{
    struct edge_object *fresh = NULL;
    struct edge_object_spec spec = {.key = edge_object_head(old)->key,
                                    .request = &f->none,
                                    .status = 200,
                                    .headers = &f->none,
                                    .terms = {.lifetime_ms = 9000}};

    assert_int_equal(edge_store_renew(f->store, &spec, old, &fresh), FB_OK);
    edge_store_publish(f->store, f->loop, fresh);
    return fresh;
}

static void a_validated_object_shares_its_body(void **state)
{
    struct fixture *f = *state;

    put(f, "k", 100 * KIB);
    struct edge_object *old = edge_store_find(f->store, FB_STR("k"), &f->none);
    struct edge_object *fresh = renew(f, old);
    assert_true(used(f) - own(f) < 110 * KIB);
    edge_object_unref(old);
    struct edge_object *found = edge_store_find(f->store, FB_STR("k"), &f->none);
    assert_ptr_equal(found, fresh);
    assert_int_equal(edge_object_head(found)->terms.lifetime_ms, 9000);
    assert_reads(f, found, 0, FB_LENGTH_UNKNOWN, 100 * KIB, FB_E_END);
    edge_object_unref(found);
    edge_object_unref(fresh);
}

static void a_body_that_breaks_takes_validated_heads_along(void **state)
{
    struct fixture *f = *state;
    struct edge_object *old = create(f, "k", FB_LENGTH_UNKNOWN);
    struct edge_writer *writer = write_from(f, old, 0);

    edge_store_publish(f->store, f->loop, old);
    struct edge_object *fresh = renew(f, old);
    append(writer, 10);
    edge_writer_finish(writer, FB_E_CLOSED);
    assert_null(find(f, "k"));
    assert_int_equal(edge_store_stats(f->store).n_objects, 0);
    edge_store_publish(f->store, f->loop, old); /* too late */
    assert_null(find(f, "k"));
    edge_object_unref(fresh);
    edge_object_unref(old);
}

static void many_keys_are_all_found(void **state)
{
    struct fixture *f = *state;
    char key[32];

    for (unsigned i = 0; i < 6000; i++) {
        (void)snprintf(key, sizeof(key), "host/%u", i);
        put(f, key, 1);
    }
    for (unsigned i = 0; i < 6000; i++) {
        (void)snprintf(key, sizeof(key), "host/%u", i);
        assert_true(is_there(f, key));
    }
    assert_false(is_there(f, "host/6000"));
}

static void what_is_strong_is_told_by_its_validators(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        const char *date;
        bool is_strong;
    } cases[] = {
        {"ETag", "\"1\"", NULL, true},
        {"ETag", "W/\"1\"", NULL, false},
        {"ETag", "1", NULL, false},
        {"X", "1", NULL, false},
        {"Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT", NULL, false},
        {"Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:00 GMT", false},
        {"Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 2026 00:01:00 GMT", true},
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct fb_headers headers = one_header(f, cases[i].name, cases[i].value);
        if (cases[i].date != NULL) {
            fb_headers_add(&headers, &f->arena, FB_STR("Date"), fb_str_from(cases[i].date));
        }
        struct edge_object *object = create_with(f, "k", 3, &headers, &f->none);
        assert_int_equal(edge_object_is_strong(object), cases[i].is_strong);
        edge_object_unref(object);
    }
}

/* ---- the bound --------------------------------------------------------- */

static void memory_never_exceeds_its_limit(void **state)
{
    struct fixture *f = *state;
    char key[32];

    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        put(f, key, (i * 79190) % (5000 * KIB));
        assert_true(used(f) <= LIMIT);
    }
    assert_true(fb_metrics_sum(f->metrics, "edge_store_evictions_total") > 100);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_store_bytes"), used(f));
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_store_objects"),
                     edge_store_stats(f->store).n_objects);
}

/* Takes the first byte of what is kept, as a client would. */
static bool use(struct fixture *f, const char *key)
{
    struct edge_object *object = find(f, key);
    struct fb_slice slice;

    if (object == NULL) {
        return false;
    }
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, 1, NULL);
    bool is_there = fb_reader_next(reader, &slice) == FB_OK;
    if (is_there) {
        fb_slice_release(&slice);
    }
    fb_reader_close(reader);
    edge_object_unref(object);
    return is_there;
}

static void what_is_asked_for_stays_longer(void **state)
{
    struct fixture *f = *state;
    char key[32];

    put(f, "hot", 100 * KIB);
    for (unsigned i = 0; i < 200; i++) {
        assert_true(use(f, "hot"));
        (void)snprintf(key, sizeof(key), "%u", i);
        put(f, key, 100 * KIB);
    }
    assert_false(is_there(f, "0"));
    assert_true(is_there(f, "hot"));
}

static void who_had_it_brought_does_not_count_as_a_use(void **state)
{
    struct fixture *f = *state;
    char key[32];

    put(f, "once", 100 * KIB);
    assert_true(use(f, "once"));
    put(f, "thrice", 100 * KIB);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(use(f, "thrice"));
    }
    unsigned n = 0;
    while (is_there(f, "once") && n < 200) {
        (void)snprintf(key, sizeof(key), "%u", n++);
        put(f, key, 100 * KIB);
    }
    (void)snprintf(key, sizeof(key), "%u", n);
    put(f, key, 200 * KIB);
    assert_true(is_there(f, "thrice"));
}

static void heads_without_bytes_go_too(void **state)
{
    struct fixture *f = *state;
    char key[32];

    for (unsigned i = 0; i < 20000; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        put(f, key, 0);
        assert_true(used(f) <= LIMIT);
    }
    assert_true(edge_store_stats(f->store).n_objects < 19000);
    assert_true(is_there(f, "19999"));
}

static void an_object_whose_last_extent_goes_leaves_the_index(void **state)
{
    struct fixture *f = *state;
    char key[32];

    put(f, "first", 500 * KIB);
    for (unsigned i = 0; is_there(f, "first") && i < 50; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        put(f, key, 500 * KIB);
    }
    assert_null(find(f, "first"));
    assert_false(edge_store_has(f->store, FB_STR("first")));
}

static void an_object_in_use_stays_in_the_index_without_bytes(void **state)
{
    struct fixture *f = *state;
    char key[32];

    put(f, "used", 500 * KIB);
    struct edge_object *object = find(f, "used");
    for (unsigned i = 0; is_there(f, "used") && i < 50; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        put(f, key, 500 * KIB);
    }
    assert_true(edge_store_has(f->store, FB_STR("used")));
    assert_false(edge_object_holds(object, 0, 1));
    /* Its bytes may come again. */
    struct edge_writer *writer = write_from(f, object, 0);
    append(writer, 500 * KIB);
    edge_writer_finish(writer, FB_OK);
    assert_reads(f, object, 0, FB_LENGTH_UNKNOWN, 500 * KIB, FB_E_END);
    edge_object_unref(object);
}

static void a_slice_in_use_is_evicted_but_not_freed(void **state)
{
    struct fixture *f = *state;
    struct fb_slice slice;
    char key[32];

    put(f, "used", 500 * KIB);
    struct edge_object *object = find(f, "used");
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);
    edge_object_unref(object);
    assert_int_equal(fb_reader_next(reader, &slice), FB_OK);
    for (unsigned i = 0; i < 50; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        put(f, key, 500 * KIB);
        assert_true(used(f) <= LIMIT);
    }
    assert_memory_equal(slice.bytes.ptr, pattern, slice.bytes.len);
    uint64_t before = used(f);
    fb_slice_release(&slice);
    assert_true(before - used(f) > 500 * KIB);
    fb_reader_close(reader);
}

static void with_all_in_use_nothing_is_evicted_in_vain(void **state)
{
    struct fixture *f = *state;
    struct edge_writer *held[7];
    struct edge_object *last = NULL;
    char key[32];

    put(f, "small", 1 * KIB);
    for (unsigned i = 0; i < FB_ARRAY_LEN(held); i++) {
        (void)snprintf(key, sizeof(key), "held/%u", i);
        last = create(f, key, 1 * MIB);
        edge_store_publish(f->store, f->loop, last);
        held[i] = write_from(f, last, 0);
        append(held[i], 1000 * KIB);
        edge_object_unref(last);
    }
    struct edge_object *object = create(f, "k", 1000 * KIB);
    struct edge_writer *writer = write_from(f, object, 0);
    assert_int_equal(try_append(writer, 1), FB_E_BUSY);
    assert_true(is_there(f, "small"));
    for (unsigned i = 0; i < FB_ARRAY_LEN(held); i++) {
        edge_writer_finish(held[i], FB_E_CLOSED);
    }
    append(writer, 1000 * KIB);
    edge_writer_finish(writer, FB_OK);
    edge_object_unref(object);
}

static void a_body_of_unknown_length_takes_a_quarter_at_most(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", FB_LENGTH_UNKNOWN);
    struct edge_writer *writer = write_from(f, object, 0);
    int err = FB_OK;

    edge_store_publish(f->store, f->loop, object);
    while (err == FB_OK) {
        err = try_append(writer, 100 * KIB);
    }
    assert_int_equal(err, FB_E_LIMIT);
    assert_true(used(f) - own(f) <= LIMIT / 4 + 16 * KIB);
    edge_writer_finish(writer, err);
    assert_null(find(f, "k"));
    edge_object_unref(object);
}

static void a_body_larger_than_the_store_streams_through_it(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = create(f, "k", PATTERN);
    struct edge_writer *writer = write_from(f, object, 0);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);
    uint64_t offset = 0;

    edge_store_publish(f->store, f->loop, object);
    while (edge_writer_offset(writer) < PATTERN) {
        append(writer, 256 * KIB);
        assert_int_equal(read_on(reader, &offset),
                         edge_writer_offset(writer) < PATTERN ? FB_E_LATER : FB_E_END);
        assert_int_equal(offset, edge_writer_offset(writer));
        assert_true(used(f) <= LIMIT);
    }
    edge_writer_finish(writer, FB_OK);
    fb_reader_close(reader);
    assert_false(edge_object_holds(object, 0, FB_LENGTH_UNKNOWN));
    assert_true(edge_object_holds(object, PATTERN - MIB, MIB));
    edge_object_unref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(heads_are_kept_in_the_objects_own_memory),
        STORE_TEST(a_head_is_kept_as_lines_too),
        STORE_TEST(variants_are_told_apart_by_vary),
        STORE_TEST(the_oldest_of_too_many_variants_gives_way),
        STORE_TEST(a_newer_object_takes_the_place_of_the_same_variant),
        STORE_TEST(a_validated_object_shares_its_body),
        STORE_TEST(a_body_that_breaks_takes_validated_heads_along),
        STORE_TEST(many_keys_are_all_found),
        STORE_TEST(what_is_strong_is_told_by_its_validators),
        STORE_TEST(memory_never_exceeds_its_limit),
        STORE_TEST(what_is_asked_for_stays_longer),
        cmocka_unit_test_setup_teardown(what_is_asked_for_stays_longer, set_up_lru, tear_down),
        STORE_TEST(who_had_it_brought_does_not_count_as_a_use),
        STORE_TEST(heads_without_bytes_go_too),
        STORE_TEST(an_object_whose_last_extent_goes_leaves_the_index),
        STORE_TEST(an_object_in_use_stays_in_the_index_without_bytes),
        STORE_TEST(a_slice_in_use_is_evicted_but_not_freed),
        STORE_TEST(with_all_in_use_nothing_is_evicted_in_vain),
        STORE_TEST(a_body_of_unknown_length_takes_a_quarter_at_most),
        STORE_TEST(a_body_larger_than_the_store_streams_through_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
