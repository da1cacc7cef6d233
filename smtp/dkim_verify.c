/* dkim_verify.c - see dkim_verify.h
 *
 * Our own code, as signing is: what a library would bring besides two canonical forms and a digest (DNS, its cache, threads) is
 * done elsewhere here, what it would be asked to be strict about it decides itself, and Debian's (libopendkim, a beta
 * of 2018) does not know Ed25519.
 */
#include "smtp/dkim_verify.h"

#include <string.h>

#include "smtp/dkim_check.h"
#include "smtp/mail_header.h"

/* How many labels two domains have in common at their ends, without those of a public suffix: one is none. A label more when
 * they are the same. */
static unsigned count_common_labels(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b), i = 0;
    unsigned labels = 0;
    for (; i < a_len && i < b_len && a[a_len - 1 - i] == b[b_len - 1 - i]; i++)
        labels += a[a_len - 1 - i] == '.';
    bool a_ends = i == a_len, b_ends = i == b_len;
    if (a_ends && b_ends)
        return labels + 2;
    bool is_whole = (a_ends && b[b_len - 1 - i] == '.') || (b_ends && a[a_len - 1 - i] == '.');
    return labels + is_whole > 1 ? labels + is_whole : 0;
}

static unsigned rank_field(const struct dkim_field *field, const char *from_domain)
{
    struct dkim_tags tags;
    char domain[SMTP_DOMAIN_MAX + 1];
    if (dkim_tags_parse(field->text + field->value, field->len - field->value, &tags) != 1 ||
        dkim_text_to_domain(dkim_tags_find(&tags, "d"), 1, domain) != 1)
        return 0;
    return count_common_labels(domain, from_domain);
}

/* Into the list by rank; of the same rank, as they stand. */
static size_t choose(const struct dkim_message *message, const char *from_domain,
                     const struct dkim_field *chosen[static DKIM_VERIFY_SIGNATURES_MAX], size_t max)
{
    static const char name[] = "DKIM-Signature";
    unsigned ranks[DKIM_VERIFY_SIGNATURES_MAX];
    size_t first, count = 0, fields = dkim_message_find(message, name, sizeof name - 1, &first);
    for (size_t i = 0; i < fields; i++) {
        const struct dkim_field *field = message->by_name[first + i];
        unsigned rank = rank_field(field, from_domain);
        size_t at = count;
        while (at > 0 && ranks[at - 1] < rank)
            at--;
        if (at == max)
            continue;
        count += count < max;
        memmove(chosen + at + 1, chosen + at, (count - at - 1) * sizeof chosen[0]);
        memmove(ranks + at + 1, ranks + at, (count - at - 1) * sizeof ranks[0]);
        chosen[at] = field;
        ranks[at] = rank;
    }
    return count;
}

static void judge(struct dkim_check *check)
{
    uint8_t digest[DIGEST_SIZE];
    if (dkim_check_read(check) != 1 || dkim_check_cover(check) != 1 || dkim_check_time(check) != 1 ||
        dkim_check_body(check) != 1)
        return;
    dkim_check_digest_header(check, digest);
    dkim_check_signature(check, digest);
}

size_t dkim_verify(const struct dkim_message *message, const char *from_domain, dns_ask *ask, void *ask_ctx,
                   int64_t now, struct dkim_verdict *verdicts_out, size_t max)
{
    const struct dkim_field *chosen[DKIM_VERIFY_SIGNATURES_MAX];
    char domain[SMTP_DOMAIN_MAX + 1] = "";
    struct dkim_text from = { from_domain ? from_domain : "", from_domain ? strlen(from_domain) : 0 };
    if (dkim_text_to_domain(from, 1, domain) != 1)
        domain[0] = '\0';
    size_t count = choose(message, domain, chosen, max < DKIM_VERIFY_SIGNATURES_MAX ? max : DKIM_VERIFY_SIGNATURES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct dkim_check check = {
            .message = message, .field = chosen[i], .ask = ask, .ask_ctx = ask_ctx, .now = now
        };
        judge(&check);
        verdicts_out[i] = check.verdict;
    }
    return count;
}
