#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/net/network.h"
#include "edge/config/config_internal.h"

/* ---- checks ------------------------------------------------------------ */

static int conf_check_clients(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf_clients *clients = conf;

    if (clients->burst != 0 && clients->requests == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'burst' without 'requests' bounds nothing");
    }
    return FB_OK;
}

/* ---- tables ------------------------------------------------------------ */

#define AT(member) offsetof(struct edge_conf_clients, member)

static const struct fb_conf_item clients_items[] = {
    {"connections", FB_CONF_INT, AT(connections), .max = 1000000, .preset = "0",
     .help = "Connections of one client; further ones are closed. 0: no bound. Players open one to "
             "six each, and behind one address may be thousands of them."},
    {"requests", FB_CONF_INT, AT(requests), .max = 1000000, .preset = "0",
     .help = "Requests per second of one client, over time; more are answered 429. 0: no bound."},
    {"burst", FB_CONF_INT, AT(burst), .max = 1000000, .preset = "0",
     .help = "Requests at once by a client that was quiet; 0: as many as in one second."},
    {"prefix_v4", FB_CONF_INT, AT(prefix_v4), .min = 8, .max = 32, .preset = "32",
     .help = "So many bits of an IPv4 address make a client."},
    {"prefix_v6", FB_CONF_INT, AT(prefix_v6), .min = 16, .max = 128, .preset = "64",
     .help = "So many bits of an IPv6 address make a client: a subscriber has at least a /64."},
    {"least_rate", FB_CONF_RATE, AT(least_rate), .max = 1000000000, .preset = "16kbit/s",
     .help = "A client that takes less, over a minute in which bytes wait for it, is cut; 0: none "
             "is. Below that not even sound plays. `listen[].rate` and the `least` of a site's "
             "`pace` have to be above it."},
    {"trusted", FB_CONF_STRINGS, AT(trusted), .check = fb_network_check, .max = 256,
     .help = "Networks that none of this holds for, such as those of tiers below: "
             "`192.0.2.0/24`, `2001:db8::/32`. What they say of their own clients is passed on to "
             "upstreams that have `forwarded`."},
    {0},
};

const struct fb_conf_section edge_conf_clients_section = {
    .name = "clients",
    .help = "What one client may use: all connections from one address, or from the network it is "
            "in, over all workers.",
    .size = sizeof(struct edge_conf_clients),
    .items = clients_items,
    .check = conf_check_clients,
};

/* ---- what is made of it ------------------------------------------------ */

struct fb_network *edge_conf_trusted(const struct edge_conf *conf)
{
    const struct fb_conf_list *trusted = &conf->clients.trusted;
    struct fb_network *networks = fb_alloc_array(trusted->n, sizeof(*networks));

    for (size_t i = 0; i < trusted->n; i++) {
        FB_IGNORE(fb_network_parse(*FB_CONF_AT(struct fb_str, *trusted, i), &networks[i],
                                   NULL)); /* was checked when loaded */
    }
    return networks;
}
