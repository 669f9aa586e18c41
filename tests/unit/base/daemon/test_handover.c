/* Hands sockets over to this very program, started anew: what it does then, its argument says. */
#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/daemon/handover.h"
#include "base/net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000, EXIT_GOOD = 7, N_WORDS = FB_HANDOVER_WORDS_MAX };

/* ---- the new process ------------------------------------------------------- */

/* So much that one message does not hold it. */
static void tell(struct fb_buf *words)
{
    for (unsigned i = 0; i < N_WORDS; i++) {
        fb_buf_append_byte(words, (char)i);
    }
}

static bool are_told(const struct fb_buf *words)
{
    FB_AUTO(fb_buf_done) struct fb_buf wanted = {0};

    tell(&wanted);
    return fb_str_equal(fb_buf_str(words), fb_buf_str(&wanted));
}

static int heir_main(const char *part)
{
    struct fb_sockets sockets = {0};
    struct fb_address address;
    struct fb_diag diag = {0};
    struct fb_heir heir;
    FB_AUTO(fb_buf_done) struct fb_buf words = {0};

    if (strcmp(part, "dies") == 0) {
        (void)raise(SIGKILL);
    }
    if (fb_heir_receive(&heir, &sockets, &words, &diag) < 0 || heir.fd == 0) {
        return 1;
    }
    if (!are_told(&words)) {
        return 8;
    }
    if (strcmp(part, "refuses") == 0) {
        fb_heir_refuse(&heir, true, "line 3 is wrong");
        return 2;
    }
    if (strcmp(part, "is silent") == 0) {
        fb_heir_wait_free(&heir);
    }
    if (fb_heir_be_ready(&heir, PATIENCE_MS, &diag) < 0) {
        return 3;
    }
    if (strcmp(part, "breaks") == 0) {
        fb_heir_refuse(&heir, false, "no more threads");
        return 4;
    }
    fb_heir_take(&heir, PATIENCE_MS);
    bool was_quiet = heir.is_quiet && !heir.is_free;
    fb_heir_wait_free(&heir);
    if (fb_address_parse(fb_str_from(part), &address, NULL) < 0) {
        return 6;
    }
    int fd = fb_sockets_take(&sockets, &address);
    bool is_one = fd >= 0 && sockets.n == 1; /* the other one is left */
    (void)close(fd);
    fb_sockets_done(&sockets);
    fb_heir_done(&heir);
    return was_quiet && is_one ? EXIT_GOOD : 5;
}

/* ---- the old process ------------------------------------------------------- */

struct fixture {
    struct fb_handover *handover;
    struct fb_sockets sockets;
    struct fb_diag diag;
};

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    assert_int_equal(fb_handover_new(&f->handover), FB_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_handover_kill(f->handover);
    fb_handover_free(f->handover);
    fb_sockets_done(&f->sockets);
    fb_free(f);
    return 0;
}

static int start(struct fixture *f, const char *part, uint32_t timeout_ms)
{
    char program[] = "/proc/self/exe";
    char name[64];
    char *argv[] = {program, name, NULL};
    FB_AUTO(fb_buf_done) struct fb_buf words = {0};

    (void)snprintf(name, sizeof(name), "%s", part);
    tell(&words);
    const struct fb_handover_gift gift = {.sockets = &f->sockets, .words = fb_buf_str(&words)};
    return fb_handover_start(f->handover, argv, &gift, timeout_ms, &f->diag);
}

/* A socket that listens, and its address as text. */
static void add_socket(struct fixture *f, char text[FB_ADDRESS_TEXT_MAX])
{
    struct fb_address bound = {.len = sizeof(bound.storage)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(listen(fd, 1), 0); /* on a port of the kernel's choice */
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound.storage, &bound.len), 0);
    (void)fb_address_text(&bound, text);
    assert_int_equal(fb_sockets_add(&f->sockets, fd), FB_OK);
}

static void the_new_process_gets_the_sockets_and_hears_all(void **state)
{
    struct fixture *f = *state;
    char first[FB_ADDRESS_TEXT_MAX];
    char second[FB_ADDRESS_TEXT_MAX];
    int status = 0;

    add_socket(f, first);
    add_socket(f, second);
    assert_int_equal(start(f, second, PATIENCE_MS), FB_OK);
    pid_t pid = fb_handover_pid(f->handover);
    assert_true(pid > 0);
    assert_int_equal(fb_handover_go(f->handover, PATIENCE_MS, &f->diag), FB_OK);
    fb_handover_tell_quiet(f->handover);
    fb_handover_tell_free(f->handover);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_GOOD);
}

static void a_refusal_is_told_with_its_reason(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(start(f, "refuses", PATIENCE_MS), FB_E_DENIED);
    assert_string_equal(f->diag.text, "line 3 is wrong");
}

static void one_that_breaks_after_it_was_ready_is_no_loss(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(start(f, "breaks", PATIENCE_MS), FB_OK);
    assert_int_equal(fb_handover_go(f->handover, PATIENCE_MS, &f->diag), FB_E_UNAVAILABLE);
    assert_string_equal(f->diag.text, "no more threads");
}

static void one_that_dies_is_noticed(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(start(f, "dies", PATIENCE_MS), FB_E_CLOSED);
    assert_string_equal(f->diag.text, "the new process ended before it was ready");
}

static void one_that_says_nothing_is_not_waited_for(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(start(f, "is silent", 1), FB_E_TIMEOUT);
    pid_t pid = fb_handover_pid(f->handover);
    fb_handover_kill(f->handover);
    assert_int_equal(fb_handover_pid(f->handover), 0);
    assert_int_equal(waitpid(pid, NULL, 0), -1);
    assert_int_equal(errno, ECHILD);
}

static void a_wait_can_be_interrupted(void **state)
{
    struct fixture *f = *state;

    fb_handover_interrupt(f->handover);
    int err = start(f, "is silent", PATIENCE_MS);
    assert_true(err == FB_E_CLOSED);
}

static void a_program_that_is_not_there_is_named(void **state)
{
    struct fixture *f = *state;
    char program[] = "/nowhere/at/all";
    char *argv[] = {program, NULL};

    const struct fb_handover_gift gift = {.sockets = &f->sockets};
    int err = fb_handover_start(f->handover, argv, &gift, PATIENCE_MS, &f->diag);
    assert_int_equal(err, -ENOENT);
    assert_non_null(strstr(f->diag.text, "/nowhere/at/all"));
}

static void who_was_started_by_nobody_is_nobodys_heir(void **state)
{
    struct fb_sockets sockets = {0};
    struct fb_buf words = {0};
    struct fb_heir heir;

    (void)state;
    assert_int_equal(fb_heir_receive(&heir, &sockets, &words, NULL), FB_OK);
    assert_int_equal(heir.fd, 0);
    fb_heir_done(&heir);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return heir_main(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_new_process_gets_the_sockets_and_hears_all, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_is_told_with_its_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_breaks_after_it_was_ready_is_no_loss, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_dies_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_says_nothing_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wait_can_be_interrupted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_program_that_is_not_there_is_named, set_up, tear_down),
        cmocka_unit_test(who_was_started_by_nobody_is_nobodys_heir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
