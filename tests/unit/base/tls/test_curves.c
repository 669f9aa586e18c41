#include "base/core/attr.h"
#include "base/tls/bridge.h"
#include "base/tls/curves.h"

#include <mbedtls/ecp.h>

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

typedef int mul_fn(mbedtls_ecp_group *group, mbedtls_ecp_point *result, const mbedtls_mpi *m,
                   const mbedtls_ecp_point *point,
                   int (*draw)(void *ctx, unsigned char *bytes, size_t size), void *draw_ctx,
                   mbedtls_ecp_restart_ctx *restart);

enum { N_TRIALS = 8 };

static const mbedtls_ecp_group_id ours[] = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
                                            MBEDTLS_ECP_DP_SECP384R1};

/* mbedTLS' own. */
static mul_fn *library_mul(void)
{
    union {
        void *found;
        mul_fn *mul;
    } symbol = {.found = dlsym(RTLD_NEXT, "mbedtls_ecp_mul_restartable")};

    assert_non_null(symbol.found);
    return symbol.mul;
}

/* A group with a point of it, a number to multiply by, and room for two products. */
struct task {
    mbedtls_ecp_group group;
    mbedtls_mpi number;
    mbedtls_ecp_point point;
    mbedtls_ecp_point product;
    mbedtls_ecp_point other;
};

static void task_init(struct task *t, mbedtls_ecp_group_id id)
{
    mbedtls_ecp_group_init(&t->group);
    mbedtls_mpi_init(&t->number);
    mbedtls_ecp_point_init(&t->point);
    mbedtls_ecp_point_init(&t->product);
    mbedtls_ecp_point_init(&t->other);
    assert_int_equal(mbedtls_ecp_group_load(&t->group, id), 0);
}

static void task_done(struct task *t)
{
    mbedtls_ecp_group_free(&t->group);
    mbedtls_mpi_free(&t->number);
    mbedtls_ecp_point_free(&t->point);
    mbedtls_ecp_point_free(&t->product);
    mbedtls_ecp_point_free(&t->other);
}

static void task_draw(struct task *t)
{
    assert_int_equal(mbedtls_ecp_gen_privkey(&t->group, &t->number, fb_tls_random, NULL), 0);
}

static int multiply(struct task *t, mul_fn *mul, const mbedtls_ecp_point *point,
                    mbedtls_ecp_point *ret_product)
{
    return mul(&t->group, ret_product, &t->number, point, fb_tls_random, NULL, NULL);
}

static void assert_same_point(const struct task *t)
{
    assert_int_equal(mbedtls_mpi_cmp_mpi(&t->product.X, &t->other.X), 0);
    assert_int_equal(mbedtls_mpi_cmp_mpi(&t->product.Z, &t->other.Z), 0);
    if (t->group.id != MBEDTLS_ECP_DP_CURVE25519) {
        assert_int_equal(mbedtls_mpi_cmp_mpi(&t->product.Y, &t->other.Y), 0);
    }
}

static void mbedtls_multiplies_by_ours(void **state)
{
    (void)state;
    assert_true(fb_tls_curves_are_used());
    assert_ptr_not_equal(library_mul(), mbedtls_ecp_mul_restartable);
}

static void products_are_those_of_mbedtls(void **state)
{
    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(ours); i++) {
        struct task t;
        task_init(&t, ours[i]);
        for (int trial = 0; trial < N_TRIALS; trial++) {
            task_draw(&t);
            assert_int_equal(multiply(&t, mbedtls_ecp_mul_restartable, &t.group.G, &t.point), 0);
            assert_int_equal(multiply(&t, library_mul(), &t.group.G, &t.other), 0);
            assert_int_equal(mbedtls_ecp_copy(&t.product, &t.point), 0);
            assert_same_point(&t);
            task_draw(&t);
            assert_int_equal(multiply(&t, mbedtls_ecp_mul_restartable, &t.point, &t.product), 0);
            assert_int_equal(multiply(&t, library_mul(), &t.point, &t.other), 0);
            assert_same_point(&t);
        }
        task_done(&t);
    }
}

static void other_groups_are_left_to_mbedtls(void **state)
{
    struct task t;

    (void)state;
    task_init(&t, MBEDTLS_ECP_DP_SECP521R1);
    task_draw(&t);
    assert_int_equal(multiply(&t, mbedtls_ecp_mul_restartable, &t.group.G, &t.product), 0);
    assert_int_equal(multiply(&t, library_mul(), &t.group.G, &t.other), 0);
    assert_same_point(&t);
    task_done(&t);
}

/* RFC 7748 section 6.1: Alice's private key, and what she and Bob agree on. */
static void x25519_agrees_with_its_rfc(void **state)
{
    static const uint8_t alice[] = {0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d,
                                    0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
                                    0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a,
                                    0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a};
    static const uint8_t bob[] = {0xde, 0x9e, 0xdb, 0x7d, 0x7b, 0x7d, 0xc1, 0xb4, 0xd3, 0x5b, 0x61,
                                  0xc2, 0xec, 0xe4, 0x35, 0x37, 0x3f, 0x83, 0x43, 0xc8, 0x5b, 0x78,
                                  0x67, 0x4d, 0xad, 0xfc, 0x7e, 0x14, 0x6f, 0x88, 0x2b, 0x4f};
    static const uint8_t shared[] = {0x4a, 0x5d, 0x9d, 0x5b, 0xa4, 0xce, 0x2d, 0xe1,
                                     0x72, 0x8e, 0x3b, 0xf4, 0x80, 0x35, 0x0f, 0x25,
                                     0xe0, 0x7e, 0x21, 0xc9, 0x47, 0xd1, 0x9e, 0x33,
                                     0x76, 0xf0, 0x9b, 0x3c, 0x1e, 0x16, 0x17, 0x42};
    uint8_t scalar[sizeof(alice)];
    uint8_t product[sizeof(shared)];
    struct task t;

    (void)state;
    task_init(&t, MBEDTLS_ECP_DP_CURVE25519);
    memcpy(scalar, alice, sizeof(scalar));
    scalar[0] &= 248; /* section 5 */
    scalar[31] = (uint8_t)((scalar[31] & 127) | 64);
    assert_int_equal(mbedtls_mpi_read_binary_le(&t.number, scalar, sizeof(scalar)), 0);
    assert_int_equal(mbedtls_mpi_read_binary_le(&t.point.X, bob, sizeof(bob)), 0);
    assert_int_equal(mbedtls_mpi_lset(&t.point.Z, 1), 0);
    assert_int_equal(multiply(&t, mbedtls_ecp_mul_restartable, &t.point, &t.product), 0);
    assert_int_equal(mbedtls_mpi_write_binary_le(&t.product.X, product, sizeof(product)), 0);
    assert_memory_equal(product, shared, sizeof(shared));
    task_done(&t);
}

static void numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(ours); i++) {
        struct task t;
        task_init(&t, ours[i]);
        assert_int_equal(mbedtls_mpi_lset(&t.number, 0), 0);
        assert_int_not_equal(multiply(&t, mbedtls_ecp_mul_restartable, &t.group.G, &t.product), 0);
        assert_int_equal(mbedtls_mpi_copy(&t.number, &t.group.P), 0);
        assert_int_not_equal(multiply(&t, mbedtls_ecp_mul_restartable, &t.group.G, &t.product), 0);
        task_done(&t);
    }
}

static void points_off_the_curve_are_refused(void **state)
{
    (void)state;
    for (size_t i = 1; i < FB_ARRAY_LEN(ours); i++) {
        struct task t;
        task_init(&t, ours[i]);
        task_draw(&t);
        assert_int_equal(mbedtls_ecp_copy(&t.point, &t.group.G), 0);
        assert_int_equal(mbedtls_mpi_add_int(&t.point.Y, &t.point.Y, 1), 0);
        assert_int_not_equal(multiply(&t, mbedtls_ecp_mul_restartable, &t.point, &t.product), 0);
        task_done(&t);
    }
}

/* Who sends them wants a key that anybody knows. */
static void points_of_small_order_are_refused(void **state)
{
    struct task t;

    (void)state;
    task_init(&t, MBEDTLS_ECP_DP_CURVE25519);
    for (int x = 0; x <= 1; x++) {
        task_draw(&t);
        assert_int_equal(mbedtls_mpi_lset(&t.point.X, x), 0);
        assert_int_equal(mbedtls_mpi_lset(&t.point.Z, 1), 0);
        assert_int_not_equal(multiply(&t, mbedtls_ecp_mul_restartable, &t.point, &t.product), 0);
    }
    task_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mbedtls_multiplies_by_ours),
        cmocka_unit_test(products_are_those_of_mbedtls),
        cmocka_unit_test(other_groups_are_left_to_mbedtls),
        cmocka_unit_test(x25519_agrees_with_its_rfc),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(points_off_the_curve_are_refused),
        cmocka_unit_test(points_of_small_order_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
