#include "base/tls/sessions.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/tls/config.h"

#include <pthread.h>
#include <string.h>

struct kept {
    struct fb_str name;    /* owned */
    struct fb_str session; /* owned */
};

struct fb_tls_sessions {
    pthread_mutex_t lock; /* of all that follows */
    struct kept kept[FB_TLS_SESSIONS_MAX];
    size_t next; /* makes room */
};

struct fb_tls_sessions *fb_tls_sessions_new(void)
{
    struct fb_tls_sessions *sessions = FB_NEW(struct fb_tls_sessions);

    FB_REQUIRE(pthread_mutex_init(&sessions->lock, NULL) == 0);
    return sessions;
}

static struct fb_str copy_of(struct fb_str bytes)
{
    return (struct fb_str){bytes.len > 0 ? fb_memdup0(bytes.ptr, bytes.len) : NULL, bytes.len};
}

static void drop(struct fb_str *copy, bool is_secret)
{
    union {
        const char *shown;
        char *owned;
    } bytes = {.shown = copy->ptr};

    if (is_secret) {
        fb_tls_wipe(bytes.owned, copy->len);
    }
    fb_free(bytes.owned);
    *copy = FB_STR_NONE;
}

void fb_tls_sessions_free(struct fb_tls_sessions *sessions)
{
    if (sessions == NULL) {
        return;
    }
    for (size_t i = 0; i < FB_TLS_SESSIONS_MAX; i++) {
        drop(&sessions->kept[i].name, false);
        drop(&sessions->kept[i].session, true);
    }
    (void)pthread_mutex_destroy(&sessions->lock);
    fb_free(sessions);
}

static struct kept *find(struct fb_tls_sessions *sessions, struct fb_str name)
{
    for (size_t i = 0; i < FB_TLS_SESSIONS_MAX; i++) {
        if (fb_str_equal(sessions->kept[i].name, name)) {
            return &sessions->kept[i];
        }
    }
    return NULL;
}

void fb_tls_sessions_put(struct fb_tls_sessions *sessions, struct fb_str name,
                         struct fb_str session)
{
    FB_REQUIRE(name.len > 0);
    if (session.len > FB_TLS_SESSION_MAX) {
        return;
    }
    FB_REQUIRE(pthread_mutex_lock(&sessions->lock) == 0);
    struct kept *kept = find(sessions, name);
    if (kept == NULL && session.len > 0) {
        kept = &sessions->kept[sessions->next];
        sessions->next = (sessions->next + 1) % FB_TLS_SESSIONS_MAX;
        drop(&kept->name, false);
        kept->name = copy_of(name);
    }
    if (kept != NULL) {
        drop(&kept->session, true);
        kept->session = copy_of(session);
    }
    FB_REQUIRE(pthread_mutex_unlock(&sessions->lock) == 0);
}

size_t fb_tls_sessions_get(struct fb_tls_sessions *sessions, struct fb_str name,
                           uint8_t session[FB_TLS_SESSION_MAX])
{
    size_t len = 0;

    FB_REQUIRE(name.len > 0);
    FB_REQUIRE(pthread_mutex_lock(&sessions->lock) == 0);
    const struct kept *kept = find(sessions, name);
    if (kept != NULL && kept->session.len > 0) {
        len = kept->session.len;
        memcpy(session, kept->session.ptr, len);
    }
    FB_REQUIRE(pthread_mutex_unlock(&sessions->lock) == 0);
    return len;
}
