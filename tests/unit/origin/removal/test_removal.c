#include "../catalog/catalog_fixture.h"
#include "base/metrics/metrics.h"
#include "origin/objects/objects.h"
#include "origin/removal/removal.h"
#include "tests/support/test_db_faults.h"

enum { LATE_MS = 60000, N_NODES = 2, TOLD_MAX = 64 };

static const struct origin_purge_node nodes[N_NODES] = {
    {.url = {"http://edge", 11}},
    {.url = {"http://regional/", 16}, .is_upper = true},
};

/* Nodes that write down what they are told, and may be away. */
struct fake_way {
    bool is_away[N_NODES];
    struct {
        size_t node;
        char tag[ORIGIN_PURGE_TAG_MAX];
    } told[TOLD_MAX];
    size_t n_told;
};

struct world {
    struct fixture *f;
    struct fb_metrics *metrics;
    struct origin_objects *objects;
    struct origin_removals *removals;
    struct fake_way way;
};

static void fake_post(void *ctx, struct origin_purge_post *posts, size_t n)
{
    struct fake_way *way = ctx;

    for (size_t i = 0; i < n; i++) {
        size_t node = fb_str_equal(posts[i].url, FB_STR("http://edge/purge")) ? 0 : 1;
        assert_true(node == 0 || fb_str_equal(posts[i].url, FB_STR("http://regional/purge")));
        posts[i].result = way->is_away[node] ? FB_E_UNAVAILABLE : FB_OK;
        struct fb_str rest = posts[i].body;
        struct fb_str part;
        while (posts[i].result == FB_OK && fb_str_cut(&rest, ':', &part)) {
            if (fb_str_starts_with(rest, FB_STR("\"")) && way->n_told < TOLD_MAX) {
                struct fb_str tag = fb_str_skip(rest, 1);
                tag = fb_str_first(tag, fb_str_find(tag, '"'));
                way->told[way->n_told].node = node;
                (void)snprintf(way->told[way->n_told++].tag, ORIGIN_PURGE_TAG_MAX, "%.*s",
                               FB_STR_ARG(tag));
            }
        }
    }
}

static void open_removals(struct world *world)
{
    must(origin_removals_new(&(struct origin_removals_options){.catalog = world->f->catalog,
                                                               .objects = world->objects,
                                                               .clock = &world->f->clock.clock,
                                                               .metrics = world->metrics,
                                                               .late_ms = LATE_MS,
                                                               .nodes = nodes,
                                                               .n_nodes = N_NODES,
                                                               .way = {&world->way, fake_post}},
                             &world->removals));
}

static void reopen(struct world *world)
{
    origin_removals_free(world->removals);
    origin_catalog_close(world->f->catalog);
    test_db_faults_none();
    fb_metrics_free(world->metrics);
    world->metrics = fb_metrics_new();
    must(origin_catalog_open(fb_str_from(world->f->url), 4, &world->f->clock.clock,
                             &world->f->catalog, NULL));
    open_removals(world);
}

static int begin(void **state)
{
    struct world *world = FB_NEW(struct world);
    char url[TEST_PATH_MAX + 32];

    (void)set_up(state);
    world->f = *state;
    world->metrics = fb_metrics_new();
    (void)snprintf(url, sizeof(url), "file:%s/objects", world->f->folder.path);
    must(origin_objects_open(&(struct origin_objects_options){.url = fb_str_from(url)},
                             &world->objects, NULL));
    open_removals(world);
    *state = world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    void *fixture = world->f;

    test_db_faults_none();
    origin_removals_free(world->removals);
    origin_objects_close(world->objects);
    fb_metrics_free(world->metrics);
    fb_free(world);
    return tear_down(&fixture);
}

static void put(struct world *world, const struct origin_id *video, const char *fmt)
{
    char key[ORIGIN_OBJECTS_KEY_MAX + 1];

    (void)snprintf(key, sizeof(key), "%s/%s/x", fmt, video->text);
    must(origin_objects_put_bytes(world->objects, fb_str_from(key), FB_STR("bytes")));
}

static struct origin_id make(struct world *world)
{
    struct origin_id video = add_video(world->f, &world->f->user);
    char id[ORIGIN_MULTIPART_ID_MAX + 1];
    char key[ORIGIN_OBJECTS_KEY_MAX + 1];

    put(world, &video, "media");
    put(world, &video, "uploads");
    put(world, &video, "work");
    (void)snprintf(key, sizeof(key), "uploads/%s/parts", video.text);
    must(origin_multipart_begin(world->objects, fb_str_from(key), id));
    return video;
}

/* Objects and uploads in parts that there are, of all videos. */
static size_t count_objects(struct world *world)
{
    struct origin_listed listed[8];
    struct origin_multipart parts[8];
    size_t n = 0;
    size_t n_parts = 0;

    must(origin_objects_list(world->objects, FB_STR(""), FB_STR(""), listed, FB_ARRAY_LEN(listed),
                             &n));
    must(origin_multipart_list(world->objects, INT64_MAX, parts, FB_ARRAY_LEN(parts), &n_parts));
    return n + n_parts;
}

static bool was_told(const struct world *world, size_t node, const struct origin_id *video)
{
    char tag[ORIGIN_PURGE_TAG_MAX];

    (void)origin_purge_tag(ORIGIN_PURGE_MEDIA, video, tag);
    for (size_t i = 0; i < world->way.n_told; i++) {
        if (world->way.told[i].node == node && strcmp(world->way.told[i].tag, tag) == 0) {
            return true;
        }
    }
    return false;
}

static uint64_t metric(const struct world *world, const char *name)
{
    return (uint64_t)fb_metrics_sum(world->metrics, name);
}

static void objects_of_a_deleted_video_go_at_once_and_again_later(void **state)
{
    struct world *world = *state;
    struct origin_id video = make(world);

    assert_int_equal(count_objects(world), 4);
    must(origin_catalog_video_remove(world->f->catalog, &video));
    origin_removals_video(world->removals, &video);
    assert_int_equal(count_objects(world), 0);
    put(world, &video, "media"); /* by a worker that has not heard of it */
    must(origin_removals_run(world->removals));
    assert_int_equal(count_objects(world), 1);
    assert_int_equal(metric(world, "origin_removals_waiting"), 1);
    test_clock_advance_ms(&world->f->clock, LATE_MS);
    must(origin_removals_run(world->removals));
    assert_int_equal(count_objects(world), 0);
    assert_int_equal(metric(world, "origin_removals_waiting"), 0);
}

static void other_videos_stay(void **state)
{
    struct world *world = *state;
    struct origin_id video = make(world);
    (void)make(world);

    must(origin_catalog_video_remove(world->f->catalog, &video));
    origin_removals_video(world->removals, &video);
    assert_int_equal(count_objects(world), 4);
}

static void upper_nodes_are_told_first_and_what_all_know_is_forgotten(void **state)
{
    struct world *world = *state;
    struct origin_id video = make(world);

    must(origin_catalog_video_remove(world->f->catalog, &video));
    must(origin_removals_run_purges(world->removals));
    assert_int_equal(world->way.n_told, 2);
    assert_int_equal(world->way.told[0].node, 1);
    assert_int_equal(world->way.told[1].node, 0);
    assert_true(was_told(world, 0, &video) && was_told(world, 1, &video));
    must(origin_removals_run_purges(world->removals));
    assert_int_equal(world->way.n_told, 2);
    assert_int_equal(metric(world, "origin_purges_waiting"), 0);
}

static void a_node_that_was_away_is_told_and_those_below_it_again(void **state)
{
    struct world *world = *state;
    struct origin_id video = make(world);

    world->way.is_away[1] = true;
    must(origin_catalog_video_remove(world->f->catalog, &video));
    must(origin_removals_run_purges(world->removals));
    assert_int_equal(world->way.n_told, 1);
    assert_int_equal(metric(world, "origin_purge_nodes_away"), 1);
    assert_int_equal(metric(world, "origin_purges_waiting"), 1);
    reopen(world);
    world->way.is_away[1] = false;
    must(origin_removals_run_purges(world->removals));
    assert_int_equal(world->way.n_told, 3);
    assert_int_equal(world->way.told[1].node, 1);
    assert_int_equal(world->way.told[2].node, 0);
    assert_int_equal(metric(world, "origin_purges_waiting"), 0);
}

static void a_node_that_stays_away_is_asked_less_and_less(void **state)
{
    struct world *world = *state;
    struct origin_id video = make(world);

    world->way.is_away[0] = true;
    world->way.is_away[1] = true;
    must(origin_catalog_video_remove(world->f->catalog, &video));
    for (unsigned second = 0; second < 600; second++) {
        must(origin_removals_run_purges(world->removals));
        test_clock_advance_ms(&world->f->clock, 1000);
    }
    uint64_t n = metric(world, "origin_purges_failed_total");
    assert_in_range(n, 2 * 10, 2 * 30); /* of 600 each */
    assert_int_equal(metric(world, "origin_purges_oldest_seconds"), 599);
}

/* What fails, fails at the n-th write to the catalog; with `stays` the process ends there. */
static void sweep(struct world *world, bool stays)
{
    bool happened = true;

    test_db_faults_install();
    reopen(world);
    for (long n = 0; happened; n++) {
        struct origin_id video = make(world);
        world->way.n_told = 0;
        test_db_faults_after(n, stays);
        int err = origin_catalog_video_remove(world->f->catalog, &video);
        if (err == FB_OK) {
            origin_removals_video(world->removals, &video);
            FB_IGNORE(origin_removals_run(world->removals));
            FB_IGNORE(origin_removals_run_purges(world->removals));
        }
        happened = test_db_faults_happened();
        if (stays) {
            reopen(world);
        }
        test_db_faults_none();
        if (err < 0) { /* whoever deletes it is told, and asks again */
            err = origin_catalog_video_remove(world->f->catalog, &video);
            assert_true(err == FB_OK || err == FB_E_NOT_FOUND);
        }
        for (unsigned i = 0; i < 3; i++) {
            must(origin_removals_run(world->removals));
            must(origin_removals_run_purges(world->removals));
            test_clock_advance_ms(&world->f->clock, LATE_MS);
        }
        assert_int_equal(count_objects(world), 0);
        assert_true(was_told(world, 0, &video) && was_told(world, 1, &video));
        assert_int_equal(metric(world, "origin_removals_waiting"), 0);
        assert_int_equal(metric(world, "origin_purges_waiting"), 0);
        assert_true(n < 500);
    }
}

static void each_write_may_fail_once(void **state)
{
    sweep(*state, false);
}

static void the_process_may_end_at_each_write(void **state)
{
    sweep(*state, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(objects_of_a_deleted_video_go_at_once_and_again_later),
        TEST(other_videos_stay),
        TEST(upper_nodes_are_told_first_and_what_all_know_is_forgotten),
        TEST(a_node_that_was_away_is_told_and_those_below_it_again),
        TEST(a_node_that_stays_away_is_asked_less_and_less),
        TEST(each_write_may_fail_once),
        TEST(the_process_may_end_at_each_write),
    };
    return cmocka_run_group_tests_name("removal", tests, NULL, NULL);
}
