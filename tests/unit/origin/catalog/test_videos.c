#include "catalog_fixture.h"
#include "publishing.h"

static struct origin_id publish(struct fixture *f, const struct origin_id *owner)
{
    struct origin_id id = add_video(f, owner);
    struct origin_result result = {.version = "0123456789abcdef"};

    must(publishing_queue(f->catalog, &id));
    must(publishing_work(f->catalog, &result));
    return id;
}

static size_t list(struct fixture *f, const struct origin_id *owner, int64_t before, size_t limit,
                   struct origin_video **videos)
{
    size_t n = 0;
    must(origin_catalog_video_list(
        f->catalog, &f->arena,
        &(struct origin_video_query){
            .owner = owner, .in_any_state = true, .before_seq = before, .limit = limit},
        videos, &n));
    return n;
}

static void what_was_added_is_read_back(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = add_video(f, &f->user);
    struct origin_id other = origin_id_new();
    struct origin_video video = get_video(f, &id);

    assert_true(origin_id_equal(&video.owner, &f->user));
    assert_true(fb_str_equal(video.title, FB_STR("A title")));
    assert_true(fb_str_equal(video.tags, FB_STR("[\"a\"]")));
    assert_int_equal(video.source_bytes, 1000);
    assert_int_equal(video.status, ORIGIN_VIDEO_UPLOADING);
    assert_null(video.version.ptr);
    assert_null(video.reason.ptr);
    assert_int_equal(video.created_ms, f->clock.wall_now_ms);
    assert_int_equal(origin_catalog_video_get(f->catalog, &f->arena, &other, &video),
                     FB_E_NOT_FOUND);
}

static void a_video_needs_an_owner(void **state)
{
    struct fixture *f = *state;
    struct origin_video video = {.id = origin_id_new(),
                                 .owner = origin_id_new(),
                                 .title = FB_STR("t"),
                                 .description = FB_STR(""),
                                 .tags = FB_STR("[]"),
                                 .filename = FB_STR("f")};

    assert_int_equal(origin_catalog_video_add(f->catalog, &video), FB_E_CONFLICT);
}

static void pages_go_from_new_to_old_and_show_what_is_ready(void **state)
{
    struct fixture *f = *state;
    struct origin_video *page = NULL;
    struct origin_id ids[3];

    for (size_t i = 0; i < FB_ARRAY_LEN(ids); i++) {
        ids[i] = publish(f, &f->user);
    }
    (void)add_video(f, &f->user);
    assert_int_equal(list(f, NULL, 0, 2, &page), 2);
    assert_true(origin_id_equal(&page[0].id, &ids[2]));
    assert_true(origin_id_equal(&page[1].id, &ids[1]));
    assert_int_equal(list(f, NULL, page[1].seq, 2, &page), 1);
    assert_true(origin_id_equal(&page[0].id, &ids[0]));
    assert_int_equal(list(f, NULL, page[0].seq, 2, &page), 0);
}

static void an_owner_sees_all_of_his_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct origin_video *page = NULL;
    struct origin_id other;

    must(origin_catalog_user_add(f->catalog, FB_STR("b@example.org"), FB_STR("x"), &other));
    struct origin_id ready = publish(f, &f->user);
    struct origin_id uploading = add_video(f, &f->user);
    (void)publish(f, &other);
    assert_int_equal(list(f, &f->user, 0, 10, &page), 2);
    assert_true(origin_id_equal(&page[0].id, &uploading));
    assert_true(origin_id_equal(&page[1].id, &ready));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_added_is_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_video_needs_an_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages_go_from_new_to_old_and_show_what_is_ready, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_owner_sees_all_of_his_and_nothing_else, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
