/*
 * Prints docs/configuration.md from the tables that the programs read.
 */
#include "base/conf/conf.h"
#include "edge/config/config.h"
#include "origin/config/config.h"

#include <stdio.h>

static const char introduction[] =
    "# Configuration\n"
    "\n"
    "Each program reads one YAML file, named with `--config`. `--check` reads it, says what is wrong and ends;\n"
    "`--print-config` prints what is in force, presets included. An unknown key or a bad value is answered with\n"
    "`file:line:column`, what was expected, and the closest known name; the program then ends with code 2.\n"
    "\n"
    "Sizes are written `512`, `64KiB`, `256MiB`, `64GiB` (also `kB`, `MB`, `GB`); durations `250ms`, `30s`, `5m`, `12h`,\n"
    "`7d`; rates `500kbit/s`, `2Gbit/s`; addresses `127.0.0.1:8080`, `[::1]:8080`, `:8080` for all interfaces, and port 0\n"
    "for one that the kernel picks. Anchors, tags and repeated keys are refused.\n"
    "\n"
    "What is marked *Live* is taken by a reload (`SIGHUP`, `POST /reload`); a change of anything else needs a restart.\n"
    "\n"
    "This page is printed by the tables that the programs read (`build/dev/configuration-reference`), and a test holds\n"
    "it to them. Examples stand in `configs/`.\n";

static void print_program(struct fb_buf *buf, const char *title,
                          const struct fb_conf_section *section)
{
    fb_buf_printf(buf, "\n## %s\n\n", title);
    fb_conf_reference(section, buf);
}

int main(void)
{
    struct fb_buf buf = {0};

    fb_buf_append(&buf, FB_STR(introduction));
    print_program(&buf, "forebay-edge", &edge_conf_section);
    print_program(&buf, "forebay-origin", &origin_conf_section);
    print_program(&buf, "forebay-worker", &origin_worker_conf_section);
    bool is_written = fwrite(buf.ptr, 1, buf.len, stdout) == buf.len && fflush(stdout) == 0;
    fb_buf_done(&buf);
    return is_written ? 0 : 1;
}
