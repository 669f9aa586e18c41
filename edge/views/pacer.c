#include "edge/views/pacer.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/str.h"

enum { TOKEN = 1000 }; /* so that a millisecond brings `per_s` of a token's parts */

struct pacer_slot {
    uint64_t at_ms; /* when it had `parts` */
    uint64_t parts;
};

struct edge_pacer {
    uint64_t per_s;
    uint64_t seed;
    struct pacer_slot slots[EDGE_PACER_SLOTS];
};

struct edge_pacer *edge_pacer_new(uint32_t per_s, uint64_t seed)
{
    struct edge_pacer *pacer = FB_NEW(struct edge_pacer);

    pacer->per_s = per_s;
    pacer->seed = seed;
    for (size_t i = 0; i < EDGE_PACER_SLOTS; i++) {
        pacer->slots[i].parts = pacer->per_s * TOKEN * EDGE_PACER_BURST;
    }
    return pacer;
}

void edge_pacer_free(struct edge_pacer *pacer)
{
    fb_free(pacer);
}

bool edge_pacer_take(struct edge_pacer *pacer, const struct fb_network *client, uint64_t mono_ms)
{
    struct fb_str bytes = {(const char *)client->bytes, sizeof(client->bytes)};
    struct pacer_slot *slot = &pacer->slots[fb_str_hash(bytes, pacer->seed) % EDGE_PACER_SLOTS];
    const uint64_t most = pacer->per_s * TOKEN * EDGE_PACER_BURST;

    if (pacer->per_s == 0) {
        return true;
    }
    if (mono_ms > slot->at_ms) {
        uint64_t passed_ms = FB_MIN(mono_ms - slot->at_ms, UINT64_C(1000) * EDGE_PACER_BURST);
        slot->parts = FB_MIN(most, slot->parts + passed_ms * pacer->per_s);
        slot->at_ms = mono_ms;
    }
    if (slot->parts < TOKEN) {
        return false;
    }
    slot->parts -= TOKEN;
    return true;
}
