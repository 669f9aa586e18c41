#include "origin/feed/ranker.h"

#include "base/core/alloc.h"
#include "base/core/bytes.h"
#include "base/core/err.h"

#include <math.h>

/* The paper's alpha, beta, lambda1 and lambda2; chosen on tests/bench/feed, where half or twice of
 * each changes little. */
static const double pace = 0.08;
static const double patience = 1.0;
static const double lasso = 0.2;
static const double ridge = 0.5;

enum { VERSION = 1, HEAD_BYTES = 4 + 8 + 4, SLOT_BYTES = 4 + 4 + 4 };

/* The paper's z and n of one weight. */
struct slot {
    float sum;     /* of gradients, less what the weight's own moves account for */
    float squares; /* of gradients; 0: never touched */
};

struct origin_ranker {
    uint64_t n_lessons;
    struct slot slots[ORIGIN_RANKER_SLOTS];
};

struct origin_ranker *origin_ranker_new(void)
{
    return FB_NEW(struct origin_ranker);
}

void origin_ranker_free(struct origin_ranker *ranker)
{
    fb_free(ranker);
}

struct origin_ranker *origin_ranker_copy(const struct origin_ranker *ranker)
{
    struct origin_ranker *copy = FB_NEW(struct origin_ranker);
    *copy = *ranker;
    return copy;
}

static double slot_weight(const struct slot *slot)
{
    double sum = (double)slot->sum;

    if (fabs(sum) <= lasso) {
        return 0;
    }
    return -(sum - copysign(lasso, sum)) /
           ((patience + sqrt((double)slot->squares)) / pace + ridge);
}

double origin_ranker_chance(const struct origin_ranker *ranker,
                            const struct origin_features *features)
{
    double sum = 0;

    for (size_t i = 0; i < features->n; i++) {
        sum += slot_weight(&ranker->slots[features->slots[i]]);
    }
    return 1 / (1 + exp(-sum));
}

void origin_ranker_learn(struct origin_ranker *ranker, const struct origin_features *features,
                         bool was_watched)
{
    double gradient = origin_ranker_chance(ranker, features) - (was_watched ? 1 : 0);
    double square = gradient * gradient;

    for (size_t i = 0; i < features->n; i++) {
        struct slot *slot = &ranker->slots[features->slots[i]];
        double weight = slot_weight(slot);
        double squares = (double)slot->squares;
        double moved = (sqrt(squares + square) - sqrt(squares)) / pace;
        slot->sum = (float)((double)slot->sum + gradient - moved * weight);
        slot->squares = (float)(squares + square);
    }
    ranker->n_lessons++;
}

uint64_t origin_ranker_lessons(const struct origin_ranker *ranker)
{
    return ranker->n_lessons;
}

/* ---- on disk ----------------------------------------------------------------- */

static void put_float(char *bytes, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    fb_put_u32(bytes, bits);
}

static float get_float(const char *bytes)
{
    uint32_t bits = fb_get_u32(bytes);
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

void origin_ranker_encode(const struct origin_ranker *ranker, struct fb_buf *buf)
{
    char head[HEAD_BYTES];
    uint32_t n = 0;

    for (uint32_t i = 0; i < ORIGIN_RANKER_SLOTS; i++) {
        n += ranker->slots[i].squares > 0;
    }
    fb_put_u32(head, VERSION);
    fb_put_u64(head + 4, ranker->n_lessons);
    fb_put_u32(head + 12, n);
    fb_buf_append(buf, (struct fb_str){head, sizeof(head)});
    for (uint32_t i = 0; i < ORIGIN_RANKER_SLOTS; i++) {
        const struct slot *slot = &ranker->slots[i];
        char bytes[SLOT_BYTES];
        if (slot->squares > 0) {
            fb_put_u32(bytes, i);
            put_float(bytes + 4, slot->sum);
            put_float(bytes + 8, slot->squares);
            fb_buf_append(buf, (struct fb_str){bytes, sizeof(bytes)});
        }
    }
}

static bool decode_slots(struct origin_ranker *ranker, const char *at, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++, at += SLOT_BYTES) {
        uint32_t place = fb_get_u32(at);
        struct slot slot = {.sum = get_float(at + 4), .squares = get_float(at + 8)};
        if (place >= ORIGIN_RANKER_SLOTS || !isfinite(slot.sum) || !isfinite(slot.squares) ||
            slot.squares <= 0) {
            return false;
        }
        ranker->slots[place] = slot;
    }
    return true;
}

int origin_ranker_decode(struct fb_str bytes, struct origin_ranker **ret_ranker)
{
    if (bytes.len < HEAD_BYTES || fb_get_u32(bytes.ptr) != VERSION) {
        return FB_E_MALFORMED;
    }
    uint32_t n = fb_get_u32(bytes.ptr + 12);
    if (n > ORIGIN_RANKER_SLOTS || bytes.len != HEAD_BYTES + (size_t)n * SLOT_BYTES) {
        return FB_E_MALFORMED;
    }
    struct origin_ranker *ranker = origin_ranker_new();
    ranker->n_lessons = fb_get_u64(bytes.ptr + 4);
    if (!decode_slots(ranker, bytes.ptr + HEAD_BYTES, n)) {
        origin_ranker_free(ranker);
        return FB_E_MALFORMED;
    }
    *ret_ranker = ranker;
    return FB_OK;
}
