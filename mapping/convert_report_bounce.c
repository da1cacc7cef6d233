/* Bounces in words. Servers have their own phrases, but one shape: a phrase that opens a list of recipients, each with
 * what was said about it below or beside it, and then the original or its header. Only what stands behind a known
 * phrase and before the original is looked at. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_report_internal.h"
#include "mapping/convert_utf8.h"

enum {
    OPENERS_MAX = 100,   /* places in a text */
    BLANKS_MAX = 200,    /* that stand for one: a text of blanks must not be read from each of them to its end */
    WORDS_MAX = 2000,    /* octets that are collected about a recipient */
    REASONS_MAX = 20,    /* recipients for whom the text is searched for a reply that names them */
    NAME_LINE_MAX = 300, /* octets of a line that names a recipient behind a display name */
};

/* ---- phrases ---- */

/* A blank in a phrase is any white space, also a line end; letters are of either case; the straight apostrophe is
 * the curved one too. Returns where it ends; NULL: it is not here. */
static const char *match(const char *text, const char *phrase)
{
    for (; *phrase; phrase++) {
        if (*phrase == ' ') {
            const char *start = text;
            while (text - start < BLANKS_MAX && (*text == ' ' || *text == '\t' || *text == '\n'))
                text++;
            if (text == start)
                return NULL;
        } else if (*phrase == '\'' && strncmp(text, "\xE2\x80\x99", 3) == 0) {
            text += 3;
        } else if (tolower((unsigned char)*text) == *phrase) {
            text++;
        } else {
            return NULL;
        }
    }
    return text;
}

/* The end of a phrase's first occurrence in the text; NULL. */
static const char *find(const char *text, const char *phrase)
{
    for (; *text; text++) {
        const char *end = match(text, phrase);
        if (end)
            return end;
    }
    return NULL;
}

static bool has_any(const char *text, const char *const phrases[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (find(text, phrases[i]))
            return true;
    }
    return false;
}

#define HAS_ANY(text, phrases) has_any(text, phrases, sizeof(phrases) / sizeof(phrases)[0])

enum told { BY_WORDS, FAILED, DELAYED };

/* What may come before the first recipient. Where one begins like another, the longer one is first. */
static const struct opener {
    const char *phrase;
    enum told told;
    bool is_before_address; /* "your message to X could not": one of address_verbs must follow the address */
} openers[] = {
    /* Postfix, qmail, Yahoo, Courier, Amazon SES, and many that borrow their words */
    { "could not be delivered for", BY_WORDS, false },
    { "could not be delivered to", BY_WORDS, false },
    { "couldn't be delivered to", BY_WORDS, false },
    { "cannot be delivered to", BY_WORDS, false },
    { "could not deliver your message to", BY_WORDS, false },
    { "failed to deliver to", FAILED, false },
    { "failed to deliver your message to", BY_WORDS, false },
    { "unable to deliver your message to", BY_WORDS, false },
    { "unable to deliver message to", BY_WORDS, false },
    { "unable to deliver mail to", BY_WORDS, false },
    { "wasn't able to deliver your message to", FAILED, false },
    { "the following recipients cannot be delivered", BY_WORDS, false },
    { "the following recipients could not be delivered", BY_WORDS, false },
    { "trying to deliver the mail to the following recipients", FAILED, false },
    { "the following message to", BY_WORDS, true },
    /* Exim */
    { "the following address(es) failed", FAILED, false },
    { "the following addresses failed", FAILED, false },
    { "the following address failed", FAILED, false },
    { "the message has not yet been delivered is", DELAYED, false },
    { "the message has not yet been delivered are", DELAYED, false },
    /* sendmail */
    { "the following addresses had permanent fatal errors", FAILED, false },
    { "the following addresses had transient non-fatal errors", DELAYED, false },
    { "the following addresses had delivery problems", BY_WORDS, false },
    { "transcript of session follows", BY_WORDS, false },
    /* Exchange, and Gmail with words of its kind */
    { "did not reach the following recipient(s)", FAILED, false },
    { "the following recipient(s) could not be reached", FAILED, false },
    { "the following recipient(s) cannot be reached", FAILED, false },
    { "delivery has failed to these recipients or", FAILED, false },
    { "delivery is delayed to these recipients or", DELAYED, false },
    { "delivery to the following recipients failed", FAILED, false },
    { "delivery to the following recipient failed", FAILED, false },
    { "delivery to the following recipients has been delayed", DELAYED, false },
    { "delivery to the following recipient has been delayed", DELAYED, false },
    { "diagnostic information for administrators", BY_WORDS, false },
    { "message wasn't delivered to", FAILED, false },
    { "temporary problem delivering your message to", DELAYED, false },
    { "problem delivering your message to", BY_WORDS, false },
    { "your message to", BY_WORDS, true },
    /* OpenSMTPD, DragonFly Mail Agent, GMX, InterMail */
    { "to deliver a message for the following list of recipients", FAILED, false },
    { "for the following list of recipients", BY_WORDS, false },
    { "error delivering your mail to", FAILED, false },
    { "each of the following recipients was rejected", FAILED, false },
    { "the following recipients did not receive", FAILED, false },
    { "the following recipients haven't received", BY_WORDS, false },
    /* Lotus Notes, MDaemon, IMail, GroupWise */
    { "was not delivered to", FAILED, false },
    { "the attached message had permanent fatal delivery errors", FAILED, false },
    { "unknown user:", FAILED, false },
    { "undeliverable to", FAILED, false },
    { "user mailbox exceeds allowed size:", FAILED, false },
};

enum { OPENER_COUNT = sizeof openers / sizeof openers[0] };

static const char *const address_verbs[] = {
    "could not be delivered", "couldn't be delivered", "cannot be delivered", "was not delivered",
    "wasn't delivered",       "was undeliverable",     "has been delayed",    "is delayed",
};

/* What the original begins with, behind dashes and the like. */
static const char *const original_marks[] = {
    "below this line is",
    "this is a copy of",
    "original message",
    "original header",
    "unsent message",
    "message header",
    "returned message",
    "enclosed is a",
    "the header of the original",
    "the text you sent",
    "a copy of your",
    "received:",
    "return-path:",
    "your original message",
    "forwarded message",
    "your message follows",
    "non-delivered information",
};

static const char *const delay_words[] = {
    "not yet been delivered",
    "warning message only",
    "this is a warning only",
    "do not need to resend your message",
    "will be retried",
    "will retry for",
    "delivery attempts will continue",
    "will keep trying",
    "still being retried",
    "still undelivered",
    "could not send message for past",
    "delivery status notification (delay)",
    "delivery incomplete",
    "has been delayed",
    "is delayed",
    "delayed mail",
    "message delayed",
    "delivery delayed",
};

static const char *const failure_words[] = {
    "permanent error", "permanent fatal", "permanent failure",   "failed permanently",   "given up",
    "giving up",       "gave up",         "will not be retried", "no longer be retried", "returned to sender",
};

/* Behind these stands why, when it does not stand with the recipient. */
static const char *const reason_marks[] = {
    "the error that the other server returned was:",
    "the response from the remote server was:",
    "the response was:",
    "technical details of permanent failure:",
    "technical details of temporary failure:",
    "remote server returned",
    "the reason for the problem:",
    "because:",
    "reason:",
};

bool convert_report_is_delay(const char *subject, const char *text)
{
    bool speaks_of_delay = HAS_ANY(subject, delay_words) || HAS_ANY(text, delay_words);
    return speaks_of_delay && !HAS_ANY(subject, failure_words) && !HAS_ANY(text, failure_words);
}

/* ---- the text's structure ---- */

struct place {
    const struct opener *opener;
    const char *start, *end; /* of the phrase */
};

struct bounce {
    struct convert_report_result *result;
    char *text; /* without the original */
    struct place places[OPENERS_MAX];
    size_t count;
    enum convert_report_action action; /* by the words of the whole */
    size_t first;                      /* of the result's recipients, the first that this bounce has named */
};

static bool is_line_start(const char *text, const char *at)
{
    return at == text || at[-1] == '\n';
}

static bool begins_original(const char *line)
{
    line += strspn(line, " \t-=*>|#_+");
    for (size_t i = 0; i < sizeof original_marks / sizeof original_marks[0]; i++) {
        if (match(line, original_marks[i]))
            return true;
    }
    return false;
}

static const struct opener *match_opener(const char *at, const char **end_out)
{
    for (size_t i = 0; i < OPENER_COUNT; i++) {
        *end_out = match(at, openers[i].phrase);
        if (*end_out)
            return &openers[i];
    }
    return NULL;
}

/* Finds the phrases, and cuts the text where the original begins. */
static void find_places(struct bounce *bounce)
{
    char *at = bounce->text;
    while (*at && bounce->count < OPENERS_MAX) {
        const char *end;
        const struct opener *opener = match_opener(at, &end);
        if (opener)
            bounce->places[bounce->count++] = (struct place){ opener, at, end };
        else if (bounce->count > 0 && is_line_start(bounce->text, at) && begins_original(at))
            break;
        else
            end = at + 1;
        at += end - at;
    }
    *at = '\0';
}

/* ---- what is said about a recipient ---- */

/* Where a reply begins in words about it ("host mx.example.com said: 550 5.1.1 no"); 0: at their start, or nowhere. */
static size_t find_reply(const char *words)
{
    for (size_t i = 0; words[i]; i++) {
        if (convert_report_is_reply(words, i))
            return i;
    }
    return 0;
}

/* The host that is named in front of a reply. */
static char *find_host(const char *words)
{
    static const char *const marks[] = { "host ", "host: ", "while talking to ", "connected to " };
    static const char *const verbs[] = { " does not like recipient", " failed after" }; /* qmail: the host is first */
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        size_t len = strcspn(words, " ");
        if (match(words + len, verbs[i]))
            return convert_report_host(words);
    }
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        const char *at = find(words, marks[i]);
        if (!at)
            continue;
        size_t len = strcspn(at, " [(:;,<>");
        if (len == 0 || !memchr(at, '.', len))
            continue;
        char *token = xstrndup(at, len);
        char *host = convert_report_host(token);
        free(token);
        if (*host)
            return host;
        free(host);
    }
    return xstrdup("");
}

/* Words are one line. */
static void set_words(struct convert_report_recipient *recipient, const char *words)
{
    size_t reply = find_reply(words);
    size_t len = strlen(words);
    const char *command = strstr(words, " (in reply to ");
    if (command && command[strlen(command) - 1] == ')')
        len = (size_t)(command - words);
    if (reply > len)
        reply = 0;
    size_t n = convert_utf8_cut(words + reply, len - reply, CONVERT_REPORT_DIAGNOSTIC_MAX);
    convert_report_set(&recipient->diagnostic, xstrndup(words + reply, n));
    convert_report_set(&recipient->status, convert_report_status_from(words));
    if (*recipient->remote_mta == '\0')
        convert_report_set(&recipient->remote_mta, find_host(words));
}

static struct convert_report_recipient *find_recipient(const struct bounce *bounce, const char *address)
{
    for (size_t i = bounce->first; i < bounce->result->count; i++) {
        if (strcasecmp(bounce->result->recipients[i].address, address) == 0)
            return &bounce->result->recipients[i];
    }
    return NULL;
}

/* "(generated from bob@example.com) mailbox full": whom the sender wrote to. Returns where the words go on. */
static const char *take_original(struct convert_report_recipient *recipient, const char *words)
{
    const char *at = match(words, "(generated from ");
    if (!at)
        at = match(words, "(expanded from ");
    const char *close = at ? strchr(at, ')') : NULL;
    if (!close)
        return words;
    char *address = xstrndup(at, (size_t)(close - at));
    convert_report_set(&recipient->original, convert_report_address(address));
    free(address);
    return close + 1 + strspn(close + 1, " :");
}

/* How much a status says: nothing, a class, or why. */
static int precision(const char *status)
{
    return *status == '\0' ? 0 : strcmp(status + 1, ".0.0") == 0 ? 1 : 2;
}

/* Adds a recipient, or what is said about it in a second place. */
static void tell(struct bounce *bounce, const char *address, enum convert_report_action action, const char *words)
{
    struct convert_report_recipient *recipient = find_recipient(bounce, address);
    if (!recipient) {
        recipient = convert_report_add(bounce->result);
        if (!recipient)
            return;
        recipient->action = action;
        convert_report_set(&recipient->address, xstrdup(address));
    }
    char *line = convert_utf8_one_line(words, strlen(words), WORDS_MAX);
    const char *told = take_original(recipient, line);
    char *status = convert_report_status_from(told);
    if (*told && (*recipient->diagnostic == '\0' || precision(status) > precision(recipient->status)))
        set_words(recipient, told);
    free(status);
    free(line);
}

/* ---- lists of recipients ---- */

/* A mailbox at the start of a line: "bob@example.com", "<bob@example.com>", "'bob@example.com'". "" when there is none;
 * the rest of the line follows at *rest_out. */
static char *take_mailbox(const char *at, const char *end, const char **rest_out)
{
    bool is_enclosed = at < end && strchr("<\"'[", *at);
    if (is_enclosed)
        at++;
    const char *scheme = match(at, "mailto:");
    if (!scheme)
        scheme = match(at, "smtp:");
    if (scheme && scheme < end)
        at = scheme;
    size_t len = 0;
    while (at + len < end && !isspace((unsigned char)at[len]) && !strchr("<>()[]{},;:\"", at[len]))
        len++;
    *rest_out = at + len;
    while (len > 0 && (at[len - 1] == '.' || at[len - 1] == '\''))
        len--;
    if (is_enclosed && *rest_out < end && strchr(">\"']", **rest_out))
        ++*rest_out;
    return convert_report_mailbox(at, len);
}

static const char *skip_label(const char *at, const char *end)
{
    static const char *const labels[] = { "recipient:", "to:", "failed address:", "failed recipient:", "address:" };
    const char *lead = at;
    while (lead < end && strchr(" \t*-|", *lead))
        lead++;
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        const char *behind = match(lead, labels[i]);
        if (!behind || behind > end)
            continue;
        lead = behind;
        while (lead < end && (*lead == ' ' || *lead == '\t'))
            lead++;
        break;
    }
    return lead;
}

/* Behind a recipient's address: whether the line is about it, not a sentence that happens to begin with one. */
static bool is_good_rest(const char *rest, const char *end)
{
    static const char *const goers[] = { "...", "on ", "- " };
    while (rest < end && (*rest == ' ' || *rest == '\t'))
        rest++;
    if (rest == end || strchr(":,;(<", *rest))
        return true;
    for (size_t i = 0; i < sizeof goers / sizeof goers[0]; i++) {
        if (match(rest, goers[i]))
            return true;
    }
    return false;
}

/* "Bob Example (bob@example.com)", "Bob Example<mailto:bob@example.com>": the mailbox at a line's end. */
static char *take_last_mailbox(const char *line, const char *end)
{
    size_t len = (size_t)(end - line);
    while (len > 0 && isspace((unsigned char)line[len - 1]))
        len--;
    end = line + len;
    if (len < 3 || len > NAME_LINE_MAX || (end[-1] != ')' && end[-1] != '>'))
        return xstrdup("");
    bool is_link = end[-1] == '>';
    const char *open = memrchr(line, is_link ? '<' : '(', len);
    const char *scheme = open ? match(open + 1, "mailto:") : NULL;
    if (!open || (is_link && (!scheme || scheme > end)))
        return xstrdup("");
    const char *start = is_link ? scheme : open + 1;
    return convert_report_mailbox(start, (size_t)(end - 1 - start));
}

/* A transcript's "<<< 550 5.1.1 <bob@example.com>... User unknown". */
static char *take_replied_mailbox(const char *at, const char *end)
{
    const char *rest;
    at += strspn(at, "<> ");
    if (!convert_report_is_reply(at, 0) || end - at < 4)
        return xstrdup("");
    at += 4;
    while (at < end && (isdigit((unsigned char)*at) || *at == '.' || *at == ' '))
        at++;
    return at < end && *at == '<' ? take_mailbox(at, end, &rest) : xstrdup("");
}

/* What is being collected about the recipient that was met last. */
struct list {
    struct bounce *bounce;
    enum convert_report_action action;
    char *address; /* NULL: none yet, or nothing more is said about it */
    size_t indent; /* of the line that began it: what is further in is about it */
    struct strbuf words;
};

static void end_recipient(struct list *list)
{
    if (list->address)
        tell(list->bounce, list->address, list->action, list->words.data);
    free(list->address);
    list->address = NULL;
    strbuf_clear(&list->words);
}

/* "(reason: 550 no)" without what is around it. Parentheses that name another address are read later. */
static void unwrap(const char **text, const char **end)
{
    const char *at = *text;
    bool is_wrapped = *end - at > 2 && *at == '(' && (*end)[-1] == ')' && !memchr(at + 1, '(', (size_t)(*end - at) - 1);
    if (is_wrapped && !match(at, "(generated from ") && !match(at, "(expanded from ")) {
        ++*text;
        --*end;
    }
    const char *reason = match(*text, "reason:"); /* sendmail, MailEnable */
    if (reason && reason < *end)
        *text = reason + strspn(reason, " \t");
}

static void add_words(struct list *list, const char *text, const char *end)
{
    if (list->words.len == 0)
        unwrap(&text, &end);
    size_t len = (size_t)(end - text);
    if (list->words.len > 0)
        strbuf_add_char(&list->words, ' ');
    strbuf_add(&list->words, text, len < WORDS_MAX ? len : WORDS_MAX);
}

static void begin_recipient(struct list *list, char *address)
{
    end_recipient(list);
    list->address = address;
}

static size_t indent_of(const char *line)
{
    return strspn(line, " \t");
}

/* The rest of a line that began with an address: further addresses, or words. */
static void read_rest(struct list *list, const char *rest, const char *end)
{
    while (rest < end) {
        while (rest < end && strchr(" \t:,;", *rest))
            rest++;
        const char *next;
        char *address = take_mailbox(rest, end, &next);
        if (!*address || !is_good_rest(next, end)) {
            free(address);
            break;
        }
        begin_recipient(list, address);
        rest = next;
    }
    if (match(rest, "on ") || rest >= end) /* a date */
        return;
    rest += strspn(rest, ".- ");
    if (rest < end)
        add_words(list, rest, end);
}

/* is_sentence: the line goes on from a phrase, so that anything may follow the address. */
static void read_line(struct list *list, const char *line, const char *end, bool is_sentence)
{
    const char *rest;
    const char *start = skip_label(line, end);
    if (list->address && indent_of(line) > list->indent) {
        add_words(list, start, end);
        return;
    }
    list->indent = is_sentence ? 0 : indent_of(line);
    char *address = take_mailbox(start, end, &rest);
    if (*address && (is_sentence || is_good_rest(rest, end))) {
        begin_recipient(list, address);
        if (is_good_rest(rest, end))
            read_rest(list, rest, end);
        return;
    }
    free(address);
    address = take_replied_mailbox(start, end);
    if (*address) {
        begin_recipient(list, address);
        add_words(list, start, end);
        end_recipient(list);
        return;
    }
    free(address);
    address = is_sentence || list->words.len > 0 ? xstrdup("") : take_last_mailbox(line, end);
    if (*address) {
        begin_recipient(list, address);
        return;
    }
    free(address);
    if (list->address)
        add_words(list, start, end);
}

/* An empty line ends what is said about a recipient; so does a ruler. */
static bool ends_words(const char *line, const char *end)
{
    const char *text = line + indent_of(line);
    return text >= end || strncmp(text, "---", 3) == 0 || strncmp(text, "===", 3) == 0;
}

/* The recipients between a phrase and the next one. */
static void read_list(struct bounce *bounce, const struct place *place, const char *end)
{
    struct list list = { .bounce = bounce,
                         .action = place->opener->told == FAILED    ? CONVERT_REPORT_FAILED
                                   : place->opener->told == DELAYED ? CONVERT_REPORT_DELAYED
                                                                    : bounce->action };
    strbuf_init(&list.words, WORDS_MAX * 4);
    const char *line = place->end + strspn(place->end, " \t:");
    bool is_wrapped = *line == '\n' && line == place->end + indent_of(place->end);
    if (is_wrapped)
        line++;
    bool is_sentence = line < end && *line != '\n';
    while (line < end) {
        const char *lf = memchr(line, '\n', (size_t)(end - line));
        const char *line_end = lf ? lf : end;
        if (ends_words(line, line_end))
            end_recipient(&list);
        else
            read_line(&list, line, line_end, is_sentence);
        line = lf ? lf + 1 : end;
        is_sentence = false;
    }
    end_recipient(&list);
    strbuf_free(&list.words);
}

/* "Your message to bob@example.com couldn't be delivered." */
static void read_sentence(struct bounce *bounce, const struct place *place)
{
    const char *at = place->end + strspn(place->end, " \t\n");
    const char *rest;
    char *address = take_mailbox(at, at + strcspn(at, "\n"), &rest);
    rest += strspn(rest, " \t\n");
    for (size_t i = 0; *address && i < sizeof address_verbs / sizeof address_verbs[0]; i++) {
        if (match(rest, address_verbs[i])) {
            tell(bounce, address, bounce->action, "");
            break;
        }
    }
    free(address);
}

/* ---- reasons that stand elsewhere ---- */

/* Length of the paragraph at text, up to an empty line or a ruler; bounded. */
static size_t paragraph_len(const char *text)
{
    size_t len = 0;
    while (len < WORDS_MAX && text[len]) {
        size_t n = strcspn(text + len, "\n");
        len += n;
        if (text[len] == '\0' || ends_words(text + len + 1, text + len + 1 + strcspn(text + len + 1, "\n")))
            break;
        len++;
    }
    return len < WORDS_MAX ? len : WORDS_MAX;
}

/* The first reply in the text, with what follows it; about: of those lines that name this address, without what follows.
 * NULL: none. The caller frees it. */
static char *find_reply_line(const char *text, const char *about)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        char *line = xstrndup(text, len);
        size_t reply = find_reply(line);
        bool is_reply = convert_report_is_reply(line, reply) && (!about || strcasestr(line, about));
        free(line);
        if (is_reply) {
            size_t n = about ? len - reply : paragraph_len(text + reply);
            return convert_utf8_one_line(text + reply, n, WORDS_MAX);
        }
        text += len + (text[len] == '\n');
    }
    return NULL;
}

static char *find_reason(const char *text)
{
    for (size_t i = 0; i < sizeof reason_marks / sizeof reason_marks[0]; i++) {
        const char *at = find(text, reason_marks[i]);
        if (!at)
            continue;
        at += strspn(at, " \t\n'\"");
        size_t len = paragraph_len(at);
        if (len > 0)
            return convert_utf8_one_line(at, len, WORDS_MAX);
    }
    return NULL;
}

/* Gmail's "... the recipient domain example.com by mx.example.com. [192.0.2.1]", sendmail's transcript. */
static char *find_host_elsewhere(const char *text)
{
    const char *at = find(text, "for the recipient domain ");
    at = at ? find(at, " by ") : find(text, "while talking to ");
    if (!at)
        return xstrdup("");
    char *token = xstrndup(at, strcspn(at, " \t\n[(:;,<>"));
    char *host = convert_report_host(token);
    free(token);
    return host;
}

/* For who has no code: what the rest of the text says about them, or about the only one there is. */
static void add_reasons(struct bounce *bounce)
{
    bool is_only = bounce->result->count == bounce->first + 1;
    if (bounce->result->count > bounce->first + REASONS_MAX)
        return; /* each reads through the text */
    for (size_t i = bounce->first; i < bounce->result->count; i++) {
        struct convert_report_recipient *recipient = &bounce->result->recipients[i];
        if (*recipient->status == '\0') {
            char *words = find_reply_line(bounce->text, is_only ? NULL : recipient->address);
            if (!words && is_only && *recipient->diagnostic == '\0')
                words = find_reason(bounce->text);
            if (words)
                set_words(recipient, words);
            free(words);
        }
        if (is_only && *recipient->remote_mta == '\0')
            convert_report_set(&recipient->remote_mta, find_host_elsewhere(bounce->text));
    }
}

/* X-Failed-Recipients, as Exim and Gmail write it. */
static void add_failed(struct bounce *bounce, const char *failed)
{
    while (*failed) {
        const char *rest;
        failed += strspn(failed, " \t,;");
        char *address = take_mailbox(failed, failed + strlen(failed), &rest);
        if (*address)
            tell(bounce, address, bounce->action, "");
        free(address);
        failed += strcspn(failed, ",;");
    }
}

/* The original's id, from what of it stands in the text. */
static void find_message_id(const char *text, struct convert_report_result *result)
{
    for (const char *line = text; *line && *result->original_message_id == '\0';) {
        size_t len = strcspn(line, "\n");
        const char *value = match(line + strspn(line, " \t>"), "message-id:");
        if (value && value < line + len) {
            char *field = convert_utf8_one_line(value, (size_t)(line + len - value), CONVERT_REPORT_MESSAGE_ID_MAX + 2);
            convert_report_set(&result->original_message_id, convert_report_message_id(field));
            free(field);
        }
        line += len + (line[len] == '\n');
    }
}

void convert_report_read_bounce(const char *subject, const char *text, const char *failed,
                                struct convert_report_result *result)
{
    struct bounce bounce = { .result = result, .text = xstrdup(text), .first = result->count };
    find_places(&bounce);
    bounce.action = convert_report_is_delay(subject, bounce.text) ? CONVERT_REPORT_DELAYED : CONVERT_REPORT_FAILED;
    for (size_t i = 0; i < bounce.count; i++) {
        const char *end = i + 1 < bounce.count ? bounce.places[i + 1].start : bounce.text + strlen(bounce.text);
        if (bounce.places[i].opener->is_before_address)
            read_sentence(&bounce, &bounce.places[i]);
        else
            read_list(&bounce, &bounce.places[i], end);
    }
    add_failed(&bounce, failed);
    if (result->count > bounce.first) {
        add_reasons(&bounce);
        find_message_id(text, result);
    }
    free(bounce.text);
}
