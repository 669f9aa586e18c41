#include "base/core/err.h"
#include "base/sys/file.h"
#include "base/sys/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char path[64];
    int dir;
};

static void must(int result)
{
    assert_int_equal(result, FB_OK);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    (void)strcpy(f->path, "/tmp/fb-sys-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    must(fb_file_open(AT_FDCWD, f->path, O_RDONLY | O_DIRECTORY, 0, &f->dir));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fb_fd_done(&f->dir);
    must(fb_dir_remove(AT_FDCWD, f->path));
    assert_int_equal(access(f->path, F_OK), -1);
    free(f);
    return 0;
}

static unsigned n_names(const struct fixture *f)
{
    DIR *dir = opendir(f->path);
    unsigned n = 0;
    while (readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n - 2;
}

static void assert_content(const struct fixture *f, const char *name, const char *text)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    must(fb_file_read(f->dir, name, 1024, &bytes, NULL));
    assert_string_equal(bytes.ptr, text);
}

static void what_is_written_reads_back(void **state)
{
    struct fixture *f = *state;
    must(fb_file_write(f->dir, "a", FB_STR("one"), 0640, NULL));
    must(fb_file_write(f->dir, "a", FB_STR("two!"), 0640, NULL));
    must(fb_file_write(f->dir, "empty", FB_STR_NONE, 0600, NULL));
    assert_content(f, "a", "two!");
    assert_content(f, "empty", "");
    assert_int_equal(n_names(f), 2); /* no draft is left */

    struct stat st;
    assert_int_equal(fstatat(f->dir, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777 & ~0640U, 0);
    FB_AUTO(fb_fd_done) int fd = -1;
    uint64_t size = 0;
    must(fb_file_open(f->dir, "a", O_RDONLY, 0, &fd));
    must(fb_file_size(fd, &size));
    assert_int_equal(size, 4);
}

static void file_over_the_bound_is_refused(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    struct fb_diag diag = {0};
    must(fb_file_write(f->dir, "a", FB_STR("12345"), 0600, NULL));
    assert_int_equal(fb_file_read(f->dir, "a", 4, &bytes, &diag), FB_E_LIMIT);
    assert_string_equal(diag.text, "'a' is longer than 4 bytes");
    assert_null(bytes.ptr);
    must(fb_file_read(f->dir, "a", 5, &bytes, &diag));
}

static void failures_are_told_with_the_name(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    struct fb_diag diag = {0};
    assert_int_equal(fb_file_read(f->dir, "none", 4, &bytes, &diag), -ENOENT);
    assert_string_equal(diag.text, "open 'none': No such file or directory");
    assert_int_equal(fb_file_write(f->dir, "no/where", FB_STR("x"), 0600, &diag), -ENOENT);
    assert_string_equal(diag.text, "write 'no/where': No such file or directory");
    must(fb_dir_make(f->dir, "d", 0700));
    assert_int_equal(fb_file_read(f->dir, "d", 4, &bytes, &diag), -EISDIR);
}

static void links_are_followed_only_for_persons(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    char path[96];
    must(fb_file_write(f->dir, "a", FB_STR("x"), 0600, NULL));
    assert_int_equal(symlinkat("a", f->dir, "link"), 0);
    assert_int_equal(fb_file_read(f->dir, "link", 4, &bytes, NULL), -ELOOP);
    (void)snprintf(path, sizeof(path), "%s/link", f->path);
    must(fb_file_read_path(path, 4, &bytes, NULL));
    assert_string_equal(bytes.ptr, "x");
}

static void pipe_reads_to_its_end(void **state)
{
    (void)state;
    int fds[2];
    char path[32];
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    must(fb_fd_write(fds[1], FB_STR("piped")));
    close(fds[1]);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
    must(fb_file_read_path(path, 16, &bytes, NULL));
    assert_string_equal(bytes.ptr, "piped");
    close(fds[0]);
}

static void draft_that_is_given_up_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    {
        FB_AUTO(fb_draft_done) struct fb_draft draft = FB_DRAFT_NONE;
        must(fb_draft_open(f->dir, "a", 0600, &draft));
        must(fb_fd_write(draft.fd, FB_STR("half")));
        assert_int_equal(n_names(f), 1);
    }
    assert_int_equal(n_names(f), 0);
}

static void draft_that_cannot_be_published_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct fb_draft draft = FB_DRAFT_NONE;
    must(fb_dir_make(f->dir, "a/b", 0700));
    must(fb_draft_open(f->dir, "a", 0600, &draft));
    assert_int_equal(fb_draft_publish(&draft, "a"), -EISDIR);
    assert_int_equal(draft.fd, -1);
    assert_int_equal(n_names(f), 1);

    static char name[FB_DRAFT_NAME_MAX + 1];
    memset(name, 'x', sizeof(name) - 1);
    name[200] = '/';
    name[220] = '/'; /* so that the draft's own name would be cut */
    name[250] = '/';
    assert_int_equal(fb_draft_open(f->dir, name, 0600, &draft), -ENAMETOOLONG);
}

static void folders_are_made_with_those_above(void **state)
{
    struct fixture *f = *state;
    must(fb_dir_make(f->dir, "a/b//c/", 0700));
    must(fb_dir_make(f->dir, "a/b/c", 0700));
    must(fb_file_write(f->dir, "a/b/c/file", FB_STR("x"), 0600, NULL));
    must(fb_dir_sync(f->dir, "a/b/c"));
    assert_int_equal(fb_dir_make(f->dir, "a/b/c/file", 0700), -ENOTDIR);
    assert_int_equal(fb_dir_make(f->dir, "a/b/c/file/d", 0700), -ENOTDIR);
    assert_int_equal(fb_dir_make(f->dir, "", 0700), -ENOENT);
}

static void tree_is_removed_without_following_links(void **state)
{
    struct fixture *f = *state;
    must(fb_dir_make(f->dir, "keep", 0700));
    must(fb_file_write(f->dir, "keep/file", FB_STR("x"), 0600, NULL));
    must(fb_dir_make(f->dir, "go/a/b", 0700));
    must(fb_file_write(f->dir, "go/a/file", FB_STR("x"), 0600, NULL));
    assert_int_equal(symlinkat("../../keep", f->dir, "go/a/link"), 0);
    must(fb_dir_remove(f->dir, "go"));
    must(fb_dir_remove(f->dir, "go"));
    assert_content(f, "keep/file", "x");

    assert_int_equal(symlinkat("keep", f->dir, "link"), 0);
    must(fb_dir_remove(f->dir, "link"));
    assert_content(f, "keep/file", "x");
    must(fb_dir_remove(f->dir, "keep/file"));
    assert_int_equal(n_names(f), 1);
}

static int use_of(const struct fixture *f, const char *name, enum fb_file_use use)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", f->path, name);
    return fb_file_check_use(path, use, NULL);
}

static void what_a_path_can_be_used_for_is_told_and_nothing_made(void **state)
{
    const struct fixture *f = *state;

    must(fb_file_write(f->dir, "file", FB_STR("x"), 0600, NULL));
    must(fb_dir_make(f->dir, "folder", 0700));
    assert_int_equal(use_of(f, "file", FB_FILE_READ), FB_OK);
    assert_int_equal(use_of(f, "none", FB_FILE_READ), -ENOENT);
    assert_int_equal(use_of(f, "folder", FB_FILE_READ), -EISDIR);
    assert_int_equal(use_of(f, "file", FB_FILE_APPEND), FB_OK);
    assert_int_equal(use_of(f, "new", FB_FILE_APPEND), FB_OK);
    assert_int_equal(use_of(f, "none/new", FB_FILE_APPEND), -ENOENT);
    assert_int_equal(use_of(f, "file/new", FB_FILE_APPEND), -ENOTDIR);
    assert_int_equal(use_of(f, "folder", FB_FILE_FOLDER), FB_OK);
    assert_int_equal(use_of(f, "folder/new///", FB_FILE_FOLDER), FB_OK);
    assert_int_equal(use_of(f, "none/new", FB_FILE_FOLDER), -ENOENT);
    assert_int_equal(use_of(f, "file", FB_FILE_FOLDER), -ENOTDIR);
    assert_int_equal(fb_file_check_use("/", FB_FILE_APPEND, NULL), -EISDIR);
    assert_int_equal(n_names(f), 2);
}

static void random_bytes_differ(void **state)
{
    (void)state;
    char a[1000] = {0};
    char b[1000] = {0};
    fb_random_bytes(a, sizeof(a));
    fb_random_bytes(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_true(fb_random_u64() != fb_random_u64());
    fb_random_bytes(a, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_reads_back),
        TEST(file_over_the_bound_is_refused),
        TEST(failures_are_told_with_the_name),
        TEST(links_are_followed_only_for_persons),
        TEST(pipe_reads_to_its_end),
        TEST(draft_that_is_given_up_leaves_nothing),
        TEST(draft_that_cannot_be_published_leaves_nothing),
        TEST(folders_are_made_with_those_above),
        TEST(tree_is_removed_without_following_links),
        TEST(what_a_path_can_be_used_for_is_told_and_nothing_made),
        TEST(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
