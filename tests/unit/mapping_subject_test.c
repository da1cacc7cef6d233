#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mapping/subject.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define LONG_LABEL   "xn--bbbbbpbbolomhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh" /* 82 octets in its own script */
#define LONG_NAME    LONG_LABEL "." LONG_LABEL "." LONG_LABEL "." LONG_LABEL

static void subjects_are_normalised(void **state)
{
    static const struct {
        const char *text, *normal; /* NULL: refused */
        enum subject_kind kind;
    } rows[] = {
        { "Bob@Example.COM", "bob@example.com", SUBJECT_ADDRESS },
        { "Bob@example.com.", "bob@example.com", SUBJECT_ADDRESS },
        { "\"Bob\"@example.com", "bob@example.com", SUBJECT_ADDRESS },
        { "\"bob smith\"@example.com", "\"bob smith\"@example.com", SUBJECT_ADDRESS },
        { "bob@B\u00dccher.example", "bob@xn--bcher-kva.example", SUBJECT_ADDRESS },
        { "bob@xn--BCHER-kva.example", "bob@xn--bcher-kva.example", SUBJECT_ADDRESS },
        { "bob@bu\u0308cher.example", "bob@xn--bcher-kva.example", SUBJECT_ADDRESS }, /* decomposed */
        { "bob@\uff45xample\u3002com", "bob@example.com", SUBJECT_ADDRESS },          /* width */
        { "jo\u0308rg@example.com", "j\u00f6rg@example.com", SUBJECT_ADDRESS },       /* composed */
        { "J\u00d6RG@example.com", "j\u00d6rg@example.com", SUBJECT_ADDRESS },        /* only ASCII is folded */
        { "bob@[IPv6:2001:DB8:0:0::1]", "bob@[ipv6:2001:db8::1]", SUBJECT_ADDRESS },
        { "bob@[192.0.2.1]", "bob@[192.0.2.1]", SUBJECT_ADDRESS },
        { "*@Partner.Example", "*@partner.example", SUBJECT_DOMAIN },
        { "*@b\u00fccher.example", "*@xn--bcher-kva.example", SUBJECT_DOMAIN },
        { "*@*.Partner.Example.", "*@*.partner.example", SUBJECT_SUBDOMAINS },
        { "*@*.example", "*@*.example", SUBJECT_SUBDOMAINS },
        { "", NULL, 0 },
        { "bob", NULL, 0 },
        { "@example.com", NULL, 0 },
        { "*", NULL, 0 },
        { "*@", NULL, 0 },
        { "*@*", NULL, 0 },
        { "*@*.", NULL, 0 },
        { "*@*.*.example", NULL, 0 },
        { "*@a.*.example", NULL, 0 },
        { "*@[192.0.2.1]", NULL, 0 },
        { "\"*\"@example.com", NULL, 0 },     /* an address, but for us it says everybody */
        { "bob@exam\u00adple.com", NULL, 0 }, /* a soft hyphen that nobody sees */
        { "bob@a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.example", "bob@a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.example",
          SUBJECT_ADDRESS },
        { "bob@a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.example", NULL, 0 }, /* nobody is looked up by so many */
        { "*@a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.example", NULL, 0 },
        { "bob@exam\u200dple.com", NULL, 0 },  /* a joiner where none may be */
        { "bob@\u2460.example", NULL, 0 },     /* a one in a circle */
        { "bob@of\ufb01ce.example", NULL, 0 }, /* a ligature */
        { "bob@\u2603.example", NULL, 0 },     /* a picture */
        { "bob@xn--n3h.example", NULL, 0 },    /* the same in ASCII */
        { "bob@xn--example.com", NULL, 0 },    /* no A-label */
        { "bob@xn--exmple-.com", NULL, 0 },
        { "bob@\u3002example.com", NULL, 0 }, /* dots of another script, and nothing between them */
        { "bob@example.com\u3002", NULL, 0 },
        { "fran\u212a@example.com", NULL, 0 }, /* KELVIN SIGN */
        { "<bob@example.com>", NULL, 0 },
        { "bob@example.com\n", NULL, 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct subject subject;
        const char *wrong = NULL;
        int result = subject_parse(rows[i].text, SMTP_CASE_FOLDED, &subject, &wrong);
        print_message("%s\n", rows[i].text);
        assert_int_equal(result, rows[i].normal ? 1 : -1);
        if (!rows[i].normal) {
            assert_non_null(wrong);
            continue;
        }
        assert_string_equal(subject.text, rows[i].normal);
        assert_int_equal(subject.kind, rows[i].kind);
        struct subject again;
        assert_int_equal(subject_parse(subject.text, SMTP_CASE_FOLDED, &again, &wrong), 1);
        assert_string_equal(again.text, subject.text);
    }
}

static void case_is_kept_when_it_counts(void **state)
{
    struct subject subject;
    const char *wrong;
    (void)state;
    assert_int_equal(subject_parse("Bob.B@Example.COM", SMTP_CASE_KEPT, &subject, &wrong), 1);
    assert_string_equal(subject.text, "Bob.B@example.com");
}

/* The author as their mail has it. */
static int match(const char *subject_text, bool subaddresses, const char *author, enum smtp_case local_case,
                 bool lets_in)
{
    struct smtp_address address;
    struct subject subject;
    char text[SMTP_ADDRESS_MAX + 2];
    const char *wrong;
    assert_int_equal(subject_parse(subject_text, local_case, &subject, &wrong), 1);
    assert_int_equal(smtp_address_parse(author, strlen(author), &address), 1);
    if (smtp_address_canonicalise(&address, local_case) != 1)
        return 0;
    smtp_address_format(&address, text);
    struct subject_keys keys;
    subject_keys_make(text, &keys);
    int rank = subject_match(subject.text, subaddresses, text, local_case, lets_in);
    /* what matches must have been found */
    bool found = false;
    for (size_t i = 0; i < keys.count; i++)
        found = found || strcasecmp(keys.texts[i], subject.text) == 0;
    if (rank && !found)
        fail_msg("%s matches %s, but would not be found", subject.text, text);
    return rank;
}

static void authors_match_only_their_subjects(void **state)
{
    static const struct {
        const char *subject, *author;
        bool matches, by_subaddress; /* matches only with subaddresses */
    } rows[] = {
        { "bob@example.com", "bob@example.com", true, false },
        { "bob@example.com", "BOB@EXAMPLE.COM", true, false },
        { "bob@example.com", "\"bob\"@example.com.", true, false },
        { "bob@example.com", "bob@sub.example.com", false, false },
        { "bob@example.com", "bob@notexample.com", false, false },
        { "bob@example.com", "rob@example.com", false, false },
        { "bob@example.com", "bob+news@example.com", false, true },
        { "bob@example.com", "bob+a+b@example.com", false, true },
        { "bob@example.com", "\"bob+x y\"@example.com", false, true },
        { "bob@example.com", "bob-news@example.com", false, false },
        { "bob+news@example.com", "bob@example.com", false, false },
        { "bob+news@example.com", "bob+news@example.com", true, false },
        { "\"bob smith\"@example.com", "\"bob\\ smith\"@example.com", true, false },
        { "\"bob smith\"@example.com", "bobsmith@example.com", false, false },
        /* international names */
        { "bob@b\u00fccher.example", "bob@xn--bcher-kva.example", true, false },
        { "bob@xn--bcher-kva.example", "bob@B\u00dcCHER.example", true, false },
        { "bob@b\u00fccher.example", "bob@bucher.example", false, false },
        { "bob@stra\u00dfe.example", "bob@strasse.example", false, false },
        { "bob@i.example", "bob@\u0131.example", false, false },     /* a dotless i */
        { "bob@example.com", "bob@ex\u0430mple.com", false, false }, /* a Cyrillic a */
        { "bob@ex\u0430mple.com", "bob@example.com", false, false },
        { "bob@example.com", "bob@exam\u00adple.com", false, false },
        { "bob@example.com", "bob@exam\u200bple.com", false, false },
        { "bob@example.com", "bob@example.co\u2098", false, false },
        /* local parts beyond ASCII */
        { "j\u00f6rg@example.com", "jo\u0308rg@example.com", true, false },
        { "j\u00f6rg@example.com", "J\u00f6rg@example.com", true, false },
        { "j\u00f6rg@example.com", "j\u00d6rg@example.com", false, false },
        { "j\u00f6rg@example.com", "jorg@example.com", false, false },
        { "bob@example.com", "b\u043eb@example.com", false, false }, /* a Cyrillic o */
        { "bob@example.com", "\uff42ob@example.com", false, false }, /* a wide b */
        { "bob@example.com", "bo\u00adb@example.com", false, false },
        { "bob@example.com", "bob\u200d@example.com", false, false },
        { "i@example.com", "\u0131@example.com", false, false },
        { "ss@example.com", "\u00df@example.com", false, false },
        /* patterns */
        { "*@partner.example", "anybody@Partner.Example", true, false },
        { "*@partner.example", "anybody+x@partner.example", true, false },
        { "*@partner.example", "*@partner.example", true, false },
        { "*@partner.example", "anybody@sub.partner.example", false, false },
        { "*@partner.example", "anybody@otherpartner.example", false, false },
        { "*@partner.example", "anybody@partner.example.evil.example", false, false },
        { "*@*.partner.example", "anybody@partner.example", false, false },
        { "*@*.partner.example", "anybody@a.partner.example", true, false },
        { "*@*.partner.example", "anybody@a.b.c.partner.example", true, false },
        { "*@*.partner.example", "anybody@otherpartner.example", false, false },
        { "*@*.partner.example", "*@a.partner.example", true, false },
        { "*@b\u00fccher.example", "anybody@xn--bcher-kva.example", true, false },
        { "*@*.partner.example", "a@b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.partner.example", true, false },
        /* more labels than anybody looks at */
        { "*@*.partner.example", "a@b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.partner.example", false, false },
        { "bob@[192.0.2.1]", "bob@[192.0.2.1]", true, false },
        { "bob@[IPv6:2001:db8::1]", "bob@[IPv6:2001:0DB8::0:1]", true, false },
        { "*@*.0.2.1", "bob@[192.0.2.1]", false, false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        print_message("%s %s\n", rows[i].subject, rows[i].author);
        assert_int_equal(match(rows[i].subject, false, rows[i].author, SMTP_CASE_FOLDED, true) > 0, rows[i].matches);
        assert_int_equal(match(rows[i].subject, true, rows[i].author, SMTP_CASE_FOLDED, true) > 0,
                         rows[i].matches || rows[i].by_subaddress);
    }
}

/* Each of these is less specific than the one before. */
static void the_nearer_subject_is_the_more_specific(void **state)
{
    static const char *const subjects[] = {
        "bob+x@a.b.partner.example", "bob@a.b.partner.example", "*@a.b.partner.example",
        "*@*.b.partner.example",     "*@*.partner.example",     "*@*.example",
    };
    int above = 0;
    (void)state;
    for (size_t i = COUNT(subjects); i-- > 0;) {
        int rank = match(subjects[i], true, "bob+x@a.b.partner.example", SMTP_CASE_FOLDED, true);
        assert_true(rank > above);
        above = rank;
    }
}

/* Where case counts, a difference in it keeps out and never lets in. */
static void case_never_helps_anybody_in(void **state)
{
    (void)state;
    assert_int_equal(match("Bob@example.com", false, "bob@example.com", SMTP_CASE_KEPT, true), 0);
    assert_true(match("Bob@example.com", false, "bob@example.com", SMTP_CASE_KEPT, false) > 0);
    assert_true(match("bob@example.com", false, "bob@EXAMPLE.com", SMTP_CASE_KEPT, true) >
                match("Bob@example.com", false, "bob@example.com", SMTP_CASE_KEPT, false));
    assert_int_equal(match("Bob@example.com", true, "bob+x@example.com", SMTP_CASE_KEPT, true), 0);
    assert_true(match("Bob@example.com", true, "bob+x@example.com", SMTP_CASE_KEPT, false) > 0);
    assert_true(match("*@example.com", false, "BoB@example.com", SMTP_CASE_KEPT, true) > 0);
    /* what was stored while it did count, where it does not any more */
    assert_true(subject_match("Bob@example.com", false, "bob@example.com", SMTP_CASE_FOLDED, true) ==
                subject_match("bob@example.com", false, "bob@example.com", SMTP_CASE_FOLDED, false));
}

/* Of all pairs: two addresses match each other exactly if they are the same when normalised. */
static void matching_is_equality_of_what_is_normalised(void **state)
{
    static const char *const locals[] = {
        "bob",       "Bob",       "\"bob\"", "\"b\\ob\"", "b\u043eb",  "jo\u0308rg",
        "j\u00f6rg", "J\u00d6RG", "\"a b\"", "\uff42ob",  "\"a\\ b\"",
    };
    static const char *const domains[] = {
        "example.com",         "EXAMPLE.com.",        "ex\u0430mple.com",     "xn--exmple-4nf.com",
        "b\u00fccher.example", "B\u00dcCHER.example", "bu\u0308cher.example", "xn--bcher-kva.example",
        "bucher.example",      "stra\u00dfe.example", "strasse.example",      "\uff45xample.com",
        "[IPv6:::1]",          "[IPv6:0::1]",         "exam\u00adple.com",
    };
    size_t count = COUNT(locals) * COUNT(domains), equal = 0;
    (void)state;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            char a[200], b[200], a_text[SMTP_ADDRESS_MAX + 2], b_text[SMTP_ADDRESS_MAX + 2];
            struct smtp_address left, right;
            snprintf(a, sizeof a, "%s@%s", locals[i / COUNT(domains)], domains[i % COUNT(domains)]);
            snprintf(b, sizeof b, "%s@%s", locals[j / COUNT(domains)], domains[j % COUNT(domains)]);
            assert_int_equal(smtp_address_parse(a, strlen(a), &left), 1);
            assert_int_equal(smtp_address_parse(b, strlen(b), &right), 1);
            assert_int_equal(smtp_address_equal(&left, &right), smtp_address_equal(&right, &left));
            bool is_name = smtp_address_canonicalise(&left, SMTP_CASE_FOLDED) == 1 &&
                           smtp_address_canonicalise(&right, SMTP_CASE_FOLDED) == 1;
            smtp_address_format(&left, a_text);
            smtp_address_format(&right, b_text);
            bool matches = subject_match(a_text, false, b_text, SMTP_CASE_FOLDED, true) > 0;
            if (matches != (is_name && strcmp(a_text, b_text) == 0))
                fail_msg("%s %s", a, b);
            assert_int_equal(matches, subject_match(b_text, false, a_text, SMTP_CASE_FOLDED, true) > 0);
            assert_true(!matches || smtp_address_equal(&left, &right));
            equal += matches;
        }
    }
    assert_true(equal > count); /* others than themselves */
}

static void who_opens_half_the_world_is_told(void **state)
{
    static const struct {
        const char *text;
        bool is_too_wide;
    } rows[] = {
        { "*@*.example", true }, { "*@example", true }, { "*@*.partner.example", false }, { "bob@localhost", false }
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct subject subject;
        const char *wrong;
        assert_int_equal(subject_parse(rows[i].text, SMTP_CASE_FOLDED, &subject, &wrong), 1);
        assert_int_equal(subject_is_too_wide(&subject), rows[i].is_too_wide);
    }
}

static void people_are_shown_their_own_script(void **state)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {
        { "bob@xn--bcher-kva.example", "bob@b\u00fccher.example" },
        /* what it decodes to has spaces that nobody may have in a name */
        { "bob@xn--bcher-kvxcmplxn--bcher-kvae", "bob@xn--bcher-kvxcmplxn--bcher-kvae" },
        { "*@*.xn--bcher-kva.example", "*@*.b\u00fccher.example" },
        { "*@xn--bcher-kva.example", "*@b\u00fccher.example" },
        { "bob@example.com", "bob@example.com" },
        { "bob@xn--broken-.example", "bob@xn--broken-.example" },
        { "\"a@b\"@xn--bcher-kva.example", "\"a@b\"@b\u00fccher.example" },
        { "nothing", "nothing" },
        /* what would be too long to be typed */
        { "bob@" LONG_NAME, "bob@" LONG_NAME },
        { "bob@" LONG_LABEL, "bob@"
                             "\u0583\u0573\u0575\u057e\u0580\u057a\u0582\u057f\u0583\u0581\u0578\u056e\u057d\u057b"
                             "\u057c\u0582\u0583\u0580\u056d\u0581\u057e\u057f\u0579\u0572\u0583\u0582\u0576\u056e"
                             "\u0580\u0581\u057d\u057a\u0583\u0572\u0582\u057f\u057e\u057c\u057b\u0581\u0580" },
        { "bob@xn--80ak6aa92e.example", "bob@\u0430\u0440\u0440\u04cf\u0435.example" }, /* all of it is Cyrillic */
        { "bob@xn--prtner-3nf.example", "bob@xn--prtner-3nf.example" },                 /* one letter is */
        { "bob@xn--bcher-kva.xn--80ak6aa92e.example", "bob@b\u00fccher.\u0430\u0440\u0440\u04cf\u0435.example" },
        { "bob@xn--wgv71a119e.example", "bob@\u65e5\u672c\u8a9e.example" },
        { "bob@xn--jp--nc4b805ydvb.example", "bob@jp-\u65e5\u306e\u672c.example" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char shown[SUBJECT_SHOWN_SIZE];
        subject_show(rows[i].text, shown);
        assert_string_equal(shown, rows[i].shown);
    }
}

/* Whoever decides about a mapping was shown what looked like somebody else's address. */
static void what_looks_like_another_is_spelled(void **state)
{
    static const struct {
        const char *text, *spelled; /* NULL: it needs no spelling */
    } rows[] = {
        { "bob@example.com", NULL },
        { "*@*.partner.example", NULL },
        { "bob@xn--bcher-kva.example", "bob@xn--bcher-kva.example" },
        { "*@xn--bcher-kva.example", "*@xn--bcher-kva.example" },
        { "b\u043eb@example.com", "b[U+043E]b@example.com" },
        { "\U0001d41bob@xn--bcher-kva.example", "[U+1D41B]ob@xn--bcher-kva.example" },
        { "bob@xn--prtner-3nf.example", NULL }, /* shown so */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char spelled[SUBJECT_SHOWN_SIZE];
        assert_int_equal(subject_spell(rows[i].text, spelled), rows[i].spelled != NULL);
        assert_string_equal(spelled, rows[i].spelled ? rows[i].spelled : rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_looks_like_another_is_spelled),
        cmocka_unit_test(subjects_are_normalised),
        cmocka_unit_test(case_is_kept_when_it_counts),
        cmocka_unit_test(authors_match_only_their_subjects),
        cmocka_unit_test(the_nearer_subject_is_the_more_specific),
        cmocka_unit_test(case_never_helps_anybody_in),
        cmocka_unit_test(matching_is_equality_of_what_is_normalised),
        cmocka_unit_test(who_opens_half_the_world_is_told),
        cmocka_unit_test(people_are_shown_their_own_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
