/*
 * Transfers of a volume's owner. A volume closes when none is under way.
 *
 * Threads    The owner's loop.
 */
#pragma once

#include "base/disk/disk.h"

struct edge_volume;

struct volume_io {
    struct fb_disk_io io;
    struct edge_volume *volume; /* set by edge_volume_io_start() */
    void (*done)(struct volume_io *io, int result);
};

/* Starts io->io, of which verb, offset, bytes and n are set, on the volume's disk. */
void edge_volume_io_start(struct edge_volume *volume, struct volume_io *io);
