/* invitation_text.h - what an invitation says: the administrator's template, or ours, with what it is about filled in
 *
 * The first line is "Subject: " and a subject, the second is empty, the rest is CommonMark in UTF-8. Fields stand in braces; a
 * brace itself is written twice:
 *
 *   {member}   who invites: the member's or the group's name, as it may be shown (display_name.h)
 *   {address}  where to write; needed
 *   {guest}    the address that is invited
 *   {domain}   ours
 *   {remove}   where to write to be removed; needed
 *
 * Names are anybody's: in the body they are shown as they are, and act as no markup. Pure functions.
 */
#pragma once
#include <stddef.h>

struct strbuf;

enum {
    INVITATION_TEXT_MAX = 16 * 1024, /* octets of a template; */
    INVITATION_SUBJECT_MAX = 200,    /* of its subject */
    INVITATION_FIELDS_MAX = 100,
    INVITATION_FILLED_SUBJECT_MAX = 16 * 1024, /* of what is made of them */
    INVITATION_FILLED_BODY_MAX = 128 * 1024,
};

extern const char invitation_text_default[];

/* 1: it can be filled in; -1: "line 3: what is wrong, what was expected". */
int invitation_text_check(const char *text, size_t len, struct strbuf *problem_out) __attribute__((warn_unused_result));

struct invitation_fields {
    const char *member, *address, *guest, *domain, *remove;
};
/* text: one that was checked. Appends. 1, or -1: there is no room; there is in buffers of the sizes above. */
int invitation_text_fill(const char *text, const struct invitation_fields *fields, struct strbuf *subject_out,
                         struct strbuf *body_out) __attribute__((warn_unused_result));
