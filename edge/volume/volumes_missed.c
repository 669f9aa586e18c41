#include "base/core/alloc.h"
#include "edge/volume/volumes_internal.h"

#include <string.h>

enum { MISSED_MAX = 65536, MISSED_FIRST = 64 };

void edge_missed_add(struct edge_missed *missed, uint64_t fingerprint)
{
    if (missed->is_over) {
        return;
    }
    if (missed->n == MISSED_MAX) {
        fb_free(missed->fingerprints);
        *missed = (struct edge_missed){.is_over = true};
        return;
    }
    if (missed->n == missed->capacity) {
        missed->capacity = missed->n == 0 ? MISSED_FIRST : missed->n * 2;
        missed->fingerprints =
            fb_realloc(missed->fingerprints, missed->capacity * sizeof(*missed->fingerprints));
    }
    missed->fingerprints[missed->n++] = fingerprint;
}

void edge_missed_drop(struct edge_missed *missed, size_t n)
{
    missed->n -= n;
    if (missed->n == 0) {
        fb_free(missed->fingerprints);
        *missed = (struct edge_missed){.is_over = missed->is_over};
        return;
    }
    memmove(missed->fingerprints, missed->fingerprints + n,
            missed->n * sizeof(*missed->fingerprints));
}
