#include "tiers_fixture.h"

/* ---- there and back ---------------------------------------------------- */

static void an_object_goes_to_a_volume_and_comes_back(void **state)
{
    struct tiers *t = *state;

    keep(t, "a/k", 6 * MIB - 100, "\"1\"");
    assert_int_equal(t->volumes->n_writes, 2);
    press(t);
    assert_null(find(&t->f, "a/k"));
    assert_true(edge_store_has(t->f.store, FB_STR("a/k")));
    assert_true(edge_store_may_load(t->f.store, FB_STR("a/k"), 0));
    assert_true(edge_store_may_load(t->f.store, FB_STR("a/k"), 5 * MIB));
    assert_false(edge_store_may_load(t->f.store, FB_STR("a/other"), 0));

    test_clock_advance_ms(&t->f.clock, 5000);
    struct edge_object *object = load(t, "a/k", 5 * MIB);
    const struct edge_object_head *head = edge_object_head(object);
    assert_int_equal(edge_object_length(object), 6 * MIB - 100);
    assert_true(fb_str_equal(head->etag, FB_STR("\"1\"")));
    assert_int_equal(edge_terms_age_ms(&head->terms, (int64_t)fb_clock_mono_ms(&t->f.clock.clock)),
                     5000);
    assert_int_equal(t->volumes->n_reads, 1);
    assert_true(edge_object_holds(object, 0, FB_LENGTH_UNKNOWN));
    assert_loads(t, object, 0, FB_LENGTH_UNKNOWN, 6 * MIB - 100, FB_E_END);
    assert_int_equal(t->volumes->n_reads, 6);
    assert_int_equal(edge_store_stats(t->f.store).n_loaded, 6);
    assert_int_equal(t->volumes->n_writes, 2); /* not again */
    struct edge_object *found = find(&t->f, "a/k");
    assert_ptr_equal(found, object);
    edge_object_unref(found);
    edge_object_unref(object);
}

static void a_range_reads_only_the_chunks_it_touches(void **state)
{
    struct tiers *t = *state;

    keep(t, "a/k", 20 * MIB, "\"1\"");
    press(t);
    t->volumes->n_reads = 0;
    struct edge_object *object = load(t, "a/k", 9 * MIB);
    assert_loads(t, object, 9 * MIB + 5, MIB, 10 * MIB + 5, FB_E_END);
    assert_int_equal(t->volumes->n_reads, 2);
    edge_object_unref(object);
}

static void a_body_of_unknown_length_goes_to_a_volume_when_it_has_come(void **state)
{
    struct tiers *t = *state;
    struct edge_object *object = make(t, "a/k", FB_LENGTH_UNKNOWN, "\"1\"", EDGE_CLASS_SEGMENT);
    struct edge_writer *writer = write_from(&t->f, object, 0);

    edge_store_publish(t->f.store, t->f.loop, object);
    append(writer, 1200 * KIB);
    assert_int_equal(t->volumes->n_writes, 0);
    edge_writer_finish(writer, FB_OK);
    edge_object_unref(object);
    assert_int_equal(t->volumes->n_writes, 1);
    press(t);
    object = load(t, "a/k", 0);
    assert_loads(t, object, 0, FB_LENGTH_UNKNOWN, 1200 * KIB, FB_E_END);
    edge_object_unref(object);
}

static void a_reader_in_sequence_reads_one_chunk_ahead(void **state)
{
    struct tiers *t = *state;
    struct fb_slice slice;

    keep(t, "a/k", 4 * MIB, "\"1\"");
    press(t);
    struct edge_object *object = load(t, "a/k", 0);
    struct fb_reader *reader = edge_object_reader(object, t->f.loop, 0, FB_LENGTH_UNKNOWN, NULL);
    t->volumes->n_reads = 0;
    assert_int_equal(fb_reader_next(reader, &slice), FB_OK);
    fb_slice_release(&slice);
    assert_int_equal(t->volumes->n_reads, 1);
    turn(&t->f);
    assert_int_equal(t->volumes->n_reads, 1);
    fb_reader_close(reader);
    edge_object_unref(object);
}

static void readers_that_wait_share_one_read(void **state)
{
    struct tiers *t = *state;
    struct edge_object *object = NULL;
    struct fb_reader *readers[3];
    uint64_t offsets[3] = {0};

    keep(t, "a/k", 2 * MIB, "\"1\"");
    press(t);
    object = load(t, "a/k", MIB);
    t->volumes->n_reads = 0;
    t->volumes->holds_reads = true;
    for (unsigned i = 0; i < 3; i++) {
        readers[i] = edge_object_reader(object, t->f.loop, 0, MIB, &t->source);
        assert_int_equal(read_on(readers[i], &offsets[i]), FB_E_LATER);
        start_wait(&t->f, readers[i]);
        if (i < 2) {
            fb_op_cancel(&t->f.op);
            turn(&t->f);
        }
    }
    assert_int_equal(t->volumes->n_reads, 1);
    fake_let_read(t->volumes);
    turn(&t->f);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(read_on(readers[i], &offsets[i]), FB_E_END);
        fb_reader_close(readers[i]);
    }
    assert_int_equal(t->volumes->n_reads, 1);
    assert_int_equal(t->n_wants, 0);
    edge_object_unref(object);
}

/* ---- what goes wrong ----------------------------------------------------- */

static void what_no_volume_gives_is_asked_of_the_source(void **state)
{
    static const int errors[] = {FB_E_CORRUPT, FB_E_NOT_FOUND, -5};
    struct tiers *t = *state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(errors); i++) {
        keep(t, "a/k", 2 * MIB, "\"1\"");
        press(t);
        struct edge_object *object = load(t, "a/k", MIB);
        struct fb_reader *reader =
            edge_object_reader(object, t->f.loop, 10, FB_LENGTH_UNKNOWN, &t->source);
        uint64_t offset = 10;
        t->volumes->read_error = errors[i];
        t->n_wants = 0;
        assert_int_equal(read_on(reader, &offset), FB_E_LATER);
        for (unsigned n = 0; n < 5 && t->n_wants == 0; n++) {
            start_wait(&t->f, reader);
            turn(&t->f);
        }
        assert_int_equal(t->n_wants, 1);
        assert_int_equal(t->wanted_at, 10);
        assert_int_equal(t->n_wanted, MIB - 10);
        struct edge_writer *writer = write_from(&t->f, object, 0);
        assert_int_equal(try_append(writer, MIB), FB_E_EXISTS);
        edge_writer_finish(writer, FB_OK);
        turn(&t->f);
        assert_int_equal(read_all(t, reader, &offset), FB_E_END);
        fb_reader_close(reader);
        edge_object_unref(object);
        t->volumes->read_error = FB_OK;
        assert_int_equal(purge(&t->f, "a/k"), 1);
    }
}

static void without_a_source_what_no_volume_gives_breaks_off(void **state)
{
    struct tiers *t = *state;

    keep(t, "a/k", 2 * MIB, "\"1\"");
    press(t);
    struct edge_object *object = load(t, "a/k", 0);
    t->volumes->read_error = FB_E_CORRUPT;
    assert_loads(t, object, 0, FB_LENGTH_UNKNOWN, MIB, FB_E_CLOSED);
    edge_object_unref(object);
}

static void another_copy_serves_if_the_newest_is_rotten(void **state)
{
    struct tiers *t = *state;

    keep(t, "a/k", MIB, "\"1\"");
    press(t);
    struct edge_object *object = load(t, "a/k", 0);
    edge_object_unref(object);
    t->volumes->read_error = FB_E_CORRUPT;
    press(t);
    assert_null(load(t, "a/k", 0));
    assert_false(edge_store_may_load(t->f.store, FB_STR("a/k"), 0));
}

static void a_head_that_makes_no_sense_is_passed_over(void **state)
{
    struct tiers *t = *state;

    keep(t, "a/k", MIB, "\"1\"");
    struct fake_record *record =
        FB_CONTAINER_OF(t->volumes->records.next, struct fake_record, link);
    record->meta.ptr[0] = 99;
    press(t);
    assert_null(load(t, "a/k", 0));
}

static void a_variant_for_others_is_passed_over(void **state)
{
    struct tiers *t = *state;
    struct fb_headers vary = {0};
    struct fb_headers wants[2] = {{0}, {0}};

    fb_headers_add(&vary, &t->f.arena, FB_STR("Vary"), FB_STR("Accept"));
    for (unsigned i = 0; i < 2; i++) {
        struct edge_object *object = NULL;
        fb_headers_add(&wants[i], &t->f.arena, FB_STR("Accept"),
                       i == 0 ? FB_STR("a") : FB_STR("b"));
        struct edge_object_spec spec = {.key = FB_STR("a/k"),
                                        .request = &wants[i],
                                        .status = 200,
                                        .headers = &vary,
                                        .terms = {.lifetime_ms = 3600000},
                                        .length = 1000 + i};
        assert_int_equal(edge_store_create(t->f.store, &spec, &object), FB_OK);
        struct edge_writer *writer = write_from(&t->f, object, 0);
        edge_store_publish(t->f.store, t->f.loop, object);
        append(writer, 1000 + i);
        edge_writer_finish(writer, FB_OK);
        edge_object_unref(object);
    }
    press(t);
    for (unsigned i = 0; i < 2; i++) {
        struct loading loading = {
            .load = {.key = FB_STR("a/k"), .request = &wants[i]},
        };
        fb_op_init(&loading.load.op, t->f.loop, on_loaded);
        edge_store_load(t->f.store, &loading.load);
        turn(&t->f);
        assert_int_equal(loading.result, FB_OK);
        assert_int_equal(edge_object_length(loading.load.object), 1000 + i);
        edge_object_unref(loading.load.object);
    }
    assert_null(load(t, "a/k", 0)); /* without Accept */
}

/* ---- memory ------------------------------------------------------------ */

enum { HUGE_LIMIT = 3 * LIMIT, N_LOADED = 3, LOADED_BYTES = 20 * MIB, N_ROUNDS = 4 };

static const char *const loaded_keys[N_LOADED] = {"a/k", "b/k", "c/k"};

static int set_up_huge(void **state)
{
    return set_up_tiers_with(state, HUGE_LIMIT, 1);
}

static void read_within(struct tiers *t, const char *key, uint64_t limit)
{
    struct edge_object *object = load(t, key, 0);
    assert_non_null(object);
    struct fb_reader *reader = edge_object_reader(object, t->f.loop, 0, FB_LENGTH_UNKNOWN, NULL);
    uint64_t offset = 0;

    for (int err = FB_E_LATER; err == FB_E_LATER;) {
        err = read_on(reader, &offset);
        assert_true(used(&t->f) <= limit);
        if (err == FB_E_LATER) {
            start_wait(&t->f, reader);
            turn(&t->f);
            assert_true(used(&t->f) <= limit);
        }
    }
    assert_int_equal(offset, LOADED_BYTES);
    fb_reader_close(reader);
    edge_object_unref(object);
}

/* Loads of many times the limit, between small and large objects that only pass by. */
static void load_much(struct tiers *t, uint64_t limit)
{
    char key[32];

    for (unsigned i = 0; i < N_LOADED; i++) {
        keep(t, loaded_keys[i], LOADED_BYTES, "\"1\"");
        assert_true(used(&t->f) <= limit);
    }
    t->volumes->admits = false;
    for (unsigned i = 0; i < N_ROUNDS * N_LOADED; i++) {
        read_within(t, loaded_keys[i % N_LOADED], limit);
        for (unsigned k = 0; k < 20; k++) {
            (void)snprintf(key, sizeof(key), "passing/%u/%u", i, k);
            keep(t, key, k % 4 == 0 ? 700 * KIB : k * KIB, NULL);
            assert_true(used(&t->f) <= limit);
        }
    }
    assert_true(edge_store_stats(t->f.store).n_loaded > (N_ROUNDS - 1) * (LOADED_BYTES / MIB));
}

static void loads_stay_within_the_bound(void **state)
{
    load_much(*state, LIMIT);
}

static void huge_pages_count_whether_they_are_used_or_idle(void **state)
{
    struct tiers *t = *state;

    load_much(t, HUGE_LIMIT);
    for (unsigned i = 0; i < N_LOADED; i++) {
        (void)purge(&t->f, loaded_keys[i]);
    }
    turn(&t->f);
    assert_true(used(&t->f) >= 2 * MIB); /* what is kept for the next load */
    press(t);                            /* but makes way for what needs no such page */
    assert_true(used(&t->f) <= HUGE_LIMIT);
}

/* Slices that slow clients hold are all over the pages. */
static void what_is_in_use_leaves_the_bound_as_it_is(void **state)
{
    struct tiers *t = *state;
    struct fb_slice slices[LOADED_BYTES / MIB];
    unsigned n_slices = 0;

    keep(t, "a/k", LOADED_BYTES, "\"1\"");
    keep(t, "b/k", LOADED_BYTES, "\"1\"");
    press(t);
    struct edge_object *object = load(t, "a/k", 0);
    assert_non_null(object);
    for (unsigned i = 0; i < FB_ARRAY_LEN(slices); i += 2) {
        struct fb_reader *reader =
            edge_object_reader(object, t->f.loop, (uint64_t)i * MIB, MIB, NULL);
        int err = fb_reader_next(reader, &slices[n_slices]);
        if (err == FB_E_LATER) {
            start_wait(&t->f, reader);
            turn(&t->f);
            err = fb_reader_next(reader, &slices[n_slices]);
        }
        n_slices += err == FB_OK ? 1 : 0;
        assert_true(used(&t->f) <= HUGE_LIMIT);
        fb_reader_close(reader);
    }
    assert_int_equal(n_slices, FB_ARRAY_LEN(slices) / 2);
    edge_object_unref(object);
    read_within(t, "b/k", HUGE_LIMIT);
    press(t);
    assert_true(used(&t->f) <= HUGE_LIMIT);
    for (unsigned i = 0; i < n_slices; i++) {
        fb_slice_release(&slices[i]);
    }
}

#define HUGE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_huge, tear_down_tiers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TIERS_TEST(an_object_goes_to_a_volume_and_comes_back),
        TIERS_TEST(a_range_reads_only_the_chunks_it_touches),
        TIERS_TEST(a_body_of_unknown_length_goes_to_a_volume_when_it_has_come),
        TIERS_TEST(a_reader_in_sequence_reads_one_chunk_ahead),
        TIERS_TEST(readers_that_wait_share_one_read),
        TIERS_TEST(what_no_volume_gives_is_asked_of_the_source),
        TIERS_TEST(without_a_source_what_no_volume_gives_breaks_off),
        TIERS_TEST(another_copy_serves_if_the_newest_is_rotten),
        TIERS_TEST(a_head_that_makes_no_sense_is_passed_over),
        TIERS_TEST(a_variant_for_others_is_passed_over),
        TIERS_TEST(loads_stay_within_the_bound),
        HUGE_TEST(huge_pages_count_whether_they_are_used_or_idle),
        HUGE_TEST(what_is_in_use_leaves_the_bound_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
