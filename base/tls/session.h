/*
 * Sessions as mbedTLS keeps them in tickets, for base/tls alone.
 */
#pragma once

#include "base/tls/bridge.h"

#include <stdbool.h>

struct fb_tls_tickets;

/* Servers seal sessions with `tickets` (NULL: never); clients ask for tickets. */
void fb_tls_session_use_tickets(mbedtls_ssl_config *conf, struct fb_tls_tickets *tickets,
                                bool is_client);
