/* gateway_relay_mail_test.c - a whole mail as it leaves, from the rows of the database to the signed octets, as in
 * tests/corpora/outgoing; POSTERN_WRITE_GOLDEN=1 writes the file anew
 *
 * This program is also its own convert worker.
 */
#include "tests/unit/mapping_store_fixture.h"

#include <fcntl.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/parts.h"
#include "gateway/relay_mail.h"
#include "gateway/signed_id.h"
#include "gateway/signer.h"
#include "mapping/convert.h"
#include "mapping/convert_memfile.h"
#include "mapping/store_content.h"
#include "mapping/store_group.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_thread.h"

#define GOLDEN POSTERN_SOURCE_DIR "/tests/corpora/outgoing/answer.eml"

static const int64_t THEN = 1793601000000, NOW = 1793601240000; /* 2 November 2026, 06:30 and 06:34 UTC */

/* RFC 8032 section 7.1, test 1. */
static const char pem[] =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";

#define BODY                                                                                                           \
    "Dear *Bob*, grüße an Dave.\n\n1. The gate is **92 cm**:\n   ![the gate](this_u:gate.png)\n"                     \
    "2. `x < y` and [a page](https://example.com/?a=1&b=2)\n\n> who asked?\n\n.\n\n    a line  with  blanks\n"
#define PICTURE "\x89PNG\r\n\x1a\n not a real one"
#define TABLE   "größe;92\r\n"

struct world {
    struct store_fixture *fixture;
    struct config config;
    struct config_dkim dkim;
    char key_file[96];
    struct parts parts;
    int64_t entry;
    /* the mail */
    bool is_done;
    bool is_8bit, is_smtputf8;
    struct strbuf raw; /* signature, header and body */
};

/* ---- the rows ---- */

static int64_t add_member(struct store_db *db, const char *alias, const char *local_part)
{
    int64_t id;
    const char *reason;
    assert_int_equal(store_member_add(db, alias, local_part, THEN, &id, &reason), 1);
    return id;
}

static void open_door(struct store_db *db, int64_t correspondent, struct store_target target)
{
    int64_t id;
    const struct store_mapping_new mapping = { .correspondent_id = correspondent,
                                               .target = target,
                                               .state = STORE_MAPPING_APPROVED,
                                               .direction = STORE_DIRECTION_BOTH,
                                               .note = "",
                                               .actor = "admin",
                                               .reason = "",
                                               .now = THEN };
    assert_int_equal(store_mapping_add(db, &mapping, &id), 1);
}

static void add_party(struct store_db *db, int64_t thread, struct store_party party)
{
    static char uid[] = "uid";
    party.uid = uid;
    assert_int_equal(store_thread_add_party(db, thread, &party), 1);
}

static void add_message(struct store_db *db, int64_t thread, const char *message_id, int64_t inbound_id,
                        int64_t outbound_id)
{
    const struct store_message_new message = {
        .thread_id = thread, .message_id = message_id, .inbound_id = inbound_id, .outbound_id = outbound_id, .now = THEN
    };
    assert_int_equal(store_message_add(db, &message), 1);
}

/* What Bob has written. */
static void add_mail(struct store_db *db, int64_t thread, int64_t bob, const char *message_id)
{
    int64_t id;
    const struct store_inbound_new row = { .kind = STORE_INBOUND_MAIL,
                                           .sender = "bob@example.com",
                                           .from_address = "bob@example.com",
                                           .correspondent_id = bob,
                                           .message_id = message_id,
                                           .references = "",
                                           .now = THEN };
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    add_message(db, thread, message_id, id, 0);
}

static int64_t add_entry(struct store_db *db, int64_t thread, int64_t author, const char *message_id, const char *head,
                         const char *content)
{
    int64_t content_id, id;
    int fd = convert_memfile_new("content", strlen(content));
    assert_int_equal(file_write_all(fd, content, strlen(content)), 1);
    assert_int_equal(store_content_add_fd(db, fd, (int64_t)strlen(content), &content_id), 1);
    close(fd);
    const struct store_outbound_new row = {
        .kind = STORE_OUTBOUND_MESSAGE,
        .tmtp_msgid = message_id,
        .thread_id = thread,
        .member_id = author,
        .author_uid = "UIDALICE",
        .author_alias = "Alice Member",
        .message_id = message_id,
        .head = head,
        .content_id = content_id,
        .size = (int64_t)strlen(content),
        .posted_at = NOW,
        .now = NOW,
    };
    assert_int_equal(store_outbound_add(db, &row, &id), 1);
    add_message(db, thread, message_id, 0, id);
    return id;
}

/* Alice answers Bob and Dave. Jürgen may be answered by both, Carol not by Dave. */
static void fill(struct world *world)
{
    static char alice_alias[] = "Alice Member", juergen_alias[] = "Jürgen, \"der Lange\" Müller",
                carol_alias[] = "Carol", bob_alias[] = "bob@example.com", dave_alias[] = "dave@bücher.example";
    struct store_db *db = store_fixture_borrow(world->fixture);
    char id[SIGNED_ID_SIZE], head[200];
    int64_t bob, dave, thread, alice = add_member(db, alice_alias, "alice.member"),
                               juergen = add_member(db, juergen_alias, "juergen"),
                               carol = add_member(db, carol_alias, "carol");
    assert_int_equal(store_correspondent_ensure(db, bob_alias, THEN, &bob), 1);
    assert_int_equal(store_correspondent_ensure(db, "dave@xn--bcher-kva.example", THEN, &dave), 1);
    const struct store_target members[] = { { .member_id = alice }, { .member_id = juergen }, { .member_id = carol } };
    for (size_t i = 0; i < 3; i++)
        open_door(db, bob, members[i]);
    for (size_t i = 0; i < 2; i++)
        open_door(db, dave, members[i]);
    assert_int_equal(
        store_thread_add(db, "THREAD", "AW: Plans for the “gate”, and 門の図面について、とても長い件名", THEN, &thread),
        1);
    add_party(db, thread, (struct store_party){ .member_id = alice, .alias = alice_alias });
    add_party(db, thread, (struct store_party){ .member_id = juergen, .alias = juergen_alias });
    add_party(db, thread, (struct store_party){ .member_id = carol, .alias = carol_alias });
    add_party(db, thread, (struct store_party){ .correspondent_id = bob, .alias = bob_alias });
    add_party(db, thread, (struct store_party){ .correspondent_id = dave, .alias = dave_alias });
    add_mail(db, thread, bob, "first.of.them@mail.example.com");
    signed_id_make_message_id(world->parts.ids, "tmtp-FIRST", id);
    int64_t earlier = add_entry(db, thread, alice, id, "{}", "Hello.");
    assert_int_equal(store_outbound_add_recipient(db, earlier, bob, 0), 1);
    assert_int_equal(store_outbound_add_recipient(db, earlier, dave, 0), 1);
    add_mail(db, thread, bob, "third@mail.example.com");
    signed_id_make_message_id(world->parts.ids, "tmtp-SECOND", id);
    snprintf(head, sizeof head,
             "{\"Attach\":[{\"Name\":\"u:gate.png\",\"Size\":%zu},{\"Name\":\"u:maße.csv\",\"Size\":%zu}]}",
             strlen(PICTURE), strlen(TABLE));
    world->entry = add_entry(db, thread, alice, id, head, BODY PICTURE TABLE);
    assert_int_equal(store_outbound_add_recipient(db, world->entry, bob, 0), 1);
    assert_int_equal(store_outbound_add_recipient(db, world->entry, dave, 0), 1);
    assert_int_equal(store_fixture_return(world->fixture, 1), 1);
}

/* ---- the gateway's parts ---- */

static char domain[] = "silo.example.org", hostname[] = "gw.example.org", from_name[] = "{alias} via {domain}",
            selector[] = "e2026";

static void begin(struct world *world, struct store_fixture *fixture)
{
    static const uint8_t secret[32] = "for tests";
    *world = (struct world){ .fixture = fixture };
    snprintf(world->key_file, sizeof world->key_file, "%s/key.pem", fixture->directory);
    int fd = open(world->key_file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(file_write_all(fd, pem, strlen(pem)), 1);
    close(fd);
    world->dkim = (struct config_dkim){ .selector = selector, .key = world->key_file, .domain = domain };
    world->config = (struct config){ .domain = domain, .hostname = hostname, .dkim = &world->dkim, .dkim_count = 1 };
    world->config.mail.from_name = from_name;
    world->parts = (struct parts){ .loop = fixture->loop,
                                   .clock = fixture->clock,
                                   .config = &world->config,
                                   .store = fixture->store,
                                   .ids = signed_id_new(secret, domain, hostname) };
    strbuf_init(&world->raw, 1 << 20);
    fill(world);
}

static void end(struct world *world)
{
    signed_id_free(&world->parts.ids);
    strbuf_free(&world->raw);
}

static void on_out(struct convert_out_result *result, void *ctx)
{
    struct world *world = ctx;
    size_t len;
    assert_true(result->ok);
    assert_string_equal(result->detail, "");
    assert_int_equal(signer_sign_file(world->parts.signer, result->mail_fd, result->mail_size, NOW, &world->raw), 1);
    char *mail = convert_memfile_read(result->mail_fd, 0, SIZE_MAX, &len);
    assert_int_equal(len, result->mail_size);
    strbuf_add(&world->raw, mail, len);
    free(mail);
    world->is_8bit = result->is_8bit;
    world->is_smtputf8 = result->is_smtputf8;
    world->is_done = true;
}

/* As a daemon writes it that has just been started. */
static void write_mail(struct world *world)
{
    struct store_outbound row;
    const char *error = "";
    char *problem = NULL;
    const struct convert_settings settings = {
        .loop = world->parts.loop, .directory = world->fixture->directory, .program = "/proc/self/exe", .workers = 1
    };
    world->is_done = false;
    strbuf_clear(&world->raw);
    world->parts.convert = convert_new(&settings);
    world->parts.signer = signer_new(&world->config, &problem);
    assert_non_null(world->parts.signer);
    assert_int_equal(store_outbound_find(store_reader(world->parts.store), world->entry, &row), 1);
    struct relay_mail *mail = relay_mail_new(&world->parts, &row, &error);
    if (!mail)
        fail_msg("%s", error);
    assert_int_equal(convert_mail_out(world->parts.convert, relay_mail_request(mail), on_out, world), 1);
    store_fixture_wait(world->fixture, &world->is_done);
    relay_mail_free(&mail);
    store_outbound_free(&row);
    signer_free(&world->parts.signer);
    convert_free(&world->parts.convert);
}

/* ---- tests ---- */

static void a_whole_mail_is_as_in_the_file(void **state)
{
    struct world world;
    static char expected[1 << 20];
    begin(&world, *state);
    write_mail(&world);
    if (getenv("POSTERN_WRITE_GOLDEN")) {
        FILE *file = fopen(GOLDEN, "wbe");
        assert_non_null(file);
        fwrite(world.raw.data, 1, world.raw.len, file);
        fclose(file);
    }
    FILE *file = fopen(GOLDEN, "rbe");
    assert_non_null(file);
    size_t len = fread(expected, 1, sizeof expected - 1, file);
    fclose(file);
    expected[len] = '\0';
    assert_string_equal(world.raw.data, expected);
    assert_int_equal(world.raw.len, len);
    assert_false(world.is_8bit);
    assert_false(world.is_smtputf8);
    end(&world);
}

/* A crash between writing and keeping has it written again, and a suspended mapping has it written late: perhaps after more
 * has been said in its thread than References have room for. */
static void written_late_it_is_the_same(void **state)
{
    struct world world;
    begin(&world, *state);
    write_mail(&world);
    char *first = xmemdup(world.raw.data, world.raw.len + 1);
    struct store_outbound row;
    assert_int_equal(store_outbound_find(store_reader(world.parts.store), world.entry, &row), 1);
    for (int round = 0; round < 2; round++) {
        struct store_db *db = store_fixture_borrow(world.fixture);
        for (int i = 0; i <= CONVERT_REFERENCES_MAX * round; i++) {
            char id[64];
            snprintf(id, sizeof id, "later.%d.%d@mail.example.com", round, i);
            add_mail(db, row.thread_id, row.recipients[0].correspondent_id, id);
        }
        assert_int_equal(store_fixture_return(world.fixture, 1), 1);
        write_mail(&world);
        assert_string_equal(world.raw.data, first);
    }
    store_outbound_free(&row);
    free(first);
    end(&world);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], CONVERT_WORKER_ARGUMENT) == 0)
        convert_worker_main();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_mail_is_as_in_the_file, store_fixture_setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(written_late_it_is_the_same, store_fixture_setup, store_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
