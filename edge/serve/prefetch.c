#include "edge/serve/prefetch.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/metrics/metrics.h"
#include "base/net/address.h"
#include "base/server/exchange.h"
#include "edge/fill/ahead.h"
#include "edge/serve/next.h"
#include "edge/serve/serve_internal.h"

#include <string.h>

enum { PREFETCH_CLIENTS = 4096, PREFETCH_PATIENCE_MS = 60000 };

enum prefetch_row {
    PREFETCH_BEGUN,
    PREFETCH_BYTES,
    PREFETCH_FAILED,
    PREFETCH_USED,
    PREFETCH_BUSY,
    PREFETCH_N_ROWS
};

static const struct fb_metric prefetch_rows[PREFETCH_N_ROWS] = {
    [PREFETCH_BEGUN] = {"edge_prefetch_total", FB_METRIC_COUNTER, NULL,
                        "Next segments of players that were fetched before they were asked for."},
    [PREFETCH_BYTES] = {"edge_prefetch_bytes_total", FB_METRIC_COUNTER, NULL, "Bytes of them."},
    [PREFETCH_FAILED] = {"edge_prefetch_failed_total", FB_METRIC_COUNTER, NULL,
                         "Those that no upstream gave, such as what follows the last one."},
    [PREFETCH_USED] = {"edge_prefetch_used_total", FB_METRIC_COUNTER, NULL,
                       "Those that a client asked for later, on the same loop."},
    [PREFETCH_BUSY] = {"edge_prefetch_busy_total", FB_METRIC_COUNTER, NULL,
                       "Next segments that were not fetched, because `prefetch.parallel` were on "
                       "their way."},
};

struct prefetch_slot {
    struct edge_prefetch *prefetch;
    struct edge_fill_ahead ahead;
    struct fb_arena arena;
    struct fb_request_head request;
    struct fb_range_spec range;
    struct serve_reign *reign; /* held while busy: the site's pool and rules are of it */
    uint64_t session;
    bool is_busy;
};

/* Who asked last for which number; places are shared by what hashes alike. */
struct prefetch_client {
    uint64_t hash;
    uint64_t number;
    int64_t at_ms;
};

struct edge_prefetch {
    struct edge_serve *serve;
    enum edge_prefetch_kind kind;
    struct fb_metrics_table *metrics;
    struct prefetch_client clients[PREFETCH_CLIENTS];
    uint64_t unused[PREFETCH_CLIENTS]; /* hashes of keys that were fetched and not asked for yet */
    bool is_halted;
    unsigned n_slots;
    struct prefetch_slot slots[];
};

/* ---- one on its way --------------------------------------------------------- */

static void slot_clear(struct prefetch_slot *slot)
{
    edge_reign_leave(slot->reign);
    slot->reign = NULL;
    fb_arena_reset(&slot->arena);
    slot->is_busy = false;
}

static void slot_on_done(struct fb_op *op)
{
    struct prefetch_slot *slot = FB_CONTAINER_OF(op, struct prefetch_slot, ahead.op);
    struct edge_prefetch *prefetch = slot->prefetch;

    if (op->result == FB_OK && !slot->ahead.is_shared) {
        fb_metrics_add(prefetch->metrics, PREFETCH_BYTES, slot->ahead.n_read);
    } else if (op->result < 0 && op->result != FB_E_CANCELED) {
        fb_metrics_add(prefetch->metrics, PREFETCH_FAILED, 1);
    }
    edge_object_unref(slot->ahead.object);
    slot->ahead.object = NULL;
    slot_clear(slot);
}

/* True if no tier has it, as far as is known without I/O. */
static bool slot_is_needed(const struct prefetch_slot *slot)
{
    struct edge_store *store = slot->prefetch->serve->options.store;
    const struct edge_fill_ask *ask = &slot->ahead.ask;
    uint64_t offset = ask->range != NULL ? ask->range->first : 0;
    struct edge_object *object = edge_store_find(store, ask->key, &slot->request.headers);

    if (object != NULL) {
        bool holds = edge_object_holds(object, offset, 1);
        edge_object_unref(object);
        return !holds;
    }
    return !edge_store_may_load(store, ask->key, offset);
}

/* Makes the ask; false if it is nothing that is to be fetched ahead. */
static bool slot_ask(struct prefetch_slot *slot, const struct serve_request *request,
                     const struct edge_next *next)
{
    const struct edge_site *site = request->site;
    struct edge_target target;

    slot->request = (struct fb_request_head){
        .method = FB_METHOD_GET,
        .method_text = FB_STR("GET"),
        .target = next->path,
        .path = next->path,
        .host = request->wanted.host,
        .version_minor = 1,
    };
    if (edge_site_key(site, &slot->arena, &slot->request, &target) < 0) {
        return false;
    }
    slot->request.host = target.host;
    slot->request.target = target.target;
    slot->request.path = target.path;
    slot->range = next->range;
    slot->ahead.ask = (struct edge_fill_ask){
        .key = target.key,
        .request = &slot->request,
        .treatment = edge_site_treat(site, &slot->arena, target.path),
        .range = next->has_range ? &slot->range : NULL,
        .is_prefetch = true,
        .pool = site->pool,
        .upstream = request->serve->uplink,
    };
    return slot->ahead.ask.treatment.class == EDGE_CLASS_SEGMENT && slot_is_needed(slot);
}

static struct prefetch_slot *prefetch_slot(struct edge_prefetch *prefetch, uint64_t session)
{
    struct prefetch_slot *found = NULL;

    for (unsigned i = 0; i < prefetch->n_slots; i++) {
        struct prefetch_slot *slot = &prefetch->slots[i];
        if (slot->is_busy && slot->session == session) {
            return NULL;
        }
        found = slot->is_busy ? found : slot;
    }
    if (found == NULL) {
        fb_metrics_add(prefetch->metrics, PREFETCH_BUSY, 1);
    }
    return found;
}

static void prefetch_begin(struct edge_prefetch *prefetch, const struct serve_request *request,
                           const struct edge_next *next, uint64_t session)
{
    struct prefetch_slot *slot = prefetch_slot(prefetch, session);

    if (slot == NULL) {
        return;
    }
    slot->prefetch = prefetch;
    slot->session = session;
    slot->is_busy = true;
    slot->reign = edge_reign_enter(prefetch->serve);
    if (slot->reign != request->reign || !slot_ask(slot, request, next)) {
        slot_clear(slot); /* a site of yesterday's, or nothing to fetch */
        return;
    }
    uint64_t hash = fb_str_hash(slot->ahead.ask.key, 0);
    prefetch->unused[hash % PREFETCH_CLIENTS] = hash;
    fb_metrics_add(prefetch->metrics, PREFETCH_BEGUN, 1);
    fb_op_init(&slot->ahead.op, prefetch->serve->loop, slot_on_done);
    edge_fill_ahead(prefetch->serve->options.fills, &slot->ahead);
}

/* ---- who plays what ---------------------------------------------------------- */

static struct fb_str prefetch_sid(const struct edge_cmcd *cmcd)
{
    for (size_t i = 0; i < cmcd->n; i++) {
        if (cmcd->keys[i].kind == EDGE_CMCD_STRING &&
            fb_str_equal(cmcd->keys[i].name, FB_STR("sid"))) {
            return cmcd->keys[i].value;
        }
    }
    return FB_STR_NONE;
}

/* Who asks for the segments of one folder, without a session of its own. */
static uint64_t prefetch_client_hash(const struct serve_request *request)
{
    char text[FB_ADDRESS_TEXT_MAX];
    struct fb_str path = request->wanted.path;
    struct fb_str agent = fb_headers_find(&request->client->headers, FB_STR("user-agent"));
    struct fb_address peer = fb_exchange_peer(request->exchange);
    size_t end = path.len;

    while (end > 0 && path.ptr[end - 1] != '/') {
        end--;
    }
    struct fb_str address = fb_str_from(fb_address_text(&peer, text));
    const char *colon = memrchr(address.ptr, ':', address.len); /* another connection's port */
    address = colon != NULL ? fb_str_first(address, (size_t)(colon - address.ptr)) : address;
    return fb_str_hash(fb_str_first(path, end), fb_str_hash(agent, fb_str_hash(address, 0)));
}

/* Notes that `hash` asked for `number`; true if the one before was its last. */
static bool prefetch_is_in_order(struct edge_prefetch *prefetch, uint64_t hash, uint64_t number)
{
    struct prefetch_client *client = &prefetch->clients[hash % PREFETCH_CLIENTS];
    int64_t now_ms = (int64_t)fb_loop_now_ms(prefetch->serve->loop);
    bool is_next = client->hash == hash && client->number + 1 == number &&
                   now_ms - client->at_ms < PREFETCH_PATIENCE_MS;

    *client = (struct prefetch_client){.hash = hash, .number = number, .at_ms = now_ms};
    return is_next;
}

static void prefetch_note_use(struct edge_prefetch *prefetch, const struct serve_request *request)
{
    uint64_t hash = fb_str_hash(request->key, 0);
    uint64_t *place = &prefetch->unused[hash % PREFETCH_CLIENTS];

    if (*place == hash) {
        *place = 0;
        fb_metrics_add(prefetch->metrics, PREFETCH_USED, 1);
    }
}

/* After a segment that was given. */
static void prefetch_next(struct edge_prefetch *prefetch, struct serve_request *request)
{
    FB_AUTO(edge_cmcd_done) struct edge_cmcd cmcd = {.n = 0};
    struct edge_next next;
    uint64_t number = 0;

    prefetch_note_use(prefetch, request);
    edge_cmcd_read(request->client, &cmcd);
    struct fb_str sid = prefetch_sid(&cmcd);
    struct fb_str path = request->wanted.path;
    if (sid.len > 0 && edge_next_told(request->arena, &cmcd, path, &next)) {
        prefetch_begin(prefetch, request, &next, fb_str_hash(sid, 0));
        return;
    }
    if (prefetch->kind != EDGE_PREFETCH_GUESSED || request->wanted.query.len > 0 ||
        request->has_range || !edge_next_guessed(request->arena, path, &next, &number)) {
        return;
    }
    uint64_t hash = sid.len > 0 ? fb_str_hash(sid, 0) : prefetch_client_hash(request);
    if (sid.len > 0 || prefetch_is_in_order(prefetch, hash, number)) {
        prefetch_begin(prefetch, request, &next, hash);
    }
}

void edge_prefetch_after(struct edge_prefetch *prefetch, struct serve_request *request)
{
    if (prefetch != NULL && !prefetch->is_halted &&
        request->treatment.class == EDGE_CLASS_SEGMENT &&
        request->client->method == FB_METHOD_GET && request->selection.status < 400) {
        prefetch_next(prefetch, request);
    }
}

/* ---- its life ---------------------------------------------------------------- */

struct edge_prefetch *edge_prefetch_new(struct edge_serve *serve, enum edge_prefetch_kind kind,
                                        unsigned parallel, struct fb_metrics *metrics)
{
    if (kind == EDGE_PREFETCH_OFF) {
        return NULL;
    }
    struct edge_prefetch *prefetch =
        fb_alloc(sizeof(*prefetch) + parallel * sizeof(prefetch->slots[0]));
    prefetch->serve = serve;
    prefetch->kind = kind;
    prefetch->n_slots = parallel;
    prefetch->metrics = fb_metrics_table_new(metrics, prefetch_rows, PREFETCH_N_ROWS, NULL);
    return prefetch;
}

void edge_prefetch_free(struct edge_prefetch *prefetch)
{
    for (unsigned i = 0; prefetch != NULL && i < prefetch->n_slots; i++) {
        FB_REQUIRE(!prefetch->slots[i].is_busy);
        fb_arena_done(&prefetch->slots[i].arena);
    }
    fb_free(prefetch);
}

void edge_prefetch_halt(struct edge_prefetch *prefetch)
{
    if (prefetch == NULL) {
        return;
    }
    prefetch->is_halted = true;
    for (unsigned i = 0; i < prefetch->n_slots; i++) {
        if (prefetch->slots[i].is_busy) {
            fb_op_cancel(&prefetch->slots[i].ahead.op);
        }
    }
}
