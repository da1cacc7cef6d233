/* gateway_silo_probe_test.c - what one process tells another of a silo: all of it arrives, and nothing else is believed */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/silo_probe.h"

enum { SAID_MAX = 4096, ROUNDS = 20000 };
static const char pin[] = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static void write_one(struct strbuf *said, bool is_silo)
{
    char name[] = "A silo", error[] = "no answer in time";
    struct silo_probe probe = { .is_silo = is_silo, .asks_token = is_silo, .expires = 1234567890 };
    probe.name = is_silo ? name : NULL;
    probe.error = is_silo ? NULL : error;
    memcpy(probe.pin, is_silo ? pin : "", is_silo ? sizeof pin : 1);
    strbuf_init(said, SAID_MAX);
    silo_probe_write(&probe, said);
}

static void arrives_whole(void **state)
{
    (void)state;
    struct strbuf said;
    struct silo_probe got;
    write_one(&said, true);
    assert_int_equal(silo_probe_read(said.data, said.len, &got), 1);
    assert_true(got.is_silo && got.asks_token && !got.error);
    assert_string_equal(got.name, "A silo");
    assert_string_equal(got.pin, pin);
    assert_int_equal(got.expires, 1234567890);
    silo_probe_clear(&got);
    strbuf_free(&said);
    write_one(&said, false);
    assert_int_equal(silo_probe_read(said.data, said.len, &got), 1);
    assert_true(!got.is_silo && !got.asks_token && !got.name && !got.pin[0]);
    assert_string_equal(got.error, "no answer in time");
    silo_probe_clear(&got);
    strbuf_free(&said);
}

/* Of "=host:port" that pin would be the only thing by which it is known again. */
static void a_silo_without_a_certificate_is_not_believed(void **state)
{
    (void)state;
    struct strbuf said;
    struct silo_probe got;
    const struct silo_probe probe = { .is_silo = true };
    strbuf_init(&said, SAID_MAX);
    silo_probe_write(&probe, &said);
    assert_int_equal(silo_probe_read(said.data, said.len, &got), -1);
    strbuf_free(&said);
}

/* Whatever is said: there is an error or a silo, and a pin is a pin. */
static void nonsense_is_not_believed(void **state)
{
    (void)state;
    struct strbuf said;
    struct silo_probe got;
    unsigned refused = 0;
    uint32_t chance = 1;
    write_one(&said, true);
    assert(said.len > sizeof "A silo");
    const size_t head = said.len - sizeof "A silo" + 1 - 1;
    for (size_t len = 0; len < head + sizeof "A silo"; len++) /* cut before the NUL behind the name */
        if (silo_probe_read(said.data, len, &got) == 1)
            fail_msg("%zu octets were enough", len);
    for (unsigned i = 0; i < ROUNDS; i++) {
        char copy[SAID_MAX];
        memcpy(copy, said.data, said.len);
        for (unsigned j = 0; j <= i % 3; j++) {
            chance = chance * 1103515245 + 12345;
            copy[chance / 65536 % said.len] = (char)(chance >> 8);
        }
        if (silo_probe_read(copy, said.len, &got) < 0) {
            refused++;
            continue;
        }
        assert_true(got.is_silo ? !got.error && got.pin[0] : got.error != NULL);
        assert_true(!got.pin[0] || (strlen(got.pin) == sizeof pin - 1 && memcmp(got.pin, "sha256:", 7) == 0 &&
                                    strspn(got.pin + 7, "0123456789abcdef") == 64));
        silo_probe_clear(&got);
    }
    assert_in_range(refused, ROUNDS / 4, ROUNDS);
    strbuf_free(&said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrives_whole),
        cmocka_unit_test(a_silo_without_a_certificate_is_not_believed),
        cmocka_unit_test(nonsense_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
