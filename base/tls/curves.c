#include "base/tls/curves.h"

#include "base/core/attr.h"
#include "base/core/check.h"
#include "base/tls/bridge.h"

#include <mbedtls/ecp.h>
#include <mbedtls/platform_util.h>

#include <dlfcn.h>
#include <gmp.h>
#include <nettle/curve25519.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>
#include <pthread.h>
#include <string.h>

typedef int random_fn(void *ctx, unsigned char *bytes, size_t size);
typedef int mul_fn(mbedtls_ecp_group *group, mbedtls_ecp_point *result, const mbedtls_mpi *m,
                   const mbedtls_ecp_point *point, random_fn *draw, void *draw_ctx,
                   mbedtls_ecp_restart_ctx *restart);

/* The name is the one that mbedTLS calls. */
mul_fn fb_tls_curves_mul __asm__("mbedtls_ecp_mul_restartable")
    __attribute__((visibility("default")));

enum { FIELD_MAX = 48 };

static mul_fn *theirs; /* NULL: mbedTLS has none, since it is a part of this program */
static bool is_used;
static pthread_once_t find_once = PTHREAD_ONCE_INIT;

static mul_fn *look_up(void *where)
{
    union {
        void *found;
        mul_fn *mul;
    } symbol = {.found = dlsym(where, "mbedtls_ecp_mul_restartable")};

    return symbol.mul;
}

static void find(void)
{
    theirs = look_up(RTLD_NEXT);
    is_used = look_up(RTLD_DEFAULT) == fb_tls_curves_mul;
}

void fb_tls_curves_init(void)
{
    FB_REQUIRE(pthread_once(&find_once, find) == 0);
}

bool fb_tls_curves_are_used(void)
{
    fb_tls_curves_init();
    return is_used;
}

/* ---- X25519 --------------------------------------------------------------- */

/* A scalar that mbedTLS drew has the bits that RFC 7748 section 5 sets and clears. */
static int mul_x25519(const mbedtls_ecp_group *group, mbedtls_ecp_point *result,
                      const mbedtls_mpi *m, const mbedtls_ecp_point *point)
{
    static const uint8_t zero[CURVE25519_SIZE];
    uint8_t scalar[CURVE25519_SIZE];
    uint8_t bytes[CURVE25519_SIZE];

    int code = mbedtls_mpi_write_binary_le(m, scalar, sizeof(scalar));
    if (code == 0) {
        code = mbedtls_mpi_write_binary_le(&point->X, bytes, sizeof(bytes));
    }
    if (code == 0) {
        if (point == &group->G) {
            curve25519_mul_g(bytes, scalar);
        } else {
            curve25519_mul(bytes, scalar, bytes);
        }
        /* What comes of points of small order, whatever the scalar is. */
        code = memcmp(bytes, zero, sizeof(zero)) == 0 ? MBEDTLS_ERR_ECP_INVALID_KEY : 0;
    }
    if (code == 0) {
        code = mbedtls_mpi_read_binary_le(&result->X, bytes, sizeof(bytes));
    }
    if (code == 0) {
        code = mbedtls_mpi_lset(&result->Z, 1);
    }
    mbedtls_mpi_free(&result->Y);
    mbedtls_platform_zeroize(scalar, sizeof(scalar));
    mbedtls_platform_zeroize(bytes, sizeof(bytes));
    return code;
}

/* ---- P-256 and P-384 ------------------------------------------------------ */

static int to_mpz(mpz_t to, const mbedtls_mpi *from, size_t size)
{
    uint8_t bytes[FIELD_MAX];

    int code = mbedtls_mpi_write_binary(from, bytes, size);
    if (code == 0) {
        mpz_import(to, size, 1, 1, 0, 0, bytes);
    }
    mbedtls_platform_zeroize(bytes, sizeof(bytes));
    return code;
}

static int to_mpi(mbedtls_mpi *to, const mpz_t from, size_t size)
{
    uint8_t bytes[FIELD_MAX] = {0};
    size_t n = (mpz_sizeinbase(from, 2) + 7) / 8;

    FB_REQUIRE(n <= size && size <= sizeof(bytes));
    mpz_export(bytes + size - n, NULL, 1, 1, 0, 0, from);
    int code = mbedtls_mpi_read_binary(to, bytes, size);
    mbedtls_platform_zeroize(bytes, sizeof(bytes));
    return code;
}

static void mpz_wipe(mpz_t number)
{
    size_t n = mpz_size(number);

    if (n > 0) {
        mbedtls_platform_zeroize(mpz_limbs_modify(number, (mp_size_t)n), n * sizeof(mp_limb_t));
    }
    mpz_clear(number);
}

/* What a product is made of. */
struct product {
    struct ecc_point point;
    struct ecc_scalar scalar;
    mpz_t x;
    mpz_t y;
    size_t size; /* of a field element, in bytes */
};

static void product_init(struct product *self, const struct ecc_curve *curve)
{
    ecc_point_init(&self->point, curve);
    ecc_scalar_init(&self->scalar, curve);
    mpz_init(self->x);
    mpz_init(self->y);
    self->size = (ecc_bit_size(curve) + 7) / 8;
}

static void product_done(struct product *self, const struct ecc_curve *curve)
{
    mbedtls_platform_zeroize(self->scalar.p, ecc_size(curve) * sizeof(mp_limb_t));
    mbedtls_platform_zeroize(self->point.p, ecc_size_a(curve) * sizeof(mp_limb_t));
    ecc_point_clear(&self->point);
    ecc_scalar_clear(&self->scalar);
    mpz_wipe(self->x);
    mpz_wipe(self->y);
}

static int product_set_scalar(struct product *self, const mbedtls_mpi *m)
{
    int code = to_mpz(self->x, m, self->size);

    if (code == 0 && ecc_scalar_set(&self->scalar, self->x) == 0) {
        code = MBEDTLS_ERR_ECP_INVALID_KEY;
    }
    return code;
}

static int product_set_point(struct product *self, const mbedtls_ecp_point *point)
{
    int code = to_mpz(self->x, &point->X, self->size);

    if (code == 0) {
        code = to_mpz(self->y, &point->Y, self->size);
    }
    /* It sees that the point is one of the curve. */
    if (code == 0 && ecc_point_set(&self->point, self->x, self->y) == 0) {
        code = MBEDTLS_ERR_ECP_INVALID_KEY;
    }
    return code;
}

static int product_get(struct product *self, mbedtls_ecp_point *result)
{
    ecc_point_get(&self->point, self->x, self->y);
    int code = to_mpi(&result->X, self->x, self->size);
    if (code == 0) {
        code = to_mpi(&result->Y, self->y, self->size);
    }
    return code == 0 ? mbedtls_mpi_lset(&result->Z, 1) : code;
}

static int mul_prime(const struct ecc_curve *curve, const mbedtls_ecp_group *group,
                     mbedtls_ecp_point *result, const mbedtls_mpi *m,
                     const mbedtls_ecp_point *point)
{
    struct product product;

    product_init(&product, curve);
    int code = product_set_scalar(&product, m);
    if (code == 0 && point != &group->G) {
        code = product_set_point(&product, point);
    }
    if (code == 0) {
        if (point == &group->G) {
            ecc_point_mul_g(&product.point, &product.scalar);
        } else {
            ecc_point_mul(&product.point, &product.scalar, &product.point);
        }
        code = product_get(&product, result);
    }
    product_done(&product, curve);
    return code;
}

/* ---- in mbedTLS' place ---------------------------------------------------- */

/* NOLINTNEXTLINE(readability-function-size): mbedTLS' type */
int fb_tls_curves_mul(mbedtls_ecp_group *group, mbedtls_ecp_point *result, const mbedtls_mpi *m,
                      const mbedtls_ecp_point *point, random_fn *draw, void *draw_ctx,
                      mbedtls_ecp_restart_ctx *restart)
{
    bool is_ours = group->id == MBEDTLS_ECP_DP_CURVE25519 ||
                   group->id == MBEDTLS_ECP_DP_SECP256R1 || group->id == MBEDTLS_ECP_DP_SECP384R1;

    if (!is_ours) {
        fb_tls_curves_init();
        return theirs == NULL ? MBEDTLS_ERR_ECP_FEATURE_UNAVAILABLE
                              : theirs(group, result, m, point, draw, draw_ctx, restart);
    }
    /* As mbedTLS does before it multiplies. */
    int code = mbedtls_ecp_check_privkey(group, m);
    if (code == 0) {
        code = mbedtls_ecp_check_pubkey(group, point);
    }
    if (code != 0) {
        return code;
    }
    if (group->id == MBEDTLS_ECP_DP_CURVE25519) {
        return mul_x25519(group, result, m, point);
    }
    const struct ecc_curve *curve =
        group->id == MBEDTLS_ECP_DP_SECP256R1 ? nettle_get_secp_256r1() : nettle_get_secp_384r1();
    return mul_prime(curve, group, result, m, point);
}
