#include "base/core/buf.h"
#include "base/crypto/base64.h"
#include "edge/fill/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Of "hello". */
#define SHA256 "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
#define SHA512 \
    "m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw=="

static struct edge_digest_claim claim_of(unsigned status, const char *repr, const char *content)
{
    struct fb_arena arena = {0};
    struct fb_response_head response = {.status = status};

    if (repr != NULL) {
        fb_headers_add(&response.headers, &arena, FB_STR("Repr-Digest"), fb_str_from(repr));
    }
    if (content != NULL) {
        fb_headers_add(&response.headers, &arena, FB_STR("Content-Digest"), fb_str_from(content));
    }
    struct edge_digest_claim claim = edge_digest_claim_of(&response, &arena);
    fb_arena_done(&arena);
    return claim;
}

static bool holds(const struct edge_digest_claim *claim, const char *text)
{
    struct edge_digest digest = {0};

    edge_digest_begin(&digest, claim);
    for (; *text != '\0'; text++) {
        edge_digest_update(&digest, (struct fb_str){text, 1});
    }
    return edge_digest_holds(&digest);
}

static void the_bytes_of_a_claim_hold_and_no_others(void **state)
{
    static const char *const fields[] = {"sha-256=:" SHA256 ":", "sha-512=:" SHA512 ":"};
    (void)state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(fields); i++) {
        struct edge_digest_claim claim = claim_of(200, fields[i], NULL);
        assert_int_equal(claim.kind, i == 0 ? EDGE_DIGEST_SHA256 : EDGE_DIGEST_SHA512);
        assert_true(holds(&claim, "hello"));
        assert_false(holds(&claim, "hellO"));
        assert_false(holds(&claim, "hell"));
        assert_false(holds(&claim, ""));
    }
}

static void the_strongest_that_is_known_counts(void **state)
{
    (void)state;
    struct edge_digest_claim claim =
        claim_of(200, "md5=:AAAA:, sha-512=:" SHA512 ":, sha-256=:" SHA256 ":;x=1", NULL);
    assert_int_equal(claim.kind, EDGE_DIGEST_SHA512);
    claim = claim_of(200, "sha-256=:" SHA256 ":", "sha-512=:" SHA512 ":");
    assert_int_equal(claim.kind, EDGE_DIGEST_SHA512);
    assert_true(holds(&claim, "hello"));
    claim = claim_of(200, "crc32c=:AAAAAA==:", "sha-256=:" SHA256 ":");
    assert_int_equal(claim.kind, EDGE_DIGEST_SHA256);
}

static void of_a_part_only_the_content_is_told(void **state)
{
    (void)state;
    assert_int_equal(claim_of(206, "sha-256=:" SHA256 ":", NULL).kind, EDGE_DIGEST_NONE);
    assert_int_equal(claim_of(206, "sha-512=:" SHA512 ":", "sha-256=:" SHA256 ":").kind,
                     EDGE_DIGEST_SHA256);
}

static void what_is_no_digest_claims_nothing(void **state)
{
    static const char *const fields[] = {
        "",
        "sha-256",
        "sha-256=1",
        "sha-256=" SHA256,
        "sha-256=\"" SHA256 "\"",
        "sha-256=:AAAA:",
        "sha-512=:" SHA256 ":",
        "SHA-256=:" SHA256 ":",
        "sha-256=:" SHA256,
        "sha-256=:" SHA256 ":, =",
        "md5=:AAAA:",
        "sha-384=:" SHA512 ":",
    };
    (void)state;

    assert_int_equal(claim_of(200, NULL, NULL).kind, EDGE_DIGEST_NONE);
    for (unsigned i = 0; i < FB_ARRAY_LEN(fields); i++) {
        assert_int_equal(claim_of(200, fields[i], NULL).kind, EDGE_DIGEST_NONE);
    }
}

static void giving_up_is_safe_at_any_time(void **state)
{
    struct edge_digest digest = {0};
    struct edge_digest_claim claim = claim_of(200, "sha-512=:" SHA512 ":", NULL);
    (void)state;

    edge_digest_done(&digest);
    edge_digest_begin(&digest, &claim);
    edge_digest_update(&digest, FB_STR("he"));
    edge_digest_done(&digest);
    edge_digest_done(&digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_of_a_claim_hold_and_no_others),
        cmocka_unit_test(the_strongest_that_is_known_counts),
        cmocka_unit_test(of_a_part_only_the_content_is_told),
        cmocka_unit_test(what_is_no_digest_claims_nothing),
        cmocka_unit_test(giving_up_is_safe_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
