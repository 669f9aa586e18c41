#include "origin/auth/secret.h"

#include "base/core/err.h"
#include "base/core/text.h"
#include "base/sys/file.h"
#include "base/sys/random.h"

#include <errno.h>
#include <fcntl.h>

enum { MODE_FOLDER = 0700, MODE_FILE = 0600, FILE_MAX = 256 };

static int secret_make(int dirfd, const char *name, uint8_t ret_secret[ORIGIN_SECRET_BYTES],
                       struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf hex = {0};

    fb_random_bytes(ret_secret, ORIGIN_SECRET_BYTES);
    fb_text_hex(&hex, (struct fb_str){(const char *)ret_secret, ORIGIN_SECRET_BYTES});
    fb_buf_append_byte(&hex, '\n');
    return fb_file_write(dirfd, name, fb_buf_str(&hex), MODE_FILE, diag);
}

int origin_secret_load(const char *folder, const char *name,
                       uint8_t ret_secret[ORIGIN_SECRET_BYTES], struct fb_diag *diag)
{
    int err = fb_dir_make(AT_FDCWD, folder, MODE_FOLDER);
    if (err < 0) {
        return fb_diag_set(diag, err, "make the folder of secrets '%s': %s", folder,
                           fb_err_text(err));
    }
    FB_AUTO(fb_fd_done) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        err = -errno;
        return fb_diag_set(diag, err, "open the folder of secrets '%s': %s", folder,
                           fb_err_text(err));
    }
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    err = fb_file_read(fd, name, FILE_MAX, &text, diag);
    if (err == -ENOENT) {
        return secret_make(fd, name, ret_secret, diag);
    }
    if (err < 0) {
        return err;
    }
    struct fb_str hex = fb_str_first(fb_buf_str(&text), 2UL * ORIGIN_SECRET_BYTES);
    if (fb_text_unhex(hex, ret_secret, ORIGIN_SECRET_BYTES) < 0) {
        return fb_diag_set(diag, FB_E_CORRUPT, "'%s/%s' does not hold 64 hexadecimal digits",
                           folder, name);
    }
    return FB_OK;
}
