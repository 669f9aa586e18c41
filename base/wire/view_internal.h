/*
 * What the files of this folder share about entries: their numbers as columns, in the wire's order.
 */
#pragma once

#include "base/wire/view_entry.h"

#include <stddef.h>

enum { FB_VIEW_NUMBERS_N = 29 };

/* Offsets of the numbers in struct fb_view_entry. */
extern const size_t fb_view_entry_numbers[FB_VIEW_NUMBERS_N];

uint64_t *fb_view_entry_number(struct fb_view_entry *entry, size_t column);

uint64_t fb_view_sum(uint64_t a, uint64_t b);
