/* Where own words end and history begins, and what is put where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_history.h"
#include "mapping/convert_text.h"

#define WROTE  "On Mon, 3 Mar 2025 at 10:00, Bob Example <bob@example.com> wrote:\n"
#define BLOCK  "From: Bob Example <bob@example.com>\nSent: Monday, March 3, 2025 10:00 AM\nTo: Alice\nSubject: Plans\n"
#define FOOTER "_______________________________________________\nPlans list\nhttps://lists.example.org/plans\n"

/* Parts as letters, each before the number of the line at which it begins. */
static const struct {
    const char *name, *text, *parts;
} texts[] = {
    { "own", "Hello\n\nBob\n", "" },
    { "answer above", "Yes.\n\n" WROTE "> Can you come?\n", "A3 Q4" },
    { "empty line after the attribution", "Yes.\n\n" WROTE "\n> Can you come?\n> Bob\n", "A3 Q5" },
    { "answer below", WROTE "> Can you come?\n\nYes.\n", "A1 Q2 O4" },
    { "answers between", WROTE "> One?\n\nYes.\n\n> Two?\n\nNo.\n", "A1 Q2 O4" },
    { "two attributed quotes", WROTE "> One?\n\nYes.\n\n" WROTE "> Two?\n", "A1 Q2 O4 A6 Q7" },
    { "a quote of one's own", "He said:\n> Never.\n\nSo what?\n", "" },
    { "complete attribution without a mark", "Yes.\n\n" WROTE "\nCan you come?\n", "A3 U4" },
    { "notes that begin like an attribution without a verb",
      "See:\n\n2025-03-03 10:00, Bob Example <bob@example.com>:\n\nCome?\n", "" },
    { "attribution without a mark", "Yes.\n\nOn Mon, 3 Mar 2025, Bob Example wrote:\n\nCan you come?\n", "" },
    { "attribution without a mark, and without an address",
      "Yes.\n\nOn 03/03/2025 10:00, Bob Example wrote:\n\nCan you come?\n", "" },
    { "attribution at the end", "Yes.\n\n" WROTE, "" },
    { "attribution inside of the quote", "Yes.\n\n> " WROTE "> > Can you come?\n", "Q3" },
    { "attribution later in a quote", "Yes.\n\n> Look:\n> " WROTE "> > Can you come?\n", "" },
    { "wrapped", "Yes.\nOn Mon, 3 Mar 2025 at 10:00, Bob Example\n<bob@example.com> wrote:\n\n> Can you come?\n",
      "A2 Q5" },
    { "block in the quote", "Yes.\n\n> From: Bob <bob@example.com>\n> Sent: 3 March 2025\n> Subject: x\n>\n> Come?\n",
      "Q3" },
    { "Outlook", "Yes.\n\n" BLOCK "\nCan you come?\n\nBob\n", "A3 U7" },
    { "Outlook, twice", "Yes.\n\n" BLOCK "\nCan you come?\n\n" BLOCK "\nWhen?\n", "A3 U7" },
    { "Outlook, twice, with rules",
      "Yes.\n________________________________\n" BLOCK "\nCome?\n________________________________\n" BLOCK "\nWhen?\n",
      "A2 U7" },
    { "Outlook, with a separator", "Yes.\n\n-----Original Message-----\n" BLOCK "\nCan you come?\n", "A3 U8" },
    { "Outlook, with an empty line", "Yes.\n\n-----Original Message-----\n\n" BLOCK "\nCan you come?\n", "A3 U9" },
    { "Outlook, marked", "Yes.\n\n-----Original Message-----\n" BLOCK "\n> Can you come?\n\nBob\n", "A3 Q9 O11" },
    { "Proton", "Yes.\n\n------- Original Message -------\n" WROTE "\n\n> Can you come?\n", "A3 Q7" },
    { "GroupWise", "Yes.\n\n>>> Bob Example <bob@example.com> 3/3/2025 10:00 AM >>>\nCan you come?\n", "A3 U4" },
    { "signature above", "Yes.\n\n-- \nAlice\n\n" WROTE "> Can you come?\n", "S3 A6 Q7" },
    { "signature below", WROTE "> Can you come?\n\nYes.\n-- \nAlice\n", "A1 Q2 O4 S5" },
    { "signature in the history", "Yes.\n\n" BLOCK "\nCome?\n-- \nBob\n", "A3 U7" },
    { "footer", "Yes.\n\n" WROTE "> Can you come?\n" FOOTER, "A3 Q4 F5" },
    { "footer behind Outlook", "Yes.\n\n" BLOCK "\nCan you come?\n" FOOTER, "A3 U7 F9" },
    { "footer alone", "Yes.\n" FOOTER, "F2" },
    { "a rule in the text", "Yes.\n_______________________________________________\nNo.\n", "" },
    { "forwarded", "See below.\n\n---------- Forwarded message ---------\n" BLOCK "\nCome?\n\n" WROTE "> When?\n",
      "W3" },
    { "forwarded in a quote", "See below.\n\n> Begin forwarded message:\n>\n> From: Bob\n", "" },
    { "forwarded after an answer", "Yes.\n\n" WROTE "> a\n\n---------- Forwarded message ---------\n\n" WROTE "> b\n",
      "A3 Q4 W6" },
    { "nothing but history", WROTE "> Can you come?\n", "A1 Q2" },
    { "empty", "", "" },
    { "blank", " \n\u00A0\n", "" },
};

static void test_find(void **state)
{
    (void)state;
    static const char letters[] = {
        [CONVERT_HISTORY_OWN] = 'O',    [CONVERT_HISTORY_SIGNATURE] = 'S', [CONVERT_HISTORY_ATTRIBUTION] = 'A',
        [CONVERT_HISTORY_QUOTE] = 'Q',  [CONVERT_HISTORY_UNMARKED] = 'U',  [CONVERT_HISTORY_FOOTER] = 'F',
        [CONVERT_HISTORY_FORWARD] = 'W'
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct convert_history_span *spans;
        struct strbuf parts;
        strbuf_init(&parts, 1000);
        size_t count = convert_history_find(texts[i].text, strlen(texts[i].text), &spans);
        for (size_t k = 0; k < count; k++) {
            unsigned line = 1;
            for (size_t at = 0; at < spans[k].offset; at++)
                line += texts[i].text[at] == '\n';
            strbuf_add_fmt(&parts, "%s%c%u", k > 0 ? " " : "", letters[spans[k].part], line);
        }
        if (strcmp(parts.data, texts[i].parts) != 0) {
            print_error("%s: \"%s\", not \"%s\"\n", texts[i].name, parts.data, texts[i].parts);
            failed++;
        }
        strbuf_free(&parts);
        free(spans);
    }
    assert_int_equal(failed, 0);
}

/* An interleaved mail may have as many parts as it has lines: that is a limit, not a burden. */
static void test_find_is_limited(void **state)
{
    (void)state;
    struct strbuf text;
    struct convert_history_span *spans;
    strbuf_init(&text, 1 << 20);
    for (int i = 0; i < 2000; i++)
        strbuf_add_str(&text, WROTE "> a\n\nb\n");
    size_t count = convert_history_find(text.data, text.len, &spans);
    assert_in_range(count, 900, 1000);
    free(spans);
    strbuf_free(&text);
}

struct step {
    enum convert_history_part part;
    const char *text;
    unsigned depth;
};
enum { STEPS_MAX = 6 };

#define OWN  CONVERT_HISTORY_OWN
#define SIG  CONVERT_HISTORY_SIGNATURE
#define ATTR CONVERT_HISTORY_ATTRIBUTION
#define QUO  CONVERT_HISTORY_QUOTE
#define UNM  CONVERT_HISTORY_UNMARKED
#define FOO  CONVERT_HISTORY_FOOTER
#define FORW CONVERT_HISTORY_FORWARD

static const struct {
    const char *name;
    struct step steps[STEPS_MAX];
    const char *own, *history, *kept; /* kept: own text without folding; NULL: own and history */
} splits[] = {
    { "own", { { OWN, "Hello", 0 } }, "Hello\n", "", NULL },
    { "answer above",
      { { OWN, "Yes.", 0 }, { ATTR, "Bob wrote:", 0 }, { QUO, "Come?", 1 } },
      "Yes.\n",
      "Bob wrote:\n\n> Come?\n",
      NULL },
    { "answer below",
      { { ATTR, "Bob wrote:", 0 }, { QUO, "Come?", 1 }, { OWN, "Yes.", 0 } },
      "Yes.\n",
      "Bob wrote:\n\n> Come?\n",
      "Bob wrote:\n\n> Come?\n\nYes.\n" },
    { "answer below, with a signature",
      { { ATTR, "Bob wrote:", 0 }, { QUO, "Come?", 1 }, { OWN, "Yes.", 0 }, { SIG, "Alice", 0 } },
      "Yes.\n\nAlice\n",
      "Bob wrote:\n\n> Come?\n",
      "Bob wrote:\n\n> Come?\n\nYes.\n\nAlice\n" },
    { "answer above, signature below",
      { { OWN, "Yes.", 0 }, { ATTR, "Bob wrote:", 0 }, { QUO, "Come?", 1 }, { SIG, "Alice", 0 } },
      "Yes.\n\nAlice\n",
      "Bob wrote:\n\n> Come?\n",
      "Yes.\n\nBob wrote:\n\n> Come?\n\nAlice\n" },
    { "unmarked",
      { { OWN, "Yes.", 0 }, { ATTR, "From: Bob", 0 }, { UNM, "Come?", 0 }, { UNM, "Or not?", 1 } },
      "Yes.\n",
      "From: Bob\n\n> Come?\n>\n> > Or not?\n",
      NULL },
    { "attributions in what is unmarked",
      { { OWN, "Yes.", 0 }, { UNM, "Come?", 0 }, { ATTR, "From: Carol", 0 }, { QUO, "When?", 1 } },
      "Yes.\n",
      "> Come?\n>\n> From: Carol\n>\n> > When?\n",
      NULL },
    { "answers between",
      { { ATTR, "Bob wrote:", 0 }, { QUO, "One?", 1 }, { OWN, "Yes.", 0 }, { OWN, "Two?", 1 }, { OWN, "No.", 0 } },
      "Bob wrote:\n\n> One?\n\nYes.\n\n> Two?\n\nNo.\n",
      "",
      NULL },
    { "answers between two mails",
      { { ATTR, "Bob wrote:", 0 },
        { QUO, "One?", 1 },
        { OWN, "Yes.", 0 },
        { ATTR, "Carol wrote:", 0 },
        { QUO, "Two?", 1 } },
      "Bob wrote:\n\n> One?\n\nYes.\n\nCarol wrote:\n\n> Two?\n",
      "",
      NULL },
    { "text on both sides",
      { { OWN, "Hello,", 0 }, { ATTR, "Bob wrote:", 0 }, { QUO, "Come?", 1 }, { OWN, "Yes.", 0 } },
      "Hello,\n\nBob wrote:\n\n> Come?\n\nYes.\n",
      "",
      NULL },
    { "text on both sides of what is unmarked",
      { { OWN, "Hello,", 0 }, { ATTR, "From: Bob", 0 }, { UNM, "Come?", 0 }, { OWN, "Yes.", 0 } },
      "Hello,\n\nFrom: Bob\n\n> Come?\n\nYes.\n",
      "",
      NULL },
    { "a quote of one's own, then history",
      { { OWN, "Never.", 1 }, { OWN, "So what?", 0 }, { ATTR, "Bob wrote:", 0 }, { QUO, "Come?", 1 } },
      "> Never.\n\nSo what?\n",
      "Bob wrote:\n\n> Come?\n",
      NULL },
    { "nothing but history", { { ATTR, "Bob wrote:", 0 }, { QUO, "Come?", 1 } }, "Bob wrote:\n\n> Come?\n", "", NULL },
    { "nothing but unmarked history",
      { { ATTR, "From: Bob", 0 }, { UNM, "Come?", 0 } },
      "From: Bob\n\nCome?\n",
      "",
      NULL },
    { "a signature is no answer",
      { { ATTR, "Bob wrote:", 0 }, { QUO, "Come?", 1 }, { SIG, "Alice", 0 } },
      "Bob wrote:\n\n> Come?\n\nAlice\n",
      "",
      NULL },
    { "footer stays at the end",
      { { ATTR, "Bob wrote:", 0 }, { QUO, "Come?", 1 }, { OWN, "Yes.", 0 }, { FOO, "Plans list", 0 } },
      "Yes.\n",
      "Bob wrote:\n\n> Come?\n\nPlans list\n",
      "Bob wrote:\n\n> Come?\n\nYes.\n\nPlans list\n" },
    { "footer behind what is unmarked",
      { { OWN, "Yes.", 0 }, { UNM, "Come?", 0 }, { FOO, "Plans list", 0 } },
      "Yes.\n",
      "> Come?\n\nPlans list\n",
      NULL },
    { "footer without history", { { OWN, "Yes.", 0 }, { FOO, "Plans list", 0 } }, "Yes.\n\nPlans list\n", "", NULL },
    { "forwarded",
      { { OWN, "See:", 0 }, { FORW, "Forwarded", 0 }, { ATTR, "Bob wrote:", 0 }, { QUO, "Come?", 1 } },
      "See:\n\nForwarded\n\nBob wrote:\n\n> Come?\n",
      "",
      NULL },
    { "forwarded in a quote",
      { { OWN, "See:", 0 }, { QUO, "Begin forwarded message:", 1 }, { QUO, "Come?", 1 } },
      "See:\n\n> Begin forwarded message:\n>\n> Come?\n",
      "",
      NULL },
    { "empty", { { OWN, "", 0 } }, "", "", NULL },
};

static void write_steps(struct commonmark_writer *writer, struct convert_history *history, const struct step *steps)
{
    unsigned depth = 0;
    for (size_t i = 0; i < STEPS_MAX && steps[i].text; i++) {
        for (; depth > 0 && (steps[i].depth < depth || steps[i].part != steps[i - 1].part); depth--)
            commonmark_close_container(writer);
        convert_history_mark(history, steps[i].part);
        for (; depth < steps[i].depth; depth++)
            commonmark_open_quote(writer);
        commonmark_add_text(writer, steps[i].text, strlen(steps[i].text));
        commonmark_end_paragraph(writer);
    }
    for (; depth > 0; depth--)
        commonmark_close_container(writer);
}

static void check_split(size_t i, bool folds)
{
    struct strbuf out, own, history_out, expected;
    strbuf_init(&out, 10000);
    strbuf_init(&own, 10000);
    strbuf_init(&history_out, 10000);
    strbuf_init(&expected, 10000);
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    struct convert_history *history = convert_history_new(writer, &out);
    write_steps(writer, history, splits[i].steps);
    convert_history_split(history, folds, &own, &history_out);
    bool is_kept = !folds && splits[i].kept;
    strbuf_add_str(&expected, is_kept ? splits[i].kept : splits[i].own);
    if (!folds && !is_kept && *splits[i].history)
        strbuf_add_fmt(&expected, "\n%s", splits[i].history);
    print_message("%s\n", splits[i].name);
    assert_string_equal(own.data, expected.data);
    assert_string_equal(history_out.data, folds ? splits[i].history : "");
    convert_history_free(&history);
    commonmark_writer_free(&writer);
    strbuf_free(&out);
    strbuf_free(&own);
    strbuf_free(&history_out);
    strbuf_free(&expected);
}

static void test_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++)
        check_split(i, true);
}

static void test_keep(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++)
        check_split(i, false);
}

/* For HTML: what stands before a quote is looked at when the quote begins. Paragraphs; ">" before the text of a quote,
 * "!" before that of one that the markup says is a mail. */
static const struct {
    const char *name;
    const char *paragraphs[STEPS_MAX];
    const char *own, *history;
} documents[] = {
    { "attributed",
      { "Yes.", "On Mon, 3 Mar 2025 at 10:00, Bob <bob@example.com> wrote:", ">Come?" },
      "Yes.\n",
      "On Mon, 3 Mar 2025 at 10:00, Bob \\<bob@example.com> wrote:\n\n> Come?\n" },
    { "attributed in two paragraphs",
      { "Yes.", "On Mon, 3 Mar 2025 at 10:00, Bob <bob@example.com>", "wrote:", ">Come?" },
      "Yes.\n",
      "On Mon, 3 Mar 2025 at 10:00, Bob \\<bob@example.com>\n\nwrote:\n\n> Come?\n" },
    { "attributed in the last lines of a paragraph",
      { "Yes.\nSent from my phone\nOn Mon, 3 Mar 2025 at 10:00, Bob <bob@example.com>\nwrote:", ">Come?" },
      "Yes.  \nSent from my phone\n",
      "On Mon, 3 Mar 2025 at 10:00, Bob \\<bob@example.com>  \nwrote:\n\n> Come?\n" },
    { "emphasis through the lines",
      { "*Yes.\nOn Mon, 3 Mar 2025 at 10:00, Bob <bob@example.com> wrote:*", ">Come?" },
      "**Yes.  \nOn Mon, 3 Mar 2025 at 10:00, Bob \\<bob@example.com> wrote:**\n\n> Come?\n",
      "" },
    { "a quote of one's own", { "Yes.", "He said:", ">Never.", "So?" }, "Yes.\n\nHe said:\n\n> Never.\n\nSo?\n", "" },
    { "by the markup", { "!Come?", "Yes." }, "Yes.\n", "> Come?\n" },
    { "by the markup, answer above", { "Yes.", "Bob said:", "!Come?" }, "Yes.\n\nBob said:\n", "> Come?\n" },
    { "answers between", { "!One?", "Yes.", "!Two?", "No." }, "> One?\n\nYes.\n\n> Two?\n\nNo.\n", "" },
    { "Outlook",
      { "Yes.", "*From:* Bob\n*Sent:* 3 March 2025 10:00\n*To:* Alice\n*Subject:* Plans", "Come?" },
      "Yes.\n",
      "**From:** Bob  \n**Sent:** 3 March 2025 10:00  \n**To:** Alice  \n**Subject:** Plans\n\n> Come?\n" },
    { "a block of paragraphs",
      { "Yes.", "From: Bob", "Sent: 3 March 2025 10:00", "To: Alice <alice@example.org>", "Subject: Plans", "Come?" },
      "Yes.\n",
      "From: Bob\n\nSent: 3 March 2025 10:00\n\nTo: Alice \\<alice@example.org>\n\nSubject: Plans\n\n> Come?\n" },
    { "a separator, then the block",
      { "Yes.", "-----Original Message-----", "From: Bob\nSent: 3 March 2025\nTo: Alice\nSubject: Plans", "Come?" },
      "Yes.\n",
      "-----Original Message-----\n\nFrom: Bob  \nSent: 3 March 2025  \nTo: Alice  \nSubject: Plans\n\n> Come?\n" },
    { "forwarded",
      { "See:", "---------- Forwarded message ---------",
        "On Mon, 3 Mar 2025 10:00, Bob <b@example.com> wrote:", "!Come?" },
      "See:\n\n---------- Forwarded message ---------\n\nOn Mon, 3 Mar 2025 10:00, Bob \\<b@example.com> wrote:\n\n> "
      "Come?\n",
      "" },
    { "forwarded, by Apple", { "Begin forwarded message:", "!Come?" }, "Begin forwarded message:\n\n> Come?\n", "" },
};

/* Breaks and strong words. */
static void write_text(struct commonmark_writer *writer, const char *text)
{
    bool is_strong = false;
    while (*text) {
        size_t len = strcspn(text, "\n*");
        commonmark_add_text(writer, text, len);
        text += len;
        if (*text == '\n') {
            commonmark_add_break(writer);
            text++;
        } else if (*text == '*') {
            if (is_strong)
                commonmark_close_emphasis(writer, COMMONMARK_STRONG);
            else
                commonmark_open_emphasis(writer, COMMONMARK_STRONG);
            is_strong = !is_strong;
            text++;
        }
    }
}

static void write_document(struct commonmark_writer *writer, struct convert_history *history,
                           const char *const *paragraphs)
{
    for (size_t i = 0; i < STEPS_MAX && paragraphs[i]; i++) {
        bool is_quote = *paragraphs[i] == '>' || *paragraphs[i] == '!';
        bool is_history = is_quote && convert_history_begin_quote(history, *paragraphs[i] == '!');
        if (is_quote)
            commonmark_open_quote(writer);
        write_text(writer, paragraphs[i] + is_quote);
        commonmark_end_paragraph(writer);
        if (is_quote)
            commonmark_close_container(writer);
        if (is_history)
            convert_history_mark(history, CONVERT_HISTORY_OWN);
        convert_history_look_back(history);
    }
}

static void test_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        struct strbuf out, own, history_out;
        strbuf_init(&out, 10000);
        strbuf_init(&own, 10000);
        strbuf_init(&history_out, 10000);
        struct commonmark_writer *writer = commonmark_writer_new(&out);
        struct convert_history *history = convert_history_new(writer, &out);
        write_document(writer, history, documents[i].paragraphs);
        convert_history_split(history, true, &own, &history_out);
        print_message("%s\n", documents[i].name);
        assert_string_equal(own.data, documents[i].own);
        assert_string_equal(history_out.data, documents[i].history);
        convert_history_free(&history);
        commonmark_writer_free(&writer);
        strbuf_free(&out);
        strbuf_free(&own);
        strbuf_free(&history_out);
    }
}

/* A uuencoded file stood between them. */
static void test_texts_around_a_file(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second, *own, *history;
    } rows[] = {
        { "Yes.\n\n" WROTE "> Come?\n", "The list is attached.\n",
          "Yes.\n\nOn Mon, 3 Mar 2025 at 10:00, Bob Example <<bob@example.com>> wrote:\n\n> Come?\n\nThe list is "
          "attached.\n",
          "" },
        { WROTE "> Come?\n", "Yes.\n", "Yes.\n",
          "On Mon, 3 Mar 2025 at 10:00, Bob Example <<bob@example.com>> wrote:\n\n> Come?\n" },
        { "Yes.\n\n-----Original Message-----\n\nThe list:\n", "Bob\n", "Yes.\n",
          "-----Original Message-----\n\n> The list:\n>\n> Bob\n" },
    };
    static const struct convert_text_format format = { 0 };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf out, own, history_out;
        strbuf_init(&out, 10000);
        strbuf_init(&own, 10000);
        strbuf_init(&history_out, 10000);
        struct commonmark_writer *writer = commonmark_writer_new(&out);
        struct convert_history *history = convert_history_new(writer, &out);
        convert_text_write(writer, rows[i].first, strlen(rows[i].first), &format, history);
        convert_text_write(writer, rows[i].second, strlen(rows[i].second), &format, history);
        convert_history_split(history, true, &own, &history_out);
        assert_string_equal(own.data, rows[i].own);
        assert_string_equal(history_out.data, rows[i].history);
        convert_history_free(&history);
        commonmark_writer_free(&writer);
        strbuf_free(&out);
        strbuf_free(&own);
        strbuf_free(&history_out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find), cmocka_unit_test(test_find_is_limited), cmocka_unit_test(test_split),
        cmocka_unit_test(test_keep), cmocka_unit_test(test_documents),       cmocka_unit_test(test_texts_around_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
