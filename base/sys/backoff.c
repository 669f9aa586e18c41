#include "base/sys/backoff.h"

#include "base/core/attr.h"
#include "base/sys/random.h"

uint64_t fb_backoff_ms(const struct fb_backoff *backoff, uint32_t n_before)
{
    uint64_t pause_ms = FB_MIN(backoff->first_ms, backoff->most_ms);

    for (uint32_t i = 0; i < n_before && pause_ms > 0 && pause_ms < backoff->most_ms; i++) {
        pause_ms = FB_MIN(pause_ms * 2, backoff->most_ms);
    }
    return pause_ms - fb_random_u64() % (pause_ms * backoff->chance / 1000 + 1);
}
