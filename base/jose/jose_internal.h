/*
 * What the files of base/jose share.
 *
 *     key.c       keys, from secrets, JWK and PEM
 *     jose.c      headers and signatures
 */
#pragma once

#include "base/jose/jose.h"

#include <cjose/cjose.h>

struct fb_jose_key {
    cjose_jwk_t *jwk; /* owned */
    enum fb_jose_algorithm algorithm;
    bool is_private;
};
