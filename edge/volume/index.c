#include "edge/volume/index.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/volume/index_internal.h"

#include <string.h>

static void index_add_bytes(struct edge_index *index, size_t n)
{
    __atomic_store_n(&index->n_bytes, index->n_bytes + n, __ATOMIC_RELAXED);
}

static size_t index_n_segments(size_t n, size_t a_segment)
{
    return (n + a_segment - 1) / a_segment;
}

static bool index_add_bucket_segment(struct edge_index *index, uint32_t i)
{
    size_t size = BUCKETS_A_SEGMENT * sizeof(uint32_t);
    uint32_t *segment = fb_try_alloc(size);

    if (segment == NULL) {
        return false;
    }
    memset(segment, 0, size);
    index->buckets[i] = segment;
    index_add_bytes(index, size);
    return true;
}

struct edge_index *edge_index_new(size_t max_entries, uint32_t n_zones)
{
    struct edge_index *index = FB_NEW(struct edge_index);
    size_t n_entry_segments = 0;
    size_t n_bucket_segments = 0;

    /* The widths of an entry's fields. */
    FB_REQUIRE(n_zones > 0 && n_zones <= 1U << 21);
    FB_REQUIRE(max_entries > 0 && max_entries < UINT32_C(1) << 31);
    n_entry_segments = index_n_segments(max_entries + 1, ENTRIES_A_SEGMENT);
    n_bucket_segments = index_n_segments(FB_MAX(max_entries, (size_t)N_STRIPES), BUCKETS_A_SEGMENT);
    index->n_zones = n_zones;
    index->max_entries = (uint32_t)max_entries;
    index->stripes = fb_alloc_array(N_STRIPES, sizeof(*index->stripes));
    for (unsigned i = 0; i < N_STRIPES; i++) {
        FB_REQUIRE(pthread_mutex_init(&index->stripes[i].lock, NULL) == 0);
    }
    index->entries = fb_alloc_array(n_entry_segments, sizeof(struct entry *));
    index->buckets = fb_alloc_array(n_bucket_segments, sizeof(*index->buckets));
    index->zones = fb_alloc_array(n_zones, sizeof(*index->zones));
    index->marks = FB_NEW(struct marks);
    index->n_bytes = sizeof(*index) + N_STRIPES * sizeof(*index->stripes) +
                     n_entry_segments * sizeof(struct entry *) +
                     n_bucket_segments * sizeof(*index->buckets) + n_zones * sizeof(*index->zones) +
                     sizeof(*index->marks);
    index->n_buckets = N_STRIPES;
    FB_REQUIRE(index_add_bucket_segment(index, 0));
    return index;
}

void edge_index_free(struct edge_index *index)
{
    if (index == NULL) {
        return;
    }
    for (size_t i = 0; i < index_n_segments((size_t)index->n_entries + 1, ENTRIES_A_SEGMENT); i++) {
        fb_free(index->entries[i]);
    }
    for (size_t i = 0; i < index_n_segments(index->n_buckets, BUCKETS_A_SEGMENT); i++) {
        fb_free(index->buckets[i]);
    }
    for (unsigned i = 0; i < N_STRIPES; i++) {
        pthread_mutex_destroy(&index->stripes[i].lock);
    }
    fb_free(index->stripes);
    fb_free(index->entries);
    fb_free(index->buckets);
    fb_free(index->zones);
    fb_free(index->marks);
    fb_free(index);
}

/* ---- the chains of buckets --------------------------------------------------------- */

/* Splits the next bucket in line. Entries stay in their order, newest first. */
static bool index_split(struct edge_index *index)
{
    uint32_t n = index->n_buckets;
    uint32_t low = UINT32_C(1) << (31 - (unsigned)__builtin_clz(n));
    uint32_t old = n - low;
    uint32_t *links[2] = {NULL, NULL};
    uint32_t i = 0;

    if (n % BUCKETS_A_SEGMENT == 0 &&
        !index_add_bucket_segment(index, n / (uint32_t)BUCKETS_A_SEGMENT)) {
        return false;
    }
    links[0] = &index->buckets[old >> BUCKET_SEGMENT_BITS][old & (BUCKETS_A_SEGMENT - 1)];
    links[1] = &index->buckets[n >> BUCKET_SEGMENT_BITS][n & (BUCKETS_A_SEGMENT - 1)];
    pthread_mutex_lock(index_lock(index, old));
    i = *links[0];
    while (i != 0) {
        struct entry *entry = index_entry(index, i);
        struct edge_extent_id id = entry_id(entry);
        bool moves = (index_hash_of(&id) & low) != 0;

        *links[moves] = i;
        links[moves] = &entry->next;
        i = entry->next;
    }
    *links[0] = 0;
    *links[1] = 0;
    __atomic_store_n(&index->n_buckets, n + 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(index_lock(index, old));
    return true;
}

static void index_link(struct edge_index *index, uint32_t i, uint64_t hash)
{
    pthread_mutex_t *lock = index_lock(index, hash);
    uint32_t *bucket = index_bucket(index, hash);

    pthread_mutex_lock(lock);
    index_entry(index, i)->next = *bucket;
    *bucket = i;
    pthread_mutex_unlock(lock);
    __atomic_store_n(&index->n_live, index->n_live + 1, __ATOMIC_RELAXED);
}

void edge_index_count_out(struct edge_index *index, struct entry *entry)
{
    struct zone_chain *chain = &index->zones[entry->zone];

    chain->n_live--;
    __atomic_store_n(&index->n_live, index->n_live - 1, __ATOMIC_RELAXED);
}

/* Takes `*link` out of its bucket, under the lock; it stays in its zone's chain. */
static void index_kill(struct edge_index *index, uint32_t *link)
{
    struct entry *entry = index_entry(index, *link);

    *link = entry->next;
    entry->shape |= SHAPE_DEAD;
    edge_index_count_out(index, entry);
    index->zones[entry->zone].n_dead++;
    index->zones[entry->zone].has_gaps = true;
    index->n_dead++;
}

void edge_index_free_entry(struct edge_index *index, uint32_t i)
{
    index_entry(index, i)->next = index->first_free;
    index->first_free = i;
}

/* ---- on any thread ------------------------------------------------------------------- */

bool edge_index_find(const struct edge_index *index, const struct edge_extent_id *id, int chunk,
                     unsigned nth, struct edge_place *ret_place)
{
    uint64_t hash = index_hash_of(id);
    pthread_mutex_t *lock = index_lock(index, hash);
    uint8_t wanted = chunk < 0 ? MASK_ALL : (uint8_t)(1U << chunk & MASK_ALL);
    bool found = false;

    pthread_mutex_lock(lock);
    for (uint32_t i = *index_bucket(index, hash); i != 0 && !found;) {
        const struct entry *entry = index_entry(index, i);

        if (entry_is_of(entry, id) && (entry->shape & wanted) != 0 && nth-- == 0) {
            *ret_place = entry_place(entry);
            found = true;
        }
        i = entry->next;
    }
    pthread_mutex_unlock(lock);
    return found;
}

/* The link to the entry of `id` at `place`, under the lock; NULL if it went. */
uint32_t *edge_index_link_to(const struct edge_index *index, const struct edge_extent_id *id,
                             const struct edge_place *place, uint64_t hash)
{
    uint32_t *link = index_bucket(index, hash);

    while (*link != 0) {
        struct entry *entry = index_entry(index, *link);

        if (entry_is_at(entry, place) && entry_is_of(entry, id)) {
            return link;
        }
        link = &entry->next;
    }
    return NULL;
}

bool edge_index_has(const struct edge_index *index, const struct edge_extent_id *id,
                    const struct edge_place *place)
{
    uint64_t hash = index_hash_of(id);
    bool has = false;

    pthread_mutex_lock(index_lock(index, hash));
    has = edge_index_link_to(index, id, place, hash) != NULL;
    pthread_mutex_unlock(index_lock(index, hash));
    return has;
}

void edge_index_touch(struct edge_index *index, const struct edge_extent_id *id,
                      const struct edge_place *place, unsigned hits)
{
    uint64_t hash = index_hash_of(id);
    uint32_t *link = NULL;

    pthread_mutex_lock(index_lock(index, hash));
    link = edge_index_link_to(index, id, place, hash);
    if (link != NULL) {
        struct entry *entry = index_entry(index, *link);
        /* The owner reads it, and cools it, without the lock. */
        unsigned heat =
            __atomic_load_n(&entry->heat, __ATOMIC_RELAXED) + FB_MIN(hits, (unsigned)EDGE_HEAT_MAX);

        __atomic_store_n(&entry->heat, (uint8_t)FB_MIN(heat, (unsigned)EDGE_HEAT_MAX),
                         __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(index_lock(index, hash));
}

size_t edge_index_count(const struct edge_index *index)
{
    return __atomic_load_n(&index->n_live, __ATOMIC_RELAXED);
}

size_t edge_index_bytes(const struct edge_index *index)
{
    return __atomic_load_n(&index->n_bytes, __ATOMIC_RELAXED);
}

/* ---- on the volume's loop -------------------------------------------------------------- */

static int index_take_entry(struct edge_index *index, uint32_t *ret_i)
{
    uint32_t i = index->n_entries + 1;

    if (index->n_live + index->n_dead >= index->max_entries) {
        edge_index_sweep_any(index);
    }
    if (index->n_live + index->n_dead >= index->max_entries) {
        return FB_E_LIMIT;
    }
    if (index->first_free != 0) {
        *ret_i = index->first_free;
        index->first_free = index_entry(index, index->first_free)->next;
        return FB_OK;
    }
    if (index->entries[i >> ENTRY_SEGMENT_BITS] == NULL) {
        size_t size = ENTRIES_A_SEGMENT * sizeof(struct entry);

        if ((index->entries[i >> ENTRY_SEGMENT_BITS] = fb_try_alloc(size)) == NULL) {
            return FB_E_LIMIT;
        }
        index_add_bytes(index, size);
    }
    index->n_entries = i;
    *ret_i = i;
    return FB_OK;
}

static bool place_is_valid(const struct edge_index *index, const struct edge_place *place)
{
    return place->zone < index->n_zones && place->block <= MAX_BLOCK &&
           place->n_blocks <= MAX_BLOCKS && place->n_head_blocks >= 1 &&
           place->n_head_blocks <= MAX_HEAD_BLOCKS && place->mask != 0 && place->mask <= MASK_ALL;
}

int edge_index_add(struct edge_index *index, const struct edge_extent_id *id,
                   const struct edge_place *place)
{
    uint64_t hash = index_hash_of(id);
    uint32_t before = 0;
    uint32_t i = 0;
    int err = FB_OK;

    if (!place_is_valid(index, place)) {
        return FB_E_CORRUPT;
    }
    if ((err = index_take_entry(index, &i)) != FB_OK) {
        return err;
    }
    before = edge_index_last_before(index, place->zone, place->block);
    if (edge_index_is_taken(index, place->zone, place->block, before)) {
        edge_index_free_entry(index, i);
        return FB_E_EXISTS;
    }
    *index_entry(index, i) = (struct entry){
        .fingerprint = id->fingerprint,
        .version = (uint32_t)(id->version >> 32),
        .number = id->number,
        .zone = place->zone & ((1U << 21) - 1),
        .n_blocks = place->n_blocks & MAX_BLOCKS,
        .block = (uint16_t)place->block,
        .shape = (uint8_t)((place->n_head_blocks - 1) << HEADS_SHIFT | place->mask),
        .heat = FB_MIN(place->heat, EDGE_HEAT_MAX),
        .title = place->title,
        .hour = place->hour,
    };
    edge_index_link_zone(index, i, before);
    index->max_group = FB_MAX(index->max_group, index_group(id->number));
    index_link(index, i, hash);
    if (index->n_live > index->n_buckets && index->n_buckets < index->max_entries) {
        FB_IGNORE(index_split(index)); /* chains stay longer until the next entry tries again */
    }
    return FB_OK;
}

bool edge_index_remove(struct edge_index *index, const struct edge_extent_id *id,
                       const struct edge_place *place)
{
    uint64_t hash = index_hash_of(id);
    uint32_t *link = NULL;

    pthread_mutex_lock(index_lock(index, hash));
    link = edge_index_link_to(index, id, place, hash);
    if (link != NULL) {
        index_kill(index, link);
    }
    pthread_mutex_unlock(index_lock(index, hash));
    if (link != NULL) {
        edge_index_sweep_if_worth(index, place->zone);
    }
    return link != NULL;
}

void edge_index_supersede(struct edge_index *index, const struct edge_extent_id *id,
                          const struct edge_place *place)
{
    struct edge_place old;
    unsigned nth = 0;

    while (edge_index_find(index, id, -1, nth, &old)) {
        bool is_same = old.zone == place->zone && old.block == place->block;
        if (is_same || (old.mask & ~place->mask) != 0 || !edge_index_remove(index, id, &old)) {
            nth++;
        }
    }
}

/* Takes the first entry of the key out of the chain of `hash`. */
static bool index_purge_one(struct edge_index *index, uint64_t fingerprint, uint64_t hash,
                            uint32_t *ret_zone)
{
    uint32_t *link = NULL;

    pthread_mutex_lock(index_lock(index, hash));
    link = index_bucket(index, hash);
    while (*link != 0 && index_entry(index, *link)->fingerprint != fingerprint) {
        link = &index_entry(index, *link)->next;
    }
    if (*link == 0) {
        link = NULL;
    } else {
        *ret_zone = index_entry(index, *link)->zone;
        index_kill(index, link);
    }
    pthread_mutex_unlock(index_lock(index, hash));
    return link != NULL;
}

size_t edge_index_purge(struct edge_index *index, uint64_t fingerprint)
{
    uint32_t zone = 0;
    size_t n = 0;

    for (uint32_t group = 0; group <= index->max_group; group++) {
        uint64_t hash = index_hash(fingerprint, group);

        while (index_purge_one(index, fingerprint, hash, &zone)) {
            edge_index_sweep_if_worth(index, zone);
            n++;
        }
    }
    return n;
}
