/* Tests of the embedded silo's parts: secrets, text rules, content files and the store. What it says to clients is
 * tested by tests/dialogue/tmtp_silo. */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_silo_content.h"
#include "tmtp/tmtp_silo_secret.h"
#include "tmtp/tmtp_silo_store.h"
#include "tmtp/tmtp_silo_text.h"

static const int64_t NOW = INT64_C(1795000000000);

/* --- a folder for each test --- */

static int make_folder(void **state)
{
    char *folder = xstrdup("/tmp/silo-test-XXXXXX");
    *state = mkdtemp(folder);
    return *state == NULL;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static int remove_folder(void **state)
{
    nftw(*state, remove_entry, 10, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return 0;
}

static struct silo_store *open_store(const char *folder)
{
    char *error = NULL;
    struct silo_store *store = silo_store_open(folder, NOW, &error);
    if (store == NULL)
        fail_msg("%s", error);
    return store;
}

/* An account with one node. */
static int64_t add_account(struct silo_store *store, const char *uid)
{
    char password[SILO_PASSWORD_SIZE];
    int64_t node = 0;
    silo_secret_make_password(password);
    assert_int_equal(silo_store_add_account(store, uid), 1);
    assert_int_equal(silo_store_add_node(store, uid, password, &node), 1);
    return node;
}

/* Puts a message of so many bytes into the node's queue; its id. */
static uint64_t add_message(struct silo_store *store, int64_t node, size_t size, enum silo_priority priority)
{
    struct silo_content *content = silo_content_new(silo_store_content_directory(store), size);
    assert_non_null(content);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(silo_content_add(content, "x", 1), 1);
    uint64_t id = silo_store_next_id(store);
    assert_true(id > 0);
    if (silo_content_is_file(content))
        assert_int_equal(silo_content_keep(content, id), 1);
    const struct silo_route route = { .nodes = &node, .count = 1 };
    assert_int_equal(silo_store_add_message(store, id, priority, "head", 4, content, &route), 1);
    silo_content_free(&content);
    return id;
}

static uint64_t first_id(struct silo_store *store, int64_t node)
{
    struct silo_queued queued;
    int rc = silo_store_first(store, node, &queued);
    assert_true(rc >= 0);
    if (rc == 0)
        return 0;
    uint64_t id = queued.id;
    silo_queued_free(&queued);
    return id;
}

/* --- secrets --- */

static void secrets_have_the_reference_servers_form(void **state)
{
    (void)state;
    static const char alphabet[] = "%+123456789BCDFGHJKLMNPQRSTVWXYZ";
    char uid[SILO_UID_SIZE];
    char first[SILO_PASSWORD_SIZE];
    char second[SILO_PASSWORD_SIZE];
    silo_secret_make_uid(uid);
    silo_secret_make_password(first);
    silo_secret_make_password(second);
    assert_int_equal(strlen(uid), 32);
    assert_int_equal(strspn(uid, alphabet), 32);
    assert_int_equal(strlen(first), 40);
    assert_int_equal(strspn(first, alphabet), 40);
    assert_string_not_equal(first, second);
}

static void base32_is_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bytes;
        int len; /* -1: refused */
    } cases[] = {
        { "%%%%%%%%", "\0\0\0\0\0", 5 },
        { "ZZZZZZZZ", "\xff\xff\xff\xff\xff", 5 },
        { "%%%%%%%+", "\0\0\0\0\1", 5 },
        { "+%%%%%%%", "\x08\0\0\0\0", 5 },
        { "ZZ======", "\xff", 1 },
        { "ZZZZ====", "\xff\xff", 2 },
        { "ZZZZZ===", "\xff\xff\xff", 3 },
        { "ZZZZZZZ=", "\xff\xff\xff\xff", 4 },
        { "", "", 0 },
        { "ZZZ=====", NULL, -1 }, /* no whole byte more than two characters have */
        { "ZZZZZZ==", NULL, -1 },
        { "Z=======", NULL, -1 },
        { "========", NULL, -1 },
        { "ZZ=Z====", NULL, -1 },
        { "ZZZZ", NULL, -1 },     /* not padded */
        { "AAAAAAAA", NULL, -1 }, /* a vowel */
        { "zzzzzzzz", NULL, -1 },
        { "ZZZZ ZZZ", NULL, -1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[SILO_PASSWORD_DECODED_MAX];
        size_t len = 0;
        int rc = silo_secret_decode(cases[i].text, bytes, &len);
        if (rc != (cases[i].len < 0 ? -1 : 1))
            fail_msg("%s: %d", cases[i].text, rc);
        if (rc == 1) {
            assert_int_equal(len, cases[i].len);
            assert_memory_equal(bytes, cases[i].bytes, len);
        }
    }
    char long_text[1000];
    uint8_t bytes[SILO_PASSWORD_DECODED_MAX];
    size_t len;
    memset(long_text, 'Z', sizeof long_text);
    long_text[sizeof long_text - 8] = '\0';
    assert_int_equal(silo_secret_decode(long_text, bytes, &len), -1);
}

/* --- text --- */

static void text_rules_hold(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        long units;
        bool printable;
    } cases[] = {
        { "", 0, true },
        { "Bob Member", 10, true },
        { "bob@example.com", 15, true },
        { "Gr\xc3\xbc\xc3\x9f"
          "e",
          5, true },
        { "\xe6\xbc\xa2", 1, true },
        { "\xf0\x9f\x90\x90", 2, true }, /* beyond the basic plane */
        { "a\tb", 3, false },
        { "a\x7f", 2, false },
        { "a\xc2\xa0"
          "b",
          3, false }, /* no-break space */
        { "a\xe2\x81\xa1"
          "b",
          3, false }, /* an invisible operator */
        { "a\xe2\x80\x8b"
          "b",
          3, false }, /* zero width space */
        { "\xef\xbb\xbf"
          "a",
          2, false },                  /* byte order mark */
        { "\xee\x80\x80", 1, false },  /* private use */
        { "\xef\xbf\xbd", -1, false }, /* U+FFFD: broken already */
        { "\xc3", -1, false },
        { "\xc3\x28", -1, false },
        { "\xc0\x80", -1, false }, /* overlong */
        { "\xe0\x9f\xbf", -1, false },
        { "\xed\xa0\x80", -1, false },     /* surrogate */
        { "\xf4\x90\x80\x80", -1, false }, /* above U+10FFFF */
        { "\xff", -1, false },
        { "\x80", -1, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        long units = silo_text_utf16_length(cases[i].text, strlen(cases[i].text));
        if (units != cases[i].units || silo_text_is_printable(cases[i].text) != cases[i].printable)
            fail_msg("case %zu: %ld", i, units);
    }
}

/* --- content --- */

static void short_content_stays_in_memory_and_long_goes_to_a_file(void **state)
{
    const char *folder = *state;
    static uint8_t bytes[SILO_CONTENT_INLINE_MAX + 1];
    struct silo_content *content = silo_content_new(folder, SILO_CONTENT_INLINE_MAX);
    assert_int_equal(silo_content_add(content, bytes, SILO_CONTENT_INLINE_MAX), 1);
    assert_false(silo_content_is_file(content));
    silo_content_free(&content);

    content = silo_content_new(folder, SILO_CONTENT_INLINE_MAX + 1);
    bytes[SILO_CONTENT_INLINE_MAX] = 7;
    assert_int_equal(silo_content_add(content, bytes, 1000), 1);
    assert_int_equal(silo_content_add(content, bytes + 1000, sizeof bytes - 1000), 1);
    assert_true(silo_content_is_file(content));
    assert_int_equal(silo_content_size(content), sizeof bytes);
    assert_int_equal(silo_content_keep(content, 0x18ea9c0692e6697c), 1);
    silo_content_free(&content);

    int fd = silo_content_open(folder, 0x18ea9c0692e6697c);
    assert_true(fd >= 0);
    uint8_t last = 0;
    assert_int_equal(pread(fd, &last, 1, SILO_CONTENT_INLINE_MAX), 1);
    assert_int_equal(last, 7);
    close(fd);
    silo_content_remove(folder, 0x18ea9c0692e6697c);
    assert_int_equal(silo_content_open(folder, 0x18ea9c0692e6697c), -1);
    assert_int_equal(rmdir(folder), 0); /* nothing else was left behind */
    assert_int_equal(mkdir(folder, 0700), 0);
}

/* --- the store --- */

static void a_password_opens_its_own_node_only(void **state)
{
    struct silo_store *store = open_store(*state);
    char passwords[2][SILO_PASSWORD_SIZE];
    int64_t nodes[2];
    assert_int_equal(silo_store_add_account(store, "A"), 1);
    for (int i = 0; i < 2; i++) {
        silo_secret_make_password(passwords[i]);
        assert_int_equal(silo_store_add_node(store, "A", passwords[i], &nodes[i]), 1);
    }
    add_account(store, "B");
    assert_int_equal(silo_store_commit(store), 1);
    for (int i = 0; i < 2; i++) {
        uint8_t bytes[SILO_PASSWORD_DECODED_MAX];
        size_t len;
        int64_t node = 0;
        assert_int_equal(silo_secret_decode(passwords[i], bytes, &len), 1);
        assert_int_equal(silo_store_find_node(store, "A", bytes, len, &node), 1);
        assert_true(node == nodes[i]);
        assert_int_equal(silo_store_find_node(store, "B", bytes, len, &node), 0);
        assert_int_equal(silo_store_find_node(store, "nobody", bytes, len, &node), 0);
        bytes[0] ^= 1;
        assert_int_equal(silo_store_find_node(store, "A", bytes, len, &node), 0);
    }
    silo_store_close(&store);
    /* The password itself is nowhere in the files. */
    struct strbuf path;
    strbuf_init(&path, 1000);
    strbuf_add_fmt(&path, "%s/silo.db", (char *)*state);
    FILE *file = fopen(path.data, "rb");
    static char everything[1 << 20];
    size_t size = fread(everything, 1, sizeof everything, file);
    fclose(file);
    assert_true(size > 4096);
    assert_null(memmem(everything, size, passwords[0], strlen(passwords[0])));
    struct stat status;
    assert_int_equal(stat(path.data, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    strbuf_free(&path);
}

static void an_account_has_a_limited_number_of_nodes(void **state)
{
    struct silo_store *store = open_store(*state);
    char password[SILO_PASSWORD_SIZE];
    int64_t node;
    add_account(store, "A");
    for (int i = 1; i <= SILO_NODES_MAX; i++) {
        silo_secret_make_password(password);
        assert_int_equal(silo_store_add_node(store, "A", password, &node), i < SILO_NODES_MAX ? 1 : 0);
    }
    silo_store_close(&store);
}

static void queues_are_in_order_and_notices_first(void **state)
{
    struct silo_store *store = open_store(*state);
    int64_t node = add_account(store, "A");
    uint64_t one = add_message(store, node, 1, SILO_PRIORITY_MESSAGE);
    uint64_t two = add_message(store, node, SILO_CONTENT_INLINE_MAX + 1, SILO_PRIORITY_MESSAGE);
    uint64_t notice = add_message(store, node, 0, SILO_PRIORITY_NOTICE);
    assert_true(one < two && two < notice);
    assert_true(silo_store_has_urgent_changes(store));
    assert_int_equal(silo_store_commit(store), 1);
    assert_true(first_id(store, node) == notice);
    assert_int_equal(silo_store_acknowledge(store, node, SILO_PRIORITY_NOTICE, notice), 1);
    assert_true(silo_store_has_changes(store));
    assert_false(silo_store_has_urgent_changes(store)); /* nobody waits for that */
    assert_true(first_id(store, node) == one);
    assert_int_equal(silo_store_acknowledge(store, node, SILO_PRIORITY_MESSAGE, one), 1);
    struct silo_queued queued;
    assert_int_equal(silo_store_first(store, node, &queued), 1);
    assert_true(queued.id == two && queued.file_size == SILO_CONTENT_INLINE_MAX + 1);
    assert_int_equal(queued.len, 4);
    silo_queued_free(&queued);
    assert_int_equal(silo_store_acknowledge(store, node, SILO_PRIORITY_MESSAGE, two), 1);
    assert_true(first_id(store, node) == 0);
    /* The file goes with the commit, not before. */
    int fd = silo_content_open(silo_store_content_directory(store), two);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(silo_store_commit(store), 1);
    assert_int_equal(silo_content_open(silo_store_content_directory(store), two), -1);
    silo_store_close(&store);
}

static void a_message_lasts_until_its_last_receiver_has_it(void **state)
{
    struct silo_store *store = open_store(*state);
    int64_t first = add_account(store, "A");
    int64_t second = add_account(store, "B");
    uint64_t id = add_message(store, first, SILO_CONTENT_INLINE_MAX + 1, SILO_PRIORITY_MESSAGE);
    assert_int_equal(silo_store_copy_queue(store, first, second), 1);
    assert_int_equal(silo_store_acknowledge(store, first, SILO_PRIORITY_MESSAGE, id), 1);
    assert_int_equal(silo_store_commit(store), 1);
    assert_true(first_id(store, first) == 0);
    assert_true(first_id(store, second) == id);
    assert_int_equal(silo_store_acknowledge(store, second, SILO_PRIORITY_MESSAGE, id), 1);
    assert_int_equal(silo_store_commit(store), 1);
    assert_int_equal(silo_content_open(silo_store_content_directory(store), id), -1);
    silo_store_close(&store);
}

static void ids_grow_even_when_the_clock_is_set_back(void **state)
{
    uint64_t last = 0;
    for (int i = 0; i < 3; i++) {
        char *error = NULL;
        struct silo_store *store = silo_store_open(*state, NOW - i * 1000000, &error);
        assert_non_null(store);
        for (int j = 0; j < 3; j++) {
            uint64_t id = silo_store_next_id(store);
            assert_true(id > last);
            last = id;
        }
        assert_int_equal(silo_store_commit(store), 1);
        silo_store_close(&store);
    }
}

static void aliases_and_groups_share_their_names(void **state)
{
    struct silo_store *store = open_store(*state);
    add_account(store, "A");
    add_account(store, "B");
    assert_int_equal(silo_store_add_alias(store, "A", "Alice Member"), 1);
    assert_int_equal(silo_store_add_alias(store, "A", "Alice Member"), 1); /* ours already: harmless */
    assert_int_equal(silo_store_add_alias(store, "B", "Alice Member"), 0);
    assert_int_equal(silo_store_set_member(store, "Our Group", "A", "Alice Member", SILO_MEMBER_JOINED), 1);
    assert_int_equal(silo_store_add_alias(store, "B", "Our Group"), 0);
    char *uid = NULL;
    assert_int_equal(silo_store_find_alias(store, "Alice Member", &uid), 1);
    assert_string_equal(uid, "A");
    free(uid);
    assert_int_equal(silo_store_find_alias(store, "alice member", &uid), 0);
    silo_store_close(&store);
}

static void what_was_committed_survives_a_kill(void **state)
{
    /* The child commits two messages, gathers a third and dies at once. */
    pid_t child = fork();
    if (child == 0) {
        struct silo_store *store = open_store(*state);
        int64_t node = add_account(store, "A");
        add_message(store, node, 10, SILO_PRIORITY_MESSAGE);
        add_message(store, node, SILO_CONTENT_INLINE_MAX + 1, SILO_PRIORITY_MESSAGE);
        if (silo_store_commit(store) != 1)
            _exit(1);
        add_message(store, node, SILO_CONTENT_INLINE_MAX + 1, SILO_PRIORITY_MESSAGE);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

    struct silo_store *store = open_store(*state);
    int64_t node = 1;
    uint64_t one = first_id(store, node);
    assert_true(one > 0);
    assert_int_equal(silo_store_acknowledge(store, node, SILO_PRIORITY_MESSAGE, one), 1);
    uint64_t two = first_id(store, node);
    assert_true(two > one);
    int fd = silo_content_open(silo_store_content_directory(store), two);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(silo_store_acknowledge(store, node, SILO_PRIORITY_MESSAGE, two), 1);
    assert_true(first_id(store, node) == 0);
    /* The file of the third was swept up. */
    assert_int_equal(silo_content_open(silo_store_content_directory(store), two + 1), -1);
    assert_true(silo_store_next_id(store) > two + 1);
    silo_store_close(&store);
}

static void a_failed_commit_leaves_nothing_behind(void **state)
{
    struct silo_store *store = open_store(*state);
    int64_t node = add_account(store, "A");
    assert_int_equal(silo_store_commit(store), 1);
    uint64_t before = silo_store_next_id(store);
    add_message(store, node, 60000, SILO_PRIORITY_MESSAGE);

    /* The disk is full, as far as this process can tell. */
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit usual;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    const struct rlimit none = { .rlim_cur = 1, .rlim_max = usual.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    int rc = silo_store_commit(store);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
    assert_int_equal(rc, -1);

    assert_false(silo_store_has_changes(store));
    assert_true(first_id(store, node) == 0);
    uint64_t id = add_message(store, node, 10, SILO_PRIORITY_MESSAGE);
    assert_true(id > before);
    assert_int_equal(silo_store_commit(store), 1);
    assert_true(first_id(store, node) == id);
    silo_store_close(&store);
}

static void a_store_of_something_else_is_refused(void **state)
{
    struct strbuf path;
    strbuf_init(&path, 1000);
    strbuf_add_fmt(&path, "%s/silo.db", (char *)*state);
    FILE *file = fopen(path.data, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database\n", file);
    fclose(file);
    char *error = NULL;
    assert_null(silo_store_open(*state, NOW, &error));
    assert_non_null(strstr(error, "silo.db"));
    free(error);
    strbuf_free(&path);
    assert_null(silo_store_open("/proc/no/such/folder", NOW, &error));
    free(error);
}

static void drop_line(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_have_the_reference_servers_form),
        cmocka_unit_test(base32_is_decoded),
        cmocka_unit_test(text_rules_hold),
        WITH_FOLDER(short_content_stays_in_memory_and_long_goes_to_a_file),
        WITH_FOLDER(a_password_opens_its_own_node_only),
        WITH_FOLDER(an_account_has_a_limited_number_of_nodes),
        WITH_FOLDER(queues_are_in_order_and_notices_first),
        WITH_FOLDER(a_message_lasts_until_its_last_receiver_has_it),
        WITH_FOLDER(ids_grow_even_when_the_clock_is_set_back),
        WITH_FOLDER(aliases_and_groups_share_their_names),
        WITH_FOLDER(what_was_committed_survives_a_kill),
        WITH_FOLDER(a_failed_commit_leaves_nothing_behind),
        WITH_FOLDER(a_store_of_something_else_is_refused),
    };
    log_set_sink(drop_line, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
