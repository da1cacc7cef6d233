#include "smtp/sender_auth.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "smtp/arc_verify.h"
#include "smtp/dkim_message.h"
#include "smtp/dkim_verify.h"
#include "smtp/dmarc.h"
#include "smtp/public_suffix.h"
#include "smtp/spf.h"

enum { PIECE = 64 * 1024 };

/* One check under way. */
struct check {
    const struct sender_auth_request *request;
    const struct public_suffixes *suffixes;
    dns_ask *ask;
    void *ask_ctx;
    struct dkim_message *message;
    char author[SMTP_DOMAIN_MAX + 1];     /* the domain, normalised */
    char spf_domain[SMTP_DOMAIN_MAX + 1]; /* whose record says who may send; "" none */
    struct dkim_verdict dkim[DKIM_VERIFY_SIGNATURES_MAX];
    size_t dkim_count;
    bool is_spf_checked;
    struct spf_verdict spf;
    struct dmarc_verdict dmarc;
    struct arc_verdict arc;
    size_t trusted; /* newest instances in a row whose sealers are trusted */
    struct sender_auth_result *result;
};

/* ---- the message ---- */

static int read_message(struct check *check)
{
    const struct sender_auth_request *request = check->request;
    char *piece = xmalloc(PIECE);
    int64_t at = 0;
    while (at < request->size && dkim_message_wants_more(check->message)) {
        size_t wanted = request->size - at < PIECE ? (size_t)(request->size - at) : PIECE;
        ssize_t got = pread(request->fd, piece, wanted, (off_t)(request->offset + at));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        dkim_message_add(check->message, piece, (size_t)got);
        at += got;
    }
    bool is_whole = at >= request->size || !dkim_message_wants_more(check->message);
    free(piece);
    dkim_message_end(check->message);
    return is_whole ? 1 : -1;
}

/* ---- the checks ---- */

static bool is_authors_organisation(const struct check *check, const char *domain)
{
    return domain[0] && strcmp(public_suffixes_organisation(check->suffixes, check->author),
                               public_suffixes_organisation(check->suffixes, domain)) == 0;
}

/* Keys of others prove nothing about the author, and their name servers may be made to keep us waiting. */
static const struct dns_answer *ask_for_key(const char *name, enum dns_type type, void *ctx)
{
    static const char marker[] = "._domainkey.";
    static const struct dns_answer not_asked = { .outcome = DNS_TEMPORARY };
    const struct check *check = ctx;
    const char *domain = NULL;
    for (const char *at = strstr(name, marker); at; at = strstr(domain, marker))
        domain = at + sizeof marker - 1;
    return domain && is_authors_organisation(check, domain) ? check->ask(name, type, check->ask_ctx) : &not_asked;
}

static void find_spf_domain(struct check *check)
{
    const struct sender_auth_request *request = check->request;
    const char *domain = smtp_address_is_null(&request->sender) ? request->helo : request->sender.domain;
    if (request->client[0] && domain[0] != '[' && strlen(domain) <= SMTP_DOMAIN_MAX)
        dmarc_normalise_domain(domain, check->spf_domain);
}

static void check_spf(struct check *check)
{
    const struct sender_auth_request *request = check->request;
    const struct spf_request spf = { .client = request->client,
                                     .helo = request->helo,
                                     .sender = request->sender,
                                     .receiver = request->hostname,
                                     .now = request->now / 1000 };
    spf_check(&spf, check->ask, check->ask_ctx, &check->spf);
    check->is_spf_checked = true;
}

static enum auth_result spf_as_result(const struct check *check)
{
    static const enum auth_result results[] = {
        [SPF_NONE] = AUTH_RESULT_NONE,           [SPF_NEUTRAL] = AUTH_RESULT_OTHER,
        [SPF_PASS] = AUTH_RESULT_PASS,           [SPF_FAIL] = AUTH_RESULT_FAIL,
        [SPF_SOFTFAIL] = AUTH_RESULT_OTHER,      [SPF_TEMPERROR] = AUTH_RESULT_TEMPERROR,
        [SPF_PERMERROR] = AUTH_RESULT_PERMERROR,
    };
    return check->is_spf_checked ? results[check->spf.result] : AUTH_RESULT_NONE;
}

static void check_dmarc(struct check *check)
{
    struct dmarc_identifier dkim[DKIM_VERIFY_SIGNATURES_MAX];
    for (size_t i = 0; i < check->dkim_count; i++)
        dkim[i] = (struct dmarc_identifier){ check->dkim[i].result, check->dkim[i].domain };
    const struct dmarc_request request = { .from_domain = check->author,
                                           .spf = { spf_as_result(check), check->spf.domain },
                                           .dkim = dkim,
                                           .dkim_count = check->dkim_count };
    dmarc_check(&request, check->suffixes, check->ask, check->ask_ctx, &check->dmarc);
    check->result->dmarc = check->dmarc.result;
    check->result->dkim = check->dmarc.dkim;
}

static bool is_trusted(const struct sender_auth_request *request, const char *sealer)
{
    for (size_t i = 0; i < request->sealer_count; i++)
        if (strcmp(request->sealers[i], sealer) == 0)
            return true;
    return false;
}

static size_t count_trusted(const struct check *check)
{
    size_t trusted = 0;
    while (trusted < check->arc.count &&
           is_trusted(check->request, check->arc.instances[check->arc.count - 1 - trusted].sealer))
        trusted++;
    return trusted;
}

/* A chain whose newest seal says that it is somebody's who is not trusted proves nothing, right or wrong. */
static const struct dns_answer *ask_for_seal(const char *name, enum dns_type type, void *ctx)
{
    static const struct dns_answer not_asked = { .outcome = DNS_TEMPORARY };
    const struct check *check = ctx;
    return count_trusted(check) > 0 ? check->ask(name, type, check->ask_ctx) : &not_asked;
}

/* A result of the oldest in the row of trusted sealers counts as if it were our own. */
static void believe_sealer(struct check *check)
{
    const struct arc_instance *oldest = &check->arc.instances[check->arc.count - check->trusted];
    struct sender_auth_result *result = check->result;
    struct auth_results results;
    if (auth_results_parse(oldest->auth_results, strlen(oldest->auth_results), &results) != 1)
        return;
    if (auth_results_dmarc(&results, check->author) != AUTH_RESULT_PASS)
        return;
    snprintf(result->sealer, sizeof result->sealer, "%s", oldest->sealer);
    result->dmarc = AUTH_RESULT_PASS;
    if (auth_results_dkim(&results, check->author) == AUTH_RESULT_PASS)
        result->dkim = AUTH_RESULT_PASS;
}

static void check_arc(struct check *check)
{
    const struct sender_auth_request *request = check->request;
    if (request->sealer_count == 0 || check->result->dmarc == AUTH_RESULT_PASS)
        return;
    arc_verify(check->message, ask_for_seal, check, request->now, &check->arc);
    check->trusted = count_trusted(check);
    if (check->trusted > 0 && check->arc.result == AUTH_RESULT_PASS)
        believe_sealer(check);
    else if (check->trusted > 0 && check->arc.result == AUTH_RESULT_TEMPERROR)
        check->result->dmarc = AUTH_RESULT_TEMPERROR;
}

/* ---- in words ---- */

/* Appends to a text, or leaves it alone when there is no room for all of it. */
static void append(char *text, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void append(char *text, size_t size, const char *fmt, ...)
{
    size_t len = strlen(text);
    va_list args;
    va_start(args, fmt);
    int more = vsnprintf(text + len, size - len, fmt, args);
    va_end(args);
    if (more < 0 || (size_t)more >= size - len)
        text[len] = '\0';
}

enum { QUOTED_MAX = 2 * 300 };

/* As a quoted string, which a comment can't be: parentheses mean nothing in it. */
static const char *quoted(const char *text, char out[static QUOTED_MAX + 3])
{
    size_t len = 0;
    out[len++] = '"';
    for (; *text && len < QUOTED_MAX; text++) {
        if (*text == '"' || *text == '\\')
            out[len++] = '\\';
        out[len++] = *text;
    }
    out[len++] = '"';
    out[len] = '\0';
    return out;
}

/* Of a property: nothing, if there is no value; in quotes, unless it is of the letters that names have. */
static void append_property(char *text, size_t size, const char *name, const char *value)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    if (value[0]) {
        char buffer[QUOTED_MAX + 3];
        append(text, size, " %s=%s", name, value[strspn(value, plain)] ? quoted(value, buffer) : value);
    }
}

static void append_reason(char *text, size_t size, const char *reason)
{
    if (reason[0]) {
        char buffer[QUOTED_MAX + 3];
        append(text, size, " reason=%s", quoted(reason, buffer));
    }
}

static void write_dkim(const struct check *check, const struct dkim_verdict *verdict)
{
    char text[SENDER_AUTH_TEXT_MAX] = "";
    bool is_looked_at = !verdict->domain[0] || is_authors_organisation(check, verdict->domain) ||
                        verdict->result != AUTH_RESULT_TEMPERROR;
    append(text, sizeof text, "; dkim=%s", is_looked_at ? verdict->result_text : "policy");
    append_reason(text, sizeof text,
                  is_looked_at ? verdict->detail : "not of the author's organisation, not looked at");
    append_property(text, sizeof text, "header.d", verdict->domain);
    append_property(text, sizeof text, "header.s", verdict->selector);
    append_property(text, sizeof text, "header.b", verdict->signature);
    append(check->result->text, sizeof check->result->text, "%s", text);
}

static void write_spf(const struct check *check)
{
    struct sender_auth_result *result = check->result;
    const char *name = smtp_address_is_null(&check->request->sender) ? "smtp.helo" : "smtp.mailfrom";
    append(result->text, sizeof result->text, "; spf=%s", spf_result_name(check->spf.result));
    append_reason(result->text, sizeof result->text, check->spf.detail);
    append_property(result->text, sizeof result->text, name, check->spf.domain);
}

static void write_arc(const struct check *check)
{
    struct sender_auth_result *result = check->result;
    if (check->trusted == 0 && check->arc.result == AUTH_RESULT_TEMPERROR) {
        append(result->text, sizeof result->text,
               "; arc=policy reason=\"sealed by nobody who is trusted, not looked at\"");
        return;
    }
    append(result->text, sizeof result->text, "; arc=%s", auth_result_name(check->arc.result));
    if (result->sealer[0])
        append(result->text, sizeof result->text, " reason=\"%s says dmarc=pass\"", result->sealer);
    else
        append_reason(result->text, sizeof result->text, check->arc.detail);
}

/* What decided comes first: what has no room is left out. */
static void write_results(const struct check *check)
{
    struct sender_auth_result *result = check->result;
    append(result->text, sizeof result->text, "%s; dmarc=%s", check->request->hostname,
           auth_result_name(check->dmarc.result));
    append_reason(result->text, sizeof result->text, check->dmarc.detail);
    append_property(result->text, sizeof result->text, "header.from", check->author);
    if (check->is_spf_checked)
        write_spf(check);
    if (check->arc.result != AUTH_RESULT_NONE)
        write_arc(check);
    for (size_t i = 0; i < check->dkim_count; i++)
        write_dkim(check, &check->dkim[i]);
    if (check->dkim_count == 0)
        append(result->text, sizeof result->text, "; dkim=none");
}

/* Of the signatures the one that says most about the author. */
static void tell_dkim(const struct check *check)
{
    struct sender_auth_result *result = check->result;
    for (size_t i = 0; i < check->dkim_count; i++) {
        const struct dkim_verdict *verdict = &check->dkim[i];
        if (!is_authors_organisation(check, verdict->domain) || verdict->result != check->dmarc.dkim)
            continue;
        bool is_told = verdict->detail[0] && verdict->result != AUTH_RESULT_PASS; /* else it is in the text */
        append(result->story, sizeof result->story, "; DKIM %s of %s%s%s", verdict->result_text, verdict->domain,
               is_told ? ": " : "", is_told ? verdict->detail : "");
        return;
    }
    append(result->story, sizeof result->story, "; %s",
           check->dkim_count ? "no DKIM signature of the author's domain" : "no DKIM signature");
}

static void tell_story(const struct check *check)
{
    struct sender_auth_result *result = check->result;
    size_t size = sizeof result->story;
    append(result->story, size, "DMARC %s for %s", auth_result_name(check->dmarc.result), check->author);
    if (check->dmarc.detail[0])
        append(result->story, size, " (%s)", check->dmarc.detail);
    tell_dkim(check);
    if (check->is_spf_checked)
        append(result->story, size, "; SPF %s of %s%s%s", spf_result_name(check->spf.result),
               check->spf.domain[0] ? check->spf.domain : "nobody", check->spf.detail[0] ? ": " : "",
               check->spf.detail);
    if (result->sealer[0])
        append(result->story, size, "; DMARC pass says %s, who has forwarded it (ARC)", result->sealer);
    else if (check->trusted > 0)
        append(result->story, size, "; ARC %s%s%s", auth_result_name(check->arc.result),
               check->arc.detail[0] ? ": " : "", check->arc.detail);
}

static void tell_outcome(const struct check *check)
{
    struct sender_auth_result *result = check->result;
    size_t size = sizeof result->outcome;
    if (check->is_spf_checked)
        append(result->outcome, size, "SPF %s", spf_result_name(check->spf.result));
    else
        append(result->outcome, size, "%s",
               check->request->client[0] ? "SPF is about another domain" : "no client for SPF");
    if (check->dmarc.dkim != AUTH_RESULT_NONE)
        append(result->outcome, size, ", DKIM %s", auth_result_name(check->dmarc.dkim));
    else
        append(result->outcome, size, ", no DKIM signature%s", check->dkim_count ? " of the domain" : "");
}

/* ---- all of it ---- */

int sender_auth_check(const struct sender_auth_request *request, const struct public_suffixes *suffixes, dns_ask *ask,
                      void *ask_ctx, struct sender_auth_result *result_out)
{
    struct check *check = xcalloc(1, sizeof *check);
    *check = (struct check){
        .request = request, .suffixes = suffixes, .ask = ask, .ask_ctx = ask_ctx, .result = result_out
    };
    memset(result_out, 0, sizeof *result_out);
    dmarc_normalise_domain(request->from_domain, check->author);
    check->message = dkim_message_new();
    int result = read_message(check);
    if (result == 1) {
        check->dkim_count = dkim_verify(check->message, check->author, ask_for_key, check, request->now, check->dkim,
                                        DKIM_VERIFY_SIGNATURES_MAX);
        find_spf_domain(check);
        check_dmarc(check); /* by signatures alone: SPF may use up all the time there is */
        if (result_out->dmarc != AUTH_RESULT_PASS && is_authors_organisation(check, check->spf_domain)) {
            check_spf(check);
            check_dmarc(check);
        }
        check_arc(check);
        if (!check->is_spf_checked && check->spf_domain[0] && result_out->dmarc == AUTH_RESULT_PASS)
            check_spf(check);
        result_out->is_sender_spf_pass =
            !smtp_address_is_null(&request->sender) && check->is_spf_checked && check->spf.result == SPF_PASS;
        write_results(check);
        tell_story(check);
        tell_outcome(check);
    }
    arc_verdict_free(&check->arc);
    dkim_message_free(&check->message);
    free(check);
    return result;
}
