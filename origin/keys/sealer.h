/*
 * Master keys in a file: one a line, 64 hexadecimal digits, lines that begin with '#' are passed
 * over. The first seals, all open.
 *
 *     # since the move
 *     4f0e…
 *     9c21…      until origin_keys_sealed_total says that nothing is left
 *
 * A key's id is the first 16 digits of the SHA-256 of "master key" and the key: a file that was
 * lost and drawn anew is not taken for the old one.
 *
 * Ownership  open → close.
 * Threads    Any; a reload swaps what the next call sees.
 * Limits     ORIGIN_SEALER_KEYS_MAX keys.
 * Failures   FB_E_MALFORMED with a sentence that quotes nothing, errno. A failed reload changes
 *            nothing.
 */
#pragma once

#include "base/core/diag.h"
#include "origin/keys/keys.h"

struct origin_sealer_file;

enum { ORIGIN_SEALER_KEYS_MAX = 16 };

/* `path` is copied. A file that is not there is made (0600) with a key that is drawn, if
 * `may_make`: its folder is there. */
FB_MUST_CHECK int origin_sealer_file_open(const char *path, bool may_make,
                                          struct origin_sealer_file **ret_file,
                                          struct fb_diag *diag);
void origin_sealer_file_close(struct origin_sealer_file *file); /* accepts NULL */

/* Reads the file again. */
FB_MUST_CHECK int origin_sealer_file_reload(struct origin_sealer_file *file, struct fb_diag *diag);

/* The sealer; lives as long as the file. */
const struct origin_sealer *origin_sealer_file_sealer(struct origin_sealer_file *file);
