#include "base/core/alloc.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/disk/disk.h"
#include "tests/support/test_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 1 << 20, PATH_MAX_HERE = TEST_PATH_MAX + 32 };

struct fixture {
    struct test_folder folder;
    char path[PATH_MAX_HERE];  /* of the volume, absent at first */
    char draft[PATH_MAX_HERE]; /* of what it is before it is whole */
    struct fb_diag diag;
};

static int set_up(void **state)
{
    static struct fixture f;

    f.folder = test_folder_new();
    (void)snprintf(f.path, sizeof(f.path), "%s/volume", f.folder.path);
    (void)snprintf(f.draft, sizeof(f.draft), "%s/volume.new", f.folder.path);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    test_folder_done(&f->folder);
    return 0;
}

static struct fb_disk *open_disk(struct fixture *f, uint64_t size)
{
    struct fb_disk *disk = NULL;
    int err = fb_disk_open(f->path, &(struct fb_disk_options){.size = size}, &disk, &f->diag);

    if (err < 0) {
        fail_msg("%s", f->diag.text);
    }
    return disk;
}

static int open_failing(struct fixture *f, struct fb_disk_options options)
{
    struct fb_disk *disk = NULL;
    int err = fb_disk_open(f->path, &options, &disk, &f->diag);

    assert_null(disk);
    assert_int_equal(f->diag.err, err);
    assert_non_null(strstr(f->diag.text, f->path));
    return err;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* A file of `size` bytes that all are `byte`. */
static void put_file(const char *path, size_t size, char byte)
{
    FB_AUTO(fb_freep) char *bytes = fb_alloc(size);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    memset(bytes, byte, size);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

/* ---- making ------------------------------------------------------------ */

static void a_missing_file_is_made_with_all_its_room(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    struct fb_disk *disk = open_disk(f, SIZE);

    assert_int_equal(fb_disk_size(disk), SIZE);
    assert_string_equal(fb_disk_path(disk), f->path);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, SIZE);
    assert_true(st.st_blocks * 512 >= SIZE);
    assert_false(exists(f->draft));
    fb_disk_close(disk);
}

static void an_empty_file_is_filled(void **state)
{
    struct fixture *f = *state;

    put_file(f->path, 0, 0);
    struct fb_disk *disk = open_disk(f, SIZE);
    assert_int_equal(fb_disk_size(disk), SIZE);
    fb_disk_close(disk);
}

static void a_file_with_something_in_it_stays_as_it_is(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_freep) char *bytes = fb_disk_buffer(2 * FB_DISK_BLOCK);

    put_file(f->path, 2 * FB_DISK_BLOCK + 100, 'x');
    struct fb_disk *disk = open_disk(f, SIZE);
    assert_int_equal(fb_disk_size(disk), 2 * FB_DISK_BLOCK); /* whole blocks */
    assert_int_equal(fb_disk_read_now(disk, 0, bytes, 2 * FB_DISK_BLOCK), FB_OK);
    assert_int_equal(bytes[0], 'x');
    assert_int_equal(bytes[2 * FB_DISK_BLOCK - 1], 'x');
    fb_disk_close(disk);
}

static void a_file_without_a_block_is_no_disk(void **state)
{
    struct fixture *f = *state;

    put_file(f->path, 100, 'x');
    assert_int_equal(open_failing(f, (struct fb_disk_options){.size = SIZE}), FB_E_UNSUPPORTED);
    put_file(f->path, 0, 0);
    assert_int_equal(open_failing(f, (struct fb_disk_options){0}), FB_E_UNSUPPORTED);
}

static void without_a_size_nothing_is_made(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(open_failing(f, (struct fb_disk_options){0}), -ENOENT);
    assert_int_equal(open_failing(f, (struct fb_disk_options){.size = SIZE, .is_read_only = true}),
                     -ENOENT);
    assert_false(exists(f->path));
}

static void without_room_nothing_is_left_behind(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(open_failing(f, (struct fb_disk_options){.size = 1ULL << 52}), -ENOSPC);
    assert_int_equal(open_failing(f, (struct fb_disk_options){.size = UINT64_MAX}), FB_E_LIMIT);
    assert_false(exists(f->path));
    assert_false(exists(f->draft));
    put_file(f->path, 0, 0);
    assert_int_equal(open_failing(f, (struct fb_disk_options){.size = 1ULL << 52}), -ENOSPC);
    assert_true(exists(f->path)); /* it was not we who made it */
}

static void a_rehearsal_tells_what_would_be_made_and_makes_nothing(void **state)
{
    struct fixture *f = *state;
    bool is_made = false;

    assert_int_equal(fb_disk_rehearse(f->path, SIZE, &is_made, NULL), FB_OK);
    assert_true(is_made);
    assert_int_equal(fb_disk_rehearse(f->path, 1ULL << 52, &is_made, &f->diag), -ENOSPC);
    assert_non_null(strstr(f->diag.text, "no room"));
    assert_int_equal(fb_disk_rehearse(f->path, 0, &is_made, NULL), FB_OK);
    assert_false(is_made);
    assert_false(exists(f->path));
    put_file(f->path, 0, 0);
    assert_int_equal(fb_disk_rehearse(f->path, 1ULL << 52, &is_made, NULL), -ENOSPC);
    put_file(f->path, 1, 'x'); /* it keeps its size */
    assert_int_equal(fb_disk_rehearse(f->path, 1ULL << 52, &is_made, NULL), FB_OK);
    assert_false(is_made);
}

static void when_room_cannot_be_taken_nothing_is_left_behind(void **state)
{
    struct fixture *f = *state;
    struct rlimit before;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {SIZE / 2, before.rlim_max};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction old;
    assert_int_equal(sigaction(SIGXFSZ, &ignore, &old), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int err = open_failing(f, (struct fb_disk_options){.size = SIZE});
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(sigaction(SIGXFSZ, &old, NULL), 0);
    assert_int_equal(err, -EFBIG);
    assert_false(exists(f->path));
    assert_false(exists(f->draft));
}

static void what_a_crash_left_half_made_is_used_up(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_freep) char *bytes = fb_disk_buffer(FB_DISK_BLOCK);

    put_file(f->draft, (size_t)2 * SIZE, 'x');
    struct fb_disk *disk = open_disk(f, SIZE);
    assert_int_equal(fb_disk_size(disk), SIZE);
    assert_int_equal(fb_disk_read_now(disk, 0, bytes, FB_DISK_BLOCK), FB_OK);
    assert_int_equal(bytes[0], 0);
    assert_false(exists(f->draft));
    fb_disk_close(disk);
}

static void a_file_in_the_making_is_left_alone(void **state)
{
    struct fixture *f = *state;

    put_file(f->draft, FB_DISK_BLOCK, 'x');
    int fd = open(f->draft, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    int err = fb_disk_open(f->path, &(struct fb_disk_options){.size = SIZE}, NULL, &f->diag);
    assert_int_equal(err, FB_E_BUSY);
    assert_true(exists(f->draft));
    assert_false(exists(f->path));
    close(fd);
}

static void the_folder_must_be_there(void **state)
{
    struct fixture *f = *state;

    (void)snprintf(f->path, sizeof(f->path), "%s/no/volume", f->folder.path);
    assert_int_equal(open_failing(f, (struct fb_disk_options){.size = SIZE}), -ENOENT);
}

/* ---- opening ----------------------------------------------------------- */

static void a_disk_belongs_to_one_who_writes(void **state)
{
    struct fixture *f = *state;
    struct fb_disk *looking = NULL;
    struct fb_disk *disk = open_disk(f, SIZE);

    assert_int_equal(open_failing(f, (struct fb_disk_options){.size = SIZE}), FB_E_BUSY);
    assert_non_null(strstr(f->diag.text, "in use already"));
    assert_int_equal(
        fb_disk_open(f->path, &(struct fb_disk_options){.is_read_only = true}, &looking, NULL),
        FB_OK);
    fb_disk_close(looking);
    fb_disk_close(disk);
    fb_disk_close(open_disk(f, SIZE)); /* closing gave the lock back */
}

static void what_is_neither_file_nor_device_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_equal(open_failing(f, (struct fb_disk_options){.size = SIZE}), FB_E_UNSUPPORTED);
    assert_int_equal(rmdir(f->path), 0);
    assert_int_equal(mkfifo(f->path, 0600), 0);
    assert_int_equal(open_failing(f, (struct fb_disk_options){.size = SIZE}), FB_E_UNSUPPORTED);
}

static void links_are_followed(void **state)
{
    struct fixture *f = *state;
    char target[PATH_MAX_HERE];

    (void)snprintf(target, sizeof(target), "%s/target", f->folder.path);
    put_file(target, SIZE, 'x');
    assert_int_equal(symlink("target", f->path), 0);
    struct fb_disk *disk = open_disk(f, 0);
    assert_int_equal(fb_disk_size(disk), SIZE);
    assert_true(fb_disk_is_present(disk));
    fb_disk_close(disk);
}

static void the_page_cache_is_used_when_asked_for(void **state)
{
    struct fixture *f = *state;
    struct fb_disk *disk = NULL;

    put_file(f->path, SIZE, 'x');
    assert_int_equal(
        fb_disk_open(f->path, &(struct fb_disk_options){.is_buffered = true}, &disk, NULL), FB_OK);
    assert_false(fb_disk_is_direct(disk));
    fb_disk_close(disk);
}

/* ---- using ------------------------------------------------------------- */

static void a_disk_is_present_while_its_path_names_it(void **state)
{
    struct fixture *f = *state;
    struct fb_disk *disk = open_disk(f, SIZE);
    char away[PATH_MAX_HERE];

    (void)snprintf(away, sizeof(away), "%s/away", f->folder.path);
    assert_true(fb_disk_is_present(disk));
    assert_int_equal(rename(f->path, away), 0);
    assert_false(fb_disk_is_present(disk));
    put_file(f->path, SIZE, 'y');
    assert_false(fb_disk_is_present(disk));
    assert_int_equal(rename(away, f->path), 0);
    assert_true(fb_disk_is_present(disk));
    fb_disk_close(disk);
}

static void what_was_written_is_read(void **state)
{
    struct fixture *f = *state;
    enum { N = 64 * FB_DISK_BLOCK };
    FB_AUTO(fb_freep) char *out = fb_disk_buffer(N);
    FB_AUTO(fb_freep) char *in = fb_disk_buffer(N);
    struct fb_disk *disk = open_disk(f, SIZE);

    for (size_t i = 0; i < N; i++) {
        out[i] = (char)(i * 13 % 127);
    }
    assert_int_equal(fb_disk_write_now(disk, SIZE - N, out, N), FB_OK);
    assert_int_equal(fb_disk_sync_now(disk), FB_OK);
    assert_int_equal(fb_disk_read_now(disk, SIZE - N, in, N), FB_OK);
    assert_memory_equal(in, out, N);
    fb_disk_close(disk);
}

static void past_the_end_there_is_nothing(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_freep) char *bytes = fb_disk_buffer((size_t)2 * FB_DISK_BLOCK);
    struct fb_disk *disk = open_disk(f, SIZE);

    memset(bytes, 0, (size_t)2 * FB_DISK_BLOCK);
    assert_int_equal(fb_disk_read_now(disk, SIZE, bytes, FB_DISK_BLOCK), FB_E_CLOSED);
    assert_int_equal(
        fb_disk_write_now(disk, SIZE - FB_DISK_BLOCK, bytes, (size_t)2 * FB_DISK_BLOCK),
        FB_E_CLOSED);
    fb_disk_close(disk);
}

static void who_only_looks_cannot_write(void **state)
{
    struct fixture *f = *state;
    struct fb_disk *disk = NULL;
    FB_AUTO(fb_freep) char *bytes = fb_disk_buffer(FB_DISK_BLOCK);

    memset(bytes, 0, FB_DISK_BLOCK);
    put_file(f->path, SIZE, 'x');
    assert_int_equal(
        fb_disk_open(f->path, &(struct fb_disk_options){.is_read_only = true}, &disk, NULL), FB_OK);
    assert_int_equal(fb_disk_write_now(disk, 0, bytes, FB_DISK_BLOCK), -EBADF);
    assert_int_equal(fb_disk_read_now(disk, 0, bytes, FB_DISK_BLOCK), FB_OK);
    fb_disk_close(disk);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_missing_file_is_made_with_all_its_room),
        TEST(an_empty_file_is_filled),
        TEST(a_file_with_something_in_it_stays_as_it_is),
        TEST(a_file_without_a_block_is_no_disk),
        TEST(without_a_size_nothing_is_made),
        TEST(without_room_nothing_is_left_behind),
        TEST(a_rehearsal_tells_what_would_be_made_and_makes_nothing),
        TEST(when_room_cannot_be_taken_nothing_is_left_behind),
        TEST(what_a_crash_left_half_made_is_used_up),
        TEST(a_file_in_the_making_is_left_alone),
        TEST(the_folder_must_be_there),
        TEST(a_disk_belongs_to_one_who_writes),
        TEST(what_is_neither_file_nor_device_is_refused),
        TEST(links_are_followed),
        TEST(the_page_cache_is_used_when_asked_for),
        TEST(a_disk_is_present_while_its_path_names_it),
        TEST(what_was_written_is_read),
        TEST(past_the_end_there_is_nothing),
        TEST(who_only_looks_cannot_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
