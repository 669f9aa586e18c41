#include "../catalog/published.h"
#include "base/metrics/metrics.h"
#include "base/net/address.h"
#include "origin/engagement/engagement.h"

struct rooms {
    struct fixture *f;
    struct fb_metrics *metrics;
    struct origin_engagement *engagement;
};

static const struct fb_str admins[] = {{"root@example.org", 16}};

static struct origin_engagement *engagement_with(struct rooms *rooms, uint8_t secret)
{
    struct origin_engagement_options options = {
        .catalog = rooms->f->catalog,
        .clock = &rooms->f->clock.clock,
        .metrics = rooms->metrics,
        .secret = {secret},
        .paces = {[ORIGIN_LIMIT_REACTIONS] = {.burst = 3, .refill_ms = 1000},
                  [ORIGIN_LIMIT_COMMENTS] = {.burst = 1, .refill_ms = 5000}},
        .admins = admins,
        .n_admins = FB_ARRAY_LEN(admins),
    };
    return origin_engagement_new(&options);
}

static int open_rooms(void **state)
{
    struct rooms *rooms = FB_NEW(struct rooms);

    assert_int_equal(set_up(state), 0);
    rooms->f = *state;
    rooms->metrics = fb_metrics_new();
    rooms->engagement = engagement_with(rooms, 1);
    *state = rooms;
    return 0;
}

static int close_rooms(void **state)
{
    struct rooms *rooms = *state;
    void *f = rooms->f;

    origin_engagement_free(rooms->engagement);
    fb_metrics_free(rooms->metrics);
    fb_free(rooms);
    return tear_down(&f);
}

static uint64_t network_of(const struct origin_engagement *engagement, const char *ip)
{
    struct fb_address address;
    must(fb_address_from_ip(fb_str_from(ip), 1234, &address));
    return origin_engagement_network(engagement, &address);
}

static void a_network_is_a_prefix_and_its_number_a_secret(void **state)
{
    struct rooms *rooms = *state;
    const struct origin_engagement *own = rooms->engagement;
    struct origin_engagement *other = engagement_with(rooms, 2);
    struct fb_address unknown = {.len = 0};

    assert_true(network_of(own, "192.0.2.1") == network_of(own, "192.0.2.254"));
    assert_true(network_of(own, "192.0.2.1") != network_of(own, "192.0.3.1"));
    assert_true(network_of(own, "192.0.2.1") == network_of(own, "::ffff:192.0.2.9"));
    assert_true(network_of(own, "2001:db8:1::1") == network_of(own, "2001:db8:1:2::1"));
    assert_true(network_of(own, "2001:db8:1::1") != network_of(own, "2001:db8:2::1"));
    assert_true(network_of(own, "192.0.2.1") != network_of(other, "192.0.2.1"));
    assert_true(origin_engagement_network(own, &unknown) != network_of(own, "192.0.2.1"));
    origin_engagement_free(other);
}

static void each_account_has_buckets_of_its_own(void **state)
{
    struct rooms *rooms = *state;
    struct origin_id other = add_user(rooms->f, "b@example.org");
    struct origin_quota quota;

    for (uint32_t left = 3; left-- > 0;) {
        must(origin_engagement_spend(rooms->engagement, ORIGIN_LIMIT_REACTIONS, &rooms->f->user,
                                     &quota));
        assert_int_equal(quota.left, left);
        assert_int_equal(quota.wait_ms, 0);
    }
    assert_int_equal(quota.limit, 3);
    assert_int_equal(quota.window_ms, 3000);
    assert_int_equal(quota.reset_ms, 3000);
    assert_int_equal(
        origin_engagement_spend(rooms->engagement, ORIGIN_LIMIT_REACTIONS, &rooms->f->user, &quota),
        FB_E_LIMIT);
    assert_int_equal(quota.wait_ms, 1000);
    must(
        origin_engagement_spend(rooms->engagement, ORIGIN_LIMIT_COMMENTS, &rooms->f->user, &quota));
    must(origin_engagement_spend(rooms->engagement, ORIGIN_LIMIT_REACTIONS, &other, &quota));
    test_clock_advance_ms(&rooms->f->clock, 1000);
    must(origin_engagement_spend(rooms->engagement, ORIGIN_LIMIT_REACTIONS, &rooms->f->user,
                                 &quota));
    assert_int_equal(fb_metrics_sum(rooms->metrics, "origin_engagement_limited_total"), 1);
}

static void admins_are_whom_the_configuration_names(void **state)
{
    struct rooms *rooms = *state;
    struct origin_id root = add_user(rooms->f, "root@example.org");
    struct origin_id nobody = origin_id_new();
    struct origin_id video = publish(rooms->f, "T", "[]");
    struct origin_decision decision = {
        .video = video, .admin = rooms->f->user, .reason = FB_STR("why")};
    bool is_admin = false;

    must(origin_engagement_is_admin(rooms->engagement, &root, &is_admin));
    assert_true(is_admin);
    must(origin_engagement_is_admin(rooms->engagement, &rooms->f->user, &is_admin));
    assert_false(is_admin);
    must(origin_engagement_is_admin(rooms->engagement, &nobody, &is_admin));
    assert_false(is_admin);
    assert_int_equal(origin_engagement_moderate(rooms->engagement, &decision), FB_E_DENIED);
    struct origin_video seen = get_video(rooms->f, &video);
    assert_true(origin_video_is_public(&seen));
    decision.admin = root;
    must(origin_engagement_moderate(rooms->engagement, &decision));
    seen = get_video(rooms->f, &video);
    assert_false(origin_video_is_public(&seen));
    assert_true(fb_str_equal(seen.deactivated_reason, FB_STR("why")));
}

static void nobody_follows_himself(void **state)
{
    struct rooms *rooms = *state;
    struct origin_actor actor = {.user = rooms->f->user};
    struct origin_user_counters counters;

    assert_int_equal(
        origin_engagement_follow(rooms->engagement, &actor, &rooms->f->user, true, &counters),
        FB_E_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_network_is_a_prefix_and_its_number_a_secret, open_rooms,
                                        close_rooms),
        cmocka_unit_test_setup_teardown(each_account_has_buckets_of_its_own, open_rooms,
                                        close_rooms),
        cmocka_unit_test_setup_teardown(admins_are_whom_the_configuration_names, open_rooms,
                                        close_rooms),
        cmocka_unit_test_setup_teardown(nobody_follows_himself, open_rooms, close_rooms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
