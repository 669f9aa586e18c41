#include "base/core/attr.h"
#include "base/core/machine.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { OPEN, SHUT, GONE };

static const struct fb_state states[] = {
    [OPEN] = {"open", FB_TO(SHUT) | FB_TO(GONE)},
    [SHUT] = {"shut", FB_TO(OPEN)},
    [GONE] = {"gone", 0},
};

static void moves_in_the_table_are_made(void **state)
{
    (void)state;
    struct fb_machine machine;
    fb_machine_init(&machine, states, OPEN);
    assert_string_equal(fb_machine_name(&machine), "open");
    fb_machine_move(&machine, SHUT);
    assert_string_equal(fb_machine_name(&machine), "shut");
    fb_machine_move(&machine, OPEN);
    fb_machine_move(&machine, GONE);
    assert_int_equal(machine.state, GONE);
}

/* True if moving from one state to another ends the process. */
static bool move_aborts(unsigned from, unsigned to)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct fb_machine machine;
        close(STDERR_FILENO); /* what it would say is expected */
        (void)signal(SIGABRT, SIG_DFL);
        fb_machine_init(&machine, states, from);
        fb_machine_move(&machine, to);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void moves_outside_the_table_end_the_process(void **state)
{
    (void)state;
    assert_true(move_aborts(SHUT, GONE));
    assert_true(move_aborts(GONE, OPEN));
    assert_true(move_aborts(OPEN, OPEN));
    assert_true(move_aborts(OPEN, 32));
    assert_false(move_aborts(OPEN, SHUT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_in_the_table_are_made),
        cmocka_unit_test(moves_outside_the_table_end_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
