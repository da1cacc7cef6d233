/* base_tls_certificate_test.c - what is read of a certificate's file */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/tls_certificate.h"

static void reads_names_and_dates(void **state)
{
    (void)state;
    char folder[] = "/tmp/postern-cert-XXXXXX", certificate_file[100], key_file[100];
    assert_non_null(mkdtemp(folder));
    snprintf(certificate_file, sizeof certificate_file, "%s/c.pem", folder);
    snprintf(key_file, sizeof key_file, "%s/k.pem", folder);
    const struct row {
        const char *name, *wrong;
    } rows[] = { { "gw.example.org", "example.org" }, { "192.0.2.7", "192.0.2.8" }, { "2001:db8::7", "2001:db8::8" } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tls_certificate certificate;
        char *error = NULL;
        assert_int_equal(tls_make_self_signed(rows[i].name, certificate_file, key_file, &error), 1);
        assert_int_equal(tls_certificate_load(certificate_file, &certificate, &error), 1);
        const int64_t now = time(NULL), year = 365 * 24 * 3600;
        assert_true(certificate.not_before > now - 2 * 24 * 3600 && certificate.not_before <= now);
        assert_true(certificate.not_after > now + 9 * year && certificate.not_after < now + 11 * year);
        assert_string_equal(certificate.names[0], rows[i].name);
        assert_null(certificate.names[1]);
        assert_memory_equal(certificate.pin, "sha256:", 7);
        assert_int_equal(strlen(certificate.pin), TLS_PIN_SIZE - 1);
        assert_true(tls_certificate_is_for(certificate_file, rows[i].name));
        assert_false(tls_certificate_is_for(certificate_file, rows[i].wrong));
        tls_certificate_clear(&certificate);
        unlink(certificate_file);
        unlink(key_file);
    }
    rmdir(folder);
}

static void names_what_is_no_certificate(void **state)
{
    (void)state;
    struct tls_certificate certificate;
    char *error = NULL;
    assert_int_equal(tls_certificate_load("/nowhere/c.pem", &certificate, &error), -1);
    assert_string_equal(error, "/nowhere/c.pem: No such file or directory");
    free(error);
    error = NULL;
    assert_int_equal(tls_certificate_load("/dev/null", &certificate, &error), -1);
    assert_memory_equal(error, "/dev/null: ", 11);
    free(error);
    assert_false(tls_certificate_is_for("/nowhere/c.pem", "example.org"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_names_and_dates),
        cmocka_unit_test(names_what_is_no_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
