#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/media/output.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[64];
    struct origin_output output;
};

static int set_up(void **state)
{
    static struct fixture f;
    strcpy(f.dir, "/tmp/origin-media-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    assert_int_equal(origin_output_open(f.dir, &f.output, NULL), FB_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    origin_output_done(&f->output);
    assert_int_equal(fb_dir_remove(AT_FDCWD, f->dir), FB_OK);
    return 0;
}

static void a_file_appears_only_when_it_is_finished(void **state)
{
    struct fixture *f = *state;
    struct origin_output_file file = ORIGIN_OUTPUT_FILE_NONE;

    assert_int_equal(origin_output_mkdir(&f->output, "v/144p"), FB_OK);
    assert_int_equal(origin_output_begin(&f->output, "v/144p/init.mp4", &file), FB_OK);
    assert_int_equal(origin_output_write(&file, FB_STR("abc")), FB_OK);
    assert_int_not_equal(faccessat(f->output.dir_fd, "v/144p/init.mp4", F_OK, 0), 0);
    assert_int_equal(origin_output_finish(&file), FB_OK);
    assert_int_equal(faccessat(f->output.dir_fd, "v/144p/init.mp4", F_OK, 0), 0);
    assert_int_equal(f->output.n_entries, 1);
}

static void an_abandoned_file_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct origin_output_file file = ORIGIN_OUTPUT_FILE_NONE;

    assert_int_equal(origin_output_begin(&f->output, "x.mpd", &file), FB_OK);
    origin_output_abandon(&file);
    origin_output_abandon(&file);
    assert_int_not_equal(faccessat(f->output.dir_fd, "x.mpd.part", F_OK, 0), 0);
    assert_int_equal(f->output.n_entries, 0);
}

static void the_list_is_sorted_and_tells_type_hash_and_class(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};

    assert_int_equal(origin_output_mkdir(&f->output, "a/0"), FB_OK);
    assert_int_equal(origin_output_put(&f->output, "master.m3u8", FB_STR("abc")), FB_OK);
    assert_int_equal(origin_output_put(&f->output, "a/0/init.mp4", FB_STR("")), FB_OK);
    origin_publish_list(&buf, &f->output);
    assert_string_equal(buf.ptr,
                        "{\"files\":[\n"
                        "{\"path\":\"a/0/init.mp4\",\"size\":0,\"sha256\":"
                        "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","
                        "\"type\":\"audio/mp4\",\"cache\":\"immutable\"},\n"
                        "{\"path\":\"master.m3u8\",\"size\":3,\"sha256\":"
                        "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\","
                        "\"type\":\"application/vnd.apple.mpegurl\",\"cache\":\"manifest\"}\n]}\n");
}

static void a_file_in_a_missing_folder_fails(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(origin_output_put(&f->output, "no/such/file", FB_STR("x")), -ENOENT);
}

static void a_missing_output_folder_is_named(void **state)
{
    (void)state;
    struct origin_output output = ORIGIN_OUTPUT_NONE;
    struct fb_diag diag = {0};
    assert_int_equal(origin_output_open("/nowhere/at/all", &output, &diag), -ENOENT);
    assert_non_null(strstr(diag.text, "/nowhere/at/all"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_appears_only_when_it_is_finished),
        TEST(an_abandoned_file_leaves_nothing),
        TEST(the_list_is_sorted_and_tells_type_hash_and_class),
        TEST(a_file_in_a_missing_folder_fails),
        TEST(a_missing_output_folder_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
