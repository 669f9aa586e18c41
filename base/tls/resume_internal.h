/*
 * Resuming, for base/tls alone.
 */
#pragma once

#include "base/tls/bridge.h"

struct fb_str;
struct fb_tls_config;
struct fb_tls_resumer;

/* A handshake that begins offers the session that is kept of `name`; true if there is one. */
bool fb_tls_resume_offer(const struct fb_tls_config *config, mbedtls_ssl_context *ssl,
                         struct fb_str name);

/* The session that a full handshake of TLS 1.2 made is kept. */
void fb_tls_resume_keep(const struct fb_tls_config *config, const mbedtls_ssl_context *ssl,
                        struct fb_str name);

/* The one that was offered came to nothing. */
void fb_tls_resume_forget(const struct fb_tls_config *config, struct fb_str name);

/* NULL if no ticket can follow. */
struct fb_tls_resumer *fb_tls_resumer_new(struct fb_tls_config *config,
                                          const mbedtls_ssl_context *ssl, struct fb_str name);
