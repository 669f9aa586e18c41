#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/net/tls_internal.h"
#include "base/net/tls_stream.h"
#include "base/sys/file.h"
#include "base/tls/backend.h"

#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

/* ---- whether there is one ------------------------------------------------ */

static bool is_offered;
static pthread_once_t offered_once = PTHREAD_ONCE_INIT;

/* The module is listed once it was loaded, which is how operators choose it. */
static void look(void)
{
    enum { LIST_MAX = 4096 };
    FB_AUTO(fb_buf_done) struct fb_buf list = {0};

    if (fb_file_read_path("/proc/sys/net/ipv4/tcp_available_ulp", LIST_MAX, &list, NULL) < 0) {
        return;
    }
    struct fb_str rest = fb_buf_str(&list);
    struct fb_str name = FB_STR_NONE;
    rest = fb_str_first(rest, fb_str_find(rest, '\n'));
    while (!is_offered && fb_str_cut(&rest, ' ', &name)) {
        is_offered = fb_str_equal(name, FB_STR("tls"));
    }
}

static bool kernel_offers(void)
{
    FB_REQUIRE(pthread_once(&offered_once, look) == 0);
    return is_offered;
}

const char *fb_tls_sealer_name(enum fb_tls_aead aead)
{
    return kernel_offers() ? "kernel" : fb_tls_backend_for(aead)->name;
}

/* ---- keys ---------------------------------------------------------------- */

union kernel_keys {
    struct tls12_crypto_info_aes_gcm_128 aes_128;
    struct tls12_crypto_info_aes_gcm_256 aes_256;
    struct tls12_crypto_info_chacha20_poly1305 chacha;
};

static void put_number(unsigned char bytes[8], uint64_t number)
{
    for (int i = 7; i >= 0; i--) {
        bytes[i] = (unsigned char)number;
        number >>= 8;
    }
}

/* As the kernel wants them; returns their size. The half of GCM's nonce that stands in each record
 * is the record's number here, as it is where fb_tls_seal() makes it. */
static socklen_t keys_of(enum fb_tls_aead aead, const struct fb_tls_traffic *from,
                         union kernel_keys *to)
{
    switch (aead) {
    case FB_TLS_AES_128_GCM:
        to->aes_128.info = (struct tls_crypto_info){TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_128};
        memcpy(to->aes_128.key, from->key, sizeof(to->aes_128.key));
        memcpy(to->aes_128.salt, from->iv, sizeof(to->aes_128.salt));
        put_number(to->aes_128.iv, from->sequence);
        put_number(to->aes_128.rec_seq, from->sequence);
        return sizeof(to->aes_128);
    case FB_TLS_AES_256_GCM:
        to->aes_256.info = (struct tls_crypto_info){TLS_1_2_VERSION, TLS_CIPHER_AES_GCM_256};
        memcpy(to->aes_256.key, from->key, sizeof(to->aes_256.key));
        memcpy(to->aes_256.salt, from->iv, sizeof(to->aes_256.salt));
        put_number(to->aes_256.iv, from->sequence);
        put_number(to->aes_256.rec_seq, from->sequence);
        return sizeof(to->aes_256);
    case FB_TLS_CHACHA20_POLY1305:
        to->chacha.info = (struct tls_crypto_info){TLS_1_2_VERSION, TLS_CIPHER_CHACHA20_POLY1305};
        memcpy(to->chacha.key, from->key, sizeof(to->chacha.key));
        memcpy(to->chacha.iv, from->iv, sizeof(to->chacha.iv));
        put_number(to->chacha.rec_seq, from->sequence);
        return sizeof(to->chacha);
    }
    return 0;
}

bool fb_tls_kernel_take(const struct fb_stream *inner, const struct fb_tls_keys *keys)
{
    int fd = fb_tls_socket_of(inner);
    union kernel_keys info = {.aes_128 = {.info = {0}}};

    /* The kernel's records are of the full size. The keys of TLS 1.3 have to be replaced when the
     * peer asks for that, which no Linux before 6.14 lets us. */
    if (fd < 0 || !kernel_offers() || keys->version != FB_TLS_1_2 ||
        keys->max_content < FB_TLS_RECORD_MAX) {
        return false;
    }
    socklen_t size = keys_of(keys->aead, &keys->out, &info);
    bool is_taken = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0 &&
                    setsockopt(fd, SOL_TLS, TLS_TX, &info, size) == 0;
    explicit_bzero(&info, sizeof(info));
    return is_taken;
}

/* ---- alerts -------------------------------------------------------------- */

int fb_tls_kernel_alert(const struct fb_stream *inner, enum fb_tls_alert alert)
{
    uint8_t message[2];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(uint8_t))];
    } control = {.bytes = {0}};
    struct iovec piece = {.iov_base = message, .iov_len = sizeof(message)};
    struct msghdr header = {.msg_iov = &piece,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};

    fb_tls_alert_message(alert, message);
    control.header.cmsg_level = SOL_TLS;
    control.header.cmsg_type = TLS_SET_RECORD_TYPE;
    control.header.cmsg_len = CMSG_LEN(sizeof(uint8_t));
    *CMSG_DATA(&control.header) = FB_TLS_ALERT;
    ssize_t n = sendmsg(fb_tls_socket_of(inner), &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
        return FB_OK;
    }
    return errno == EAGAIN ? FB_E_LATER : -errno;
}
