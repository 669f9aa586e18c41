/* What Prometheus' own client libraries tell of every process. */
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/daemon/daemon_internal.h"
#include "base/metrics/metrics.h"
#include "base/sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BUILD_INFO, START_TIME, CPU_SECONDS, RESIDENT_BYTES, OPEN_FDS, MAX_FDS };

static const struct fb_metric process_rows[] = {
    [BUILD_INFO] = {"forebay_build_info", FB_METRIC_GAUGE, "version=\"" FB_VERSION "\"",
                    "Always 1; the label tells the version."},
    [START_TIME] = {"process_start_time_seconds", FB_METRIC_GAUGE, NULL,
                    "When the process started, in Unix time."},
    [CPU_SECONDS] = {"process_cpu_seconds_total", FB_METRIC_COUNTER, NULL,
                     "Whole seconds of processor time, user and system."},
    [RESIDENT_BYTES] = {"process_resident_memory_bytes", FB_METRIC_GAUGE, NULL,
                        "Memory that is in RAM."},
    [OPEN_FDS] = {"process_open_fds", FB_METRIC_GAUGE, NULL, "Open descriptors."},
    [MAX_FDS] = {"process_max_fds", FB_METRIC_GAUGE, NULL, "Most descriptors it may open."},
};

/* The second number of statm counts resident pages. */
static uint64_t process_resident_bytes(void)
{
    enum { STATM_MAX = 256 };
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    uint64_t n = 0;

    if (fb_file_read(AT_FDCWD, "/proc/self/statm", STATM_MAX, &text, NULL) < 0) {
        return 0;
    }
    struct fb_str rest = fb_buf_str(&text);
    rest = fb_str_skip(rest, fb_str_find(rest, ' ') + 1);
    if (fb_str_to_u64(fb_str_first(rest, fb_str_find(rest, ' ')), &n) < 0) {
        return 0;
    }
    return n * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t process_open_fds(void)
{
    enum { NOT_ITS_OWN = 3 }; /* ".", ".." and the descriptor that reads the folder */
    DIR *dir = opendir("/proc/self/fd");
    uint64_t n = 0;

    if (dir == NULL) {
        return 0;
    }
    while (readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n > NOT_ITS_OWN ? n - NOT_ITS_OWN : 0;
}

static void process_refresh(void *ctx)
{
    struct fb_metrics_table *table = ctx;
    struct rusage usage;
    struct rlimit limit;

    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        long us = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
        long seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + us / 1000000;
        fb_metrics_set(table, CPU_SECONDS, (uint64_t)seconds);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        fb_metrics_set(table, MAX_FDS, limit.rlim_cur);
    }
    fb_metrics_set(table, RESIDENT_BYTES, process_resident_bytes());
    fb_metrics_set(table, OPEN_FDS, process_open_fds());
}

void fb_daemon_process_metrics(struct fb_metrics *metrics)
{
    struct fb_metrics_table *table =
        fb_metrics_table_new(metrics, process_rows, FB_ARRAY_LEN(process_rows), NULL);

    fb_metrics_set(table, BUILD_INFO, 1);
    fb_metrics_set(table, START_TIME, (uint64_t)fb_clock_wall_ms(fb_clock_system()) / 1000);
    fb_metrics_on_render(metrics, process_refresh, table);
}
