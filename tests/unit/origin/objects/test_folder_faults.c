/*
 * A folder on a disk that fails: each call to the kernel in turn, and nothing is lost, half there
 * or left over.
 */
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
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a kernel that fails ---------------------------------------------------------------- */

static struct {
    int countdown; /* of calls that go well first; negative: all do */
    int number;    /* errno of the one that fails */
    bool has_failed;
} fault = {.countdown = -1};

static bool fails_now(void)
{
    if (fault.countdown < 0 || fault.countdown-- > 0) {
        return false;
    }
    fault.has_failed = true;
    errno = fault.number;
    return true;
}

/* In place of the C library's, for whatever this program is linked from. */
ssize_t writev(int fd, const struct iovec *iov, int n)
{
    return fails_now() ? -1 : syscall(SYS_writev, fd, iov, n);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    return fails_now() ? -1 : syscall(SYS_write, fd, bytes, n);
}

int fsync(int fd)
{
    return fails_now() ? -1 : (int)syscall(SYS_fsync, fd);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return fails_now() ? -1 : (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}

int mkdirat(int fd, const char *path, mode_t mode)
{
    return fails_now() ? -1 : (int)syscall(SYS_mkdirat, fd, path, mode);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t n,
                        unsigned flags)
{
    return fails_now() ? -1 : syscall(SYS_copy_file_range, from, from_at, to, to_at, n, flags);
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    return fails_now() ? -1 : (int)syscall(SYS_fallocate, fd, mode, at, n);
}

/* ---- what is done ------------------------------------------------------------------------- */

struct fixture {
    struct test_folder folder;
    struct origin_objects *objects;
    char root[TEST_PATH_MAX + 16];
};

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);
    char url[TEST_PATH_MAX + 32];

    f->folder = test_folder_new();
    (void)snprintf(f->root, sizeof(f->root), "%s/objects", f->folder.path);
    (void)snprintf(url, sizeof(url), "file:%s", f->root);
    assert_int_equal(origin_objects_open(&(struct origin_objects_options){.url = fb_str_from(url)},
                                         &f->objects, NULL),
                     FB_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fault.countdown = -1;
    origin_objects_close(f->objects);
    test_folder_done(&f->folder);
    fb_free(f);
    return 0;
}

static size_t count_in(const struct fixture *f, const char *name)
{
    char path[TEST_PATH_MAX + 32];
    size_t n = 0;

    (void)snprintf(path, sizeof(path), "%s/%s", f->root, name);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        n += entry->d_name[0] != '.';
    }
    closedir(dir);
    return n;
}

static bool holds(const struct fixture *f, const char *key, struct fb_str want)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};

    int err = origin_objects_get_bytes(f->objects, fb_str_from(key), 100, &bytes);
    assert_true(err == FB_OK || err == FB_E_NOT_FOUND);
    if (err == FB_OK) {
        assert_true(fb_str_equal(fb_buf_str(&bytes), want)); /* whole, or not there */
    }
    return err == FB_OK;
}

static int put_object(struct fixture *f)
{
    return origin_objects_put_bytes(f->objects, FB_STR("deep/down/key"), FB_STR("bytes"));
}

static int put_part(struct fixture *f, const char *id, uint32_t number)
{
    struct fb_str piece = FB_STR("part.");
    struct origin_put *put = NULL;

    int err = origin_multipart_part(f->objects, FB_STR("deep/up"), fb_str_from(id), number,
                                    piece.len, &put);
    if (err < 0) {
        return err;
    }
    err = origin_put_write(put, &piece, 1);
    if (err < 0) {
        origin_put_abort(put);
        return err;
    }
    return origin_put_commit_part(put, FB_STR("etag"), NULL);
}

static int complete(struct fixture *f, const char *id)
{
    const struct origin_part_name names[] = {{1, FB_STR("etag")}, {2, FB_STR("etag")}};

    return origin_multipart_complete(f->objects, FB_STR("deep/up"), fb_str_from(id), names, 2);
}

/* Fails the n-th call of `act`, for each n until none is left to fail, with `number`; `check` looks
 * at what came of it. */
static void sweep(struct fixture *f, int number, int (*act)(struct fixture *f),
                  void (*check)(struct fixture *f, int err))
{
    for (int n = 0;; n++) {
        assert_true(n < 100);
        fault.has_failed = false;
        fault.number = number;
        fault.countdown = n;
        int err = act(f);
        fault.countdown = -1;
        assert_int_equal(count_in(f, ".tmp"), 0);
        check(f, err);
        assert_int_equal(origin_objects_remove_prefix(f->objects, FB_STR("deep")), FB_OK);
        if (!fault.has_failed) {
            assert_int_equal(err, FB_OK);
            assert_true(n > 2); /* or the kernel that fails is not in place */
            return;
        }
    }
}

/* A file system that cannot reserve room is no failure; what is durable too late is both. */
static void check_object(struct fixture *f, int err)
{
    bool is_there = holds(f, "deep/down/key", FB_STR("bytes"));

    assert_true(err == FB_OK || err == -fault.number);
    assert_true(is_there || err < 0);
}

static void a_put_that_fails_leaves_nothing_half(void **state)
{
    static const int numbers[] = {ENOSPC, EIO, EDQUOT, EROFS};

    for (size_t i = 0; i < FB_ARRAY_LEN(numbers); i++) {
        sweep(*state, numbers[i], put_object, check_object);
    }
}

static int act_multipart(struct fixture *f)
{
    char id[ORIGIN_MULTIPART_ID_MAX + 1];

    int err = origin_multipart_begin(f->objects, FB_STR("deep/up"), id);
    if (err < 0) {
        return err;
    }
    if ((err = put_part(f, id, 1)) < 0 || (err = put_part(f, id, 2)) < 0 ||
        (err = complete(f, id)) < 0) {
        fault.countdown = -1;
        /* Whatever failed can be done again, unless all had been done. */
        if (!holds(f, "deep/up", FB_STR("part.part."))) {
            assert_int_equal(put_part(f, id, 1), FB_OK);
            assert_int_equal(put_part(f, id, 2), FB_OK);
            assert_int_equal(complete(f, id), FB_OK);
        }
        assert_int_equal(origin_multipart_abort(f->objects, FB_STR("deep/up"), fb_str_from(id)),
                         FB_OK);
    }
    return err;
}

static void check_multipart(struct fixture *f, int err)
{
    struct origin_multipart items[4];
    size_t n = 0;

    assert_int_equal(origin_multipart_list(f->objects, INT64_MAX, items, 4, &n), FB_OK);
    for (size_t i = 0; i < n; i++) { /* one that nobody was told of: swept once it is old */
        assert_true(err < 0);
        assert_int_equal(
            origin_multipart_abort(f->objects, fb_str_from(items[i].key), fb_str_from(items[i].id)),
            FB_OK);
    }
    assert_int_equal(count_in(f, ".parts"), 0);
    (void)holds(f, "deep/up", FB_STR("part.part."));
}

static void a_multipart_that_fails_can_be_gone_on_with(void **state)
{
    sweep(*state, ENOSPC, act_multipart, check_multipart);
    sweep(*state, EIO, act_multipart, check_multipart);
}

static void act_file_check(struct fixture *f, int err)
{
    (void)f;
    assert_true(err == FB_OK || err == -fault.number);
}

static int act_file(struct fixture *f)
{
    char path[TEST_PATH_MAX + 32];
    int countdown = fault.countdown;

    (void)snprintf(path, sizeof(path), "%s/made", f->folder.path);
    fault.countdown = -1;
    assert_int_equal(fb_file_write(AT_FDCWD, path, FB_STR("made"), 0600, NULL), FB_OK);
    fault.countdown = countdown;
    int err = origin_objects_put_file(f->objects, FB_STR("deep/made"), path, NULL);
    fault.countdown = -1;
    bool is_there = holds(f, "deep/made", FB_STR("made"));
    assert_true(is_there || access(path, F_OK) == 0); /* never lost */
    (void)unlink(path);
    return err;
}

static void a_file_that_is_moved_in_is_never_lost(void **state)
{
    sweep(*state, EIO, act_file, act_file_check);
    sweep(*state, ENOSPC, act_file, act_file_check);
}

static void a_file_of_another_file_system_is_copied(void **state)
{
    struct fixture *f = *state;

    /* The first rename is the move itself. */
    for (int n = 0; n < 4; n++) {
        fault.has_failed = false;
        fault.number = EXDEV;
        fault.countdown = n;
        int err = act_file(f);
        fault.countdown = -1;
        if (fault.has_failed) {
            assert_true(err == FB_OK || err == -EXDEV);
        }
        assert_int_equal(origin_objects_remove_prefix(f->objects, FB_STR("deep")), FB_OK);
    }
}

static void what_a_crash_left_of_a_multipart_is_swept(void **state)
{
    struct fixture *f = *state;
    char path[TEST_PATH_MAX + 64];
    char url[TEST_PATH_MAX + 32];

    (void)snprintf(path, sizeof(path), "%s/.tmp/left", f->root);
    assert_int_equal(fb_dir_make(AT_FDCWD, path, 0700), FB_OK);
    (void)snprintf(path, sizeof(path), "%s/.tmp/left/00001", f->root);
    assert_int_equal(fb_file_write(AT_FDCWD, path, FB_STR("left"), 0600, NULL), FB_OK);
    origin_objects_close(f->objects);
    (void)snprintf(url, sizeof(url), "file:%s", f->root);
    assert_int_equal(origin_objects_open(&(struct origin_objects_options){.url = fb_str_from(url)},
                                         &f->objects, NULL),
                     FB_OK);
    assert_int_equal(count_in(f, ".tmp"), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_put_that_fails_leaves_nothing_half),
        CASE(a_multipart_that_fails_can_be_gone_on_with),
        CASE(a_file_that_is_moved_in_is_never_lost),
        CASE(a_file_of_another_file_system_is_copied),
        CASE(what_a_crash_left_of_a_multipart_is_swept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
