#include "origin/keys/sealer.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/aes.h"
#include "base/crypto/hash.h"
#include "base/sys/file.h"
#include "base/sys/random.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

enum { FILE_MAX = 8192, ID_BYTES = 8, FILE_MODE = 0600 };

struct master_key {
    char id[2 * ID_BYTES + 1];
    uint8_t key[FB_SEAL_KEY];
};

struct origin_sealer_file {
    struct origin_sealer sealer;
    char *path;            /* owned */
    pthread_rwlock_t lock; /* of keys */
    struct master_key keys[ORIGIN_SEALER_KEYS_MAX];
    size_t n_keys;
};

static void wipe(struct fb_buf *buf)
{
    if (buf->ptr != NULL) {
        explicit_bzero(buf->ptr, buf->len);
    }
    fb_buf_done(buf);
}

static void name_key(struct master_key *key)
{
    FB_AUTO(fb_buf_done) struct fb_buf hex = {0};
    struct fb_sha256 hash = {0};
    uint8_t digest[FB_SHA256_SIZE];

    fb_sha256_init(&hash);
    fb_sha256_update(&hash, FB_STR("master key"));
    fb_sha256_update(&hash, (struct fb_str){(const char *)key->key, sizeof(key->key)});
    fb_sha256_finish(&hash, digest);
    fb_text_hex(&hex, fb_str_first(fb_sha256_str(digest), ID_BYTES));
    memcpy(key->id, hex.ptr, sizeof(key->id));
}

/* ---- the file -------------------------------------------------------------------- */

static int parse_keys(struct fb_str text, struct master_key keys[ORIGIN_SEALER_KEYS_MAX],
                      size_t *ret_n, struct fb_diag *diag)
{
    struct fb_str line = FB_STR_NONE;
    size_t n = 0;

    for (unsigned number = 1; fb_str_cut(&text, '\n', &line); number++) {
        line = fb_str_trim(line);
        if (line.len == 0 || line.ptr[0] == '#') {
            continue;
        }
        if (n == ORIGIN_SEALER_KEYS_MAX) {
            return fb_diag_set(diag, FB_E_LIMIT, "more than %d master keys",
                               ORIGIN_SEALER_KEYS_MAX);
        }
        if (fb_text_unhex(line, keys[n].key, sizeof(keys[n].key)) < 0) {
            return fb_diag_set(diag, FB_E_MALFORMED,
                               "line %u is not a master key of 64 hexadecimal digits", number);
        }
        name_key(&keys[n++]);
    }
    if (n == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "there is no master key in the file");
    }
    *ret_n = n;
    return FB_OK;
}

int origin_sealer_file_reload(struct origin_sealer_file *file, struct fb_diag *diag)
{
    FB_AUTO(wipe) struct fb_buf text = {0};
    struct master_key keys[ORIGIN_SEALER_KEYS_MAX];
    size_t n = 0;

    int err = fb_file_read_path(file->path, FILE_MAX, &text, diag);
    if (err == FB_OK) {
        err = parse_keys(fb_buf_str(&text), keys, &n, diag);
    }
    if (err < 0) {
        return fb_diag_prefix(diag, err, "read the master keys in '%s'", file->path);
    }
    (void)pthread_rwlock_wrlock(&file->lock);
    memcpy(file->keys, keys, sizeof(keys));
    file->n_keys = n;
    (void)pthread_rwlock_unlock(&file->lock);
    explicit_bzero(keys, sizeof(keys));
    return FB_OK;
}

static int draw_file(const char *path, struct fb_diag *diag)
{
    FB_AUTO(wipe) struct fb_buf text = {0};
    uint8_t key[FB_SEAL_KEY];

    fb_random_bytes(key, sizeof(key));
    fb_text_hex(&text, (struct fb_str){(const char *)key, sizeof(key)});
    fb_buf_append_byte(&text, '\n');
    explicit_bzero(key, sizeof(key));
    return fb_file_write(AT_FDCWD, path, fb_buf_str(&text), FILE_MODE, diag);
}

/* ---- sealing ------------------------------------------------------------------------ */

static struct fb_str file_current(void *ctx, char id[ORIGIN_SEALER_ID_MAX + 1])
{
    struct origin_sealer_file *file = ctx;

    (void)pthread_rwlock_rdlock(&file->lock);
    memcpy(id, file->keys[0].id, sizeof(file->keys[0].id));
    (void)pthread_rwlock_unlock(&file->lock);
    return fb_str_from(id);
}

/* The key `id`, as a copy that the caller wipes. */
static int find_key(struct origin_sealer_file *file, struct fb_str id, struct master_key *ret_key)
{
    int err = FB_E_NOT_FOUND;

    (void)pthread_rwlock_rdlock(&file->lock);
    for (size_t i = 0; err < 0 && i < file->n_keys; i++) {
        if (fb_str_equal(fb_str_from(file->keys[i].id), id)) {
            *ret_key = file->keys[i];
            err = FB_OK;
        }
    }
    (void)pthread_rwlock_unlock(&file->lock);
    return err;
}

static int file_seal(void *ctx, struct fb_str id, struct fb_str context, struct fb_str plain,
                     struct fb_buf *sealed)
{
    uint8_t nonce[FB_SEAL_NONCE];
    struct master_key key;

    int err = find_key(ctx, id, &key);
    if (err < 0) {
        return FB_E_DENIED;
    }
    fb_random_bytes(nonce, sizeof(nonce));
    fb_buf_append(sealed, (struct fb_str){(const char *)nonce, sizeof(nonce)});
    fb_seal(key.key, nonce, context, plain, sealed);
    explicit_bzero(&key, sizeof(key));
    return FB_OK;
}

static int file_unseal(void *ctx, struct fb_str id, struct fb_str context, struct fb_str sealed,
                       struct fb_buf *plain)
{
    struct master_key key;

    if (sealed.len < FB_SEAL_NONCE || find_key(ctx, id, &key) < 0) {
        return FB_E_DENIED;
    }
    int err = fb_unseal(key.key, (const uint8_t *)sealed.ptr, context,
                        fb_str_skip(sealed, FB_SEAL_NONCE), plain);
    explicit_bzero(&key, sizeof(key));
    return err;
}

/* ---- open and close -------------------------------------------------------------------- */

int origin_sealer_file_open(const char *path, bool may_make, struct origin_sealer_file **ret_file,
                            struct fb_diag *diag)
{
    struct origin_sealer_file *file = FB_NEW(struct origin_sealer_file);

    file->path = fb_str_dup(fb_str_from(path));
    (void)pthread_rwlock_init(&file->lock, NULL);
    file->sealer = (struct origin_sealer){
        .ctx = file, .current = file_current, .seal = file_seal, .unseal = file_unseal};
    int err = origin_sealer_file_reload(file, diag);
    if (err == -ENOENT && may_make) {
        err = draw_file(path, diag);
        err = err == FB_OK ? origin_sealer_file_reload(file, diag) : err;
    }
    if (err < 0) {
        origin_sealer_file_close(file);
        return err;
    }
    *ret_file = file;
    return FB_OK;
}

void origin_sealer_file_close(struct origin_sealer_file *file)
{
    if (file == NULL) {
        return;
    }
    (void)pthread_rwlock_destroy(&file->lock);
    explicit_bzero(file->keys, sizeof(file->keys));
    fb_free(file->path);
    fb_free(file);
}

const struct origin_sealer *origin_sealer_file_sealer(struct origin_sealer_file *file)
{
    return &file->sealer;
}
