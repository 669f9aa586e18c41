#include "base/core/check.h"
#include "edge/volume/index_internal.h"

static void index_forget_marks(struct edge_index *index, uint32_t zone)
{
    for (unsigned i = 0; i < N_MARKS; i++) {
        if (index->marks->marks[i].zone == zone) {
            index->marks->marks[i].cursor = 0;
        }
    }
}

/* Takes the dead ones out of a zone's chain. */
static void index_sweep(struct edge_index *index, uint32_t zone)
{
    struct zone_chain *chain = &index->zones[zone];
    uint32_t *link = &chain->first;
    uint32_t i = 0;

    index_forget_marks(index, zone);
    chain->last = 0;
    while ((i = *link) != 0) {
        struct entry *entry = index_entry(index, i);

        if ((entry->shape & SHAPE_DEAD) != 0) {
            *link = entry->next_of_zone;
            edge_index_free_entry(index, i);
        } else {
            link = &entry->next_of_zone;
            chain->last = i;
        }
    }
    index->n_dead -= chain->n_dead;
    chain->n_dead = 0;
}

void edge_index_sweep_any(struct edge_index *index)
{
    uint32_t zone = 0;

    while (zone < index->n_zones && index->zones[zone].n_dead == 0) {
        zone++;
    }
    if (zone < index->n_zones) {
        index_sweep(index, zone);
    }
}

/* The last entry of the zone before `block`, 0 if there is none. */
uint32_t edge_index_last_before(const struct edge_index *index, uint32_t zone, uint32_t block)
{
    const struct zone_chain *chain = &index->zones[zone];
    uint32_t before = 0;

    if (chain->last != 0 && index_entry(index, chain->last)->block < block) {
        return chain->last;
    }
    for (uint32_t i = chain->first; i != 0 && index_entry(index, i)->block < block;
         i = index_entry(index, i)->next_of_zone) {
        before = i;
    }
    return before;
}

/* True if a live entry of the zone is at `block`; `before` is the last one before that. */
bool edge_index_is_taken(const struct edge_index *index, uint32_t zone, uint32_t block,
                         uint32_t before)
{
    uint32_t i = before != 0 ? index_entry(index, before)->next_of_zone : index->zones[zone].first;

    for (; i != 0 && index_entry(index, i)->block == block;
         i = index_entry(index, i)->next_of_zone) {
        if ((index_entry(index, i)->shape & SHAPE_DEAD) == 0) {
            return true;
        }
    }
    return false;
}

void edge_index_link_zone(struct edge_index *index, uint32_t i, uint32_t before)
{
    struct entry *entry = index_entry(index, i);
    struct zone_chain *chain = &index->zones[entry->zone];
    uint32_t *link = before != 0 ? &index_entry(index, before)->next_of_zone : &chain->first;

    entry->next_of_zone = *link;
    *link = i;
    if (chain->last == before) {
        chain->last = i;
    }
    chain->n_live++;
}

void edge_index_sweep_if_worth(struct edge_index *index, uint32_t zone)
{
    const struct zone_chain *chain = &index->zones[zone];

    if (chain->n_dead >= chain->n_live + SWEEP_DEAD) {
        index_sweep(index, zone);
    }
}

/* The entry that follows where the cursor stands, 0 at the end. Its mark, if there is one,
 * is given for reuse. */
static uint32_t index_after_cursor(const struct edge_index *index, uint32_t zone, uint32_t cursor,
                                   struct mark **ret_mark)
{
    uint32_t i = index->zones[zone].first;

    *ret_mark = NULL;
    if (cursor == 0) {
        return i;
    }
    for (unsigned k = 0; k < N_MARKS; k++) {
        struct mark *mark = &index->marks->marks[k];

        if (mark->zone == zone && mark->cursor == cursor) {
            *ret_mark = mark;
            return index_entry(index, mark->entry)->next_of_zone;
        }
    }
    while (i != 0 && index_entry(index, i)->block < cursor) {
        i = index_entry(index, i)->next_of_zone;
    }
    return i;
}

bool edge_index_next_of_zone(const struct edge_index *index, uint32_t zone, uint32_t *cursor,
                             struct edge_extent_id *ret_id, struct edge_place *ret_place)
{
    struct mark *mark = NULL;
    uint32_t i = 0;

    FB_REQUIRE(zone < index->n_zones);
    i = index_after_cursor(index, zone, *cursor, &mark);
    while (i != 0 && (index_entry(index, i)->shape & SHAPE_DEAD) != 0) {
        i = index_entry(index, i)->next_of_zone;
    }
    if (i == 0) {
        return false;
    }
    if (mark == NULL) {
        mark = &index->marks->marks[index->marks->turn++ % N_MARKS];
    }
    *ret_id = entry_id(index_entry(index, i));
    *ret_place = entry_place(index_entry(index, i));
    *cursor = ret_place->block + 1;
    *mark = (struct mark){.zone = zone, .cursor = *cursor, .entry = i};
    return true;
}

void edge_index_note_gap(struct edge_index *index, uint32_t zone)
{
    FB_REQUIRE(zone < index->n_zones);
    index->zones[zone].has_gaps = true;
}

bool edge_index_has_gaps(const struct edge_index *index, uint32_t zone)
{
    FB_REQUIRE(zone < index->n_zones);
    return index->zones[zone].has_gaps;
}

size_t edge_index_drop_zone(struct edge_index *index, uint32_t zone)
{
    struct zone_chain *chain = NULL;
    size_t n = 0;
    uint32_t next = 0;

    FB_REQUIRE(zone < index->n_zones);
    chain = &index->zones[zone];
    n = chain->n_live;
    index_forget_marks(index, zone);
    for (uint32_t i = chain->first; i != 0; i = next) {
        struct entry *entry = index_entry(index, i);
        struct edge_extent_id id = entry_id(entry);

        next = entry->next_of_zone;
        if ((entry->shape & SHAPE_DEAD) == 0) {
            struct edge_place place = entry_place(entry);
            uint64_t hash = index_hash_of(&id);
            uint32_t *link = NULL;

            pthread_mutex_lock(index_lock(index, hash));
            link = edge_index_link_to(index, &id, &place, hash);
            FB_REQUIRE(link != NULL);
            *link = entry->next;
            pthread_mutex_unlock(index_lock(index, hash));
            edge_index_count_out(index, entry);
        }
        edge_index_free_entry(index, i);
    }
    index->n_dead -= chain->n_dead;
    *chain = (struct zone_chain){0};
    return n;
}

void edge_index_cool_zone(struct edge_index *index, uint32_t zone)
{
    FB_REQUIRE(zone < index->n_zones);
    for (uint32_t i = index->zones[zone].first; i != 0; i = index_entry(index, i)->next_of_zone) {
        __atomic_store_n(&index_entry(index, i)->heat, 0, __ATOMIC_RELAXED);
    }
}
