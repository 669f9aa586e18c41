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
    edge_object_finish(object, FB_E_CLOSED);
    edge_object_unref(object);
}

static void variants_are_told_apart_by_vary(void **state)
{
    struct fixture *f = *state;
    struct fb_headers vary = one_header(f, "Vary", "Accept");
    struct fb_headers wants_a = one_header(f, "Accept", "a");
    struct fb_headers wants_b = one_header(f, "Accept", "b");
    struct edge_object *a = create_with(f, "k", 0, &vary, &wants_a);
    struct edge_object *b = create_with(f, "k", 0, &vary, &wants_b);

    edge_store_publish(f->store, a);
    assert_null(edge_store_find(f->store, FB_STR("k"), &wants_b));
    assert_null(edge_store_find(f->store, FB_STR("k"), &f->none));
    edge_store_publish(f->store, b);
    struct edge_object *found = edge_store_find(f->store, FB_STR("k"), &wants_a);
    assert_ptr_equal(found, a);
    edge_object_unref(found);
    found = edge_store_find(f->store, FB_STR("k"), &wants_b);
    assert_ptr_equal(found, b);
    edge_object_unref(found);
    assert_int_equal(edge_store_stats(f->store).n_objects, 2);
    assert_int_equal(edge_store_purge(f->store, FB_STR("k")), 2);
    assert_int_equal(edge_store_purge(f->store, FB_STR("k")), 0);
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
        edge_store_publish(f->store, object);
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
    assert_int_equal(edge_store_purge(f->store, FB_STR("k")), 1);
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
    edge_store_publish(f->store, fresh);
    return fresh;
}

static void a_validated_object_shares_its_body(void **state)
{
    struct fixture *f = *state;

    put(f, "k", 100 * KIB);
    struct edge_object *old = edge_store_find(f->store, FB_STR("k"), &f->none);
    struct edge_object *fresh = renew(f, old);
    assert_true(edge_store_stats(f->store).memory_bytes < 110 * KIB);
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
    struct edge_object *old = create(f, "k", 1000);

    edge_store_publish(f->store, old);
    struct edge_object *fresh = renew(f, old);
    edge_object_finish(old, FB_E_CLOSED);
    assert_false(is_there(f, "k"));
    assert_int_equal(edge_store_stats(f->store).n_objects, 0);
    edge_store_publish(f->store, fresh); /* too late */
    assert_false(is_there(f, "k"));
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

/* ---- the bound --------------------------------------------------------- */

static void memory_never_exceeds_its_limit(void **state)
{
    struct fixture *f = *state;
    char key[32];

    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        put(f, key, (i * 7919) % (900 * KIB));
        assert_true(edge_store_stats(f->store).memory_bytes <= LIMIT);
    }
    assert_true(fb_metrics_sum(f->metrics, "edge_store_evictions_total") > 100);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_store_bytes"),
                     edge_store_stats(f->store).memory_bytes);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_store_objects"),
                     edge_store_stats(f->store).n_objects);
}

static void what_is_asked_for_stays_longer(void **state)
{
    struct fixture *f = *state;
    char key[32];

    put(f, "hot", 100 * KIB);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(is_there(f, "hot"));
        (void)snprintf(key, sizeof(key), "%u", i);
        put(f, key, 100 * KIB);
    }
    assert_false(is_there(f, "0"));
    assert_true(is_there(f, "hot"));
}

static void objects_larger_than_a_quarter_are_refused(void **state)
{
    struct fixture *f = *state;
    struct edge_object *object = NULL;
    struct edge_object_spec spec = {
        .key = FB_STR("k"), .request = &f->none, .headers = &f->none, .length = LIMIT / 4};

    assert_int_equal(edge_store_create(f->store, &spec, &object), FB_E_LIMIT);
    spec.length = INT64_MAX;
    assert_int_equal(edge_store_create(f->store, &spec, &object), FB_E_LIMIT);
    assert_int_equal(edge_store_stats(f->store).memory_bytes, 0);

    object = create(f, "k", FB_LENGTH_UNKNOWN);
    int err = FB_OK;
    while (err == FB_OK) {
        err = try_append(object, 100 * KIB);
    }
    assert_int_equal(err, FB_E_LIMIT);
    assert_true(edge_store_stats(f->store).memory_bytes <= LIMIT / 4);
    edge_object_finish(object, err);
    edge_object_unref(object);
}

static void an_object_in_use_is_evicted_but_not_freed(void **state)
{
    struct fixture *f = *state;
    char key[32];

    put(f, "used", 500 * KIB);
    struct edge_object *object = edge_store_find(f->store, FB_STR("used"), &f->none);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN);
    edge_object_unref(object);
    for (unsigned i = 0; i < 50; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        put(f, key, 500 * KIB);
        assert_true(edge_store_stats(f->store).memory_bytes <= LIMIT);
    }
    assert_false(is_there(f, "used"));
    uint64_t offset = 0;
    assert_int_equal(read_on(reader, &offset), FB_E_END);
    assert_int_equal(offset, 500 * KIB);
    uint64_t before = edge_store_stats(f->store).memory_bytes;
    fb_reader_close(reader);
    assert_true(before - edge_store_stats(f->store).memory_bytes > 500 * KIB);
}

static void with_all_in_use_nothing_is_evicted_in_vain(void **state)
{
    struct fixture *f = *state;
    struct edge_object *held[8];
    struct edge_object *object = NULL;
    char key[32];

    for (unsigned i = 0; i < FB_ARRAY_LEN(held); i++) {
        (void)snprintf(key, sizeof(key), "held/%u", i);
        held[i] = create(f, key, 500 * KIB);
    }
    put(f, "small", 1 * KIB);
    struct edge_object_spec spec = {
        .key = FB_STR("k"), .request = &f->none, .headers = &f->none, .length = 500 * KIB};
    assert_int_equal(edge_store_create(f->store, &spec, &object), FB_E_BUSY);
    assert_true(is_there(f, "small"));
    for (unsigned i = 0; i < FB_ARRAY_LEN(held); i++) {
        edge_object_finish(held[i], FB_E_CLOSED);
        edge_object_unref(held[i]);
    }
    assert_int_equal(edge_store_create(f->store, &spec, &object), FB_OK);
    edge_object_finish(object, FB_E_CLOSED);
    edge_object_unref(object);
}

static void a_body_that_grows_evicts_others_and_perhaps_itself(void **state)
{
    struct fixture *f = *state;
    char key[32];

    for (unsigned i = 0; i < 30; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        struct edge_object *object = create(f, key, FB_LENGTH_UNKNOWN);
        edge_store_publish(f->store, object);
        for (unsigned n = 0; n < 9; n++) {
            append(object, 90 * KIB);
            assert_true(edge_store_stats(f->store).memory_bytes <= LIMIT);
        }
        edge_object_finish(object, FB_OK);
        assert_reads(f, object, 0, FB_LENGTH_UNKNOWN, 9 * 90 * KIB, FB_E_END);
        edge_object_unref(object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(heads_are_kept_in_the_objects_own_memory),
        STORE_TEST(variants_are_told_apart_by_vary),
        STORE_TEST(the_oldest_of_too_many_variants_gives_way),
        STORE_TEST(a_newer_object_takes_the_place_of_the_same_variant),
        STORE_TEST(a_validated_object_shares_its_body),
        STORE_TEST(a_body_that_breaks_takes_validated_heads_along),
        STORE_TEST(many_keys_are_all_found),
        STORE_TEST(memory_never_exceeds_its_limit),
        STORE_TEST(what_is_asked_for_stays_longer),
        cmocka_unit_test_setup_teardown(what_is_asked_for_stays_longer, set_up_lru, tear_down),
        STORE_TEST(objects_larger_than_a_quarter_are_refused),
        STORE_TEST(an_object_in_use_is_evicted_but_not_freed),
        STORE_TEST(with_all_in_use_nothing_is_evicted_in_vain),
        STORE_TEST(a_body_that_grows_evicts_others_and_perhaps_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
