#include "edge/upstream/choice.h"

#include "base/core/attr.h"
#include "base/core/mix.h"

#include <math.h>

/* Any numbers would do, but they must be the same everywhere and for ever. */
enum { SEED_ID = 0x69, SEED_KEY = 0x6b };
static const uint64_t salt_order = 0x9e3779b97f4a7c15U;
static const uint64_t salt_share = 0xc2b2ae3d27d4eb4fU;

uint64_t edge_choice_id(struct fb_str url)
{
    return fb_str_hash(url, SEED_ID);
}

uint64_t edge_choice_hash(struct fb_str key)
{
    return fb_str_hash(key, SEED_KEY);
}

/* Both values together, evenly spread. */
static uint64_t choice_mix(uint64_t id, uint64_t hash, uint64_t salt)
{
    return fb_mix(id ^ (hash + salt + (id << 6) + (id >> 2)));
}

/* Within 0 and 1, neither included. */
static double choice_unit(uint64_t mixed)
{
    return ((double)(mixed >> 11) + 0.5) * 0x1p-53;
}

/* The highest of these wins each of `n` servers a share that is its weight's. */
static double choice_score(const struct edge_candidate *candidate, uint64_t hash)
{
    return -(double)candidate->weight /
           log(choice_unit(choice_mix(candidate->id, hash, salt_order)));
}

void edge_choice_order(const struct edge_candidate *candidates, size_t n, uint64_t hash,
                       uint8_t *ret_order)
{
    double scores[UINT8_MAX];
    size_t n_regional = 0;

    for (size_t i = 0; i < n; i++) {
        if (!candidates[i].is_regional) {
            continue;
        }
        double score = choice_score(&candidates[i], hash);
        size_t at = n_regional++;
        for (; at > 0 && scores[at - 1] < score; at--) {
            scores[at] = scores[at - 1];
            ret_order[at] = ret_order[at - 1];
        }
        scores[at] = score;
        ret_order[at] = (uint8_t)i;
    }
    for (size_t i = 0; i < n; i++) {
        if (!candidates[i].is_regional) {
            ret_order[n_regional++] = (uint8_t)i;
        }
    }
}

bool edge_choice_has_share(uint64_t id, uint64_t hash, uint32_t share)
{
    return share >= EDGE_SHARE_ALL || choice_mix(id, hash, salt_share) % EDGE_SHARE_ALL < share;
}

uint32_t edge_choice_bound(uint32_t weight, uint64_t n_load, uint64_t n_weight,
                           unsigned headroom_percent)
{
    uint64_t part = (n_load + 1) * weight * (100 + headroom_percent);
    uint64_t whole = n_weight * 100;
    uint64_t bound = whole > 0 ? (part + whole - 1) / whole : 0;

    return (uint32_t)FB_MIN(FB_MAX(bound, EDGE_CHOICE_LEAST_LOAD), UINT32_MAX);
}

/* ---- the next one ------------------------------------------------------ */

/* How good it is to ask a server; the lowest is asked, and of equal ones the first. */
enum choice_rank {
    RANK_REGIONAL,
    RANK_LOADED,
    RANK_ORIGIN,
    RANK_SLOW, /* starts slowly, and the key is not yet its own */
    RANK_NEED,
    RANK_NEVER
};

static uint32_t choice_bound_of(const struct edge_choice *choice, size_t index)
{
    uint64_t n_load = 0;
    uint64_t n_weight = 0;

    for (size_t i = 0; i < choice->n; i++) {
        const struct edge_candidate *other = &choice->candidates[i];
        if (other->is_regional && other->fitness == EDGE_FIT) {
            n_load += other->load;
            n_weight += other->weight;
        }
    }
    return edge_choice_bound(choice->candidates[index].weight, n_load, n_weight,
                             choice->headroom_percent);
}

static enum choice_rank choice_rank_of(const struct edge_choice *choice, size_t index)
{
    const struct edge_candidate *candidate = &choice->candidates[index];

    if ((choice->tried & (1U << index)) != 0 || candidate->fitness == EDGE_FIT_NEVER) {
        return RANK_NEVER;
    }
    if ((choice->avoided & (1U << index)) != 0 || candidate->fitness == EDGE_FIT_IN_NEED) {
        return RANK_NEED;
    }
    if (!candidate->is_regional) {
        return RANK_ORIGIN;
    }
    if (candidate->fitness == EDGE_FIT_TO_PROBE) {
        return RANK_REGIONAL; /* one request is no load */
    }
    if (!edge_choice_has_share(candidate->id, choice->hash, candidate->share)) {
        return RANK_SLOW;
    }
    return candidate->load < choice_bound_of(choice, index) ? RANK_REGIONAL : RANK_LOADED;
}

int edge_choice_next(const struct edge_choice *choice, bool takes_any)
{
    enum choice_rank best = takes_any ? RANK_NEVER : RANK_NEED;
    int chosen = -1;

    for (size_t i = 0; i < choice->n; i++) {
        enum choice_rank rank = choice_rank_of(choice, choice->order[i]);
        if (rank < best) {
            best = rank;
            chosen = choice->order[i];
        }
    }
    return chosen;
}
