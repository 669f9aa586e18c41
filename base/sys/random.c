#include "base/sys/random.h"

#include "base/core/check.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>

void fb_random_bytes(void *bytes, size_t size)
{
    char *at = bytes;

    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        FB_REQUIRE(n > 0 || errno == EINTR);
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
}

uint64_t fb_random_u64(void)
{
    uint64_t number = 0;

    fb_random_bytes(&number, sizeof(number));
    return number;
}
