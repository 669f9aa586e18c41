#include "base/core/alloc.h"
#include "base/core/err.h"
#include "edge/access_log/access_log.h"
#include "edge/config/config.h"
#include "edge/fresh/demands.h"
#include "edge/policy/policy.h"
#include "edge/site/site.h"
#include "edge/volume/volumes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The file that the documentation promises to work as it stands. */
static const char contract[] =
    "node: box-1\n"
    "role: edge                       # edge | regional\n"
    "workers: auto                    # loop threads\n"
    "listen:\n"
    "  - address: 127.0.0.1:8080\n"
    "admin:\n"
    "  address: 127.0.0.1:9100\n"
    "upstreams:\n"
    "  - url: http://127.0.0.1:7100\n"
    "store:\n"
    "  memory: 256MiB\n"
    "  volumes:\n"
    "    - { path: /dev/nvme0n1, endurance: { drive_writes_per_day: 0.8 } }\n"
    "rules:\n"
    "  - match: { suffix: [.m3u8, .mpd] }\n"
    "    class: manifest\n"
    "    ttl: { min: 1s, max: 30s }\n"
    "  - match: { suffix: [.m4s, .mp4, .ts, .vtt, .jpg] }\n"
    "    class: segment\n";

static const char least[] = "node: n\n"
                            "listen: [{address: '127.0.0.1:0'}]\n"
                            "upstreams: [{url: 'http://127.0.0.1:1'}]\n";

static void the_contract_loads(void **state)
{
    (void)state;
    struct edge_conf conf;
    struct fb_diag diag = {0};

    int err = fb_conf_parse(&edge_conf_section, fb_str_from(contract), "edge.yaml", &conf, &diag);
    if (err < 0) {
        fail_msg("%s", diag.text);
    }
    assert_int_equal(conf.role, EDGE_ROLE_EDGE);
    assert_int_equal(conf.workers, FB_CONF_AUTO);
    assert_int_equal(conf.store.memory, 256 * 1024 * 1024);
    assert_int_equal(conf.store.eviction, EDGE_POLICY_AUTO);
    assert_int_equal(conf.upstreams.n, 1);

    struct edge_sites *sites = NULL;
    struct fb_arena arena = {0};
    assert_int_equal(edge_conf_sites(&conf, NULL, NULL, 1, &sites, NULL), FB_OK);
    const struct edge_site *site = edge_sites_find(sites, FB_STR("any"));
    struct edge_treatment manifest = edge_site_treat(site, &arena, FB_STR("/a/b.mpd"));
    struct edge_treatment segment = edge_site_treat(site, &arena, FB_STR("/a/b.m4s"));
    struct edge_treatment other = edge_site_treat(site, &arena, FB_STR("/a/b"));
    assert_int_equal(manifest.class, EDGE_CLASS_MANIFEST);
    assert_int_equal(manifest.min_ttl_ms, 1000);
    assert_int_equal(manifest.max_ttl_ms, 30000);
    assert_int_equal(segment.class, EDGE_CLASS_SEGMENT);
    assert_int_equal(other.class, EDGE_CLASS_OTHER);
    edge_sites_unref(sites);
    fb_arena_done(&arena);
    fb_conf_done(&edge_conf_section, &conf);
}

static void little_needs_to_be_written(void **state)
{
    (void)state;
    struct edge_conf conf;

    assert_int_equal(fb_conf_parse(&edge_conf_section, fb_str_from(least), "e", &conf, NULL),
                     FB_OK);
    assert_null(conf.admin.address.ptr);
    assert_int_equal(conf.access_log.format, EDGE_ACCESS_OFF);
    assert_int_equal(conf.rules.n, 0);
    assert_int_equal(conf.limits.connections, 16384);
    assert_int_equal(conf.timeouts.upstream_head, 15000);
    assert_int_equal(conf.failover.after, 3);
    fb_conf_done(&edge_conf_section, &conf);
}

static void what_is_printed_loads_again(void **state)
{
    (void)state;
    struct edge_conf conf;
    struct fb_buf first = {0};
    struct fb_buf second = {0};

    assert_int_equal(fb_conf_parse(&edge_conf_section, fb_str_from(contract), "e", &conf, NULL),
                     FB_OK);
    fb_conf_print(&edge_conf_section, &conf, &first);
    fb_conf_done(&edge_conf_section, &conf);
    assert_int_equal(fb_conf_parse(&edge_conf_section, fb_buf_str(&first), "printed", &conf, NULL),
                     FB_OK);
    fb_conf_print(&edge_conf_section, &conf, &second);
    fb_conf_done(&edge_conf_section, &conf);
    assert_string_equal(first.ptr, second.ptr);
    fb_buf_done(&first);
    fb_buf_done(&second);
}

static void a_manifest_without_ttl_gets_a_short_one(void **state)
{
    (void)state;
    struct edge_conf conf;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    fb_buf_printf(&text, "%srules:\n  - class: manifest\n", least);
    assert_int_equal(fb_conf_parse(&edge_conf_section, fb_buf_str(&text), "e", &conf, NULL), FB_OK);
    struct edge_sites *sites = NULL;
    struct fb_arena arena = {0};
    assert_int_equal(edge_conf_sites(&conf, NULL, NULL, 1, &sites, NULL), FB_OK);
    const struct edge_site *site = edge_sites_find(sites, FB_STR("any"));
    assert_int_equal(edge_site_treat(site, &arena, FB_STR("/")).max_ttl_ms, 30000);
    edge_sites_unref(sites);
    fb_arena_done(&arena);
    fb_conf_done(&edge_conf_section, &conf);
}

static void a_site_is_bound_to_what_the_edge_reads(void **state)
{
    static const char text[] =
        "rules:\n"
        "  - { match: { suffix: [.m4s] }, class: segment }\n"
        "sites:\n"
        "  - hosts: [video.example, '*.cdn.example']\n"
        "    key: { query: none, include: [v] }\n"
        "    requests: [max-stale, no-cache]\n"
        "    cookies: drop\n"
        "    headers: { remove: [Server], add: ['X-Site: video'] }\n"
        "  - hosts: [api.example]\n"
        "    key: { query: all, exclude: [token] }\n"
        "    rules:\n"
        "      - match: { regex: ['^/live/'], content_type: ['text/*'] }\n"
        "        class: manifest\n"
        "        ttl: { errors: 2s }\n"
        "        negative: [{ status: 404, ttl: 1s }, { status: 5xx, ttl: 500ms }]\n"
        "        heuristic: { percent: 10, max: 1h }\n"
        "        cookies: share\n"
        "        stale_despite_s_maxage: true\n"
        "        headers: { add: ['X-Rule: live'] }\n";
    FB_AUTO(fb_buf_done) struct fb_buf whole = {0};
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct edge_conf conf;
    struct fb_diag diag = {0};
    struct edge_sites *sites = NULL;

    (void)state;
    fb_buf_printf(&whole, "%s%s", least, text);
    if (fb_conf_parse(&edge_conf_section, fb_buf_str(&whole), "e", &conf, &diag) < 0 ||
        edge_conf_sites(&conf, NULL, NULL, 1, &sites, &diag) < 0) {
        fail_msg("%s", diag.text);
    }
    fb_conf_done(&edge_conf_section, &conf); /* nothing of it is needed any more */

    const struct edge_site *video = edge_sites_find(sites, FB_STR("a.cdn.example:80"));
    assert_true(fb_str_equal(video->name, FB_STR("video.example")));
    assert_int_equal(video->key.query, EDGE_KEY_NONE);
    assert_true(fb_str_equal(video->key.included[0], FB_STR("v")));
    assert_int_equal(video->demands, EDGE_DEMAND_MAX_STALE | EDGE_DEMAND_NO_CACHE);
    assert_true(fb_str_equal(video->edits.removed[0], FB_STR("Server")));
    assert_true(fb_str_equal(video->edits.added[0].value, FB_STR("video")));
    struct edge_treatment segment = edge_site_treat(video, &arena, FB_STR("/1.m4s"));
    assert_int_equal(segment.class, EDGE_CLASS_SEGMENT);
    assert_int_equal(segment.caching.cookies, EDGE_COOKIES_DROP);
    assert_int_equal(edge_site_treat(video, &arena, FB_STR("/x")).caching.cookies,
                     EDGE_COOKIES_DROP);

    const struct edge_site *api = edge_sites_find(sites, FB_STR("api.example"));
    assert_int_equal(api->key.query, EDGE_KEY_ALL);
    assert_int_equal(api->demands, EDGE_DEMANDS_PRESET);
    const struct fb_header type = {FB_STR("Content-Type"), FB_STR("text/html")};
    struct fb_response_head head = {.status = 200};
    fb_headers_add(&head.headers, &arena, type.name, type.value);
    struct edge_treatment live = edge_site_treat(api, &arena, FB_STR("/live/x"));
    assert_int_equal(live.class, EDGE_CLASS_OTHER);
    live = edge_treatment_refine(&live, &arena, FB_STR("/live/x"), &head);
    assert_int_equal(live.class, EDGE_CLASS_MANIFEST);
    assert_int_equal(live.min_ttl_ms, 1000);
    assert_int_equal(live.caching.error_max_ms, 2000);
    assert_int_equal(live.caching.n_negative, 2);
    assert_int_equal(live.caching.negative[0].status, 404);
    assert_int_equal(live.caching.negative[1].status, 5);
    assert_int_equal(live.caching.negative[1].ttl_ms, 500);
    assert_int_equal(live.caching.heuristic_percent, 10);
    assert_int_equal(live.caching.heuristic_max_ms, 3600000);
    assert_int_equal(live.caching.cookies, EDGE_COOKIES_SHARE);
    assert_true(live.caching.is_lax_on_s_maxage);
    assert_true(fb_str_equal(live.edits->added[0].name, FB_STR("X-Rule")));

    const struct edge_site *rest = edge_sites_find(sites, FB_STR("other.example"));
    assert_int_equal(rest->demands, EDGE_DEMANDS_PRESET);
    assert_int_equal(edge_site_treat(rest, &arena, FB_STR("/1.m4s")).class, EDGE_CLASS_SEGMENT);
    edge_sites_unref(sites);
}

/* What is added to the least file, and what the sentence must say. */
static const struct {
    const char *text;
    const char *sentence;
} wrong[] = {
    {"memroy: 1GiB\n", "memroy"},
    {"store: {memory: 256MB, eviction: fifo}\n", "fifo"},
    {"store: {memory: 1KiB}\n", "memory"},
    {"workers: 0\n", "workers"},
    {"role: origin\n", "origin"},
    {"admin: {address: localhost}\n", "localhost"},
    {"rules: [{match: {suffix: ['']}, class: segment}]\n", "suffix"},
    {"rules: [{match: {prefix: [media]}, class: segment}]\n", "prefix"},
    {"rules: [{class: segment, ttl: {max: 5s}}]\n", "ttl"},
    {"rules: [{class: manifest, ttl: {min: 5s, max: 1s}}]\n", "'min' is longer than 'max'"},
    {"rules: [{match: {regex: ['a(b']}, class: segment}]\n",
     "e.yaml:4:26: 'regex': 'a(b' is no regular expression: missing closing parenthesis, at offset 3"},
    {"rules: [{match: {content_type: [video]}, class: segment}]\n", "video/mp4"},
    {"rules: [{match: {content_type: ['*/*']}, class: segment}]\n", "video/mp4"},
    {"rules: [{class: other, negative: [{status: 200, ttl: 1s}]}]\n", "400 to 599"},
    {"rules: [{class: other, negative: [{status: 4xx, ttl: 1s}, {status: 4xx, ttl: 2s}]}]\n",
     "e.yaml:4:59: 'negative': status '4xx' is listed twice"},
    {"rules: [{class: other, heuristic: {percent: 101}}]\n", "percent"},
    {"rules: [{class: other, cookies: keep}]\n", "by-class, pass, drop, share"},
    {"rules: [{class: other, headers: {add: [X-A]}}]\n", "e.yaml:4:40: 'add': 'Name: value'"},
    {"rules: [{class: other, headers: {remove: [Age]}}]\n", "'Age'"},
    {"sites: [{key: {query: all}}]\n", "lacks the key 'hosts'"},
    {"sites: [{hosts: []}]\n", "hosts"},
    {"sites: [{hosts: [a, b, a]}]\n", "e.yaml:4:24: 'hosts': 'a' is listed twice"},
    {"sites: [{hosts: ['a:80']}]\n", "e.yaml:4:18: 'hosts': 'a:80' has a port"},
    {"sites:\n  - hosts: [a, '*.b']\n  - hosts: [c]\n  - hosts: [d, '*.B']\n",
     "e.yaml:7:5: 'sites': host '*.B' is listed twice"},
    {"sites: [{hosts: [a], key: {include: [x]}}]\n", "'include' is for 'query: none'"},
    {"sites: [{hosts: [a], key: {query: none, exclude: [x]}}]\n", "takes none anyway"},
    {"sites: [{hosts: [a], key: {exclude: [x, y, x]}}]\n", "e.yaml:4:44: 'exclude': 'x' is listed"},
    {"sites: [{hosts: [a], key: {exclude: [_HLS_msn]}}]\n", "always counts"},
    {"sites: [{hosts: [a], key: {query: none, include: [CMCD]}}]\n", "never counts"},
    {"sites: [{hosts: [a], key: {query: none, include: ['x=1']}}]\n", "query parameter"},
    {"sites: [{hosts: [a], requests: [no-cash]}]\n", "'no-cash' is none of only-if-cached"},
    {"sites: [{hosts: [a], upstreams: []}]\n", "upstreams"},
    {"sites: [{hosts: [a], upstreams: [{url: 'http://b'}, {url: 'http://b'}]}]\n",
     "e.yaml:4:53: 'upstreams': upstream 'http://b' is listed twice"},
    {"sites: [{hosts: [a], access: {open: [/a]}}]\n", "without 'keys'"},
    {"sites: [{hosts: [a], access: {keys: [{id: k}]}}]\n", "exactly one of 'secret'"},
    {"sites: [{hosts: [a], access: {keys: [{id: k, secret: short}]}}]\n", "secret"},
    {"sites: [{hosts: [a], access: {keys: [{id: 'a b', secret: 0123456789abcdef}]}}]\n",
     "letters, digits"},
    {"sites: [{hosts: [a], access: {keys: [{id: k, secret: 0123456789abcdef, secret_file: /x}]}}]\n",
     "exactly one"},
    {"sites: [{hosts: [a], access: {keys: [{id: k, key_file: /x}]}}]\n",
     "'key_file' is for tokens"},
    {"sites: [{hosts: [a], access: {keys: [{id: k, algorithm: ES256, secret_file: /x}]}}]\n",
     "a public key"},
    {"sites: [{hosts: [a], access: {keys: [{id: k, secret_file: /x}, {id: k, secret_file: /y}]}}]\n",
     "key 'k' is listed twice"},
    {"sites: [{hosts: [a], access: {keys: [{id: k, secret_file: /x}], open: [/a/../b]}}]\n",
     "normal form"},
    {"sites: [{hosts: [a], access: {keys: [{id: k, secret_file: /x}], audience: tv}}]\n",
     "need a key of HS256 or ES256"},
    {"sites: [{hosts: [a], cors: {origins: [play.example]}}]\n", "'play.example' is no origin"},
    {"sites: [{hosts: [a], cors: {origins: ['*', 'https://a']}}]\n", "list it alone"},
    {"sites: [{hosts: [a], cors: {origins: ['*'], credentials: true}}]\n", "list the origins"},
    {"sites: [{hosts: [a], cors: {origins: ['*'], methods: ['G T']}}]\n", "'G T' is no name"},
    {"timeouts: {idle: 0}\n", "idle"},
    {"failover: {min: 1m, max: 1s}\n", "'min' is longer than 'max'"},
    {"store: {volumes: [{size: 1GiB}]}\n", "path"},
    {"store: {volumes: [{path: /v/}]}\n", "block device or file"},
    {"store: {volumes: [{path: /v, size: 500}]}\n",
     "e.yaml:4:36: 'size' is too small, 500 bytes: at least 64MiB is expected"},
    {"store: {volumes: [{path: /v, size: 1MiB}]}\n",
     "e.yaml:4:36: 'size' is too small, 1048576 bytes: at least 64MiB is expected"},
    {"store: {endurance: {bytes_per_day: 1MiB}}\n",
     "e.yaml:4:36: 'bytes_per_day' is too small, 1048576 bytes: at least 64MiB is expected"},
    {"store: {volumes: [{path: /v}, {path: /w}, {path: /v}]}\n", "volume '/v' is listed twice"},
    {"store: {volumes: [{path: /v, scrub: 5}]}\n", "scrub"},
    {"store: {endurance: {drive_writes_per_day: 1, bytes_per_day: 1GB}}\n", "write one"},
    {"admin: {address: ':9', tls: t}\n", "e.yaml:4:29: there is no 't' among 'tls'"},
    {"admin: {address: ':9', tls: t}\ntls: [{name: t}]\n",
     "e.yaml:4:29: 't' among 'tls' has no certificates"},
    {"tls: [{name: a}, {name: b}, {name: a}]\n", "e.yaml:4:29: 'tls': name 'a' is listed twice"},
    {"sites: [{hosts: [a], pace: {bitrate: 99}}]\n",
     "e.yaml:4:38: 'bitrate' is a percentage: below 100"},
    {"sites: [{hosts: [a], pace: {bitrate: 100, least: 16kbit/s}}]\n",
     "e.yaml:4:50: 'pace.least' is not above 'clients.least_rate' (16000 bit/s)"},
    {"clients: {least_rate: 2Mbit/s}\nsites: [{hosts: [a], pace: {rtp: true}}]\n",
     "'pace.least' is not above 'clients.least_rate' (2000000 bit/s)"},
    {"tls: [{name: a, ciphers: [RC4]}]\n",
     "e.yaml:4:27: 'ciphers': there is no cipher 'RC4'; there are "
     "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256, TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256, "
     "TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384, TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384, "
     "TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256, TLS-ECDHE-RSA-WITH-CHACHA20-POLY1305-SHA256"},
    {"store: {endurance: {drive_writes_per_day: 0.0}}\n", "0.001"},
    {"store: {endurance: {drive_writes_per_day: .8}}\n", "0.001"},
    {"store: {endurance: {drive_writes_per_day: 0.12345}}\n", "0.001"},
    {"store: {endurance: {drive_writes_per_day: 100.001}}\n", "0.001"},
};

/* What is written of a site's access and CORS. */
static int sites_of(const char *site, struct edge_sites **ret_sites, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct edge_conf conf;

    fb_buf_printf(&text, "%ssites:\n  - hosts: [a]\n    %s\n", least, site);
    assert_int_equal(fb_conf_parse(&edge_conf_section, fb_buf_str(&text), "e.yaml", &conf, diag),
                     FB_OK);
    int err = edge_conf_sites(&conf, NULL, NULL, 7, ret_sites, diag);
    fb_conf_done(&edge_conf_section, &conf);
    return err;
}

static void a_site_has_access_control_and_cors_if_it_says_so(void **state)
{
    struct edge_sites *sites = NULL;

    (void)state;
    assert_int_equal(sites_of("access: {keys: [{id: k, secret: 0123456789abcdef}]}", &sites, NULL),
                     FB_OK);
    assert_non_null(edge_sites_find(sites, FB_STR("a"))->access);
    assert_null(edge_sites_find(sites, FB_STR("a"))->cors);
    assert_null(edge_sites_find(sites, FB_STR("b"))->access);
    edge_sites_unref(sites);
    assert_int_equal(sites_of("cors: {origins: ['https://b'], max_age: 90s}", &sites, NULL), FB_OK);
    const struct edge_site *site = edge_sites_find(sites, FB_STR("a"));
    assert_null(site->access);
    assert_true(fb_str_equal(site->cors->methods, FB_STR("GET, HEAD")));
    assert_true(fb_str_equal(site->cors->max_age, FB_STR("90")));
    assert_true(edge_cors_allows(site->cors, FB_STR("https://b")));
    edge_sites_unref(sites);
}

static void a_key_that_cannot_be_read_is_named(void **state)
{
    struct edge_sites *sites = NULL;
    struct fb_diag diag = {0};

    (void)state;
    assert_int_equal(sites_of("access: {keys: [{id: k7, secret_file: /none/such}]}", &sites, &diag),
                     -ENOENT);
    assert_non_null(strstr(diag.text, "site 'a': key 'k7'"));
    assert_non_null(strstr(diag.text, "/none/such"));
    assert_true(sites_of("access: {keys: [{id: k7, secret_file: /dev/null}]}", &sites, &diag) < 0);
    assert_non_null(strstr(diag.text, "less than 16 bytes"));
}

static void no_secret_is_printed(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    FB_AUTO(fb_buf_done) struct fb_buf printed = {0};
    struct edge_conf conf;

    (void)state;
    fb_buf_printf(&text, "%ssites: [{hosts: [a], access: {keys: [{id: k, secret: %s}]}}]\n", least,
                  "0123456789abcdef");
    assert_int_equal(fb_conf_parse(&edge_conf_section, fb_buf_str(&text), "e.yaml", &conf, NULL),
                     FB_OK);
    fb_conf_print(&edge_conf_section, &conf, &printed);
    assert_null(strstr(printed.ptr, "0123456789abcdef"));
    fb_conf_done(&edge_conf_section, &conf);
}

static void a_volume_takes_the_endurance_of_the_store_unless_it_has_its_own(void **state)
{
    static const char text[] = "store:\n"
                               "  endurance: { drive_writes_per_day: 0.8 }\n"
                               "  volumes:\n"
                               "    - path: /dev/nvme0n1\n"
                               "    - { path: v.img, size: 2GiB, scrub: 0 }\n"
                               "    - { path: w.img, endurance: { bytes_per_day: 500GB } }\n"
                               "    - { path: x.img, endurance: { drive_writes_per_day: 2 } }\n";
    struct edge_conf conf;
    struct fb_diag diag = {0};
    FB_AUTO(fb_buf_done) struct fb_buf whole = {0};

    (void)state;
    fb_buf_printf(&whole, "%s%s", least, text);
    if (fb_conf_parse(&edge_conf_section, fb_buf_str(&whole), "e", &conf, &diag) < 0) {
        fail_msg("%s", diag.text);
    }
    assert_int_equal(conf.store.volumes.n, 4);
    struct edge_volume_spec *specs = edge_conf_volumes(&conf);
    assert_string_equal(specs[0].path, "/dev/nvme0n1");
    assert_int_equal(specs[0].size, 0);
    assert_int_equal(specs[0].daily_share, 800);
    assert_int_equal(specs[0].scrub_rate, 4000000);
    assert_int_equal(specs[1].size, UINT64_C(2) << 30);
    assert_int_equal(specs[1].scrub_rate, 0);
    assert_int_equal(specs[2].daily_share, 0);
    assert_int_equal(specs[2].daily_bytes, UINT64_C(500000000000));
    assert_int_equal(specs[3].daily_share, 2000);
    fb_free(specs);
    fb_conf_done(&edge_conf_section, &conf);
}

/* Of a configuration: `text` is refused with `sentence` (what goes on after one that ends in a
 * space is this machine's affair), or taken if that is NULL. */
static void assert_answer(const char *text, const char *sentence)
{
    struct edge_conf conf;
    struct fb_diag diag = {0};

    int err = fb_conf_parse(&edge_conf_section, fb_str_from(text), "e.yaml", &conf, &diag);
    if (err == FB_OK) {
        fb_conf_done(&edge_conf_section, &conf);
    }
    size_t len = sentence == NULL ? 0 : strlen(sentence);
    size_t n_compared = len > 0 && sentence[len - 1] == ' ' ? len : sizeof(diag.text);
    if ((err == FB_OK) != (sentence == NULL) ||
        (err < 0 && strncmp(diag.text, sentence, n_compared) != 0)) {
        fail_msg("%s gave: %s", text, err < 0 ? diag.text : "nothing");
    }
}

static void an_address_is_listened_on_once(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *sentence; /* NULL: port 0 is another each time */
    } cases[] = {
        {"listen: [{address: ':80'}, {address: ':80'}]\n",
         "e.yaml:3:38: address ':80' is listened on twice"},
        {"listen: [{address: ':80'}]\nadmin: {address: ':80'}\n",
         "e.yaml:4:18: address ':80' is listened on twice"},
        {"listen: [{address: ':0'}, {address: ':0'}]\nadmin: {address: ':0'}\n", NULL},
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        FB_AUTO(fb_buf_done) struct fb_buf text = {0};
        fb_buf_printf(&text, "node: n\nupstreams: [{url: 'http://127.0.0.1:1'}]\n%s",
                      cases[i].text);
        assert_answer(fb_buf_str(&text).ptr, cases[i].sentence);
    }
}

static void a_congestion_control_is_tried_with_the_configuration(void **state)
{
    static const struct {
        const char *name;
        const char *sentence; /* its beginning; NULL: every kernel has it */
    } cases[] = {
        {"reno", NULL},
        {"Reno", "e.yaml:2:38: 'congestion': 'Reno' is no congestion control's name"},
        {"no_such_one",
         "e.yaml:2:38: 'congestion': the kernel has no congestion control 'no_such_one': it offers "},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        FB_AUTO(fb_buf_done) struct fb_buf text = {0};
        fb_buf_printf(&text,
                      "node: n\nlisten: [{address: ':0', congestion: %s}]\n"
                      "upstreams: [{url: 'http://127.0.0.1:1'}]\n",
                      cases[i].name);
        assert_answer(fb_buf_str(&text).ptr, cases[i].sentence);
    }
}

static void what_a_node_holds_back_is_above_what_it_cuts(void **state)
{
    static const struct {
        const char *text;
        const char *sentence; /* NULL: it is */
    } cases[] = {
        {"listen: [{address: ':0', rate: 16001bit/s}]\n", NULL},
        {"listen: [{address: ':0', rate: 0}]\n", NULL},
        {"listen: [{address: ':0'}, {address: ':0', rate: 16kbit/s}]\n",
         "e.yaml:3:49: 'rate' is not above 'clients.least_rate' (16000 bit/s): who is held to it "
         "would be cut as too slow"},
        {"listen: [{address: ':0', rate: 8kbit/s}]\nclients: {least_rate: 0}\n", NULL},
        {"listen: [{address: ':0'}]\nclients: {least_rate: 2Mbit/s}\nsites: [{hosts: [a]}]\n",
         NULL},
        {"listen: [{address: ':0'}]\n"
         "sites: [{hosts: [a], pace: {bitrate: 100, least: 17kbit/s}}]\n",
         NULL},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        FB_AUTO(fb_buf_done) struct fb_buf text = {0};
        fb_buf_printf(&text, "node: n\nupstreams: [{url: 'http://127.0.0.1:1'}]\n%s",
                      cases[i].text);
        assert_answer(fb_buf_str(&text).ptr, cases[i].sentence);
    }
}

static void mistakes_are_answered_with_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(wrong); i++) {
        struct edge_conf conf;
        struct fb_diag diag = {0};
        FB_AUTO(fb_buf_done) struct fb_buf text = {0};
        fb_buf_printf(&text, "%s%s", least, wrong[i].text);
        assert_true(fb_conf_parse(&edge_conf_section, fb_buf_str(&text), "e.yaml", &conf, &diag) <
                    0);
        if (strstr(diag.text, wrong[i].sentence) == NULL || strncmp(diag.text, "e.yaml:", 7) != 0) {
            fail_msg("%s gave: %s", wrong[i].text, diag.text);
        }
    }
}

static void a_name_must_do_for_via_and_cache_status(void **state)
{
    static const char *const names[] = {"''", "1box", "box 1", "b\"x", "box,1"};

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(names); i++) {
        struct edge_conf conf;
        FB_AUTO(fb_buf_done) struct fb_buf text = {0};
        fb_buf_printf(&text, "node: %s\n%s", names[i], strchr(least, '\n') + 1);
        assert_true(fb_conf_parse(&edge_conf_section, fb_buf_str(&text), "e", &conf, NULL) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_contract_loads),
        cmocka_unit_test(little_needs_to_be_written),
        cmocka_unit_test(what_is_printed_loads_again),
        cmocka_unit_test(a_site_is_bound_to_what_the_edge_reads),
        cmocka_unit_test(a_manifest_without_ttl_gets_a_short_one),
        cmocka_unit_test(a_site_has_access_control_and_cors_if_it_says_so),
        cmocka_unit_test(a_key_that_cannot_be_read_is_named),
        cmocka_unit_test(no_secret_is_printed),
        cmocka_unit_test(a_volume_takes_the_endurance_of_the_store_unless_it_has_its_own),
        cmocka_unit_test(an_address_is_listened_on_once),
        cmocka_unit_test(a_congestion_control_is_tried_with_the_configuration),
        cmocka_unit_test(what_a_node_holds_back_is_above_what_it_cuts),
        cmocka_unit_test(mistakes_are_answered_with_a_sentence),
        cmocka_unit_test(a_name_must_do_for_via_and_cache_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
