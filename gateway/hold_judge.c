/* hold_judge.c - what the rules say of a held mail that was released; see hold_internal.h
 *
 * The same policy as for mail that comes in, with the mapping that there is now and the proof of when it came. Two limits are not
 * asked about: it came before there was a daily number, and nobody would wait here for the next day.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/hold_internal.h"
#include "gateway/pair.h"

void hold_proof_format(const struct proof *proof, char out[static HOLD_PROOF_SIZE])
{
    snprintf(out, HOLD_PROOF_SIZE, "dmarc=%s dkim=%s assumed=%s peer=%s",
             proof->dmarc == AUTH_RESULT_PASS ? "pass" : "no", proof->dkim == AUTH_RESULT_PASS ? "pass" : "no",
             proof->is_assumed ? "yes" : "no", proof->is_peer ? "yes" : "no");
}

struct proof hold_proof_parse(const char *text)
{
    struct proof proof = { .dmarc = strstr(text, "dmarc=pass") ? AUTH_RESULT_PASS : AUTH_RESULT_NONE,
                           .dkim = strstr(text, "dkim=pass") ? AUTH_RESULT_PASS : AUTH_RESULT_NONE,
                           .is_assumed = strstr(text, "assumed=yes") != NULL,
                           .is_peer = strstr(text, "peer=yes") != NULL };
    snprintf(proof.source, sizeof proof.source, "when it came");
    snprintf(proof.story, sizeof proof.story, "as proven when it came: %s", text);
    return proof;
}

struct hold_rules hold_rules(const struct hold *hold)
{
    return (struct hold_rules){ .proof = (enum config_proof)atomic_load(&hold->proof),
                                .local_case = (enum smtp_case)atomic_load(&hold->local_case) };
}

static void note_mapping(const struct pair *pair, struct hold_judgement *out)
{
    const struct store_mapping *mapping = policy_choose_mapping(&pair->facts, STORE_DIRECTION_IN);
    if (!mapping)
        return;
    out->is_suspended = mapping->state == STORE_MAPPING_SUSPENDED;
    out->correspondent_id = mapping->correspondent_id;
    if (strcmp(mapping->attachments, ATTACHMENT_RULE_ALL) != 0)
        out->attachments = xstrdup(mapping->attachments);
}

int hold_judge(struct store_db *db, const struct store_held *held, const struct store_inbound *row,
               const struct hold_rules *rules, int64_t now, struct hold_judgement *out)
{
    struct pair pair;
    struct proof proof = hold_proof_parse(held->proof);
    const char *at = strrchr(held->author, '@');
    *out = (struct hold_judgement){ .verdict = { .decision = POLICY_ACCEPT, .reason = "released by itself" } };
    if (row->recipients[0].is_gone)
        out->verdict =
            (struct policy_verdict){ .decision = POLICY_REJECT,
                                     .reason = "the member was removed",
                                     .reply = smtp_reply_make(550, "5.1.1", "there is no such recipient any more") };
    if (held->is_once || row->recipients[0].is_gone)
        return 1;
    pair_find(db, held->author, held->target, &pair);
    struct policy_delivery_facts facts = { .pair = pair.facts,
                                           .proof = &proof,
                                           .proof_required = rules->proof,
                                           .from_domain = at ? at + 1 : "",
                                           .size = held->size,
                                           .hold = POLICY_HOLD_ROOM };
    facts.pair.inside = row->recipients[0].address ? row->recipients[0].address : "";
    facts.pair.local_case = rules->local_case;
    facts.pair.now = now;
    pair.facts = facts.pair;
    out->verdict = policy_judge_delivery(&facts);
    note_mapping(&pair, out);
    if (out->verdict.decision == POLICY_HOLD) /* what has let it go is no longer there */
        out->is_suspended = true;
    bool failed = pair.facts.database_failed;
    pair_free(&pair);
    return failed ? -1 : 1;
}

void hold_judgement_free(struct hold_judgement *judgement)
{
    free(judgement->attachments);
    judgement->attachments = NULL;
}
