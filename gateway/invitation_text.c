/* invitation_text.c - see invitation_text.h */
#include "gateway/invitation_text.h"

#include <stdbool.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/display_name.h"
#include "mapping/convert_utf8.h"

static const char subject_word[] = "Subject: ";

/* Line ends are kept as they are: a paragraph is one line. */
const char invitation_text_default[] =
    "Subject: {member} invites you to write by email\n"
    "\n"
    "Hello,\n"
    "\n"
    "{member} would like to exchange email with you. They use a closed messenger, which lets in mail only from people "
    "who "
    "were invited. You ({guest}) now are.\n"
    "\n"
    "**How to write:** answer this mail, or write to\n"
    "\n"
    "- {address}\n"
    "\n"
    "from the address above, with any mail program. What you write appears in the messenger, with its attachments. "
    "Answers come to you as ordinary email, from the same address.\n"
    "\n"
    "**If you do not want this,** there is nothing to do. To end it for good, send a mail (it may be empty) to\n"
    "\n"
    "- {remove}\n"
    "\n"
    "Then nothing more comes to you from there, and {member} is told so.\n"
    "\n"
    "This mail was written by the mail gateway of {domain}, which was asked to invite you.\n";

enum field { FIELD_MEMBER, FIELD_ADDRESS, FIELD_GUEST, FIELD_DOMAIN, FIELD_REMOVE, FIELD_COUNT };
static const struct {
    const char *mark;
    bool is_needed;
} field_marks[FIELD_COUNT] = {
    [FIELD_MEMBER] = { "{member}", false }, [FIELD_ADDRESS] = { "{address}", true },
    [FIELD_GUEST] = { "{guest}", false },   [FIELD_DOMAIN] = { "{domain}", false },
    [FIELD_REMOVE] = { "{remove}", true },
};

/* The next piece: a field, or text (*field_out is FIELD_COUNT) of which "{{" and "}}" mean one brace. 0: a brace that is neither. */
static size_t next_piece(const char *text, size_t len, enum field *field_out)
{
    *field_out = FIELD_COUNT;
    for (int field = 0; field < FIELD_COUNT; field++) {
        size_t mark_len = strlen(field_marks[field].mark);
        if (len >= mark_len && strncmp(text, field_marks[field].mark, mark_len) == 0) {
            *field_out = (enum field)field;
            return mark_len;
        }
    }
    bool is_brace = text[0] == '{' || text[0] == '}';
    return !is_brace ? 1 : len > 1 && text[1] == text[0] ? 2 : 0;
}

static int complain(struct strbuf *problem, size_t line, const char *what)
{
    strbuf_add_fmt(problem, "line %zu: %s", line, what);
    return -1;
}

static int check_fields(const char *text, size_t len, struct strbuf *problem)
{
    unsigned seen = 0, count = 0;
    size_t line = 1;
    for (size_t i = 0, piece; i < len; i += piece) {
        enum field field;
        piece = next_piece(text + i, len - i, &field);
        if (piece == 0)
            return complain(problem, line,
                            "a brace that begins or ends no field; expected {member}, {address}, {guest}, {domain}, "
                            "{remove}, or the brace twice");
        line += text[i] == '\n';
        count += field != FIELD_COUNT;
        if (count > INVITATION_FIELDS_MAX)
            return complain(problem, line, "too many fields; expected 100 at most");
        seen |= line > 2 && field != FIELD_COUNT ? 1U << field : 0;
    }
    for (int field = 0; field < FIELD_COUNT; field++) {
        if (!field_marks[field].is_needed || seen & 1U << field)
            continue;
        strbuf_add_fmt(problem, "its text has no %s: whoever is invited must learn %s", field_marks[field].mark,
                       field == FIELD_ADDRESS ? "where to write" : "how to be removed");
        return -1;
    }
    return 1;
}

/* The line of the first character that no text has; 0: there is none. */
static size_t find_control(const char *text, size_t len)
{
    size_t line = 1;
    for (size_t i = 0; i < len;) {
        uint32_t code;
        i += convert_utf8_char(text + i, len - i, &code);
        if (convert_utf8_is_control(code) && code != '\n' && code != '\t')
            return line;
        line += code == '\n';
    }
    return 0;
}

int invitation_text_check(const char *text, size_t len, struct strbuf *problem_out)
{
    if (len > INVITATION_TEXT_MAX)
        return complain(problem_out, 1, "the text is too long; expected 16 KiB at most");
    if (memchr(text, 0, len) || !convert_utf8_is_valid(text, len))
        return complain(problem_out, 1, "the text is not UTF-8");
    size_t control = find_control(text, len);
    if (control)
        return complain(problem_out, control, "it has a control character; lines end with a line feed alone");
    const char *end = memchr(text, '\n', len);
    size_t first = end ? (size_t)(end - text) : len, word = sizeof subject_word - 1;
    if (first <= word || strncmp(text, subject_word, word) != 0)
        return complain(problem_out, 1, "expected \"Subject: \" and the subject");
    if (first - word > INVITATION_SUBJECT_MAX)
        return complain(problem_out, 1, "the subject is too long; expected 200 bytes at most");
    if (len < first + 2 || text[first + 1] != '\n')
        return complain(problem_out, 2, "expected an empty line behind the subject");
    return check_fields(text, len, problem_out);
}

/* CommonMark, "Backslash escapes": before ASCII punctuation only. */
static void add_literally(struct strbuf *out, const char *value)
{
    static const char punctuation[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    for (const char *p = value; *p; p++) {
        if (strchr(punctuation, *p))
            strbuf_add_char(out, '\\');
        strbuf_add_char(out, *p);
    }
}

static void add_field(const struct invitation_fields *fields, enum field field, bool is_body, struct strbuf *out)
{
    const char *const values[FIELD_COUNT] = { fields->member, fields->address, fields->guest, fields->domain,
                                              fields->remove };
    struct strbuf name;
    strbuf_init(&name, 2 * DISPLAY_NAME_MAX);
    const char *value = values[field];
    if (field == FIELD_MEMBER) {
        display_name_add(&name, value, DISPLAY_NAME_MAX);
        value = name.data;
    }
    if (is_body)
        add_literally(out, value);
    else
        strbuf_add_str(out, value);
    strbuf_free(&name);
}

static void fill(const char *text, size_t len, const struct invitation_fields *fields, bool is_body, struct strbuf *out)
{
    for (size_t i = 0, piece; i < len; i += piece) {
        enum field field;
        piece = next_piece(text + i, len - i, &field);
        if (field == FIELD_COUNT)
            strbuf_add_char(out, text[i]);
        else
            add_field(fields, field, is_body, out);
        piece += piece == 0; /* not of a text that was checked */
    }
}

int invitation_text_fill(const char *text, const struct invitation_fields *fields, struct strbuf *subject_out,
                         struct strbuf *body_out)
{
    const char *end = strchr(text, '\n');
    size_t first = end ? (size_t)(end - text) : strlen(text), word = sizeof subject_word - 1;
    if (first >= word)
        fill(text + word, first - word, fields, false, subject_out);
    const char *body = end && end[1] ? end + 2 : "";
    fill(body, strlen(body), fields, true, body_out);
    return strbuf_ok(subject_out) && strbuf_ok(body_out) ? 1 : -1;
}
