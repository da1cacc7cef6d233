/* concierge_words.c - see concierge_words.h */
#include "gateway/concierge_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "smtp/smtp_address.h"

/* What stands behind a verb: whom it is about, and what may follow. */
enum object { OBJECT_NONE, OBJECT_NUMBER, OBJECT_ADDRESS, OBJECT_EITHER };
enum tail {
    TAIL_NONE,
    TAIL_GROUP,  /* "to Sales Team" */
    TAIL_UNTIL,  /* "until 2027-01-31" */
    TAIL_REASON, /* ": left the company", "because ..." */
    TAIL_FREE,   /* the same, or just words */
};

static const struct {
    const char *name, *usage, *meaning;
    enum object object;
    enum tail tail;
    bool is_admins, changes;
} verbs[CONCIERGE_VERB_COUNT] = {
    [CONCIERGE_INVITE] = { "invite", "invite ADDRESS [to GROUP]",
                           "asks an administrator to let somebody with an email address write to you (or to a group "
                           "that you are in), and you to them",
                           OBJECT_ADDRESS, TAIL_GROUP, false, true },
    [CONCIERGE_REVOKE] = { "revoke", "revoke ADDRESS", "ends that: they can't write to you any more, nor you to them",
                           OBJECT_EITHER, TAIL_REASON, false, true },
    [CONCIERGE_LIST] = { "list", "list", "who can write to you, and what waits for an administrator", OBJECT_NONE,
                         TAIL_NONE, false, false },
    [CONCIERGE_WHO] = { "who is", "who is ADDRESS", "what is known about somebody who can write to you, or may soon",
                        OBJECT_ADDRESS, TAIL_NONE, false, false },
    [CONCIERGE_REPORTS_ON] = { "reports on", "reports on",
                               "you are told when your messages have been delivered by email", OBJECT_NONE, TAIL_NONE,
                               false, true },
    [CONCIERGE_REPORTS_OFF] = { "reports off", "reports off", "you are told only when something is late or has failed",
                                OBJECT_NONE, TAIL_NONE, false, true },
    [CONCIERGE_PENDING] = { "pending", "pending", "the requests that wait for an administrator", OBJECT_NONE, TAIL_NONE,
                            true, false },
    [CONCIERGE_APPROVE] = { "approve", "approve NUMBER [until 2027-01-31]", "grants a request", OBJECT_NUMBER,
                            TAIL_UNTIL, true, true },
    [CONCIERGE_DENY] = { "deny", "deny NUMBER [reason]", "turns a request down", OBJECT_NUMBER, TAIL_FREE, true, true },
    [CONCIERGE_SUSPEND] = { "suspend", "suspend NUMBER or ADDRESS [: reason]", "closes an opening for a while",
                            OBJECT_EITHER, TAIL_REASON, true, true },
    [CONCIERGE_RESUME] = { "resume", "resume NUMBER or ADDRESS", "opens it again", OBJECT_EITHER, TAIL_REASON, true,
                           true },
    [CONCIERGE_HELP] = { "help", "help", "this list", OBJECT_NONE, TAIL_NONE, false, false },
};

/* How a verb may be said; the longer phrases first. */
static const struct {
    const char *phrase;
    enum concierge_verb verb;
} phrases[] = {
    { "turn on delivery reports", CONCIERGE_REPORTS_ON },
    { "turn off delivery reports", CONCIERGE_REPORTS_OFF },
    { "turn delivery reports on", CONCIERGE_REPORTS_ON },
    { "turn delivery reports off", CONCIERGE_REPORTS_OFF },
    { "delivery reports on", CONCIERGE_REPORTS_ON },
    { "delivery reports off", CONCIERGE_REPORTS_OFF },
    { "turn on reports", CONCIERGE_REPORTS_ON },
    { "turn off reports", CONCIERGE_REPORTS_OFF },
    { "turn reports on", CONCIERGE_REPORTS_ON },
    { "turn reports off", CONCIERGE_REPORTS_OFF },
    { "reports on", CONCIERGE_REPORTS_ON },
    { "reports off", CONCIERGE_REPORTS_OFF },
    { "what is pending", CONCIERGE_PENDING },
    { "what's pending", CONCIERGE_PENDING },
    { "list pending", CONCIERGE_PENDING },
    { "show pending", CONCIERGE_PENDING },
    { "pending requests", CONCIERGE_PENDING },
    { "pending", CONCIERGE_PENDING },
    { "who is", CONCIERGE_WHO },
    { "who's", CONCIERGE_WHO },
    { "whois", CONCIERGE_WHO },
    { "help me", CONCIERGE_HELP },
    { "help", CONCIERGE_HELP },
    { "invite", CONCIERGE_INVITE },
    { "revoke", CONCIERGE_REVOKE },
    { "list all", CONCIERGE_LIST },
    { "list", CONCIERGE_LIST },
    { "approve", CONCIERGE_APPROVE },
    { "deny", CONCIERGE_DENY },
    { "suspend", CONCIERGE_SUSPEND },
    { "resume", CONCIERGE_RESUME },
};

/* They ask for nothing: before an order, behind it, in a line of their own. */
static const char *const greetings[] = {
    "good morning", "good afternoon", "good evening", "good day", "hello",   "hi",     "hey",
    "dear",         "please",         "pls",          "kindly",   "ok",      "okay",   "yes",
    "and",          "also",           "then",         "the",      "gateway", "postern"
};
static const char *const thanks[] = { "thank you very much",
                                      "thank you",
                                      "thanks a lot",
                                      "many thanks",
                                      "thanks",
                                      "thx",
                                      "please",
                                      "pls",
                                      "cheers",
                                      "bye",
                                      "kind regards",
                                      "regards",
                                      "best regards",
                                      "best wishes",
                                      "best",
                                      "yours sincerely",
                                      "yours",
                                      "sincerely",
                                      "gateway",
                                      "for me" };

/* A reason that begins so is none: it says when, or what else. */
static const char *const not_reasons[] = { "and",   "or",     "but",    "if",    "unless", "when", "until",  "till",
                                           "after", "before", "except", "while", "then",   "also", "not yet" };

const char *concierge_verb_name(enum concierge_verb verb)
{
    return verbs[verb].name;
}

const char *concierge_verb_usage(enum concierge_verb verb)
{
    return verbs[verb].usage;
}

const char *concierge_verb_meaning(enum concierge_verb verb)
{
    return verbs[verb].meaning;
}

bool concierge_verb_is_admins(enum concierge_verb verb)
{
    return verbs[verb].is_admins;
}

struct reading {
    struct concierge_words *out;
    const struct concierge_names *names;
    bool has_closed; /* "Regards": names of authors may follow */
};

__attribute__((format(printf, 3, 4))) static bool unclear(struct reading *reading, enum concierge_verb about,
                                                          const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(reading->out->why, sizeof reading->out->why, fmt, args);
    va_end(args);
    if (!smtp_text_is_clean_utf8(reading->out->why, strlen(reading->out->why)))
        snprintf(reading->out->why, sizeof reading->out->why, "There is something in it that is no text.");
    reading->out->about = about;
    return false;
}

static bool unknown_word(struct reading *reading, const struct concierge_line *line, enum concierge_verb about)
{
    char word[CONCIERGE_WORD_MAX + 1];
    struct concierge_line rest = *line;
    if (concierge_line_word(&rest, word))
        return unclear(reading, about, "The word \"%s\" is not understood there.", word);
    return unclear(reading, about, "A word is missing.");
}

/* Courtesies. */

static bool take_any(struct concierge_line *line, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (concierge_line_take(line, list[i]))
            return true;
    return false;
}
#define TAKE_ANY(line, list) take_any(line, list, sizeof(list) / sizeof(list)[0])

/* A name of several words, or (unless the whole of it is demanded) the first of them. */
static bool take_name(struct concierge_line *line, const char *name, bool is_whole)
{
    struct concierge_line given = concierge_line_open(name, strlen(name)), rest = *line;
    char word[CONCIERGE_WORD_MAX + 1], wanted[CONCIERGE_WORD_MAX + 1];
    struct concierge_line matched = *line;
    while (concierge_line_word(&given, wanted)) {
        if (!concierge_line_word(&rest, word) || strcmp(word, wanted) != 0) {
            if (is_whole)
                return false;
            break;
        }
        matched = rest;
    }
    bool found = matched.at != line->at;
    *line = matched;
    return found;
}

static void skip_greetings(const struct reading *reading, struct concierge_line *line)
{
    while (TAKE_ANY(line, greetings) || take_name(line, reading->names->gateway, true))
        ;
}

static bool is_only_thanks(struct concierge_line line)
{
    while (TAKE_ANY(&line, thanks))
        ;
    return concierge_line_is_done(&line);
}

/* A line that asks for nothing. */
static bool is_courtesy(struct reading *reading, struct concierge_line line)
{
    bool may_sign = reading->has_closed, has_closed = false;
    while (!concierge_line_is_done(&line)) {
        if (TAKE_ANY(&line, thanks)) {
            may_sign = has_closed = true;
            continue;
        }
        struct concierge_line rest = line;
        skip_greetings(reading, &rest);
        if (rest.at != line.at)
            line = rest;
        else if (!may_sign || !take_name(&line, reading->names->author, false))
            return false;
    }
    reading->has_closed = reading->has_closed || has_closed;
    return true;
}

/* What stands behind an order. */

static bool read_reason(struct reading *reading, struct concierge_line *line, enum concierge_verb verb, bool is_free,
                        char phrase[static CONCIERGE_PHRASE_MAX + 1])
{
    static const char *const introductions[] = { "because", "reason", "-", "–", "—" };
    bool is_introduced = line->is_colon;
    struct concierge_line rest;
    int64_t number;
    if (is_only_thanks(*line))
        return true;
    while (TAKE_ANY(line, introductions))
        is_introduced = true;
    if (!is_free && !is_introduced)
        return unknown_word(reading, line, verb);
    rest = *line;
    if (!is_introduced && TAKE_ANY(&rest, not_reasons))
        return unclear(reading, verb,
                       "What stands behind the number is taken as the reason, and this does not look "
                       "like one. Write it behind a colon.");
    if (!is_introduced && concierge_line_number(&rest, &number) != 0)
        return unclear(reading, verb,
                       "It is not clear whether that is a reason or one more number. Write the reason "
                       "behind a colon, and each order in a line of its own.");
    if (concierge_line_is_done(line))
        return unclear(reading, verb, "The reason is missing.");
    if (!concierge_line_rest(line, phrase, CONCIERGE_PHRASE_MAX + 1))
        return unclear(reading, verb, "The reason is too long, or not plain text.");
    if (phrase[strlen(phrase) - 1] == '?')
        line->is_question = true;
    line->at = line->end;
    return true;
}

static bool read_group(struct reading *reading, struct concierge_line *line,
                       char phrase[static CONCIERGE_PHRASE_MAX + 1])
{
    if (!concierge_line_take(line, "to write to") && !concierge_line_take(line, "for") &&
        !concierge_line_take(line, "to"))
        return true;
    if (concierge_line_take(line, "me"))
        return true;
    if (!concierge_line_rest(line, phrase, CONCIERGE_PHRASE_MAX + 1) || !phrase[0])
        return unclear(reading, CONCIERGE_INVITE, "The name of the group is missing, too long, or not plain text.");
    if (phrase[strlen(phrase) - 1] == '?')
        line->is_question = true;
    line->at = line->end;
    return true;
}

static bool is_date(const char *word)
{
    static const char form[] = "dddd-dd-dd";
    for (size_t i = 0; form[i]; i++)
        if (form[i] == '-' ? word[i] != '-' : word[i] < '0' || word[i] > '9')
            return false;
    return !word[strlen(form)];
}

static bool read_until(struct reading *reading, struct concierge_line *line, char until[static 11])
{
    char word[CONCIERGE_WORD_MAX + 1];
    if (!concierge_line_take(line, "until"))
        return true;
    if (!concierge_line_word(line, word) || !is_date(word))
        return unclear(reading, CONCIERGE_APPROVE, "A date such as 2027-01-31 is expected behind \"until\".");
    memcpy(until, word, 11);
    return true;
}

/* Orders. */

static struct concierge_order *add_order(struct reading *reading, enum concierge_verb verb)
{
    struct concierge_words *out = reading->out;
    if (out->count == CONCIERGE_ORDERS_MAX) {
        unclear(reading, verb, "These are more than %d orders at once.", CONCIERGE_ORDERS_MAX);
        return NULL;
    }
    struct concierge_order *order = &out->orders[out->count++];
    *order = (struct concierge_order){ .verb = verb, .topic = CONCIERGE_HELP };
    return order;
}

/* 1 one was read, 0 there is none, -1 something that looks like one is none. */
static int read_object(struct reading *reading, struct concierge_line *line, enum concierge_verb verb)
{
    struct concierge_order found = { .number = 0 };
    enum object object = verbs[verb].object;
    int result = concierge_line_address(line, found.address);
    if (result < 0 || (result == 1 && object == OBJECT_NUMBER)) {
        if (result < 0)
            unclear(reading, verb, "One email address such as bob@example.com is expected.");
        else
            unclear(reading, verb, "The number of a request is expected, as \"pending\" shows it.");
        return -1;
    }
    if (result == 0) {
        result = concierge_line_number(line, &found.number);
        if (result < 0 || (result == 1 && object == OBJECT_ADDRESS)) {
            unclear(reading, verb,
                    object == OBJECT_ADDRESS ? "One email address such as bob@example.com is expected."
                                             : "A number such as 17 is expected.");
            return -1;
        }
    }
    if (result == 0)
        return 0;
    struct concierge_order *order = add_order(reading, verb);
    if (!order)
        return -1;
    order->number = found.number;
    memcpy(order->address, found.address, sizeof order->address);
    return 1;
}

/* "17", "17, 18 and 19". With free text behind it a number is one of these only after a comma or "and". */
static bool read_objects(struct reading *reading, struct concierge_line *line, enum concierge_verb verb)
{
    int found = read_object(reading, line, verb);
    if (found == 0)
        return unclear(reading, verb,
                       verbs[verb].object == OBJECT_NUMBER ? "The number of a request is missing: \"pending\" shows it."
                       : verbs[verb].object == OBJECT_ADDRESS ? "An email address is missing."
                                                              : "A number, or an email address, is missing.");
    while (found == 1) {
        struct concierge_line rest = *line;
        bool joined = line->is_comma, is_and = concierge_line_take(&rest, "and") || concierge_line_take(&rest, "&");
        if (line->is_colon || (verbs[verb].tail == TAIL_FREE && !joined && !is_and))
            return true;
        found = read_object(reading, &rest, verb);
        if (found == 1)
            *line = rest;
        if (found == 0 && is_and)
            return unknown_word(reading, line, verb);
    }
    return found == 0;
}

static bool read_tail(struct reading *reading, struct concierge_line *line, enum concierge_verb verb, size_t first)
{
    struct concierge_order *order = &reading->out->orders[first];
    switch (verbs[verb].tail) {
    case TAIL_GROUP:
        return read_group(reading, line, order->phrase);
    case TAIL_UNTIL:
        return read_until(reading, line, order->until);
    case TAIL_REASON:
        return read_reason(reading, line, verb, false, order->phrase);
    case TAIL_FREE:
        return read_reason(reading, line, verb, reading->out->count - first == 1, order->phrase);
    case TAIL_NONE:
        break;
    }
    return true;
}

static bool find_verb(struct concierge_line *line, enum concierge_verb *verb_out)
{
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (concierge_line_take(line, phrases[i].phrase)) {
            *verb_out = phrases[i].verb;
            return true;
        }
    return false;
}

static bool read_order(struct reading *reading, struct concierge_line *line, enum concierge_verb verb)
{
    size_t first = reading->out->count;
    if (verbs[verb].object == OBJECT_NONE) {
        struct concierge_order *order = add_order(reading, verb);
        if (!order)
            return false;
        if (verb == CONCIERGE_HELP && !find_verb(line, &order->topic))
            order->topic = CONCIERGE_HELP;
    } else if (!read_objects(reading, line, verb) || !read_tail(reading, line, verb, first)) {
        return false;
    }
    for (size_t i = first + 1; i < reading->out->count; i++) { /* what was said behind all of them */
        struct concierge_order *order = &reading->out->orders[i];
        memcpy(order->phrase, reading->out->orders[first].phrase, sizeof order->phrase);
        memcpy(order->until, reading->out->orders[first].until, sizeof order->until);
    }
    if (!is_only_thanks(*line))
        return unknown_word(reading, line, verb);
    struct concierge_line rest = *line;
    while (TAKE_ANY(&rest, thanks))
        ;
    if ((concierge_line_asks(*line) || concierge_line_asks(rest)) && verbs[verb].changes)
        return unclear(reading, verb, "That is a question. To have it done, write it without a question mark.");
    return true;
}

/* Lines. */

/* A mark at a line's start: "- ", "1. ", "## ". */
static void skip_mark(const char **at, const char *end)
{
    static const char *const marks[] = { "- ", "* ", "+ ", "• " };
    const char *p = *at;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if ((size_t)(end - p) > strlen(marks[i]) && memcmp(p, marks[i], strlen(marks[i])) == 0) {
            *at += strlen(marks[i]);
            return;
        }
    while (p < end && *p == '#')
        p++;
    if (p > *at && p < end && *p == ' ') {
        *at = p;
        return;
    }
    p = *at;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    if (p > *at && p - *at <= 2 && p + 1 < end && (*p == '.' || *p == ')') && p[1] == ' ')
        *at = p + 1;
}

/* Lines that are marks only: "---", "```". */
static bool is_rule(const char *at, const char *end)
{
    if ((size_t)(end - at) >= 3 && (memcmp(at, "```", 3) == 0 || memcmp(at, "~~~", 3) == 0) &&
        !memchr(at + 3, *at, (size_t)(end - at - 3))) /* with the name of a language, perhaps */
        return !memchr(at, ' ', (size_t)(end - at));
    for (; at < end; at++)
        if (!strchr("-=*_ ", *at) || !*at)
            return false;
    return true;
}

static void keep_line(struct reading *reading, const char *at, const char *end)
{
    size_t len = (size_t)(end - at);
    if (len >= sizeof reading->out->line) {
        len = sizeof reading->out->line - 4;
        while (len > 0 && ((unsigned char)at[len] & 0xc0) == 0x80)
            len--;
    }
    if (!smtp_text_is_clean_utf8(at, len))
        return;
    memcpy(reading->out->line, at, len);
    snprintf(reading->out->line + len, 4, "%s", len < (size_t)(end - at) ? "..." : "");
}

static bool read_line(struct reading *reading, const char *at, const char *end)
{
    enum concierge_verb verb;
    struct concierge_line line = concierge_line_open(at, (size_t)(end - at));
    at = line.at;
    skip_mark(&at, line.end);
    line = concierge_line_open(at, (size_t)(line.end - at));
    if (line.at == line.end || is_rule(line.at, line.end))
        return true;
    if (line.end - line.at == 1 && *line.at == '?')
        return add_order(reading, CONCIERGE_HELP);
    struct concierge_line order = line;
    skip_greetings(reading, &order);
    if (find_verb(&order, &verb))
        return read_order(reading, &order, verb);
    return is_courtesy(reading, line) || unknown_word(reading, &order, CONCIERGE_VERB_COUNT);
}

/* The first character that is no blank, or the end. */
static const char *first_of(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

static bool is_signature_mark(const char *at, const char *end)
{
    while (end > at && (end[-1] == ' ' || end[-1] == '\r'))
        end--;
    return end - at == 2 && at[0] == '-' && at[1] == '-';
}

static bool read_lines(struct reading *reading, const char *text, size_t len)
{
    const char *end = text + len;
    bool in_quote = false;
    for (size_t count = 0; text < end; count++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline ? newline : end, *first = first_of(text, line_end);
        if (is_signature_mark(text, line_end))
            return true;
        if (count == CONCIERGE_LINES_MAX)
            return unclear(reading, CONCIERGE_VERB_COUNT, "These are too many lines.");
        bool is_quote = first < line_end && *first == '>', is_empty = first == line_end;
        if (in_quote && !is_quote && !is_empty) {
            keep_line(reading, first, line_end);
            return unclear(reading, CONCIERGE_VERB_COUNT,
                           "A line right below a quotation belongs to it. Leave an empty line between them.");
        }
        if (!is_quote && !is_empty && !read_line(reading, first, line_end)) {
            keep_line(reading, first, line_end);
            return false;
        }
        in_quote = is_quote;
        text = newline ? newline + 1 : end;
    }
    return true;
}

bool concierge_words_read(const char *text, size_t len, const struct concierge_names *names,
                          struct concierge_words *out)
{
    struct reading reading = { .out = out, .names = names };
    out->count = 0;
    out->line[0] = out->why[0] = 0;
    out->about = CONCIERGE_VERB_COUNT;
    bool understood = len <= CONCIERGE_TEXT_MAX
                          ? read_lines(&reading, text, len)
                          : unclear(&reading, CONCIERGE_VERB_COUNT, "It is longer than the gateway reads.");
    if (!understood)
        out->count = 0;
    return understood;
}
