#include "origin/removal/way.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/log/log.h"

#include <curl/curl.h>

enum { POLL_MS = 1000, STATUS_OK = 200 };

struct origin_way {
    CURLM *multi;      /* owned */
    char *authorities; /* owned, as the next two; NULL: none */
    char *certificate;
    char *key;
    struct curl_slist *headers; /* owned */
};

static char *file_of(struct fb_str path)
{
    return path.len > 0 ? fb_str_dup(path) : NULL;
}

int origin_way_open(const struct origin_way_options *options, struct origin_way **ret_way,
                    struct fb_diag *diag)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return fb_diag_set(diag, FB_E_FOREIGN, "prepare to call nodes: libcurl does not start");
    }
    struct origin_way *way = FB_NEW(struct origin_way);
    way->multi = curl_multi_init();
    way->headers = curl_slist_append(NULL, "Content-Type: application/json");
    way->authorities = file_of(options->authorities);
    way->certificate = file_of(options->certificate);
    way->key = file_of(options->key);
    if (way->multi == NULL || way->headers == NULL) {
        origin_way_close(way);
        return fb_diag_set(diag, FB_E_FOREIGN, "prepare to call nodes: libcurl does not start");
    }
    *ret_way = way;
    return FB_OK;
}

void origin_way_close(struct origin_way *way)
{
    if (way == NULL) {
        return;
    }
    curl_slist_free_all(way->headers);
    (void)curl_multi_cleanup(way->multi);
    fb_free(way->authorities);
    fb_free(way->certificate);
    fb_free(way->key);
    fb_free(way);
    curl_global_cleanup();
}

/* What a node answers is its status; the rest is not kept. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcurl's */
static size_t on_content(char *bytes, size_t size, size_t n, void *ctx)
{
    (void)bytes;
    (void)ctx;
    return size * n;
}

static CURL *call_of(const struct origin_way *way, struct origin_purge_post *post, const char *url)
{
    CURL *curl = curl_easy_init();

    if (curl == NULL) {
        return NULL;
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ORIGIN_WAY_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, way->headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body.len);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post->body.ptr);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_content);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, post);
    if (way->authorities != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, way->authorities);
    }
    if (way->certificate != NULL) {
        curl_easy_setopt(curl, CURLOPT_SSLCERT, way->certificate);
        curl_easy_setopt(curl, CURLOPT_SSLKEY, way->key);
    }
    return curl;
}

static void take_result(struct origin_way *way, CURL *curl, CURLcode code)
{
    struct origin_purge_post *post = NULL;
    char *ctx = NULL;
    long status = 0;

    (void)curl_easy_getinfo(curl, CURLINFO_PRIVATE, &ctx);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    post = (struct origin_purge_post *)(void *)ctx;
    post->result = code == CURLE_OK && status == STATUS_OK ? FB_OK : FB_E_UNAVAILABLE;
    FB_LOG(DEBUG, "removal", "called a node", FB_LOG_STR("url", post->url),
           FB_LOG_INT("status", status), FB_LOG_TEXT("libcurl", curl_easy_strerror(code)));
    (void)curl_multi_remove_handle(way->multi, curl);
    curl_easy_cleanup(curl);
}

static void way_post(void *ctx, struct origin_purge_post *posts, size_t n)
{
    struct origin_way *way = ctx;
    int n_running = 0;
    int n_left = 0;

    for (size_t i = 0; i < n; i++) {
        char *url = fb_str_dup(posts[i].url); /* libcurl copies it */
        CURL *curl = call_of(way, &posts[i], url);
        fb_free(url);
        posts[i].result = FB_E_FOREIGN;
        if (curl != NULL && curl_multi_add_handle(way->multi, curl) != CURLM_OK) {
            curl_easy_cleanup(curl);
        }
    }
    do {
        if (curl_multi_perform(way->multi, &n_running) != CURLM_OK ||
            curl_multi_poll(way->multi, NULL, 0, n_running > 0 ? POLL_MS : 0, NULL) != CURLM_OK) {
            break;
        }
        for (CURLMsg *done = curl_multi_info_read(way->multi, &n_left); done != NULL;
             done = curl_multi_info_read(way->multi, &n_left)) {
            take_result(way, done->easy_handle, done->data.result);
        }
    } while (n_running > 0);
}

struct origin_purge_way origin_way_of(struct origin_way *way)
{
    return (struct origin_purge_way){.ctx = way, .post = way_post};
}
