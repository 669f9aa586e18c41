#include "base/core/clock.h"

#include <stdio.h>
#include <time.h>

#ifdef FB_TEST_CLOCK
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const int64_t *turned_ms; /* mapped for ever; NULL: nobody turns it */

__attribute__((constructor)) static void clock_map(void)
{
    const char *path = getenv("FB_TEST_CLOCK");
    if (path == NULL) {
        return;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        perror("FB_TEST_CLOCK");
        abort();
    }
    (void)close(fd);
    turned_ms = page;
}

static int64_t clock_turned_ms(void)
{
    return turned_ms == NULL ? 0 : __atomic_load_n(turned_ms, __ATOMIC_ACQUIRE);
}
#else
static int64_t clock_turned_ms(void)
{
    return 0;
}
#endif

static uint64_t system_steady_ns(const struct fb_clock *clock)
{
    (void)clock;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t system_mono_ns(const struct fb_clock *clock)
{
    return system_steady_ns(clock) + (uint64_t)clock_turned_ms() * FB_NS_PER_MS;
}

static int64_t system_wall_ms(const struct fb_clock *clock)
{
    (void)clock;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / FB_NS_PER_MS + clock_turned_ms();
}

static const struct fb_clock system_clock = {system_mono_ns, system_wall_ms, system_steady_ns};

const struct fb_clock *fb_clock_system(void)
{
    return &system_clock;
}

uint64_t fb_clock_mono_ns(const struct fb_clock *clock)
{
    return clock->mono_ns(clock);
}

uint64_t fb_clock_mono_ms(const struct fb_clock *clock)
{
    return clock->mono_ns(clock) / FB_NS_PER_MS;
}

int64_t fb_clock_wall_ms(const struct fb_clock *clock)
{
    return clock->wall_ms(clock);
}

uint64_t fb_clock_steady_ns(const struct fb_clock *clock)
{
    return clock->steady_ns(clock);
}

char *fb_timestamp(int64_t wall_ms, char text[FB_TIMESTAMP_MAX])
{
    /* Floor division, so that dates before 1970 come out right too. */
    int64_t ms = ((wall_ms % 1000) + 1000) % 1000;
    time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0 ? 1 : 0));
    struct tm tm;
    char date[FB_TIMESTAMP_MAX];

    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) == 0 ||
        snprintf(text, FB_TIMESTAMP_MAX, "%.24s.%03dZ", date, (int)ms) >= FB_TIMESTAMP_MAX) {
        text[0] = '\0';
    }
    return text;
}
