#include "origin/catalog/comments.h"
#include "origin/catalog/events.h"
#include "origin/catalog/moderation.h"
#include "origin/catalog/reactions.h"
#include "origin/catalog/shares.h"
#include "published.h"

struct seen {
    size_t n;
    size_t kinds[ORIGIN_EVENT_N_KINDS];
    struct origin_event last;
    int result;
};

static int note(void *ctx, const struct origin_event *event)
{
    struct seen *seen = ctx;

    seen->n++;
    seen->kinds[event->kind]++;
    seen->last = *event;
    return seen->result;
}

static int look(struct fixture *f, int64_t since_ms, struct seen *seen)
{
    int result = seen->result;
    *seen = (struct seen){.result = result};
    return origin_catalog_events(f->catalog, since_ms,
                                 &(struct origin_event_visitor){.visit = note, .ctx = seen});
}

static void like(struct fixture *f, const struct origin_actor *actor, const struct origin_id *video)
{
    struct origin_video_counters counters;
    must(origin_catalog_reaction_put(f->catalog, ORIGIN_REACTION_LIKE, actor, video, &counters));
}

static void comment_on(struct fixture *f, const struct origin_actor *actor,
                       const struct origin_id *video)
{
    struct origin_once once = {.key = FB_STR_NONE};
    struct origin_comment_new comment = {.actor = *actor,
                                         .id = origin_id_new(),
                                         .video = *video,
                                         .text = FB_STR("yes"),
                                         .at_ms = f->clock.wall_now_ms};
    struct fb_str earlier;
    must(origin_catalog_comment_add(f->catalog, &f->arena, &comment, &once, &earlier));
}

static void there_are_no_events_in_a_new_catalog(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {.result = FB_OK};

    must(look(f, 0, &seen));
    assert_int_equal(seen.n, 0);
}

static void each_act_is_an_event_with_account_and_network(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = publish(f, "T", "[]");
    struct origin_once once = {.key = FB_STR_NONE};
    struct seen seen = {.result = FB_OK};
    struct origin_video_counters counters;
    struct fb_str earlier;

    int64_t made_ms = f->clock.wall_now_ms;
    test_clock_advance_ms(&f->clock, 5000);
    struct origin_actor actor = {.user = f->user, .network = UINT64_MAX - 1};
    like(f, &actor, &video);
    must(look(f, 0, &seen));
    assert_int_equal(seen.n, 1);
    assert_true(origin_id_equal(&seen.last.video, &video));
    assert_true(origin_id_equal(&seen.last.user, &f->user));
    assert_int_equal(seen.last.kind, ORIGIN_EVENT_LIKE);
    assert_int_equal(seen.last.at_ms, made_ms + 5000);
    assert_int_equal(seen.last.account_ms, made_ms);
    assert_true(seen.last.network == UINT64_MAX - 1);

    must(origin_catalog_reaction_put(f->catalog, ORIGIN_REACTION_SAVE, &actor, &video, &counters));
    comment_on(f, &actor, &video);
    struct origin_share share = {.actor = actor, .video = video, .channel = FB_STR("link")};
    must(origin_catalog_share_add(f->catalog, &f->arena, &share, &once, &earlier));
    must(look(f, 0, &seen));
    for (size_t i = 0; i < ORIGIN_EVENT_N_KINDS; i++) {
        assert_int_equal(seen.kinds[i], 1);
    }
}

static void what_is_older_taken_back_or_hidden_is_none(void **state)
{
    struct fixture *f = *state;
    struct origin_id first = publish(f, "T", "[]");
    struct origin_id second = publish(f, "T", "[]");
    struct origin_actor actor = {.user = f->user};
    struct seen seen = {.result = FB_OK};
    struct origin_video_counters counters;

    like(f, &actor, &first);
    test_clock_advance_ms(&f->clock, 1000);
    like(f, &actor, &second);
    must(look(f, f->clock.wall_now_ms, &seen));
    assert_int_equal(seen.n, 1);
    must(origin_catalog_reaction_remove(f->catalog, ORIGIN_REACTION_LIKE, &actor, &second,
                                        &counters));
    must(look(f, 0, &seen));
    assert_int_equal(seen.n, 1);
    must(origin_catalog_moderate(
        f->catalog,
        &(struct origin_decision){.video = first, .admin = f->user, .reason = FB_STR("no")}));
    must(look(f, 0, &seen));
    assert_int_equal(seen.n, 0);
}

static void a_visitor_may_end_it(void **state)
{
    struct fixture *f = *state;
    struct origin_id first = publish(f, "T", "[]");
    struct origin_id second = publish(f, "T", "[]");
    struct origin_actor actor = {.user = f->user};
    struct seen seen = {.result = FB_E_CANCELED};

    like(f, &actor, &first);
    like(f, &actor, &second);
    assert_int_equal(look(f, 0, &seen), FB_E_CANCELED);
    assert_int_equal(seen.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(there_are_no_events_in_a_new_catalog, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_act_is_an_event_with_account_and_network, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_older_taken_back_or_hidden_is_none, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_visitor_may_end_it, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
