/* gateway_signer_test.c - keys of the configuration: used, replaced, and kept when their successors are bad */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "gateway/config.h"
#include "gateway/signer.h"

/* RFC 8032 section 7.1, tests 1 and 2; the RSA key of RFC 8463 appendix A.1, of 1024 bits. */
static const char *const pems[] = {
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n",
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIEzNCJso/5baTfWzXMGVTFSLDbi4oGfYyEJFi9cy4ez7\n"
    "-----END PRIVATE KEY-----\n",
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi\n"
    "Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM\n"
    "KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\n"
    "AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm\n"
    "6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe\n"
    "zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy\n"
    "6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc\n"
    "uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy\n"
    "WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd\n"
    "WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a\n"
    "licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst\n"
    "o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe\n"
    "uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL\n"
    "-----END RSA PRIVATE KEY-----\n",
};
enum { KEYS = sizeof pems / sizeof pems[0], NOW = 1000000 };

struct fixture {
    char paths[KEYS][32];
    char selector[2], domain[8];
    struct config_dkim dkim[KEYS];
    struct config config;
};

/* All keys are files; the configuration has the first `count` of them. */
static void prepare(struct fixture *fixture, size_t count)
{
    *fixture = (struct fixture){ .selector = "s", .domain = "d.test" };
    fixture->config.dkim = fixture->dkim;
    fixture->config.dkim_count = count;
    for (size_t i = 0; i < KEYS; i++) {
        static const char template[] = "/tmp/postern-key-XXXXXX";
        memcpy(fixture->paths[i], template, sizeof template);
        int fd = mkstemp(fixture->paths[i]);
        assert_true(fd >= 0);
        assert_int_equal(file_write_all(fd, pems[i], strlen(pems[i])), 1);
        close(fd);
        fixture->dkim[i] =
            (struct config_dkim){ .selector = fixture->selector, .key = fixture->paths[i], .domain = fixture->domain };
    }
}

static void clean_up(struct fixture *fixture)
{
    for (size_t i = 0; i < KEYS; i++)
        unlink(fixture->paths[i]);
}

static const char mail[] = "From: a@d.test\r\nSubject: x\r\n\r\nHello\r\n";

/* The fields of the mail; the caller frees them. */
static char *sign(struct signer *signer)
{
    struct strbuf fields;
    strbuf_init(&fields, SIGNER_FIELDS_MAX);
    assert_int_equal(signer_sign_text(signer, mail, sizeof mail - 1, NOW, &fields), 1);
    return strbuf_detach(&fields);
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        count++;
    return count;
}

static void each_key_signs(void **state)
{
    (void)state;
    for (size_t keys = 0; keys <= KEYS; keys++) {
        struct fixture fixture;
        char *error = NULL;
        prepare(&fixture, keys);
        struct signer *signer = signer_new(&fixture.config, &error);
        assert_non_null(signer);
        assert_int_equal(signer_has_keys(signer), keys > 0);
        char *fields = sign(signer);
        assert_int_equal(count_of(fields, "DKIM-Signature: "), keys);
        assert_int_equal(count_of(fields, "a=rsa-sha256"), keys == KEYS);
        free(fields);
        signer_free(&signer);
        clean_up(&fixture);
    }
}

static void a_file_is_signed_as_its_text_is(void **state)
{
    (void)state;
    struct fixture fixture;
    struct strbuf fields;
    char *error = NULL, path[] = "/tmp/postern-mail-XXXXXX";
    prepare(&fixture, KEYS);
    struct signer *signer = signer_new(&fixture.config, &error);
    int fd = mkstemp(path);
    assert_int_equal(file_write_all(fd, mail, sizeof mail - 1), 1);
    strbuf_init(&fields, SIGNER_FIELDS_MAX);
    assert_int_equal(signer_sign_file(signer, fd, sizeof mail - 1, NOW, &fields), 1);
    char *of_text = sign(signer);
    assert_string_equal(fields.data, of_text);
    free(of_text);
    assert_int_equal(signer_sign_file(signer, fd, sizeof mail, NOW, &fields), -1); /* cut */
    assert_int_equal(signer_sign_file(signer, -1, 10, NOW, &fields), -1);
    assert_int_equal(signer_sign_file(signer, fd, 3, NOW, &fields), -1); /* without an author */
    strbuf_free(&fields);
    close(fd);
    unlink(path);
    signer_free(&signer);
    clean_up(&fixture);
}

static void bad_successors_change_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    char *error = NULL;
    prepare(&fixture, 1);
    struct signer *signer = signer_new(&fixture.config, &error);
    char *was = sign(signer);
    fixture.config.dkim_count = 2;
    assert_int_equal(chmod(fixture.paths[1], 0644), 0);
    assert_int_equal(signer_reconfigure(signer, &fixture.config, &error), -1);
    assert_non_null(strstr(error, "open to more than its owner and group"));
    free(error);
    char *still = sign(signer);
    assert_string_equal(still, was);
    assert_int_equal(chmod(fixture.paths[1], 0600), 0);
    assert_int_equal(signer_reconfigure(signer, &fixture.config, &error), 1);
    char *is = sign(signer);
    assert_int_equal(count_of(is, "DKIM-Signature: "), 2);
    fixture.config.dkim_count = 0;
    assert_int_equal(signer_reconfigure(signer, &fixture.config, &error), 1);
    assert_false(signer_has_keys(signer));
    free(was);
    free(still);
    free(is);
    signer_free(&signer);
    clean_up(&fixture);
}

struct worker {
    struct signer *signer;
    atomic_bool stop;
    size_t signed_count;
};

static void *sign_on(void *arg)
{
    struct worker *worker = arg;
    while (!worker->stop) {
        char *fields = sign(worker->signer);
        size_t count = count_of(fields, "DKIM-Signature: ");
        assert_true(count == 1 || count == 2);
        free(fields);
        worker->signed_count++;
    }
    return NULL;
}

/* The old keys are freed by whoever uses them last. */
static void keys_are_replaced_while_others_sign(void **state)
{
    (void)state;
    struct fixture fixture;
    char *error = NULL;
    prepare(&fixture, 1);
    struct worker worker = { .signer = signer_new(&fixture.config, &error) };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, sign_on, &worker), 0);
    for (size_t i = 0; i < 200; i++) {
        fixture.config.dkim_count = i % 2 + 1;
        assert_int_equal(signer_reconfigure(worker.signer, &fixture.config, &error), 1);
    }
    worker.stop = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    signer_free(&worker.signer);
    clean_up(&fixture);
}

static void count_warnings(enum log_level level, const char *line, void *ctx)
{
    size_t *count = ctx;
    *count += level == LOG_LEVEL_WARNING && strstr(line, "dkim.short_key") != NULL;
}

static void short_keys_are_warned_of(void **state)
{
    (void)state;
    struct fixture fixture;
    char *error = NULL;
    size_t warnings = 0;
    prepare(&fixture, KEYS);
    struct signer *signer = signer_new(&fixture.config, &error);
    log_set_sink(count_warnings, &warnings);
    signer_warn(signer);
    log_set_sink(NULL, NULL);
    assert_int_equal(warnings, 1); /* Ed25519 keys are not short */
    signer_free(&signer);
    clean_up(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_signs),
        cmocka_unit_test(a_file_is_signed_as_its_text_is),
        cmocka_unit_test(bad_successors_change_nothing),
        cmocka_unit_test(keys_are_replaced_while_others_sign),
        cmocka_unit_test(short_keys_are_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
