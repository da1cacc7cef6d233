/* spf_internal.h - what the rooms of spf share: records and their terms, macros, addresses
 *
 * Private to smtp/spf*.c. No room but spf.c and spf_match.c asks the DNS.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dns.h"
#include "base/strbuf.h"
#include "smtp/spf.h"

/* ---- spf_address.c ---- */

struct spf_ip {
    size_t len; /* 4 or 16 octets; 0: none */
    unsigned char octets[16];
};

/* 1; -1 neither an IPv4 nor an IPv6 address. */
int spf_ip_parse(const char *text, size_t len, struct spf_ip *ip_out) __attribute__((warn_unused_result));
/* Makes IPv4 of an address of ::ffff:0:0/96 (RFC 7208 section 5). */
void spf_ip_unmap(struct spf_ip *ip);
/* Are both of one kind, and the first so many bits equal? */
bool spf_ip_match(const struct spf_ip *a, const struct spf_ip *b, unsigned prefix);
enum { SPF_IP_TEXT_SIZE = 64 };
void spf_ip_format(const struct spf_ip *ip, char out[static SPF_IP_TEXT_SIZE]);         /* for people: %{c} */
void spf_ip_format_labels(const struct spf_ip *ip, char out[static SPF_IP_TEXT_SIZE]);  /* %{i}: IPv6 as 32 labels */
void spf_ip_format_reverse(const struct spf_ip *ip, char out[static DNS_NAME_MAX + 1]); /* where its PTR records are */

/* ---- spf_name.c: names as the DNS is asked for them ---- */

/* Makes a name of what macros expanded to: a final dot goes, and of more than 253 octets labels from the left
 * (section 7.3). 1; -1 it is none: empty or overlong labels, octets that are not printable ASCII, backslashes (some read them as escapes). */
int spf_name_make(const char *text, size_t len, char name_out[static DNS_NAME_MAX + 1])
    __attribute__((warn_unused_result));
/* May check_host() be called with it (section 4.3)? A name of two labels or more. */
bool spf_name_is_host_domain(const char *name);
/* Is name domain itself, or below it? Without regard to case. */
bool spf_name_is_within(const char *name, const char *domain);
/* The domain of an envelope sender or of HELO, as given: 1 and in lower case with "xn--" labels; -1 it is no domain to ask for. */
int spf_name_from_identity(const char *text, char name_out[static DNS_NAME_MAX + 1])
    __attribute__((warn_unused_result));

/* ---- spf_macro.c: section 7 ---- */

enum spf_macro_use {
    SPF_MACRO_DOMAIN,      /* in a record */
    SPF_MACRO_EXPLANATION, /* in the text that "exp=" leads to: spaces, and the letters c, r and t */
};

enum spf_macro_end { SPF_MACRO_END_LITERAL, SPF_MACRO_END_EXPANDED };

/* What the letters stand for. */
struct spf_macro_values {
    const char *of['z' - 'a' + 1]; /* by letter; NULL for 'p', and for letters without a meaning */
    bool is_local_utf8;            /* then %{s} and %{l} are no text for the DNS (RFC 8616 section 4) */
    /* The validated name of the client, or "unknown". Asked for when %{p} is expanded. */
    const char *(*find_client_name)(void *ctx);
    void *ctx;
};

/* 1 well-formed; -1 not. end_out: was the last thing in it a macro? */
int spf_macro_check(const char *text, size_t len, enum spf_macro_use use, enum spf_macro_end *end_out)
    __attribute__((warn_unused_result));
/* text: well-formed. 1, and appended to out, which may have overflowed; 0 it has %{s} or %{l}, and these are in UTF-8. */
int spf_macro_expand(const char *text, size_t len, enum spf_macro_use use, const struct spf_macro_values *values,
                     struct strbuf *out) __attribute__((warn_unused_result));

/* ---- spf_record.c: sections 4.5, 4.6, 5 and 6 ---- */

enum spf_kind {
    SPF_ALL,
    SPF_INCLUDE,
    SPF_A,
    SPF_MX,
    SPF_PTR,
    SPF_IP4,
    SPF_IP6,
    SPF_EXISTS,
    SPF_REDIRECT,
    SPF_EXP,
    SPF_UNKNOWN_MODIFIER,
};

struct spf_text {
    const char *data; /* points into the record; not NUL-terminated */
    size_t len;
};

struct spf_term {
    enum spf_kind kind;
    struct spf_text text;   /* all of it */
    enum spf_result result; /* of a mechanism that matches */
    struct spf_text domain; /* its domain-spec; len 0: none */
    unsigned prefix4;       /* bits that count; 32 and 128 when it says nothing */
    unsigned prefix6;
    struct spf_ip network; /* of SPF_IP4 and SPF_IP6 */
};

/* Does the text of a TXT record say that it is one of ours (section 4.5)? */
bool spf_record_is_spf(const char *text, size_t len);

/* Walks over the terms. Start with `{ data, len }` of what spf_record_is_spf(). */
struct spf_cursor {
    const char *at;
    const char *end;
};
struct spf_cursor spf_record_open(const char *text, size_t len);
/* 1 a term; 0 no more; -1 no term of the RFC's grammar: term_out->text says which. */
int spf_record_next(struct spf_cursor *cursor, struct spf_term *term_out) __attribute__((warn_unused_result));

/* ---- spf_match.c: does a mechanism match? ---- */

/* One check under way. */
struct spf_check {
    dns_ask *ask;
    void *ask_ctx;
    struct spf_ip client;
    struct spf_macro_values values; /* all but 'd' and 'p' */
    const char *domain;             /* whose record is being evaluated: %{d} */
    unsigned terms;                 /* that asked the DNS, so far */
    unsigned voids;                 /* of these, those that asked in vain */
    bool is_void;                   /* the term under way did */
    bool knows_client_names;
    bool has_no_client_name; /* the DNS says so: its address has no PTR record */
    size_t client_name_count;
    const char *client_names[SPF_PTR_MAX]; /* validated; they live in answers */
    struct spf_verdict *verdict;
};

/* All that return int here: 1 yes, 0 no, -1 the check is over: its verdict is written. */

/* printf-like; what is not printable ASCII becomes "?". */
void spf_check_note(struct spf_check *check, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Ends the check: always -1. */
int spf_check_stop(struct spf_check *check, enum spf_result result, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Counts a term that asks the DNS. 1, or -1. */
int spf_check_count_term(struct spf_check *check, const struct spf_term *term) __attribute__((warn_unused_result));
/* Asks: 1 found; 0 there is nothing, which counts against the term; -1. */
int spf_check_ask(struct spf_check *check, const char *name, enum dns_type type, const struct dns_answer **answer_out)
    __attribute__((warn_unused_result));
/* The name that a term's domain-spec means, or the current domain: 1; 0 it is none that could be asked for. */
int spf_check_target(struct spf_check *check, const struct spf_term *term, char name_out[static DNS_NAME_MAX + 1])
    __attribute__((warn_unused_result));
/* For spf_macro_values; ctx: the check. */
const char *spf_check_client_name(void *ctx);
/* Any mechanism but SPF_INCLUDE. */
int spf_check_match(struct spf_check *check, const struct spf_term *term) __attribute__((warn_unused_result));
