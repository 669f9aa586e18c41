#include "catalog_fixture.h"
#include "origin/catalog/subtitles.h"

static struct origin_subtitle subtitle_of(const struct origin_id *video, const char *language)
{
    return (struct origin_subtitle){.id = origin_id_new(),
                                    .video = *video,
                                    .language = fb_str_from(language),
                                    .name = FB_STR(""),
                                    .key = FB_STR("uploads/v/subtitles/s"),
                                    .n_cues = 7};
}

static size_t list(struct fixture *f, const struct origin_id *video,
                   struct origin_subtitle **subtitles)
{
    size_t n = 0;
    must(origin_catalog_subtitle_list(f->catalog, &f->arena, video, subtitles, &n));
    return n;
}

static void what_was_added_is_listed_in_its_order(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = add_video(f, &f->user);
    struct origin_id other = add_video(f, &f->user);
    struct origin_subtitle *subtitles = NULL;
    struct origin_subtitle german = subtitle_of(&video, "de");
    struct origin_subtitle english = subtitle_of(&video, "en");

    must(origin_catalog_subtitle_add(f->catalog, &german));
    must(origin_catalog_subtitle_add(f->catalog, &english));
    assert_int_equal(list(f, &other, &subtitles), 0);
    assert_int_equal(list(f, &video, &subtitles), 2);
    assert_true(origin_id_equal(&subtitles[0].id, &german.id));
    assert_true(fb_str_equal(subtitles[1].language, FB_STR("en")));
    assert_int_equal(subtitles[1].n_cues, 7);
    assert_int_equal(subtitles[1].created_ms, f->clock.wall_now_ms);

    must(origin_catalog_subtitle_remove(f->catalog, &video, &german.id));
    assert_int_equal(origin_catalog_subtitle_remove(f->catalog, &video, &german.id),
                     FB_E_NOT_FOUND);
    assert_int_equal(origin_catalog_subtitle_remove(f->catalog, &other, &english.id),
                     FB_E_NOT_FOUND);
    assert_int_equal(list(f, &video, &subtitles), 1);
}

static void a_language_comes_once_under_one_name(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = add_video(f, &f->user);
    struct origin_subtitle first = subtitle_of(&video, "de");
    struct origin_subtitle again = subtitle_of(&video, "de");

    must(origin_catalog_subtitle_add(f->catalog, &first));
    assert_int_equal(origin_catalog_subtitle_add(f->catalog, &again), FB_E_EXISTS);
    again.name = FB_STR("for children");
    must(origin_catalog_subtitle_add(f->catalog, &again));
}

static void a_video_has_a_limit_of_them(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = add_video(f, &f->user);
    char language[16];

    for (int i = 0; i < ORIGIN_SUBTITLES_MAX; i++) {
        (void)snprintf(language, sizeof(language), "en-x-%d", i);
        struct origin_subtitle subtitle = subtitle_of(&video, language);
        must(origin_catalog_subtitle_add(f->catalog, &subtitle));
    }
    struct origin_subtitle last = subtitle_of(&video, "de");
    assert_int_equal(origin_catalog_subtitle_add(f->catalog, &last), FB_E_LIMIT);
}

static void a_video_that_is_not_there_has_none(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = origin_id_new();
    struct origin_subtitle subtitle = subtitle_of(&video, "de");
    assert_int_equal(origin_catalog_subtitle_add(f->catalog, &subtitle), FB_E_CONFLICT);
}

static void a_request_asks_for_all_of_a_video(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = add_video(f, &f->user);
    struct origin_subtitle german = subtitle_of(&video, "de-AT");
    struct origin_request request = origin_request_preset();

    german.name = FB_STR("Österreichisch");
    must(origin_catalog_subtitle_add(f->catalog, &german));
    must(origin_catalog_subtitle_ask(f->catalog, &video, &request));
    assert_int_equal(request.n_subtitles, 1);
    assert_string_equal(request.subtitles[0].language, "de-AT");
    assert_string_equal(request.subtitles[0].name, "Österreichisch");
    assert_string_equal(request.subtitles[0].key, "uploads/v/subtitles/s");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_added_is_listed_in_its_order), TEST(a_language_comes_once_under_one_name),
        TEST(a_video_has_a_limit_of_them),           TEST(a_video_that_is_not_there_has_none),
        TEST(a_request_asks_for_all_of_a_video),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
