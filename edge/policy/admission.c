#include "edge/policy/admission.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "edge/policy/recall.h"
#include "edge/policy/titles.h"
#include "edge/policy/trials.h"

#include <math.h>

enum {
    ADMISSION_TITLES = 1 << 16,
    ADMISSION_RECALL_BYTES = 256 << 10, /* of volume for each place in the recall */
    ADMISSION_RECALL_MIN = 1 << 14,
    ADMISSION_RECALL_MAX = 1 << 24,
    ADMISSION_SAMPLE_BITS = 16
};

enum admission_feature { FEATURE_SHARE, FEATURE_HOUR, FEATURE_SHIFT, FEATURE_PAST };

static const double admission_needed = 0.6;
static const double admission_needed_for_room = 0.3;
static const double admission_tight = 0.75; /* of the budget's line */

struct edge_admission {
    uint64_t clock; /* bytes admitted, ever */
    struct edge_recall recall;
    struct edge_titles titles;
    struct edge_chance chance;
    struct edge_trials trials;
    uint64_t sample; /* of 2^16 identities, those that are tried */
};

struct edge_admission *edge_admission_new(uint64_t volume_bytes)
{
    struct edge_admission *admission = FB_NEW(struct edge_admission);
    uint64_t n_recall = volume_bytes / ADMISSION_RECALL_BYTES;

    FB_REQUIRE(volume_bytes > 0);
    n_recall =
        FB_MIN(FB_MAX(n_recall, (uint64_t)ADMISSION_RECALL_MIN), (uint64_t)ADMISSION_RECALL_MAX);
    edge_recall_init(&admission->recall, volume_bytes, (size_t)n_recall);
    edge_titles_init(&admission->titles, ADMISSION_TITLES);
    edge_chance_init(&admission->chance);
    edge_trials_init(&admission->trials, &admission->chance, volume_bytes);
    /* So many that a trial sees its window's end before the ring comes round. */
    uint64_t sample = (uint64_t)EDGE_TRIALS_MAX * ADMISSION_RECALL_BYTES /
                      (volume_bytes >> ADMISSION_SAMPLE_BITS | 1);
    admission->sample = FB_MIN(FB_MAX(sample, 1U), (uint64_t)1 << ADMISSION_SAMPLE_BITS);
    return admission;
}

void edge_admission_free(struct edge_admission *admission)
{
    if (admission != NULL) {
        edge_recall_done(&admission->recall);
        edge_titles_done(&admission->titles);
        edge_trials_done(&admission->trials);
        fb_free(admission);
    }
}

/* ---- features ---------------------------------------------------------- */

/* One bin for each doubling: 2^-16 to 2^15, or none. */
static uint8_t bin_of_rate(double rate)
{
    return rate <= 0 ? 0 : (uint8_t)(17 + FB_MIN(FB_MAX(ilogb(rate), -16), 15));
}

static uint8_t bin_of_share(const struct edge_titles_view *title)
{
    return title->is_known ? (uint8_t)(1 + FB_MIN((int)(title->share * 20), 19)) : 0;
}

/* Never, or how often (up to 4) and how long ago (each bin twice the next). */
static uint8_t bin_of_past(unsigned count, double age)
{
    if (count == 0) {
        return 0;
    }
    int ago = age < 1.0 / 128 ? 7 : FB_MIN(-ilogb(age), 7);
    return (uint8_t)(1 + (FB_MIN(count, 4U) - 1) * 8 + (unsigned)ago);
}

/* What is known of it; it counts as asked for once more. */
static struct edge_chance_view admission_look(struct edge_admission *admission,
                                              const struct edge_admission_ask *ask)
{
    double age = 0;
    unsigned count = edge_recall_ask(&admission->recall, ask->id, admission->clock, &age);
    struct edge_titles_view title =
        edge_titles_ask(&admission->titles, ask->title, count > 0, ask->now_ms);
    struct edge_chance_view view = {.bins = {
                                        [FEATURE_SHARE] = bin_of_share(&title),
                                        [FEATURE_HOUR] = bin_of_rate(title.per_hour),
                                        [FEATURE_SHIFT] = bin_of_rate(title.per_shift),
                                        [FEATURE_PAST] = bin_of_past(count, age),
                                    }};

    /* The high bits of the hash choose; the low ones place it in tables. */
    if ((ask->id * UINT64_C(0xD6E8FEB86659FD93)) >> (64 - ADMISSION_SAMPLE_BITS) <
        admission->sample) {
        edge_trials_ask(&admission->trials, ask->id, admission->clock, &view);
    }
    return view;
}

/* ---- answers ----------------------------------------------------------- */

static double admission_threshold(const struct edge_admission_ask *ask)
{
    double needed = ask->has_room ? admission_needed_for_room : admission_needed;
    double tight = FB_MAX(ask->pressure - admission_tight, 0.0) / (1 - admission_tight);

    return needed + (1 - needed) * tight;
}

bool edge_admission_ask(struct edge_admission *admission, const struct edge_admission_ask *ask)
{
    struct edge_chance_view view = admission_look(admission, ask);

    if (!ask->is_planned && (ask->pressure >= 1 || edge_chance_of(&admission->chance, &view) <
                                                       admission_threshold(ask))) {
        return false;
    }
    admission->clock += ask->size;
    return true;
}

void edge_admission_seen(struct edge_admission *admission, const struct edge_admission_ask *ask)
{
    (void)admission_look(admission, ask);
}

size_t edge_admission_bytes(const struct edge_admission *admission)
{
    return sizeof(*admission) + edge_recall_bytes(&admission->recall) +
           edge_titles_bytes(&admission->titles) + edge_trials_bytes();
}
