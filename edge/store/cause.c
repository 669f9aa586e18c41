#include "edge/store/cause.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "edge/store/store_internal.h"

enum { NOTES_SHARE = 512, NOTES_WAYS = 4, NOTES_MIN_BUCKETS = 16 };

/* What a note says in its low bits. ON_VOLUME: it left memory, but not the volumes; if it is not
 * there any more either, that tells why. */
enum { NOTE_ON_VOLUME = EDGE_N_CAUSES, NOTE_CAUSE_BITS = 4 };

/* Stands for a whole key in place of an extent's number. */
#define NOTE_WHOLE UINT64_MAX

struct store_note {
    uint64_t hash;  /* 0: free */
    uint64_t order; /* when it was made, above the cause */
};

struct store_notes {
    pthread_mutex_t lock;
    uint64_t n_made;
    size_t n_buckets; /* a power of two */
    struct store_note notes[][NOTES_WAYS];
};

/* ---- the table ----------------------------------------------------------- */

static size_t notes_bytes(size_t n_buckets)
{
    return sizeof(struct store_notes) + n_buckets * NOTES_WAYS * sizeof(struct store_note);
}

struct store_notes *edge_notes_new(uint64_t memory_bytes)
{
    size_t n_buckets = NOTES_MIN_BUCKETS;

    while (notes_bytes(2 * n_buckets) <= memory_bytes / NOTES_SHARE) {
        n_buckets *= 2;
    }
    struct store_notes *notes = fb_alloc(notes_bytes(n_buckets));
    notes->n_buckets = n_buckets;
    (void)pthread_mutex_init(&notes->lock, NULL);
    return notes;
}

void edge_notes_free(struct store_notes *notes)
{
    (void)pthread_mutex_destroy(&notes->lock);
    fb_free(notes);
}

size_t edge_notes_bytes(const struct store_notes *notes)
{
    return notes_bytes(notes->n_buckets);
}

static uint64_t note_hash(uint64_t fingerprint, uint64_t number)
{
    uint64_t parts[] = {fingerprint, number};
    uint64_t hash = fb_str_hash((struct fb_str){(const char *)parts, sizeof(parts)}, 0);

    return hash != 0 ? hash : 1;
}

/* Under the lock: the note of `hash`, or the one of its neighbours that gives way to it. */
static struct store_note *notes_at(struct store_notes *notes, uint64_t hash)
{
    struct store_note *bucket = notes->notes[hash & (notes->n_buckets - 1)];
    struct store_note *oldest = bucket;

    for (unsigned i = 0; i < NOTES_WAYS; i++) {
        if (bucket[i].hash == hash) {
            return &bucket[i];
        }
        oldest = bucket[i].order < oldest->order ? &bucket[i] : oldest;
    }
    return oldest;
}

static void notes_make(struct store_notes *notes, uint64_t fingerprint, uint64_t number,
                       unsigned cause)
{
    uint64_t hash = note_hash(fingerprint, number);

    (void)pthread_mutex_lock(&notes->lock);
    *notes_at(notes, hash) =
        (struct store_note){.hash = hash, .order = ++notes->n_made << NOTE_CAUSE_BITS | cause};
    (void)pthread_mutex_unlock(&notes->lock);
}

/* Under the lock: 0 if there is none. */
static uint64_t notes_find(struct store_notes *notes, uint64_t fingerprint, uint64_t number)
{
    uint64_t hash = note_hash(fingerprint, number);
    const struct store_note *note = notes_at(notes, hash);

    return note->hash == hash ? note->order : 0;
}

/* ---- making notes -------------------------------------------------------- */

void edge_note_extent(struct edge_store *store, const struct edge_extent_id *id,
                      enum edge_cause cause)
{
    notes_make(store->notes, id->fingerprint, id->number, cause);
}

void edge_note_key(struct edge_store *store, uint64_t fingerprint, enum edge_cause cause)
{
    notes_make(store->notes, fingerprint, NOTE_WHOLE, cause);
}

enum edge_cause edge_cause_of_read(int err)
{
    return err == FB_E_CORRUPT ? EDGE_CAUSE_CORRUPT : EDGE_CAUSE_VOLUME_LOST;
}

void edge_note_left_memory(struct edge_store *store, const struct edge_extent_id *id,
                           bool is_on_volumes, bool was_declined)
{
    unsigned cause = is_on_volumes  ? (unsigned)NOTE_ON_VOLUME
                     : was_declined ? (unsigned)EDGE_CAUSE_NOT_ADMITTED
                                    : (unsigned)EDGE_CAUSE_CAPACITY;

    notes_make(store->notes, id->fingerprint, id->number, cause);
}

/* ---- asking -------------------------------------------------------------- */

const char *edge_cause_name(enum edge_cause cause)
{
    static const char *const names[EDGE_N_CAUSES] = {
        [EDGE_CAUSE_FIRST_TOUCH] = "first-touch", [EDGE_CAUSE_NOT_ADMITTED] = "not-admitted",
        [EDGE_CAUSE_CAPACITY] = "capacity",       [EDGE_CAUSE_EXPIRED] = "expired",
        [EDGE_CAUSE_PURGED] = "purged",           [EDGE_CAUSE_VOLUME_LOST] = "volume-lost",
        [EDGE_CAUSE_CORRUPT] = "corrupt",
    };

    return names[cause];
}

enum edge_cause edge_store_cause(struct edge_store *store, struct fb_str key, uint64_t offset)
{
    struct store_notes *notes = store->notes;
    uint64_t fingerprint = edge_fingerprint_of(key);

    (void)pthread_mutex_lock(&notes->lock);
    uint64_t of_extent = notes_find(notes, fingerprint, offset / EDGE_EXTENT_BYTES);
    uint64_t of_key = notes_find(notes, fingerprint, NOTE_WHOLE);
    (void)pthread_mutex_unlock(&notes->lock);
    uint64_t order = FB_MAX(of_extent, of_key);
    if (order == 0) {
        return EDGE_CAUSE_FIRST_TOUCH;
    }
    unsigned cause = (unsigned)(order & ((1U << NOTE_CAUSE_BITS) - 1));
    if (cause == NOTE_ON_VOLUME) { /* is made only where there are volumes */
        return edge_volumes_have_lost(store->volumes, fingerprint) ? EDGE_CAUSE_VOLUME_LOST
                                                                   : EDGE_CAUSE_CAPACITY;
    }
    return (enum edge_cause)cause;
}

enum edge_cause edge_object_cause(const struct edge_object *object)
{
    return edge_object_is_soft(object) ? EDGE_CAUSE_PURGED : EDGE_CAUSE_EXPIRED;
}
