#include "origin/calls/calls.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/log/log.h"

#include <curl/curl.h>

enum { POLL_MS = 1000 };

struct origin_calls {
    CURLM *multi;      /* owned */
    char *authorities; /* owned, as the next two; NULL: none */
    char *certificate;
    char *key;
};

/* One call under way. */
struct call_handle {
    struct origin_call *call;
    CURL *curl;                 /* owned, as what follows */
    struct curl_slist *headers; /* may be NULL */
    size_t n_content;
    bool has_answer; /* its head is whole */
};

static char *file_of(struct fb_str path)
{
    return path.len > 0 ? fb_str_dup(path) : NULL;
}

int origin_calls_open(const struct origin_calls_options *options, struct origin_calls **ret_calls,
                      struct fb_diag *diag)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return fb_diag_set(diag, FB_E_FOREIGN, "prepare to call others: libcurl does not start");
    }
    struct origin_calls *calls = FB_NEW(struct origin_calls);
    calls->multi = curl_multi_init();
    calls->authorities = file_of(options->authorities);
    calls->certificate = file_of(options->certificate);
    calls->key = file_of(options->key);
    if (calls->multi == NULL) {
        origin_calls_close(calls);
        return fb_diag_set(diag, FB_E_FOREIGN, "prepare to call others: libcurl does not start");
    }
    *ret_calls = calls;
    return FB_OK;
}

void origin_calls_close(struct origin_calls *calls)
{
    if (calls == NULL) {
        return;
    }
    (void)curl_multi_cleanup(calls->multi); /* accepts NULL, and tells of it */
    fb_free(calls->authorities);
    fb_free(calls->certificate);
    fb_free(calls->key);
    fb_free(calls);
    curl_global_cleanup();
}

/* ---- one call ------------------------------------------------------------------------ */

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcurl's */
static size_t on_content(char *bytes, size_t size, size_t n, void *ctx)
{
    struct call_handle *handle = ctx;

    (void)bytes;
    handle->has_answer = true;
    handle->n_content += size * n;
    return handle->n_content <= ORIGIN_CALLS_CONTENT_MAX ? size * n : 0; /* 0 ends the call */
}

static bool handle_add_header(struct call_handle *handle, const char *line)
{
    struct curl_slist *longer = curl_slist_append(handle->headers, line);

    handle->headers = longer != NULL ? longer : handle->headers;
    return longer != NULL;
}

static bool handle_set_headers(struct call_handle *handle)
{
    const struct origin_call *call = handle->call;
    bool is_set = handle_add_header(handle, "Content-Type: application/json") &&
                  handle_add_header(handle, "Expect:"); /* bodies are small */

    for (size_t i = 0; i < ORIGIN_CALL_HEADERS_MAX && call->headers[i] != NULL; i++) {
        is_set = is_set && handle_add_header(handle, call->headers[i]);
    }
    return is_set;
}

/* Every option is one that libcurl knows: what may fail is its memory, and then the call does. */
static void handle_set(const struct origin_calls *calls, struct call_handle *handle)
{
    const struct origin_call *call = handle->call;
    CURL *curl = handle->curl;
    char *url = fb_str_dup(call->url);

    (void)curl_easy_setopt(curl, CURLOPT_URL, url); /* copies it */
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ORIGIN_CALLS_TIMEOUT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, handle->headers);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body.ptr);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_content);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, handle);
    (void)curl_easy_setopt(curl, CURLOPT_PRIVATE, handle);
    if (calls->authorities != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, calls->authorities);
    }
    if (calls->certificate != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_SSLCERT, calls->certificate);
        (void)curl_easy_setopt(curl, CURLOPT_SSLKEY, calls->key);
    }
    fb_free(url);
}

static void handle_start(struct origin_calls *calls, struct call_handle *handle)
{
    handle->curl = curl_easy_init();
    if (handle->curl == NULL || !handle_set_headers(handle)) {
        return; /* without an answer */
    }
    handle_set(calls, handle);
    if (curl_multi_add_handle(calls->multi, handle->curl) != CURLM_OK) {
        curl_easy_cleanup(handle->curl);
        handle->curl = NULL;
    }
}

static void handle_end(struct origin_calls *calls, struct call_handle *handle)
{
    curl_off_t took_us = 0;
    long status = 0;

    if (handle->curl != NULL) {
        (void)curl_easy_getinfo(handle->curl, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_easy_getinfo(handle->curl, CURLINFO_TOTAL_TIME_T, &took_us);
        (void)curl_multi_remove_handle(calls->multi, handle->curl);
        curl_easy_cleanup(handle->curl);
    }
    curl_slist_free_all(handle->headers);
    status = handle->has_answer ? status : 0;
    handle->call->status = (unsigned)status;
    handle->call->took_ms = (unsigned)(took_us / 1000);
    FB_LOG(DEBUG, "calls", "called", FB_LOG_STR("url", handle->call->url),
           FB_LOG_INT("status", status));
}

/* Those that ended well have an answer, with content or without. */
static void handles_look(struct origin_calls *calls)
{
    const CURLMsg *message = NULL;
    int n_left = 0;

    while ((message = curl_multi_info_read(calls->multi, &n_left)) != NULL) {
        char *handle = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &handle);
        if (message->msg == CURLMSG_DONE && message->data.result == CURLE_OK) {
            ((struct call_handle *)(void *)handle)->has_answer = true;
        } else {
            FB_LOG(DEBUG, "calls", "a call broke",
                   FB_LOG_TEXT("cause", curl_easy_strerror(message->data.result)));
        }
    }
}

/* ---- a batch ------------------------------------------------------------------------- */

void origin_calls_post(struct origin_calls *calls, struct origin_call *batch, size_t n)
{
    struct call_handle *handles = fb_alloc_array(n, sizeof(*handles));
    int n_running = 0;

    for (size_t i = 0; i < n; i++) {
        handles[i].call = &batch[i];
        handle_start(calls, &handles[i]);
    }
    do {
        if (curl_multi_perform(calls->multi, &n_running) != CURLM_OK ||
            curl_multi_poll(calls->multi, NULL, 0, n_running > 0 ? POLL_MS : 0, NULL) != CURLM_OK) {
            break;
        }
    } while (n_running > 0);
    handles_look(calls);
    for (size_t i = 0; i < n; i++) {
        handle_end(calls, &handles[i]);
    }
    fb_free(handles);
}
