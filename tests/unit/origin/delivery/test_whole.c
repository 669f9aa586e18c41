#include "../catalog/published.h"
#include "origin/delivery/whole.h"
#include "origin/objects/objects.h"

enum { N_SEGMENTS = 5, WHOLE_MAX = 64 };

static const struct origin_id no_video = {"nobody"};

struct track {
    struct fixture *f;
    struct origin_objects *objects;
    struct origin_id video;
    struct origin_result result;
    char bytes[WHOLE_MAX]; /* of all pieces */
    size_t n;
};

/* A piece that the catalog lists and the store has. Each byte tells of its place. */
static void add_piece(struct track *track, const char *name, size_t size)
{
    struct origin_result *result = &track->result;
    struct origin_result_file *file = &result->files[result->n_files++];
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};

    assert_true(track->n + size <= WHOLE_MAX);
    for (size_t i = 0; i < size; i++) {
        track->bytes[track->n + i] = (char)(track->n + i);
    }
    struct fb_str bytes = {track->bytes + track->n, size};
    *file = (struct origin_result_file){.type = "video/mp4", .size = size};
    (void)snprintf(file->path, sizeof(file->path), "v/720p/%s", name);
    fb_sha256(bytes, file->sha256);
    fb_buf_printf(&key, "media/%s/" PUBLISHING_VERSION "/%s", track->video.text, file->path);
    must(origin_objects_put_bytes(track->objects, fb_buf_str(&key), bytes));
    track->n += size;
}

static int set_up_track(void **state)
{
    struct track *track = FB_NEW(struct track);
    struct fb_str url = FB_STR_NONE;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    char name[32];

    must(set_up((void **)&track->f));
    fb_buf_printf(&text, "file:%s/objects", track->f->folder.path);
    url = fb_buf_str(&text);
    must(origin_objects_open(&(struct origin_objects_options){.url = url}, &track->objects, NULL));
    track->video = add_video(track->f, &track->f->user);
    (void)snprintf(track->result.version, sizeof(track->result.version), PUBLISHING_VERSION);
    track->result.files = fb_alloc_array(N_SEGMENTS + 4, sizeof(*track->result.files));
    add_piece(track, "init.mp4", 6);
    add_piece(track, "index.sidx", 3);
    for (size_t i = 1; i <= N_SEGMENTS; i++) {
        (void)snprintf(name, sizeof(name), "seg-%05zu.m4s", i);
        add_piece(track, name, i == 3 ? 1 : 5 + i);
    }
    *state = track;
    return 0;
}

static int tear_down_track(void **state)
{
    struct track *track = *state;
    void *f = track->f;

    origin_result_done(&track->result);
    origin_objects_close(track->objects);
    fb_free(track);
    return tear_down(&f);
}

static void publish_track(struct track *track)
{
    must(publishing_queue(track->f->catalog, &track->video));
    must(publishing_work(track->f->catalog, &track->result));
}

static int find(struct track *track, const struct origin_id *video, const char *folder,
                struct origin_whole **ret_whole)
{
    return origin_whole_find(track->f->catalog, track->objects, video, FB_STR(PUBLISHING_VERSION),
                             fb_str_from(folder), ret_whole);
}

static void rename_piece(struct track *track, size_t index, const char *path)
{
    struct origin_result_file *file = &track->result.files[index];
    (void)snprintf(file->path, sizeof(file->path), "%s", path);
}

static void any_range_is_what_the_pieces_have_there(void **state)
{
    struct track *track = *state;
    struct origin_whole *whole = NULL;
    char back[WHOLE_MAX];

    publish_track(track);
    must(find(track, &track->video, "v/720p", &whole));
    assert_int_equal(origin_whole_size(whole), track->n);
    for (size_t from = 0; from <= track->n; from++) {
        for (size_t n = 0; n <= track->n - from; n++) {
            memset(back, 0, sizeof(back));
            must(origin_whole_read(whole, from, back, n));
            assert_memory_equal(back, track->bytes + from, n);
        }
    }
    assert_int_equal(origin_whole_read(whole, track->n, back, 1), FB_E_CLOSED);
    assert_int_equal(origin_whole_read(whole, track->n + 1, back, 0), FB_E_CLOSED);
    assert_int_equal(origin_whole_read(whole, UINT64_MAX, back, 2), FB_E_CLOSED);
    origin_whole_free(whole);
}

static void its_digest_is_over_those_of_the_pieces(void **state)
{
    struct track *track = *state;
    uint8_t digests[(N_SEGMENTS + 2) * FB_SHA256_SIZE];
    uint8_t wanted[FB_SHA256_SIZE];
    struct origin_whole *whole = NULL;

    for (size_t i = 0; i < track->result.n_files; i++) {
        memcpy(digests + i * FB_SHA256_SIZE, track->result.files[i].sha256, FB_SHA256_SIZE);
    }
    fb_sha256((struct fb_str){(const char *)digests, sizeof(digests)}, wanted);
    publish_track(track);
    must(find(track, &track->video, "v/720p", &whole));
    assert_memory_equal(origin_whole_digest(whole), wanted, sizeof(wanted));
    origin_whole_free(whole);
}

static void there_is_none_without_init_index_and_segments(void **state)
{
    struct track *track = *state;
    struct origin_whole *whole = NULL;

    assert_int_equal(find(track, &track->video, "v/720p", &whole), FB_E_NOT_FOUND);
    rename_piece(track, 1, "v/720p/index.m3u8");
    publish_track(track);
    assert_int_equal(find(track, &track->video, "v/720p", &whole), FB_E_NOT_FOUND);
    assert_int_equal(find(track, &track->video, "v/720", &whole), FB_E_NOT_FOUND);
    assert_int_equal(find(track, &track->video, "v", &whole), FB_E_NOT_FOUND);
    assert_int_equal(find(track, &track->video, "", &whole), FB_E_NOT_FOUND);
    assert_int_equal(find(track, &no_video, "v/720p", &whole), FB_E_NOT_FOUND);
}

static void a_gap_is_no_whole(void **state)
{
    struct track *track = *state;
    struct origin_whole *whole = NULL;

    rename_piece(track, 4, "v/720p/other.m4s");
    publish_track(track);
    assert_int_equal(find(track, &track->video, "v/720p", &whole), FB_E_CORRUPT);
}

static void what_is_not_in_the_store_as_the_catalog_says_breaks_there(void **state)
{
    struct track *track = *state;
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};
    struct origin_whole *whole = NULL;
    char back[WHOLE_MAX];

    publish_track(track);
    must(find(track, &track->video, "v/720p", &whole));
    fb_buf_printf(&key, "media/%s/" PUBLISHING_VERSION "/v/720p/seg-00002.m4s", track->video.text);
    must(origin_objects_put_bytes(track->objects, fb_buf_str(&key), FB_STR("short")));
    must(origin_whole_read(whole, 0, back, 15));
    assert_int_equal(origin_whole_read(whole, 14, back, 2), FB_E_CORRUPT);
    must(origin_objects_remove(track->objects, fb_buf_str(&key)));
    assert_int_equal(origin_whole_read(whole, 14, back, 2), FB_E_NOT_FOUND);
    must(origin_whole_read(whole, track->n - 10, back, 10));
    assert_memory_equal(back, track->bytes + track->n - 10, 10);
    origin_whole_free(whole);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_track, tear_down_track)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_range_is_what_the_pieces_have_there),
        TEST(its_digest_is_over_those_of_the_pieces),
        TEST(there_is_none_without_init_index_and_segments),
        TEST(a_gap_is_no_whole),
        TEST(what_is_not_in_the_store_as_the_catalog_says_breaks_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
