#include "tiers_fixture.h"

/* ---- at the same time -------------------------------------------------- */

static void a_load_joins_what_was_published_meanwhile(void **state)
{
    struct tiers *t = *state;
    struct loading loadings[2];

    keep(t, "a/k", MIB, "\"1\"");
    press(t);
    t->volumes->holds_reads = true;
    load_begin(t, &loadings[0], "a/k", 0);
    load_begin(t, &loadings[1], "a/k", 0);
    fake_let_read(t->volumes);
    turn(&t->f);
    assert_int_equal(loadings[0].result, FB_OK);
    assert_int_equal(loadings[1].result, FB_OK);
    assert_ptr_equal(loadings[0].load.object, loadings[1].load.object);
    assert_int_equal(edge_store_stats(t->f.store).n_objects, 1);
    edge_object_unref(loadings[0].load.object);
    edge_object_unref(loadings[1].load.object);
}

static void what_is_purged_while_it_is_loaded_does_not_come_back(void **state)
{
    struct tiers *t = *state;
    struct loading loading;

    keep(t, "a/k", MIB, "\"1\"");
    press(t);
    t->volumes->holds_reads = true;
    load_begin(t, &loading, "a/k", 0);
    t->volumes->holds_purges = true;
    edge_store_invalidate(t->f.store, t->f.loop, FB_STR("a/k"));

    /* The volume takes its time to forget. */
    assert_false(edge_store_may_load(t->f.store, FB_STR("a/k"), 0));
    assert_null(load(t, "a/k", 0));
    fake_let_read(t->volumes);
    turn(&t->f);
    assert_int_equal(loading.result, FB_E_NOT_FOUND);
    fake_purge(t->volumes, t->volumes->held_purge);
    turn(&t->f);
    assert_null(find(&t->f, "a/k"));
    assert_null(load(t, "a/k", 0));
}

static void what_was_purged_is_not_given_to_a_volume(void **state)
{
    struct tiers *t = *state;
    struct edge_object *object = make(t, "a/k", MIB, "\"1\"", EDGE_CLASS_SEGMENT);
    struct edge_writer *writer = write_from(&t->f, object, 0);

    edge_store_publish(t->f.store, t->f.loop, object);
    append(writer, MIB / 2);
    assert_int_equal(purge(&t->f, "a/k"), 1);
    append(writer, MIB / 2);
    edge_writer_finish(writer, FB_OK);
    assert_int_equal(t->volumes->n_writes, 0);
    edge_object_unref(object);
}

static void a_purge_counts_what_only_a_volume_had(void **state)
{
    struct tiers *t = *state;

    keep(t, "a/k", 6 * MIB, "\"1\"");
    press(t);
    assert_int_equal(purge(&t->f, "a/k"), 1);
    assert_int_equal(purge(&t->f, "a/k"), 0);
    assert_false(edge_store_has(t->f.store, FB_STR("a/k")));
}

static void what_is_replaced_by_other_bytes_is_forgotten(void **state)
{
    struct tiers *t = *state;

    keep(t, "a/k", MIB, "\"1\"");
    keep(t, "a/k", MIB, "\"1\"");
    assert_int_equal(t->volumes->n_purges, 0);
    assert_int_equal(t->volumes->n_writes, 1); /* the same bytes are there */
    keep(t, "a/k", MIB, "\"2\"");
    assert_int_equal(t->volumes->n_purges, 1);
    keep(t, "a/k", MIB, "W/\"3\"");
    keep(t, "a/k", MIB, "W/\"3\""); /* proves nothing */
    assert_int_equal(t->volumes->n_purges, 3);
    turn(&t->f);
}

/* ---- what is offered ----------------------------------------------------- */

static void what_lives_too_short_is_never_offered(void **state)
{
    static const struct edge_terms cases[] = {
        {.class = EDGE_CLASS_MANIFEST, .lifetime_ms = 3600000},
        {.class = EDGE_CLASS_SEGMENT, .lifetime_ms = 59999},
        {.class = EDGE_CLASS_OTHER, .lifetime_ms = 3600000, .always_validate = true},
    };
    struct tiers *t = *state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct edge_object *object = NULL;
        struct edge_object_spec spec = {.key = FB_STR("a/k"),
                                        .request = &t->f.none,
                                        .status = 200,
                                        .headers = &t->f.none,
                                        .terms = cases[i],
                                        .length = 1000};
        assert_int_equal(edge_store_create(t->f.store, &spec, &object), FB_OK);
        struct edge_writer *writer = write_from(&t->f, object, 0);
        edge_store_publish(t->f.store, t->f.loop, object);
        append(writer, 1000);
        edge_writer_finish(writer, FB_OK);
        edge_object_unref(object);
    }
    assert_int_equal(t->volumes->n_asked, 0);
    assert_int_equal(t->volumes->n_writes, 0);
}

static void a_fill_that_breaks_is_not_offered(void **state)
{
    struct tiers *t = *state;
    struct edge_object *object = make(t, "a/k", MIB, "\"1\"", EDGE_CLASS_SEGMENT);
    struct edge_writer *writer = write_from(&t->f, object, 0);

    edge_store_publish(t->f.store, t->f.loop, object);
    append(writer, 1000);
    edge_writer_finish(writer, FB_E_CLOSED);
    edge_object_unref(object);
    assert_int_equal(t->volumes->n_asked, 0);
}

static void an_extent_is_asked_for_once_and_what_comes_later_follows(void **state)
{
    struct tiers *t = *state;

    for (unsigned admits = 0; admits < 2; admits++) {
        struct edge_object *object =
            make(t, admits ? "b" : "a", 4 * MIB, "\"1\"", EDGE_CLASS_SEGMENT);
        edge_store_publish(t->f.store, t->f.loop, object);
        t->volumes->admits = admits != 0;
        t->volumes->n_asked = 0;
        for (unsigned chunk = 0; chunk < 4; chunk += 2) {
            struct edge_writer *writer = write_from(&t->f, object, chunk * MIB);
            append(writer, MIB);
            edge_writer_finish(writer, FB_OK);
            if (admits) {
                assert_int_equal(t->volumes->last_mask, 1U << chunk);
            }
        }
        assert_int_equal(t->volumes->n_asked, 1);
        assert_int_equal(t->volumes->n_writes, admits ? 2 : 0);
        edge_object_unref(object);
    }
}

static void a_volume_that_takes_nothing_costs_nothing(void **state)
{
    static const int errors[] = {FB_E_BUSY, FB_E_LIMIT, FB_E_UNAVAILABLE};
    struct tiers *t = *state;
    char key[8];

    for (unsigned i = 0; i < FB_ARRAY_LEN(errors); i++) {
        (void)snprintf(key, sizeof(key), "k/%u", i);
        t->volumes->write_error = errors[i];
        keep(t, key, MIB, NULL);
        assert_true(is_there(&t->f, key));
    }
    t->volumes->write_error = FB_OK;
    t->volumes->room.is_in_service = false;
    keep(t, "k/x", MIB, NULL);
    assert_int_equal(edge_store_stats(t->f.store).n_offered, 0);
    assert_int_equal(edge_store_stats(t->f.store).n_declined, 4);
}

static void uses_in_memory_are_told_when_the_extent_goes(void **state)
{
    struct tiers *t = *state;

    keep(t, "a/k", MIB, "\"1\"");
    for (unsigned i = 0; i < 2; i++) { /* the first one had it brought */
        struct edge_object *object = find(&t->f, "a/k");
        assert_reads(&t->f, object, 0, 10, 10, FB_E_END);
        edge_object_unref(object);
    }
    press(t);
    assert_int_equal(t->volumes->n_touched, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TIERS_TEST(a_load_joins_what_was_published_meanwhile),
        TIERS_TEST(what_is_purged_while_it_is_loaded_does_not_come_back),
        TIERS_TEST(what_was_purged_is_not_given_to_a_volume),
        TIERS_TEST(a_purge_counts_what_only_a_volume_had),
        TIERS_TEST(what_is_replaced_by_other_bytes_is_forgotten),
        TIERS_TEST(what_lives_too_short_is_never_offered),
        TIERS_TEST(a_fill_that_breaks_is_not_offered),
        TIERS_TEST(an_extent_is_asked_for_once_and_what_comes_later_follows),
        TIERS_TEST(a_volume_that_takes_nothing_costs_nothing),
        TIERS_TEST(uses_in_memory_are_told_when_the_extent_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
