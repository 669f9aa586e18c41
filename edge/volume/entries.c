/*
 * What is written becomes what can be found.
 */
#include "edge/volume/volume_internal.h"

void edge_entry_publish(struct edge_volume *volume, const struct volume_entry *entry)
{
    const struct edge_listing *listing = &entry->listing;
    bool is_wanted = listing->kind == EDGE_RECORD_EXTENT && !entry->is_dead;

    if (is_wanted && entry->is_rewritten) {
        /* What went meanwhile does not come back. */
        is_wanted = edge_index_remove(volume->index, &listing->id, &entry->old);
    }
    if (is_wanted) {
        edge_index_supersede(volume->index, &listing->id, &listing->place);
    }
    if (is_wanted && edge_index_add(volume->index, &listing->id, &listing->place) < 0) {
        volume_count(&volume->shared.counts.n_dropped, 1);
        is_wanted = false;
    }
    if (is_wanted && entry->is_rewritten) {
        volume_count(&volume->shared.counts.n_rewritten, 1);
    }
    if (!is_wanted && listing->kind == EDGE_RECORD_EXTENT) {
        edge_index_note_gap(volume->index, listing->place.zone);
    }
}

bool edge_extent_is_known(const struct edge_volume *volume, const struct edge_extent_head *head)
{
    struct edge_place place;

    for (unsigned nth = 0; edge_index_find(volume->index, &head->id, -1, nth, &place); nth++) {
        if ((head->mask & ~place.mask) == 0) {
            return true;
        }
    }
    return false;
}
