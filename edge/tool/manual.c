#include "edge/tool/tool_internal.h"

struct verb_page {
    const char *name;
    const char *summary;
    const char *synopsis;
    const char *description;
    const char *exit_status;
    const char *example;
};

static const struct verb_page verb_pages[TOOL_VERBS] = {
    [TOOL_INSPECT] =
        {
            "inspect",
            "what is on a volume",
            "[--json] [--zone N] PATH",
            "    Prints the superblock of the volume at PATH, a block device or a file, its zones by\n"
            "    state, its records and their bytes, what was written today and ever, and its\n"
            "    checkpoints. Records count as written: one that was replaced or purged later\n"
            "    counts until its zone is reclaimed. With --zone, lists each record of one zone:\n"
            "    its block, key, extent, chunks, bytes and age.\n"
            "\n"
            "    Nothing is written. A volume that an edge has open is read all the same, with a\n"
            "    warning: what is printed may be of several moments.\n",
            "    0   Done.\n"
            "    2   Wrong arguments.\n"
            "    3   PATH cannot be read, or is no volume of this format.\n",
            "inspect --zone 7 /dev/nvme0n1",
        },
    [TOOL_VERIFY] =
        {
            "verify",
            "whether a volume is whole",
            "[--rate SIZE] [--quiet] PATH",
            "    Reads everything that counts on the volume at PATH and holds it against its\n"
            "    checksums. Each thing that does not fit is a line on standard output: zone, block,\n"
            "    what it is, and the key if that can be told. The edge never serves what is\n"
            "    listed: it fetches it again.\n"
            "\n"
            "    A crash may leave a torn checkpoint, and torn chunks at the end of the zone that\n"
            "    was open. They are listed too, and mean no fault of the drive.\n"
            "\n"
            "    Nothing is written. A volume that an edge has open is read all the same, with a\n"
            "    warning; what changes meanwhile is not taken for damage. One that is not in use is\n"
            "    locked until verify ends: an edge that starts takes it then.\n",
            "    0   Everything fits.\n"
            "    1   Something is damaged.\n"
            "    2   Wrong arguments.\n"
            "    3   PATH cannot be read, or is no volume of this format.\n",
            "verify --rate 200MiB /dev/nvme0n1",
        },
    [TOOL_FORMAT] =
        {
            "format",
            "makes an empty volume",
            "--node NAME [--size SIZE] [--force] PATH",
            "    Makes PATH an empty volume of node NAME. An edge formats what is blank by itself;\n"
            "    this is for what is not: it refuses a volume, and anything else that is not\n"
            "    zeros at its ends, unless --force is given. A file that does not exist is made,\n"
            "    as long as --size says.\n"
            "\n"
            "    A volume that an edge has open is refused in any case.\n",
            "    0   Done.\n"
            "    1   Refused, or failed; standard error says why.\n"
            "    2   Wrong arguments.\n",
            "format --node box-7 --force /dev/nvme0n1",
        },
    [TOOL_BENCH] =
        {
            "bench",
            "how fast a volume is",
            "[--size SIZE] [--object SIZE] [--seconds N] [--json] [--keep] [--force] PATH",
            "    Writes objects to a volume at PATH, then reads chunks of them back in random\n"
            "    order, 32 at a time, then does both at once; through the code of the edge, on one\n"
            "    loop. Prints requests and bytes per second, also by processor time, and how long\n"
            "    reads took. What a full volume gives up makes room, as in an edge.\n"
            "\n"
            "    A file that does not exist is made, as long as --size says (1GiB), and removed\n"
            "    afterwards. What exists must be blank, unless --force is given, and is blank\n"
            "    afterwards.\n",
            "    0   Done.\n"
            "    1   Refused, or failed; standard error says why.\n"
            "    2   Wrong arguments.\n",
            "bench --size 4GiB --seconds 10 /var/cache/scratch",
        },
};

const char *edge_tool_verb_name(enum tool_verb verb)
{
    return verb_pages[verb].name;
}

static void manual_of_all(struct fb_buf *buf)
{
    fb_buf_append(buf, FB_STR("NAME\n"
                              "    forebay-edge store - look after a volume of the edge's store\n"
                              "\n"
                              "SYNOPSIS\n"));
    for (size_t i = 0; i < TOOL_VERBS; i++) {
        fb_buf_printf(buf, "    forebay-edge store %s %s\n", verb_pages[i].name,
                      verb_pages[i].synopsis);
    }
    fb_buf_append(buf, FB_STR("\nVERBS\n"));
    for (size_t i = 0; i < TOOL_VERBS; i++) {
        fb_buf_printf(buf, "    %-9s %s\n", verb_pages[i].name, verb_pages[i].summary);
    }
    fb_buf_append(buf, FB_STR("\n"
                              "    `forebay-edge store VERB --help` has a page of each. "
                              "docs/store-format.md\n"
                              "    tells what lies where.\n"));
}

void edge_tool_manual(struct fb_buf *buf, enum tool_verb verb)
{
    if (verb == TOOL_VERBS) {
        manual_of_all(buf);
        return;
    }
    const struct verb_page *page = &verb_pages[verb];
    fb_buf_printf(buf,
                  "NAME\n    forebay-edge store %s - %s\n\n"
                  "SYNOPSIS\n    forebay-edge store %s %s\n\n"
                  "DESCRIPTION\n%s\nOPTIONS\n",
                  page->name, page->summary, page->name, page->synopsis, page->description);
    edge_tool_args_help(buf, verb);
    fb_buf_printf(buf, "\nEXIT STATUS\n%s\nEXAMPLE\n    forebay-edge store %s\n", page->exit_status,
                  page->example);
}
