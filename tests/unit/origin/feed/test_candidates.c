#include "origin/feed/candidates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const int64_t DAY_MS = (int64_t)24 * 3600 * 1000;
static const int64_t NOW_MS = (int64_t)20000 * 24 * 3600 * 1000;

struct fixture {
    struct origin_shelf *shelf;
    struct origin_id owners[2];
    struct origin_likeness *likeness;
    struct origin_viewer viewer;
    struct origin_candidate candidates[ORIGIN_CANDIDATES_MAX];
    size_t n;
    int64_t n_videos;
};

static uint32_t put(struct fixture *f, int owner, uint32_t tag, uint64_t views, int days,
                    double trend)
{
    struct origin_shelf_video video = {
        .seq = ++f->n_videos,
        .id = origin_id_new(),
        .owner = f->owners[owner],
        .tags = {tag},
        .n_tags = 1,
        .views = views,
        .views_today = views,
        .published_ms = NOW_MS - days * DAY_MS,
        .trend = trend,
    };
    return origin_shelf_add(f->shelf, &video);
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.shelf = origin_shelf_new(NOW_MS)};
    f.owners[0] = origin_id_new();
    f.owners[1] = origin_id_new();
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    origin_likeness_free(f->likeness);
    origin_shelf_free(f->shelf);
    return 0;
}

static void gather(struct fixture *f)
{
    origin_shelf_seal(f->shelf);
    origin_viewer_sum_up(&f->viewer, f->shelf);
    f->n = origin_candidates_gather(f->shelf, f->likeness, &f->viewer, f->candidates);
}

static const struct origin_candidate *find(const struct fixture *f, uint32_t video)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->candidates[i].video == video) {
            return &f->candidates[i];
        }
    }
    return NULL;
}

/* The source that names it, and what it is like. */
static struct origin_candidate must_find(const struct fixture *f, uint32_t video)
{
    const struct origin_candidate *found = find(f, video);

    assert_non_null(found);
    return found != NULL ? *found : (struct origin_candidate){.video = video};
}

static void what_was_watched_is_not_shown_again(void **state)
{
    struct fixture *f = *state;
    uint32_t watched = put(f, 0, 1, 1000, 30, 9);
    uint32_t other = put(f, 0, 1, 1000, 30, 9);

    f->viewer.history[f->viewer.n_history++] = watched;
    gather(f);
    assert_null(find(f, watched));
    assert_non_null(find(f, other));
}

static void a_follower_gets_the_newest_of_whom_they_follow(void **state)
{
    struct fixture *f = *state;
    uint32_t oldest = put(f, 0, 1, 1000, 40, 0);

    for (int day = 30; day > 27; day--) {
        (void)put(f, 0, 1, 0, day, 0);
    }
    f->viewer.follows[f->viewer.n_follows++] = f->owners[0];
    gather(f);
    assert_int_equal(must_find(f, 3).source, ORIGIN_FEED_FOLLOWED);
    assert_int_equal(must_find(f, 1).source, ORIGIN_FEED_FOLLOWED);
    assert_int_equal(must_find(f, oldest).source, ORIGIN_FEED_WATCHED);
}

static void what_the_same_people_watch_comes_with_its_likeness(void **state)
{
    struct fixture *f = *state;
    uint32_t pair[] = {put(f, 0, 1, 10, 30, 0), put(f, 1, 2, 10, 30, 0)};

    f->likeness = origin_likeness_new(2);
    origin_likeness_add(f->likeness, pair, 2);
    origin_likeness_finish(f->likeness);
    f->viewer.history[f->viewer.n_history++] = pair[0];
    gather(f);
    assert_int_equal(must_find(f, pair[1]).source, ORIGIN_FEED_ALIKE);
    assert_true(must_find(f, pair[1]).likeness > 0);
}

static void who_is_new_gets_what_trends_and_what_is_watched_and_what_is_new(void **state)
{
    struct fixture *f = *state;
    uint32_t trends = put(f, 0, 1, 500, 400, 2);
    uint32_t watched = put(f, 0, 1, 100000, 400, 0);

    for (int i = 0; i < 100; i++) {
        (void)put(f, 1, 1, 300, 300, 0);
    }
    uint32_t young = put(f, 1, 1, 2, 1, 0);
    gather(f);
    assert_int_equal(must_find(f, trends).source, ORIGIN_FEED_TRENDING);
    assert_int_equal(must_find(f, watched).source, ORIGIN_FEED_WATCHED);
    assert_int_equal(must_find(f, young).source, ORIGIN_FEED_NEW);
}

static void no_video_is_there_twice(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 700; i++) {
        (void)put(f, i % 2, 1 + (uint32_t)i % 5, (uint64_t)i, i % 9, (double)(i % 3));
    }
    f->viewer.history[f->viewer.n_history++] = 3;
    f->viewer.follows[f->viewer.n_follows++] = f->owners[1];
    gather(f);
    assert_true(f->n > 100);
    for (size_t i = 0; i < f->n; i++) {
        assert_ptr_equal(find(f, f->candidates[i].video), &f->candidates[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_watched_is_not_shown_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_follower_gets_the_newest_of_whom_they_follow, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_same_people_watch_comes_with_its_likeness, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            who_is_new_gets_what_trends_and_what_is_watched_and_what_is_new, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_video_is_there_twice, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
