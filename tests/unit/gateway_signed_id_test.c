/* gateway_signed_id_test.c - what is ours is known again, and nothing else is taken for it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/signed_id.h"

static const uint8_t secret[32] = "a secret of thirty-two octets...",
                     other_secret[32] = "another one, of as many octets..";
static const int64_t day_ms = INT64_C(24) * 3600 * 1000;
static const struct signed_return about = {
    .outbound_id = 17, .queued_at = INT64_C(1785000000123), .place = 2, .expires_at = INT64_C(1787000000000)
};

static int setup(void **state)
{
    *state = signed_id_new(secret, "example.org", "gw.Example.org");
    return 0;
}

static int teardown(void **state)
{
    struct signed_id *ids = *state;
    signed_id_free(&ids);
    assert_null(ids);
    return 0;
}

static void return_addresses_come_back(void **state)
{
    const struct signed_id *ids = *state;
    static const struct signed_return rows[] = {
        { .outbound_id = 1, .queued_at = 0, .place = 0, .expires_at = 0 },
        { .outbound_id = 17, .queued_at = INT64_C(1785000000123), .place = 2, .expires_at = INT64_C(1787000000000) },
        { .outbound_id = (INT64_C(1) << 48) - 1,
          .queued_at = INT64_C(1785000000123),
          .place = 65534,
          .expires_at = INT64_C(5662310399999) },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct smtp_address address, again;
        struct signed_return back;
        char text[SMTP_ADDRESS_MAX + 2];
        signed_id_make_return(ids, &rows[i], &address);
        signed_id_make_return(ids, &rows[i], &again);
        assert_string_equal(address.local, again.local);
        assert_true(signed_id_is_return(&address));
        smtp_address_format(&address, text);
        assert_int_equal(smtp_address_parse(text, strlen(text), &again), 1); /* an address like any other */
        assert_string_equal(again.domain, "example.org");
        assert_int_equal(signed_id_read_return(ids, &again, &back), 1);
        assert_int_equal(back.outbound_id, rows[i].outbound_id);
        assert_int_equal(back.place, rows[i].place);
        assert_true(back.expires_at >= rows[i].expires_at && back.expires_at <= rows[i].expires_at + day_ms);
        assert_true(signed_id_is_about(&back, rows[i].queued_at));
        assert_false(signed_id_is_about(&back, rows[i].queued_at + 1));
        assert_false(signed_id_is_about(&back, rows[i].queued_at + day_ms));
    }
}

static void a_place_beyond_the_token_is_none(void **state)
{
    struct signed_return far = about, back;
    struct smtp_address address;
    far.place = 65535;
    signed_id_make_return(*state, &far, &address);
    assert_int_equal(signed_id_read_return(*state, &address, &back), 1);
    assert_int_equal(back.place, 0);
}

static void case_may_be_folded(void **state)
{
    struct smtp_address address;
    struct signed_return back;
    signed_id_make_return(*state, &about, &address);
    for (char *p = address.local; *p; p++) {
        if (*p < 'a' || *p > 'z')
            continue;
        *p = (char)(*p - 'a' + 'A');
        assert_int_equal(signed_id_read_return(*state, &address, &back), 1);
        assert_int_equal(back.outbound_id, 17);
    }
    assert_true(signed_id_is_return(&address));
    smtp_address_normalise(&address);
    assert_int_equal(signed_id_read_return(*state, &address, &back), 1);
}

/* Each character of the token replaced by each other one: no bit is there that does not count. */
static void changed_tokens_are_refused(void **state)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    struct smtp_address address;
    struct signed_return back;
    signed_id_make_return(*state, &about, &address);
    size_t len = strlen(address.local);
    for (size_t i = strlen("bounces+"); i < len; i++) {
        char was = address.local[i];
        for (const char *c = alphabet; *c; c++) {
            address.local[i] = *c;
            assert_int_equal(signed_id_read_return(*state, &address, &back), *c == was);
        }
        address.local[i] = was;
    }
    assert_int_equal(signed_id_read_return(*state, &address, &back), 1);
}

static void what_is_no_token_is_refused(void **state)
{
    struct smtp_address address;
    struct signed_return back;
    static const char *const locals[] = {
        "",
        "bounces",
        "bounces+",
        "bounces+a",
        "alice",
        "bounces-abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnop",
        "bounces+abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnop",
        "bounce+abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnop",
        "+",
        "\"bounces+\"",
    };
    for (size_t i = 0; i < sizeof locals / sizeof locals[0]; i++) {
        address = (struct smtp_address){ .domain = "example.org" };
        snprintf(address.local, sizeof address.local, "%s", locals[i]);
        assert_int_equal(signed_id_read_return(*state, &address, &back), 0);
        assert_int_equal(back.outbound_id, 0);
    }
    signed_id_make_return(*state, &about, &address);
    size_t len = strlen(address.local);
    address.local[len] = 'a';
    address.local[len + 1] = 0;
    assert_int_equal(signed_id_read_return(*state, &address, &back), 0);
    address.local[len - 1] = 0;
    assert_int_equal(signed_id_read_return(*state, &address, &back), 0);
}

static void another_key_makes_others(void **state)
{
    struct signed_id *others = signed_id_new(other_secret, "example.org", "gw.example.org");
    struct smtp_address address;
    struct signed_return back;
    char id[SIGNED_ID_SIZE];
    signed_id_make_return(others, &about, &address);
    assert_int_equal(signed_id_read_return(others, &address, &back), 1);
    assert_int_equal(signed_id_read_return(*state, &address, &back), 0);
    signed_id_make_message_id(others, "tmtp-00ff", id);
    assert_int_equal(signed_id_judge_message_id(others, id), SIGNED_ID_OURS);
    assert_int_equal(signed_id_judge_message_id(*state, id), SIGNED_ID_FORGED);
    signed_id_free(&others);
}

static void reserved_addresses_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *local;
        bool is_return;
    } rows[] = {
        { "bounces", true },   { "BOUNCES", true },     { "bounces+", true },
        { "Bounces+x", true }, { "\"bounces\"", true }, { "bounce", false },
        { "bounces2", false }, { "bounces-x", false },  { "alice+bounces", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct smtp_address address = { .domain = "example.org" };
        snprintf(address.local, sizeof address.local, "%s", rows[i].local);
        assert_int_equal(signed_id_is_return(&address), rows[i].is_return);
    }
}

static void message_ids_are_always_the_same(void **state)
{
    char id[SIGNED_ID_SIZE], again[SIGNED_ID_SIZE], folded[SIGNED_ID_SIZE];
    struct signed_id *restarted = signed_id_new(secret, "example.org", "gw.example.org");
    signed_id_make_message_id(*state, "tmtp-0011223344556677", id);
    signed_id_make_message_id(restarted, "tmtp-0011223344556677", again);
    assert_memory_equal(id, "tmtp-0011223344556677.", 22);
    assert_memory_equal(id, again, 22 + 16 + 1); /* but for the case of the host */
    assert_string_equal(strchr(id, '@'), "@gw.Example.org");
    assert_int_equal(signed_id_judge_message_id(*state, again), SIGNED_ID_OURS);
    assert_int_equal(signed_id_judge_message_id(restarted, id), SIGNED_ID_OURS);
    signed_id_make_message_id(restarted, "tmtp-0011223344556678", again);
    assert_memory_not_equal(id + 22, again + 22, 16);
    snprintf(folded, sizeof folded, "%s", id);
    for (char *p = folded + 22; p < folded + 38; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
    assert_int_equal(signed_id_judge_message_id(*state, folded), SIGNED_ID_OURS);
    signed_id_free(&restarted);
}

static void forged_message_ids_are_known(void **state)
{
    char id[SIGNED_ID_SIZE];
    signed_id_make_message_id(*state, "tmtp-00ff", id);
    for (char *p = id; *p != '@'; p++) { /* every octet before the host counts */
        char was = *p;
        *p = was == 'x' ? 'y' : 'x';
        assert_int_not_equal(signed_id_judge_message_id(*state, id), SIGNED_ID_OURS);
        *p = was;
    }
    static const struct {
        const char *id;
        enum signed_id_verdict verdict;
    } rows[] = {
        { "", SIGNED_ID_FOREIGN },
        { "@", SIGNED_ID_FOREIGN },
        { "a@b", SIGNED_ID_FOREIGN },
        { "tmtp-00ff@gw.example.org", SIGNED_ID_FOREIGN },
        { ".abcdefghijklmnop@gw.example.org", SIGNED_ID_FOREIGN },
        { "x.abcdefghijklmnop@gw.example.org", SIGNED_ID_FORGED },
        { "tmtp-00ff.abcdefghijklmnop@gw.example.org", SIGNED_ID_FORGED },
        { "tmtp-00ff.abcdefghijklmnop@gw.example.com", SIGNED_ID_FOREIGN },
        { "tmtp-00ff.abcdefghijklmno@gw.example.org", SIGNED_ID_FOREIGN },
        { "tmtp-00ff.abcdefghijklmno1@GW.EXAMPLE.ORG", SIGNED_ID_FORGED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(signed_id_judge_message_id(*state, rows[i].id), rows[i].verdict);
}

static void the_longest_message_id_fits(void **state)
{
    (void)state;
    char stem[SIGNED_ID_STEM_MAX + 1], host[SMTP_DOMAIN_MAX + 1], id[SIGNED_ID_SIZE];
    memset(stem, 's', SIGNED_ID_STEM_MAX);
    stem[SIGNED_ID_STEM_MAX] = 0;
    memset(host, 'h', SMTP_DOMAIN_MAX);
    host[SMTP_DOMAIN_MAX] = 0;
    struct signed_id *ids = signed_id_new(secret, "example.org", host);
    signed_id_make_message_id(ids, stem, id);
    assert_int_equal(strlen(id) + 1, SIGNED_ID_SIZE);
    assert_int_equal(signed_id_judge_message_id(ids, id), SIGNED_ID_OURS);
    signed_id_free(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(return_addresses_come_back),   cmocka_unit_test(a_place_beyond_the_token_is_none),
        cmocka_unit_test(case_may_be_folded),           cmocka_unit_test(changed_tokens_are_refused),
        cmocka_unit_test(what_is_no_token_is_refused),  cmocka_unit_test(another_key_makes_others),
        cmocka_unit_test(reserved_addresses_are_known), cmocka_unit_test(message_ids_are_always_the_same),
        cmocka_unit_test(forged_message_ids_are_known), cmocka_unit_test(the_longest_message_id_fits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
