#include "edge/config/config.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/http/node_name.h"
#include "base/net/address.h"
#include "base/net/tcp.h"
#include "base/sys/file.h"
#include "edge/config/config_internal.h"
#include "edge/upstream/upstream.h"

#include <inttypes.h>

/* ---- checks ------------------------------------------------------------ */

int edge_conf_probe_read(const char *path, struct fb_diag *diag)
{
    return fb_file_check_use(path, FB_FILE_READ, diag);
}

int edge_conf_probe_append(const char *path, struct fb_diag *diag)
{
    return fb_file_check_use(path, FB_FILE_APPEND, diag);
}

int edge_conf_probe_folder(const char *path, struct fb_diag *diag)
{
    return fb_file_check_use(path, FB_FILE_FOLDER, diag);
}

/* Any number of listeners may have port 0. */
static bool conf_has_port(struct fb_str text)
{
    struct fb_address address;

    return fb_address_parse(text, &address, NULL) == FB_OK && fb_address_port(&address) != 0;
}

static int conf_check_congestion(struct fb_str value, struct fb_diag *diag)
{
    enum { NAME_MAX = 15 }; /* TCP_CA_NAME_MAX less its NUL */
    bool is_good = value.len > 0 && value.len <= NAME_MAX;

    for (size_t i = 0; i < value.len && is_good; i++) {
        char c = value.ptr[i];
        is_good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    }
    return is_good ? fb_tcp_try_congestion(value, diag)
                   : fb_diag_set(diag, FB_E_MALFORMED, "'%.*s' is no congestion control's name",
                                 FB_STR_ARG(value));
}

/* That none of the first `n` listeners has the address. */
static int conf_check_free(const struct edge_conf *edge, size_t n, const struct fb_str *address,
                           struct fb_diag *diag)
{
    for (size_t i = 0; i < n && conf_has_port(*address); i++) {
        if (fb_str_equal(*address, FB_CONF_AT(struct edge_conf_listen, edge->listen, i)->address)) {
            int err = fb_diag_set(diag, FB_E_MALFORMED, "address '%.*s' is listened on twice",
                                  FB_STR_ARG(*address));
            return fb_diag_blame(diag, err, address);
        }
    }
    return FB_OK;
}

/* That nobody is cut as too slow for what this node itself holds back. `what` is the key of `rate`.
 */
static int conf_check_rate(const struct edge_conf *edge, const uint64_t *rate, const char *what,
                           struct fb_diag *diag)
{
    if (*rate > edge->clients.least_rate || edge->clients.least_rate == 0) {
        return FB_OK;
    }
    int err = fb_diag_set(diag, FB_E_MALFORMED,
                          "'%s' is not above 'clients.least_rate' (%" PRIu64
                          " bit/s): who is held to it would be cut as too slow",
                          what, edge->clients.least_rate);
    return fb_diag_blame(diag, err, rate);
}

static int conf_check_rates(const struct edge_conf *edge, struct fb_diag *diag)
{
    int err = FB_OK;

    for (size_t i = 0; i < edge->listen.n && err == FB_OK; i++) {
        const struct edge_conf_listen *one = FB_CONF_AT(struct edge_conf_listen, edge->listen, i);
        err = one->rate != 0 ? conf_check_rate(edge, &one->rate, "rate", diag) : FB_OK;
    }
    for (size_t i = 0; i < edge->sites.n && err == FB_OK; i++) {
        const struct edge_conf_pace *pace =
            &FB_CONF_AT(struct edge_conf_site, edge->sites, i)->pace;
        bool is_on = pace->bitrate != 0 || pace->rtp;
        err = is_on ? conf_check_rate(edge, &pace->least, "pace.least", diag) : FB_OK;
    }
    return err;
}

static int conf_check_root(const void *conf, struct fb_diag *diag)
{
    const struct edge_conf *edge = conf;

    for (size_t i = 0; i < edge->listen.n; i++) {
        const struct edge_conf_listen *one = FB_CONF_AT(struct edge_conf_listen, edge->listen, i);
        int err = conf_check_free(edge, i, &one->address, diag);
        if (err == FB_OK) {
            err = edge_conf_check_tls_server(edge, &one->tls, diag);
        }
        if (err < 0) {
            return err;
        }
    }
    int err = conf_check_rates(edge, diag);
    if (err == FB_OK) {
        err = edge_conf_check_reports(edge, diag);
    }
    if (err == FB_OK) {
        err = conf_check_free(edge, edge->listen.n, &edge->admin.address, diag);
    }
    if (err == FB_OK) {
        err = edge_conf_check_warm(edge, diag);
    }
    return err < 0 ? err : edge_conf_check_tls_server(edge, &edge->admin.tls, diag);
}

static int conf_probe_root(const void *conf, struct fb_diag *diag)
{
    return edge_conf_probe_volumes(conf, diag);
}

/* ---- tables ------------------------------------------------------------ */

#define AT(type, member) offsetof(struct type, member)

static const struct fb_conf_item listen_items[] = {
    {"address", FB_CONF_STRING, AT(edge_conf_listen, address), .is_required = true,
     .check = fb_address_check,
     .help = "Numeric address and port, such as `127.0.0.1:8080`, `[::1]:8080` or `:8080`."},
    {"tls", FB_CONF_STRING, AT(edge_conf_listen, tls),
     .help = "The name of the entry of `tls` that its connections are secured with; unset: plain "
             "HTTP."},
    {"congestion", FB_CONF_STRING, AT(edge_conf_listen, congestion), .check = conf_check_congestion,
     .help = "The congestion control of its connections, as the kernel names it, such as `bbr` or "
             "`cubic`; unset: the system's. Over paths that lose packets, `bbr` keeps segments "
             "coming. The kernel must have it, and let the node's user have it: `--check`, start "
             "and reload try."},
    {"rate", FB_CONF_RATE, AT(edge_conf_listen, rate), .max = 100000000000, .preset = "0",
     .help = "At most so much is sent on each connection, evenly; 0: no bound. It has to be above "
             "`clients.least_rate`. A player needs some "
             "multiple of the highest bitrate, and what comes in bursts costs others their "
             "packets."},
    {0},
};

static const struct fb_conf_section listen_section = {
    .name = "listen",
    .help =
        "Where clients connect. They speak HTTP/1.1 or HTTP/2, which is agreed on by ALPN with `tls` "
        "and known beforehand without (`http2`).",
    .size = sizeof(struct edge_conf_listen),
    .items = listen_items,
};

static const struct fb_conf_item admin_items[] = {
    {"address", FB_CONF_STRING, AT(edge_conf_admin, address), .check = fb_address_check,
     .help =
         "Where `/metrics`, `/healthz`, `/readyz`, `/status`, `/reload`, `/restart`, `/purge` and "
         "`/purges` are; none if unset. It has no access control: keep it on loopback or a "
         "management network."},
    {"tls", FB_CONF_STRING, AT(edge_conf_admin, tls),
     .help = "The name of the entry of `tls` that it is secured with; with `authorities`, only "
             "those whose certificate they signed may connect. Unset: plain HTTP."},
    {0},
};

static const struct fb_conf_section admin_section = {
    .name = "admin",
    .help = "The address for operators.",
    .size = sizeof(struct edge_conf_admin),
    .items = admin_items,
};

static const struct fb_conf_item limit_items[] = {
    {"connections", FB_CONF_INT, AT(edge_conf_limits, connections), .min = 1, .max = 1000000,
     .preset = "16384", .help = "Client connections per worker; further ones are closed."},
    {"head", FB_CONF_SIZE, AT(edge_conf_limits, head), .min = 1024, .max = 1 << 20,
     .preset = "32KiB", .help = "Bytes of a request's head."},
    {"headers", FB_CONF_INT, AT(edge_conf_limits, headers), .min = 8, .max = 1000, .preset = "100",
     .help = "Field lines of a request."},
    {"body", FB_CONF_SIZE, AT(edge_conf_limits, body), .preset = "0",
     .help = "Bytes of a request's content; 0: no bound."},
    {"requests", FB_CONF_INT, AT(edge_conf_limits, requests), .min = 0, .max = UINT32_MAX,
     .preset = "0", .help = "Requests per connection; 0: no bound."},
    {"fills", FB_CONF_INT, AT(edge_conf_limits, fills), .min = 1, .max = 65536, .preset = "1024",
     .help = "Upstream fetches at once; further misses are answered 503."},
    {"upstream_connections", FB_CONF_INT, AT(edge_conf_limits, upstream_connections), .min = 1,
     .max = 65536, .preset = "256",
     .help =
         "Connections per upstream and worker; as many again for what is for one client alone."},
    {0},
};

static const struct fb_conf_section limits_section = {
    .name = "limits",
    .help = "What all clients together may use.",
    .size = sizeof(struct edge_conf_limits),
    .items = limit_items,
};

static const struct fb_conf_item http2_items[] = {
    {"enabled", FB_CONF_BOOL, AT(edge_conf_http2, enabled), .preset = "true",
     .help = "Without it clients are spoken to by HTTP/1.1 alone, with and without TLS."},
    {"streams", FB_CONF_INT, AT(edge_conf_http2, streams), .min = 1, .max = 1024, .preset = "128",
     .help = "Requests at once on a connection; further ones are refused, which clients repeat."},
    {"window", FB_CONF_SIZE, AT(edge_conf_http2, window), .min = 65536, .max = 67108864,
     .preset = "1MiB",
     .help = "What a client may send of a request's content ahead of who takes it: a connection "
             "holds as much at most. Responses go as far as the client's own windows."},
    {0},
};

static const struct fb_conf_section http2_section = {
    .name = "http2",
    .help = "Connections of clients that speak HTTP/2. A change needs a restart.",
    .size = sizeof(struct edge_conf_http2),
    .items = http2_items,
};

#define TIMEOUT(name, standard, live, text)                                                    \
    {                                                                                          \
#name, FB_CONF_DURATION, AT(edge_conf_timeouts, name),                                 \
            .min = 1, .max = 86400000, .preset = (standard), .is_live = (live), .help = (text) \
    }

static const struct fb_conf_item timeout_items[] = {
    TIMEOUT(head, "10s", false, "From the first to the last byte of a request's head."),
    TIMEOUT(body, "30s", false, "Between two pieces of a request's content."),
    TIMEOUT(idle, "60s", false, "Between two requests on a connection."),
    TIMEOUT(write, "30s", false, "Without the client taking a byte."),
    TIMEOUT(drain, "30s", false, "For requests under way when the node is told to stop."),
    TIMEOUT(connect, "2s", true, "To connect to an upstream, name look-up included."),
    TIMEOUT(upstream_head, "15s", true, "From the request to the upstream's head."),
    TIMEOUT(upstream_body, "15s", true, "Between two pieces of the upstream's content."),
    TIMEOUT(upstream_blocking, "20s", false,
            "In place of `upstream_head` for a blocking playlist reload (`_HLS_msn` in the query), "
            "which the upstream holds until the playlist has grown: three target durations or "
            "more."),
    {0},
};

static const struct fb_conf_section timeouts_section = {
    .name = "timeouts",
    .help = "How long peers are waited for.",
    .size = sizeof(struct edge_conf_timeouts),
    .items = timeout_items,
};

static const char *const role_names[] =
    {[EDGE_ROLE_EDGE] = "edge", [EDGE_ROLE_REGIONAL] = "regional", NULL};

static const struct fb_conf_item root_items[] = {
    {"node", FB_CONF_STRING, AT(edge_conf, node), .min = 1, .max = 64, .is_required = true,
     .check = fb_node_name_check,
     .help = "This node's name, as it stands in Via and Cache-Status."},
    {"role", FB_CONF_ENUM, AT(edge_conf, role), .names = role_names, .preset = "edge",
     .help = "An `edge` serves players; a `regional` node serves edges."},
    {"workers", FB_CONF_COUNT, AT(edge_conf, workers), .min = 1, .max = 256, .preset = "auto",
     .help = "Loop threads; `auto`: one for each processor."},
    {"region", FB_CONF_STRING, AT(edge_conf, region), .max = 64, .check = edge_conf_check_region,
     .help = "Which region's viewers it serves, such as `de-south`: in its reports of views, and "
             "for the plan that it is filled by."},
    {"state", FB_CONF_PATH, AT(edge_conf, state), .max = 1024, .probe = edge_conf_probe_folder,
     .help = "Folder for what has to outlive the process and is not content, such as the log of "
             "purges. Made if missing. Unset: prefixes and tags cannot be purged on a node with "
             "volumes."},
    {"access_log", FB_CONF_SECTION, AT(edge_conf, access_log),
     .section = &edge_conf_access_log_section, .help = "A line for each request."},
    {"views", FB_CONF_SECTION, AT(edge_conf, views), .section = &edge_conf_views_section,
     .help = "What counts as a view."},
    {"reports", FB_CONF_SECTION, AT(edge_conf, reports), .section = &edge_conf_reports_section,
     .help = "Whom views are reported to, and who may report them here."},
    {"listen", FB_CONF_SECTIONS, AT(edge_conf, listen), .section = &listen_section, .min = 1,
     .max = 16, .is_required = true, .help = "Where clients connect."},
    {"admin", FB_CONF_SECTION, AT(edge_conf, admin), .section = &admin_section,
     .help = "The address for operators."},
    {"tls", FB_CONF_SECTIONS, AT(edge_conf, tls), .section = &edge_conf_tls_section, .max = 16,
     .check_all = edge_conf_check_tls, .is_live = true,
     .help = "What connections are secured with."},
    {"upstreams", FB_CONF_SECTIONS, AT(edge_conf, upstreams),
     .section = &edge_conf_upstream_section, .min = 1, .max = EDGE_UPSTREAMS_MAX,
     .is_required = true, .check_all = edge_conf_check_upstreams, .is_live = true,
     .help = "Where this node fills itself from."},
    {"store", FB_CONF_SECTION, AT(edge_conf, store), .section = &edge_conf_store_section,
     .help = "What is kept, and where."},
    {"rules", FB_CONF_SECTIONS, AT(edge_conf, rules), .section = &edge_conf_rule_section,
     .is_live = true, .help = "What is known of paths."},
    {"sites", FB_CONF_SECTIONS, AT(edge_conf, sites), .section = &edge_conf_site_section,
     .check_all = edge_conf_check_sites, .is_live = true,
     .help = "What holds for the hosts that clients name; for others, the root's `rules`."},
    {"limits", FB_CONF_SECTION, AT(edge_conf, limits), .section = &limits_section,
     .help = "What all clients together may use."},
    {"http2", FB_CONF_SECTION, AT(edge_conf, http2), .section = &http2_section,
     .help = "How clients may speak HTTP/2."},
    {"clients", FB_CONF_SECTION, AT(edge_conf, clients), .section = &edge_conf_clients_section,
     .help = "What one client may use."},
    {"fills", FB_CONF_SECTION, AT(edge_conf, fills), .section = &edge_conf_fills_section,
     .help = "What is fetched for many clients at once."},
    {"timeouts", FB_CONF_SECTION, AT(edge_conf, timeouts), .section = &timeouts_section,
     .help = "How long peers are waited for."},
    {"failover", FB_CONF_SECTION, AT(edge_conf, failover), .section = &edge_conf_failover_section,
     .is_live = true, .help = "When an upstream counts as out of service."},
    {"health", FB_CONF_SECTION, AT(edge_conf, health), .section = &edge_conf_health_section,
     .is_live = true, .help = "Active checks of upstreams."},
    {"keepalive", FB_CONF_SECTION, AT(edge_conf, keepalive),
     .section = &edge_conf_keepalive_section, .help = "Connections to upstreams."},
    {"warm", FB_CONF_SECTION, AT(edge_conf, warm), .section = &edge_conf_warm_section,
     .help = "What is filled before anybody asks."},
    {"prefetch", FB_CONF_SECTION, AT(edge_conf, prefetch), .section = &edge_conf_prefetch_section,
     .help = "What players will ask for next."},
    {0},
};

const struct fb_conf_section edge_conf_section = {
    .name = "edge.yaml",
    .help = "The configuration of `forebay-edge`.",
    .size = sizeof(struct edge_conf),
    .items = root_items,
    .check = conf_check_root,
    .probe = conf_probe_root,
};

/* ---- what is made of it ------------------------------------------------ */

const char *edge_role_name(int role)
{
    return role_names[role];
}
