/* gateway_policy_table_test.c - who may pass: every combination of facts against an independent decision list, and what must
 * hold of any
 *
 * A scenario says in the abstract what mappings there are ("one of the domain above, to all members, suspended"); the oracle
 * judges that, without addresses, ranks or comparisons: it goes through the layers from the most specific one and takes the first
 * that has something to say. The policy gets the same scenario as rows and addresses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/policy.h"

enum { ROWS_MAX = 6 };
static const int64_t now = 1800000000000;
#define AUTHOR "bob+list@mail.partner.example"

/* Whose a mapping is, seen from the author; the most specific first. */
enum layer { AS_WRITTEN, NO_DETAIL, DOMAIN, ABOVE, FAR_ABOVE, OTHERS, LAYERS };
static const char *const subjects[LAYERS] = {
    AUTHOR,        "bob@mail.partner.example", "*@mail.partner.example", "*@*.partner.example",
    "*@*.example", "*@*.mail.partner.example"
};
enum whom { HERSELF, EVERYBODY, SOMEBODY_ELSE, WHOMS };
static const struct store_target alice = { .member_id = 3 }, carol = { .member_id = 4 }, team = { .group_id = 3 };

enum end { NEVER, LONG_AGO, THIS_MOMENT, NEXT_MOMENT, ENDS };
static const int64_t ends[ENDS] = { 0, 1, now, now + 1 };

struct row {
    enum layer layer;
    enum whom whom;
    enum store_mapping_state state;
    enum store_direction direction;
    enum end end;
    enum store_proof proof;
    bool subaddresses;
    int64_t max_size, daily;
};

struct scene {
    struct row rows[ROWS_MAX]; /* the id is the place, from 1 */
    size_t count;
    bool is_group, is_database_broken;
    struct proof proof;
    enum config_proof required;
    int64_t size, today, automatic;
    bool is_generated;
    enum policy_hold hold;
};

/* ---- the oracle ---- */

static bool lets_in(const struct row *row, enum store_direction direction)
{
    return row->state == STORE_MAPPING_APPROVED && (row->end == NEVER || row->end == NEXT_MOMENT) &&
           (row->direction == STORE_DIRECTION_BOTH || row->direction == direction);
}

/* Of one layer, to one of the targets: the live one, else the newest that has ended. NULL: nobody has decided anything. */
static const struct row *find_current(const struct scene *scene, enum layer layer, enum whom whom)
{
    const struct row *live = NULL, *ended = NULL;
    for (size_t i = 0; i < scene->count; i++) {
        const struct row *row = &scene->rows[i];
        if (row->layer != layer || row->whom != whom)
            continue;
        switch (row->state) {
        case STORE_MAPPING_REQUESTED:
            break;
        case STORE_MAPPING_APPROVED:
        case STORE_MAPPING_SUSPENDED:
            live = row;
            break;
        case STORE_MAPPING_DENIED:
        case STORE_MAPPING_REVOKED:
        case STORE_MAPPING_EXPIRED:
            ended = row;
            break;
        }
    }
    return live ? live : ended;
}

static const struct row *find_decider(const struct scene *scene, enum store_direction direction)
{
    for (enum layer layer = AS_WRITTEN; layer <= FAR_ABOVE; layer++) {
        const struct row *own = find_current(scene, layer, HERSELF);
        const struct row *all = scene->is_group ? NULL : find_current(scene, layer, EVERYBODY);
        if (layer == NO_DETAIL && own && lets_in(own, direction) && !own->subaddresses)
            own = NULL; /* bob may, but he did not say bob+list may */
        if (layer == NO_DETAIL && all && lets_in(all, direction) && !all->subaddresses)
            all = NULL;
        if (own || all)
            return own ? own : all;
    }
    return NULL;
}

static const enum auth_result passed = AUTH_RESULT_PASS;

static const char *judge_proof(const struct proof *proof, enum config_proof required)
{
    enum auth_result result = required == CONFIG_PROOF_DKIM ? proof->dkim : proof->dmarc;
    if (required == CONFIG_PROOF_NONE || proof->is_assumed || proof->is_peer)
        return NULL;
    if (proof->is_unusable)
        return "550 5.7.26";
    if (result == passed)
        return NULL;
    return result == AUTH_RESULT_TEMPERROR || proof->is_temporary ? "451 4.7.0" : "550 5.7.26";
}

static enum config_proof required_by(const struct scene *scene, const struct row *decider)
{
    if (decider && lets_in(decider, STORE_DIRECTION_IN)) {
        if (decider->proof == STORE_PROOF_DMARC)
            return CONFIG_PROOF_DMARC;
        if (decider->proof == STORE_PROOF_DKIM)
            return CONFIG_PROOF_DKIM;
        if (decider->proof == STORE_PROOF_NONE && decider->layer <= NO_DETAIL)
            return CONFIG_PROOF_NONE;
    }
    return scene->required;
}

static const char *judge_stranger(const struct scene *scene)
{
    const struct proof *proof = &scene->proof;
    bool is_somebody = judge_proof(proof, CONFIG_PROOF_DMARC) == NULL || judge_proof(proof, CONFIG_PROOF_DKIM) == NULL;
    if (scene->hold == POLICY_HOLD_OFF || scene->is_group)
        return "550 5.7.1";
    if (!is_somebody && proof->is_temporary && !proof->is_unusable)
        return "451 4.7.0";
    if (!is_somebody)
        return "550 5.7.1";
    return scene->hold == POLICY_HOLD_SENDER_FULL ? "452 4.2.1"
           : scene->hold == POLICY_HOLD_FULL      ? "452 4.3.1"
                                                  : "hold";
}

/* "250": accepted; "hold"; else what the sender is told. *decider_out: 0 none. */
static const char *expect(const struct scene *scene, int64_t *decider_out)
{
    const struct row *decider = find_decider(scene, STORE_DIRECTION_IN);
    *decider_out = 0;
    if (scene->is_database_broken)
        return "451 4.3.0";
    const char *unproven = judge_proof(&scene->proof, required_by(scene, decider));
    if (unproven)
        return unproven;
    if (!decider)
        return judge_stranger(scene);
    *decider_out = decider - scene->rows + 1;
    if (!lets_in(decider, STORE_DIRECTION_IN))
        return "550 5.7.1";
    if (decider->max_size && scene->size > decider->max_size)
        return "552 5.3.4";
    if (decider->daily && scene->today >= decider->daily)
        return "452 4.2.1";
    return scene->is_generated && scene->automatic >= 60 ? "554 5.4.6" : "250 2.1.5";
}

/* ---- asking the policy ---- */

struct question {
    struct store_mapping rows[ROWS_MAX];
    struct policy_delivery_facts facts;
};

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant; /* only read */
}

static struct store_mapping make_row(const struct scene *scene, size_t index)
{
    const struct row *row = &scene->rows[index];
    const struct store_target self = scene->is_group ? team : alice;
    const struct store_target whoms[WHOMS] = { self, { .member_id = 0 }, carol };
    return (struct store_mapping){ .id = (int64_t)index + 1,
                                   .subject = text(subjects[row->layer]),
                                   .target = whoms[row->whom],
                                   .target_name = text("Somebody Here"),
                                   .state = row->state,
                                   .direction = row->direction,
                                   .expires_at = ends[row->end],
                                   .proof = row->proof,
                                   .subaddresses = row->subaddresses,
                                   .max_size = row->max_size,
                                   .daily = row->daily,
                                   .attachments = text("yes"),
                                   .note = text(""),
                                   .created_by = text("root"),
                                   .decided_by = text("root"),
                                   .decided_at = now - 1000,
                                   .reason = text("") };
}

static void ask(const struct scene *scene, struct question *question)
{
    for (size_t i = 0; i < scene->count; i++)
        question->rows[i] = make_row(scene, i);
    question->facts = (struct policy_delivery_facts){
        .pair = { .outside = AUTHOR,
                  .inside = "alice@silo.example.org",
                  .address = AUTHOR,
                  .target = scene->is_group ? team : alice,
                  .rows = question->rows,
                  .count = scene->count,
                  .now = now,
                  .database_failed = scene->is_database_broken },
        .proof = &scene->proof,
        .proof_required = scene->required,
        .from_domain = "mail.partner.example",
        .size = scene->size,
        .accepted_today = scene->today,
        .is_generated = scene->is_generated,
        .automatic_per_hour = 60,
        .automatic_this_hour = scene->automatic,
        .hold = scene->hold,
    };
}

static struct policy_verdict judge(const struct scene *scene)
{
    struct question question;
    ask(scene, &question);
    return policy_judge_delivery(&question.facts);
}

static void print_scene(const struct scene *scene)
{
    static const char *const layers[] = { "as written", "no detail", "domain", "above", "far above", "others" };
    for (size_t i = 0; i < scene->count; i++) {
        const struct row *row = &scene->rows[i];
        print_message("  %zu: %s, to %d, %s, direction %d, end %d, proof %d, subaddresses %d, size %d, daily %d\n",
                      i + 1, layers[row->layer], row->whom, store_mapping_state_name(row->state), row->direction,
                      row->end, row->proof, row->subaddresses, (int)row->max_size, (int)row->daily);
    }
    print_message(
        "  group %d, broken %d, dmarc %d, dkim %d, assumed %d, peer %d, temporary %d, unusable %d, required %d\n",
        scene->is_group, scene->is_database_broken, scene->proof.dmarc, scene->proof.dkim, scene->proof.is_assumed,
        scene->proof.is_peer, scene->proof.is_temporary, scene->proof.is_unusable, scene->required);
    print_message("  size %d, today %d, automatic %d, generated %d, hold %d\n", (int)scene->size, (int)scene->today,
                  (int)scene->automatic, scene->is_generated, scene->hold);
}

static unsigned compared, accepted;

static void compare(const struct scene *scene)
{
    char got[40];
    int64_t decider;
    const char *expected = expect(scene, &decider);
    struct policy_verdict verdict = judge(scene);
    snprintf(got, sizeof got, "%d %s", verdict.reply.code, verdict.reply.enhanced);
    if (verdict.decision == POLICY_HOLD)
        snprintf(got, sizeof got, "hold");
    static const char first[] = {
        [POLICY_ACCEPT] = '2', [POLICY_HOLD] = '2', [POLICY_REJECT] = '5', [POLICY_DEFER] = '4'
    };
    bool is_consistent = verdict.reply.code / 100 == first[verdict.decision] - '0' && verdict.reason[0];
    if (strcmp(got, expected) != 0 || verdict.mapping_id != decider || !is_consistent) {
        print_scene(scene);
        fail_msg("expected %s by mapping %d, got %s by mapping %d: %s", expected, (int)decider, got,
                 (int)verdict.mapping_id, verdict.reason);
    }
    compared++;
    accepted += verdict.decision == POLICY_ACCEPT;
}

static struct row open_row(enum layer layer, enum whom whom)
{
    return (
        struct row){ .layer = layer, .whom = whom, .state = STORE_MAPPING_APPROVED, .direction = STORE_DIRECTION_IN };
}

static struct scene proven_scene(void)
{
    return (struct scene){ .proof = { .dmarc = passed }, .size = 100 };
}

/* ---- the table ---- */

/* One mapping, whatever it is. */
static void test_every_mapping(void **state)
{
    (void)state;
    compared = accepted = 0;
    for (unsigned bits = 0; bits < LAYERS * WHOMS * 6 * 3 * ENDS * 2 * 2; bits++) {
        unsigned rest = bits;
        struct scene scene = proven_scene();
        struct row row = { .layer = (enum layer)(rest % LAYERS) };
        rest /= LAYERS;
        row.whom = (enum whom)(rest % WHOMS);
        rest /= WHOMS;
        row.state = (enum store_mapping_state)(rest % 6);
        rest /= 6;
        row.direction = (enum store_direction)(1 + rest % 3);
        rest /= 3;
        row.end = (enum end)(rest % ENDS);
        rest /= ENDS;
        row.subaddresses = rest & 1;
        scene.is_group = rest & 2;
        scene.rows[scene.count++] = row;
        compare(&scene);
    }
    print_message("%u compared, %u accepted\n", compared, accepted);
    /* approved; in or both; no end or a later one; of five layers, of which one needs subaddresses; to a member or all, or a group */
    assert_int_equal(accepted, 2 * 2 * (4 * 2 + 1) * (2 + 1));
}

/* Every proof there can be, with every one that can be required, by the configuration and by the mapping. */
static void test_every_proof(void **state)
{
    (void)state;
    static const enum layer layers[] = { AS_WRITTEN, DOMAIN, OTHERS };
    compared = accepted = 0;
    for (unsigned bits = 0; bits < 6 * 6 * 16 * 3 * 4 * 3; bits++) {
        unsigned rest = bits;
        struct scene scene = proven_scene();
        scene.proof.dmarc = (enum auth_result)(rest % 6);
        rest /= 6;
        scene.proof.dkim = (enum auth_result)(rest % 6);
        rest /= 6;
        scene.proof.is_assumed = rest & 1;
        scene.proof.is_peer = rest & 2;
        scene.proof.is_temporary = rest & 4;
        scene.proof.is_unusable = rest & 8;
        rest /= 16;
        scene.required = (enum config_proof)(rest % 3);
        rest /= 3;
        scene.rows[0] = open_row(layers[rest / 4], HERSELF);
        scene.rows[0].proof = (enum store_proof)(rest % 4);
        scene.count = 1;
        scene.hold = bits % 2 ? POLICY_HOLD_ROOM : POLICY_HOLD_OFF;
        compare(&scene);
    }
    print_message("%u compared, %u accepted\n", compared, accepted);
    assert_true(accepted > 1000);
}

/* Limits of the mapping, of automatic mail and of what is held. */
static void test_every_limit(void **state)
{
    (void)state;
    static const int64_t sizes[] = { 0, 99, 100 }, dailies[] = { 0, 5, 6 }, automatics[] = { 59, 60 };
    compared = accepted = 0;
    for (unsigned bits = 0; bits < 3 * 3 * 2 * 2 * 4 * 2 * 2 * 2; bits++) {
        unsigned rest = bits;
        struct scene scene = proven_scene();
        scene.today = 5;
        scene.rows[0] = open_row(ABOVE, EVERYBODY);
        scene.rows[0].max_size = sizes[rest % 3];
        rest /= 3;
        scene.rows[0].daily = dailies[rest % 3];
        rest /= 3;
        scene.automatic = automatics[rest & 1];
        scene.is_generated = rest & 2;
        rest /= 4;
        scene.hold = (enum policy_hold)(rest % 4);
        rest /= 4;
        scene.count = rest & 1;
        scene.is_group = rest & 2;
        scene.is_database_broken = rest & 4;
        compare(&scene);
    }
    assert_int_equal(accepted, 2 * 2 * 3 * 4);
}

/* Two mappings, of any layers, in any order. */
static void test_every_two_mappings(void **state)
{
    (void)state;
    compared = accepted = 0;
    for (unsigned bits = 0; bits < 5 * 5 * 2 * 2 * 6 * 6 * 2; bits++) {
        unsigned rest = bits;
        struct scene scene = proven_scene();
        scene.count = 2;
        for (size_t i = 0; i < 2; i++) {
            scene.rows[i] = open_row((enum layer)(rest % 5), (enum whom)(rest / 5 % 2));
            scene.rows[i].state = (enum store_mapping_state)(rest / 10 % 6);
            rest /= 60;
        }
        scene.rows[0].subaddresses = rest & 1;
        bool same = scene.rows[0].layer == scene.rows[1].layer && scene.rows[0].whom == scene.rows[1].whom;
        if (same && scene.rows[0].state % 2 && scene.rows[1].state % 2)
            continue; /* APPROVED, SUSPENDED: the store has one live mapping of a subject and target */
        compare(&scene);
    }
    print_message("%u compared, %u accepted\n", compared, accepted);
}

/* ---- what holds of any ---- */

static uint64_t seed;
static unsigned pick(unsigned count)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % count;
}

static struct row random_row(void)
{
    /* mostly approved ones, or nothing would ever pass */
    struct row row = { .layer = (enum layer)pick(LAYERS),
                       .whom = (enum whom)pick(WHOMS),
                       .state = pick(2) ? STORE_MAPPING_APPROVED : (enum store_mapping_state)pick(6),
                       .direction = (enum store_direction)(1 + pick(3)),
                       .end = (enum end)pick(ENDS),
                       .proof = (enum store_proof)pick(4),
                       .subaddresses = pick(2),
                       .max_size = pick(4) ? 0 : 50 + pick(100),
                       .daily = pick(4) ? 0 : 1 + pick(10) };
    return row;
}

static bool is_live(const struct row *row)
{
    return row->state == STORE_MAPPING_APPROVED || row->state == STORE_MAPPING_SUSPENDED;
}

/* As the store has them: one of a subject and target is live. */
static bool has_live_twin(const struct scene *scene, const struct row *row)
{
    for (size_t i = 0; i < scene->count; i++)
        if (&scene->rows[i] != row && scene->rows[i].layer == row->layer && scene->rows[i].whom == row->whom &&
            is_live(&scene->rows[i]))
            return true;
    return false;
}

static struct scene random_scene(void)
{
    struct scene scene = { .is_group = pick(5) == 0,
                           .is_database_broken = pick(20) == 0,
                           .proof = { .dmarc = pick(2) ? passed : (enum auth_result)pick(6),
                                      .dkim = (enum auth_result)pick(6),
                                      .is_assumed = pick(20) == 0,
                                      .is_peer = pick(20) == 0,
                                      .is_temporary = pick(5) == 0,
                                      .is_unusable = pick(10) == 0 },
                           .required = (enum config_proof)pick(3),
                           .size = pick(150),
                           .today = pick(10),
                           .automatic = pick(100),
                           .is_generated = pick(4) == 0,
                           .hold = (enum policy_hold)pick(4) };
    for (unsigned wanted = pick(ROWS_MAX); scene.count < wanted;) { /* leaves room for one more */
        struct row row = random_row();
        if (is_live(&row) && has_live_twin(&scene, &row))
            continue;
        scene.rows[scene.count++] = row;
    }
    return scene;
}

static bool is_let_in(const struct scene *scene)
{
    return judge(scene).decision == POLICY_ACCEPT;
}

/* Nobody is let in without a mapping that is approved, in time, inward and about both, and without the proof that it, or the
 * configuration, asks for. */
static void check_acceptance(const struct scene *scene, const struct policy_verdict *verdict)
{
    if (verdict->decision != POLICY_ACCEPT)
        return;
    assert_false(scene->is_database_broken);
    assert_in_range(verdict->mapping_id, 1, scene->count);
    const struct row *row = &scene->rows[verdict->mapping_id - 1];
    assert_int_equal(row->state, STORE_MAPPING_APPROVED);
    assert_true(row->direction & STORE_DIRECTION_IN);
    assert_true(row->end == NEVER || row->end == NEXT_MOMENT);
    assert_true(row->layer != OTHERS && row->whom != SOMEBODY_ELSE && !(scene->is_group && row->whom == EVERYBODY));
    assert_true(row->layer != NO_DETAIL || row->subaddresses);
    const struct proof *proof = &scene->proof;
    bool is_asked_by_nobody =
        row->proof == STORE_PROOF_DEFAULT || (row->proof == STORE_PROOF_NONE && row->layer >= DOMAIN)
            ? scene->required == CONFIG_PROOF_NONE
            : row->proof == STORE_PROOF_NONE;
    assert_true(is_asked_by_nobody || proof->is_assumed || proof->is_peer || proof->dmarc == passed ||
                proof->dkim == passed);
    assert_false(!is_asked_by_nobody && !proof->is_assumed && !proof->is_peer && proof->is_unusable);
}

static void check_database(struct scene scene)
{
    scene.is_database_broken = true;
    assert_int_equal(judge(&scene).decision, POLICY_DEFER);
}

/* Whatever is added that says no, a request or something about others: it lets nobody in. */
static void check_additions(struct scene scene, const struct policy_verdict *before)
{
    scene.rows[scene.count++] = random_row();
    struct row *added = &scene.rows[scene.count - 1];
    const struct row as_it_is = *added;
    added->state = STORE_MAPPING_REQUESTED;
    assert_int_equal(judge(&scene).decision, before->decision);
    added->state = pick(2) ? STORE_MAPPING_DENIED : STORE_MAPPING_REVOKED;
    struct policy_verdict closed = judge(&scene);
    assert_true(closed.decision != POLICY_ACCEPT || before->decision == POLICY_ACCEPT);
    assert_true(closed.decision != POLICY_HOLD || before->decision == POLICY_HOLD);
    *added = as_it_is;
    added->whom = SOMEBODY_ELSE;
    assert_int_equal(judge(&scene).decision, before->decision);
    *added = as_it_is;
    added->layer = OTHERS;
    assert_int_equal(judge(&scene).decision, before->decision);
}

/* Whatever limit of whichever mapping is made tighter: it lets nobody in who was not. */
static void check_limits(struct scene scene)
{
    if (scene.count == 0 || is_let_in(&scene))
        return;
    struct row *row = &scene.rows[pick((unsigned)scene.count)];
    const struct row as_it_was = *row;
    row->max_size = row->max_size ? row->max_size / 2 + 1 : 10;
    assert_false(is_let_in(&scene));
    *row = as_it_was;
    row->daily = row->daily > 1 ? row->daily - 1 : 1;
    assert_false(is_let_in(&scene));
    *row = as_it_was;
    row->end = row->end == NEVER ? NEXT_MOMENT : LONG_AGO;
    assert_false(is_let_in(&scene));
    *row = as_it_was;
    row->direction = STORE_DIRECTION_OUT;
    assert_false(is_let_in(&scene));
    *row = as_it_was;
    row->proof = row->proof == STORE_PROOF_NONE ? STORE_PROOF_DEFAULT : row->proof;
    assert_false(is_let_in(&scene));
    *row = as_it_was;
    row->state = row->state == STORE_MAPPING_APPROVED ? STORE_MAPPING_SUSPENDED : row->state;
    assert_false(is_let_in(&scene));
}

/* In which order the rows come makes no difference. */
static void check_order(const struct scene *scene, const struct policy_verdict *before)
{
    struct question question;
    ask(scene, &question);
    for (size_t i = scene->count; i > 1; i--) {
        size_t other = pick((unsigned)i);
        struct store_mapping row = question.rows[other];
        question.rows[other] = question.rows[i - 1];
        question.rows[i - 1] = row;
    }
    struct policy_verdict verdict = policy_judge_delivery(&question.facts);
    assert_int_equal(verdict.decision, before->decision);
    assert_int_equal(verdict.mapping_id, before->mapping_id);
    assert_string_equal(verdict.reason, before->reason);
}

/* Outward there is no proof and no limit: the same mapping decides if it is the same in both directions. */
static void check_outward(const struct scene *scene)
{
    struct question question;
    struct policy_answer answer;
    const struct row *decider = find_decider(scene, STORE_DIRECTION_OUT);
    ask(scene, &question);
    bool is_allowed = policy_allows(&question.facts.pair, STORE_DIRECTION_OUT, &answer);
    assert_int_equal(is_allowed, !scene->is_database_broken && decider && lets_in(decider, STORE_DIRECTION_OUT));
    assert_int_equal(is_allowed, answer.is_allowed);
    assert_int_equal(is_allowed, answer.reason == NULL);
    if (!scene->is_database_broken)
        assert_int_equal(answer.mapping_id, decider ? decider - scene->rows + 1 : 0);
    assert_int_equal(answer.may_change,
                     scene->is_database_broken || (decider && decider->state == STORE_MAPPING_SUSPENDED));
}

/* What is said before there is a message never refuses what would be let in or kept. */
static void check_early(const struct scene *scene, const struct policy_verdict *verdict)
{
    struct question question;
    ask(scene, &question);
    bool holds = scene->hold != POLICY_HOLD_OFF && !scene->is_group;
    struct policy_verdict early = policy_judge_pair(&question.facts.pair, scene->size, holds);
    if (verdict->decision == POLICY_ACCEPT || verdict->decision == POLICY_HOLD)
        assert_int_equal(early.decision, POLICY_ACCEPT);
    if (early.decision == POLICY_REJECT)
        assert_int_equal(scene->is_database_broken, false);
}

static void test_any(void **state)
{
    (void)state;
    const char *asked = getenv("POSTERN_SEED"), *rounds = getenv("POSTERN_ROUNDS");
    seed = asked ? strtoull(asked, NULL, 10) : 20261126;
    compared = accepted = 0;
    for (unsigned long i = 0, count = rounds ? strtoul(rounds, NULL, 10) : 3000; i < count; i++) {
        struct scene scene = random_scene();
        compare(&scene);
        struct policy_verdict verdict = judge(&scene);
        check_acceptance(&scene, &verdict);
        check_database(scene);
        check_additions(scene, &verdict);
        check_limits(scene);
        check_order(&scene, &verdict);
        check_outward(&scene);
        check_early(&scene, &verdict);
    }
    print_message("%u compared, %u accepted\n", compared, accepted);
    assert_true(accepted > compared / 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_mapping), cmocka_unit_test(test_every_proof),
        cmocka_unit_test(test_every_limit),   cmocka_unit_test(test_every_two_mappings),
        cmocka_unit_test(test_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
