/* gateway_attachment_test.c - what a file is, what a rule lets in, and the verdict about it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/attachment_rule.h"
#include "gateway/policy.h"

#define TEXT "Dear Alice,\n"
#define PDF  "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
#define PNG  "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
#define JPEG "\xff\xd8\xff\xe0\0\x10JFIF"
#define ZIP  "PK\3\4\x14\0\6\0"
#define OLE  "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0"
#define MZ   "MZ\x90\0\3\0\0\0\4\0"
#define ELF                                                                                                            \
    "\x7f"                                                                                                             \
    "ELF\2\1\1\0"
#define HTML "<!DOCTYPE html><html>"

struct octets {
    const char *data;
    size_t len;
};
#define OCTETS(literal)                                                                                                \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }

static const struct {
    struct octets start;
    enum attachment_format format;
} contents[] = {
    { OCTETS(""), ATTACHMENT_EMPTY },
    { OCTETS(TEXT), ATTACHMENT_TEXT },
    { OCTETS("Gr\xc3\xbc\xc3\x9f"
             "e\r\n"),
      ATTACHMENT_TEXT },
    { OCTETS("Gr\xfc\xdf"
             "e\r\n"),
      ATTACHMENT_TEXT },                               /* an older charset */
    { OCTETS("\x1b$B%F%9%H\x1b(B"), ATTACHMENT_TEXT }, /* ISO-2022-JP */
    { OCTETS("\xff\xfe"
             "a\0b\0"),
      ATTACHMENT_TEXT }, /* UTF-16 */
    { OCTETS("a\0b"), ATTACHMENT_OTHER },
    { OCTETS("a\1b"), ATTACHMENT_OTHER },
    { OCTETS(HTML), ATTACHMENT_HTML },
    { OCTETS("\xef\xbb\xbf \r\n<!-- a --> <!-- b --><HTML>"), ATTACHMENT_HTML },
    { OCTETS("<script>alert(1)</script>"), ATTACHMENT_HTML },
    { OCTETS("<!-- never ends <html>"), ATTACHMENT_TEXT },
    { OCTETS("<?xml version=\"1.0\"?><a/>"), ATTACHMENT_XML },
    { OCTETS("<svg xmlns=\"http://www.w3.org/2000/svg\"/>"), ATTACHMENT_XML },
    { OCTETS("a < b"), ATTACHMENT_TEXT },
    { OCTETS("{\\rtf1\\ansi"), ATTACHMENT_RTF },
    { OCTETS("%!PS-Adobe-3.0"), ATTACHMENT_POSTSCRIPT },
    { OCTETS(PDF), ATTACHMENT_PDF },
    { OCTETS(PNG), ATTACHMENT_PNG },
    { OCTETS(JPEG), ATTACHMENT_JPEG },
    { OCTETS("GIF89a\1\0"), ATTACHMENT_GIF },
    { OCTETS("RIFF\0\0\0\0WEBPVP8 "), ATTACHMENT_WEBP },
    { OCTETS("RIFF\0\0\0\0WAVEfmt "), ATTACHMENT_WAV },
    { OCTETS("RIFF\0\0\0\0AVI LIST"), ATTACHMENT_AVI },
    { OCTETS("RIFF\0\0\0\0ACONanih"), ATTACHMENT_OTHER },
    { OCTETS("\0\0\0\x18"
             "ftypheic"),
      ATTACHMENT_HEIC },
    { OCTETS("\0\0\0\x18"
             "ftypavif"),
      ATTACHMENT_AVIF },
    { OCTETS("\0\0\0\x18"
             "ftypisom"),
      ATTACHMENT_MP4 },
    { OCTETS("\0\0\0\x18"
             "ftyp"),
      ATTACHMENT_OTHER }, /* cut */
    { OCTETS("BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"), ATTACHMENT_BMP },
    { OCTETS("BMW sells cars, and other text"), ATTACHMENT_TEXT },
    { OCTETS("II*\0\x08"), ATTACHMENT_TIFF },
    { OCTETS("MM\0*\0"), ATTACHMENT_TIFF },
    { OCTETS("\0\0\1\0\1"), ATTACHMENT_ICON },
    { OCTETS("ID3\4"), ATTACHMENT_MP3 },
    { OCTETS("\xff\xfb\x90\x64"), ATTACHMENT_MP3 },
    { OCTETS("OggS\0"), ATTACHMENT_OGG },
    { OCTETS("#!AMR\n"), ATTACHMENT_AMR },
    { OCTETS(ZIP), ATTACHMENT_ZIP },
    { OCTETS("\x1f\x8b\x08"), ATTACHMENT_GZIP },
    { OCTETS("7z\xbc\xaf\x27\x1c"), ATTACHMENT_7Z },
    { OCTETS("Rar!\x1a\7\1\0"), ATTACHMENT_RAR },
    { OCTETS(OLE), ATTACHMENT_OLE },
    { OCTETS(MZ), ATTACHMENT_MZ },
    { OCTETS("MZ"), ATTACHMENT_MZ },
    { OCTETS("MZ is how each program for Windows begins, but text goes on like this one does"), ATTACHMENT_TEXT },
    { OCTETS(ELF), ATTACHMENT_ELF },
    { OCTETS("\xcf\xfa\xed\xfe"), ATTACHMENT_MACHO },
    { OCTETS("\xca\xfe\xba\xbe"), ATTACHMENT_JAVA },
    { OCTETS("#!/bin/sh\n"), ATTACHMENT_SCRIPT },
    { OCTETS("\xef\xbb\xbf#!/bin/sh\n"), ATTACHMENT_SCRIPT },
    { OCTETS("L\0\0\0\1\x14\2\0"), ATTACHMENT_SHORTCUT },
    { OCTETS("!<arch>\ndebian-binary"), ATTACHMENT_PACKAGE },
};

static void test_content_is_known_by_its_first_octets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++)
        assert_int_equal(attachment_format_find(contents[i].start.data, contents[i].start.len), contents[i].format);
    char tar[300] = "folder/";
    memcpy(tar + 257, "ustar", 5);
    assert_int_equal(attachment_format_find(tar, sizeof tar), ATTACHMENT_TAR);
    for (int i = 0; i < ATTACHMENT_FORMAT_COUNT; i++)
        assert_non_null(attachment_format_about((enum attachment_format)i)->name);
}

static void test_the_extension_is_what_a_system_would_take_for_it(void **state)
{
    (void)state;
    static const struct {
        const char *name, *extension;
    } rows[] = {
        { "report.pdf", "pdf" },
        { "REPORT.PDF", "pdf" },
        { "report", "" },
        { "invoice.pdf.exe", "exe" },
        { "setup.exe.", "exe" },
        { "setup.exe. . ", "exe" },
        { "Meeting at 5. See you", "" },
        { "x.tar.gz", "gz" },
        { "a.c++", "c++" },
        { "report.p\xc3\xa4", "?" },
        { "setup.exe\xc2\xa0", "?" },
        { "x.abcdefghijklmnopq", "?" },
        { "x.abcdefghijklmnop", "abcdefghijklmnop" },
        { "...", "" },
        { "", "" },
        { ".exe", "exe" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char extension[ATTACHMENT_EXTENSION_MAX + 1];
        attachment_extension(rows[i].name, extension);
        assert_string_equal(extension, rows[i].extension);
    }
}

static void test_rules_are_read_and_shown_in_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *given, *text, *wrong; /* one of the two is NULL */
    } rows[] = {
        { "yes", "yes", NULL },
        { "NO", "no", NULL },
        { "pdf", ".pdf", NULL },
        { ".PDF", ".pdf", NULL },
        { "pdf,image/*,.docx,text/calendar", ".pdf, image/*, .docx, text/calendar", NULL },
        { " pdf ,\t.pdf, PDF,", ".pdf", NULL },
        { "image/jpg,image/jpeg", "image/jpeg", NULL },
        { "dwg", ".dwg", NULL },
        { "", NULL, "it is empty" },
        { " , ", NULL, "it is empty" },
        { "yes,pdf", NULL, "stand alone" },
        { "pdf,no", NULL, "stand alone" },
        { "*", NULL, "say \"yes\"" },
        { "*/*", NULL, "say \"yes\"" },
        { "image", NULL, "first half of a media type" },
        { ".image", ".image", NULL }, /* some extension: nobody knows all of them */
        { "image/", NULL, "neither an extension" },
        { "/png", NULL, "neither an extension" },
        { "image/p*", NULL, "neither an extension" },
        { "a.b", NULL, "neither an extension" },
        { "*.pdf", NULL, "neither an extension" },
        { "p\xc3\xa4"
          "f",
          NULL, "neither an extension" },
        { "abcdefghijklmnopq", NULL, "neither an extension" },
        { "chemical/x-pdb", NULL, "no extension is known" },
        { "chemical/*", NULL, "no extension is known" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf error;
        strbuf_init(&error, 300);
        struct attachment_rule *rule = attachment_rule_new(rows[i].given, &error);
        if (rows[i].text) {
            assert_non_null(rule);
            assert_string_equal(attachment_rule_text(rule), rows[i].text);
            assert_int_equal(attachment_rule_is_open(rule), strcmp(rows[i].text, "yes") == 0);
            struct attachment_rule *again = attachment_rule_new(rows[i].text, &error);
            assert_string_equal(attachment_rule_text(again), rows[i].text); /* as the database gives it back */
            attachment_rule_free(&again);
        } else {
            assert_null(rule);
            assert_non_null(strstr(error.data, rows[i].wrong));
        }
        attachment_rule_free(&rule);
        strbuf_free(&error);
    }
}

static void test_rules_have_an_end(void **state)
{
    (void)state;
    struct strbuf text, error;
    strbuf_init(&text, 4000);
    strbuf_init(&error, 300);
    for (int i = 0; i < ATTACHMENT_RULE_ITEMS_MAX; i++)
        strbuf_add_fmt(&text, "x%d,", i);
    struct attachment_rule *rule = attachment_rule_new(text.data, &error);
    assert_non_null(rule);
    attachment_rule_free(&rule);
    strbuf_add_str(&text, "one-more");
    assert_null(attachment_rule_new(text.data, &error));
    assert_non_null(strstr(error.data, "more than 50"));
    strbuf_clear(&text);
    for (int i = 0; i < 112; i++) /* with the blanks and dots of its usual form it would be longer */
        strbuf_add_fmt(&text, "abcdefg%d,", i % 45);
    strbuf_clear(&error);
    rule = attachment_rule_new(text.data, &error);
    assert_null(rule);
    assert_non_null(strstr(error.data, "longer than 1000"));
    strbuf_free(&text);
    strbuf_free(&error);
}

static const struct {
    const char *rule, *name;
    struct octets start;
    enum attachment_verdict verdict;
    const char *by;
} files[] = {
    { "yes", "setup.exe", OCTETS(MZ), ATTACHMENT_ALLOWED, "yes" },
    { "no", "report.pdf", OCTETS(PDF), ATTACHMENT_NO_FILES, "" },
    { "no", "empty.txt", OCTETS(""), ATTACHMENT_NO_FILES, "" },
    { "pdf", "report.pdf", OCTETS(PDF), ATTACHMENT_ALLOWED, ".pdf" },
    { "application/pdf", "Report.PDF", OCTETS(PDF), ATTACHMENT_ALLOWED, "application/pdf" },
    { "pdf", "report", OCTETS(PDF), ATTACHMENT_ALLOWED, ".pdf" }, /* by its content alone */
    { "pdf", "report", OCTETS(TEXT), ATTACHMENT_NOT_LISTED, "" },
    { "pdf", "report.pdf", OCTETS(""), ATTACHMENT_ALLOWED, ".pdf" },
    { "pdf", "report.pdf", OCTETS(MZ), ATTACHMENT_OTHER_CONTENT, "" },
    { "pdf", "report.pdf", OCTETS(ELF), ATTACHMENT_OTHER_CONTENT, "" },
    { "pdf", "report.pdf", OCTETS("#!/bin/sh\n"), ATTACHMENT_OTHER_CONTENT, "" },
    { "pdf", "report.pdf", OCTETS(HTML), ATTACHMENT_OTHER_CONTENT, "" },
    { "pdf", "report.pdf", OCTETS(ZIP), ATTACHMENT_OTHER_CONTENT, "" },
    { "pdf", "report.pdf", OCTETS(TEXT), ATTACHMENT_OTHER_CONTENT, "" },
    { "pdf", "report.pdf", OCTETS("\1\2\3"), ATTACHMENT_OTHER_CONTENT, "" },
    { "pdf", "setup.exe", OCTETS(MZ), ATTACHMENT_NOT_LISTED, "" },
    { "pdf", "setup.exe", OCTETS(PDF), ATTACHMENT_NOT_LISTED, "" }, /* a name can do harm, too */
    { "pdf", "report.pdf.exe", OCTETS(PDF), ATTACHMENT_NOT_LISTED, "" },
    { "pdf", "setup.exe.", OCTETS(PDF), ATTACHMENT_NOT_LISTED, "" },
    { "pdf", "report.pdf\xc2\xa0", OCTETS(PDF), ATTACHMENT_NOT_LISTED, "" },
    { "image/*", "photo.png", OCTETS(PNG), ATTACHMENT_ALLOWED, "image/*" },
    { "image/*", "photo.png", OCTETS(JPEG), ATTACHMENT_ALLOWED, "image/*" }, /* both are pictures */
    { "png", "photo.png", OCTETS(JPEG), ATTACHMENT_OTHER_CONTENT, "" },
    { "image/*", "photo.png", OCTETS(HTML), ATTACHMENT_OTHER_CONTENT, "" },
    { "jpg", "photo.jpeg", OCTETS(JPEG), ATTACHMENT_ALLOWED, ".jpg" },
    { "jpg", "photo.jpg", OCTETS(JPEG), ATTACHMENT_ALLOWED, ".jpg" },
    { "image/heic", "photo.HEIC",
      OCTETS("\0\0\0\x18"
             "ftypheic"),
      ATTACHMENT_ALLOWED, "image/heic" },
    { "docx", "letter.docx", OCTETS(ZIP), ATTACHMENT_ALLOWED, ".docx" },
    { "docx", "letter.docx", OCTETS(OLE), ATTACHMENT_ALLOWED, ".docx" }, /* with a password */
    { "docx", "letter.docm", OCTETS(ZIP), ATTACHMENT_NOT_LISTED, "" },
    { "docx", "letter.zip", OCTETS(ZIP), ATTACHMENT_NOT_LISTED, "" },
    { "zip", "letter.docx", OCTETS(ZIP), ATTACHMENT_NOT_LISTED, "" },
    { "doc", "letter.doc", OCTETS("{\\rtf1"), ATTACHMENT_ALLOWED, ".doc" }, /* as some programs write it */
    { "doc", "letter.doc", OCTETS(HTML), ATTACHMENT_OTHER_CONTENT, "" },
    { "text/*", "notes.txt", OCTETS(TEXT), ATTACHMENT_ALLOWED, "text/*" },
    { "text/*", "run.sh", OCTETS(TEXT), ATTACHMENT_NOT_LISTED, "" },
    { "text/*", "notes.txt", OCTETS("#!/bin/sh\n"), ATTACHMENT_OTHER_CONTENT, "" },
    { "text/plain", "notes.txt", OCTETS(HTML), ATTACHMENT_OTHER_CONTENT, "" },
    { "text/*", "notes.txt", OCTETS(HTML), ATTACHMENT_ALLOWED, "text/*" },
    { "csv", "table.csv",
      OCTETS("Gr\xfc\xdf"
             "e;1\r\n"),
      ATTACHMENT_ALLOWED, ".csv" },
    { "csv", "table.csv", OCTETS("a\0b"), ATTACHMENT_OTHER_CONTENT, "" },
    { "text/calendar", "invite.ics", OCTETS("BEGIN:VCALENDAR\r\n"), ATTACHMENT_ALLOWED, "text/calendar" },
    { "application/ics", "invite.ics", OCTETS("BEGIN:VCALENDAR\r\n"), ATTACHMENT_ALLOWED, "text/calendar" },
    { "dwg", "plan.dwg", OCTETS("AC1032\0\0"), ATTACHMENT_ALLOWED, ".dwg" },
    { "dwg", "plan.dwg", OCTETS(MZ), ATTACHMENT_OTHER_CONTENT, "" },
    { "image/*", "plan.dwg", OCTETS(PNG), ATTACHMENT_NOT_LISTED, "" },
    { "exe", "setup.exe", OCTETS(MZ), ATTACHMENT_ALLOWED, ".exe" },
    { "audio/*", "voice.amr", OCTETS("#!AMR\n"), ATTACHMENT_ALLOWED, "audio/*" },
    { "pdf,zip", "x.pdf", OCTETS(ZIP), ATTACHMENT_ALLOWED, ".pdf" }, /* either way it is let in */
    { "application/*", "setup.exe", OCTETS(MZ), ATTACHMENT_ALLOWED, "application/*" },
    { "message/rfc822", "Hello.eml", OCTETS("From: bob@example.com\r\n"), ATTACHMENT_ALLOWED, "message/rfc822" },
};

/* Rule, name and content against the verdict, and the item that lets it in. */
static void test_a_file_is_let_in_by_its_name_and_its_content(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *by;
        struct strbuf error;
        strbuf_init(&error, 300);
        struct attachment_rule *rule = attachment_rule_new(files[i].rule, &error);
        assert_non_null(rule);
        struct attachment_file file = attachment_file_make(files[i].name, files[i].start.data, files[i].start.len);
        enum attachment_verdict verdict = attachment_rule_judge(rule, &file, &by);
        if (verdict != files[i].verdict || strcmp(by, files[i].by) != 0)
            print_error("row %zu: %s by %s\n", i, files[i].name, files[i].rule);
        assert_int_equal(verdict, files[i].verdict);
        assert_string_equal(by, files[i].by);
        attachment_rule_free(&rule);
        strbuf_free(&error);
    }
}

/* Whatever else is known, nothing but a look that found only welcome files lets a message in. */
static void test_every_verdict_about_files(void **state)
{
    (void)state;
    static const enum policy_look looks[] = { POLICY_LOOK_DONE, POLICY_LOOK_UNREADABLE, POLICY_LOOK_FAILED };
    for (size_t l = 0; l < 3; l++) {
        for (int v = ATTACHMENT_ALLOWED; v <= ATTACHMENT_OTHER_CONTENT; v++) {
            for (int f = 0; f < ATTACHMENT_FORMAT_COUNT; f++) {
                const struct policy_file file = { "x.pdf", (enum attachment_verdict)v, (enum attachment_format)f };
                const struct policy_attachment_facts facts = { .from = "bob@example.com",
                                                               .recipient = "alice@silo.example.org",
                                                               .allowed = v == ATTACHMENT_NO_FILES ? "no" : ".pdf",
                                                               .look = looks[l],
                                                               .refused = v == ATTACHMENT_ALLOWED ? NULL : &file };
                struct policy_verdict verdict = policy_judge_attachments(&facts);
                int code = looks[l] == POLICY_LOOK_FAILED ? 451
                           : looks[l] != POLICY_LOOK_DONE ? 550
                           : v == ATTACHMENT_ALLOWED      ? 250
                                                          : 550;
                assert_int_equal(verdict.reply.code, code);
                assert_int_equal(verdict.decision, code == 250   ? POLICY_ACCEPT
                                                   : code == 550 ? POLICY_REJECT
                                                                 : POLICY_DEFER);
                if (code != 250)
                    assert_string_equal(verdict.reply.enhanced, code == 550 ? "5.7.1" : "4.3.0");
            }
        }
    }
}

static void check_words(const char *name, const char *allowed, enum attachment_verdict file_verdict,
                        enum attachment_format format, const char *words)
{
    const struct policy_file file = { name, file_verdict, format };
    const struct policy_attachment_facts facts = {
        .from = "bob@example.com", .recipient = "alice@silo.example.org", .allowed = allowed, .refused = &file
    };
    assert_string_equal(policy_judge_attachments(&facts).reply.text, words);
}

static void test_the_sender_is_told_which_file_and_what_is_let_in(void **state)
{
    (void)state;
    check_words("x.pdf", "no", ATTACHMENT_NO_FILES, ATTACHMENT_PDF,
                "\"x.pdf\": <bob@example.com> may not send files to <alice@silo.example.org>");
    check_words("x.exe", ".pdf, image/*", ATTACHMENT_NOT_LISTED, ATTACHMENT_MZ,
                "\"x.exe\": <bob@example.com> may send only .pdf, image/* to <alice@silo.example.org>");
    check_words("x.pdf", ".pdf", ATTACHMENT_OTHER_CONTENT, ATTACHMENT_MZ,
                "\"x.pdf\" is a program for Windows: <bob@example.com> may send only .pdf to <alice@silo.example.org>");
    check_words(
        "x.pdf", ".pdf", ATTACHMENT_OTHER_CONTENT, ATTACHMENT_OTHER,
        "\"x.pdf\" is not what its name says: <bob@example.com> may send only .pdf to <alice@silo.example.org>");
    check_words("a\"> b\x7f.exe", "no", ATTACHMENT_NO_FILES, ATTACHMENT_MZ,
                "\"a?> b?.exe\": <bob@example.com> may not send files to <alice@silo.example.org>");
    /* cut within the limit, and not inside a character */
    check_words(
        "12345678901234567890123456789012345678901234567890123456789\xc3\xa4.exe", "no", ATTACHMENT_NO_FILES,
        ATTACHMENT_MZ,
        "\"12345678901234567890123456789012345678901234567890123456789...\": <bob@example.com> may not send files "
        "to <alice@silo.example.org>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_is_known_by_its_first_octets),
        cmocka_unit_test(test_the_extension_is_what_a_system_would_take_for_it),
        cmocka_unit_test(test_rules_are_read_and_shown_in_one_form),
        cmocka_unit_test(test_rules_have_an_end),
        cmocka_unit_test(test_a_file_is_let_in_by_its_name_and_its_content),
        cmocka_unit_test(test_every_verdict_about_files),
        cmocka_unit_test(test_the_sender_is_told_which_file_and_what_is_let_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
