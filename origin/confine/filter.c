/*
 * What a child may ask of the kernel.
 *
 * All else is answered ENOSYS: libraries then do without, as on an older kernel.
 */
#include "base/core/alloc.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/confine/confine_internal.h"

#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { FILTER_MAX = 4096 }; /* instructions; the kernel's own limit */

static const char *const allowed[] = {
    /* files: which, Landlock says */
    "read",
    "readv",
    "pread64",
    "preadv",
    "write",
    "writev",
    "pwrite64",
    "close",
    "lseek",
    "fstat",
    "stat",
    "lstat",
    "newfstatat",
    "statx",
    "fstatfs",
    "access",
    "faccessat",
    "faccessat2",
    "open",
    "openat",
    "getdents64",
    "getcwd",
    "readlink",
    "readlinkat",
    "mkdir",
    "mkdirat",
    "unlink",
    "unlinkat",
    "rmdir",
    "rename",
    "renameat",
    "renameat2",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "fadvise64",
    "dup",
    "dup2",
    "dup3",
    "fcntl",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "umask",
    /* memory */
    "mmap",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    "mincore",
    "brk",
    /* threads of its own (clone is below) */
    "futex",
    "futex_waitv",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "membarrier",
    "set_tid_address",
    "arch_prctl",
    "sched_yield",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "getcpu",
    "exit",
    "exit_group",
    "restart_syscall",
    /* signals within */
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "sigaltstack",
    /* time and chance */
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "clock_nanosleep",
    "nanosleep",
    "getrandom",
    /* who and where it is */
    "getpid",
    "gettid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "uname",
    "sysinfo",
    "getrusage",
    "times",
    "getrlimit",
    /* the program itself; and still less, if it likes */
    "execve",
    "seccomp",
    "landlock_create_ruleset",
    "landlock_add_rule",
    "landlock_restrict_self",
};

static int filter_add_plain(scmp_filter_ctx ctx)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(allowed); i++) {
        int number = seccomp_syscall_resolve_name(allowed[i]);
        if (number == __NR_SCMP_ERROR) {
            continue; /* a call of other architectures, or of newer kernels */
        }
        int err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0);
        /* -EDOM: of other architectures alone. */
        if (err < 0 && err != -EDOM) {
            return err;
        }
    }
    return FB_OK;
}

/* Calls of which only one use is harmless. */
static int filter_add_bounded(scmp_filter_ctx ctx)
{
    static const unsigned options[] = {PR_SET_NAME,         PR_GET_NAME,    PR_GET_DUMPABLE,
                                       PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_VMA};
    const struct scmp_arg_cmp is_thread = {0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD};
    const struct scmp_arg_cmp is_own = {0, SCMP_CMP_EQ, CONFINE_OWN_PID, 0};
    const struct scmp_arg_cmp sets_nothing = {2, SCMP_CMP_EQ, 0, 0};

    int err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, is_thread);
    if (err == FB_OK) {
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, is_own);
    }
    if (err == FB_OK) {
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, sets_nothing);
    }
    for (size_t i = 0; err == FB_OK && i < FB_ARRAY_LEN(options); i++) {
        const struct scmp_arg_cmp is_option = {0, SCMP_CMP_EQ, options[i], 0};
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, is_option);
    }
    return err;
}

static int filter_export(scmp_filter_ctx ctx, struct sock_filter **ret_filter,
                         unsigned short *ret_n)
{
    FB_AUTO(fb_fd_done) int fd = memfd_create("filter", MFD_CLOEXEC);
    uint64_t size = 0;

    int err = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);
    if (err < 0 || (err = fb_file_size(fd, &size)) < 0) {
        return err;
    }
    if (size == 0 || size > FILTER_MAX * sizeof(struct sock_filter)) {
        return FB_E_LIMIT;
    }
    struct sock_filter *filter = fb_alloc(size);
    if (pread(fd, filter, size, 0) != (ssize_t)size) {
        fb_free(filter);
        return -EIO;
    }
    *ret_filter = filter;
    *ret_n = (unsigned short)(size / sizeof(*filter));
    return FB_OK;
}

int origin_confine_filter(struct sock_filter **ret_filter, unsigned short *ret_n,
                          struct fb_diag *diag)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));

    int err = ctx == NULL ? -ENOMEM : FB_OK;
    if (err == FB_OK &&
        (err = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)) == FB_OK &&
        (err = filter_add_plain(ctx)) == FB_OK && (err = filter_add_bounded(ctx)) == FB_OK) {
        err = filter_export(ctx, ret_filter, ret_n);
    }
    seccomp_release(ctx);
    return err < 0 ? fb_diag_set(diag, err, "make the list of system calls: %s", fb_err_text(err))
                   : FB_OK;
}

int origin_confine_settle(void)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

    int err = ctx == NULL ? -ENOMEM : FB_OK;
    if (err == FB_OK &&
        (err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(execve), 0)) == FB_OK) {
        err = seccomp_load(ctx);
    }
    seccomp_release(ctx);
    return err;
}
