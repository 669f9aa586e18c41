#include "toy_fixture.h"

static void admin_address_tells_how_the_program_is(void **state)
{
    struct fixture *f = *state;
    start(f);
    assert_answer(f, "/healthz", "200", "\r\n\r\nok\n");
    assert_answer(f, "/readyz", "200", "\r\n\r\nready\n");
    assert_answer(f, "/metrics", "200", "\ntoy_things_total 5\n");
    assert_answer(f, "/metrics", "200", "\nforebay_build_info{version=\"" FB_VERSION "\"} 1\n");
    assert_answer(f, "/metrics", "200", "\nprocess_open_fds ");
    assert_answer(f, "/metrics", "200", "Content-Type: text/plain; version=0.0.4");
    assert_answer(f, "/status", "200",
                  "\"state\":\"ready\",\"uptime_s\":0,\"things\":5,\"speed\":0");
    assert_answer(f, "/nowhere", "404", "application/problem+json");

    end(f);
}

static void program_that_is_not_up_to_its_work_is_not_ready(void **state)
{
    struct fixture *f = *state;
    start(f);
    (void)ask(f, "POST", "/busy");
    assert_answer(f, "/readyz", "503", "starting");
    assert_answer(f, "/status", "200", "\"state\":\"starting\"");
    (void)ask(f, "POST", "/busy");
    assert_answer(f, "/readyz", "200", "ready");
    end(f);
}

static void draining_program_is_not_ready_until_it_ends(void **state)
{
    struct fixture *f = *state;
    start(f);
    kill(f->pid, SIGINT);
    (void)await(f, "draining");
    assert_answer(f, "/readyz", "503", "draining");
    assert_answer(f, "/healthz", "200", "ok");
    (void)ask(f, "POST", "/finish");
    (void)await(f, "stopped");
    assert_int_equal(exit_code(f), FB_EXIT_OK);
}

static void second_signal_ends_at_once(void **state)
{
    struct fixture *f = *state;
    start(f);
    kill(f->pid, SIGTERM);
    (void)await(f, "draining");
    kill(f->pid, SIGTERM);
    (void)await(f, "told twice");
    assert_int_equal(exit_code(f), FB_EXIT_FAILED);
}

static void program_that_cannot_start_says_why(void **state)
{
    struct fixture *f = *state;
    write_config(f, "broken: true\n");
    spawn(f, "--log-level=info");
    (void)await(f, "\"could not start\",\"reason\":\"it is broken\"");
    assert_int_equal(exit_code(f), FB_EXIT_FAILED);
}

static void admin_address_in_use_ends_the_start(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    char config[64];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);

    (void)snprintf(config, sizeof(config), "admin: 127.0.0.1:%d\neager: true\n",
                   ntohs(address.sin_port));
    write_config(f, config);
    spawn(f, "--log-level=info");
    (void)await(f, "draining"); /* the program had begun, so it is asked to end */
    (void)await(f, "\"could not start\",\"reason\":\"listen on admin address");
    assert_int_equal(exit_code(f), FB_EXIT_FAILED);
    close(fd);
}

static void bad_admin_address_is_a_bad_configuration(void **state)
{
    struct fixture *f = *state;
    write_config(f, "admin: nonsense\n");
    spawn(f, "--check");
    (void)await(f, ": admin address: ");
    assert_int_equal(exit_code(f), FB_EXIT_USAGE);
}

static void check_accepts_a_good_configuration(void **state)
{
    struct fixture *f = *state;
    write_config(f, "admin: 127.0.0.1:0\n");
    spawn(f, "--check");
    (void)await(f, "the configuration is good");
    assert_int_equal(exit_code(f), FB_EXIT_OK);
}

static void check_refuses_a_bad_one_with_its_place(void **state)
{
    struct fixture *f = *state;
    write_config(f, "admin: 127.0.0.1:0\nbrokn: true\n");
    spawn(f, "--check");
    (void)await(f, ":2:1: unknown key 'brokn' (did you mean 'broken'?)");
    assert_int_equal(exit_code(f), FB_EXIT_USAGE);
}

static void programs_own_check_counts_too(void **state)
{
    struct fixture *f = *state;
    write_config(f, "strange: true\n");
    spawn(f, "--check");
    (void)await(f, ": too strange");
    assert_int_equal(exit_code(f), FB_EXIT_USAGE);
}

static void printed_configuration_has_the_presets(void **state)
{
    struct fixture *f = *state;
    write_config(f, "admin: 127.0.0.1:0\n");
    spawn(f, "--print-config");
    (void)await(f, "admin: 127.0.0.1:0\n");
    (void)await(f, "broken: false\n");
    assert_int_equal(exit_code(f), FB_EXIT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOY_TEST(admin_address_tells_how_the_program_is),
        TOY_TEST(program_that_is_not_up_to_its_work_is_not_ready),
        TOY_TEST(draining_program_is_not_ready_until_it_ends),
        TOY_TEST(second_signal_ends_at_once),
        TOY_TEST(program_that_cannot_start_says_why),
        TOY_TEST(admin_address_in_use_ends_the_start),
        TOY_TEST(bad_admin_address_is_a_bad_configuration),
        TOY_TEST(check_accepts_a_good_configuration),
        TOY_TEST(check_refuses_a_bad_one_with_its_place),
        TOY_TEST(programs_own_check_counts_too),
        TOY_TEST(printed_configuration_has_the_presets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
