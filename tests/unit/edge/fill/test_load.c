/*
 * The volumes are a fake: what they have is said by hand.
 */
#include "parts_fixture.h"

enum { MAX_LOADS = 8 };

static bool may_load;
static uint64_t asked_offset;
static struct edge_store_load *loads[MAX_LOADS];
static unsigned n_loads;

bool edge_store_may_load(struct edge_store *store, struct fb_str key, uint64_t offset)
{
    (void)store;
    (void)key;
    asked_offset = offset;
    return may_load;
}

void edge_store_load(struct edge_store *store, struct edge_store_load *load)
{
    (void)store;
    assert_true(n_loads < MAX_LOADS);
    fb_op_begin(&load->op, NULL);
    load->object = NULL;
    loads[n_loads++] = load;
}

static int set_up_volumes(void **state)
{
    may_load = true;
    n_loads = 0;
    return set_up(state);
}

/* Load `i` finds `object` (taken over), or nothing. */
static void finish_load(struct fixture *f, unsigned i, struct edge_object *object)
{
    loads[i]->object = object;
    fb_op_finish(&loads[i]->op, object != NULL ? FB_OK : FB_E_NOT_FOUND);
    turn(f);
}

/* An object of 3 bytes, "old", with `fields` and a lifetime of a minute; in memory, but not
 * in the index. */
static struct edge_object *make_kept(struct fixture *f, const char *fields, int64_t received_ms,
                                     bool is_whole)
{
    struct fb_headers headers = {0};
    struct fb_headers none = {0};
    struct edge_object *object = NULL;
    struct edge_writer *writer = NULL;

    struct fb_str rest = fb_str_from(fields);
    struct fb_str line;
    while (rest.len > 0 && fb_str_cut(&rest, '\n', &line)) {
        size_t colon = fb_str_find(line, ':');
        fb_headers_add(&headers, &f->arena, fb_str_first(line, colon),
                       fb_str_trim(fb_str_skip(line, colon + 1)));
    }
    struct edge_object_spec spec = {
        .key = FB_STR("a/k"),
        .request = &none,
        .status = 200,
        .headers = &headers,
        .terms = {.lifetime_ms = 60000, .received_ms = received_ms, .if_error_ms = 1000},
        .length = 3,
    };
    assert_int_equal(edge_store_create(f->store, &spec, &object), FB_OK);
    if (is_whole) {
        assert_int_equal(edge_object_write(object, f->loop, 0, &writer), FB_OK);
        assert_int_equal(edge_writer_append(writer, FB_STR("old")), FB_OK);
        edge_writer_finish(writer, FB_OK);
    }
    return object;
}

static int64_t now_ms(struct fixture *f)
{
    return (int64_t)fb_clock_mono_ms(&f->clock.clock);
}

static struct edge_object *make_fresh(struct fixture *f)
{
    return make_kept(f, STRONG, now_ms(f), true);
}

static struct edge_object *make_stale(struct fixture *f)
{
    return make_kept(f, STRONG, now_ms(f) - 60500, true);
}

static void what_a_volume_has_is_given_to_all_who_ask(void **state)
{
    struct fixture *f = *state;
    struct joiner *first = join_range(f, 0, "bytes=5242880-5242889");
    struct joiner *second = join_range(f, 1, NULL);

    assert_int_equal(n_loads, 1);
    assert_int_equal(asked_offset, 5 * MIB);
    assert_int_equal(loads[0]->offset, 5 * MIB);
    assert_true(fb_str_equal(loads[0]->key, FB_STR("a/k")));
    struct edge_object *object = make_fresh(f);
    finish_load(f, 0, edge_object_ref(object));
    assert_true(first->join.was_stored);
    assert_true(second->join.was_stored);
    assert_int_equal(first->join.upstream_status, 0);
    assert_ptr_equal(first->join.object, object);
    drop_object(first);
    drop_object(second);
    assert_int_equal(f->upstream.n_fetches, 0);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_started_total"), 0);
    edge_object_unref(object);
}

static void what_no_volume_has_is_fetched(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join_range(f, 0, "bytes=0-9");

    assert_int_equal(f->upstream.n_fetches, 0);
    finish_load(f, 0, NULL);
    assert_sent(f, 0, "Range", "bytes=0-1048575");
    fake_body_end(fake_answer(&f->upstream, 0, 200, KEEP, 0), FB_E_END);
    turn(f);
    assert_false(joiner->join.was_stored);
    drop_object(joiner);
}

static void what_is_stale_on_a_volume_is_validated(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join_range(f, 0, NULL);

    finish_load(f, 0, make_stale(f));
    assert_int_equal(joiner->n_done, 0);
    assert_sent(f, 0, "If-None-Match", "\"s\"");
    (void)fake_answer(&f->upstream, 0, 304, KEEP, 0);
    turn(f);
    assert_true(joiner->join.was_stale);
    assert_true(joiner->join.was_validated);
    assert_false(joiner->join.was_stored);
    struct edge_object *object = take_object(joiner);
    assert_body(f, object, "old", FB_E_END);
    edge_object_unref(object);
}

static void what_is_stale_on_a_volume_stands_in(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join_range(f, 0, NULL);
    struct edge_object *stale = make_stale(f);

    finish_load(f, 0, edge_object_ref(stale));
    fake_fail(&f->upstream, 0, FB_E_UNAVAILABLE);
    turn(f);
    assert_true(joiner->join.is_stand_in);
    assert_ptr_equal(joiner->join.object, stale);
    drop_object(joiner);
    edge_object_unref(stale);
}

static void a_weak_object_that_lacks_bytes_is_as_if_not_there(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join_range(f, 0, NULL);

    finish_load(f, 0, make_kept(f, KEEP, now_ms(f), false));
    assert_sent(f, 0, "If-None-Match", NULL);
    fake_body_end(fake_answer(&f->upstream, 0, 200, KEEP, 0), FB_E_END);
    turn(f);
    drop_object(joiner);

    edge_store_invalidate(f->store, f->loop, FB_STR("a/k"));
    joiner = join_range(f, 0, NULL);
    finish_load(f, 1, make_kept(f, KEEP, now_ms(f), true));
    assert_true(joiner->join.was_stored);
    drop_object(joiner);
}

static void a_load_takes_no_fetchs_place(void **state)
{
    struct fixture *f = *state;

    may_load = false;
    for (unsigned i = 0; i < MAX_FILLS; i++) {
        char key[] = {'b', '/', (char)('0' + i), '\0'};
        (void)join(f, i, key, NULL, NULL);
    }
    may_load = true;
    struct joiner *lucky = join(f, MAX_FILLS, "c/1", NULL, NULL);
    struct joiner *unlucky = join(f, MAX_FILLS + 1, "c/2", NULL, NULL);
    assert_int_equal(n_loads, 2);
    finish_load(f, 0, make_fresh(f));
    finish_load(f, 1, NULL);
    drop_object(lucky);
    assert_failed(unlucky, FB_E_BUSY);
    for (unsigned i = 0; i < MAX_FILLS; i++) {
        fake_fail(&f->upstream, i, FB_E_UNAVAILABLE);
    }
    turn(f);
    struct joiner *later = join(f, 0, "c/3", NULL, NULL);
    finish_load(f, 2, NULL);
    assert_int_equal(f->upstream.n_fetches, MAX_FILLS + 1); /* all places are free again */
    fake_fail(&f->upstream, MAX_FILLS, FB_E_TIMEOUT);
    turn(f);
    assert_failed(later, FB_E_TIMEOUT);
}

static void who_needs_another_variant_looks_for_it_too(void **state)
{
    struct fixture *f = *state;
    struct fb_headers request = {0};
    struct fb_header fields[] = {{FB_STR("Vary"), FB_STR("Accept")}};
    struct fb_headers headers = {.items = fields, .n = 1};
    struct edge_object *for_a = NULL;
    struct joiner *a = join(f, 0, "a/k", "Accept: a", NULL);
    struct joiner *b = join(f, 1, "a/k", "Accept: b", NULL);

    fb_headers_add(&request, &f->arena, FB_STR("Accept"), FB_STR("a"));
    struct edge_object_spec spec = {.key = FB_STR("a/k"),
                                    .request = &request,
                                    .status = 200,
                                    .headers = &headers,
                                    .terms = {.lifetime_ms = 60000, .received_ms = now_ms(f)}};
    assert_int_equal(edge_store_create(f->store, &spec, &for_a), FB_OK);
    finish_load(f, 0, for_a);
    drop_object(a);
    assert_int_equal(n_loads, 2);
    assert_true(fb_str_equal(fb_headers_find(loads[1]->request, FB_STR("accept")), FB_STR("b")));
    finish_load(f, 1, NULL);
    fake_body_end(fake_answer(&f->upstream, 0, 200, KEEP "Vary: Accept\n", 0), FB_E_END);
    turn(f);
    assert_false(b->join.was_stored);
    drop_object(b);
}

static void who_leaves_during_a_load_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join_range(f, 0, NULL);

    fb_op_cancel(&joiner->join.op);
    turn(f);
    assert_failed(joiner, FB_E_CANCELED);
    assert_int_equal(edge_fill_count(f->table), 1);
    finish_load(f, 0, make_fresh(f));
    assert_int_equal(edge_fill_count(f->table), 0);
}

static void a_drain_waits_for_what_is_being_read(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join_range(f, 0, NULL);

    drain(f);
    turn(f);
    assert_int_equal(f->n_drained, 0);
    finish_load(f, 0, make_fresh(f));
    assert_int_equal(f->n_drained, 1);
    assert_failed(joiner, FB_E_CANCELED);
}

static void volumes_are_not_asked_for_what_memory_knows_better(void **state)
{
    struct fixture *f = *state;
    struct edge_object *stale = make_stale(f);
    struct joiner *joiner = join(f, 0, "a/k", NULL, stale);

    assert_int_equal(n_loads, 0);
    fake_fail(&f->upstream, 0, FB_E_UNAVAILABLE);
    turn(f);
    drop_object(joiner); /* it stands in */
    edge_object_unref(stale);
}

#define LOAD_TEST(test) cmocka_unit_test_setup_teardown(test, set_up_volumes, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOAD_TEST(what_a_volume_has_is_given_to_all_who_ask),
        LOAD_TEST(what_no_volume_has_is_fetched),
        LOAD_TEST(what_is_stale_on_a_volume_is_validated),
        LOAD_TEST(what_is_stale_on_a_volume_stands_in),
        LOAD_TEST(a_weak_object_that_lacks_bytes_is_as_if_not_there),
        LOAD_TEST(a_load_takes_no_fetchs_place),
        LOAD_TEST(who_needs_another_variant_looks_for_it_too),
        LOAD_TEST(who_leaves_during_a_load_leaves_nothing_behind),
        LOAD_TEST(a_drain_waits_for_what_is_being_read),
        LOAD_TEST(volumes_are_not_asked_for_what_memory_knows_better),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
