/*
 * The key that plans are signed with.
 */
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/hash.h"
#include "base/sys/file.h"
#include "origin/plan/plan_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { MODE_FOLDER = 0700, MODE_SECRET = 0600, MODE_PUBLIC = 0644, KID_BYTES = 8 };

#define SECRET_FILE "plan.jwk"
#define PUBLIC_FILE "plan.pub.jwk"

static int key_draw(int dirfd, struct fb_jose_key **ret_key, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct fb_jose_key *key = NULL;

    int err = fb_jose_key_draw(&key);
    if (err == FB_OK) {
        err = fb_jose_key_write(key, true, &text);
    }
    if (err < 0) {
        fb_jose_key_free(key);
        return fb_diag_set(diag, err, "draw the key of plans: %s", fb_err_text(err));
    }
    err = fb_file_write(dirfd, SECRET_FILE, fb_buf_str(&text), MODE_SECRET, diag);
    if (text.len > 0) {
        explicit_bzero(text.ptr, text.len);
    }
    if (err < 0) {
        fb_jose_key_free(key);
        return err;
    }
    *ret_key = key;
    return FB_OK;
}

static int key_read(int dirfd, struct fb_jose_key **ret_key, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    int err = fb_file_read(dirfd, SECRET_FILE, FB_JOSE_KEY_FILE_MAX, &text, diag);
    if (err < 0) {
        return err;
    }
    err = fb_jose_key_parse(fb_buf_str(&text), ret_key, diag);
    explicit_bzero(text.ptr, text.len);
    if (err < 0) {
        return err;
    }
    if (!fb_jose_key_is_private(*ret_key) || fb_jose_key_algorithm(*ret_key) != FB_JOSE_ES256) {
        fb_jose_key_free(*ret_key);
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "'%s' is not the private JWK of a key of P-256",
                           SECRET_FILE);
    }
    return FB_OK;
}

/* The public half lies beside, for people to hand to edges. */
static int key_publish(int dirfd, const struct fb_jose_key *key, char kid[ORIGIN_PLAN_KID_MAX + 1],
                       struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    FB_AUTO(fb_buf_done) struct fb_buf hex = {0};
    uint8_t digest[FB_SHA256_SIZE];

    int err = fb_jose_key_write(key, false, &text);
    if (err < 0) {
        return fb_diag_set(diag, err, "write the public key of plans: %s", fb_err_text(err));
    }
    fb_sha256(fb_buf_str(&text), digest);
    fb_text_hex(&hex, (struct fb_str){(const char *)digest, KID_BYTES});
    memcpy(kid, hex.ptr, hex.len);
    kid[hex.len] = '\0';
    return fb_file_write(dirfd, PUBLIC_FILE, fb_buf_str(&text), MODE_PUBLIC, diag);
}

int origin_plan_key_load(const char *folder, struct fb_jose_key **ret_key,
                         char kid[ORIGIN_PLAN_KID_MAX + 1], struct fb_diag *diag)
{
    struct fb_jose_key *key = NULL;

    int err = fb_dir_make(AT_FDCWD, folder, MODE_FOLDER);
    if (err < 0) {
        return fb_diag_set(diag, err, "make the folder of keys '%s': %s", folder, fb_err_text(err));
    }
    FB_AUTO(fb_fd_done) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        err = -errno;
        return fb_diag_set(diag, err, "open the folder of keys '%s': %s", folder, fb_err_text(err));
    }
    err = key_read(fd, &key, diag);
    if (err == -ENOENT) {
        err = key_draw(fd, &key, diag);
    }
    if (err < 0) {
        return err;
    }
    err = key_publish(fd, key, kid, diag);
    if (err < 0) {
        fb_jose_key_free(key);
        return err;
    }
    *ret_key = key;
    return FB_OK;
}
