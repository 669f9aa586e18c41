#include "origin/catalog/catalog_internal.h"
#include "origin/catalog/files.h"
#include "origin/catalog/moderation.h"
#include "origin/catalog/search.h"
#include "published.h"

static size_t search(struct fixture *f, const char *match)
{
    struct origin_search_query query = {.match = fb_str_from(match)};
    struct origin_search_hit *hits = NULL;
    size_t n = 0;

    must(origin_catalog_search(f->catalog, &f->arena, &query, &hits, &n));
    return n;
}

static size_t names(struct fixture *f, enum origin_name_kind kind, const char *match)
{
    struct origin_name_query query = {.kind = kind, .match = fb_str_from(match), .limit = 5};
    struct origin_search_name *found = NULL;
    size_t n = 0;

    must(origin_catalog_search_names(f->catalog, &f->arena, &query, &found, &n));
    return n;
}

static size_t words(struct fixture *f, const char *match)
{
    struct origin_search_word *found = NULL;
    size_t n = 0;

    must(origin_catalog_search_words(f->catalog, &f->arena, fb_str_from(match), &found, &n));
    return n;
}

static void moderate(struct fixture *f, const struct origin_id *video, bool is_active)
{
    must(origin_catalog_moderate(f->catalog, &(struct origin_decision){.video = *video,
                                                                       .admin = f->user,
                                                                       .is_active = is_active,
                                                                       .reason = FB_STR("why")}));
}

static void a_video_is_found_once_it_is_published(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = add_video(f, &f->user);

    must(publishing_queue(f->catalog, &video));
    assert_int_equal(search(f, "\"title\""), 0);
    publish_waiting(f);
    assert_int_equal(search(f, "\"title\""), 1);
}

static void case_and_diacritics_do_not_matter(void **state)
{
    struct fixture *f = *state;

    publish(f, "Crème BRÛLÉE", "[\"Dîner\"]");
    assert_int_equal(search(f, "\"creme\" \"brul\"*"), 1);
    assert_int_equal(search(f, "\"DÎNER\""), 1);
    assert_int_equal(search(f, "\"creme\" \"caramel\""), 0);
}

static void a_renamed_owner_is_found_by_the_new_name(void **state)
{
    struct fixture *f = *state;

    publish(f, "T", "[]");
    publish(f, "T", "[]");
    must(origin_catalog_user_rename(f->catalog, &f->user, FB_STR("Lovelace")));
    assert_int_equal(search(f, "\"lovelace\""), 2);
    assert_int_equal(names(f, ORIGIN_NAME_USER, "\"love\"*"), 1);
    must(origin_catalog_user_rename(f->catalog, &f->user, FB_STR("Hopper")));
    assert_int_equal(search(f, "\"lovelace\""), 0);
    assert_int_equal(search(f, "\"hopper\""), 2);
    assert_int_equal(names(f, ORIGIN_NAME_USER, "\"love\"*"), 0);
    assert_int_equal(words(f, "\"lov\""), 0); /* it occurs no more */
    assert_int_equal(words(f, "\"hop\""), 1);
}

static void what_is_taken_away_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = publish(f, "Questionable", "[\"doubt\"]");
    struct origin_result_file file;
    enum origin_privacy privacy = ORIGIN_PRIVACY_PRIVATE;

    must(origin_catalog_file_get(f->catalog, &video, FB_STR("0123456789abcdef"),
                                 FB_STR("master.m3u8"), &file, &privacy));
    moderate(f, &video, false);
    assert_int_equal(search(f, "\"questionable\""), 0);
    assert_int_equal(names(f, ORIGIN_NAME_TAG, "\"doubt\""), 0);
    assert_int_equal(words(f, "\"que\""), 0);
    assert_int_equal(origin_catalog_file_get(f->catalog, &video, FB_STR("0123456789abcdef"),
                                             FB_STR("master.m3u8"), &file, &privacy),
                     FB_E_NOT_FOUND);
    moderate(f, &video, true);
    assert_int_equal(search(f, "\"questionable\""), 1);
    assert_int_equal(names(f, ORIGIN_NAME_TAG, "\"doubt\""), 1);
    must(origin_catalog_video_remove(f->catalog, &video));
    assert_int_equal(search(f, "\"questionable\""), 0);
    assert_int_equal(names(f, ORIGIN_NAME_TAG, "\"doubt\""), 0);
}

static void decisions_outlive_their_video(void **state)
{
    struct fixture *f = *state;
    struct origin_id video = publish(f, "T", "[]");
    struct origin_decision *decisions = NULL;
    size_t n = 0;

    moderate(f, &video, false);
    moderate(f, &video, true);
    must(origin_catalog_video_remove(f->catalog, &video));
    must(origin_catalog_moderation_list(f->catalog, &f->arena, &video, 10, &decisions, &n));
    assert_int_equal(n, 2);
    assert_true(decisions[0].is_active && !decisions[1].is_active);
    assert_int_equal(
        origin_catalog_moderate(
            f->catalog,
            &(struct origin_decision){.video = video, .admin = f->user, .reason = FB_STR("why")}),
        FB_E_NOT_FOUND);
}

static void words_are_learned_once_and_only_whole_ones(void **state)
{
    struct fixture *f = *state;

    publish(f, "Mountains of the moon", "[\"mountains\"]");
    publish(f, "More mountains", "[]");
    assert_int_equal(words(f, "\"mou\""), 1);
    assert_int_equal(words(f, "\"^mo\""), 3); /* moon, more and mountains */
    assert_int_equal(words(f, "\"the\""), 0); /* too short to be mistyped */
}

static void names_of_tags_come_by_how_many_have_them(void **state)
{
    struct fixture *f = *state;
    struct origin_name_query query = {
        .kind = ORIGIN_NAME_TAG, .match = FB_STR("\"che\"*"), .limit = 5};
    struct origin_search_name *found = NULL;
    size_t n = 0;

    publish(f, "T", "[\"chess\",\"Cheese\",\"cheese\"]");
    publish(f, "T", "[\"CHEESE\"]");
    must(origin_catalog_search_names(f->catalog, &f->arena, &query, &found, &n));
    assert_int_equal(n, 2);
    assert_true(fb_str_equal(found[0].name, FB_STR("cheese")));
    assert_int_equal(found[0].weight, 2);
    assert_true(fb_str_equal(found[1].name, FB_STR("chess")));
}

static void of_very_many_the_newest_are_weighed(void **state)
{
    struct fixture *f = *state;
    struct origin_search_query query = {.match = FB_STR("\"many\"")};
    struct origin_search_hit *hits = NULL;
    struct fb_db *db = NULL;
    size_t n = 0;

    must(fb_db_open(f->url + strlen("sqlite:"), NULL, &db, NULL));
    must(fb_db_exec(
        db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20001)"
            " INSERT INTO videos (id, owner, title, description, tags, filename,"
            "  source_bytes, status, created_ms, published_ms)"
            " SELECT i, (SELECT id FROM users), 'Many', '', '[]', '', 1, 'ready', 0, 0"
            " FROM n;"
            "INSERT INTO video_search (rowid, title, description, tags, owner)"
            " SELECT seq, title, '', '', '' FROM videos"));
    fb_db_close(db);
    must(origin_catalog_search(f->catalog, &f->arena, &query, &hits, &n));
    assert_int_equal(n, ORIGIN_SEARCH_WEIGHED_MAX);
    assert_int_equal(hits[0].seq, ORIGIN_SEARCH_COMPARED_MAX + 1);
    assert_int_equal(hits[n - 1].seq, ORIGIN_SEARCH_COMPARED_MAX + 2 - ORIGIN_SEARCH_WEIGHED_MAX);
    assert_true(hits[0].text > 0);
}

static void what_was_there_before_the_index_is_found(void **state)
{
    struct fixture *f = *state;
    char path[TEST_PATH_MAX + 32];
    char url[TEST_PATH_MAX + 64];
    size_t n_before = 0;

    (void)snprintf(path, sizeof(path), "%s/old.db", f->folder.path);
    (void)snprintf(url, sizeof(url), "sqlite:%s", path);
    while (strstr(origin_catalog_migrations[n_before], "video_search") == NULL) {
        n_before++;
    }
    struct fb_db *db = NULL;
    must(fb_db_open(path, NULL, &db, NULL));
    must(fb_db_migrate(db, origin_catalog_migrations, n_before, NULL));
    must(fb_db_exec(db, "INSERT INTO users (id, email, password_hash, created_ms)"
                        " VALUES ('u', 'u@example.org', '', 0);"
                        "INSERT INTO videos (id, owner, title, description, tags, filename,"
                        " source_bytes, status, created_ms, published_ms)"
                        " VALUES ('v1', 'u', 'Mountains', '', '[\"Alps\",\"snow\"]', '', 1,"
                        "  'ready', 0, 0), ('v2', 'u', 'Mountains', '', '[]', '', 1,"
                        "  'uploading', 0, NULL)"));
    fb_db_close(db);
    origin_catalog_close(f->catalog);
    must(origin_catalog_open(fb_str_from(url), 1, &f->clock.clock, &f->catalog, NULL));
    assert_int_equal(search(f, "\"mountains\""), 1);
    assert_int_equal(search(f, "\"alps\""), 1);
    assert_int_equal(words(f, "\"mou\""), 1);
    assert_int_equal(names(f, ORIGIN_NAME_TAG, "\"alp\"*"), 1);
}

static void an_expression_that_is_none_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct origin_search_query query = {.match = FB_STR("\"open")};
    struct origin_search_hit *hits = NULL;
    size_t n = 0;

    assert_int_equal(origin_catalog_search(f->catalog, &f->arena, &query, &hits, &n), FB_E_FOREIGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_video_is_found_once_it_is_published, set_up, tear_down),
        cmocka_unit_test_setup_teardown(case_and_diacritics_do_not_matter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_renamed_owner_is_found_by_the_new_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_taken_away_is_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(decisions_outlive_their_video, set_up, tear_down),
        cmocka_unit_test_setup_teardown(words_are_learned_once_and_only_whole_ones, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(names_of_tags_come_by_how_many_have_them, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(of_very_many_the_newest_are_weighed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_there_before_the_index_is_found, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_expression_that_is_none_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
