/* doctor_postfix.c - does Postfix on this machine hand our domain's mail on, and take what is as large as we do? */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/doctor_internal.h"
#include "gateway/run_program.h"

enum { POSTCONF_MS = 4000, OUTPUT_MAX = 64 * 1024, DECIMAL = 10 };

/* The value of a line "NAME = VALUE"; len_out 0: it is not there. */
static const char *value_of(const char *text, const char *name, size_t *len_out)
{
    const size_t len = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, name, len) != 0 || strncmp(line + len, " =", 2) != 0)
            continue;
        const char *value = line + len + 2 + strspn(line + len + 2, " ");
        *len_out = strcspn(value, "\n");
        return value;
    }
    *len_out = 0;
    return "";
}

/* Does a list of names have this one, as a whole word? */
static bool names(const char *text, const char *key, const char *domain)
{
    size_t len;
    const char *value = value_of(text, key, &len), *end = value + len;
    const size_t size = strlen(domain);
    for (const char *at = value; at + size <= end; at++) {
        bool begins = at == value || strchr(" ,={", at[-1]);
        bool ends = at + size == end || strchr(" ,=}", at[size]);
        if (begins && ends && strncasecmp(at, domain, size) == 0)
            return true;
    }
    return false;
}

static void judge_size(struct doctor *doctor, const char *text)
{
    size_t len;
    const char *value = value_of(text, "message_size_limit", &len);
    int64_t limit = strtoll(value, NULL, DECIMAL), ours = doctor->config->policy.max_message;
    if (len == 0)
        return;
    if (limit == 0 || limit > ours) {
        doctor_say(doctor, DOCTOR_WARNING,
                   "it takes mail of %s%.*s octets, we take %" PRId64 ": larger mail is bounced",
                   limit == 0 ? "more than " : "", (int)len, value, ours);
        doctor_advise(doctor, "main.cf: message_size_limit = %" PRId64, ours / 100 * 98);
    } else {
        doctor_say(doctor, DOCTOR_OK, "it takes mail of %.*s octets at most", (int)len, value);
    }
}

void doctor_check_postfix(struct doctor *doctor)
{
    static const char *const question[] = { "postconf",
                                            "-x" /* mydestination is $myhostname, and more, as it comes */,
                                            "message_size_limit",
                                            "relay_domains",
                                            "transport_maps",
                                            "mydestination",
                                            "virtual_alias_domains",
                                            NULL };
    const char *domain = doctor->config->domain;
    struct strbuf text;
    strbuf_init(&text, OUTPUT_MAX);
    if (run_program(question, doctor_time(doctor, POSTCONF_MS), false, &text) != 0) {
        doctor_say(doctor, DOCTOR_UNSEEN, "there is none on this machine, or its configuration can't be read");
    } else if (names(text.data, "mydestination", domain) || names(text.data, "virtual_alias_domains", domain)) {
        doctor_say(doctor, DOCTOR_FAILURE, "it takes %s for its own: mail for it never gets to us", domain);
        doctor_advise(doctor, "take %s out of mydestination and virtual_alias_domains in main.cf", domain);
    } else if (names(text.data, "relay_domains", domain)) {
        doctor_say(doctor, DOCTOR_OK, "it takes mail for %s", domain);
        judge_size(doctor, text.data);
        size_t len;
        (void)value_of(text.data, "transport_maps", &len);
        if (len == 0) {
            doctor_say(doctor, DOCTOR_FAILURE, "it has no transport_maps, so it sends mail for %s to its MX", domain);
            doctor_advise(doctor,
                          "main.cf: transport_maps = inline:{ %s=lmtp:inet:127.0.0.1:2424 }; see docs/postfix.md",
                          domain);
        }
    } else {
        doctor_say(doctor, DOCTOR_OK, "it does not take mail for %s, which is right where it does not stand in front",
                   domain);
    }
    strbuf_free(&text);
}
