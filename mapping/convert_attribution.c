#include "mapping/convert_attribution.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_attribution_words.h"
#include "mapping/convert_case.h"
#include "mapping/convert_utf8.h"

enum {
    PLAIN_MAX = 600,     /* octets of an attribution, normalised; what is longer is none */
    WRAPPED_MAX = 4,     /* lines of "On ... wrote:" */
    SHORTEST = 12,       /* octets */
    WRAPPED_MIN = 20,    /* octets of a line that was wrapped */
    LABEL_MAX = 60,      /* octets */
    NAME_WORDS_MAX = 6,  /* before an address, and between a time and "wrote" */
    BEFORE_DATE_MAX = 2, /* words that are in no table: "Monday, March 3" */
    SEPARATOR_MIN = 2,   /* dashes on either side of "Original Message" */
    RULE_MIN = 4,        /* characters of a rule above a block */
    CONTINUED_MAX = 3    /* lines of a field of a block that are no first ones */
};

/* ---- normalising ---- */

static uint32_t ascii_digit(uint32_t code)
{
    static const uint32_t zeros[] = { 0x660, 0x6F0, 0x966, 0xE50, 0xFF10 };
    for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++)
        if (code >= zeros[i] && code <= zeros[i] + 9)
            return '0' + (code - zeros[i]);
    return code;
}

static bool is_space(uint32_t code)
{
    return code == ' ' || code == '\t' || code == '\n' || code == '\r' || code == 0xA0 || code == 0x202F ||
           code == 0x3000 || (code >= 0x2000 && code <= 0x200A);
}

static bool is_unseen(uint32_t code)
{
    return code == '*' || code == 0xAD || (code >= 0x200B && code <= 0x200F) || (code >= 0x202A && code <= 0x202E) ||
           (code >= 0x2060 && code <= 0x2069) || code == 0xFEFF;
}

/* What it is replaced by: dashes of all kinds, and CJK punctuation, which has no blank behind it. */
static const char *ascii_form(uint32_t code)
{
    static const struct {
        uint32_t code;
        const char *form;
    } forms[] = { { 0x2010, "-" },  { 0x2011, "-" },  { 0x2012, "-" },  { 0x2013, "-" },  { 0x2014, "-" },
                  { 0x2015, "-" },  { 0x2500, "-" },  { 0xFF1A, ":" },  { 0xFF0C, ", " }, { 0x3001, ", " },
                  { 0xFF08, " (" }, { 0xFF09, ") " }, { 0x2026, "..." } };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (forms[i].code == code)
            return forms[i].form;
    return NULL;
}

static void add_byte(struct strbuf *plain, char c)
{
    if (c != ' ' || (plain->len > 0 && plain->data[plain->len - 1] != ' '))
        strbuf_add_char(plain, c);
}

/* Text as it is compared: lower case, one blank between words, ASCII digits and colons, no marks of emphasis, nothing
 * that can't be seen. */
static void add_plain(struct strbuf *plain, const char *text, size_t len)
{
    for (size_t i = 0; i < len && strbuf_ok(plain);) {
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        const char *form = n > 0 ? ascii_form(code) : "?";
        i += n > 0 ? n : 1;
        if (n > 0 && is_unseen(code))
            continue;
        for (const char *c = form; c && *c; c++)
            add_byte(plain, *c);
        if (!form && is_space(code))
            add_byte(plain, ' ');
        else if (!form)
            convert_utf8_add(plain, ascii_digit(convert_case_lower(code)));
    }
}

static void trim_end(struct strbuf *plain, const char *what)
{
    while (plain->len > 0 && strchr(what, plain->data[plain->len - 1]))
        strbuf_truncate(plain, plain->len - 1);
}

static bool is_blank(const struct convert_attribution_line *line)
{
    if (line->len > 0 && isgraph((unsigned char)line->text[0]))
        return false;
    struct strbuf plain;
    strbuf_init(&plain, PLAIN_MAX);
    add_plain(&plain, line->text, line->len);
    bool blank = strbuf_ok(&plain) && plain.len == 0;
    strbuf_free(&plain);
    return blank;
}

/* ---- words ---- */

/* Scripts without blanks between words. */
static bool is_wide(char c)
{
    return (unsigned char)c >= 0xE0;
}

static bool is_letter(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* Whether the word stands at `at` and ends there. */
static bool has_word(const char *text, size_t len, size_t at, const char *word)
{
    size_t n = strlen(word);
    if (len - at < n || memcmp(text + at, word, n) != 0)
        return false;
    return at + n == len || is_wide(word[0]) || !is_letter(word[n - 1]) || !is_letter(text[at + n]) ||
           isdigit((unsigned char)text[at + n]);
}

/* Length of the longest of the words that the text begins with. */
static size_t find_first(const char *text, size_t len, const char *const *words)
{
    size_t longest = 0;
    for (; *words; words++)
        if (len > 0 && **words == *text && strlen(*words) > longest && has_word(text, len, 0, *words))
            longest = strlen(*words);
    return longest;
}

static size_t count_words(const char *text, size_t from, size_t to)
{
    size_t count = 0;
    bool in_word = false;
    for (size_t i = from; i < to; i++) {
        if (text[i] == ' ')
            in_word = false;
        else if (!in_word && is_letter(text[i]))
            count += in_word = true;
    }
    return count;
}

/* ---- what an attribution has ---- */

struct facts {
    const char *text; /* plain, without the colon at its end */
    size_t len;
    size_t lead_len; /* of "on", "am" and the like; 0: none */
    bool is_verbless;
    size_t address_start, address_end; /* with what is around it; equal when there is none */
    size_t first_digit, last_digit;    /* outside of the address; len when there is none */
    bool has_date, has_time;
    size_t verb_start, verb_end; /* equal when there is none */
    bool is_middle_verb;
};

static size_t address_from(const char *text, size_t at)
{
    while (at > 0 && !strchr(" <([\"',;", text[at - 1]))
        at--;
    while (at > 0 && strchr("<([\"'", text[at - 1]))
        at--;
    return at;
}

static size_t address_to(const char *text, size_t len, size_t at)
{
    while (at < len && !strchr(" >)]\"',;", text[at]))
        at++;
    while (at < len && strchr(">)]\"'", text[at]))
        at++;
    return at;
}

static void find_address(struct facts *facts)
{
    bool found = false;
    for (size_t i = 1; i + 1 < facts->len; i++) {
        if (facts->text[i] != '@' || !is_letter(facts->text[i - 1]) || !is_letter(facts->text[i + 1]))
            continue;
        if (!found)
            facts->address_start = address_from(facts->text, i);
        facts->address_end = address_to(facts->text, facts->len, i);
        found = true;
    }
}

static size_t digits_at(const char *text, size_t len, size_t at)
{
    size_t n = 0;
    while (at + n < len && isdigit((unsigned char)text[at + n]))
        n++;
    return n;
}

/* "3.3.25", "3. 3. 2025", "03/03/2025", "3-3-2025". */
static bool is_numeric_date(const char *text, size_t len, size_t at)
{
    char separator = '\0';
    for (int part = 0; part < 3; part++) {
        size_t n = digits_at(text, len, at);
        if (n == 0 || (part < 2 && n > 2) || (part == 2 && n != 2 && n != 4))
            return false;
        at += n;
        if (part == 2)
            return true;
        if (at == len || !strchr("./-", text[at]) || (separator && text[at] != separator))
            return false;
        separator = text[at++];
        at += at < len && text[at] == ' ';
    }
    return false;
}

/* "10:00", "10.00", "10h00", "10 h 00", and CJK hours, behind the digits of the hour. */
static bool is_time(const char *text, size_t len, size_t start, size_t after)
{
    static const char *const hours[] = { "時", "时", "点", "點", "시" };
    for (size_t i = 0; i < sizeof hours / sizeof hours[0]; i++)
        if (has_word(text, len, after, hours[i]))
            return true;
    size_t at = after + (after < len && text[after] == ' ');
    if (at == len || !strchr(":.h", text[at]) || (text[at] != 'h' && at != after))
        return false;
    bool is_dot = text[at++] == '.';
    at += at < len && text[at] == ' ' && text[at - 1] == 'h';
    bool is_short = digits_at(text, len, at) == 2;
    bool is_in_date = is_dot && ((start > 0 && text[start - 1] == '.') || (at + 2 < len && text[at + 2] == '.'));
    return is_short && !is_in_date;
}

static void find_date(struct facts *facts)
{
    enum { YEAR_MIN = 1900, YEAR_MAX = 2699 }; /* of Buddhist calendars, too */
    facts->first_digit = facts->last_digit = facts->len;
    for (size_t i = 0; i < facts->len; i++) {
        if (i == facts->address_start && facts->address_end > i)
            i = facts->address_end;
        size_t n = digits_at(facts->text, facts->len, i);
        if (n == 0)
            continue;
        if (facts->first_digit == facts->len)
            facts->first_digit = i;
        long value = n == 4 ? strtol(facts->text + i, NULL, 10) : 0;
        facts->has_date = facts->has_date || (value >= YEAR_MIN && value <= YEAR_MAX) ||
                          (n <= 2 && is_numeric_date(facts->text, facts->len, i));
        facts->has_time = facts->has_time || (n <= 2 && is_time(facts->text, facts->len, i, i + n));
        i += n - 1;
        facts->last_digit = i;
    }
}

/* The verb that ends last; of several that end there the longest. */
static void find_verb(struct facts *facts)
{
    const char *const *const lists[] = { convert_attribution_last_verbs, convert_attribution_middle_verbs };
    for (size_t k = 0; k < 2; k++) {
        for (const char *const *word = lists[k]; *word; word++) {
            size_t n = strlen(*word);
            const char *from = facts->text, *hit;
            while ((hit = memmem(from, facts->len - (size_t)(from - facts->text), *word, n))) {
                size_t start = (size_t)(hit - facts->text);
                from = hit + 1;
                bool in_address = start >= facts->address_start && start < facts->address_end;
                bool is_inside = start > 0 && !is_wide(**word) && is_letter(hit[-1]);
                if (in_address || is_inside || !has_word(facts->text, facts->len, start, *word))
                    continue;
                bool is_better =
                    start + n > facts->verb_end || (start + n == facts->verb_end && start <= facts->verb_start);
                if (!is_better)
                    continue;
                facts->is_middle_verb = k == 1;
                facts->verb_start = start;
                facts->verb_end = start + n;
            }
        }
    }
}

static void find_words(struct facts *facts)
{
    size_t verbless = find_first(facts->text, facts->len, convert_attribution_verbless_leads);
    facts->lead_len = find_first(facts->text, facts->len, convert_attribution_leads);
    facts->is_verbless = verbless > 0;
    if (verbless > facts->lead_len)
        facts->lead_len = verbless;
    find_verb(facts);
}

/* ---- what makes it one ---- */

static bool is_pronoun(const struct facts *facts, size_t from, size_t to)
{
    while (from < to && !is_letter(facts->text[from]))
        from++;
    while (to > from && !is_letter(facts->text[to - 1]))
        to--;
    for (const char *const *word = convert_attribution_pronouns; *word; word++)
        if (strlen(*word) == to - from && memcmp(facts->text + from, *word, to - from) == 0)
            return true;
    return false;
}

/* "he wrote", "schrieb ich". */
static bool has_pronoun(const struct facts *facts)
{
    size_t before = facts->verb_start > 0 ? facts->verb_start - 1 : 0;
    while (before > 0 && facts->text[before - 1] != ' ')
        before--;
    size_t after = facts->verb_end + 1 < facts->len ? facts->verb_end + 1 : facts->len;
    size_t end = after;
    while (end < facts->len && facts->text[end] != ' ')
        end++;
    return is_pronoun(facts, before, facts->verb_start) || is_pronoun(facts, after, end);
}

static bool starts_with_date(const struct facts *facts)
{
    bool is_first = facts->address_end == 0 || facts->first_digit < facts->address_start;
    bool is_wide_verb = facts->verb_end > 0 && is_wide(facts->text[facts->verb_start]); /* the name comes first */
    size_t most = is_wide_verb ? NAME_WORDS_MAX : BEFORE_DATE_MAX;
    return facts->has_date && is_first && count_words(facts->text, facts->lead_len, facts->first_digit) <= most;
}

static bool starts_with_name(const struct facts *facts)
{
    bool is_first = facts->address_end > 0 && facts->address_start < facts->first_digit;
    return is_first && count_words(facts->text, 0, facts->address_start) <= NAME_WORDS_MAX &&
           find_first(facts->text, facts->len, convert_attribution_prose) == 0;
}

/* Words that stand behind the verb and before the colon: none, or a name. */
static bool verb_ends_it(const struct facts *facts)
{
    size_t end = facts->verb_end;
    while (end < facts->len && facts->text[end] != ' ') /* "napsal(a)" */
        end++;
    size_t behind = count_words(facts->text, end, facts->len);
    return facts->is_middle_verb ? behind < NAME_WORDS_MAX : behind == 0;
}

/* "On Mon, 3 Mar 2025, Bob wrote": without a time there must be a short day. */
static bool is_dated_exactly(const struct facts *facts)
{
    enum { SHORT_DAY_MAX = 4 }; /* with its comma */
    size_t start = facts->lead_len + 1;
    const char *comma =
        facts->lead_len > 0 && start < facts->len ? memchr(facts->text + start, ',', facts->len - start) : NULL;
    return facts->has_time || (comma && comma - (facts->text + start) < SHORT_DAY_MAX);
}

static bool is_wrote_without_address(const struct facts *facts)
{
    if (!facts->has_date || facts->verb_end == 0 || has_pronoun(facts))
        return false;
    if (facts->verb_start < facts->first_digit) /* "Bob Example schrieb am 3.3.2025 um 10:00" */
        return facts->has_time && facts->verb_start > 0 && facts->lead_len == 0 &&
               count_words(facts->text, 0, facts->verb_start) < NAME_WORDS_MAX &&
               count_words(facts->text, facts->verb_end, facts->first_digit) <= BEFORE_DATE_MAX + 1 &&
               find_first(facts->text, facts->len, convert_attribution_prose) == 0;
    size_t last_digit = facts->last_digit < facts->verb_start ? facts->last_digit + 1 : facts->verb_start;
    return starts_with_date(facts) && is_dated_exactly(facts) && verb_ends_it(facts) &&
           count_words(facts->text, last_digit, facts->verb_start) <= NAME_WORDS_MAX;
}

static bool is_wrote_with_address(const struct facts *facts)
{
    bool at_end = facts->address_end == facts->len;
    if (find_first(facts->text, facts->len, convert_attribution_quoting) > 0 && at_end && !facts->has_time)
        return count_words(facts->text, 0, facts->address_start) <= NAME_WORDS_MAX;
    if (facts->verb_end == 0) {
        bool is_bare = facts->first_digit == 0 || facts->is_verbless;
        bool has_order = (starts_with_date(facts) && at_end) || (starts_with_name(facts) && facts->is_verbless);
        return facts->has_date && facts->has_time && is_bare && has_order;
    }
    if (has_pronoun(facts))
        return false;
    if (!facts->has_date)
        return starts_with_name(facts) && facts->verb_start >= facts->address_end && verb_ends_it(facts) &&
               count_words(facts->text, facts->address_end, facts->verb_start) == 0;
    if (starts_with_date(facts))
        return verb_ends_it(facts) || facts->address_start > facts->verb_end;
    return starts_with_name(facts);
}

static bool is_wrote(const char *text, size_t len)
{
    struct facts facts = { .text = text, .len = len };
    find_address(&facts);
    find_date(&facts);
    if (!facts.has_date && facts.address_end == 0)
        return false; /* nearly all prose: looking for words takes longer */
    find_words(&facts);
    return facts.address_end > 0 ? is_wrote_with_address(&facts) : is_wrote_without_address(&facts);
}

/* ---- lines ---- */

static bool ends_with_colon(const struct convert_attribution_line *line)
{
    size_t len = line->len;
    while (len > 0 && strchr(" \t*_\"", line->text[len - 1]))
        len--;
    /* Marks of direction, and the wide colon, have three octets. */
    for (; len >= 3 && memcmp(line->text + len - 3, "\u200E", 2) == 0; len -= 3)
        ;
    return (len > 0 && line->text[len - 1] == ':') || (len >= 3 && memcmp(line->text + len - 3, "\uFF1A", 3) == 0);
}

/* As one plain text without the colon at its end. */
static struct strbuf join(const struct convert_attribution_line *lines, size_t count)
{
    struct strbuf plain;
    strbuf_init(&plain, PLAIN_MAX);
    for (size_t i = 0; i < count; i++) {
        add_plain(&plain, lines[i].text, lines[i].len);
        add_byte(&plain, ' ');
    }
    trim_end(&plain, " \"_");
    trim_end(&plain, ":");
    trim_end(&plain, " ");
    return plain;
}

bool convert_attribution_is_complete(const struct convert_attribution_line *lines, size_t count)
{
    struct strbuf plain = join(lines, count);
    struct facts facts = { .text = plain.data, .len = plain.len };
    find_address(&facts);
    find_date(&facts);
    find_verb(&facts);
    bool is_complete = facts.address_end > 0 && facts.has_date && facts.has_time && facts.verb_end > 0;
    strbuf_free(&plain);
    return is_complete;
}

/* "On ... wrote:", perhaps wrapped, and what Apple puts above what it forwards. */
static size_t match_wrote(const struct convert_attribution_line *lines, size_t count,
                          enum convert_attribution *kind_out)
{
    if (*lines[0].text == '>')
        return 0;
    size_t n = 0;
    while (n < count && n < WRAPPED_MAX && !ends_with_colon(&lines[n])) {
        bool goes_on = n + 1 < count && lines[n].len >= WRAPPED_MIN && lines[n].text[0] != '>';
        if (!goes_on)
            return 0;
        n++;
    }
    if (n == count || n == WRAPPED_MAX || (n == 0 && lines[0].len < SHORTEST))
        return 0;
    struct strbuf plain = join(lines, n + 1);
    *kind_out = CONVERT_ATTRIBUTION_NONE;
    if (strbuf_ok(&plain) && plain.len > 0 &&
        find_first(plain.data, plain.len, convert_attribution_forward_lines) == plain.len)
        *kind_out = CONVERT_ATTRIBUTION_FORWARD;
    else if (strbuf_ok(&plain) && is_wrote(plain.data, plain.len))
        *kind_out = CONVERT_ATTRIBUTION_WROTE;
    strbuf_free(&plain);
    return *kind_out == CONVERT_ATTRIBUTION_NONE ? 0 : n + 1;
}

/* The label that the line begins with; 0 for none. Where its value begins in *value_out. */
static int label_of(const struct convert_attribution_line *line, size_t *value_out)
{
    size_t end = 0, colon_len = 0;
    for (; end < line->len && end <= LABEL_MAX && colon_len == 0; end++) {
        if (line->text[end] == ':')
            colon_len = 1;
        else if (line->len - end >= 3 && memcmp(line->text + end, "\uFF1A", 3) == 0)
            colon_len = 3;
    }
    if (colon_len == 0)
        return 0;
    struct strbuf spaced, label;
    strbuf_init(&spaced, PLAIN_MAX);
    strbuf_init(&label, PLAIN_MAX);
    add_plain(&spaced, line->text, end - 1);
    for (size_t i = 0; i < spaced.len; i++)
        if (spaced.data[i] != ' ')
            strbuf_add_char(&label, spaced.data[i]);
    int found = 0;
    for (size_t i = 0; i < convert_attribution_label_count && found == 0; i++)
        for (const char *const *word = convert_attribution_labels[i].words; *word && found == 0; word++)
            if (**word == *label.data && strcmp(*word, label.data) == 0)
                found = (int)convert_attribution_labels[i].label;
    strbuf_free(&spaced);
    strbuf_free(&label);
    *value_out = end - 1 + colon_len;
    return found;
}

static bool has_digit(const char *text, size_t len)
{
    struct strbuf plain;
    strbuf_init(&plain, PLAIN_MAX);
    add_plain(&plain, text, len < LABEL_MAX ? len : convert_utf8_cut(text, len, LABEL_MAX));
    bool found = strpbrk(plain.data, "0123456789") != NULL;
    strbuf_free(&plain);
    return found;
}

/* "Message-ID:", "MIME-Version:": a field of a mail's own header, which no program copies into an answer. */
static bool is_header_field(const struct convert_attribution_line *line)
{
    size_t n = 0;
    bool has_hyphen = false;
    while (n < line->len && (isalpha((unsigned char)line->text[n]) || (n > 0 && line->text[n] == '-')))
        has_hyphen = line->text[n++] == '-' || has_hyphen;
    return has_hyphen && n < line->len && line->text[n] == ':';
}

/* A block of From, Sent, To and Subject in the order of whatever program: who, when and about what at least. "Da" and
 * "De" are labels of several kinds in several languages: what has come already decides. Where somebody shows a whole
 * header, it is none. */
static size_t match_block(const struct convert_attribution_line *lines, size_t count)
{
    int seen = 0;
    size_t used = 0, continued = 0;
    bool has_address = false;
    for (size_t i = 0; i < count && continued <= CONTINUED_MAX; i++) {
        size_t value = 0;
        int label = label_of(&lines[i], &value);
        if (label == 0 && i == 0)
            return 0;
        if (is_blank(&lines[i]))
            break;
        if (label == 0 && is_header_field(&lines[i]))
            return 0;
        if (label == 0) {
            continued++;
            continue;
        }
        const char *text = lines[i].text + value;
        size_t len = lines[i].len - value;
        if (label == ATTRIBUTION_LABEL_DATE && !has_digit(text, len))
            break;
        if (label != ATTRIBUTION_LABEL_OTHER && (seen & label))
            break;
        has_address = has_address || (label == ATTRIBUTION_LABEL_FROM && memchr(text, '@', len));
        seen |= label;
        used = i + 1;
        continued = 0;
    }
    bool has_author_and_date = (seen & ATTRIBUTION_LABEL_FROM) && (seen & ATTRIBUTION_LABEL_DATE);
    bool has_more = (seen & ATTRIBUTION_LABEL_SUBJECT) || ((seen & ATTRIBUTION_LABEL_TO) && has_address);
    return has_author_and_date && has_more ? used : 0;
}

static size_t run_at_start(const struct strbuf *plain)
{
    size_t n = 0;
    while (n < plain->len && strchr("-_=~", plain->data[n]))
        n++;
    return n;
}

/* What stands between dashes. */
static enum convert_attribution separator_kind(const char *text, size_t len, bool has_colon)
{
    if (find_first(text, len, convert_attribution_originals) == len)
        return CONVERT_ATTRIBUTION_ORIGINAL;
    if (find_first(text, len, convert_attribution_forwards) > 0)
        return CONVERT_ATTRIBUTION_FORWARD;
    if (is_wrote(text, len)) /* Zoho */
        return CONVERT_ATTRIBUTION_ORIGINAL;
    /* Notes: "-----Bob Example/Acme wrote: -----" */
    struct facts facts = { .text = text, .len = len };
    if (has_colon)
        find_verb(&facts);
    bool is_notes = has_colon && facts.verb_end == len && facts.verb_start > 0 && !has_pronoun(&facts) &&
                    count_words(text, 0, facts.verb_start) <= NAME_WORDS_MAX;
    return is_notes ? CONVERT_ATTRIBUTION_ORIGINAL : CONVERT_ATTRIBUTION_NONE;
}

/* A quick look. The dashes of Unicode begin with 0xE2. */
static bool may_begin_with_dashes(const struct convert_attribution_line *line)
{
    size_t i = 0;
    while (i < line->len && strchr(" \t*", line->text[i]))
        i++;
    return i < line->len && (strchr("-_=~", line->text[i]) || (unsigned char)line->text[i] == 0xE2);
}

static size_t match_separator(const struct convert_attribution_line *lines, size_t count,
                              enum convert_attribution *kind_out)
{
    if (!may_begin_with_dashes(&lines[0]))
        return 0;
    struct strbuf plain;
    strbuf_init(&plain, PLAIN_MAX);
    add_plain(&plain, lines[0].text, lines[0].len);
    trim_end(&plain, " ");
    size_t before = run_at_start(&plain);
    size_t whole = plain.len;
    trim_end(&plain, "-_=~");
    size_t behind = whole - plain.len;
    bool is_rule = strbuf_ok(&plain) && plain.len == 0 && before >= RULE_MIN;
    bool is_separator = strbuf_ok(&plain) && plain.len > 0 && before >= SEPARATOR_MIN &&
                        (behind >= SEPARATOR_MIN || before >= RULE_MIN);
    *kind_out = CONVERT_ATTRIBUTION_NONE;
    if (is_separator) {
        trim_end(&plain, " ");
        bool has_colon = plain.len > before && plain.data[plain.len - 1] == ':';
        trim_end(&plain, " :");
        size_t skipped = before + (plain.data[before] == ' ');
        if (skipped < plain.len)
            *kind_out = separator_kind(plain.data + skipped, plain.len - skipped, has_colon);
    }
    strbuf_free(&plain);
    size_t next = count > 2 && is_blank(&lines[1]) ? 2 : 1;
    size_t block = (is_rule || *kind_out == CONVERT_ATTRIBUTION_ORIGINAL) && next < count
                       ? match_block(lines + next, count - next)
                       : 0;
    if (is_rule && block > 0)
        *kind_out = CONVERT_ATTRIBUTION_ORIGINAL;
    if (*kind_out == CONVERT_ATTRIBUTION_NONE)
        return 0;
    return block > 0 ? next + block : 1;
}

/* GroupWise: ">>> Bob Example <bob@example.com> 3/3/2025 10:00 AM >>>" */
static bool is_between_angles(const struct convert_attribution_line *line)
{
    struct strbuf plain;
    strbuf_init(&plain, PLAIN_MAX);
    add_plain(&plain, line->text, line->len);
    trim_end(&plain, " ");
    struct facts facts = { .text = plain.data, .len = plain.len };
    bool has_angles = strbuf_ok(&plain) && plain.len > 8 && memcmp(plain.data + plain.len - 3, ">>>", 3) == 0;
    if (has_angles)
        find_date(&facts);
    bool found = has_angles && facts.has_date && facts.has_time;
    strbuf_free(&plain);
    return found;
}

size_t convert_attribution_match(const struct convert_attribution_line *lines, size_t count,
                                 enum convert_attribution *kind_out)
{
    *kind_out = CONVERT_ATTRIBUTION_NONE;
    if (count == 0 || lines[0].len == 0)
        return 0;
    if (count > CONVERT_ATTRIBUTION_LINES_MAX)
        count = CONVERT_ATTRIBUTION_LINES_MAX;
    size_t n = match_separator(lines, count, kind_out);
    if (n > 0)
        return n;
    n = match_block(lines, count);
    if (n == 0 && lines[0].len > 3 && memcmp(lines[0].text, ">>>", 3) == 0 && is_between_angles(&lines[0]))
        n = 1;
    if (n > 0) {
        *kind_out = CONVERT_ATTRIBUTION_ORIGINAL;
        return n;
    }
    return match_wrote(lines, count, kind_out);
}

static size_t split_lines(const char *text, size_t len,
                          struct convert_attribution_line lines[CONVERT_ATTRIBUTION_LINES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < len;) {
        if (count == CONVERT_ATTRIBUTION_LINES_MAX)
            return 0;
        const char *lf = memchr(text + i, '\n', len - i);
        size_t n = lf ? (size_t)(lf - text) - i : len - i;
        lines[count] = (struct convert_attribution_line){ text + i, n };
        count += !is_blank(&lines[count]);
        i += n + 1;
    }
    return count;
}

enum convert_attribution convert_attribution_of(const char *text, size_t len)
{
    struct convert_attribution_line lines[CONVERT_ATTRIBUTION_LINES_MAX];
    size_t count = split_lines(text, len, lines);
    enum convert_attribution kind;
    return count > 0 && convert_attribution_match(lines, count, &kind) == count ? kind : CONVERT_ATTRIBUTION_NONE;
}

bool convert_attribution_is_field(const char *text, size_t len)
{
    struct convert_attribution_line lines[CONVERT_ATTRIBUTION_LINES_MAX];
    size_t value;
    return split_lines(text, len, lines) == 1 && label_of(&lines[0], &value) != 0;
}
