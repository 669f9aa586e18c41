#include "base/client/client_internal.h"
#include "base/core/alloc.h"
#include "base/core/err.h"

#include <errno.h>

static void input_release(void *owner)
{
    fb_client_input_unref(owner);
}

struct client_input *fb_client_input_new(struct fb_slice slice)
{
    struct client_input *input = FB_NEW(struct client_input);

    input->slice = slice;
    input->n_refs = 1;
    return input;
}

void fb_client_input_unref(struct client_input *input)
{
    if (input != NULL && --input->n_refs == 0) {
        fb_slice_release(&input->slice);
        fb_free(input);
    }
}

struct fb_slice fb_client_input_slice(struct client_input *input, struct fb_str bytes)
{
    input->n_refs++;
    return (struct fb_slice){.bytes = bytes, .release = input_release, .owner = input};
}

int fb_client_input_err(int err)
{
    return err == FB_E_END || err == -ECONNRESET || err == -EPIPE ? FB_E_CLOSED : err;
}
