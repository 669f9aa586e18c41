#include "toy_fixture.h"

static void rewrite_config(const struct fixture *f, const char *text)
{
    int fd = open(f->config, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void assert_reload(const struct fixture *f, const char *status, const char *part)
{
    const char *text = ask(f, "POST", "/reload");
    if (strncmp(text + 9, status, 3) != 0 || strstr(text, part) == NULL) {
        fail_msg("/reload answered: %s", text);
    }
}

static void a_reload_takes_what_is_live(void **state)
{
    struct fixture *f = *state;
    start(f);
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: 7\n");
    assert_reload(f, "200", "{\"reloaded\":true,\"restart_needed\":[]}\n");
    assert_answer(f, "/status", "200", "\"speed\":7,\"reopened\":1");

    rewrite_config(f, "admin: 127.0.0.1:1\nspeed: 8\neager: true\n");
    assert_reload(f, "200", "\"restart_needed\":[\"admin\",\"eager\"]");
    (void)await(f, "\"keys\":\"admin, eager\"");
    assert_answer(f, "/status", "200", "\"speed\":8,\"reopened\":2");
    end(f);
}

static void a_signal_reloads_too(void **state)
{
    struct fixture *f = *state;
    start(f);
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: 7\n");
    kill(f->pid, SIGHUP);
    (void)await(f, "configuration reloaded");
    assert_answer(f, "/status", "200", "\"speed\":7,\"reopened\":1");
    end(f);
}

static void a_broken_configuration_changes_nothing(void **state)
{
    struct fixture *f = *state;
    start(f);
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: fast\n");
    assert_reload(f, "422", ":2:8: 'speed' is 'fast', expected a whole number");
    (void)await(f, "nothing has changed");
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: 7\nstrange: true\n");
    assert_reload(f, "422", ": too strange.");
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: 13\n");
    assert_reload(f, "422", "13 is too much.");
    unlink(f->config);
    assert_reload(f, "422", "/tmp/fb-toy-");
    kill(f->pid, SIGHUP);
    (void)await(f, "nothing has changed");
    assert_answer(f, "/status", "200", "\"speed\":0,\"reopened\":5");
    end(f);
}

static void reloads_come_one_after_another(void **state)
{
    struct fixture *f = *state;
    start(f);
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: 99\n");
    kill(f->pid, SIGHUP);
    (void)await(f, "takes long");
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: 7\n");
    kill(f->pid, SIGHUP);
    (void)await(f, "another will follow");
    assert_reload(f, "409", "Another reload or restart is under way.");
    (void)ask(f, "POST", "/speed");
    (void)await(f, "configuration reloaded");
    (void)await(f, "configuration reloaded"); /* the signal that came meanwhile */
    assert_answer(f, "/status", "200", "\"speed\":7");
    end(f);
}

static void a_program_may_end_during_a_reload(void **state)
{
    struct fixture *f = *state;
    start(f);
    rewrite_config(f, "admin: 127.0.0.1:0\nspeed: 99\n");
    kill(f->pid, SIGHUP);
    (void)await(f, "takes long");
    kill(f->pid, SIGTERM);
    (void)await(f, "draining");
    (void)await(f, "nothing has changed");
    assert_reload(f, "409", "draining");
    (void)ask(f, "POST", "/finish");
    assert_int_equal(exit_code(f), FB_EXIT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOY_TEST(a_reload_takes_what_is_live),
        TOY_TEST(a_signal_reloads_too),
        TOY_TEST(a_broken_configuration_changes_nothing),
        TOY_TEST(reloads_come_one_after_another),
        TOY_TEST(a_program_may_end_during_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
