#include "origin/feed/mix.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { VIDEOS = 300, NOW_MS = 1000000 };

static struct origin_shelf *shelf_with(struct test_random *random, uint32_t n_owners,
                                       uint32_t n_tags)
{
    struct origin_shelf *shelf = origin_shelf_new(NOW_MS);
    static struct origin_id owners[VIDEOS];

    for (uint32_t i = 0; i < n_owners; i++) {
        owners[i] = origin_id_new();
    }
    for (uint32_t i = 0; i < VIDEOS; i++) {
        struct origin_shelf_video video = {
            .seq = i + 1,
            .id = origin_id_new(),
            .owner = owners[test_random_below(random, n_owners)],
        };
        while (video.n_tags < 3 && test_random_below(random, 3) > 0) {
            video.tags[video.n_tags++] = 1 + (uint32_t)test_random_below(random, n_tags);
        }
        (void)origin_shelf_add(shelf, &video);
    }
    origin_shelf_seal(shelf);
    return shelf;
}

static void fill_in(struct test_random *random, struct origin_candidate *candidates)
{
    for (uint32_t i = 0; i < VIDEOS; i++) {
        candidates[i] = (struct origin_candidate){
            .video = i,
            .source = test_random_below(random, 5) == 0 ? ORIGIN_FEED_NEW : ORIGIN_FEED_ALIKE,
            .chance = 1.0 / (double)(1 + (uint32_t)test_random_below(random, 1000)),
        };
    }
}

static size_t count_tag(const struct origin_shelf_video *video, uint32_t tag)
{
    for (size_t i = 0; i < video->n_tags; i++) {
        if (video->tags[i] == tag) {
            return 1;
        }
    }
    return 0;
}

static void assert_rules_hold(const struct origin_shelf *shelf, const struct origin_candidate *list,
                              size_t n, size_t window, uint32_t n_tags)
{
    for (size_t at = 0; at < n; at++) {
        const struct origin_shelf_video *video = origin_shelf_at(shelf, list[at].video);
        if (at > 0) {
            assert_int_not_equal(video->owner_number,
                                 origin_shelf_at(shelf, list[at - 1].video)->owner_number);
        }
        for (uint32_t tag = 1; tag <= n_tags; tag++) {
            size_t n_bear = 0;
            for (size_t i = at; i < n && i < at + window; i++) {
                n_bear += count_tag(origin_shelf_at(shelf, list[i].video), tag);
            }
            assert_true(n_bear <= ORIGIN_MIX_OF_TAG);
        }
    }
}

static void no_list_breaks_the_rules(void **state)
{
    (void)state;
    struct test_random random = test_random_new();

    for (int round = 0; round < 15; round++) {
        uint32_t n_owners = 1 + (uint32_t)test_random_below(&random, 40);
        uint32_t n_tags = 1 + (uint32_t)test_random_below(&random, 30);
        size_t window = 1 + (size_t)test_random_below(&random, ORIGIN_MIX_WINDOW_MAX);
        struct origin_shelf *shelf = shelf_with(&random, n_owners, n_tags);
        static struct origin_candidate list[VIDEOS];
        fill_in(&random, list);
        size_t n = origin_mix(
            shelf, list, VIDEOS,
            &(struct origin_mix_options){.window = window, .max = VIDEOS, .seed = (uint64_t)round});
        assert_true(n > 0);
        assert_rules_hold(shelf, list, n, window, n_tags);
        origin_shelf_free(shelf);
    }
}

static void one_owner_makes_a_list_of_one(void **state)
{
    (void)state;
    struct test_random random = test_random_new();
    struct origin_shelf *shelf = shelf_with(&random, 1, 5);
    static struct origin_candidate list[VIDEOS];

    fill_in(&random, list);
    assert_int_equal(
        origin_mix(shelf, list, VIDEOS, &(struct origin_mix_options){.window = 20, .max = VIDEOS}),
        1);
    origin_shelf_free(shelf);
}

static void each_eighth_place_is_for_something_new(void **state)
{
    (void)state;
    struct test_random random = test_random_new();
    struct origin_shelf *shelf = shelf_with(&random, 200, 200);
    static struct origin_candidate list[VIDEOS];

    fill_in(&random, list);
    for (uint32_t i = 0; i < VIDEOS; i++) {
        if (list[i].source == ORIGIN_FEED_NEW) {
            list[i].chance = 0; /* by itself it would never come up */
        }
    }
    size_t n = origin_mix(shelf, list, VIDEOS,
                          &(struct origin_mix_options){.window = 20, .max = 40, .seed = 7});
    assert_int_equal(n, 40);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(list[i].source == ORIGIN_FEED_NEW, (i + 1) % ORIGIN_MIX_NEW_EVERY == 0);
    }
    origin_shelf_free(shelf);
}

static void the_same_seed_gives_the_same_list(void **state)
{
    (void)state;
    struct test_random random = test_random_new();
    struct origin_shelf *shelf = shelf_with(&random, 50, 50);
    static struct origin_candidate first[VIDEOS];
    static struct origin_candidate second[VIDEOS];
    struct origin_mix_options options = {.window = 20, .max = 100, .seed = 3};

    fill_in(&random, first);
    memcpy(second, first, sizeof(first));
    size_t n = origin_mix(shelf, first, VIDEOS, &options);
    assert_int_equal(origin_mix(shelf, second, VIDEOS, &options), n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(first[i].video, second[i].video);
    }
    origin_shelf_free(shelf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_list_breaks_the_rules),
        cmocka_unit_test(one_owner_makes_a_list_of_one),
        cmocka_unit_test(each_eighth_place_is_for_something_new),
        cmocka_unit_test(the_same_seed_gives_the_same_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
