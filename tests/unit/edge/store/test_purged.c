#include "edge/purge/purge.h"
#include "edge/store/cause.h"
#include "tiers_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct edge_purges *rules;

static int set_up_purged_with(void **state, uint64_t memory_bytes)
{
    set_up_tiers_with(state, memory_bytes, UINT64_MAX);
    struct tiers *t = *state;

    edge_store_free(t->f.store);
    assert_int_equal(
        edge_purges_open(&(struct edge_purges_options){.clock = &t->f.clock.clock}, &rules, NULL),
        FB_OK);
    t->f.store = edge_store_new(&(struct edge_store_options){
        .memory_bytes = memory_bytes,
        .huge_from = UINT64_MAX,
        .policy = EDGE_POLICY_S3FIFO,
        .seed = 42,
        .volumes = t->volumes,
        .purges = rules,
        .clock = &t->f.clock.clock,
    });
    return 0;
}

static int set_up_purged(void **state)
{
    return set_up_purged_with(state, LIMIT);
}

static int set_up_large(void **state)
{
    return set_up_purged_with(state, (uint64_t)256 * MIB);
}

static int tear_down_purged(void **state)
{
    int err = tear_down_tiers(state);

    edge_purges_close(rules);
    return err;
}

static void on_added(struct fb_op *op)
{
    (void)op;
}

static void add(struct tiers *t, enum edge_purge_kind kind, bool is_soft, const char *text)
{
    struct edge_purge purge = {.kind = kind, .is_soft = is_soft, .text = fb_str_from(text)};
    struct edge_purges_add call = {.purges = &purge, .n = 1};

    test_clock_advance_ms(&t->f.clock, 1000);
    fb_op_init(&call.op, t->f.loop, on_added);
    edge_purges_add(rules, &call);
    while (!fb_op_is_idle(&call.op)) {
        fb_loop_turn_waiting(t->f.loop);
    }
    assert_int_equal(call.op.result, FB_OK);
}

/* As keep(), born at `birth`, with tags if not NULL. */
static void keep_born(struct tiers *t, const char *key, size_t n, uint64_t birth, const char *tags)
{
    struct fb_headers headers = {0};
    struct edge_object *object = NULL;

    fb_headers_add(&headers, &t->f.arena, FB_STR("ETag"), FB_STR("\"1\""));
    if (tags != NULL) {
        fb_headers_add(&headers, &t->f.arena, FB_STR("Cache-Tag"), fb_str_from(tags));
    }
    struct edge_object_spec spec = {
        .key = fb_str_from(key),
        .request = &t->f.none,
        .status = 200,
        .headers = &headers,
        .terms = {.class = EDGE_CLASS_SEGMENT,
                  .received_ms = (int64_t)fb_clock_mono_ms(&t->f.clock.clock),
                  .lifetime_ms = 3600000},
        .length = (int64_t)n,
        .birth = birth,
    };
    assert_int_equal(edge_store_create(t->f.store, &spec, &object), FB_OK);
    struct edge_writer *writer = n > 0 ? write_from(&t->f, object, 0) : NULL;
    edge_store_publish(t->f.store, t->f.loop, object);
    if (writer != NULL) {
        append(writer, n);
        edge_writer_finish(writer, FB_OK);
    }
    edge_object_unref(object);
}

static void keep_now(struct tiers *t, const char *key, size_t n, const char *tags)
{
    keep_born(t, key, n, edge_store_epoch(t->f.store), tags);
}

static enum edge_cause cause(struct tiers *t, const char *key)
{
    return edge_store_cause(t->f.store, fb_str_from(key), 0);
}

static bool is_found(struct tiers *t, const char *key)
{
    struct edge_object *object = find(&t->f, key);

    edge_object_unref(object);
    return object != NULL;
}

/* ---- in memory ------------------------------------------------------------- */

static void what_a_rule_takes_is_not_found_any_more(void **state)
{
    struct tiers *t = *state;

    keep_now(t, "h/v/1", KIB, NULL);
    keep_now(t, "h/w", KIB, "x show-7");
    keep_now(t, "h/z", KIB, "x");
    add(t, EDGE_PURGE_PREFIX, false, "h/v/");
    add(t, EDGE_PURGE_TAG, false, "show-7");
    assert_false(is_found(t, "h/v/1"));
    assert_false(is_found(t, "h/w"));
    assert_true(is_found(t, "h/z"));
    assert_int_equal(cause(t, "h/v/1"), EDGE_CAUSE_PURGED);
    assert_int_equal(edge_store_stats(t->f.store).n_objects, 1);
    keep_now(t, "h/v/1", KIB, NULL);
    assert_true(is_found(t, "h/v/1"));
}

static void tags_are_kept_beside_the_fields(void **state)
{
    struct tiers *t = *state;

    keep_now(t, "h/a", KIB, "x show-7");
    struct edge_object *object = find(&t->f, "h/a");
    const struct edge_object_head *head = edge_object_head(object);
    assert_true(fb_str_equal(head->tags, FB_STR("x show-7")));
    assert_int_equal(head->headers.n, 1);

    struct edge_object *renewed = NULL; /* by a 304 that says nothing of tags */
    struct edge_object_spec spec = {.key = head->key,
                                    .request = &t->f.none,
                                    .status = 200,
                                    .headers = &head->headers,
                                    .terms = head->terms};
    assert_int_equal(edge_store_renew(t->f.store, &spec, object, &renewed), FB_OK);
    assert_true(fb_str_equal(edge_object_head(renewed)->tags, FB_STR("x show-7")));
    edge_object_unref(renewed);
    edge_object_unref(object);
}

static void what_a_soft_rule_takes_is_stale_since_then(void **state)
{
    struct tiers *t = *state;
    struct edge_terms space;

    keep_now(t, "h/a", KIB, NULL);
    add(t, EDGE_PURGE_URL, true, "h/a");
    test_clock_advance_ms(&t->f.clock, 500);
    struct edge_object *object = find(&t->f, "h/a");
    assert_non_null(object);
    assert_true(edge_object_is_soft(object));
    assert_int_equal(edge_object_cause(object), EDGE_CAUSE_PURGED);
    int64_t now_ms = (int64_t)fb_clock_mono_ms(&t->f.clock.clock);
    const struct edge_terms *terms = edge_object_terms(object, &space);
    assert_int_equal(edge_terms_left_ms(terms, now_ms), -500);
    add(t, EDGE_PURGE_URL, true, "h/a"); /* the first one counts */
    edge_object_unref(find(&t->f, "h/a"));
    assert_int_equal(edge_terms_left_ms(edge_object_terms(object, &space), now_ms), -500);
    edge_object_unref(object);
}

static void what_was_asked_for_before_a_purge_does_not_come_after_it(void **state)
{
    struct tiers *t = *state;
    uint64_t birth = edge_store_epoch(t->f.store);

    add(t, EDGE_PURGE_TAG, false, "show-7");
    keep_born(t, "h/a", KIB, birth, "show-7");
    assert_false(is_found(t, "h/a"));
    assert_int_equal(t->volumes->n_writes, 0);
    assert_int_equal(cause(t, "h/a"), EDGE_CAUSE_PURGED);
}

static void a_sweep_frees_a_hundred_thousand_in_small_steps(void **state)
{
    enum { MANY = 100000 };
    struct tiers *t = *state;
    struct edge_store_sweep sweep;
    char key[32];
    size_t n_looked = 0;
    size_t longest = 0;
    unsigned n_steps = 0;

    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(key, sizeof(key), "h/v/%u", i);
        keep_now(t, key, 0, NULL);
    }
    keep_now(t, "h/stays", 0, NULL);
    assert_int_equal(edge_store_stats(t->f.store).n_objects, MANY + 1);
    add(t, EDGE_PURGE_PREFIX, false, "h/v/");
    edge_store_sweep_init(t->f.store, &sweep);
    while (edge_store_sweep_step(t->f.store, &sweep, &n_looked)) {
        longest = FB_MAX(longest, n_looked);
        n_steps++;
    }
    /* A step ends within the buckets that it looks at under one lock, of about one object each. */
    assert_true(longest <= EDGE_STORE_SWEEP_STEP + 4 * EDGE_STORE_SWEEP_LOCKED);
    assert_true(n_steps >= MANY / (EDGE_STORE_SWEEP_STEP + 4 * EDGE_STORE_SWEEP_LOCKED));
    assert_int_equal(sweep.n_freed, MANY);
    assert_int_equal(edge_store_stats(t->f.store).n_objects, 1);
    assert_true(is_found(t, "h/stays"));
}

/* ---- on volumes ------------------------------------------------------------ */

static void what_a_rule_takes_is_not_loaded_and_forgotten(void **state)
{
    struct tiers *t = *state;

    keep_now(t, "h/v/1", KIB, NULL);
    press(t);
    assert_false(is_found(t, "h/v/1"));
    assert_true(edge_store_may_load(t->f.store, FB_STR("h/v/1"), 0));
    add(t, EDGE_PURGE_PREFIX, false, "h/v/");
    assert_null(load(t, "h/v/1", 0));
    assert_false(edge_store_may_load(t->f.store, FB_STR("h/v/1"), 0));
    assert_int_equal(cause(t, "h/v/1"), EDGE_CAUSE_PURGED);
}

static void what_a_soft_rule_takes_is_loaded_stale(void **state)
{
    struct tiers *t = *state;

    keep_now(t, "h/v/1", KIB, "t");
    press(t);
    add(t, EDGE_PURGE_TAG, true, "t");
    struct edge_object *object = load(t, "h/v/1", 0);
    assert_non_null(object);
    assert_true(edge_object_is_soft(object));
    edge_object_unref(object);
}

static void bytes_from_before_a_purge_are_not_taken_for_the_same_version(void **state)
{
    struct tiers *t = *state;

    keep_now(t, "h/a", KIB, NULL);
    press(t);
    add(t, EDGE_PURGE_URL, false, "h/a"); /* of which the volume was not told */
    struct fb_headers headers = {0};
    fb_headers_add(&headers, &t->f.arena, FB_STR("ETag"), FB_STR("\"1\""));
    struct edge_object *object = NULL;
    struct edge_object_spec spec = {.key = FB_STR("h/a"),
                                    .request = &t->f.none,
                                    .status = 200,
                                    .headers = &headers,
                                    .length = KIB,
                                    .birth = edge_store_epoch(t->f.store)};
    assert_int_equal(edge_store_create(t->f.store, &spec, &object), FB_OK);
    edge_store_publish(t->f.store, t->f.loop, object);
    assert_loads(t, object, 0, FB_LENGTH_UNKNOWN, 0, FB_E_CLOSED);
    assert_int_equal(cause(t, "h/a"), EDGE_CAUSE_PURGED);
    edge_object_unref(object);
}

/* ---- causes ---------------------------------------------------------------- */

static void a_miss_has_one_cause(void **state)
{
    struct tiers *t = *state;

    assert_int_equal(cause(t, "h/never"), EDGE_CAUSE_FIRST_TOUCH);

    keep_now(t, "h/written", KIB, NULL);
    t->volumes->admits = false;
    keep_now(t, "h/declined", KIB, NULL);
    t->volumes->admits = true;
    press(t);
    assert_int_equal(cause(t, "h/declined"), EDGE_CAUSE_NOT_ADMITTED);
    assert_int_equal(cause(t, "h/written"),
                     EDGE_CAUSE_CAPACITY); /* should the volume not have it */
    t->volumes->room.is_in_service = false;
    assert_int_equal(cause(t, "h/written"), EDGE_CAUSE_VOLUME_LOST);
    t->volumes->room.is_in_service = true;

    t->volumes->read_error = FB_E_CORRUPT;
    assert_null(load(t, "h/written", 0));
    assert_int_equal(cause(t, "h/written"), EDGE_CAUSE_CORRUPT);
    t->volumes->read_error = 0;

    keep_now(t, "h/declined", KIB, NULL);
    (void)purge(&t->f, "h/declined");
    assert_int_equal(cause(t, "h/declined"), EDGE_CAUSE_PURGED);
    assert_int_equal(cause(t, "h/never"), EDGE_CAUSE_FIRST_TOUCH);
}

static void the_newest_cause_counts(void **state)
{
    struct tiers *t = *state;

    t->volumes->admits = false;
    keep_now(t, "h/a", KIB, NULL);
    (void)purge(&t->f, "h/a");
    assert_int_equal(cause(t, "h/a"), EDGE_CAUSE_PURGED);
    keep_now(t, "h/a", KIB, NULL);
    press(t);
    assert_int_equal(cause(t, "h/a"), EDGE_CAUSE_NOT_ADMITTED);
}

#define PURGED_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_purged, tear_down_purged)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PURGED_TEST(what_a_rule_takes_is_not_found_any_more),
        PURGED_TEST(tags_are_kept_beside_the_fields),
        PURGED_TEST(what_a_soft_rule_takes_is_stale_since_then),
        PURGED_TEST(what_was_asked_for_before_a_purge_does_not_come_after_it),
        cmocka_unit_test_setup_teardown(a_sweep_frees_a_hundred_thousand_in_small_steps,
                                        set_up_large, tear_down_purged),
        PURGED_TEST(what_a_rule_takes_is_not_loaded_and_forgotten),
        PURGED_TEST(what_a_soft_rule_takes_is_loaded_stale),
        PURGED_TEST(bytes_from_before_a_purge_are_not_taken_for_the_same_version),
        PURGED_TEST(a_miss_has_one_cause),
        PURGED_TEST(the_newest_cause_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
