#include "origin/confine/confine.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/confine/confine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ARGS_MAX = 32,
    TICK_MS = 100,
    PEAK_MS = 250,
    OUTPUT_MS = 500,
    OUTPUT_SHARE = 20, /* looking at the output takes a 20th of the time at most */
    OPEN_FILES = 256,
    CPU_GRACE_S = 2,
    READS_MAX = 64, /* at once: four times what a pipe holds */
    SANITIZED_FACTOR = 3
};

#define INPUT_MAX   (64UL * 1024 * 1024)
#define MIB         (1024UL * 1024)
#define STACK_BYTES (2 * MIB) /* of each thread; the preset of 8 counts as data */

#ifdef FB_SANITIZED
#define MEMORY_FACTOR SANITIZED_FACTOR
/* Finding leaks takes a process of its own, and limits are not the child's to set. How FFmpeg's
 * threads wait for one another is not seen, since it is not built for that: all looks like races.
 */
static const char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C",
                                          "ASAN_OPTIONS=detect_leaks=0:disable_coredump=0",
                                          "TSAN_OPTIONS=disable_coredump=0:report_bugs=0", NULL};
#else
#define MEMORY_FACTOR 1
static const char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
#endif

/* A child, as its parent sees it. */
struct run {
    const struct origin_confine_options *options;
    struct origin_confine_end end;
    pid_t pid;
    int pidfd;
    int out;            /* -1 once it has ended */
    int err;            /* likewise */
    struct fb_buf line; /* owned; what has come of it */
    bool is_killed;
    uint64_t began_ms;
    uint64_t peak_at_ms;   /* when it is looked at next */
    uint64_t output_at_ms; /* likewise */
};

/* ---- before ------------------------------------------------------------------- */

static void plan_limit(struct confine_plan *plan, int resource, uint64_t soft, uint64_t hard)
{
    struct confine_rlimit *limit = &plan->rlimits[plan->n_rlimits++];
    struct rlimit have = {RLIM_INFINITY, RLIM_INFINITY};

    (void)getrlimit(resource, &have);
    limit->resource = resource;
    limit->hard = FB_MIN((rlim_t)hard, have.rlim_max);
    limit->soft = FB_MIN((rlim_t)soft, limit->hard);
}

static void plan_limits(struct confine_plan *plan, const struct origin_confine_limits *limits)
{
    uint64_t cpu_s = (limits->cpu_ms + 999) / 1000;

    plan_limit(plan, RLIMIT_CORE, 0, 0);
    plan_limit(plan, RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES);
    if (limits->cpu_ms != 0) {
        plan_limit(plan, RLIMIT_CPU, cpu_s, cpu_s + CPU_GRACE_S);
    }
    if (limits->file_bytes != 0) {
        plan_limit(plan, RLIMIT_FSIZE, limits->file_bytes, limits->file_bytes);
    }
#ifndef FB_SANITIZED
    plan_limit(plan, RLIMIT_STACK, STACK_BYTES, STACK_BYTES);
    if (limits->memory_bytes != 0) {
        uint64_t data = limits->memory_bytes + limits->memory_bytes / 4 + 256 * MIB;
        uint64_t space = limits->memory_bytes * 4 + 4096 * MIB;
        plan_limit(plan, RLIMIT_DATA, data, data);
        plan_limit(plan, RLIMIT_AS, space, space);
    }
#endif
}

static int open_input(struct fb_str input, int *ret_fd)
{
    FB_AUTO(fb_fd_done) int fd = -1;

    if (input.len > INPUT_MAX) {
        return FB_E_LIMIT;
    }
    fd = memfd_create("input", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int err = fd < 0 ? -errno : fb_fd_write(fd, input);
    if (err < 0) {
        return err;
    }
    if (lseek(fd, 0, SEEK_SET) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
        return -errno;
    }
    *ret_fd = fb_fd_take(&fd);
    return FB_OK;
}

/* ---- fork ----------------------------------------------------------------------- */

/* No handler of this process may run in the child before it has forgotten them. */
static pid_t fork_quietly(struct confine_plan *plan)
{
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        origin_confine_become(plan);
    }
    int err = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = err;
    return pid;
}

static int run_fork(struct run *run, struct confine_plan *plan)
{
    FB_AUTO(fb_fd_done) int input = -1;
    FB_AUTO(fb_fd_done) int out = -1;
    FB_AUTO(fb_fd_done) int log = -1;
    int pipe_out[2];
    int pipe_log[2];

    int err = open_input(run->options->input, &input);
    if (err < 0) {
        return err;
    }
    if (pipe2(pipe_out, O_CLOEXEC) < 0) {
        return -errno;
    }
    run->out = pipe_out[0];
    out = pipe_out[1];
    if (pipe2(pipe_log, O_CLOEXEC) < 0) {
        return -errno;
    }
    run->err = pipe_log[0];
    log = pipe_log[1];
    if (fcntl(run->out, F_SETFL, O_NONBLOCK) < 0 || fcntl(run->err, F_SETFL, O_NONBLOCK) < 0) {
        return -errno;
    }
    plan->fds[0] = input;
    plan->fds[1] = out;
    plan->fds[2] = log;
    plan->parent = getpid();
    run->pid = fork_quietly(plan);
    if (run->pid < 0) {
        return -errno;
    }
    run->pidfd = pidfd_open(run->pid, 0);
    return run->pidfd < 0 ? -errno : FB_OK;
}

static int run_start(struct run *run, struct fb_diag *diag)
{
    const struct origin_confine_options *options = run->options;
    FB_AUTO(fb_freep) struct sock_filter *filter = NULL;
    FB_AUTO(fb_fd_done) int ruleset = -1;
    const char *args[ARGS_MAX + 2] = {options->program};
    struct confine_plan plan = {
        .program = options->program,
        .argv = (char *const *)(uintptr_t)args,
        .environment = (char *const *)(uintptr_t)environment,
        .folder = options->output != NULL ? options->output : "/",
        .is_background = options->is_background,
    };

    for (size_t i = 0; i < ARGS_MAX && options->args != NULL && options->args[i] != NULL; i++) {
        args[i + 1] = options->args[i];
    }
    plan_limits(&plan, &options->limits);
    int err = origin_confine_filter(&filter, &plan.n_filter, diag);
    if (err < 0 || (err = origin_confine_ruleset(options, &ruleset, diag)) < 0) {
        return err;
    }
    plan.filter = filter;
    plan.ruleset = ruleset;
    err = run_fork(run, &plan);
    return err < 0 ? fb_diag_set(diag, err, "start '%s': %s", options->program, fb_err_text(err))
                   : FB_OK;
}

/* ---- while it runs ---------------------------------------------------------------- */

static void run_kill(struct run *run, enum origin_confine_cause cause)
{
    if (!run->is_killed) {
        run->is_killed = true;
        run->end.cause = cause;
        (void)kill(run->pid, SIGKILL);
    }
}

static void run_look_at_memory(struct run *run)
{
    uint64_t limit = run->options->limits.memory_bytes * MEMORY_FACTOR;
    uint64_t peak = origin_confine_peak(run->pid);

    run->end.peak_bytes = FB_MAX(run->end.peak_bytes, peak);
    if (limit != 0 && peak > limit) {
        run_kill(run, ORIGIN_ENDED_MEMORY);
    }
}

/* Whether it wrote more than it may. */
static bool run_look_at_output(struct run *run)
{
    const struct origin_confine_limits *limits = &run->options->limits;
    uint64_t max_files =
        limits->output_files != 0 ? limits->output_files : ORIGIN_CONFINE_FILES_MAX;
    uint64_t n_files = 0;

    if (run->options->output == NULL) {
        return false;
    }
    int err = origin_confine_measure(run->options->output, &n_files, &run->end.output_bytes);
    return err == FB_E_LIMIT || n_files > max_files ||
           (limits->output_bytes != 0 && run->end.output_bytes > limits->output_bytes);
}

static void run_look(struct run *run)
{
    const struct origin_confine_options *options = run->options;
    uint64_t now_ms = fb_clock_steady_ns(options->clock) / FB_NS_PER_MS;

    if (options->limits.wall_ms != 0 && now_ms - run->began_ms > options->limits.wall_ms) {
        run_kill(run, ORIGIN_ENDED_TIME);
    }
    if (now_ms >= run->peak_at_ms) {
        run_look_at_memory(run);
        run->peak_at_ms = now_ms + PEAK_MS;
    }
    if (now_ms >= run->output_at_ms) {
        if (run_look_at_output(run)) {
            run_kill(run, ORIGIN_ENDED_OUTPUT);
        }
        uint64_t after_ms = fb_clock_steady_ns(options->clock) / FB_NS_PER_MS;
        run->output_at_ms = after_ms + FB_MAX((after_ms - now_ms) * OUTPUT_SHARE, OUTPUT_MS);
    }
    if (!run->is_killed && options->is_canceled != NULL && options->is_canceled(options->ctx)) {
        run_kill(run, ORIGIN_ENDED_CANCELED);
    }
}

/* Hands on the lines of what came. */
static void run_take_lines(struct run *run, struct fb_str bytes)
{
    while (bytes.len > 0) {
        const char *end = memchr(bytes.ptr, '\n', bytes.len);
        size_t n = end != NULL ? (size_t)(end - bytes.ptr) : bytes.len;

        if (run->line.len + n > ORIGIN_CONFINE_LINE_MAX) {
            run_kill(run, ORIGIN_ENDED_TALK);
            fb_buf_clear(&run->line);
            return;
        }
        fb_buf_append(&run->line, (struct fb_str){bytes.ptr, n});
        if (end == NULL) {
            return;
        }
        if (run->options->line != NULL && !run->is_killed) {
            run->options->line(run->options->ctx, fb_buf_str(&run->line));
        }
        fb_buf_clear(&run->line);
        bytes = fb_str_skip(bytes, n + 1);
    }
}

/* Keeps the end of it. */
static void run_take_log(struct run *run, struct fb_str bytes)
{
    struct origin_confine_end *end = &run->end;

    if (bytes.len > ORIGIN_CONFINE_LOG_MAX) {
        bytes = fb_str_skip(bytes, bytes.len - ORIGIN_CONFINE_LOG_MAX);
    }
    size_t keep = FB_MIN(end->log_len, ORIGIN_CONFINE_LOG_MAX - bytes.len);
    memmove(end->log, end->log + end->log_len - keep, keep);
    memcpy(end->log + keep, bytes.ptr, bytes.len);
    end->log_len = keep + bytes.len;
    end->log[end->log_len] = '\0';
}

/* Reads what there is, but never for ever; closes at the end. */
static void run_read(struct run *run, int *fd, void (*take)(struct run *run, struct fb_str bytes))
{
    char bytes[ORIGIN_CONFINE_LINE_MAX];
    ssize_t n = 1;

    for (int i = 0; i < READS_MAX && *fd >= 0 && n > 0; i++) {
        n = read(*fd, bytes, sizeof(bytes));
        take(run, (struct fb_str){bytes, n > 0 ? (size_t)n : 0});
    }
    if (*fd >= 0 && (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))) {
        fb_fd_done(fd);
    }
}

/* Until the child is dead and all is read that it wrote. */
static void run_watch(struct run *run)
{
    bool is_dead = false;

    while (!is_dead) {
        struct pollfd fds[] = {{.fd = run->out, .events = POLLIN},
                               {.fd = run->err, .events = POLLIN},
                               {.fd = run->pidfd, .events = POLLIN}};
        (void)poll(fds, FB_ARRAY_LEN(fds), TICK_MS);
        is_dead = fds[2].revents != 0;
        if (fds[0].revents != 0 && !is_dead) {
            run_look_at_memory(run); /* its last line may be the last chance */
        }
        run_read(run, &run->out, run_take_lines);
        run_read(run, &run->err, run_take_log);
        if (!is_dead) {
            run_look(run);
        }
    }
}

/* ---- after ---------------------------------------------------------------------- */

/* A limit may have had the kernel, or the program itself, end it. */
static void run_explain(struct run *run, int status)
{
    const struct origin_confine_limits *limits = &run->options->limits;
    struct origin_confine_end *end = &run->end;
    bool is_signal = WIFSIGNALED(status);

    end->code = is_signal ? WTERMSIG(status) : WEXITSTATUS(status);
    if (run->is_killed) {
        return;
    }
    end->cause = is_signal ? ORIGIN_ENDED_SIGNAL : ORIGIN_ENDED_EXIT;
    if (is_signal && limits->cpu_ms != 0 &&
        (end->code == SIGXCPU || (end->code == SIGKILL && end->cpu_ms >= limits->cpu_ms))) {
        end->cause = ORIGIN_ENDED_TIME;
    } else if (is_signal && end->code == SIGXFSZ) {
        end->cause = ORIGIN_ENDED_OUTPUT;
    } else if ((is_signal || end->code != 0) && limits->memory_bytes != 0 &&
               end->peak_bytes > limits->memory_bytes * MEMORY_FACTOR) {
        end->cause = ORIGIN_ENDED_MEMORY;
    }
}

static uint64_t timeval_ms(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000 + (uint64_t)time->tv_usec / 1000;
}

static void run_reap(struct run *run)
{
    struct rusage usage = {0};
    int status = 0;

    while (wait4(run->pid, &status, 0, &usage) < 0 && errno == EINTR) {
    }
    run->end.cpu_ms = timeval_ms(&usage.ru_utime) + timeval_ms(&usage.ru_stime);
    run->end.wall_ms = fb_clock_steady_ns(run->options->clock) / FB_NS_PER_MS - run->began_ms;
    run_explain(run, status);
    if (run_look_at_output(run) && run->end.cause == ORIGIN_ENDED_EXIT) {
        run->end.cause = ORIGIN_ENDED_OUTPUT;
    }
}

int origin_confine_run(const struct origin_confine_options *options,
                       struct origin_confine_end *ret_end, struct fb_diag *diag)
{
    struct run run = {.options = options, .pid = -1, .pidfd = -1, .out = -1, .err = -1};

    run.began_ms = fb_clock_steady_ns(options->clock) / FB_NS_PER_MS;
    run.output_at_ms = run.began_ms + OUTPUT_MS;
    int err = run_start(&run, diag);
    if (err == FB_OK) {
        run_watch(&run);
    } else if (run.pid > 0) {
        (void)kill(run.pid, SIGKILL);
    }
    if (run.pid > 0) {
        run_reap(&run);
    }
    fb_fd_done(&run.out);
    fb_fd_done(&run.err);
    fb_fd_done(&run.pidfd);
    fb_buf_done(&run.line);
    if (err == FB_OK) {
        *ret_end = run.end;
    }
    return err;
}

/* ---- what is in force -------------------------------------------------------------- */

static bool can_unshare(void)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        _exit(origin_confine_unshare() ? 0 : 1);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return pid > 0 && status == 0;
}

unsigned origin_confine_rings(void)
{
    unsigned rings = ORIGIN_RING_SECCOMP;

    rings |= origin_confine_has_landlock() ? ORIGIN_RING_LANDLOCK : 0;
    rings |= can_unshare() ? ORIGIN_RING_NAMESPACES : 0;
#ifndef FB_SANITIZED
    rings |= ORIGIN_RING_ADDRESS_SPACE;
#endif
    return rings;
}

void origin_confine_describe(unsigned rings, struct fb_buf *text)
{
    static const char *const names[] = {"seccomp", "landlock", "namespaces", "address space"};
    const char *between = "";

    for (unsigned i = 0; i < FB_ARRAY_LEN(names); i++) {
        if ((rings & (1U << i)) != 0) {
            fb_buf_printf(text, "%s%s", between, names[i]);
            between = ", ";
        }
    }
}
