/*
 * A child between fork and exec. The parent has threads: whatever they held, memory's
 * locks among it, is held here for ever. So: system calls, and what stands in the plan.
 */
#include "base/core/err.h"
#include "origin/confine/confine_internal.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/ioprio.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

enum { EXIT_NOT_CONFINED = 125, EXIT_NOT_STARTED = 126, NICENESS = 19 };

/* Says which step failed, with errno, and ends. */
FB_NORETURN static void child_fail(const char *step, int code)
{
    char number[8] = "      \n";
    int left = errno;

    for (size_t i = 5; i > 0 && left > 0; i--) {
        number[i] = (char)('0' + left % 10);
        left /= 10;
    }
    (void)!write(STDERR_FILENO, step, strlen(step));
    (void)!write(STDERR_FILENO, number, sizeof(number) - 1);
    _exit(code);
}

static void child_require(long result, const char *step)
{
    if (result < 0) {
        child_fail(step, EXIT_NOT_CONFINED);
    }
}

/* No handler, nothing ignored, nothing blocked. */
static void child_reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int i = 1; i < SIGRTMAX; i++) {
        (void)sigaction(i, &action, NULL); /* two cannot be handled anyway */
    }
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

bool origin_confine_unshare(void)
{
    return unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0 ||
           unshare(CLONE_NEWNET | CLONE_NEWIPC) == 0;
}

/* Who may not give them up had better have none. */
static void child_drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3] = {{0}};

    if (syscall(SYS_capset, &header, none) < 0) {
        child_require(syscall(SYS_capget, &header, have), "see capabilities");
        for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
            child_require(have[i].permitted == 0 ? 0 : -1, "drop capabilities");
        }
    }
}

static void child_step_back(void)
{
    struct sched_param param = {.sched_priority = 0};

    (void)setpriority(PRIO_PROCESS, 0, NICENESS);
    (void)sched_setscheduler(0, SCHED_BATCH, &param);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
                  IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, IOPRIO_BE_NR - 1));
}

static void child_set_filter(struct confine_plan *plan)
{
    struct sock_fprog program = {.len = plan->n_filter, .filter = plan->filter};
    uint32_t own = (uint32_t)getpid();

    for (unsigned i = 0; i < plan->n_filter; i++) {
        if (plan->filter[i].k == CONFINE_OWN_PID) {
            plan->filter[i].k = own;
        }
    }
    child_require(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "bound system calls");
}

void origin_confine_become(struct confine_plan *plan)
{
    child_reset_signals();
    for (int i = 0; i < 3; i++) {
        child_require(dup2(plan->fds[i], i), "take a descriptor");
    }
    (void)setsid(); /* what a terminal sends to the parent is not for the child */
    (void)origin_confine_unshare();
    /* After the namespaces, which forget it. */
    child_require(prctl(PR_SET_PDEATHSIG, SIGKILL), "end with the parent");
    if (getppid() != plan->parent) {
        _exit(EXIT_NOT_STARTED);
    }
    if (plan->is_background) {
        child_step_back();
    }
    child_require(chdir(plan->folder), "enter the folder");
    child_drop_capabilities();
    child_require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "forgo privileges");
    for (unsigned i = 0; i < plan->n_rlimits; i++) {
        struct rlimit limit = {plan->rlimits[i].soft, plan->rlimits[i].hard};
        child_require(syscall(SYS_prlimit64, 0, plan->rlimits[i].resource, &limit, NULL),
                      "set a limit");
    }
    if (plan->ruleset >= 0) {
        child_require(syscall(SYS_landlock_restrict_self, plan->ruleset, 0), "bound files");
    }
    child_require(syscall(SYS_close_range, 3U, ~0U, 0U), "close descriptors");
    child_set_filter(plan);
    (void)execve(plan->program, plan->argv, plan->environment);
    child_fail("start the program", EXIT_NOT_STARTED);
}
