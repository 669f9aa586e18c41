#include "edge/policy/budget.h"

#include "base/core/check.h"

#include <string.h>

enum {
    BUDGET_DAY_MS = 24 * 60 * 60 * 1000,
    BUDGET_START_SHARE = 4,  /* a quarter is granted at midnight */
    BUDGET_UPKEEP_SHARE = 16 /* content leaves a sixteenth */
};

/* No clock shows more: what a disk says beyond it is not a day. */
static const int64_t budget_last_day = INT64_MAX / BUDGET_DAY_MS - 1;

static int64_t budget_day_of(int64_t wall_ms)
{
    int64_t day = wall_ms / BUDGET_DAY_MS;

    return wall_ms % BUDGET_DAY_MS < 0 ? day - 1 : day;
}

static uint64_t budget_sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* UINT64_MAX: nobody knows, or it is all spent. */
static uint64_t budget_bytes_of(const struct edge_budget_state *state, int64_t day)
{
    for (unsigned i = 0; i < EDGE_BUDGET_DAYS; i++) {
        if (state->days[i].n_bytes > 0 && state->days[i].day == day) {
            return state->days[i].n_bytes;
        }
    }
    return day < state->first_day ? UINT64_MAX : 0;
}

/* Adds to a day, latest first; the earliest is forgotten, and with it all days up to it. */
static void budget_count(struct edge_budget_state *state, int64_t day, uint64_t n)
{
    struct edge_budget_day *days = state->days;
    unsigned at = 0;

    while (at < EDGE_BUDGET_DAYS && days[at].n_bytes > 0 && days[at].day > day) {
        at++;
    }
    if (at < EDGE_BUDGET_DAYS && days[at].n_bytes > 0 && days[at].day == day) {
        days[at].n_bytes = budget_sum(days[at].n_bytes, n);
        return;
    }
    if (n == 0 || day < state->first_day || day > budget_last_day) {
        return;
    }
    if (at == EDGE_BUDGET_DAYS) { /* earlier than all, and no place left for it */
        state->first_day = day + 1;
        return;
    }
    if (days[EDGE_BUDGET_DAYS - 1].n_bytes > 0) {
        state->first_day = days[EDGE_BUDGET_DAYS - 1].day + 1;
    }
    memmove(&days[at + 1], &days[at], (EDGE_BUDGET_DAYS - 1 - at) * sizeof(*days));
    days[at] = (struct edge_budget_day){.day = day, .n_bytes = n};
}

void edge_budget_init(struct edge_budget *budget, uint64_t day_bytes,
                      const struct edge_budget_state *state)
{
    *budget = (struct edge_budget){.day_bytes = day_bytes};
    if (state == NULL) {
        return;
    }
    budget->state.ever_bytes = state->ever_bytes;
    budget->state.first_day = FB_MIN(state->first_day, budget_last_day);
    for (unsigned i = 0; i < EDGE_BUDGET_DAYS; i++) {
        budget_count(&budget->state, state->days[i].day, state->days[i].n_bytes);
    }
}

void edge_budget_charge(struct edge_budget *budget, uint64_t n, int64_t wall_ms)
{
    budget_count(&budget->state, budget_day_of(wall_ms), n);
    budget->state.ever_bytes = budget_sum(budget->state.ever_bytes, n);
}

static uint64_t budget_granted(const struct edge_budget *budget, enum edge_budget_use use,
                               int64_t wall_ms)
{
    if (use == EDGE_BUDGET_UPKEEP) {
        return budget->day_bytes;
    }
    uint64_t most = budget->day_bytes - budget->day_bytes / BUDGET_UPKEEP_SHARE;
    uint64_t start = budget->day_bytes / BUDGET_START_SHARE;
    int64_t in_day_ms = wall_ms - budget_day_of(wall_ms) * BUDGET_DAY_MS;
    double line = (double)(most - start) * (double)in_day_ms / (double)BUDGET_DAY_MS;

    return FB_MIN(most, start + (uint64_t)line);
}

uint64_t edge_budget_left(const struct edge_budget *budget, enum edge_budget_use use,
                          int64_t wall_ms)
{
    if (budget->day_bytes == 0) {
        return UINT64_MAX;
    }
    uint64_t granted = budget_granted(budget, use, wall_ms);
    uint64_t spent = edge_budget_today(budget, wall_ms);

    return granted > spent ? granted - spent : 0;
}

bool edge_budget_take(struct edge_budget *budget, enum edge_budget_use use, uint64_t n,
                      int64_t wall_ms)
{
    if (n > edge_budget_left(budget, use, wall_ms)) {
        return false;
    }
    edge_budget_charge(budget, n, wall_ms);
    return true;
}

double edge_budget_pressure(const struct edge_budget *budget, int64_t wall_ms)
{
    if (budget->day_bytes == 0) {
        return 0;
    }
    uint64_t granted = budget_granted(budget, EDGE_BUDGET_CONTENT, wall_ms);
    uint64_t spent = edge_budget_today(budget, wall_ms);

    return granted == 0 || spent >= granted ? 1 : (double)spent / (double)granted;
}

uint64_t edge_budget_today(const struct edge_budget *budget, int64_t wall_ms)
{
    return budget_bytes_of(&budget->state, budget_day_of(wall_ms));
}
