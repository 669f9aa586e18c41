/*
 * Which country an address is in, by a MaxMind database (libmaxminddb).
 *
 * The file may be replaced at any time, by a rename: a file that is written over in place is read
 * while it changes. origin_geo_run() looks for another file under the path, and takes it if it
 * opens; look-ups under way end with the one that they began with.
 *
 * Ownership  open → close.
 * Threads    Look-ups on any; run and close one at a time, close when nobody looks up.
 * Failures   FB_E_NOT_FOUND: the address is in no country that the database knows.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "origin/access/countries.h"

struct fb_address;
struct origin_geo;

/* `path` is copied. FB_E_CORRUPT if the file is no such database; errno. */
FB_MUST_CHECK int origin_geo_open(const char *path, struct origin_geo **ret_geo,
                                  struct fb_diag *diag);
void origin_geo_close(struct origin_geo *geo); /* accepts NULL */

/* Looks for another file, for a round. *ret_is_new tells whether it was taken. */
FB_MUST_CHECK int origin_geo_run(struct origin_geo *geo, bool *ret_is_new, struct fb_diag *diag);

/* Two capital letters and a NUL. Of records like those of GeoLite2 the country that the address is
 * used in, else that it is registered in; of flat ones `country_code`. */
FB_MUST_CHECK int origin_geo_country(struct origin_geo *geo, const struct fb_address *address,
                                     char ret_country[ORIGIN_COUNTRY_LEN + 1]);
