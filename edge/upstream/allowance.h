/*
 * Allowances: how many extra requests may be made beside the ordinary ones.
 *
 * Ordinary requests and time earn extra ones; what is not spent is saved, up to a
 * bound. It begins full.
 *
 * Ownership  Embedded; init before use.
 * Threads    One at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct edge_allowance {
    /* Private; in thousandths of a request. */
    uint64_t saved;
    uint64_t most;
    uint64_t earned_ms; /* until when time has earned */
};

/* At most `most` are saved. */
void edge_allowance_init(struct edge_allowance *allowance, uint32_t most, uint64_t now_ms);

/* An ordinary request is made: it earns `percent` hundredths of an extra one, and each second
 * since the last one `per_second`. */
void edge_allowance_earn(struct edge_allowance *allowance, uint32_t percent, uint32_t per_second,
                         uint64_t now_ms);

/* Takes one extra request; false if there is none. */
bool edge_allowance_spend(struct edge_allowance *allowance);
