#include "origin/feed/lessons.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    struct origin_ranker *ranker;
    struct origin_lessons *lessons;
    struct origin_features features;
};

static int set_up(void **state)
{
    static struct fixture f;

    f.ranker = origin_ranker_new();
    f.lessons = origin_lessons_new();
    f.features = (struct origin_features){.slots = {1, 2, 3}, .n = 3};
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    origin_lessons_free(f->lessons);
    origin_ranker_free(f->ranker);
    return 0;
}

static void what_was_shown_and_watched_is_learned_once(void **state)
{
    struct fixture *f = *state;

    origin_lessons_show(f->lessons, 7, 1, &f->features, 0);
    assert_true(origin_lessons_watched(f->lessons, f->ranker, 7, 1, true));
    assert_false(origin_lessons_watched(f->lessons, f->ranker, 7, 1, true));
    assert_int_equal(origin_ranker_lessons(f->ranker), 1);
    assert_true(origin_ranker_chance(f->ranker, &f->features) > 0.5);
    assert_int_equal(origin_lessons_waiting(f->lessons), 0);
}

static void what_nobody_was_shown_teaches_nothing(void **state)
{
    struct fixture *f = *state;

    origin_lessons_show(f->lessons, 7, 1, &f->features, 0);
    assert_false(origin_lessons_watched(f->lessons, f->ranker, 7, 2, true));
    assert_false(origin_lessons_watched(f->lessons, f->ranker, 8, 1, true));
    assert_int_equal(origin_ranker_lessons(f->ranker), 0);
}

static void what_waits_in_vain_was_not_wanted(void **state)
{
    struct fixture *f = *state;

    origin_lessons_show(f->lessons, 7, 1, &f->features, 1000);
    origin_lessons_show(f->lessons, 7, 2, &f->features, 2000);
    assert_int_equal(origin_lessons_expire(f->lessons, f->ranker, 999 + ORIGIN_LESSONS_WAIT_MS), 0);
    assert_int_equal(origin_lessons_expire(f->lessons, f->ranker, 1000 + ORIGIN_LESSONS_WAIT_MS),
                     1);
    assert_true(origin_ranker_chance(f->ranker, &f->features) < 0.5);
    assert_int_equal(origin_lessons_waiting(f->lessons), 1);
}

static void the_oldest_is_forgotten_when_too_many_wait(void **state)
{
    struct fixture *f = *state;

    for (int64_t video = 0; video <= ORIGIN_LESSONS_MAX; video++) {
        origin_lessons_show(f->lessons, 7, video, &f->features, video);
    }
    assert_int_equal(origin_lessons_waiting(f->lessons), ORIGIN_LESSONS_MAX);
    assert_false(origin_lessons_watched(f->lessons, f->ranker, 7, 0, true));
    assert_true(origin_lessons_watched(f->lessons, f->ranker, 7, 1, true));
    assert_int_equal(origin_ranker_lessons(f->ranker), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_shown_and_watched_is_learned_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_nobody_was_shown_teaches_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_in_vain_was_not_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_oldest_is_forgotten_when_too_many_wait, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
