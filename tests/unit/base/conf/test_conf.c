#include "base/conf/conf.h"
#include "base/core/err.h"
#include "tests/support/sample_conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *text, struct sample *ret_conf, struct fb_diag *diag)
{
    return fb_conf_parse(&sample_section, fb_str_from(text), "f", ret_conf, diag);
}

static struct sample must_parse(const char *text)
{
    struct sample conf = {0};
    struct fb_diag diag = {0};
    if (parse(text, &conf, &diag) < 0) {
        fail_msg("%s", diag.text);
    }
    return conf;
}

/* Asserts that `text` is refused with just this sentence. */
static void refused(const char *text, const char *sentence)
{
    struct sample conf = {.workers = 77};
    struct fb_diag diag = {0};
    int err = parse(text, &conf, &diag);
    assert_true(err < 0);
    assert_int_equal(diag.err, err);
    assert_string_equal(diag.text, sentence);
    assert_int_equal(conf.workers, 77); /* written on success only */
}

static void assert_str(struct fb_str str, const char *text)
{
    assert_non_null(str.ptr);
    assert_string_equal(str.ptr, text);
    assert_int_equal(str.len, strlen(text));
}

static void every_type_is_read(void **state)
{
    (void)state;
    struct sample conf = must_parse("node: box-1\n"
                                    "folder: /var/cache\n"
                                    "workers: 4\n"
                                    "offset: -10\n"
                                    "on: off\n"
                                    "memory: 64GiB\n"
                                    "rate: 2.5Gbit/s\n"
                                    "names: ['x y', \"z\\u00e9\"]\n"
                                    "admin: {address: 127.0.0.1:9100}\n"
                                    "rules:\n"
                                    "  - suffix: [.m3u8, .mpd]\n"
                                    "    class: manifest\n"
                                    "    ttl: { min: 250ms, max: 1.5m }\n"
                                    "  - suffix:\n"
                                    "      - .m4s\n");
    assert_str(conf.node, "box-1");
    assert_str(conf.folder, "/var/cache");
    assert_int_equal(conf.workers, 4);
    assert_int_equal(conf.offset, -10);
    assert_false(conf.is_on);
    assert_true(conf.memory_bytes == 64ULL << 30);
    assert_true(conf.rate_bits == 2500000000U);
    assert_int_equal(conf.names.n, 2);
    assert_str(FB_CONF_AT(struct fb_str, conf.names, 1)[0], "z\xc3\xa9");
    assert_str(conf.admin.address, "127.0.0.1:9100");
    assert_int_equal(conf.rules.n, 2);
    const struct sample_rule *rule = FB_CONF_AT(struct sample_rule, conf.rules, 0);
    assert_str(FB_CONF_AT(struct fb_str, rule->suffix, 1)[0], ".mpd");
    assert_int_equal(rule->class_index, 1);
    assert_int_equal(rule->ttl.min_ms, 250);
    assert_int_equal(rule->ttl.max_ms, 90000);
    rule = FB_CONF_AT(struct sample_rule, conf.rules, 1);
    assert_int_equal(rule->class_index, 2);
    assert_int_equal(rule->ttl.min_ms, 1000);
    fb_conf_done(&sample_section, &conf);
}

static void what_is_not_written_takes_its_preset(void **state)
{
    (void)state;
    struct sample conf = must_parse("node: n\n");
    assert_null(conf.folder.ptr);
    assert_int_equal(conf.workers, FB_CONF_AUTO);
    assert_int_equal(conf.offset, 0);
    assert_true(conf.is_on);
    assert_int_equal(conf.memory_bytes, 256 << 20);
    assert_int_equal(conf.rate_bits, 0);
    assert_int_equal(conf.names.n, 2);
    assert_null(conf.admin.address.ptr);
    assert_int_equal(conf.rules.n, 0);
    fb_conf_done(&sample_section, &conf);
    fb_conf_done(&sample_section, &conf);
}

static void unknown_key_names_its_place_and_the_nearest(void **state)
{
    (void)state;
    refused("node: n\nmemroy: 1GiB\n", "f:2:1: unknown key 'memroy' (did you mean 'memory'?)");
    refused("node: n\nadmin:\n  adress: x:1\n",
            "f:3:3: unknown key 'adress' (did you mean 'address'?)");
    refused("node: n\nzzzzzz: 1\n", "f:2:1: unknown key 'zzzzzz'");
    refused("node: n\n? [a]\n: 1\n", "f:2:3: expected a key");
}

static void bad_value_is_told_what_was_expected(void **state)
{
    (void)state;
    refused("node: n\nmemory: 12 parsecs\n",
            "f:2:9: 'memory' is '12 parsecs', expected a size such as 256MiB, from 1MiB");
    refused("node: n\nmemory: 1KiB\n",
            "f:2:9: 'memory' is '1KiB', expected a size such as 256MiB, from 1MiB");
    refused("node: n\nmemory: 99999999TiB\n",
            "f:2:9: 'memory' is '99999999TiB', expected a size such as 256MiB, from 1MiB");
    refused("node: n\nrate: 10\n", "f:2:7: 'rate' is '10', expected a rate such as 2Gbit/s");
    refused("node: n\noffset: 11\n",
            "f:2:9: 'offset' is '11', expected a whole number, from -10 to 10");
    refused("node: n\nworkers: many\n",
            "f:2:10: 'workers' is 'many', expected a whole number or auto, at most 256");
    refused("node: n\non: maybe\n", "f:2:5: 'on' is 'maybe', expected true or false");
    refused("node: ''\n", "f:1:7: 'node' is '', expected a text of 1 to 63 bytes");
    refused("node:\n", "f:1:6: 'node' must be a text of 1 to 63 bytes");
    refused("node: n\nnames: x\n", "f:2:8: 'names' must be a list of texts");
    refused("node: n\nrules: [{suffix: [a], class: x}]\n",
            "f:2:30: 'class' is 'x', expected one of segment, manifest, other");
    refused("node: n\nrules: [{suffix: [a], ttl: {max: 2d}}]\n",
            "f:2:34: 'max' is '2d', expected a duration such as 250ms, 30s or 5m, at most 1d");
    refused("node: n\nrules: [x]\n", "f:2:9: expected the keys of section 'rule'");
    refused("- node\n", "f:1:1: expected the keys of section 'sample.yaml'");
}

static void checks_of_the_program_speak_with_a_place(void **state)
{
    (void)state;
    refused("node: n\nadmin:\n  address: nowhere\n", "f:3:12: 'address': 'nowhere' has no port");
    refused("node: n\nrules:\n- suffix: [a]\n  ttl: {min: 2h}\n",
            "f:4:8: 'min' is longer than 'max'");
}

/* A check that blames what the test says. */
static const void *(*culprit_of)(const struct sample *conf);

static int blame(const void *conf, struct fb_diag *diag)
{
    return fb_diag_blame(diag, fb_diag_set(diag, FB_E_MALFORMED, "it"), culprit_of(conf));
}

static const void *blame_a_text(const struct sample *conf)
{
    return &conf->node;
}

static const void *blame_an_entry(const struct sample *conf)
{
    return FB_CONF_AT(struct fb_str, conf->names, 1);
}

static const void *blame_a_section(const struct sample *conf)
{
    return &conf->admin;
}

static const void *blame_a_list(const struct sample *conf)
{
    return &conf->rules;
}

static const void *blame_what_is_deep(const struct sample *conf)
{
    return &FB_CONF_AT(struct sample_rule, conf->rules, 1)->ttl.max_ms;
}

static const void *blame_an_entry_of_an_entry(const struct sample *conf)
{
    return FB_CONF_AT(struct fb_str, FB_CONF_AT(struct sample_rule, conf->rules, 1)->suffix, 1);
}

static const void *blame_what_is_not_written(const struct sample *conf)
{
    return &FB_CONF_AT(struct sample_rule, conf->rules, 0)->class_index;
}

static const void *blame_a_preset(const struct sample *conf)
{
    return &conf->workers;
}

static const void *blame_something_else(const struct sample *conf)
{
    (void)conf;
    return &culprit_of;
}

static void what_a_check_blames_is_told_with_its_place(void **state)
{
    static const char text[] = "node: n\n"
                               "names: [a, b, c]\n"
                               "admin: {address: 'x:1'}\n"
                               "rules:\n"
                               "- suffix: [a]\n"
                               "- suffix: [b, c]\n"
                               "  ttl: {min: 2s, max: 3s}\n";
    static const struct {
        const void *(*culprit_of)(const struct sample *conf);
        const char *sentence;
    } cases[] = {
        {blame_a_text, "f:1:7: it"},
        {blame_an_entry, "f:2:12: it"},
        {blame_a_section, "f:3:18: it"}, /* its first key has the same address */
        {blame_an_entry_of_an_entry, "f:6:15: it"},
        {blame_a_list, "f:5:1: it"},
        {blame_what_is_deep, "f:7:23: it"},
        {blame_what_is_not_written, "f:5:3: it"},
        {blame_a_preset, "f:1:1: it"},
        {blame_something_else, "f:1:1: it"},
    };
    struct fb_conf_section section = sample_section;

    (void)state;
    section.check = blame;
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct sample conf;
        struct fb_diag diag = {0};
        culprit_of = cases[i].culprit_of;
        assert_int_equal(fb_conf_parse(&section, fb_str_from(text), "f", &conf, &diag),
                         FB_E_MALFORMED);
        assert_string_equal(diag.text, cases[i].sentence);
        assert_null(diag.culprit); /* it is gone */
    }
}

static void checks_of_a_list_tell_the_entry(void **state)
{
    (void)state;
    refused("node: n\nnames: [a, b, a]\n", "f:2:15: 'names': 'a' is listed twice");
    refused("node: n\nrules:\n- suffix: [a]\n- suffix: [a, b, c, d]\n- suffix: [a]\n",
            "f:4:3: 'rules': four suffixes before the end");
}

static void required_keys_are_missed_only_in_written_sections(void **state)
{
    (void)state;
    refused("on: true\n", "f:1:1: section 'sample.yaml' lacks the key 'node'");
    refused("", "f:1:1: section 'sample.yaml' lacks the key 'node'");
    refused("node: n\nadmin:\n", "f:2:7: section 'admin' lacks the key 'address'");
    refused("node: n\nrules:\n- class: other\n", "f:3:3: section 'rule' lacks the key 'suffix'");
    refused("node: n\nrules:\n- suffix: []\n",
            "f:3:11: 'suffix' has 0 entries, expected 1 to 1024");
}

static void yaml_that_our_tables_do_not_want_is_refused(void **state)
{
    (void)state;
    refused("node: n\non: true\nnode: m\n", "f:3:1: key 'node' is given twice, first in line 1");
    refused("node: &a n\n", "f:1:7: anchors are not supported");
    refused("node: *a\n", "f:1:7: aliases are not supported");
    refused("node: !!str n\n", "f:1:7: tags are not supported");
    refused("node: n\n---\nnode: m\n", "f:2:1: a second document");
    refused("node: \"a\\0b\"\n", "f:1:7: a text may not contain NUL");
    refused("node: [[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]\n", "f:1:22: too many levels of nesting");
    struct fb_diag diag = {0};
    struct sample conf;
    assert_int_equal(parse("node: 'n\n", &conf, &diag), FB_E_MALFORMED);
    refused(
        "\tnode: n\n",
        "f:1:1: nothing may begin so: indent with spaces, not tabs, and quote a text that begins "
        "with '@', '`' or '%'");
}

static void text_over_the_limit_is_refused(void **state)
{
    (void)state;
    static char big[256 * 1024 + 1];
    struct sample conf;
    struct fb_diag diag = {0};
    memset(big, '#', sizeof(big));
    assert_int_equal(
        fb_conf_parse(&sample_section, (struct fb_str){big, sizeof(big)}, "f", &conf, &diag),
        FB_E_LIMIT);
}

static void missing_file_is_named(void **state)
{
    (void)state;
    struct sample conf;
    struct fb_diag diag = {0};
    assert_int_equal(fb_conf_load(&sample_section, "/nowhere/x.yaml", &conf, &diag), -ENOENT);
    assert_string_equal(diag.text, "open '/nowhere/x.yaml': No such file or directory");
}

static void printed_configuration_reads_back_the_same(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "node: n\n",
        "node: \"tab\\tquote\\\"\\x7f\\u2028\\U0001f600\"\nfolder: ''\nnames: []\n"
        "rate: 1500kbit/s\nmemory: 1500kB\nworkers: 0\n",
        "node: n\nadmin: {address: 'a:1'}\nrules:\n- suffix: [a, '-b', ...]\n  class: segment\n"
        "- suffix: ['true']\n  ttl: {min: 0, max: 61s}\n",
    };
    for (size_t i = 0; i < FB_ARRAY_LEN(texts); i++) {
        struct sample conf = must_parse(texts[i]);
        FB_AUTO(fb_buf_done) struct fb_buf first = {0};
        fb_conf_print(&sample_section, &conf, &first);
        struct sample again = must_parse(first.ptr);
        FB_AUTO(fb_buf_done) struct fb_buf second = {0};
        fb_conf_print(&sample_section, &again, &second);
        assert_string_equal(first.ptr, second.ptr);
        assert_true(fb_str_equal(conf.node, again.node));
        fb_conf_done(&sample_section, &conf);
        fb_conf_done(&sample_section, &again);
    }
}

static void print_shows_presets_and_leaves_out_what_is_absent(void **state)
{
    (void)state;
    struct sample conf = must_parse("node: n\nrules: [{suffix: [.ts]}]\n");
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    fb_conf_print(&sample_section, &conf, &text);
    assert_string_equal(text.ptr, "node: n\n"
                                  "workers: auto\n"
                                  "offset: 0\n"
                                  "on: true\n"
                                  "memory: 256MiB\n"
                                  "rate: 0\n"
                                  "names: [a, b]\n"
                                  "rules:\n"
                                  "  - suffix: [.ts]\n"
                                  "    class: other\n"
                                  "    ttl:\n"
                                  "      min: 1s\n"
                                  "      max: 1h\n");
    fb_conf_done(&sample_section, &conf);
}

struct keeper {
    struct fb_str token;
};

static const struct fb_conf_item keeper_items[] = {
    {"token", FB_CONF_STRING, offsetof(struct keeper, token), .max = 8, .is_secret = true},
    {0},
};
static const struct fb_conf_section keeper_section = {.name = "keeper",
                                                      .size = sizeof(struct keeper),
                                                      .items = keeper_items};

static void secrets_are_neither_printed_nor_quoted(void **state)
{
    (void)state;
    struct keeper conf = {0};
    struct fb_diag diag = {0};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    assert_int_equal(fb_conf_parse(&keeper_section, FB_STR("token: sesame\n"), "f", &conf, &diag),
                     FB_OK);
    fb_conf_print(&keeper_section, &conf, &text);
    assert_string_equal(text.ptr, "token: \"(not shown)\"\n");
    fb_conf_done(&keeper_section, &conf);

    int err = fb_conf_parse(&keeper_section, FB_STR("token: opensesame\n"), "f", &conf, &diag);
    assert_true(err < 0);
    assert_null(strstr(diag.text, "sesame"));
    assert_non_null(strstr(diag.text, "f:1:8: 'token' is wrong, expected a text"));
}

static void reference_has_a_table_for_each_section(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    fb_conf_reference(&sample_section, &text);
    assert_non_null(strstr(text.ptr, "### `sample.yaml`\n"));
    assert_non_null(strstr(text.ptr, "\n### `admin`\n\nWhere the operator looks in.\n"));
    assert_non_null(strstr(text.ptr, "\n### `rules[]`\n"));
    assert_non_null(strstr(text.ptr, "\n### `rules[].ttl`\n"));
    assert_non_null(strstr(text.ptr, "\n| `node` | a text of 1 to 63 bytes | required | "
                                     "Name of this box. |\n"));
    assert_non_null(strstr(text.ptr, "\n| `memory` | a size such as 256MiB, from 1MiB | `256MiB` | "
                                     "Most that is kept. |\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(what_is_not_written_takes_its_preset),
        cmocka_unit_test(unknown_key_names_its_place_and_the_nearest),
        cmocka_unit_test(bad_value_is_told_what_was_expected),
        cmocka_unit_test(checks_of_the_program_speak_with_a_place),
        cmocka_unit_test(what_a_check_blames_is_told_with_its_place),
        cmocka_unit_test(checks_of_a_list_tell_the_entry),
        cmocka_unit_test(required_keys_are_missed_only_in_written_sections),
        cmocka_unit_test(yaml_that_our_tables_do_not_want_is_refused),
        cmocka_unit_test(text_over_the_limit_is_refused),
        cmocka_unit_test(missing_file_is_named),
        cmocka_unit_test(printed_configuration_reads_back_the_same),
        cmocka_unit_test(print_shows_presets_and_leaves_out_what_is_absent),
        cmocka_unit_test(secrets_are_neither_printed_nor_quoted),
        cmocka_unit_test(reference_has_a_table_for_each_section),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
