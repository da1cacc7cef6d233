/* postfix_policy.h - may this sender write to this recipient? asked by Postfix at RCPT (SMTPD_POLICY_README)
 *
 * What is certain at RCPT is refused there, before the message travels: a recipient that does not exist or that nobody
 * may write to, and, as far as `policy_match` allows to conclude it, a sender whom no mapping lets write to the recipient.
 * What the envelope sender can't tell is left to the door itself: who passes here is not yet believed.
 */
#pragma once

struct parts;
struct postfix_request;
struct strbuf;

enum postfix_policy_result { POSTFIX_POLICY_PASSED, POSTFIX_POLICY_REFUSED, POSTFIX_POLICY_DEFERRED };

/* Appends "action=...\n\n". Any other request than that at RCPT for an address of ours passes (DUNNO). Database trouble
 * defers: what can't be judged is not let in. */
enum postfix_policy_result postfix_policy_answer(const struct parts *parts, const struct postfix_request *request,
                                                 struct strbuf *out);
