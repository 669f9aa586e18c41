#include "base/tls/record.h"

#include "base/core/check.h"
#include "base/core/err.h"
#include "base/tls/backend.h"
#include "base/tls/keys13.h"

#include <mbedtls/platform_util.h>

#include <string.h>

enum { EXPLICIT_SIZE = 8, SALT_SIZE = 4 };

/* RFC 8446 section 5.5 allows 2^24.5 records of AES-GCM for one key. */
static const uint64_t worn_after = UINT64_C(1) << 24;

static bool is_13(const struct fb_tls_direction *direction)
{
    return direction->version == FB_TLS_1_3;
}

/* ---- directions ---------------------------------------------------------- */

void fb_tls_direction_init(struct fb_tls_direction *direction, const struct fb_tls_keys *keys,
                           const struct fb_tls_traffic *traffic,
                           const struct fb_tls_backend *backend)
{
    FB_REQUIRE(keys->version == FB_TLS_1_2 || keys->version == FB_TLS_1_3);
    *direction = (struct fb_tls_direction){
        .backend = backend == NULL ? fb_tls_backend_for(keys->aead) : backend,
        .version = keys->version,
        .aead = keys->aead,
        .max_content = (uint16_t)FB_MIN(keys->max_content, FB_TLS_RECORD_MAX),
        .sequence = traffic->sequence,
    };
    FB_REQUIRE(direction->backend->has(keys->aead) && direction->max_content > 0);
    memcpy(direction->iv, traffic->iv, sizeof(direction->iv));
    memcpy(direction->secret, traffic->secret, sizeof(direction->secret));
    direction->key = direction->backend->key_new(keys->aead, traffic->key);
}

void fb_tls_direction_done(struct fb_tls_direction *direction)
{
    if (direction->backend != NULL) {
        direction->backend->key_free(direction->key);
    }
    mbedtls_platform_zeroize(direction, sizeof(*direction));
}

void fb_tls_direction_update(struct fb_tls_direction *direction)
{
    struct fb_tls_keys keys = {.version = direction->version,
                               .aead = direction->aead,
                               .max_content = direction->max_content};
    const struct fb_tls_backend *backend = direction->backend;

    FB_REQUIRE(is_13(direction));
    memcpy(keys.out.secret, direction->secret, sizeof(keys.out.secret));
    fb_tls_traffic_update(keys.aead, &keys.out);
    fb_tls_direction_done(direction);
    fb_tls_direction_init(direction, &keys, &keys.out, backend);
    fb_tls_keys_wipe(&keys);
}

bool fb_tls_direction_is_worn(const struct fb_tls_direction *direction)
{
    return is_13(direction) && direction->sequence >= worn_after;
}

/* ---- one record ---------------------------------------------------------- */

/* Bytes of the nonce that stand in each record: RFC 5288 section 3, RFC 7905 section 2. */
static size_t own_size(const struct fb_tls_direction *direction)
{
    return direction->aead == FB_TLS_CHACHA20_POLY1305 || is_13(direction) ? 0 : EXPLICIT_SIZE;
}

/* What is sealed after the content: in TLS 1.3 its type. */
static size_t tail_size(const struct fb_tls_direction *direction)
{
    return is_13(direction) ? 1 : 0;
}

static size_t overhead(const struct fb_tls_direction *direction)
{
    return FB_TLS_HEADER_SIZE + own_size(direction) + tail_size(direction) + FB_TLS_TAG_SIZE;
}

static void put_u64_be(uint8_t *bytes, uint64_t value)
{
    for (int i = 7; i >= 0; i--) {
        bytes[i] = (uint8_t)value;
        value >>= 8;
    }
}

static void put_u16_be(uint8_t *bytes, size_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

/* What is authenticated beside the content: the record's header (RFC 8446 section 5.2), or what RFC
 * 5246 section 6.2.3.3 puts together. */
static void job_number(const struct fb_tls_direction *direction, struct fb_tls_job *job,
                       const uint8_t *header)
{
    if (is_13(direction)) {
        memcpy(job->extra, header, FB_TLS_HEADER_SIZE);
        job->extra_len = FB_TLS_HEADER_SIZE;
        return;
    }
    put_u64_be(job->extra, direction->sequence);
    job->extra[8] = header[0];
    put_u16_be(job->extra + 9, FB_TLS_1_2);
    put_u16_be(job->extra + 11, job->len);
    job->extra_len = 13;
}

static void job_nonce(const struct fb_tls_direction *direction, struct fb_tls_job *job,
                      const uint8_t *own)
{
    memcpy(job->nonce, direction->iv, sizeof(job->nonce));
    if (own != NULL) {
        memcpy(job->nonce + SALT_SIZE, own, EXPLICIT_SIZE);
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        job->nonce[SALT_SIZE + i] ^= (uint8_t)(direction->sequence >> (56 - 8 * i));
    }
}

/* Writes the header of a record of `len` bytes of content and readies its job, all but `in`.
 * Returns the record's size. */
static size_t job_seal(struct fb_tls_direction *direction, struct fb_tls_job *job, uint8_t type,
                       size_t len, uint8_t *record)
{
    size_t n_own = own_size(direction);
    uint8_t *own = record + FB_TLS_HEADER_SIZE;

    record[0] = is_13(direction) ? FB_TLS_DATA : type;
    put_u16_be(record + 1, FB_TLS_1_2); /* what every record of either version says */
    put_u16_be(record + 3, overhead(direction) - FB_TLS_HEADER_SIZE + len);
    if (n_own > 0) {
        put_u64_be(own, direction->sequence);
    }
    job->len = len + tail_size(direction);
    job->out = own + n_own;
    job->tag = job->out + job->len;
    job_number(direction, job, record);
    job_nonce(direction, job, n_own > 0 ? own : NULL);
    direction->sequence++;
    return overhead(direction) + len;
}

/* ---- sealing ------------------------------------------------------------- */

size_t fb_tls_sealed_size(const struct fb_tls_direction *direction, size_t n)
{
    size_t n_records = (n + direction->max_content - 1) / direction->max_content;
    return n + n_records * overhead(direction);
}

/* The place that pieces are read at. */
struct gathering {
    const struct fb_str *pieces;
    size_t n_used; /* of the first piece */
};

static void gathering_skip(struct gathering *from, size_t n)
{
    while (n > 0 && n >= from->pieces->len) {
        n -= from->pieces->len;
        from->pieces++;
    }
    from->n_used = n;
}

/* The next `n` bytes, at least one, in one run: where they stand, or copied to `to`. */
static const uint8_t *gathering_take(struct gathering *from, size_t n, uint8_t *to)
{
    size_t n_copied = 0;

    for (;;) {
        struct fb_str part = fb_str_first(fb_str_skip(*from->pieces, from->n_used), n - n_copied);
        from->n_used += part.len;
        if (part.len == n) {
            return (const uint8_t *)part.ptr;
        }
        if (part.len > 0) {
            memcpy(to + n_copied, part.ptr, part.len);
            n_copied += part.len;
        }
        if (n_copied == n) {
            return to;
        }
        from->pieces++;
        from->n_used = 0;
    }
}

/* The type follows the content, in one run. */
static void job_append(struct fb_tls_job *job, size_t len, uint8_t type)
{
    if (job->in != job->out) {
        memcpy(job->out, job->in, len);
        job->in = job->out;
    }
    job->out[len] = type;
}

int fb_tls_seal(struct fb_tls_direction *direction, const struct fb_str *pieces, size_t n_pieces,
                size_t from, size_t to, uint8_t *out)
{
    struct gathering source = {.pieces = pieces};
    struct fb_tls_job jobs[FB_TLS_BATCH_RECORDS];
    size_t n_jobs = 0;

    FB_REQUIRE(n_pieces > 0 && from < to && to - from <= FB_TLS_BATCH_BYTES);
    if (UINT64_MAX - direction->sequence <= to - from) {
        return FB_E_LIMIT;
    }
    gathering_skip(&source, from);
    while (from < to) {
        struct fb_tls_job *job = &jobs[n_jobs++];
        size_t len = FB_MIN(to - from, direction->max_content);
        out += job_seal(direction, job, FB_TLS_DATA, len, out);
        job->in = gathering_take(&source, len, job->out);
        if (is_13(direction)) {
            job_append(job, len, FB_TLS_DATA);
        }
        from += len;
        if (n_jobs == FB_ARRAY_LEN(jobs) || from == to) {
            direction->backend->seal(direction->key, jobs, n_jobs);
            n_jobs = 0;
        }
    }
    return FB_OK;
}

void fb_tls_alert_message(enum fb_tls_alert alert, uint8_t ret_message[2])
{
    bool is_warning = alert == FB_TLS_CLOSE_NOTIFY || alert == FB_TLS_NO_RENEGOTIATION;

    ret_message[0] = is_warning ? 1 : 2;
    ret_message[1] = (uint8_t)alert;
}

size_t fb_tls_seal_note(struct fb_tls_direction *direction, enum fb_tls_content type,
                        struct fb_str message, uint8_t out[FB_TLS_SEALED_NOTE_MAX])
{
    struct fb_tls_job job;

    FB_REQUIRE(message.len <= FB_TLS_NOTE_MAX);
    if (direction->sequence == UINT64_MAX) {
        return 0;
    }
    size_t size = job_seal(direction, &job, (uint8_t)type, message.len, out);
    job.in = (const uint8_t *)message.ptr;
    if (is_13(direction)) {
        job_append(&job, message.len, (uint8_t)type);
    }
    direction->backend->seal(direction->key, &job, 1);
    return size;
}

size_t fb_tls_seal_alert(struct fb_tls_direction *direction, enum fb_tls_alert alert,
                         uint8_t out[FB_TLS_SEALED_ALERT_MAX])
{
    uint8_t message[2];

    fb_tls_alert_message(alert, message);
    return fb_tls_seal_note(direction, FB_TLS_ALERT,
                            (struct fb_str){(const char *)message, sizeof(message)}, out);
}

/* ---- opening ------------------------------------------------------------- */

int fb_tls_measure(const struct fb_tls_direction *direction, struct fb_str bytes, size_t *ret_size)
{
    const uint8_t *header = (const uint8_t *)bytes.ptr;

    if (bytes.len < FB_TLS_HEADER_SIZE) {
        return FB_E_LATER;
    }
    size_t len = ((size_t)header[3] << 8) + header[4];
    size_t n_added = overhead(direction) - FB_TLS_HEADER_SIZE;
    uint8_t lowest = is_13(direction) ? FB_TLS_DATA : FB_TLS_CHANGE_CIPHER_SPEC;
    bool is_known = header[0] >= lowest && header[0] <= FB_TLS_DATA;
    if (!is_known || header[1] != FB_TLS_1_2 >> 8 || header[2] != (FB_TLS_1_2 & 0xff) ||
        len < n_added) {
        return FB_E_MALFORMED;
    }
    if (len > n_added + FB_TLS_RECORD_MAX) {
        return FB_E_LIMIT;
    }
    *ret_size = FB_TLS_HEADER_SIZE + len;
    return FB_OK;
}

/* Of TLS 1.3: the last byte that is not zero says what the bytes before it are, and whatever was
 * sealed to hide their length stands after it (RFC 8446 section 5.4). */
static int find_type(const uint8_t *out, size_t *len, enum fb_tls_content *ret_type)
{
    size_t n = *len;

    while (n > 0 && out[n - 1] == 0) {
        n--;
    }
    if (n == 0 || out[n - 1] < FB_TLS_ALERT || out[n - 1] > FB_TLS_DATA) {
        return FB_E_UNSUPPORTED;
    }
    *ret_type = (enum fb_tls_content)out[n - 1];
    if (n == 1 && *ret_type != FB_TLS_DATA) {
        return FB_E_UNSUPPORTED;
    }
    *len = n - 1;
    return FB_OK;
}

int fb_tls_open(struct fb_tls_direction *direction, struct fb_str record, uint8_t *out,
                size_t *ret_len, enum fb_tls_content *ret_type)
{
    const uint8_t *bytes = (const uint8_t *)record.ptr;
    const uint8_t *own = bytes + FB_TLS_HEADER_SIZE;
    uint8_t tag[FB_TLS_TAG_SIZE];
    struct fb_tls_job job = {.tag = tag};

    FB_REQUIRE(record.len >= overhead(direction));
    if (direction->sequence == UINT64_MAX) {
        return FB_E_LIMIT;
    }
    job.out = out;
    job.in = own + own_size(direction);
    job.len = record.len - overhead(direction) + tail_size(direction);
    memcpy(tag, job.in + job.len, sizeof(tag));
    job_number(direction, &job, bytes);
    job_nonce(direction, &job, own_size(direction) > 0 ? own : NULL);
    if (!direction->backend->open(direction->key, &job, 1)) {
        return FB_E_CORRUPT;
    }
    direction->sequence++;
    if (is_13(direction)) {
        int err = find_type(out, &job.len, ret_type);
        if (err < 0) {
            return err;
        }
    } else {
        *ret_type = (enum fb_tls_content)bytes[0];
    }
    *ret_len = job.len;
    return FB_OK;
}

enum fb_tls_alert fb_tls_failure_alert(int err)
{
    switch (err) {
    case FB_E_CORRUPT:
        return FB_TLS_BAD_RECORD_MAC;
    case FB_E_LIMIT:
        return FB_TLS_RECORD_OVERFLOW;
    case FB_E_UNSUPPORTED:
        return FB_TLS_UNEXPECTED_MESSAGE;
    case FB_E_CONFLICT:
        return FB_TLS_ILLEGAL_PARAMETER;
    default:
        return FB_TLS_DECODE_ERROR;
    }
}
