/* gateway_concierge_words_test.c - what is understood as an order, and above all what is not */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/concierge_words.h"

static const struct concierge_names names = { .gateway = "Email Gateway", .author = "Alice Member" };

/* The orders in one line. */
static void show(const struct concierge_words *words, struct strbuf *out)
{
    strbuf_clear(out);
    for (size_t i = 0; i < words->count; i++) {
        const struct concierge_order *order = &words->orders[i];
        strbuf_add_fmt(out, "%s%s", i ? "; " : "", concierge_verb_name(order->verb));
        if (order->topic != CONCIERGE_HELP)
            strbuf_add_fmt(out, " %s", concierge_verb_name(order->topic));
        if (order->number)
            strbuf_add_fmt(out, " %lld", (long long)order->number);
        if (order->address[0])
            strbuf_add_fmt(out, " %s", order->address);
        if (order->until[0])
            strbuf_add_fmt(out, " until %s", order->until);
        if (order->phrase[0])
            strbuf_add_fmt(out, " (%s)", order->phrase);
    }
}

static const struct {
    const char *text, *orders; /* "": courtesy only; NULL: not understood */
} cases[] = {
    /* plain */
    { "help", "help" },
    { "?", "help" },
    { "help me", "help" },
    { "help invite", "help invite" },
    { "help who is", "help who is" },
    { "help deny.", "help deny" },
    { "list", "list" },
    { "pending", "pending" },
    { "reports on", "reports on" },
    { "reports off", "reports off" },
    { "invite bob@example.com", "invite bob@example.com" },
    { "revoke bob@example.com", "revoke bob@example.com" },
    { "who is bob@example.com", "who is bob@example.com" },
    { "approve 17", "approve 17" },
    { "deny 17", "deny 17" },
    { "suspend 17", "suspend 17" },
    { "resume 17", "resume 17" },
    { "revoke 17", "revoke 17" },
    { "suspend bob@example.com", "suspend bob@example.com" },
    { "resume bob@example.com", "resume bob@example.com" },
    /* case, blanks, punctuation */
    { "HELP", "help" },
    { "Help!", "help" },
    { "help...", "help" },
    { "help?", "help" },
    { "  REPORTS \t  ON  ", "reports on" },
    { "Reports off .", "reports off" },
    { "reports\u00a0on", "reports on" },
    { "reports on\r\n", "reports on" },
    { "Approve 17.", "approve 17" },
    { "APPROVE 17!", "approve 17" },
    { "approve  17", "approve 17" },
    { "approve: 17", "approve 17" },
    { "approve\u00a017", "approve 17" },
    { "approve\u202f17", "approve 17" },
    { "Invite Bob@Example.COM", "invite Bob@Example.COM" },
    { "invite bob@example.com.", "invite bob@example.com" },
    { "invite bob@example.com!", "invite bob@example.com" },
    { "invite: bob@example.com", "invite bob@example.com" },
    { "who is bob@example.com?", "who is bob@example.com" },
    { "Who's bob@example.com?", "who is bob@example.com" },
    { "who’s bob@example.com", "who is bob@example.com" },
    { "whois bob@example.com", "who is bob@example.com" },
    { "what's pending?", "pending" },
    { "What is pending?", "pending" },
    { "list?", "list" },
    /* numbers */
    { "approve #17", "approve 17" },
    { "approve no. 17", "approve 17" },
    { "approve No 17", "approve 17" },
    { "approve nr. 17", "approve 17" },
    { "approve no.17", "approve 17" },
    { "approve № 17", "approve 17" },
    { "approve №17", "approve 17" },
    { "approve number 17", "approve 17" },
    { "approve request 17", "approve 17" },
    { "approve request no. 17", "approve 17" },
    { "approve mapping #17", "approve 17" },
    { "approve # 17", "approve 17" },
    { "approve 017", "approve 17" },
    { "approve `17`", "approve 17" },
    { "approve **17**", "approve 17" },
    { "approve \"17\"", "approve 17" },
    { "approve 17, 18 and 19", "approve 17; approve 18; approve 19" },
    { "approve 17 18", "approve 17; approve 18" },
    { "approve 17 & 18", "approve 17; approve 18" },
    { "approve requests 17, 18", "approve 17; approve 18" },
    { "approve #17, #18, #19.", "approve 17; approve 18; approve 19" },
    { "deny 17, 18", "deny 17; deny 18" },
    { "deny 17 and 18", "deny 17; deny 18" },
    { "approve 999999999999999", "approve 999999999999999" },
    { "approve 17 until 2027-01-31", "approve 17 until 2027-01-31" },
    { "approve 17 until 2027-01-31, please", "approve 17 until 2027-01-31" },
    { "approve 17, 18 until 2027-01-31.", "approve 17 until 2027-01-31; approve 18 until 2027-01-31" },
    { "approve", NULL },
    { "approve 0", NULL },
    { "approve 1,234", NULL },
    { "approve 1.5", NULL },
    { "approve 17th", NULL },
    { "approve -17", NULL },
    { "approve +17", NULL },
    { "approve 17-19", NULL },
    { "approve 17 to 19", NULL },
    { "approve 1000000000000000", NULL },
    { "approve 99999999999999999999999999", NULL },
    { "approve seventeen", NULL },
    { "approve all", NULL },
    { "approve 17 or 18", NULL },
    { "approve 17 and", NULL },
    { "approve 17 but not 18", NULL },
    { "approve 17 not 18", NULL },
    { "approve not 17", NULL },
    { "approve 17 until tomorrow", NULL },
    { "approve 17 until", NULL },
    { "approve 17 until 2027-1-31", NULL },
    { "approve 17 until 2027-01-31 or later", NULL },
    { "approve until 2027-01-31", NULL },
    { "approve bob@example.com", NULL },
    { "approve 17 bob@example.com", NULL },
    { "approve 17?", NULL },
    { "approve 17 ?", NULL },
    { "approve 17, please?", NULL },
    { "approve 17 thanks?", NULL },
    { "can you approve 17?", NULL },
    { "17", NULL },
    { "17 approve", NULL },
    { "don't approve 17", NULL },
    { "don’t approve 17", NULL },
    { "do not approve 17", NULL },
    { "never approve 17", NULL },
    { "I would not approve 17", NULL },
    { "If he is a partner, approve 17", NULL },
    { "approve 17 if he is a partner", NULL },
    { "approve 17 tomorrow", NULL },
    { "aprove 17", NULL },
    { "approved 17", NULL },
    { "approve17", NULL },
    { "approve 17 approve 18", NULL },
    { "approve 17; deny 18", NULL },
    { "approve 17, deny 18", NULL },
    { "approve 17 and deny 18", NULL },
    { "approve 17 (Bob)", NULL },
    { "(approve 17)", NULL },
    { "approve　17", "approve 17" },
    { "approve １７", NULL },
    { "аpprove 17", NULL }, /* Cyrillic */
    { "approve\u200b 17", NULL },
    { "approve 1\u200b7", NULL },
    /* reasons */
    { "deny 17 not a partner", "deny 17 (not a partner)" },
    { "deny 17: not a partner", "deny 17 (not a partner)" },
    { "deny 17 : not a partner", "deny 17 (not a partner)" },
    { "deny 17, not a partner", "deny 17 (not a partner)" },
    { "deny 17 - not a partner", "deny 17 (not a partner)" },
    { "deny 17 – not a partner.", "deny 17 (not a partner.)" },
    { "deny 17 because he left", "deny 17 (he left)" },
    { "deny 17 reason: he left", "deny 17 (he left)" },
    { "Deny #17 Not A Partner", "deny 17 (Not A Partner)" },
    { "deny 17 \"not a partner\"", "deny 17 (not a partner)" },
    { "deny 17 no partner", "deny 17 (no partner)" },
    { "deny 17: 3 complaints", "deny 17 (3 complaints)" },
    { "deny 17: if he asks again, tell me", "deny 17 (if he asks again, tell me)" },
    { "deny 17 kein Partner, fürchte ich", "deny 17 (kein Partner, fürchte ich)" },
    { "deny 17, 18: not partners", "deny 17 (not partners); deny 18 (not partners)" },
    { "deny 17 and 18 because they left", "deny 17 (they left); deny 18 (they left)" },
    { "deny 17 please", "deny 17" },
    { "deny 17, thanks", "deny 17" },
    { "deny 17 see bob@example.com", "deny 17 (see bob@example.com)" },
    { "suspend 17: on holiday", "suspend 17 (on holiday)" },
    { "suspend 17 because of spam", "suspend 17 (of spam)" },
    { "suspend bob@example.com: spam", "suspend bob@example.com (spam)" },
    { "revoke bob@example.com: left the company", "revoke bob@example.com (left the company)" },
    { "deny 17 3 complaints", NULL },
    { "deny 17 18", NULL },
    { "deny 17 #18", NULL },
    { "deny 17 no 18", NULL },
    { "deny 17 and approve 18", NULL },
    { "deny 17, and approve 18", NULL },
    { "deny 17 or 18", NULL },
    { "deny 17 if he is no partner", NULL },
    { "deny 17 unless he calls", NULL },
    { "deny 17 but not 18", NULL },
    { "deny 17 until Monday", NULL },
    { "deny 17 then approve 18", NULL },
    { "deny 17 not yet", NULL },
    { "deny 17, 18 not partners", NULL },
    { "deny 17 :", "deny 17" },
    { "deny 17 because", NULL },
    { "deny 17?", NULL },
    { "deny 17 is that right?", NULL },
    { "deny", NULL },
    { "deny him", NULL },
    { "deny all", NULL },
    { "deny bob@example.com", NULL },
    { "suspend 17 on holiday", NULL },
    { "suspend", NULL },
    { "suspend everybody", NULL },
    { "revoke bob@example.com left the company", NULL },
    { "revoke all", NULL },
    { "revoke everybody but bob@example.com", NULL },
    /* addresses */
    { "invite <bob@example.com>", "invite bob@example.com" },
    { "invite mailto:bob@example.com", "invite bob@example.com" },
    { "invite <mailto:bob@example.com>", "invite bob@example.com" },
    { "invite MAILTO:bob@example.com", "invite bob@example.com" },
    { "invite [bob@example.com](mailto:bob@example.com)", "invite bob@example.com" },
    { "invite [Bob@example.com](mailto:bob@example.com).", "invite bob@example.com" },
    { "invite [bob@example.com](<mailto:bob@example.com>)", "invite bob@example.com" },
    { "invite [mailto:bob@example.com](mailto:bob@example.com)", "invite bob@example.com" },
    { "invite `bob@example.com`", "invite bob@example.com" },
    { "invite **bob@example.com**", "invite bob@example.com" },
    { "invite *bob@example.com*.", "invite bob@example.com" },
    { "invite \"bob@example.com\"", "invite bob@example.com" },
    { "invite 'bob@example.com'", "invite bob@example.com" },
    { "invite “bob@example.com”", "invite bob@example.com" },
    { "invite „bob@example.com“", "invite bob@example.com" },
    { "invite «bob@example.com»", "invite bob@example.com" },
    { "invite \"Bob Brown\" <bob@example.com>", "invite bob@example.com" },
    { "invite bob\\_smith@example.com", "invite bob_smith@example.com" },
    { "invite bob_smith@example.com", "invite bob_smith@example.com" },
    { "invite bob+news@example.com", "invite bob+news@example.com" },
    { "invite `_bob@example.com`", "invite _bob@example.com" },
    { "invite \"john smith\"@example.com", "invite \"john smith\"@example.com" },
    { "invite <\"john smith\"@example.com>", "invite \"john smith\"@example.com" },
    { "invite bob@münchen.example", "invite bob@münchen.example" },
    { "invite böb@example.com", "invite böb@example.com" },
    { "invite bob@[192.0.2.1]", "invite bob@[192.0.2.1]" },
    { "invite bob@example.com, carol@example.net", "invite bob@example.com; invite carol@example.net" },
    { "invite bob@example.com and carol@example.net", "invite bob@example.com; invite carol@example.net" },
    { "revoke bob@example.com; carol@example.net", "revoke bob@example.com; revoke carol@example.net" },
    { "invite *bob@example.com and carol@example.net*", NULL },
    { "invite _bob@example.com", NULL },
    { "invite *bob@example.com", NULL },
    { "invite bob", NULL },
    { "invite bob @example.com", NULL },
    { "invite bob@ example.com", NULL },
    { "invite bob@", NULL },
    { "invite @example.com", NULL },
    { "invite *@example.com", NULL },
    { "invite Bob Brown <bob@example.com>", NULL },
    { "invite not <bob@example.com>", NULL },
    { "invite bob@example.com@example.net", NULL },
    { "invite bob@example.com,carol@example.net", NULL },
    { "invite bob@example.com/carol@example.net", NULL },
    { "invite [Bob](mailto:bob@example.com)", NULL },
    { "invite [bob@example.com](mailto:mallory@example.com)", NULL },
    { "invite [bob@example.com](https://example.com/bob@example.com)", NULL },
    { "invite mailto:bob@example.com?cc=carol@example.net", NULL },
    { "invite mailto:bob%40example.com@example.net", NULL },
    { "invite <bob@example.com", NULL },
    { "invite bob@example.com>", NULL },
    { "invite (bob@example.com)", NULL },
    { "invite bob@exam\u00adple.com", NULL },
    { "invite bob\u200b@example.com", NULL },
    { "invite \u202ebob\u202c@example.com", NULL },
    { "invite \ufeffbob@example.com", NULL },
    { "invite bob@exam\u2063ple.com", NULL },
    { "invite bob–smith@example.com", "invite bob–smith@example.com" },
    { "invite bob@example.com?", NULL },
    { "invite bob@example.com as a friend", NULL },
    { "invite bob@example.com now", NULL },
    { "invite bob@example.com or carol@example.net", NULL },
    { "invite everybody", NULL },
    { "invite", NULL },
    { "invite 17", NULL },
    { "who is", NULL },
    { "who is Bob", NULL },
    { "who is 17", NULL },
    { "who is bob@example.com and why", NULL },
    { "bob@example.com", NULL },
    { "bob@example.com invite", NULL },
    { "I'd like to invite bob@example.com", NULL },
    /* groups */
    { "invite bob@example.com to Sales Team", "invite bob@example.com (Sales Team)" },
    { "invite bob@example.com for Sales Team", "invite bob@example.com (Sales Team)" },
    { "invite bob@example.com to write to Sales Team", "invite bob@example.com (Sales Team)" },
    { "invite bob@example.com to \"Sales Team\"", "invite bob@example.com (Sales Team)" },
    { "invite bob@example.com, carol@example.net to `Sales Team`",
      "invite bob@example.com (Sales Team); invite carol@example.net (Sales Team)" },
    { "invite bob@example.com to me", "invite bob@example.com" },
    { "invite bob@example.com for me, please", "invite bob@example.com" },
    { "invite bob@example.com to write to me", "invite bob@example.com" },
    { "invite bob@example.com to", NULL },
    { "invite bob@example.com to me and Carol", NULL },
    { "invite bob@example.com to Sales Team?", NULL },
    /* marks around a line */
    { "`approve 17`", "approve 17" },
    { "```approve 17```", "approve 17" },
    { "**approve 17**", "approve 17" },
    { "_approve 17_", "approve 17" },
    { "\"approve 17\"", "approve 17" },
    { "'approve 17'.", "approve 17" },
    { "“Approve 17.”", "approve 17" },
    { "**approve** 17", "approve 17" },
    { "*approve* *17*", "approve 17" },
    { "please *approve 17*", "approve 17" },
    { "- approve 17", "approve 17" },
    { "* approve 17", "approve 17" },
    { "1. approve 17", "approve 17" },
    { "1) approve 17", "approve 17" },
    { "# approve 17", "approve 17" },
    { "    approve 17", "approve 17" },
    { "```\napprove 17\n```", "approve 17" },
    { "```text\napprove 17\n```", "approve 17" },
    { "---\napprove 17\n***", "approve 17" },
    { "*invite bob@example.com*", "invite bob@example.com" },
    { "<b>approve 17</b>", NULL },
    { "~~approve 17~~", NULL }, /* it is struck out */
    { "approve ~~17~~ 18", NULL },
    { "~~~\napprove 17\n~~~", "approve 17" },
    { "approve 17 please ?", NULL },
    { "approve 17 until 2027-01-31 ?", NULL },
    { "approve 17 please **?**", NULL },
    { "reports off ?", NULL },
    { "approve 17 ? thanks", NULL },
    { "help ?", "help" },
    /* courtesy */
    { "please approve 17", "approve 17" },
    { "Please, approve 17", "approve 17" },
    { "approve 17 please", "approve 17" },
    { "approve 17, please.", "approve 17" },
    { "approve 17. Thanks!", "approve 17" },
    { "approve 17. Thank you very much.", "approve 17" },
    { "Hello, approve 17", "approve 17" },
    { "Hi gateway, please approve 17, thanks", "approve 17" },
    { "Dear Email Gateway, approve 17", "approve 17" },
    { "Email Gateway: approve 17", "approve 17" },
    { "OK, approve 17", "approve 17" },
    { "Hello!\n\napprove 17\n\nThanks", "approve 17" },
    { "Good morning Email Gateway,\n\nplease invite bob@example.com.\n\nKind regards,\nAlice Member",
      "invite bob@example.com" },
    { "invite bob@example.com\n\nThanks, Alice", "invite bob@example.com" },
    { "invite bob@example.com\nBest regards\nAlice", "invite bob@example.com" },
    { "invite bob@example.com\n-- \nAlice Member\nHead of revoke bob@example.com", "invite bob@example.com" },
    { "invite bob@example.com\n--\nAlice", "invite bob@example.com" },
    { "Thanks!", "" },
    { "thank you", "" },
    { "Hello", "" },
    { "Good morning!", "" },
    { "OK", "" },
    { "", "" },
    { "\n \n\t\n", "" },
    { "...", "" },
    { "---", "" },
    { "Email approve 17", NULL }, /* half of the gateway's name */
    { "Thanks, Bob", NULL },
    { "Alice", NULL },
    { "no, approve 17", NULL },
    { "not approve 17", NULL },
    { "Hello, is there anybody who knows what this is good for?", NULL },
    { "Thanks, but do not approve 17", NULL },
    { "Please don't\napprove 17", NULL },
    { "What can you do?", NULL },
    { "reports", NULL },
    { "reportson", NULL },
    { "reports on?", NULL },
    { "reports on off", NULL },
    { "report on", NULL },
    { "reports on please", "reports on" },
    { "turn reports on", "reports on" },
    { "turn off delivery reports", "reports off" },
    { "reports on reports on", NULL },
    { "list bob@example.com", NULL },
    { "pending 17", NULL },
    { "help 17", NULL },
    { "help frobnicate", NULL },
    /* several lines: all of them, or none */
    { "approve 17\napprove 18", "approve 17; approve 18" },
    { "approve 17\n\ndeny 18: no partner\nlist\n", "approve 17; deny 18 (no partner); list" },
    { "approve 17\nand deny 18", "approve 17; deny 18" },
    { "- invite bob@example.com\n- invite carol@example.net", "invite bob@example.com; invite carol@example.net" },
    { "approve 17\naprove 18", NULL },
    { "aprove 17\napprove 18", NULL },
    { "approve 17\nor 18", NULL },
    { "approve 17\nno, wait", NULL },
    { "approve 17\n\nno partner of ours", NULL },
    { "deny 17\nnot a partner", NULL },
    { "approve\n17", NULL },
    /* quotations are somebody else's */
    { "> approve 17", "" },
    { "> approve 17\n\ndeny 17", "deny 17" },
    { "> 17: bob@example.com would like to write to Alice\n>\n> Say approve 17.\n\napprove 17\n", "approve 17" },
    { "  > revoke bob@example.com\n\nlist", "list" },
    { "approve 17\n> deny 18", "approve 17" },
    { "> Do you want me to\napprove 17", NULL }, /* a lazy line of the quotation */
    { "> a\n> b\napprove 17", NULL },
    { "On Monday Bob wrote:\n> approve 17\n\napprove 17", NULL },
};

static void orders_are_understood_as_a_whole_or_not_at_all(void **state)
{
    (void)state;
    struct strbuf shown;
    struct concierge_words words;
    strbuf_init(&shown, 4000);
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool understood = concierge_words_read(cases[i].text, strlen(cases[i].text), &names, &words);
        show(&words, &shown);
        bool right = understood ? cases[i].orders && strcmp(shown.data, cases[i].orders) == 0 : !cases[i].orders;
        if (!right) {
            wrong++;
            print_error("\"%s\": %s \"%s\" (%s)\n", cases[i].text, understood ? "understood as" : "not understood",
                        shown.data, words.why);
        }
        assert_true(understood || (words.count == 0 && words.why[0]));
    }
    strbuf_free(&shown);
    assert_int_equal(wrong, 0);
}

static void what_is_not_understood_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line, *why;
        enum concierge_verb about;
    } examples[] = {
        { "list\naprove 17\n", "aprove 17", "\"aprove\"", CONCIERGE_VERB_COUNT },
        { "Please approve the 17", "Please approve the 17", "number of a request is missing", CONCIERGE_APPROVE },
        { "approve 17 tomorrow", "approve 17 tomorrow", "\"tomorrow\"", CONCIERGE_APPROVE },
        { "approve 17?", "approve 17?", "question", CONCIERGE_APPROVE },
        { "invite Bob", "invite Bob", "email address is missing", CONCIERGE_INVITE },
        { "deny 17 unless he calls", "deny 17 unless he calls", "reason", CONCIERGE_DENY },
        { "> x\napprove 17", "approve 17", "quotation", CONCIERGE_VERB_COUNT },
        { "frob\xff", "", "no text", CONCIERGE_VERB_COUNT },
    };
    struct concierge_words words;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        assert_false(concierge_words_read(examples[i].text, strlen(examples[i].text), &names, &words));
        assert_string_equal(words.line, examples[i].line);
        if (!strstr(words.why, examples[i].why))
            fail_msg("\"%s\": %s", examples[i].text, words.why);
        assert_int_equal(words.about, examples[i].about);
    }
}

static void limits_are_kept(void **state)
{
    (void)state;
    struct strbuf text;
    struct concierge_words words;
    strbuf_init(&text, 100000);
    for (unsigned i = 1; i <= CONCIERGE_ORDERS_MAX; i++)
        strbuf_add_fmt(&text, "approve %u\n", i);
    assert_true(concierge_words_read(text.data, text.len, &names, &words));
    assert_int_equal(words.count, CONCIERGE_ORDERS_MAX);
    strbuf_add_str(&text, "approve 99\n");
    assert_false(concierge_words_read(text.data, text.len, &names, &words));
    assert_int_equal(words.count, 0);
    strbuf_clear(&text);
    for (unsigned i = 0; i <= CONCIERGE_LINES_MAX; i++)
        strbuf_add_str(&text, "\n");
    assert_false(concierge_words_read(text.data, text.len, &names, &words));
    strbuf_clear(&text);
    strbuf_add_str(&text, "deny 17 ");
    while (text.len < CONCIERGE_TEXT_MAX)
        strbuf_add_char(&text, 'x');
    assert_false(concierge_words_read(text.data, text.len, &names, &words)); /* such a reason */
    assert_non_null(strstr(words.why, "too long"));
    strbuf_add_char(&text, 'x');
    assert_false(concierge_words_read(text.data, text.len, &names, &words));
    assert_string_equal(words.line, "");
    strbuf_free(&text);
    assert_false(concierge_words_read("approve 17\0", 11, &names, &words));
}

/* Takes a text that is understood, and puts a word into it that means nothing: before it, behind it, between any two words. */
static void one_unknown_word_is_enough_for_nothing_to_be_done(void **state)
{
    (void)state;
    static const char *const strange[] = { "frobnicate", "not", "don't", "x", "unless", "17x", "(", "maybe" };
    char text[1000];
    struct concierge_words words;
    unsigned tried = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *whole = cases[i].text;
        if (!cases[i].orders || strchr(whole, '"') || strchr(whole, '`') || strchr(whole, '>') ||
            strchr(cases[i].orders, '(') || strstr(whole, "--") || strstr(cases[i].orders, "deny") ||
            strstr(whole, " me") || strlen(whole) > 400)
            continue; /* free text may hold any word, quotations and signatures, too */
        for (size_t at = 0; at <= strlen(whole); at++) {
            bool is_gap = at == 0 || !whole[at] || whole[at] == ' ' || whole[at] == '\n';
            for (size_t k = 0; k < sizeof strange / sizeof strange[0] && is_gap; k++) {
                snprintf(text, sizeof text, "%.*s %s %s", (int)at, whole, strange[k], whole + at);
                bool understood = concierge_words_read(text, strlen(text), &names, &words);
                tried++;
                if (understood || words.count > 0)
                    fail_msg("\"%s\" was understood", text);
            }
        }
    }
    assert_true(tried > 3000);
}

/* Words in any order: whatever is understood says each thing that it does in so many words. */
static void words_at_random_do_nothing_that_they_do_not_say(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "approve", "deny", "17",    "18", "bob@example.com", "invite", "please", "and",
        ",",       "not",  "until", "\n", "2027-01-31",      "no",     "to",     "?",
        "list",    "who",  "is",    "> ", "suspend",         ":",      "thanks", "Alice",
        "\"",      "`",    "*",     "- ", "revoke",          "help",   "#",      "or"
    };
    enum { ROUNDS = 10000, COUNT = sizeof pieces / sizeof pieces[0] };
    uint64_t random = 88172645463325252ULL;
    struct concierge_words words;
    char text[400];
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t len = 0;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        for (uint64_t rest = random; rest; rest /= COUNT)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s ", pieces[rest % COUNT]);
        if (!concierge_words_read(text, len, &names, &words)) {
            assert_int_equal(words.count, 0);
            continue;
        }
        bool has_free_text = strchr(text, '>');
        for (size_t i = 0; i < words.count; i++) {
            const struct concierge_order *order = &words.orders[i];
            const char *said = order->verb == CONCIERGE_WHO    ? "who"
                               : order->verb == CONCIERGE_HELP ? ""
                                                               : concierge_verb_name(order->verb);
            if (!strstr(text, said))
                fail_msg("\"%s\": %s", text, said);
            assert_true(order->number == 0 || order->number == 17 || order->number == 18);
            has_free_text = has_free_text || order->phrase[0];
        }
        if (!has_free_text && (strstr(text, "not") || strstr(text, "or ")))
            fail_msg("\"%s\"", text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_are_understood_as_a_whole_or_not_at_all),
        cmocka_unit_test(what_is_not_understood_is_named),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(one_unknown_word_is_enough_for_nothing_to_be_done),
        cmocka_unit_test(words_at_random_do_nothing_that_they_do_not_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
