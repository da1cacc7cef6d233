/* admin_mapping_test.c - mapping test: what would be let in, by what, and what else was looked at */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/admin_mapping.h"
#include "gateway/admin_output.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/pair.h"
#include "gateway/parts.h"
#include "gateway/target.h"
#include "mapping/subject.h"

struct question {
    char outside[SMTP_ADDRESS_MAX + 2];
    struct store_target target;
    enum store_direction direction;
    int64_t size;
};

/* An address at our domain, a member's alias, or a gid. 1, 0, -1 */
static int find_inside(const struct admin_request *request, const char *name, struct store_target *target_out)
{
    struct smtp_address address;
    struct target target;
    struct store_db *db = admin_reader(request);
    int found = target_find_by_name(db, name, target_out);
    if (found != 0 || smtp_address_parse(name, strlen(name), &address) != 1 ||
        !smtp_domain_equal(address.domain, gateway_parts(request->gateway)->config->domain))
        return found;
    found = target_find_by_address(db, &address, &target);
    if (found == 1)
        *target_out = target.id;
    return found;
}

/* 1; -1 after having answered. */
static int take_question(struct admin_request *request, struct question *question)
{
    const char *direction = admin_option(request, "--direction"), *size = admin_option(request, "--size");
    struct subject subject;
    question->direction = STORE_DIRECTION_IN;
    if (admin_mapping_subject(request, request->argv[0], &subject) < 0)
        return -1;
    if (subject.kind != SUBJECT_ADDRESS) {
        admin_misused(request, "the first argument must be an address outside");
        return -1;
    }
    memcpy(question->outside, subject.text, sizeof question->outside); /* an address: it fits */
    if (direction &&
        (!store_direction_parse(direction, &question->direction) || question->direction == STORE_DIRECTION_BOTH)) {
        admin_misused(request, "--direction takes in or out");
        return -1;
    }
    if (size && config_parse_size(size, &question->size) != 1) {
        admin_misused(request, "--size takes a size such as 512K or 10M");
        return -1;
    }
    int found = find_inside(request, request->argv[1], &question->target);
    if (found == 0)
        admin_refuse(request, "there is no member, group or address of ours \"%s\"", request->argv[1]);
    else if (found < 0)
        admin_database_error(request);
    return found == 1 ? 1 : -1;
}

static const char *proof_name(const struct config *config, const struct store_mapping *mapping)
{
    static const char *const by_default[] = {
        [CONFIG_PROOF_DMARC] = "dmarc", [CONFIG_PROOF_DKIM] = "dkim", [CONFIG_PROOF_NONE] = "none"
    };
    return mapping->proof == STORE_PROOF_DEFAULT ? by_default[config->policy.proof] : store_proof_name(mapping->proof);
}

/* What would be said now, if the author were proven. */
static void add_verdict(struct admin_request *request, const struct question *question, const struct pair *pair,
                        const struct store_mapping *decides)
{
    struct admin_output *out = request->output;
    const struct config *config = gateway_parts(request->gateway)->config;
    bool is_in = question->direction == STORE_DIRECTION_IN, is_allowed, is_kept;
    struct policy_answer answer;
    is_allowed = policy_allows(&pair->facts, question->direction, &answer);
    is_kept = is_in && !decides && pair->facts.address[0] && pair_holds_unknown(config, question->target);
    struct policy_verdict verdict = policy_judge_pair(&pair->facts, question->size, false);
    bool is_too_large = is_in && is_allowed && verdict.decision != POLICY_ACCEPT;
    admin_output_string(out, "verdict",
                        is_kept                       ? "held for approval"
                        : is_allowed && !is_too_large ? "let through"
                                                      : "refused");
    if (decides)
        admin_output_int(out, "decided_by", decides->id);
    else
        admin_output_string(out, "decided_by", NULL);
    admin_output_string(out, "why", is_too_large ? "the message is larger than the mapping lets in" : answer.reason);
    admin_output_string(out, "proof", is_in && decides && is_allowed ? proof_name(config, decides) : NULL);
    admin_output_string(out, "reply",
                        is_in && !is_kept && verdict.decision != POLICY_ACCEPT ? verdict.reply.text : NULL);
}

static void add_candidates(struct admin_request *request, const struct pair *pair, const struct store_mapping *decides)
{
    struct admin_output *out = request->output;
    admin_output_list(out, "looked_at");
    for (size_t i = 0; i < pair->count; i++) {
        const struct store_mapping *row = &pair->rows[i];
        char shown[SUBJECT_SHOWN_SIZE];
        subject_show(row->subject, shown);
        admin_output_row(out);
        admin_output_int(out, "id", row->id);
        admin_output_string(out, "address", shown);
        admin_output_string(out, "member", row->target_name);
        admin_output_string(out, "state", store_mapping_state_name(row->state));
        admin_output_string(out, "direction", store_direction_name(row->direction));
        admin_output_time(out, "expires", row->expires_at);
        admin_output_bool(out, "decides", row == decides);
        admin_output_end(out);
    }
    admin_output_end(out);
}

void admin_mapping_test(struct admin_request *request)
{
    struct question question = { .size = 0 };
    struct pair pair;
    if (take_question(request, &question) < 0)
        return;
    pair_find(admin_reader(request), question.outside, question.target, &pair);
    pair.facts.outside = question.outside;
    pair.facts.inside = request->argv[1];
    pair.facts.now = admin_now(request);
    pair.facts.local_case = gateway_parts(request->gateway)->config->policy.local_parts;
    const struct store_mapping *decides = policy_choose_mapping(&pair.facts, question.direction);
    bool database_failed = pair.facts.database_failed;
    if (!database_failed) {
        add_verdict(request, &question, &pair, decides);
        add_candidates(request, &pair, decides);
    }
    pair_free(&pair);
    if (database_failed)
        admin_database_error(request);
    else
        admin_finish(request);
}
