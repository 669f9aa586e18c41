#include "edge/views/note.h"

#include "base/core/err.h"
#include "edge/views/pattern.h"

#include <string.h>

enum { NETWORK_V4 = 24, NETWORK_V6 = 48, ALL_V4 = 32, ALL_V6 = 128 };

/* The texts of a note, in this order behind it. */
enum { NOTE_PATH, NOTE_QUERY, NOTE_AGENT, NOTE_SUBJECT, NOTE_SESSION, NOTE_OBJECT, NOTE_N_TEXTS };

struct note {
    struct edge_note_time time;
    uint64_t bytes;
    struct fb_network address;
    uint16_t lengths[NOTE_N_TEXTS];
    bool is_beacon;
    bool is_missed;
    bool is_ok;
    bool is_whole;
    bool is_head;
};

/* ---- writing ----------------------------------------------------------- */

static void note_append(struct fb_buf *buf, struct note *note,
                        const struct fb_str texts[NOTE_N_TEXTS], const struct edge_beacon *beacon)
{
    size_t size = sizeof(*note) + (beacon != NULL ? sizeof(*beacon) : 0);

    for (size_t i = 0; i < NOTE_N_TEXTS; i++) {
        note->lengths[i] = (uint16_t)texts[i].len;
        size += texts[i].len;
    }
    (void)fb_buf_reserve(buf, size);
    fb_buf_append(buf, (struct fb_str){(const char *)note, sizeof(*note)});
    if (beacon != NULL) {
        fb_buf_append(buf, (struct fb_str){(const char *)beacon, sizeof(*beacon)});
    }
    for (size_t i = 0; i < NOTE_N_TEXTS; i++) {
        fb_buf_append(buf, texts[i]);
    }
}

struct fb_network edge_note_address(const struct fb_address *client)
{
    struct fb_network address = {.bits = 0};

    FB_IGNORE(fb_network_of(client, ALL_V4, ALL_V6, &address));
    return address;
}

/* In one pass: requests bear a dozen fields. */
static void note_read_fields(const struct fb_headers *headers, struct fb_str texts[NOTE_N_TEXTS])
{
    for (size_t i = 0; i < headers->n; i++) {
        const struct fb_header *header = &headers->items[i];
        if (fb_str_equal_nocase(header->name, FB_STR("user-agent"))) {
            texts[NOTE_AGENT] = fb_str_first(header->value, EDGE_NOTE_TEXT_MAX);
        } else if (fb_str_equal_nocase(header->name, FB_STR("cmcd-session"))) {
            texts[NOTE_SESSION] = fb_str_first(header->value, EDGE_NOTE_CMCD_MAX);
        } else if (fb_str_equal_nocase(header->name, FB_STR("cmcd-object"))) {
            texts[NOTE_OBJECT] = fb_str_first(header->value, EDGE_NOTE_CMCD_MAX);
        }
    }
}

bool edge_note_request(struct fb_buf *buf, const struct edge_views_request *request,
                       struct edge_note_time time)
{
    const struct fb_request_head *head = request->head;
    struct fb_str texts[NOTE_N_TEXTS] = {
        [NOTE_PATH] = request->path,
        [NOTE_QUERY] = head->query.len <= EDGE_NOTE_CMCD_MAX ? head->query : FB_STR_NONE,
        [NOTE_SUBJECT] = fb_str_first(request->subject, EDGE_NOTE_TEXT_MAX),
    };
    struct note note = {
        .time = time,
        .bytes = request->bytes,
        .address = edge_note_address(&request->client),
        .is_missed = request->is_missed,
        .is_ok = (request->status >= 200 && request->status < 300) || request->status == 304,
        .is_whole = request->is_whole,
        .is_head = head->method == FB_METHOD_HEAD,
    };

    if (request->path.len > EDGE_NOTE_PATH_MAX ||
        (head->method != FB_METHOD_GET && head->method != FB_METHOD_HEAD)) {
        return false;
    }
    if (!note.is_ok) {
        note.bytes = 0; /* of an error, which is not the video's */
    }
    note_read_fields(&head->headers, texts);
    note_append(buf, &note, texts, NULL);
    return true;
}

void edge_note_beacon(struct fb_buf *buf, const struct edge_beacon *beacon,
                      const struct fb_request_head *head, const struct fb_address *client,
                      struct edge_note_time time)
{
    struct fb_str texts[NOTE_N_TEXTS] = {FB_STR_NONE};
    struct note note = {
        .time = time, .address = edge_note_address(client), .is_beacon = true, .is_ok = true};

    note_read_fields(&head->headers, texts);
    note_append(buf, &note, texts, beacon);
}

/* ---- reading ----------------------------------------------------------- */

static void note_take(struct fb_str *rest, void *to, size_t size)
{
    memcpy(to, rest->ptr, size);
    *rest = fb_str_skip(*rest, size);
}

static struct fb_network note_network(const struct fb_network *address)
{
    unsigned bits = fb_network_is_v4(address) ? ALL_V6 - ALL_V4 + NETWORK_V4 : NETWORK_V6;
    struct fb_network network = {.bits = (uint8_t)bits};

    memcpy(network.bytes, address->bytes, bits / 8);
    return network;
}

static const struct edge_cmcd_key *cmcd_find(const struct edge_cmcd *cmcd, struct fb_str name)
{
    for (size_t i = 0; i < cmcd->n; i++) {
        if (fb_str_equal(cmcd->keys[i].name, name)) {
            return &cmcd->keys[i];
        }
    }
    return NULL;
}

/* `sid` is a string, and `d` a number of milliseconds (CTA-5004). */
static void fact_read_cmcd(struct edge_view_fact *fact, const struct fb_str texts[NOTE_N_TEXTS],
                           struct edge_cmcd *cmcd)
{
    struct fb_header fields[2];
    struct fb_request_head head = {.query = texts[NOTE_QUERY], .headers = {.items = fields}};

    if (texts[NOTE_SESSION].len > 0) {
        fields[head.headers.n++] =
            (struct fb_header){.name = FB_STR("cmcd-session"), .value = texts[NOTE_SESSION]};
    }
    if (texts[NOTE_OBJECT].len > 0) {
        fields[head.headers.n++] =
            (struct fb_header){.name = FB_STR("cmcd-object"), .value = texts[NOTE_OBJECT]};
    }
    edge_cmcd_read(&head, cmcd);
    const struct edge_cmcd_key *sid = cmcd_find(cmcd, FB_STR("sid"));
    const struct edge_cmcd_key *length = cmcd_find(cmcd, FB_STR("d"));
    if (sid != NULL && sid->kind != EDGE_CMCD_TRUE && sid->value.len <= EDGE_BEACON_SID_MAX) {
        fact->sid = sid->value;
    }
    if (length != NULL && length->kind == EDGE_CMCD_NUMBER) {
        /* A fraction or a sign is none: then it was not said. */
        FB_IGNORE(fb_str_to_u64(length->value, &fact->media_ms));
    }
}

static bool fact_read_path(struct edge_view_fact *fact, struct fb_str path,
                           const struct edge_note_paths *paths)
{
    struct edge_pattern_match match;

    for (size_t kind = 0; kind < FB_ARRAY_LEN(paths->patterns); kind++) {
        for (size_t i = 0; i < paths->n[kind]; i++) {
            if (!edge_pattern_match(paths->patterns[kind][i], path, &match)) {
                continue;
            }
            fact->kind = (enum edge_view_kind)kind;
            fact->video = match.video;
            fact->rendition = fb_str_first(match.rendition, FB_VIEW_RENDITION_MAX);
            if (fb_str_to_u64(match.number, &fact->segment) < 0) {
                fact->segment = fb_str_hash(match.segment, 0);
            }
            return match.video.len <= FB_VIEW_VIDEO_MAX;
        }
    }
    return false;
}

uint64_t edge_note_mono_ms(struct fb_str rest)
{
    struct edge_note_time time; /* a note begins with it */

    note_take(&rest, &time, sizeof(time));
    return time.mono_ms;
}

bool edge_note_next(struct fb_str *rest, const struct edge_note_paths *paths,
                    struct edge_cmcd *cmcd, struct edge_view_fact *ret_fact, bool *ret_is_fact)
{
    struct note note;
    struct fb_str texts[NOTE_N_TEXTS];

    if (rest->len == 0) {
        return false;
    }
    note_take(rest, &note, sizeof(note));
    *ret_fact = (struct edge_view_fact){
        .kind = EDGE_VIEW_BEACON,
        .mono_ms = note.time.mono_ms,
        .wall_ms = note.time.wall_ms,
        .address = note.address,
        .network = note_network(&note.address),
        .bytes = note.bytes,
        .is_missed = note.is_missed,
        .is_ok = note.is_ok,
        .is_whole = note.is_whole,
        .is_head = note.is_head,
    };
    if (note.is_beacon) {
        note_take(rest, &ret_fact->beacon, sizeof(ret_fact->beacon));
        ret_fact->sid = (struct fb_str){ret_fact->beacon.sid, ret_fact->beacon.sid_len};
        ret_fact->video = (struct fb_str){ret_fact->beacon.video, ret_fact->beacon.video_len};
    }
    for (size_t i = 0; i < NOTE_N_TEXTS; i++) {
        texts[i] = fb_str_first(*rest, note.lengths[i]);
        *rest = fb_str_skip(*rest, note.lengths[i]);
    }
    ret_fact->agent = texts[NOTE_AGENT];
    ret_fact->subject = texts[NOTE_SUBJECT];
    *ret_is_fact = note.is_beacon || fact_read_path(ret_fact, texts[NOTE_PATH], paths);
    if (*ret_is_fact && !note.is_beacon) {
        fact_read_cmcd(ret_fact, texts, cmcd);
    }
    return true;
}
