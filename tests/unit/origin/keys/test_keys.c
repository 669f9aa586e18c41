#include "../catalog/catalog_fixture.h"
#include "base/crypto/aes.h"
#include "base/metrics/metrics.h"
#include "base/sys/file.h"
#include "origin/catalog/content_keys.h"
#include "origin/keys/keys.h"
#include "origin/keys/sealer.h"

#include <errno.h>
#include <fcntl.h>

static const char first_key[] =
    "1111111111111111111111111111111111111111111111111111111111111111\n";
static const char second_key[] =
    "# newer\n2222222222222222222222222222222222222222222222222222222222222222\n";

struct world {
    struct fixture *f;
    struct fb_metrics *metrics;
    struct origin_sealer_file *file;
    struct origin_keys *keys;
    struct origin_id video;
    char path[TEST_PATH_MAX + 32];
};

static void write_masters(struct world *world, const char *a, const char *b)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    fb_buf_printf(&text, "%s%s", a, b);
    must(fb_file_write(AT_FDCWD, world->path, fb_buf_str(&text), 0600, NULL));
}

static int begin(void **state)
{
    struct world *world = FB_NEW(struct world);

    (void)set_up(state);
    world->f = *state;
    world->metrics = fb_metrics_new();
    world->video = add_video(world->f, &world->f->user);
    (void)snprintf(world->path, sizeof(world->path), "%s/master.keys", world->f->folder.path);
    write_masters(world, first_key, "");
    must(origin_sealer_file_open(world->path, false, &world->file, NULL));
    world->keys = origin_keys_open(
        &(struct origin_keys_options){.catalog = world->f->catalog,
                                      .sealer = origin_sealer_file_sealer(world->file),
                                      .metrics = world->metrics});
    *state = world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    void *fixture = world->f;

    origin_keys_close(world->keys);
    origin_sealer_file_close(world->file);
    fb_metrics_free(world->metrics);
    fb_free(world);
    return tear_down(&fixture);
}

static struct origin_content_key key_of(struct world *world, const struct origin_id *job)
{
    struct origin_content_key key;

    must(origin_keys_of_job(world->keys, &world->video, job, ORIGIN_SCHEME_CENC, &key));
    return key;
}

static void a_job_has_one_key_and_another_job_another(void **state)
{
    struct world *world = *state;
    struct origin_id job = origin_id_new();
    struct origin_id other = origin_id_new();

    struct origin_content_key a = key_of(world, &job);
    struct origin_content_key b = key_of(world, &job);
    struct origin_content_key c = key_of(world, &other);

    assert_memory_equal(&a, &b, sizeof(a));
    assert_memory_not_equal(a.key, c.key, sizeof(a.key));
    assert_memory_not_equal(a.id, c.id, sizeof(a.id));
}

static void a_key_is_found_by_its_id_with_its_video(void **state)
{
    struct world *world = *state;
    struct origin_id job = origin_id_new();
    struct origin_content_key key = key_of(world, &job);
    struct origin_content_key found;
    struct origin_id video;

    must(origin_keys_find(world->keys, key.id, &video, &found));
    assert_true(origin_id_equal(&video, &world->video));
    assert_memory_equal(&found, &key, sizeof(key));
    key.id[0] ^= 1;
    assert_int_equal(origin_keys_find(world->keys, key.id, &video, &found), FB_E_NOT_FOUND);
}

static void nothing_in_the_clear_lies_in_the_catalog(void **state)
{
    struct world *world = *state;
    struct origin_id job = origin_id_new();
    struct origin_content_key key = key_of(world, &job);
    struct origin_sealed_key row;

    must(origin_catalog_content_key_find(world->f->catalog, &world->f->arena, key.id, &row));
    assert_int_equal(row.sealed.len, FB_SEAL_NONCE + sizeof(key.key) + FB_SEAL_TAG);
    assert_null(memmem(row.sealed.ptr, row.sealed.len, key.key, sizeof(key.key)));
}

static void a_row_that_was_touched_or_moved_does_not_open(void **state)
{
    struct world *world = *state;
    struct origin_id job = origin_id_new();
    struct origin_id other = origin_id_new();
    struct origin_content_key key = key_of(world, &job);
    struct origin_content_key target = key_of(world, &other);
    struct origin_sealed_key row;
    struct origin_id video;

    must(origin_catalog_content_key_find(world->f->catalog, &world->f->arena, key.id, &row));
    memcpy(row.id, target.id, sizeof(row.id)); /* another key's seal */
    must(origin_catalog_content_key_reseal(world->f->catalog, &row));
    assert_int_equal(origin_keys_find(world->keys, target.id, &video, &target), FB_E_DENIED);
    must(origin_keys_find(world->keys, key.id, &video, &key));
}

static void a_new_master_key_takes_over_what_the_old_one_sealed(void **state)
{
    struct world *world = *state;
    struct origin_content_key before[70];
    struct origin_id video;
    struct origin_content_key found;

    for (size_t i = 0; i < FB_ARRAY_LEN(before); i++) {
        struct origin_id job = origin_id_new();
        before[i] = key_of(world, &job);
    }
    write_masters(world, second_key, first_key);
    must(origin_sealer_file_reload(world->file, NULL));
    must(origin_keys_run(world->keys));
    write_masters(world, second_key, "");
    must(origin_sealer_file_reload(world->file, NULL));

    assert_int_equal(fb_metrics_sum(world->metrics, "origin_keys_resealed_total"), 70);
    for (size_t i = 0; i < FB_ARRAY_LEN(before); i++) {
        must(origin_keys_find(world->keys, before[i].id, &video, &found));
        assert_memory_equal(&found, &before[i], sizeof(found));
    }
}

static void keys_whose_master_is_gone_are_counted_and_left(void **state)
{
    struct world *world = *state;
    struct origin_id job = origin_id_new();
    struct origin_content_key key = key_of(world, &job);
    struct origin_id video;

    write_masters(world, second_key, "");
    must(origin_sealer_file_reload(world->file, NULL));
    must(origin_keys_run(world->keys));

    assert_int_equal(fb_metrics_sum(world->metrics, "origin_keys_shut"), 1);
    assert_int_equal(origin_keys_find(world->keys, key.id, &video, &key), FB_E_DENIED);
    write_masters(world, second_key, first_key); /* it is found again */
    must(origin_sealer_file_reload(world->file, NULL));
    must(origin_keys_run(world->keys));
    must(origin_keys_find(world->keys, key.id, &video, &key));
    assert_int_equal(fb_metrics_sum(world->metrics, "origin_keys_shut"), 0);
}

static void keys_go_with_their_video(void **state)
{
    struct world *world = *state;
    struct origin_id job = origin_id_new();
    struct origin_content_key key = key_of(world, &job);
    struct origin_id video;

    must(origin_catalog_video_remove(world->f->catalog, &world->video));
    assert_int_equal(origin_keys_find(world->keys, key.id, &video, &key), FB_E_NOT_FOUND);
    job = origin_id_new();
    assert_int_equal(origin_keys_of_job(world->keys, &world->video, &job, ORIGIN_SCHEME_CENC, &key),
                     FB_E_CONFLICT);
}

static void a_broken_file_of_masters_is_refused_without_being_quoted(void **state)
{
    struct world *world = *state;
    struct origin_id job = origin_id_new();
    struct fb_diag diag = {0};

    write_masters(world, "cafe\n", "");
    assert_int_equal(origin_sealer_file_reload(world->file, &diag), FB_E_MALFORMED);
    assert_non_null(strstr(diag.text, "line 1 is not a master key"));
    assert_null(strstr(diag.text, "cafe"));
    write_masters(world, "# none\n", "");
    assert_int_equal(origin_sealer_file_reload(world->file, &diag), FB_E_MALFORMED);
    (void)key_of(world, &job); /* the old ones hold */
}

static void a_file_is_made_only_where_that_is_asked_for(void **state)
{
    struct world *world = *state;
    struct origin_sealer_file *file = NULL;
    char path[TEST_PATH_MAX + 32];

    (void)snprintf(path, sizeof(path), "%s/other.keys", world->f->folder.path);
    assert_int_equal(origin_sealer_file_open(path, false, &file, NULL), -ENOENT);
    must(origin_sealer_file_open(path, true, &file, NULL));
    origin_sealer_file_close(file);
    must(origin_sealer_file_open(path, false, &file, NULL));
    origin_sealer_file_close(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_has_one_key_and_another_job_another),
        TEST(a_key_is_found_by_its_id_with_its_video),
        TEST(nothing_in_the_clear_lies_in_the_catalog),
        TEST(a_row_that_was_touched_or_moved_does_not_open),
        TEST(a_new_master_key_takes_over_what_the_old_one_sealed),
        TEST(keys_whose_master_is_gone_are_counted_and_left),
        TEST(keys_go_with_their_video),
        TEST(a_broken_file_of_masters_is_refused_without_being_quoted),
        TEST(a_file_is_made_only_where_that_is_asked_for),
    };
    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
