/* hold_contact.h - what a member is told of somebody who has written to them for the first time, and may not yet
 *
 * A ping: at most 140 UTF-16 units. Address and subject are a stranger's: they are shown as one line without what is invisible, or
 * turns text around; nothing in them is a link, or can pass for words of the gateway. Pure.
 */
#pragma once

struct strbuf;

enum { HOLD_CONTACT_UNITS = 140, HOLD_SUBJECT_MAX = 1000 /* octets of a subject that are kept */ };

/* author: as stored; subject: decoded, "" for none. */
void hold_contact_write(const char *author, const char *subject, struct strbuf *out);
/* A subject as it may be shown: cut at a character after `units_max` UTF-16 units, then with "...". */
void hold_contact_add_subject(const char *subject, unsigned units_max, struct strbuf *out);
