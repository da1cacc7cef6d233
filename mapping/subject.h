/* subject.h - whom a mapping is about: an outside address, or a pattern of them
 *
 *   bob@example.com          this address
 *   *@partner.example        whoever writes from this domain, and not from below it
 *   *@*.partner.example      whoever writes from below it, at any depth, and not from the domain itself
 *
 * Subjects are stored normalised, as smtp_address_canonicalise() has addresses: domains as A-labels in lower case, so that
 * a name and its "xn--" form are one and look-alikes are not. Pure: no I/O, no database.
 *
 * Authors match as mail is delivered nearly everywhere: the local part without regard to the case of ASCII letters. With
 * SMTP_CASE_KEPT (policy.local_parts = sensitive) a mapping lets in only who writes it alike; but what refuses somebody
 * refuses them in any case, since at most domains they would be the same person: a difference in case never helps anybody
 * in.
 */
#pragma once
#include "smtp/smtp_address.h"

enum {
    SUBJECT_SIZE = SMTP_ADDRESS_MAX + 6, /* with its NUL */
    SUBJECT_LABELS_MAX = 20,             /* of an author's domain: from longer names nobody matches */
    SUBJECT_KEYS_MAX = SUBJECT_LABELS_MAX + 2,
};

enum subject_kind {
    SUBJECT_ADDRESS,
    SUBJECT_DOMAIN,     /* "*@domain" */
    SUBJECT_SUBDOMAINS, /* "*@*.domain" */
};

struct subject {
    enum subject_kind kind;
    char text[SUBJECT_SIZE]; /* normalised */
};

/* text: as people write it, without angle brackets. 1; -1: *wrong_out says why, for people (static text). */
int subject_parse(const char *text, enum smtp_case local_case, struct subject *subject_out, const char **wrong_out)
    __attribute__((warn_unused_result));
/* Of a normalised text. */
enum subject_kind subject_kind_of(const char *text);
/* Is it below a name of one label only (or that label itself), such as "*@*.example"? That would be half the world: such a
 * pattern may keep people out, and never lets anybody in. */
bool subject_is_too_wide(const struct subject *subject);
/* For people: labels as they are written in their own script. `out` has room for it in any case; what can't be shown so is
 * left as it is. */
enum { SUBJECT_SHOWN_SIZE = 1100 };
void subject_show(const char *text, char out[static SUBJECT_SHOWN_SIZE]);
/* For whoever decides about it: what nobody can take for another's, in ASCII, with A-labels and numbers for other characters
 * ("b[U+043E]b@example.com"). false: it is what subject_show() shows. */
bool subject_spell(const char *text, char out[static SUBJECT_SHOWN_SIZE]);

/* What an author is looked up by: the subjects that can match them, in ASCII lower case, the most specific first. */
struct subject_keys {
    size_t count;
    char texts[SUBJECT_KEYS_MAX][SUBJECT_SIZE];
};
/* author: a canonical address as text ("" or what is none: there are no keys). */
void subject_keys_make(const char *author, struct subject_keys *keys_out);

/* How specific is it that this subject is about this author? Higher is more; 0: it is not about them.
 * The address as written > as written in another case > without its detail (only if the mapping has `subaddresses`) >
 * the domain > the nearest domain above > those farther away. lets_in: the mapping with this subject would let them in, see above. */
int subject_match(const char *subject, bool subaddresses, const char *author, enum smtp_case local_case, bool lets_in);
