#include "edge/policy/admission.h"

#include "base/core/alloc.h"
#include "edge/policy/ghost.h"
#include "edge/policy/titles.h"

enum { ADMISSION_TITLES = 1 << 16 };

/* Of a title's recent requests, so many must have found their object known. */
static const double admission_known_share = 0.3;

/* Bytes written per byte served at which only what was asked for before is written. */
static const double admission_written_share = 0.16;
static const double admission_told_decay = 1.0 / 64;

struct edge_admission {
    struct edge_ghost ghost;
    struct edge_titles titles;
    uint64_t volume_bytes;
    double served; /* lately, fading */
    double written;
};

struct edge_admission *edge_admission_new(const struct edge_admission_options *options)
{
    struct edge_admission *admission = FB_NEW(struct edge_admission);

    admission->volume_bytes = options->volume_bytes;
    edge_ghost_init(&admission->ghost, options->volume_bytes);
    edge_titles_init(&admission->titles, ADMISSION_TITLES);
    return admission;
}

void edge_admission_free(struct edge_admission *admission)
{
    if (admission != NULL) {
        edge_ghost_done(&admission->ghost);
        edge_titles_done(&admission->titles);
        fb_free(admission);
    }
}

bool edge_admission_ask(struct edge_admission *admission, const struct edge_admission_ask *ask)
{
    bool known = ask->found != EDGE_FOUND_MISS || edge_ghost_take(&admission->ghost, ask->id);
    double share = edge_titles_add(&admission->titles, ask->title, known);

    if (ask->is_planned) {
        return true;
    }
    if (ask->pressure < 1 && !ask->is_live &&
        (known || ask->has_room ||
         (share >= admission_known_share && edge_admission_strictness(admission) < 1))) {
        return true;
    }
    if (ask->found == EDGE_FOUND_MISS) {
        edge_ghost_add(&admission->ghost, ask->id, ask->size);
    }
    return false;
}

void edge_admission_seen(struct edge_admission *admission, const struct edge_admission_ask *ask)
{
    (void)edge_titles_add(&admission->titles, ask->title, true);
}

void edge_admission_tell(struct edge_admission *admission, uint64_t served_bytes,
                         uint64_t written_bytes)
{
    double keep = 1 - admission_told_decay * (double)served_bytes /
                          ((double)admission->volume_bytes + (double)served_bytes);

    admission->served = admission->served * keep + (double)served_bytes;
    admission->written = admission->written * keep + (double)written_bytes;
}

double edge_admission_strictness(const struct edge_admission *admission)
{
    if (admission->written <= 0) {
        return 0;
    }
    double share = admission->written / FB_MAX(admission->served, 1.0);

    return FB_MIN(share / admission_written_share, 1.0);
}

size_t edge_admission_bytes(const struct edge_admission *admission)
{
    return sizeof(*admission) + admission->titles.n_entries * sizeof(*admission->titles.entries) +
           admission->ghost.cap *
               (sizeof(*admission->ghost.ring) + 2 * sizeof(*admission->ghost.slots));
}
