/*
 * Curves: X25519, P-256 and P-384 multiplied by Nettle, in handshakes of mbedTLS.
 *
 * A handshake multiplies points three times, and mbedTLS takes ten times as long for it as others.
 * It has no place for another implementation where it is a package; so curves.c defines the one
 * function that does it under mbedTLS' own name, which the dynamic linker prefers to the
 * library's. Where mbedTLS is linked otherwise it keeps its own, and all is as before but slower.
 *
 * Threads    Any.
 */
#pragma once

#include <stdbool.h>

/* What makes a configuration calls it, so that programs which do have the function. */
void fb_tls_curves_init(void);

/* Whether mbedTLS multiplies by it. */
bool fb_tls_curves_are_used(void);
