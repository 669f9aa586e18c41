#include "../catalog/published.h"
#include "base/metrics/metrics.h"
#include "base/net/address.h"
#include "origin/catalog/reactions.h"
#include "origin/search/search.h"

struct rooms {
    struct fixture *f;
    struct fb_metrics *metrics;
    struct origin_search *search;
};

static int open_rooms(void **state)
{
    struct rooms *rooms = FB_NEW(struct rooms);

    assert_int_equal(set_up(state), 0);
    rooms->f = *state;
    rooms->metrics = fb_metrics_new();
    rooms->search = origin_search_new(&(struct origin_search_options){
        .catalog = rooms->f->catalog,
        .clock = &rooms->f->clock.clock,
        .metrics = rooms->metrics,
        .burst = 2,
        .refill_ms = 1000,
    });
    *state = rooms;
    return 0;
}

static int close_rooms(void **state)
{
    struct rooms *rooms = *state;
    void *f = rooms->f;

    origin_search_free(rooms->search);
    fb_metrics_free(rooms->metrics);
    fb_free(rooms);
    return tear_down(&f);
}

static int find(struct rooms *rooms, const struct origin_search_ask *ask,
                struct origin_search_page *page)
{
    return origin_search_find(rooms->search, &rooms->f->arena, ask, page);
}

static void like(struct rooms *rooms, const struct origin_id *user, const struct origin_id *video)
{
    struct origin_actor actor = {.user = *user};
    struct origin_video_counters counters;
    must(origin_catalog_reaction_put(rooms->f->catalog, ORIGIN_REACTION_LIKE, &actor, video,
                                     &counters));
}

static void popular_and_fresh_ones_come_first(void **state)
{
    struct rooms *rooms = *state;
    struct origin_search_ask ask = {.text = FB_STR("river"), .limit = 10};
    struct origin_search_page page;

    struct origin_id old = publish(rooms->f, "River", "[]");
    struct origin_id liked = publish(rooms->f, "River", "[]");
    test_clock_advance_ms(&rooms->f->clock, 90ULL * 24 * 3600 * 1000);
    struct origin_id fresh = publish(rooms->f, "River", "[]");
    must(find(rooms, &ask, &page));
    assert_int_equal(page.n, 3);
    assert_true(origin_id_equal(&page.videos[0].id, &fresh));
    like(rooms, &rooms->f->user, &liked);
    must(find(rooms, &ask, &page));
    assert_true(origin_id_equal(&page.videos[0].id, &fresh)); /* one like is not a fresh one */
    for (int i = 0; i < 30; i++) {
        char email[32];
        (void)snprintf(email, sizeof(email), "u%d@example.org", i);
        struct origin_id user = add_user(rooms->f, email);
        like(rooms, &user, &liked);
    }
    must(find(rooms, &ask, &page));
    assert_true(origin_id_equal(&page.videos[0].id, &liked));
    assert_true(origin_id_equal(&page.videos[2].id, &old));
    assert_false(page.has_more);
    assert_null(page.corrected.ptr);
}

static void pages_go_on_where_the_last_one_ended_as_of_the_first(void **state)
{
    struct rooms *rooms = *state;
    struct origin_search_ask ask = {.text = FB_STR("river"), .limit = 2};
    struct origin_search_page page;
    size_t n = 0;
    int64_t seen = 0;

    for (int i = 0; i < 5; i++) {
        publish(rooms->f, "River", "[]");
    }
    do {
        must(find(rooms, &ask, &page));
        for (size_t i = 0; i < page.n; i++) {
            seen |= INT64_C(1) << page.videos[i].seq;
        }
        n += page.n;
        ask.place = page.next;
        test_clock_advance_ms(&rooms->f->clock, 40ULL * 24 * 3600 * 1000);
    } while (page.has_more);
    assert_int_equal(n, 5);
    assert_int_equal(seen, 0x3e);
}

static void a_place_belongs_to_its_query(void **state)
{
    struct rooms *rooms = *state;
    struct origin_search_ask ask = {.text = FB_STR("river bank"), .limit = 1};
    struct origin_search_page page;

    publish(rooms->f, "River bank", "[]");
    publish(rooms->f, "River bank", "[]");
    must(find(rooms, &ask, &page));
    ask.place = page.next;
    ask.text = FB_STR("  RIVER  bank ");
    must(find(rooms, &ask, &page));
    ask.text = FB_STR("river banks");
    assert_int_equal(find(rooms, &ask, &page), FB_E_EXPIRED);
    ask.text = FB_STR("river bank");
    ask.age_ms = 1000;
    assert_int_equal(find(rooms, &ask, &page), FB_E_EXPIRED);
}

static void the_nearest_word_stands_in_for_one_that_occurs_nowhere(void **state)
{
    struct rooms *rooms = *state;
    struct origin_search_ask ask = {.text = FB_STR("musik festval"), .limit = 5};
    struct origin_search_page page;

    publish(rooms->f, "Music festival", "[]");
    publish(rooms->f, "Mustard", "[]");
    must(find(rooms, &ask, &page));
    assert_int_equal(page.n, 1);
    assert_true(fb_str_equal(page.corrected, FB_STR("music festival")));
    ask.text = FB_STR("musik xyzzyx");
    must(find(rooms, &ask, &page));
    assert_int_equal(page.n, 0);
    assert_null(page.corrected.ptr);
    assert_int_equal(fb_metrics_sum(rooms->metrics, "origin_search_corrected_total"), 1);
    assert_int_equal(fb_metrics_sum(rooms->metrics, "origin_search_empty_total"), 1);
}

static void each_address_has_a_bucket(void **state)
{
    struct rooms *rooms = *state;
    struct fb_address one;
    struct fb_address other;
    struct origin_quota quota;

    must(fb_address_from_ip(FB_STR("192.0.2.1"), 1, &one));
    must(fb_address_from_ip(FB_STR("192.0.2.2"), 1, &other));
    must(origin_search_spend(rooms->search, &one, &quota));
    must(origin_search_spend(rooms->search, &one, &quota));
    assert_int_equal(origin_search_spend(rooms->search, &one, &quota), FB_E_LIMIT);
    must(origin_search_spend(rooms->search, &other, &quota));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(popular_and_fresh_ones_come_first, open_rooms, close_rooms),
        cmocka_unit_test_setup_teardown(pages_go_on_where_the_last_one_ended_as_of_the_first,
                                        open_rooms, close_rooms),
        cmocka_unit_test_setup_teardown(a_place_belongs_to_its_query, open_rooms, close_rooms),
        cmocka_unit_test_setup_teardown(the_nearest_word_stands_in_for_one_that_occurs_nowhere,
                                        open_rooms, close_rooms),
        cmocka_unit_test_setup_teardown(each_address_has_a_bucket, open_rooms, close_rooms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
