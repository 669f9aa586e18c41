#include "base/core/err.h"
#include "edge/volume/volume_internal.h"

/*
 * What is durable about the budget always covers what may be on the drive: before
 * bytes are written, a header, ledger or checkpoint that has room for them is durable
 * (its reserve). Zones: their whole capacity, or what was left of it. Outside of zones
 * there are only checkpoints: one is promised at a time. And the block of the next header or
 * ledger: only a blank volume's very first one has nothing durable before it.
 */

enum { PRESSURE_FULL = 1000 };

static void ledger_count(struct edge_volume *volume, enum volume_use use, uint64_t n)
{
    volume->ledger.written[use] += n;
    __atomic_store_n(&volume->shared.written[use], volume->ledger.written[use], __ATOMIC_RELAXED);
}

bool edge_ledger_take(struct edge_volume *volume, enum volume_use use, uint64_t n)
{
    enum edge_budget_use budget_use =
        use == VOLUME_METADATA ? EDGE_BUDGET_UPKEEP : EDGE_BUDGET_CONTENT;

    if (!edge_budget_take(&volume->ledger.budget, budget_use, n, edge_volume_wall_ms(volume))) {
        return false;
    }
    ledger_count(volume, use, n);
    edge_ledger_publish(volume);
    return true;
}

void edge_ledger_promise(struct edge_volume *volume, uint64_t in_zone, uint64_t checkpoint,
                         struct edge_written *ret_written)
{
    const struct volume_ledger *ledger = &volume->ledger;
    struct edge_budget budget = ledger->budget;
    uint64_t reserve = in_zone + checkpoint + EDGE_FORMAT_BLOCK; /* the next header or ledger */

    edge_budget_charge(&budget, reserve, edge_volume_wall_ms(volume));
    *ret_written = (struct edge_written){
        .admission = ledger->written[VOLUME_ADMISSION],
        .rewriting = ledger->written[VOLUME_REWRITING],
        .metadata = ledger->written[VOLUME_METADATA],
        .budget = budget.state,
        .reserve = reserve,
    };
}

uint64_t edge_written_total(const struct edge_written *written)
{
    return written->admission + written->rewriting + written->metadata;
}

void edge_ledger_restore(struct edge_volume *volume, const struct edge_written *written)
{
    struct volume_ledger *ledger = &volume->ledger;
    int64_t wall_ms = edge_volume_wall_ms(volume);

    *ledger = (struct volume_ledger){0};
    edge_budget_init(&ledger->budget, volume->daily_bytes,
                     written != NULL ? &written->budget : NULL);
    if (written != NULL) {
        ledger->written[VOLUME_ADMISSION] = written->admission;
        ledger->written[VOLUME_REWRITING] = written->rewriting;
        ledger->written[VOLUME_METADATA] = written->metadata;
        /* The reserve was taken from the day of the last count; it may have been used today. */
        if (edge_budget_today(&ledger->budget, wall_ms) == 0) {
            edge_budget_charge(&ledger->budget, written->reserve, wall_ms);
        }
    }
    for (unsigned use = 0; use <= VOLUME_METADATA; use++) {
        ledger_count(volume, use, 0);
    }
    edge_ledger_publish(volume);
}

void edge_ledger_publish(struct edge_volume *volume)
{
    const struct edge_budget *budget = &volume->ledger.budget;
    int64_t wall_ms = edge_volume_wall_ms(volume);
    double pressure = edge_budget_pressure(budget, wall_ms);

    __atomic_store_n(&volume->shared.pressure, (unsigned)(pressure * (double)PRESSURE_FULL),
                     __ATOMIC_RELAXED);
    __atomic_store_n(&volume->shared.content_left,
                     edge_budget_left(budget, EDGE_BUDGET_CONTENT, wall_ms), __ATOMIC_RELAXED);
    __atomic_store_n(&volume->shared.today, edge_budget_today(budget, wall_ms), __ATOMIC_RELAXED);
}
