#include "base/core/err.h"
#include "base/net/tcp.h"
#include "base/sys/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOBODY = 65534 };

static void what_every_kernel_has_may_be_taken(void **state)
{
    struct fb_diag diag = {0};

    (void)state;
    assert_int_equal(fb_tcp_try_congestion(FB_STR("reno"), &diag), FB_OK);
    assert_int_equal(diag.err, FB_OK);
}

static void what_the_kernel_lacks_is_told_with_what_it_has(void **state)
{
    struct fb_diag diag = {0};

    (void)state;
    assert_int_equal(fb_tcp_try_congestion(FB_STR("no_such_one"), &diag), -ENOENT);
    assert_non_null(strstr(diag.text, "no congestion control 'no_such_one': it offers "));
    assert_non_null(strstr(diag.text, "modprobe tcp_no_such_one"));
    assert_true(strstr(diag.text, "reno") != NULL ||
                strstr(diag.text, "it offers nothing that it tells (") != NULL);
    assert_null(strchr(diag.text, '\n'));
}

/* What an ordinary user is told, in a child that the names are tried in; its exit code. */
enum verdict {
    VERDICT_AS_LISTED,
    VERDICT_NOT_THE_LIST,  /* taken though it is not on the list, or the reverse */
    VERDICT_NOT_THE_ERROR, /* refused with another error */
    VERDICT_NOT_THE_TEXT,  /* refused without the setting */
    VERDICT_STILL_ROOT
};

static struct fb_str first_line(const char *path, struct fb_buf *buf)
{
    struct fb_str list = FB_STR_NONE;

    if (fb_file_read_path(path, 4096, buf, NULL) == FB_OK) {
        list = fb_buf_str(buf);
        list = fb_str_first(list, fb_str_find(list, '\n'));
    }
    return list;
}

static bool has_word(struct fb_str list, struct fb_str wanted)
{
    struct fb_str word = FB_STR_NONE;

    while (fb_str_cut(&list, ' ', &word)) {
        if (fb_str_equal(word, wanted)) {
            return true;
        }
    }
    return false;
}

/* `allowed` is empty where the kernel does not list it: then any name may be. */
static enum verdict try_as_nobody(struct fb_str names, struct fb_str allowed)
{
    struct fb_str name = FB_STR_NONE;

    if (setuid(NOBODY) < 0 && geteuid() == 0) {
        return VERDICT_STILL_ROOT;
    }
    while (fb_str_cut(&names, ' ', &name)) {
        struct fb_diag diag = {0};
        int err = fb_tcp_try_congestion(name, &diag);
        if (allowed.len > 0 && (err == FB_OK) != has_word(allowed, name)) {
            return VERDICT_NOT_THE_LIST;
        }
        if (err < 0 && err != -EPERM) {
            return VERDICT_NOT_THE_ERROR;
        }
        if (err < 0 && strstr(diag.text, "net.ipv4.tcp_allowed_congestion_control has ") == NULL) {
            return VERDICT_NOT_THE_TEXT;
        }
    }
    return VERDICT_AS_LISTED;
}

/* Root may take all of them, so it is tried as somebody else. */
static void what_is_not_for_everybody_is_told_with_the_setting(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf available = {0};
    FB_AUTO(fb_buf_done) struct fb_buf allowed = {0};
    int status = 0;

    (void)state;
    struct fb_str names =
        first_line("/proc/sys/net/ipv4/tcp_available_congestion_control", &available);
    struct fb_str permitted =
        first_line("/proc/sys/net/ipv4/tcp_allowed_congestion_control", &allowed);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        enum verdict verdict = try_as_nobody(names.len > 0 ? names : FB_STR("reno"), permitted);
        _exit((int)verdict);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), VERDICT_AS_LISTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_every_kernel_has_may_be_taken),
        cmocka_unit_test(what_the_kernel_lacks_is_told_with_what_it_has),
        cmocka_unit_test(what_is_not_for_everybody_is_told_with_the_setting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
