#include "base/tls/keys.h"

#include <mbedtls/platform_util.h>

void fb_tls_keys_wipe(struct fb_tls_keys *keys)
{
    mbedtls_platform_zeroize(keys, sizeof(*keys));
}
