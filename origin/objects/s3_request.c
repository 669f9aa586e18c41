/*
 * One request: signed and sent by libcurl, over connections that are kept.
 *
 * libcurl 7.88 signs what it is given word by word: so the payload's hash is always given, names of
 * the query stand in their order, each with '=', and values come encoded.
 */
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/log/log.h"
#include "base/sys/backoff.h"
#include "origin/objects/count.h"
#include "origin/objects/s3_internal.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { URL_MAX = 2048, MS_PER_S = 1000 };

static const struct fb_backoff pauses = {100, 5000, FB_BACKOFF_HALF};

#define EXPECT_MS 200L

/* One attempt at a request. */
struct attempt {
    const struct s3_request *request;
    struct s3_answer *answer;
    CURL *curl;
    struct curl_slist *headers; /* owned */
    struct fb_buf error;        /* owned; content of an answer that is an error */
    uint64_t sent;
    size_t *received; /* of `into`, over all attempts */
    int err;          /* of a callback */
    char url[URL_MAX];
};

/* ---- handles ----------------------------------------------------------------- */

static CURL *handle_take(struct s3 *s3)
{
    CURL *curl = NULL;

    (void)pthread_mutex_lock(&s3->lock);
    if (s3->n_idle > 0) {
        curl = s3->idle[--s3->n_idle];
    }
    (void)pthread_mutex_unlock(&s3->lock);
    return curl != NULL ? curl : curl_easy_init();
}

static void handle_give(struct s3 *s3, CURL *curl)
{
    curl_easy_reset(curl); /* which keeps its connection */
    (void)pthread_mutex_lock(&s3->lock);
    if (s3->n_idle < S3_MAX_IDLE) {
        s3->idle[s3->n_idle++] = curl;
        curl = NULL;
    }
    (void)pthread_mutex_unlock(&s3->lock);
    curl_easy_cleanup(curl);
}

void origin_bucket_handles_done(struct s3 *s3)
{
    while (s3->n_idle > 0) {
        curl_easy_cleanup(s3->idle[--s3->n_idle]);
    }
}

/* ---- what goes out, and comes in ----------------------------------------------- */

static size_t on_send(char *to, size_t size, size_t n, void *ctx)
{
    struct attempt *attempt = ctx;
    const struct s3_request *request = attempt->request;
    size_t want = (size_t)FB_MIN((uint64_t)size * n, request->length - attempt->sent);

    ssize_t got =
        want == 0 ? 0 : pread(request->fd, to, want, (off_t)(request->offset + attempt->sent));
    if (got < 0 || (got == 0 && want > 0)) {
        attempt->err = got < 0 ? -errno : FB_E_CLOSED;
        return CURL_READFUNC_ABORT;
    }
    attempt->sent += (uint64_t)got;
    return (size_t)got;
}

static int on_rewind(void *ctx, curl_off_t offset, int origin)
{
    struct attempt *attempt = ctx;

    if (origin != SEEK_SET || offset < 0) {
        return CURL_SEEKFUNC_FAIL;
    }
    attempt->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static size_t on_receive(char *from, size_t size, size_t n, void *ctx)
{
    struct attempt *attempt = ctx;
    const struct s3_request *request = attempt->request;
    size_t len = size * n;
    long status = 0;

    (void)curl_easy_getinfo(attempt->curl, CURLINFO_RESPONSE_CODE, &status);
    bool is_good = status >= 200 && status < 300;
    if (is_good && request->into != NULL) {
        if (status != 206 || len > request->into_len - *attempt->received) {
            attempt->err = FB_E_FOREIGN; /* not the range that was asked for */
            return 0;
        }
        memcpy((char *)request->into + *attempt->received, from, len);
        *attempt->received += len;
        return len;
    }
    struct fb_buf *text = is_good && request->text != NULL ? request->text : &attempt->error;
    if (text->len + len > S3_ANSWER_MAX) {
        attempt->err = FB_E_LIMIT;
        return 0;
    }
    fb_buf_append(text, (struct fb_str){from, len});
    return len;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
    struct attempt *attempt = ctx;
    struct fb_str header = {line, size * n};
    size_t colon = fb_str_find(header, ':');
    struct fb_str name = fb_str_first(header, colon);
    struct fb_str value = fb_str_skip(header, colon + 1);

    value = fb_str_trim(fb_str_first(value, fb_str_find(value, '\r')));
    if (fb_str_equal_nocase(name, FB_STR("etag"))) {
        origin_bucket_etag_copy(attempt->answer->etag, value);
    }
    return header.len;
}

/* ---- one attempt ----------------------------------------------------------------- */

static void attempt_header(struct attempt *attempt, const char *line)
{
    struct curl_slist *longer = curl_slist_append(attempt->headers, line);

    if (longer == NULL) {
        attempt->err = -ENOMEM;
        return;
    }
    attempt->headers = longer;
}

static void attempt_set_headers(struct attempt *attempt, struct fb_str token)
{
    const struct s3_request *request = attempt->request;
    FB_AUTO(fb_buf_done) struct fb_buf line = {0};
    uint8_t digest[FB_SHA256_SIZE];

    fb_buf_append(&line, FB_STR("x-amz-content-sha256: "));
    if (request->sha256 != NULL) {
        fb_buf_append(&line, fb_str_from(request->sha256));
    } else {
        fb_sha256(request->bytes, digest);
        fb_text_hex(&line, fb_sha256_str(digest));
    }
    attempt_header(attempt, line.ptr);
    if (token.len > 0) {
        fb_buf_clear(&line);
        fb_buf_printf(&line, "x-amz-security-token: %.*s", FB_STR_ARG(token));
        attempt_header(attempt, line.ptr);
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(request->header) && request->header[i] != NULL; i++) {
        attempt_header(attempt, request->header[i]);
    }
    if (request->into != NULL) {
        uint64_t from = request->into_offset + *attempt->received;
        fb_buf_clear(&line);
        fb_buf_printf(&line, "Range: bytes=%llu-%llu", (unsigned long long)from,
                      (unsigned long long)(request->into_offset + request->into_len - 1));
        attempt_header(attempt, line.ptr);
    }
}

/* Lets libcurl copy the credentials; they stand under the lock. */
static void attempt_sign(struct attempt *attempt, struct s3 *s3)
{
    FB_AUTO(fb_buf_done) struct fb_buf provider = {0};

    fb_buf_printf(&provider, "aws:amz:%s:s3", s3->region);
    (void)curl_easy_setopt(attempt->curl, CURLOPT_AWS_SIGV4, provider.ptr);
    (void)pthread_mutex_lock(&s3->lock);
    (void)curl_easy_setopt(attempt->curl, CURLOPT_USERNAME, s3->credentials.access_key.ptr);
    (void)curl_easy_setopt(attempt->curl, CURLOPT_PASSWORD, s3->credentials.secret_key.ptr);
    attempt_set_headers(attempt, fb_buf_str(&s3->credentials.session_token));
    (void)pthread_mutex_unlock(&s3->lock);
    (void)curl_easy_setopt(attempt->curl, CURLOPT_HTTPHEADER, attempt->headers);
}

static void attempt_set_method(struct attempt *attempt)
{
    const struct s3_request *request = attempt->request;
    CURL *curl = attempt->curl;

    if (strcmp(request->method, "HEAD") == 0) {
        (void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (request->fd >= 0) {
        (void)curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->length);
        (void)curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_send);
        (void)curl_easy_setopt(curl, CURLOPT_READDATA, attempt);
        (void)curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_rewind);
        (void)curl_easy_setopt(curl, CURLOPT_SEEKDATA, attempt);
        (void)curl_easy_setopt(curl, CURLOPT_EXPECT_100_TIMEOUT_MS, EXPECT_MS);
    } else if (strcmp(request->method, "POST") == 0) {
        /* libcurl asks leave (Expect) for each upload, and cannot sign without; not so for a form,
         * which this is no more than its Content-Type says. */
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->bytes.len);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
                               request->bytes.len > 0 ? request->bytes.ptr : "");
    }
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static void attempt_set(struct attempt *attempt, struct s3 *s3)
{
    const struct s3_request *request = attempt->request;
    CURL *curl = attempt->curl;
    int n = 0;

    if (request->key.len > 0) {
        n = snprintf(attempt->url, URL_MAX, "%s/%s%.*s", s3->url, s3->prefix,
                     FB_STR_ARG(request->key));
    } else {
        n = snprintf(attempt->url, URL_MAX, "%s/", s3->url);
    }
    if (request->query != NULL && n > 0 && n < URL_MAX) {
        n += snprintf(attempt->url + n, (size_t)(URL_MAX - n), "?%s", request->query);
    }
    if (n <= 0 || n >= URL_MAX) {
        attempt->err = FB_E_LIMIT;
        return;
    }
    (void)curl_easy_setopt(curl, CURLOPT_URL, attempt->url);
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)s3->connect_timeout_ms);
    (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                           (long)((s3->stall_timeout_ms + MS_PER_S - 1) / MS_PER_S));
    if (s3->ca_file != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, s3->ca_file);
    }
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_receive);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, attempt);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, attempt);
    (void)curl_easy_setopt(curl, CURLOPT_FILETIME, 1L);
    attempt_set_method(attempt);
    attempt_sign(attempt, s3);
}

_Static_assert((int)S3_CAUSE_MAX == (int)CURL_ERROR_SIZE, "libcurl writes as much as it likes");

/* libcurl's codes as ours. */
static int transport_err(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return FB_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return FB_E_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SEND_FAIL_REWIND:
        return FB_E_UNAVAILABLE;
    case CURLE_PEER_FAILED_VERIFICATION:
        return FB_E_DENIED;
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    default:
        return FB_E_FOREIGN;
    }
}

static void attempt_read_answer(struct attempt *attempt)
{
    struct s3_answer *answer = attempt->answer;
    curl_off_t number = -1;
    long status = 0;

    (void)curl_easy_getinfo(attempt->curl, CURLINFO_RESPONSE_CODE, &status);
    answer->status = (unsigned)status;
    (void)curl_easy_getinfo(attempt->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &number);
    answer->length = number > 0 ? (uint64_t)number : 0;
    number = -1;
    (void)curl_easy_getinfo(attempt->curl, CURLINFO_FILETIME_T, &number);
    answer->modified_ms = number > 0 ? (int64_t)number * MS_PER_S : 0;
    origin_bucket_answer_read_error(fb_buf_str(&attempt->error), answer);
    if (attempt->request->text != NULL) {
        origin_bucket_answer_read_error(fb_buf_str(attempt->request->text),
                                        answer); /* with 200, even */
    }
}

/* *ret_may_pass: trying again could help. */
/* NOLINTNEXTLINE(readability-non-const-parameter): its callbacks add to `received` */
static int attempt_run(struct s3 *s3, const struct s3_request *request, size_t *received,
                       struct s3_answer *answer, bool *ret_may_pass)
{
    struct attempt attempt = {.request = request, .answer = answer, .received = received};

    attempt.curl = handle_take(s3);
    if (attempt.curl == NULL) {
        return -ENOMEM;
    }
    if (request->text != NULL) {
        fb_buf_clear(request->text);
    }
    attempt_set(&attempt, s3);
    int err = attempt.err;
    if (err == FB_OK) {
        (void)curl_easy_setopt(attempt.curl, CURLOPT_ERRORBUFFER, answer->cause);
        CURLcode code = curl_easy_perform(attempt.curl);
        (void)curl_easy_setopt(attempt.curl, CURLOPT_ERRORBUFFER, NULL); /* the answer's no more */
        if (code != CURLE_OK && answer->cause[0] == '\0') {
            (void)snprintf(answer->cause, sizeof(answer->cause), "%s", curl_easy_strerror(code));
        }
        err = attempt.err < 0 ? attempt.err : transport_err(code);
        *ret_may_pass = err == FB_E_UNAVAILABLE || err == FB_E_TIMEOUT;
        if (err < 0) {
            FB_LOG(DEBUG, "objects", "a request to the store broke",
                   FB_LOG_TEXT("method", request->method), FB_LOG_STR("key", request->key),
                   FB_LOG_TEXT("cause", answer->cause));
        }
    }
    if (err == FB_OK) {
        attempt_read_answer(&attempt);
        err = origin_bucket_answer_err(answer);
        *ret_may_pass = origin_bucket_answer_may_pass(answer);
        if (err < 0 && err != FB_E_NOT_FOUND) {
            FB_LOG(DEBUG, "objects", "the store refused a request",
                   FB_LOG_TEXT("method", request->method), FB_LOG_STR("key", request->key),
                   FB_LOG_INT("status", answer->status), FB_LOG_TEXT("code", answer->code));
        }
    }
    handle_give(s3, attempt.curl);
    curl_slist_free_all(attempt.headers);
    fb_buf_done(&attempt.error);
    return err;
}

int origin_bucket_do(struct s3 *s3, const struct s3_request *request, struct s3_answer *ret_answer)
{
    size_t received = 0;
    int err = FB_OK;

    for (uint32_t n = 0; n < s3->max_attempts; n++) {
        bool may_pass = false;
        *ret_answer = (struct s3_answer){.was_retried = n > 0};
        if (n > 0) {
            (void)poll(NULL, 0, (int)fb_backoff_ms(&pauses, n - 1));
            origin_count_retry(&s3->base);
        }
        origin_bucket_credentials_refresh(s3);
        err = attempt_run(s3, request, &received, ret_answer, &may_pass);
        if (err == FB_OK && request->into != NULL && received < request->into_len) {
            err = FB_E_UNAVAILABLE; /* it ended early, and says that all is well */
            may_pass = true;
        }
        if (err == FB_OK || !may_pass) {
            break;
        }
    }
    return err;
}
