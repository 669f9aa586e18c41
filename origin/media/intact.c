#include "origin/media/intact.h"

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_BYTES = 16, BOX_HEAD = 8, BOX_HEAD_LARGE = 16, MAX_BOXES = 4096 };

static uint64_t big_endian(const char *bytes, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        value = value << 8 | (unsigned char)bytes[i];
    }
    return value;
}

static bool box_is(const char head[HEAD_BYTES], const char *type)
{
    return memcmp(head + 4, type, 4) == 0;
}

/* Walks the boxes at the top of an MP4 in search of the index. */
static enum origin_intact mp4_judge(uint64_t n_bytes, void *ctx,
                                    size_t (*next)(void *, uint64_t, char *))
{
    uint64_t offset = 0;

    for (unsigned n = 0; n < MAX_BOXES; n++) {
        char head[HEAD_BYTES] = {0};
        size_t len = next(ctx, offset, head);
        if (len < BOX_HEAD) {
            return ORIGIN_INTACT_CUT;
        }
        uint64_t size = big_endian(head, 4);
        if (size == 1 && len == BOX_HEAD_LARGE) {
            size = big_endian(head + BOX_HEAD, BOX_HEAD);
        }
        if (box_is(head, "moov")) {
            bool is_whole = size <= n_bytes - offset;
            return is_whole ? ORIGIN_INTACT_DAMAGED : ORIGIN_INTACT_CUT;
        }
        if (size < BOX_HEAD || size > n_bytes - offset) {
            return ORIGIN_INTACT_CUT;
        }
        offset += size;
    }
    return ORIGIN_INTACT_DAMAGED;
}

static bool looks_like_video(const char head[HEAD_BYTES])
{
    static const struct {
        const char *bytes;
        size_t len;
    } magics[] = {
        {"\x1a\x45\xdf\xa3", 4}, /* Matroska, WebM */
        {"RIFF", 4},
        {"FLV", 3},
        {"OggS", 4},
        {"\x30\x26\xb2\x75", 4}, /* ASF */
        {"\0\0\1\xba", 4},       /* MPEG program stream */
        {"\0\0\1\xb3", 4},
        {"\x06\x0e\x2b\x34", 4}, /* MXF */
        {"DKIF", 4},
    };
    for (size_t i = 0; i < FB_ARRAY_LEN(magics); i++) {
        if (memcmp(head, magics[i].bytes, magics[i].len) == 0) {
            return true;
        }
    }
    return false;
}

enum origin_intact origin_intact_judge(uint64_t n_bytes, void *ctx,
                                       size_t (*next)(void *ctx, uint64_t offset, char bytes[16]))
{
    char head[HEAD_BYTES] = {0};

    if (n_bytes == 0) {
        return ORIGIN_INTACT_EMPTY;
    }
    size_t len = next(ctx, 0, head);
    bool is_mp4 = len >= BOX_HEAD && (box_is(head, "ftyp") || box_is(head, "moov") ||
                                      box_is(head, "mdat") || box_is(head, "wide"));
    if (is_mp4) {
        return mp4_judge(n_bytes, ctx, next);
    }
    return looks_like_video(head) ? ORIGIN_INTACT_DAMAGED : ORIGIN_INTACT_FOREIGN;
}

static size_t file_next(void *ctx, uint64_t offset, char bytes[HEAD_BYTES])
{
    const int *fd = ctx;
    ssize_t n = pread(*fd, bytes, HEAD_BYTES, (off_t)offset);
    return n > 0 ? (size_t)n : 0;
}

bool origin_intact_is_cut(const char *path)
{
    FB_AUTO(fb_fd_done) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint64_t n_bytes = 0;

    return fd >= 0 && fb_file_size(fd, &n_bytes) == FB_OK &&
           origin_intact_judge(n_bytes, &fd, file_next) == ORIGIN_INTACT_CUT;
}

int origin_intact_explain(const char *path, int err, struct fb_diag *diag)
{
    FB_AUTO(fb_fd_done) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint64_t n_bytes = 0;

    if (fd < 0) {
        err = -errno;
        return fb_diag_set(diag, err, "open the file: %s", fb_err_text(err));
    }
    int size_err = fb_file_size(fd, &n_bytes);
    if (size_err < 0) {
        return fb_diag_set(diag, size_err, "read the file: %s", fb_err_text(size_err));
    }
    switch (origin_intact_judge(n_bytes, &fd, file_next)) {
    case ORIGIN_INTACT_EMPTY:
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "the file is empty");
    case ORIGIN_INTACT_CUT:
        return fb_diag_set(diag, FB_E_CORRUPT,
                           "the file ends in the middle: its index is missing, so the upload is "
                           "probably incomplete");
    case ORIGIN_INTACT_DAMAGED:
        return fb_diag_set(diag, FB_E_CORRUPT, "the file is damaged: its beginning cannot be read");
    case ORIGIN_INTACT_FOREIGN:
        break;
    }
    int code = err == -ENOMEM ? err : FB_E_UNSUPPORTED;
    return fb_diag_set(diag, code, "the file is not a video that we can read");
}
