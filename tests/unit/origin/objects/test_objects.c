#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/objects/objects.h"
#include "tests/support/test_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct test_folder folder;
    struct origin_objects *objects;
    char url[TEST_PATH_MAX + 16];
};

static int open_url(const char *url, struct origin_objects **ret_objects, struct fb_diag *diag)
{
    return origin_objects_open(&(struct origin_objects_options){.url = fb_str_from(url)},
                               ret_objects, diag);
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);
    f->folder = test_folder_new();
    (void)snprintf(f->url, sizeof(f->url), "file:%s/deep/objects", f->folder.path);
    assert_int_equal(open_url(f->url, &f->objects, NULL), FB_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    origin_objects_close(f->objects);
    test_folder_done(&f->folder);
    fb_free(f);
    return 0;
}

/* Temporaries that stand in the folder now. */
static size_t count_temporaries(const struct fixture *f)
{
    char path[TEST_PATH_MAX + 32];
    size_t n = 0;

    (void)snprintf(path, sizeof(path), "%s/deep/objects/.tmp", f->folder.path);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        n += entry->d_name[0] != '.';
    }
    closedir(dir);
    return n;
}

static void put(struct fixture *f, const char *key, const char *text)
{
    struct fb_str piece = fb_str_from(text);
    struct origin_put *object = NULL;
    assert_int_equal(origin_put_begin(f->objects, fb_str_from(key), piece.len, &object), FB_OK);
    assert_int_equal(origin_put_write(object, &piece, 1), FB_OK);
    assert_int_equal(origin_put_commit(object), FB_OK);
}

static void assert_content(struct fixture *f, const char *key, const char *text)
{
    struct origin_object object;
    char read_back[256];

    assert_int_equal(origin_objects_get(f->objects, fb_str_from(key), &object), FB_OK);
    assert_int_equal(object.size, strlen(text));
    assert_int_equal(read(object.fd, read_back, sizeof(read_back)), (ssize_t)strlen(text));
    assert_memory_equal(read_back, text, strlen(text));
    fb_fd_done(&object.fd);
}

static int stat_of(struct fixture *f, const char *key)
{
    struct origin_object object;
    return origin_objects_stat(f->objects, fb_str_from(key), &object);
}

static void what_was_committed_is_there(void **state)
{
    struct fixture *f = *state;

    put(f, "media/a/b/v/720p/init.mp4", "bytes");
    assert_content(f, "media/a/b/v/720p/init.mp4", "bytes");
    put(f, "media/a/b/v/720p/init.mp4", "newer bytes");
    assert_content(f, "media/a/b/v/720p/init.mp4", "newer bytes");
    put(f, "empty", "");
    assert_content(f, "empty", "");
    assert_int_equal(count_temporaries(f), 0);
}

static void an_unfinished_object_is_invisible(void **state)
{
    struct fixture *f = *state;
    struct fb_str piece = FB_STR("half");
    struct origin_put *object = NULL;

    assert_int_equal(origin_put_begin(f->objects, FB_STR("key"), 8, &object), FB_OK);
    assert_int_equal(origin_put_write(object, &piece, 1), FB_OK);
    assert_int_equal(stat_of(f, "key"), FB_E_NOT_FOUND);
    assert_int_equal(origin_put_commit(object), FB_E_CLOSED);
    assert_int_equal(stat_of(f, "key"), FB_E_NOT_FOUND);

    assert_int_equal(origin_put_begin(f->objects, FB_STR("key"), 8, &object), FB_OK);
    origin_put_abort(object);
    assert_int_equal(stat_of(f, "key"), FB_E_NOT_FOUND);
    assert_int_equal(count_temporaries(f), 0);
}

static void more_than_was_declared_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fb_str pieces[] = {FB_STR("12345"), FB_STR("678")};
    struct origin_put *object = NULL;

    assert_int_equal(origin_put_begin(f->objects, FB_STR("key"), 7, &object), FB_OK);
    assert_int_equal(origin_put_write(object, pieces, 2), FB_E_LIMIT);
    origin_put_abort(object);
}

static void keys_that_could_leave_the_folder_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"", "/etc/passwd", "../x", "a/../../x", ".tmp/x", "a/"};
    struct origin_put *object = NULL;

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_int_equal(stat_of(f, bad[i]), FB_E_MALFORMED);
        assert_int_equal(origin_put_begin(f->objects, fb_str_from(bad[i]), 1, &object),
                         FB_E_MALFORMED);
        assert_int_equal(origin_objects_remove_prefix(f->objects, fb_str_from(bad[i])),
                         FB_E_MALFORMED);
    }
}

static void folders_and_links_are_no_objects(void **state)
{
    struct fixture *f = *state;
    char link[TEST_PATH_MAX + 32];
    struct origin_object object;

    put(f, "a/b", "x");
    assert_int_equal(stat_of(f, "a"), FB_E_NOT_FOUND);
    assert_int_equal(stat_of(f, "a/b/c"), FB_E_NOT_FOUND);
    (void)snprintf(link, sizeof(link), "%s/deep/objects/link", f->folder.path);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_equal(stat_of(f, "link"), FB_E_NOT_FOUND);
    assert_true(origin_objects_get(f->objects, FB_STR("link"), &object) < 0);
}

static void a_file_is_moved_in(void **state)
{
    struct fixture *f = *state;
    char path[TEST_PATH_MAX + 16];

    (void)snprintf(path, sizeof(path), "%s/made", f->folder.path);
    assert_int_equal(fb_file_write(AT_FDCWD, path, FB_STR("made"), 0600, NULL), FB_OK);
    assert_int_equal(origin_objects_put_file(f->objects, FB_STR("m/x"), path, NULL), FB_OK);
    assert_content(f, "m/x", "made");
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(origin_objects_put_file(f->objects, FB_STR("m/x"), path, NULL), -ENOENT);
}

static void removal_takes_what_is_under_a_prefix(void **state)
{
    struct fixture *f = *state;

    put(f, "media/v1/a", "1");
    put(f, "media/v1/deep/b", "2");
    put(f, "media/v10/a", "3");
    assert_int_equal(origin_objects_remove_prefix(f->objects, FB_STR("media/v1")), FB_OK);
    assert_int_equal(stat_of(f, "media/v1/a"), FB_E_NOT_FOUND);
    assert_int_equal(stat_of(f, "media/v1/deep/b"), FB_E_NOT_FOUND);
    assert_content(f, "media/v10/a", "3");
    assert_int_equal(origin_objects_remove_prefix(f->objects, FB_STR("media/v1")), FB_OK);
    assert_int_equal(origin_objects_remove(f->objects, FB_STR("media/v10/a")), FB_OK);
    assert_int_equal(origin_objects_remove(f->objects, FB_STR("media/v10/a")), FB_OK);
    assert_int_equal(stat_of(f, "media/v10/a"), FB_E_NOT_FOUND);
}

static void opening_sweeps_what_a_crash_left_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct origin_objects *second = NULL;
    struct origin_put *object = NULL;
    char path[TEST_PATH_MAX + 48];

    (void)snprintf(path, sizeof(path), "%s/deep/objects/.tmp/left", f->folder.path);
    assert_int_equal(fb_file_write(AT_FDCWD, path, FB_STR("left"), 0600, NULL), FB_OK);
    assert_int_equal(origin_put_begin(f->objects, FB_STR("key"), 0, &object), FB_OK);
    assert_int_equal(count_temporaries(f), 2);

    assert_int_equal(open_url(f->url, &second, NULL), FB_OK);
    assert_int_equal(count_temporaries(f), 1);
    assert_int_equal(origin_put_commit(object), FB_OK);
    assert_int_equal(stat_of(f, "key"), FB_OK);
    origin_objects_close(second);
}

static void an_unknown_store_is_named_in_the_sentence(void **state)
{
    (void)state;
    struct origin_objects *objects = NULL;
    struct fb_diag diag;

    assert_int_equal(open_url("ftp:x", &objects, &diag), FB_E_UNSUPPORTED);
    assert_non_null(strstr(diag.text, "ftp:x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_committed_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unfinished_object_is_invisible, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_than_was_declared_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_that_could_leave_the_folder_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(folders_and_links_are_no_objects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_is_moved_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removal_takes_what_is_under_a_prefix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(opening_sweeps_what_a_crash_left_and_nothing_else, set_up,
                                        tear_down),
        cmocka_unit_test(an_unknown_store_is_named_in_the_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
