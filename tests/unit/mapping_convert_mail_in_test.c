/* Mail -> thread message: structure, names, headers, and mail that means harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mime_field.h"
#include "mapping/convert_mime_in.h"
#include "mapping/convert_names.h"
#include "mapping/convert_utf8.h"
#include "mapping/convert_wire.h"
#include "tests/unit/cpu_time.h"

static struct convert_charsets *charsets;

struct outcome {
    struct convert_in_message message;
    struct strbuf content;
};

static void collect(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

/* Converts, and holds what must be true of every result. */
static void convert_as(const char *mail, size_t len, bool is_automatic, struct outcome *outcome)
{
    char *copy = xmemdup(mail, len > 0 ? len : 1); /* exactly as long, so that a read beyond is found */
    strbuf_init(&outcome->content, (size_t)256 << 20);
    struct convert_input input = convert_input_of(copy, len);
    convert_mime_in(charsets, &input, &(struct convert_in_options){ .is_automatic = is_automatic }, collect,
                    &outcome->content, &outcome->message);
    free(copy);
    struct strbuf description;
    strbuf_init(&description, CONVERT_META_MAX);
    convert_wire_encode_in(&outcome->message, &description);
    struct convert_in_message back;
    const char *error = NULL;
    int result =
        convert_wire_decode_in(description.data, description.len, (int64_t)outcome->content.len, &back, &error);
    if (result != 1)
        fail_msg("the daemon would not believe it: %s", error);
    assert_true(convert_utf8_is_valid(outcome->content.data, (size_t)outcome->message.body_size));
    convert_in_message_free(&back);
    strbuf_free(&description);
}

static void convert(const char *mail, size_t len, struct outcome *outcome)
{
    convert_as(mail, len, false, outcome);
}

static void outcome_free(struct outcome *outcome)
{
    convert_in_message_free(&outcome->message);
    strbuf_free(&outcome->content);
}

static char *body_of(const struct outcome *outcome)
{
    return xstrndup(outcome->content.data, (size_t)outcome->message.body_size);
}

/* The names and sizes of the attachments: "u:a.txt 5, u:b.txt 7". */
static char *attachments_of(const struct outcome *outcome)
{
    struct strbuf list;
    strbuf_init(&list, 1 << 20);
    for (size_t i = 0; i < outcome->message.attachment_count; i++)
        strbuf_add_fmt(&list, "%s%s %d", i > 0 ? ", " : "", outcome->message.attachments[i].name,
                       (int)outcome->message.attachments[i].size);
    return strbuf_detach(&list);
}

#define TYPE(type)            "MIME-Version: 1.0\r\nContent-Type: " type "\r\n\r\n"
#define PART(fields, content) "--b\r\n" fields "\r\n\r\n" content "\r\n"
#define PLAIN                 "Content-Type: text/plain"
#define HTML                  "Content-Type: text/html"
#define FILE_FIELDS           "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="

static const struct structure {
    const char *mail, *body, *attachments;
} structures[] = {
    { "\r\nText\r\n", "Text\n", "" },
    { "Subject: x\r\n\r\n", "(no text)\n", "" },
    { "Subject: x", "(no text)\n", "" },
    { "Text without any header\r\n", "Text without any header\n", "" },
    { TYPE("text/html") "<p>a</p>", "a\n", "" },
    { TYPE("text/plain; name=letter.txt") "a", "a\n", "" },
    { TYPE("text/enriched") "a", "a\n", "" },
    { TYPE("text/enriched") "<bold>Now</bold> is <<the> time.\r\nOne line.\r\n\r\n<color><param>red</param>Two</color>",
      "**Now** is \\<the> time. One line.  \nTwo\n", "" },
    { TYPE("text/richtext") "a <lt> b<nl>c & <italic>d</italic><", "a < b  \nc & _d_<\n", "" },
    { TYPE("application/pdf") "%PDF", "", "u:part-1.pdf 4" },
    { "Content-Disposition: attachment; filename=a.txt\r\n\r\na", "", "u:a.txt 1" },
    /* alternatives */
    { TYPE("multipart/alternative; boundary=b") PART(PLAIN, "plain") PART(HTML, "html") "--b--", "plain\n", "" },
    { TYPE("multipart/alternative; boundary=b") PART(HTML, "html") PART(PLAIN, "plain") "--b--", "plain\n", "" },
    { TYPE("multipart/alternative; boundary=b") PART(PLAIN, " \r\n ") PART(HTML, "html") "--b--", "html\n", "" },
    { TYPE("multipart/alternative; boundary=b") PART(PLAIN, "a") PART("Content-Type: text/calendar", "BEGIN") "--b--",
      "a\n", "u:invitation.ics 5" },
    { TYPE("multipart/alternative; boundary=b") PART(PLAIN, "plain")
          PART("Content-Type: multipart/related; boundary=c",
               "--c\r\n" HTML "\r\n\r\n<img src='cid:i'>\r\n--c\r\n"
               "Content-Type: image/png; name=i.png\r\nContent-ID: <i>\r\n\r\nPNG\r\n--c--") "--b--",
      "plain\n", "u:i.png 3" },
    { TYPE("multipart/alternative; boundary=b")
          PART(PLAIN, "plain") /* nor is a file a form because it is called text */
      PART("Content-Type: text/plain; name=a.exe", "MZ\x01\x02\x03\x04\x05\x06\x07\x08")
          PART("Content-Type: text/x-amp-html; name=a.js", "x") "--b--",
      "plain\n", "u:a.exe 10, u:a.js 1" },
    { TYPE("multipart/alternative; boundary=b") PART("Content-Type: image/png", "PNG") "--b--", "", "u:part-1.png 3" },
    /* a third of the words that only HTML has: not four of twelve, but four of ten */
    { TYPE("multipart/alternative; boundary=b") PART(PLAIN, "a b c d e f g h")
          PART(HTML, "a b c d e f g h i j k l") "--b--",
      "a b c d e f g h\n", "" },
    { TYPE("multipart/alternative; boundary=b") PART(PLAIN, "a b c d e f") PART(HTML, "a b c d e f g h i j") "--b--",
      "a b c d e f g h i j\n", "" },
    /* a link does not make a text one that HTML has to replace */
    { TYPE("multipart/alternative; boundary=b") PART(PLAIN, "See the red gate today, please: https://x.example")
          PART(HTML, "See the red gate today") "--b--",
      "See the red gate today, please: <https://x.example>\n", "" },
    /* related */
    { TYPE("multipart/related; boundary=b") PART(HTML, "see <img src='cid:i@x' alt=gate>")
          PART("Content-Type: image/png; name=i.png\r\nContent-ID: <i@x>", "PNG") "--b--",
      "see ![gate](this_u:i.png)\n", "u:i.png 3" },
    { TYPE("multipart/related; boundary=b; start=\"<r>\"") PART("Content-Type: image/png\r\nContent-ID: <i>", "PNG")
          PART(HTML "\r\nContent-ID: <r>", "<img src=\"cid:i\" alt=x>") "--b--",
      "![x](this_u:part-1.png)\n", "u:part-1.png 3" },
    /* mixed */
    { TYPE("multipart/mixed; boundary=b") PART(PLAIN, "one") PART(FILE_FIELDS "f", "data") PART(PLAIN, "two") "--b--",
      "one\n\n---\n\ntwo\n", "u:f 4" },
    { TYPE("multipart/mixed; boundary=b") PART(HTML, "<b>one</b>") PART(PLAIN, "two") "--b--",
      "**one**\n\n---\n\ntwo\n", "" },
    { TYPE("multipart/mixed; boundary=b") PART(PLAIN, "one")
          PART("Content-Disposition: inline; filename=n.txt", "n") "--b--",
      "one\n", "u:n.txt 1" },
    { TYPE("multipart/mixed; boundary=b") "preamble\r\n" PART("", "one") "--b--\r\n", "one\n", "" },
    { TYPE("multipart/mixed; boundary=b") PART("", "one") "--b--\r\nepilogue",
      "one\n\n---\n\n_Text outside of the parts of this message is attached as \"outside.txt\"._\n",
      "u:outside.txt 8" },
    { TYPE("multipart/mixed; boundary=b") PART(PLAIN, "no end"), "no end\n", "" },
    { TYPE("multipart/mixed; boundary=b") "--b\r\nno empty line\r\n--b--", "no empty line\n", "" },
    { TYPE("multipart/mixed; boundary=\"b c\"") "--b c\r\n\r\none\r\n--b c--", "one\n", "" },
    { TYPE("multipart/mixed; boundary=b") "--b  \r\n\r\none\r\n--bb\r\n--b--", "one  \n--bb\n", "" },
    { TYPE("multipart/digest; boundary=b") "--b\r\n\r\nSubject: Inner\r\n\r\ntext\r\n--b--",
      "Attached message: [Inner](this_u:Inner.eml)\n", "u:Inner.eml 22" },
    { TYPE("multipart/mixed; boundary=b")
          PART("Content-Type: message/rfc822", "Subject: =?utf-8?Q?a/b?=\r\n\r\n--b?\r\n") "--b--",
      "Attached message: [a/b](this_u:a_b.eml)\n", "u:a_b.eml 34" },
    { TYPE("multipart/signed; boundary=b") PART(PLAIN, "signed")
          PART("Content-Type: application/pgp-signature", "-----BEGIN PGP SIGNATURE-----") "--b--",
      "signed\n\n---\n\n_This message is signed (PGP). The signature was not checked: it is in "
      "\"original.eml\"._\n",
      "u:original.eml 190" },
    { TYPE("multipart/signed; boundary=b") PART(PLAIN, "signed") /* what is only called a signature is a file */
      PART("Content-Type: application/pgp-signature; name=a.exe", "-----BEGIN PGP SIGNATURE-----")
          PART("Content-Type: application/pkcs7-signature; name=smime.p7s", "MZ") "--b--",
      "signed\n\n---\n\n_This message is signed (PGP). The signature was not checked: it is in "
      "\"original.eml\"._\n",
      "u:a.exe 29, u:smime.p7s 2, u:original.eml 272" },
    { TYPE("message/rfc822") "Subject: In\r\n\r\nx", "Attached message: [In](this_u:In.eml)\n", "u:In.eml 16" },
    /* encodings */
    { "Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n", "Hello\n", "" },
    { "Content-Transfer-Encoding: Quoted-Printable \r\n\r\nH=65llo\r\n", "Hello\n", "" },
    { TYPE("text/plain; charset=iso-8859-1; format=flowed") "gr\xFC\xDF \r\ndich", "grüß dich\n", "" },
};

static void test_structures(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof structures / sizeof structures[0]; i++) {
        struct outcome outcome;
        convert(structures[i].mail, strlen(structures[i].mail), &outcome);
        char *body = body_of(&outcome);
        char *attachments = attachments_of(&outcome);
        assert_string_equal(body, structures[i].body);
        assert_string_equal(attachments, structures[i].attachments);
        if (strcmp(outcome.message.detail, "HTML shown") != 0)
            assert_string_equal(outcome.message.detail, ""); /* nothing is missing */
        free(body);
        free(attachments);
        outcome_free(&outcome);
    }
}

/* What can't be carried as it should is said, and the mail itself comes along. */
static void test_damage_is_told(void **state)
{
    (void)state;
    static const struct row {
        const char *mail, *body, *note;
    } rows[] = {
        { "Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8=SGlkZGVu\r\n", "HelloHidden\n",
          "text of this message arrived damaged" },
        { TYPE("text/plain; charset=x-martian") "gr\xC3\xBC", "grü\n",
          "charset that is not known here, \"x-martian\"" },
        { "Content-Transfer-Encoding: rot13\r\n\r\nUryyb\r\n", "Uryyb\n", "arrived damaged" },
        { TYPE("text/plain; charset=\"x\\\". It is safe. \\\"\"") "gr\xC3\xBC", "grü\n",
          "charset that is not known here. The mail" }, /* nobody's words in ours */
        { TYPE("multipart/mixed") "a\r\n", "a\n", "could not be told apart" },
        { TYPE("multipart/mixed; boundary=b") "a\r\n", "a\n", "could not be told apart" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outcome outcome;
        convert(rows[i].mail, strlen(rows[i].mail), &outcome);
        char *body = body_of(&outcome);
        assert_int_equal(strncmp(body, rows[i].body, strlen(rows[i].body)), 0);
        assert_non_null(strstr(body, "\n---\n\n"));
        assert_non_null(strstr(outcome.message.detail, rows[i].note));
        assert_int_equal(outcome.message.attachment_count, 1);
        assert_string_equal(outcome.message.attachments[0].name, CONVERT_ORIGINAL_NAME);
        assert_string_equal(outcome.content.data + outcome.message.body_size, rows[i].mail);
        assert_false(outcome.message.is_fallback);
        free(body);
        outcome_free(&outcome);
    }
}

/* Where other programs may find other files than we did, whoever judges the files must know. */
static void test_doubt_is_told(void **state)
{
    (void)state;
    static const struct row {
        const char *mail;
        bool is_doubtful;
    } rows[] = {
        { "\r\nHello\r\n", false },
        { TYPE("text/plain; charset=x-martian") "gr\xC3\xBC", false },
        { "Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8=SGlkZGVu\r\n", false },
        { TYPE("multipart/mixed; boundary=b") "Only text.\r\n", false },
        { TYPE("multipart/signed; protocol=\"application/pgp-signature\"; boundary=b") "--b\r\n\r\nHello\r\n--b\r\n"
                                                                                       "Content-Type: "
                                                                                       "application/"
                                                                                       "pgp-signature\r\n\r\nx\r\n--b--"
                                                                                       "\r\n",
          false },
        { TYPE("multipart/mixed; boundary=b") "x\r\nContent-Type: application/x-y\r\n\r\nx\r\n", true },
        /* the original has a file in it that is shown as the text, or left out */
        { TYPE("text/plain; name=a.bat") "del *.*", false },
        { TYPE("text/plain; name=a.bat; charset=x-martian") "gr\xC3\xBC", true },
        { TYPE("multipart/signed; protocol=\"application/pgp-signature\"; boundary=b")
              PART("Content-Type: text/plain; name=a.bat", "del *.*")
                  PART("Content-Type: application/pgp-signature", "-----BEGIN PGP SIGNATURE-----") "--b--",
          true },
        { TYPE("multipart/signed; protocol=\"application/pgp-signature\"; boundary=b")
              PART("Content-Type: multipart/alternative; boundary=c",
                   "--c\r\n\r\nHello\r\n--c\r\nContent-Type: text/plain; name=a.bat\r\n\r\nHello\r\n--c--")
                  PART("Content-Type: application/pgp-signature", "-----BEGIN PGP SIGNATURE-----") "--b--",
          true },
        { TYPE("multipart/mixed; boundary=b") "x\r\nCONTENT-TYPE: application/x-y\r\n\r\nx\r\n", true },
        { "Content-Type: application/x-y\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8=SGlkZGVu\r\n", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outcome outcome;
        convert(rows[i].mail, strlen(rows[i].mail), &outcome);
        if (outcome.message.is_doubtful != rows[i].is_doubtful)
            fail_msg("row %zu: %s", i, outcome.content.data);
        outcome_free(&outcome);
    }
}

static void test_headers(void **state)
{
    (void)state;
    static const struct row {
        const char *mail, *subject, *from;
    } rows[] = {
        { "\r\n", CONVERT_NO_SUBJECT, "" },
        { "Subject:\r\nFrom: bob@example.com\r\n\r\n", CONVERT_NO_SUBJECT, "" },
        { "SUBJECT : Hello\r\nfrom: Bob <bob@example.com>\r\n\r\n", "Hello", "Bob" },
        { "Subject: two\r\n lines\r\n\tof  it\r\n\r\n", "two lines of it", "" },
        { "Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\nFrom: =?iso-8859-1?Q?Bob_M=FCnster?= <bob@example.com>\r\n\r\n",
          "Grüße", "Bob Münster" },
        { "Subject: =?utf-8?Q?a?=\r\n =?utf-8?Q?b?= c =?utf-8?Q?d?=\r\n\r\n", "ab c d", "" },
        { "Subject: =?utf-8?B?w?= =?utf-8?B?7w=?=\r\n\r\n", "\xEF\xBF\xBD", "" }, /* base64 cut inside */
        { "Subject: =?utf-8?Q?=C3?= =?utf-8?Q?=BC?=\r\n\r\n", "ü", "" },          /* a character in two words */
        { "Subject: =?utf-8*de?q?a=20b?=\r\n\r\n", "a b", "" },
        { "Subject: =?nonsense\r\n\r\n", "=?nonsense", "" },
        { "Subject: gr\xC3\xBC \x01\x7F\r\n\r\n", "grü", "" },
        { "Subject: gr\xFC\r\n\r\n", "grü", "" },
        { "Subject: =?utf-8?Q?a=0D=0ABcc:_x?=\r\n\r\n", "a Bcc: x", "" }, /* no line breaks out of encoded words */
        { "Subject: a\r\nSubject: b\r\n\r\n", "a", "" },
        { "From: \"Bob \\\"B\\\" Stone, jr.\" <bob@example.com>\r\n\r\n", CONVERT_NO_SUBJECT, "Bob \"B\" Stone, jr." },
        { "From: bob@example.com (Bob)\r\n\r\n", CONVERT_NO_SUBJECT, "Bob" },
        { "From: \"=?utf-8?Q?M=C3=BCnster?=\" <bob@example.com>\r\n\r\n", CONVERT_NO_SUBJECT, "Münster" },
        { "From: <bob@example.com>\r\n\r\n", CONVERT_NO_SUBJECT, "" },
        { "From: (\r\n\r\n", CONVERT_NO_SUBJECT, "" },
        { "From: \"\r\n\r\n", CONVERT_NO_SUBJECT, "" },
        { "From: a\xE2\x80\xAE"
          "b <x@example.com>\r\n\r\n",
          CONVERT_NO_SUBJECT, "a b" }, /* no turning of text */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outcome outcome;
        convert(rows[i].mail, strlen(rows[i].mail), &outcome);
        assert_string_equal(outcome.message.subject, rows[i].subject);
        assert_string_equal(outcome.message.from_name, rows[i].from);
        outcome_free(&outcome);
    }
}

static void test_names(void **state)
{
    (void)state;
    static const struct row {
        const char *parameter, *name;
    } rows[] = {
        { "filename=a.txt", "u:a.txt" },
        { "filename=\"a b.txt\"", "u:a b.txt" },
        { "filename=\"../../etc/passwd\"", "u:_._.._etc_passwd" },
        { "filename=\"C:\\\\dir\\\\a.txt\"", "u:C__dir_a.txt" },
        { "filename=\".hidden\"", "u:_hidden" },
        { "filename=\"a.txt. \"", "u:a.txt" },
        { "filename=\"..\"", "u:_" },
        { "filename=\"\"", "u:part-1.bin" },
        { "filename*=utf-8''%C3%BC.txt", "u:ü.txt" },
        { "filename*=utf-8''a%0D%0Ab%00c.txt", "u:a b c.txt" },
        { "filename*0=\"long \";\r\n filename*1=name.txt", "u:long name.txt" },
        { "filename*0*=iso-8859-1''gr%FC;\r\n filename*1=x.txt", "u:grüx.txt" },
        { "filename=\"=?utf-8?Q?=C3=BC.txt?=\"", "u:ü.txt" },
        { "filename=gr\xC3\xBC.txt", "u:grü.txt" },
        { "filename=\"what?.txt\"", "u:what_.txt" },
        { "filename=\"<a>|b*\\\".txt\"", "u:_a__b__.txt" },
        { "filename=NUL", "u:_NUL" },
        { "filename=\"x.exe\xC2\xA0\"", "u:x.exe" }, /* blanks, and what does not show, behind it */
        { "filename=\"x.exe\xE3\x85\xA4\"", "u:x.exe" },
        { "filename=\"x.exe\xF3\xA0\x80\xA0\"", "u:x.exe" },
        { "filename=com1.txt", "u:_com1.txt" },
        { "filename=\"aux .log.txt\"", "u:_aux .log.txt" },
        { "filename=common.txt", "u:common.txt" },
        { "filename=a\xE2\x80\x8B\xC2\xAD.txt", "u:a.txt" }, /* nothing that does not show */
        { "filename=\xE2\x80\x8B", "u:part-1.bin" },
        /* NOLINTNEXTLINE(misc-misleading-bidirectional): the override is what is tested */
        { "filename=a\xE2\x80\xAEtxt.exe", "u:a txt.exe" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf mail;
        strbuf_init(&mail, 10000);
        strbuf_add_fmt(&mail, "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; %s\r\n\r\nx",
                       rows[i].parameter);
        struct outcome outcome;
        convert(mail.data, mail.len, &outcome);
        assert_int_equal(outcome.message.attachment_count, 1);
        assert_string_equal(outcome.message.attachments[0].name, rows[i].name);
        outcome_free(&outcome);
        strbuf_free(&mail);
    }
}

/* What the sender left open, the type says, or the first octets. */
static void test_extensions(void **state)
{
    (void)state;
    static const struct row {
        const char *fields, *content, *name;
    } rows[] = {
        { "Content-Type: application/pdf; name=report", "%PDF-1.4", "u:report.pdf" },
        { "Content-Type: application/pdf; name=\"Report Nr. 5\"", "x", "u:Report Nr. 5.pdf" },
        { "Content-Type: application/pdf; name=v1.2", "x", "u:v1.2.pdf" },
        { "Content-Type: application/pdf; name=report.doc", "x", "u:report.doc" },
        { "Content-Type: application/octet-stream; name=scan", "%PDF-1.4", "u:scan.pdf" },
        { "Content-Type: application/octet-stream; name=scan\r\nContent-Transfer-Encoding: base64", "JVBERi0xLjQK",
          "u:scan.pdf" },
        { "Content-Type: application/octet-stream", "\x89PNG\r\n\x1A\n", "u:part-1.png" },
        { "Content-Type: application/octet-stream", "what", "u:part-1.bin" },
        { "Content-Type: application/x-unheard-of", "PK\x03\x04", "u:part-1.zip" },
        { "Content-Type: application/octet-stream; name=README", "text", "u:README" },
        { "Content-Type: text/plain; name=README\r\nContent-Disposition: attachment", "text", "u:README" },
        { "Content-Type: application/octet-stream; name=empty.dat", "", "u:empty.dat" },
        { "Content-Type: message/delivery-status", "x", "u:delivery-status.txt" },
        { "Content-Type: message/rfc822; name=Forwarded", "Subject: x\r\n\r\ny", "u:Forwarded.eml" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf mail;
        strbuf_init(&mail, 10000);
        strbuf_add_fmt(&mail, "%s\r\n\r\n%s", rows[i].fields, rows[i].content);
        struct outcome outcome;
        convert(mail.data, mail.len, &outcome);
        assert_int_equal(outcome.message.attachment_count, 1);
        assert_string_equal(outcome.message.attachments[0].name, rows[i].name);
        outcome_free(&outcome);
        strbuf_free(&mail);
    }
}

static void test_names_are_unique_and_short(void **state)
{
    (void)state;
    struct convert_names names = { 0 };
    assert_string_equal(convert_names_add(&names, "a.txt", "x"), "u:a.txt");
    assert_string_equal(convert_names_add(&names, "A.TXT", "x"), "u:A (2).TXT");
    assert_string_equal(convert_names_add(&names, "a.txt", "x"), "u:a (3).txt");
    char long_name[1001];
    for (size_t i = 0; i + 2 < sizeof long_name; i += 2)
        memcpy(long_name + i, "\xC3\xBC", 2);
    memcpy(long_name + sizeof long_name - 6, ".jpeg", 6);
    for (int i = 0; i < 2; i++) {
        const char *name = convert_names_add(&names, long_name, "x");
        assert_true(strlen(name) <= CONVERT_NAME_MAX);
        assert_true(convert_utf8_is_valid(name, strlen(name)));
        assert_string_equal(name + strlen(name) - 5, ".jpeg");
    }
    convert_names_free(&names);
}

static void test_long_text_is_attached(void **state)
{
    (void)state;
    static const char *const headers[] = { TYPE("text/plain"), TYPE("text/html") };
    static const char *const names[] = { "u:message.txt", "u:message.html" };
    for (size_t i = 0; i < 2; i++) {
        struct strbuf mail;
        strbuf_init(&mail, 10 << 20);
        strbuf_add_str(&mail, headers[i]);
        while (mail.len < 2 << 20)
            strbuf_add_str(&mail, "A line of text that is repeated.\r\n");
        struct outcome outcome;
        convert(mail.data, mail.len, &outcome);
        assert_int_equal(outcome.message.attachment_count, 1);
        assert_string_equal(outcome.message.attachments[0].name, names[i]);
        assert_int_equal(outcome.message.attachments[0].size, mail.len - strlen(headers[i]));
        assert_non_null(strstr(outcome.message.detail, "text that is too long"));
        outcome_free(&outcome);
        strbuf_free(&mail);
    }
}

/* ---- mail that means harm ---- */

static void add_repeated(struct strbuf *out, const char *text, size_t count)
{
    for (; count > 0; count--)
        strbuf_add_str(out, text);
}

/* Converts within a few seconds even under sanitizers; returns whether in the fallback form. */
static bool survives(struct strbuf *mail, bool *has_original_out)
{
    struct outcome outcome;
    assert_true(strbuf_ok(mail));
    double start = cpu_seconds();
    convert(mail->data, mail->len, &outcome);
    assert_true(cpu_seconds() - start < 15);
    bool fallback = outcome.message.is_fallback;
    assert_true(outcome.message.is_doubtful || !fallback);
    size_t last = outcome.message.attachment_count;
    *has_original_out = last > 0 && outcome.message.attachments[last - 1].size == (int64_t)mail->len;
    outcome_free(&outcome);
    strbuf_clear(mail);
    return fallback;
}

static void test_hostile_mail(void **state)
{
    (void)state;
    struct strbuf mail;
    bool original;
    strbuf_init(&mail, (size_t)64 << 20);

    strbuf_add_str(&mail, "From: "); /* nested groups */
    add_repeated(&mail, "g:", 50 * 1024);
    strbuf_add_str(&mail, "\r\n\r\nx");
    assert_false(survives(&mail, &original));

    for (int length = 60; length <= 80; length++) { /* parameter names that common decoders loop over */
        strbuf_add_str(&mail, "Content-Type: text/plain; ");
        add_repeated(&mail, "n", (size_t)length);
        strbuf_add_str(&mail, "*0*=");
        add_repeated(&mail, "%20", 1000);
        strbuf_add_str(&mail, "\r\n\r\nx");
        assert_false(survives(&mail, &original));
    }

    for (int i = 0; i < 1000; i++) { /* depth */
        strbuf_add_fmt(&mail, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
    }
    assert_true(survives(&mail, &original));
    assert_true(original);

    strbuf_add_str(&mail, TYPE("multipart/mixed; boundary=b"));
    add_repeated(&mail, "--b\r\n\r\n", 500000); /* parts */
    assert_true(survives(&mail, &original));

    add_repeated(&mail, "X: y\r\n", 2000000); /* fields */
    assert_true(survives(&mail, &original));
    assert_true(original);

    strbuf_add_str(&mail, "Content-Type: text/plain"); /* a field */
    add_repeated(&mail, ";\r\n x=y", 100000);
    assert_true(survives(&mail, &original));

    strbuf_add_str(&mail, "Subject: "); /* encoded words that do not end */
    add_repeated(&mail, "=?a?q?b", 30000);
    strbuf_add_str(&mail, "\r\n\r\nx");
    assert_false(survives(&mail, &original));

    strbuf_add_str(&mail, TYPE("text/html"));
    add_repeated(&mail, "<div><b><ul><li>x", 20 * 1024 * 1024 / 17);
    assert_false(survives(&mail, &original));

    strbuf_add_str(&mail, TYPE("text/plain"));
    add_repeated(&mail, ">", 3 * 1024 * 1024);
    assert_false(survives(&mail, &original));

    strbuf_add_str(&mail, TYPE("text/plain"));
    add_repeated(&mail, "\t", 3 * 1024 * 1024);
    strbuf_add_char(&mail, 'x');
    assert_false(survives(&mail, &original));

    strbuf_add_str(&mail, TYPE("multipart/mixed; boundary=b"));
    for (int i = 0; i < 990; i++)
        strbuf_add_str(
            &mail, PART("Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=same", "A=A"));
    assert_false(survives(&mail, &original));
    assert_true(original);
    strbuf_free(&mail);
}

/* ---- answers that are not to be believed ---- */

static void test_descriptions_are_checked(void **state)
{
    (void)state;
    struct convert_in_attachment attachments[] = { { (char[]){ "u:a.txt" }, 3 }, { (char[]){ "u:b.txt" }, 4 } };
    const struct convert_in_message good = { .subject = (char[]){ "s" },
                                             .from_name = (char[]){ "f" },
                                             .detail = (char[]){ "" },
                                             .body_size = 5,
                                             .attachments = attachments,
                                             .attachment_count = 2 };
    struct strbuf description;
    strbuf_init(&description, 4096);
    convert_wire_encode_in(&good, &description);
    struct convert_in_message back;
    const char *error;
    assert_int_equal(convert_wire_decode_in(description.data, description.len, 12, &back, &error), 1);
    convert_in_message_free(&back);
    assert_int_equal(convert_wire_decode_in(description.data, description.len, 11, &back, &error), -1);
    assert_int_equal(convert_wire_decode_in(description.data, description.len, 13, &back, &error), -1);
    for (size_t len = 0; len < description.len; len++) /* cut anywhere */
        assert_int_equal(convert_wire_decode_in(description.data, len, 12, &back, &error), -1);
    strbuf_add_char(&description, 0);
    assert_int_equal(convert_wire_decode_in(description.data, description.len, 12, &back, &error), -1);
    strbuf_free(&description);

    static const struct row {
        const char *subject, *name;
        int64_t size;
    } bad[] = {
        { "", "u:b.txt", 4 },   { "a\nb", "u:b.txt", 4 }, { "a\xFF", "u:b.txt", 4 },
        { "s", "u:A.TXT", 4 },  { "s", "u:", 4 },         { "s", "r:b.txt", 4 },
        { "s", "u:a/b", 4 },    { "s", "u:a\nb", 4 },     { "s", "u:b.txt", INT64_MAX },
        { "s", "u:b.txt", -4 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct convert_in_message message = good;
        struct convert_in_attachment second[] = { attachments[0], { xstrdup(bad[i].name), bad[i].size } };
        message.subject = xstrdup(bad[i].subject);
        message.attachments = second;
        strbuf_init(&description, 4096);
        convert_wire_encode_in(&message, &description);
        assert_int_equal(convert_wire_decode_in(description.data, description.len, 12, &back, &error), -1);
        strbuf_free(&description);
        free(message.subject);
        free(second[1].name);
    }
}

/* The body begins with what a member has to know first; attachments stay where they belong. */
static void test_automatic_mail_says_so_first(void **state)
{
    (void)state;
    static const struct {
        const char *mail, *body, *attachments, *behind;
    } cases[] = {
        { "Subject: x\r\n\r\nI am away.\r\n", CONVERT_AUTOMATIC "I am away.\n", "", "" },
        { "Content-Type: text/html\r\n\r\n<p>I am <b>away</b></p>", CONVERT_AUTOMATIC "I am **away**\n", "", "" },
        { "Subject: x\r\n\r\n", CONVERT_AUTOMATIC CONVERT_NO_TEXT, "", "" },
        { "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n"
          "Content-Disposition: attachment; filename=a.txt\r\n\r\nfive!\r\n--b--\r\n",
          CONVERT_AUTOMATIC "text\n", "u:a.txt 5", "five!" },
        { "Content-Disposition: attachment; filename=a.txt\r\n\r\nfive!", CONVERT_AUTOMATIC, "u:a.txt 5", "five!" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome outcome;
        convert_as(cases[i].mail, strlen(cases[i].mail), true, &outcome);
        char *body = body_of(&outcome), *attachments = attachments_of(&outcome);
        assert_string_equal(body, cases[i].body);
        assert_string_equal(attachments, cases[i].attachments);
        assert_string_equal(outcome.content.data + outcome.message.body_size, cases[i].behind);
        free(body);
        free(attachments);
        outcome_free(&outcome);
    }
}

/* Also when nothing can be made of it. */
static void test_automatic_mail_in_the_fallback_form_says_so_first(void **state)
{
    (void)state;
    struct outcome outcome;
    struct strbuf mail;
    strbuf_init(&mail, 1 << 20);
    for (int i = 0; i < 1001; i++) /* more fields than are read */
        strbuf_add_str(&mail, "X-A: b\r\n");
    strbuf_add_str(&mail, "\r\ntext\r\n");
    convert_as(mail.data, mail.len, true, &outcome);
    assert_true(outcome.message.is_fallback);
    assert_memory_equal(outcome.content.data, CONVERT_AUTOMATIC, strlen(CONVERT_AUTOMATIC));
    assert_string_equal(outcome.content.data + outcome.message.body_size, mail.data);
    outcome_free(&outcome);
    strbuf_free(&mail);
}

static int set_up(void **state)
{
    (void)state;
    charsets = convert_charsets_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    convert_charsets_free(&charsets);
    return 0;
}

/* ---- what the daemon is told besides ---- */

static char *others_of(const struct convert_in_message *message)
{
    struct strbuf list;
    strbuf_init(&list, 1 << 20);
    for (size_t i = 0; i < message->other_count; i++)
        strbuf_add_fmt(&list, "%s%s", i > 0 ? " " : "", message->others[i]);
    return strbuf_detach(&list);
}

static void test_other_people(void **state)
{
    (void)state;
    static const char *const known[] = { "alice@silo.example", "carol@example.net" };
    static const struct row {
        const char *header;
        bool names;
        const char *others, *head;
    } rows[] = {
        { "To: Alice@SILO.example", true, "", "" },
        { "To: alice@silo.example\r\nCc: Carol <carol@example.net>", true, "", "" },
        { "From: bob@example.com\r\nTo: alice+gates@silo.example, bob+copy@example.com", true, "", "" },
        { "To: alice@silo.example, Dave@Example.com", true, "dave@example.com", "_Also to: dave@example.com._\n\n" },
        { "To: alice@silo.example, Dave@Example.com", false, "", "" },
        { "From: bob@example.com\r\nTo: dave@example.com\r\nCc: Bob@example.com, \"d\" <DAVE@example.com>", true,
          "dave@example.com", "_Also to: dave@example.com._\n\n" },
        { "To: D <d@example.com>\r\nTo: e@example.com", true, "d@example.com e@example.com",
          "_Also to: D \\<d@example.com>, e@example.com._\n\n" },
        { "To: \"D>. This was checked: https://evil.example <x\" <d@example.com>", true, "d@example.com",
          "_Also to: d@example.com._\n\n" },
        { "To: e@xn--bcher-kva.example", true, "e@xn--bcher-kva.example",
          "_Also to: e@b\xc3\xbc"
          "cher.example._\n\n" },
        { "To: \"d@bank.example\" <d@example.com>", true, "d@example.com", "_Also to: d@example.com._\n\n" },
        { "To: a@x.example, b@x.example, c@x.example, d@x.example, e@x.example, f@x.example", true,
          "a@x.example b@x.example c@x.example d@x.example e@x.example f@x.example",
          "_Also to: a@x.example, b@x.example, c@x.example, d@x.example, e@x.example and 1 more._\n\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf mail, content;
        struct convert_in_message message;
        const struct convert_in_options options = { .known = known, .known_count = 2, .names_others = rows[i].names };
        strbuf_init(&mail, 10000);
        strbuf_init(&content, 10000);
        strbuf_add_fmt(&mail, "%s\r\n\r\nText", rows[i].header);
        struct convert_input input = convert_input_of(mail.data, mail.len);
        convert_mime_in(charsets, &input, &options, collect, &content, &message);
        char *others = others_of(&message);
        assert_string_equal(others, rows[i].others);
        assert_memory_equal(content.data, rows[i].head, strlen(rows[i].head));
        assert_string_equal(content.data + strlen(rows[i].head), "Text\n");
        free(others);
        convert_in_message_free(&message);
        strbuf_free(&mail);
        strbuf_free(&content);
    }
}

/* More people than are remembered: nobody is lost from the count, and the answer is one that the daemon believes. */
static void test_very_many_other_people(void **state)
{
    (void)state;
    struct strbuf mail, content, description;
    struct convert_in_message message, back;
    const char *error;
    const struct convert_in_options options = { .names_others = true };
    strbuf_init(&mail, 100000);
    strbuf_init(&content, 10000);
    strbuf_init(&description, CONVERT_META_MAX);
    strbuf_add_str(&mail, "To: ");
    for (int i = 0; i < 500; i++)
        strbuf_add_fmt(&mail, "p%d@example.net,\r\n ", i);
    strbuf_add_str(&mail, "q@example.net\r\n\r\nText");
    struct convert_input input = convert_input_of(mail.data, mail.len);
    convert_mime_in(charsets, &input, &options, collect, &content, &message);
    assert_int_equal(message.other_count, CONVERT_OTHERS_MAX);
    assert_non_null(strstr(content.data, "p4@example.net and 496 more._\n"));
    convert_wire_encode_in(&message, &description);
    assert_int_equal(convert_wire_decode_in(description.data, description.len, (int64_t)content.len, &back, &error), 1);
    convert_in_message_free(&back);
    convert_in_message_free(&message);
    strbuf_free(&mail);
    strbuf_free(&content);
    strbuf_free(&description);
}

static void test_excerpts(void **state)
{
    (void)state;
    static const struct {
        const char *mail, *excerpt;
    } rows[] = {
        { "Subject: x\r\n\r\nYes.\r\n\r\nBob\r\n", "Yes.\n\nBob\n" },
        { "Subject: x\r\n\r\nYes.\r\n\r\nOn Mon, 2 Nov 2026, Alice <alice@silo.example> wrote:\r\n> Do you?\r\n",
          "Yes.\n" },
        { TYPE("text/html") "<p>It is <b>so</b>.</p>", "It is **so**.\n" },
        { TYPE("multipart/mixed; boundary=b") PART(PLAIN, "") PART(PLAIN, "one") PART(PLAIN, "two") "--b--", "one\n" },
        { "Subject: x\r\n\r\n", "" },
        { TYPE("text/plain; charset=utf-8") "\xE2\x80\xAA+46 8\xE2\x80\xAC \xE2\x81\xA6x\xE2\x81\xA9", "+46 8 x\n" },
        { TYPE("application/pdf") "x", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outcome outcome;
        convert_as(rows[i].mail, strlen(rows[i].mail), true, &outcome);
        assert_string_equal(outcome.message.excerpt, rows[i].excerpt);
        outcome_free(&outcome);
    }
}

static void test_long_excerpts_are_cut_between_words(void **state)
{
    (void)state;
    static const char *const ends[] = { " ", "\r\n", "" };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct strbuf mail;
        struct outcome outcome;
        strbuf_init(&mail, 100000);
        strbuf_add_str(&mail, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
        while (mail.len < 5000)
            strbuf_add_fmt(&mail, "w\xC3\xB6rd%s", ends[i]);
        convert(mail.data, mail.len, &outcome);
        size_t len = strlen(outcome.message.excerpt);
        assert_true(len <= CONVERT_EXCERPT_MAX);
        assert_true(len == 0 || memcmp(outcome.message.excerpt + len - 1, "d", 1) == 0 ||
                    strcmp(outcome.message.excerpt + len - 3, "d  ") == 0);
        assert_int_equal(len > 1900, *ends[i] != '\0');
        outcome_free(&outcome);
        strbuf_free(&mail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structures),
        cmocka_unit_test(test_damage_is_told),
        cmocka_unit_test(test_doubt_is_told),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_other_people),
        cmocka_unit_test(test_very_many_other_people),
        cmocka_unit_test(test_excerpts),
        cmocka_unit_test(test_long_excerpts_are_cut_between_words),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_names_are_unique_and_short),
        cmocka_unit_test(test_long_text_is_attached),
        cmocka_unit_test(test_hostile_mail),
        cmocka_unit_test(test_automatic_mail_says_so_first),
        cmocka_unit_test(test_automatic_mail_in_the_fallback_form_says_so_first),
        cmocka_unit_test(test_descriptions_are_checked),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
