#include "origin/catalog/follows.h"
#include "origin/catalog/reactions.h"
#include "published.h"

static int64_t put(struct fixture *f, enum origin_reaction reaction, const struct origin_id *user,
                   const struct origin_id *video)
{
    struct origin_actor actor = {.user = *user};
    struct origin_video_counters counters = {.likes = -1};

    must(origin_catalog_reaction_put(f->catalog, reaction, &actor, video, &counters));
    return reaction == ORIGIN_REACTION_LIKE ? counters.likes : counters.saves;
}

static int64_t take_back(struct fixture *f, enum origin_reaction reaction,
                         const struct origin_id *user, const struct origin_id *video)
{
    struct origin_actor actor = {.user = *user};
    struct origin_video_counters counters = {.likes = -1};

    must(origin_catalog_reaction_remove(f->catalog, reaction, &actor, video, &counters));
    return reaction == ORIGIN_REACTION_LIKE ? counters.likes : counters.saves;
}

static void a_reaction_counts_once(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = publish(f, "T", "[]");
    struct origin_id other = add_user(f, "b@example.org");

    assert_int_equal(put(f, ORIGIN_REACTION_LIKE, &f->user, &video), 1);
    assert_int_equal(put(f, ORIGIN_REACTION_LIKE, &f->user, &video), 1);
    assert_int_equal(put(f, ORIGIN_REACTION_LIKE, &other, &video), 2);
    assert_int_equal(put(f, ORIGIN_REACTION_SAVE, &other, &video), 1);
    assert_int_equal(get_video(f, &video).counters.likes, 2);
    assert_int_equal(take_back(f, ORIGIN_REACTION_LIKE, &other, &video), 1);
    assert_int_equal(take_back(f, ORIGIN_REACTION_LIKE, &other, &video), 1);
    assert_int_equal(take_back(f, ORIGIN_REACTION_SAVE, &other, &video), 0);
}

static void what_is_not_there_gets_none(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = publish(f, "T", "[]");
    struct origin_id nobody = origin_id_new();
    struct origin_video_counters counters;

    assert_int_equal(origin_catalog_reaction_put(f->catalog, ORIGIN_REACTION_LIKE,
                                                 &(struct origin_actor){.user = f->user}, &nobody,
                                                 &counters),
                     FB_E_CONFLICT);
    assert_int_equal(origin_catalog_reaction_put(f->catalog, ORIGIN_REACTION_LIKE,
                                                 &(struct origin_actor){.user = nobody}, &video,
                                                 &counters),
                     FB_E_CONFLICT);
    assert_int_equal(get_video(f, &video).counters.likes, 0);
}

static void all_goes_with_its_video(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = publish(f, "T", "[]");
    struct origin_video_counters counters = {.likes = -1};

    assert_int_equal(put(f, ORIGIN_REACTION_LIKE, &f->user, &video), 1);
    must(origin_catalog_video_remove(f->catalog, &video));
    must(origin_catalog_video_counters(f->catalog, &video, &counters));
    assert_int_equal(counters.likes, 0);
}

static void pages_of_one_moment_have_no_gap_and_no_repetition(void **state)
{
    struct fixture *f = *state;
    struct origin_page page = {.user = f->user, .limit = 2};
    struct origin_reacted *items = NULL;
    size_t n = 2;
    size_t n_seen = 0;
    size_t n_new = 0;

    for (int i = 0; i < 5; i++) {
        struct origin_id video = publish(f, "T", "[]");
        assert_int_equal(put(f, ORIGIN_REACTION_SAVE, &f->user, &video), 1);
    }
    while (n == 2) {
        must(origin_catalog_reaction_list(f->catalog, &f->arena, ORIGIN_REACTION_SAVE, &page,
                                          &items, &n));
        for (size_t i = 0; i < n; i++) {
            bool is_behind = page.before_id.text[0] == '\0' ||
                             strcmp(items[i].video.id.text, page.before_id.text) < 0;
            n_new += is_behind ? 1 : 0;
            page.before_ms = items[i].at_ms;
            page.before_id = items[i].video.id;
        }
        n_seen += n;
    }
    assert_int_equal(n_seen, 5);
    assert_int_equal(n_new, 5);
}

static void relations_are_told(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = publish(f, "T", "[]");
    struct origin_id other = add_user(f, "b@example.org");
    struct origin_user_counters counters;
    struct origin_relation relation;

    must(origin_catalog_relation(f->catalog, &other, &video, &relation));
    assert_false(relation.has_liked || relation.has_saved || relation.is_following);
    assert_int_equal(put(f, ORIGIN_REACTION_SAVE, &other, &video), 1);
    must(origin_catalog_follow_put(f->catalog, &(struct origin_actor){.user = other}, &f->user,
                                   &counters));
    must(origin_catalog_relation(f->catalog, &other, &video, &relation));
    assert_true(!relation.has_liked && relation.has_saved && relation.is_following);
}

static void following_moves_both_sums_once(void **state)
{
    struct fixture *f = *state;
    struct origin_actor other = {.user = add_user(f, "b@example.org")};
    struct origin_user_counters counters;

    for (int i = 0; i < 2; i++) {
        must(origin_catalog_follow_put(f->catalog, &other, &f->user, &counters));
        assert_int_equal(counters.followers, 1);
    }
    must(origin_catalog_user_counters(f->catalog, &other.user, &counters));
    assert_int_equal(counters.following, 1);
    for (int i = 0; i < 2; i++) {
        must(origin_catalog_follow_remove(f->catalog, &other, &f->user, &counters));
        assert_int_equal(counters.followers, 0);
    }
    must(origin_catalog_user_counters(f->catalog, &other.user, &counters));
    assert_int_equal(counters.following, 0);
    struct origin_id nobody = origin_id_new();
    assert_int_equal(origin_catalog_follow_put(f->catalog, &other, &nobody, &counters),
                     FB_E_CONFLICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reaction_counts_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_there_gets_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_goes_with_its_video, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages_of_one_moment_have_no_gap_and_no_repetition, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(relations_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(following_moves_both_sums_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
