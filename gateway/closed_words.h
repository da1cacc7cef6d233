/* closed_words.h - why a member may not write to somebody outside, as they are told in the thread
 *
 * "the mapping was revoked on 2026-11-26 by an administrator: no longer with us". Who has decided is named only if it was
 * the reader, or the one outside. The administrator's reason may say anything: show it as it is. Pure.
 */
#pragma once

struct store_mapping;
struct strbuf;

/* mapping: that has decided, NULL: none has. reason: of struct policy_answer. reader: the member's alias, "" of somebody who is
 * no member. */
void closed_words_add(struct strbuf *out, const struct store_mapping *mapping, const char *reason, const char *reader);
