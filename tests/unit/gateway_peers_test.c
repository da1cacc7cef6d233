/* For whose senders a mail server vouches by its certificate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/config.h"
#include "gateway/peers.h"
#include "smtp/smtp_address.h"

static char first[] = "mx.partner.example", second[] = "sha256:00";
static char domain[] = "*@partner.example", below[] = "*@*.branches.example", accented[] = "*@xn--bcher-kva.example";
static char *first_subjects[] = { domain, below, accented, NULL };
static char *second_subjects[] = { below, NULL };
static struct config_peer peers[] = { { first, first_subjects }, { second, second_subjects } };
static const struct config_listener listener = { .peers = peers, .peer_count = 2 };

static void test_vouching(void **state)
{
    static const struct {
        const char *identity, *author;
        bool expected;
    } rows[] = {
        { "mx.partner.example", "bob@partner.example", true },
        { "mx.partner.example", "Bob.B+x@PARTNER.Example", true },
        { "mx.partner.example", "\"bob b\"@partner.example", true },
        { "mx.partner.example", "bob@mail.partner.example", false },
        { "mx.partner.example", "bob@mx.partner.example", false },
        { "mx.partner.example", "bob@example", false },
        { "mx.partner.example", "bob@xpartner.example", false },
        { "mx.partner.example", "bob@partner.example.org", false },
        { "mx.partner.example", "bob@a.branches.example", true },
        { "mx.partner.example", "bob@a.b.branches.example", true },
        { "mx.partner.example", "bob@branches.example", false },
        { "mx.partner.example",
          "bob@b\xc3\xbc"
          "cher.example",
          true },
        { "mx.partner.example", "bob@xn--bcher-kva.example", true },
        { "mx.partner.example",
          "bob@b\xc3\xbc"
          "chef.example",
          false },
        { "mx.partner.example", "bob@[192.0.2.1]", false },
        { "sha256:00", "bob@a.branches.example", true },
        { "sha256:00", "bob@partner.example", false },
        { "sha256:0", "bob@a.branches.example", false },
        { "mx.other.example", "bob@partner.example", false },
        { "", "bob@partner.example", false },
        { NULL, "bob@partner.example", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct smtp_address author;
        assert_int_equal(smtp_address_parse(rows[i].author, strlen(rows[i].author), &author), 1);
        if (peers_vouch(&listener, rows[i].identity, &author) != rows[i].expected)
            fail_msg("row %zu: %s about %s", i, rows[i].identity ? rows[i].identity : "nobody", rows[i].author);
    }
    assert_false(peers_vouch(&listener, "mx.partner.example", &(struct smtp_address){ .local = "" }));
    assert_false(peers_vouch(&(struct config_listener){ .name = NULL }, "mx.partner.example",
                             &(struct smtp_address){ .local = "bob", .domain = "partner.example" }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vouching),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
