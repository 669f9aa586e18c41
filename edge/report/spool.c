#include "edge/report/spool.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/core/varint.h"
#include "base/db/damage.h"
#include "base/log/log.h"
#include "base/sys/random.h"
#include "edge/report/spool_internal.h"

#include <string.h>

/* Rows of `pending` stand in the order in which they are folded and, from behind, sealed. */
static const char *const migrations[] = {
    "CREATE TABLE identity (id TEXT NOT NULL);"
    "CREATE TABLE pending ("
    " span INTEGER NOT NULL, minute INTEGER NOT NULL, region TEXT NOT NULL,"
    " video TEXT NOT NULL, rendition TEXT NOT NULL, counts BLOB NOT NULL,"
    " PRIMARY KEY (span, minute, region, video, rendition)) WITHOUT ROWID;"
    "CREATE TABLE totals (region TEXT PRIMARY KEY, numbers BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE merged ("
    " region TEXT NOT NULL, node TEXT NOT NULL, epoch INTEGER NOT NULL,"
    " first INTEGER NOT NULL, last INTEGER NOT NULL,"
    " PRIMARY KEY (region, node, epoch, first)) WITHOUT ROWID;"
    "CREATE TABLE streams ("
    " receiver TEXT PRIMARY KEY, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,"
    " digest BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE sealed ("
    " receiver TEXT NOT NULL, sequence INTEGER NOT NULL, made_ms INTEGER NOT NULL,"
    " bytes BLOB NOT NULL, PRIMARY KEY (receiver, sequence)) WITHOUT ROWID;"
    "CREATE TABLE peers ("
    " node TEXT NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,"
    " digest BLOB NOT NULL, seen_ms INTEGER NOT NULL,"
    " PRIMARY KEY (node, epoch)) WITHOUT ROWID;",
};

enum { ID_BYTES = FB_VIEW_RECEIVER_SIZE / 2, TOTALS_N = sizeof(struct fb_view_totals) / 8 };

void edge_spool_lock(struct edge_spool *spool, struct spool_hold *hold)
{
    (void)pthread_mutex_lock(&spool->lock); /* fails for mutexes of another kind alone */
    hold->lock = &spool->lock;
}

void edge_spool_hold_done(struct spool_hold *hold)
{
    if (hold->lock != NULL) {
        (void)pthread_mutex_unlock(hold->lock); /* as above */
        hold->lock = NULL;
    }
}

/* ---- rows ------------------------------------------------------------------ */

static void row_merge_counts(struct fb_view_entry *entry, struct fb_str counts)
{
    int err = fb_view_counts_merge(entry, counts);
    if (err < 0) {
        FB_LOG(ERROR, "report", "counts in the spool cannot be read and are lost",
               FB_LOG_STR("video", entry->video), FB_LOG_TEXT("error", fb_err_text(err)));
    }
}

void edge_spool_row_read(const struct fb_db_query *row, int first, struct fb_view_entry *ret_entry)
{
    *ret_entry = (struct fb_view_entry){
        .span = (uint32_t)fb_db_column_int(row, first),
        .minute = fb_db_column_int(row, first + 1),
        .video = fb_db_column_str(row, first + 2),
        .rendition = fb_db_column_str(row, first + 3),
    };
    row_merge_counts(ret_entry, fb_db_column_blob(row, first + 4));
}

static void row_bind(struct fb_db_query *q, struct fb_str region, const struct fb_view_entry *entry)
{
    struct fb_str rendition = entry->rendition.len > 0 ? entry->rendition : FB_STR("");

    fb_db_bind_int(q, 1, entry->span);
    fb_db_bind_int(q, 2, entry->minute);
    fb_db_bind_str(q, 3, region);
    fb_db_bind_str(q, 4, entry->video);
    fb_db_bind_str(q, 5, rendition);
}

int edge_spool_row_add(struct edge_spool *spool, struct fb_str region,
                       const struct fb_view_entry *entry)
{
    FB_AUTO(fb_view_entry_done) struct fb_view_entry sum = {.video = entry->video};
    FB_AUTO(fb_buf_done) struct fb_buf counts = {0};
    FB_AUTO(fb_db_query_done)
    struct fb_db_query get =
        fb_db_query(spool->db, "SELECT counts FROM pending WHERE span = ?1 AND minute = ?2"
                               " AND region = ?3 AND video = ?4 AND rendition = ?5");
    row_bind(&get, region, entry);
    int err = fb_db_step(&get);
    if (err == FB_OK) {
        row_merge_counts(&sum, fb_db_column_blob(&get, 0));
    } else if (err != FB_E_END) {
        return err;
    }
    fb_view_entry_merge(&sum, entry);
    fb_view_counts_encode(&sum, &counts);
    FB_AUTO(fb_db_query_done)
    struct fb_db_query put =
        fb_db_query(spool->db, "INSERT OR REPLACE INTO pending (span, minute, region,"
                               " video, rendition, counts)"
                               " VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    row_bind(&put, region, entry);
    fb_db_bind_blob(&put, 6, fb_buf_str(&counts));
    return fb_db_run(&put);
}

/* ---- totals ---------------------------------------------------------------- */

static bool totals_are_zero(const struct fb_view_totals *totals)
{
    static const struct fb_view_totals zero;
    return memcmp(totals, &zero, sizeof(zero)) == 0; /* numbers alone, without holes */
}

void edge_spool_totals_encode(const struct fb_view_totals *totals, struct fb_buf *to)
{
    uint64_t numbers[TOTALS_N];

    memcpy(numbers, totals, sizeof(numbers));
    for (size_t i = 0; i < TOTALS_N; i++) {
        fb_varint_append(to, numbers[i]);
    }
}

/* What is missing, in a row of an earlier version, is zero. */
void edge_spool_totals_decode(struct fb_str bytes, struct fb_view_totals *ret_totals)
{
    uint64_t numbers[TOTALS_N] = {0};

    for (size_t i = 0; i < TOTALS_N && fb_varint_take(&bytes, &numbers[i]) == FB_OK; i++) {
    }
    memcpy(ret_totals, numbers, sizeof(numbers));
}

int edge_spool_totals_add(struct edge_spool *spool, struct fb_str region,
                          const struct fb_view_totals *totals)
{
    struct fb_view_totals sum = {0};
    FB_AUTO(fb_buf_done) struct fb_buf numbers = {0};

    if (totals_are_zero(totals)) {
        return FB_OK;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query get = fb_db_query(spool->db, "SELECT numbers FROM totals WHERE region = ?1");
    fb_db_bind_str(&get, 1, region);
    int err = fb_db_step(&get);
    if (err == FB_OK) {
        edge_spool_totals_decode(fb_db_column_blob(&get, 0), &sum);
    } else if (err != FB_E_END) {
        return err;
    }
    fb_view_totals_add(&sum, totals);
    edge_spool_totals_encode(&sum, &numbers);
    FB_AUTO(fb_db_query_done)
    struct fb_db_query put =
        fb_db_query(spool->db, "INSERT OR REPLACE INTO totals (region, numbers) VALUES (?1, ?2)");
    fb_db_bind_str(&put, 1, region);
    fb_db_bind_blob(&put, 2, fb_buf_str(&numbers));
    return fb_db_run(&put);
}

/* ---- adding ---------------------------------------------------------------- */

static int spool_add_all(struct edge_spool *spool, const struct fb_view_entry *entries, size_t n,
                         const struct fb_view_totals *totals)
{
    struct fb_str region = fb_str_from(spool->region);
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_begin(spool->db, &tx);
    for (size_t i = 0; i < n && err == FB_OK; i++) {
        err = edge_spool_row_add(spool, region, &entries[i]);
    }
    if (err == FB_OK && totals != NULL) {
        err = edge_spool_totals_add(spool, region, totals);
    }
    return err < 0 ? err : fb_db_commit(&tx);
}

int edge_spool_add(struct edge_spool *spool, const struct fb_view_entry *entries, size_t n,
                   const struct fb_view_totals *totals)
{
    FB_AUTO(edge_spool_hold_done) struct spool_hold hold = {0};

    edge_spool_lock(spool, &hold);
    int err = edge_spool_make_room(spool);
    if (err == FB_OK) {
        err = spool_add_all(spool, entries, n, totals);
    }
    spool->counts.added += err == FB_OK ? n : 0;
    return err;
}

/* ---- looking --------------------------------------------------------------- */

static int spool_number(struct edge_spool *spool, const char *sql, int64_t *ret_number)
{
    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(spool->db, sql);

    int err = fb_db_step(&q);
    if (err == FB_OK) {
        *ret_number = fb_db_column_is_null(&q, 0) ? -1 : fb_db_column_int(&q, 0);
    }
    return err;
}

int edge_spool_used(struct edge_spool *spool, uint64_t *ret_bytes)
{
    int64_t pages = 0;
    int64_t unused = 0;

    int err = spool_number(spool, "PRAGMA page_count", &pages);
    if (err == FB_OK) {
        err = spool_number(spool, "PRAGMA freelist_count", &unused);
    }
    if (err == FB_OK) {
        *ret_bytes = (uint64_t)(pages - unused) * spool->page_bytes;
    }
    return err;
}

int edge_spool_state(struct edge_spool *spool, struct edge_spool_state *ret_state)
{
    FB_AUTO(edge_spool_hold_done) struct spool_hold hold = {0};
    struct edge_spool_state state = {0};
    struct {
        const char *sql;
        int64_t number;
    } asked[] = {
        {"SELECT count(*) FROM pending", 0},
        {"SELECT count(*) FROM sealed", 0},
        {"SELECT count(*) FROM streams", 0},
        {"SELECT count(*) FROM peers", 0},
        {"SELECT min(minute) FROM pending WHERE span = (SELECT max(span) FROM pending)", 0},
        {"SELECT min(made_ms) FROM sealed", 0},
    };

    edge_spool_lock(spool, &hold);
    int err = edge_spool_used(spool, &state.n_bytes);
    for (size_t i = 0; i < FB_ARRAY_LEN(asked) && err == FB_OK; i++) {
        err = spool_number(spool, asked[i].sql, &asked[i].number);
    }
    if (err < 0) {
        return err;
    }
    state.n_pending = (uint64_t)asked[0].number;
    state.n_sealed = (uint64_t)asked[1].number;
    state.n_streams = (uint64_t)asked[2].number;
    state.n_peers = (uint64_t)asked[3].number;
    state.oldest_minute = asked[4].number;
    state.oldest_ms = asked[5].number;
    *ret_state = state;
    return FB_OK;
}

struct edge_spool_counts edge_spool_counts(struct edge_spool *spool)
{
    FB_AUTO(edge_spool_hold_done) struct spool_hold hold = {0};

    edge_spool_lock(spool, &hold);
    return spool->counts;
}

struct fb_str edge_spool_id(const struct edge_spool *spool)
{
    return fb_str_from(spool->id);
}

/* ---- life ------------------------------------------------------------------ */

/* Two processes may come to it at once: the first one's id stays. */
static int spool_identify(struct edge_spool *spool)
{
    FB_AUTO(fb_buf_done) struct fb_buf hex = {0};
    char bytes[ID_BYTES];

    fb_random_bytes(bytes, sizeof(bytes));
    fb_text_hex(&hex, (struct fb_str){bytes, sizeof(bytes)});
    FB_AUTO(fb_db_query_done)
    struct fb_db_query put = fb_db_query(spool->db, "INSERT INTO identity (id) SELECT ?1 WHERE"
                                                    " NOT EXISTS (SELECT 1 FROM identity)");
    fb_db_bind_str(&put, 1, fb_buf_str(&hex));
    int err = fb_db_run(&put);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query get = fb_db_query(spool->db, "SELECT id FROM identity");
    err = fb_db_step(&get);
    struct fb_str id = err == FB_OK ? fb_db_column_str(&get, 0) : FB_STR_NONE;
    if (err == FB_OK && id.len != FB_VIEW_RECEIVER_SIZE) {
        return FB_E_CORRUPT;
    }
    if (err == FB_OK) {
        memcpy(spool->id, id.ptr, id.len);
    }
    return err;
}

static int spool_open_at(struct edge_spool *spool, const char *path, struct fb_diag *diag)
{
    int64_t page_bytes = 0;

    int err = fb_db_open(path, NULL, &spool->db, diag);
    if (err == FB_OK) {
        err = fb_db_migrate(spool->db, migrations, FB_ARRAY_LEN(migrations), diag);
    }
    if (err < 0) {
        return err;
    }
    err = fb_db_check(spool->db); /* damage that is met later would refuse all that comes */
    if (err == FB_OK) {
        err = spool_number(spool, "PRAGMA page_size", &page_bytes);
    }
    if (err == FB_OK) {
        err = spool_identify(spool);
    }
    if (err < 0) {
        return fb_diag_set(diag, err, "read '%s': %s", path, fb_err_text(err));
    }
    spool->page_bytes = (uint64_t)page_bytes;
    return FB_OK;
}

static int spool_begin_anew(struct edge_spool *spool, const char *path, struct fb_diag *diag)
{
    fb_db_close(spool->db);
    spool->db = NULL;
    int err = fb_db_put_aside(path);
    if (err < 0) {
        return fb_diag_set(diag, err, "put the broken '%s' aside: %s", path, fb_err_text(err));
    }
    FB_LOG(ERROR, "report", "the spool is broken and was put aside: what it held is not reported",
           FB_LOG_TEXT("path", path));
    return spool_open_at(spool, path, diag);
}

int edge_spool_open(const struct edge_spool_options *options, struct edge_spool **ret_spool,
                    struct fb_diag *diag)
{
    struct edge_spool *spool = FB_NEW(struct edge_spool);

    (void)pthread_mutex_init(&spool->lock, NULL); /* cannot fail here */
    spool->clock = options->clock;
    spool->node = fb_str_dup(options->node);
    spool->region = fb_str_dup(options->region);
    spool->max_bytes = options->max_bytes;
    int err = spool_open_at(spool, options->path, diag);
    if (err == FB_E_CORRUPT) {
        err = spool_begin_anew(spool, options->path, diag);
    }
    if (err < 0) {
        edge_spool_close(spool);
        return err;
    }
    *ret_spool = spool;
    return FB_OK;
}

void edge_spool_close(struct edge_spool *spool)
{
    if (spool == NULL) {
        return;
    }
    fb_db_close(spool->db);
    (void)pthread_mutex_destroy(&spool->lock); /* nobody holds it */
    fb_free(spool->node);
    fb_free(spool->region);
    fb_free(spool);
}
