/* base_signing_key_test.c - keys that may be used, and what they sign */
#include <fcntl.h>
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

#include "base/file.h"
#include "base/signing_key.h"
#include "base/strbuf.h"

/* RFC 8032 section 7.1, test 1, as PKCS #8. */
static const char ed25519_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                  "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                                  "-----END PRIVATE KEY-----\n";
/* 512 bits. */
static const char short_rsa_pem[] = "-----BEGIN RSA PRIVATE KEY-----\n"
                                    "MIIBOgIBAAJBAMHzzOBOqLXIeurlguW9z85f8wa2RxidDwMHxJflZ9w1hQFCkeb/\n"
                                    "moGhHMZ+23xzc855AAIhtNQQEQT2s/yqlBUCAwEAAQJAUBjYHjY91DzEDmfUI/68\n"
                                    "aBUV70qtl8uc3HqDxNsXhkfXx8+oQ5nhg2o66tTI/Ket+GC1TJ50fY4/eO8WFcLS\n"
                                    "rQIhAOcYzhR1o81FEwMfq0Tm/czW+hFpa7D1GmPkIDmQVSWHAiEA1tpM+IbM1Qvw\n"
                                    "klqLegrwnnZ91BI6uERx1L/EaXI8oIMCIQC5ga/rvINAw7H/T+yr4sDZLbiPQZCw\n"
                                    "/A+zH+y+SJ4RAQIgXDx1hNAiCWhJzBrQ/ADMUcses7drvAWuNJ5rDLW9L08CIC0Q\n"
                                    "0wQ2VIKZ2TdKNFrLZcVaztGOzQlHAsR7uddLOw97\n"
                                    "-----END RSA PRIVATE KEY-----\n";
static const char p256_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                               "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2cn/lzoR8IUA4Ukz\n"
                               "v6BpRkznie2woyd2qwF75BOs/QuhRANCAATDXE+51M0FbLbr+KU0dk2zftCA74Aq\n"
                               "UTQZdVszpWATM8r5ZDPLdVR32FYFEeoNYQol19OIUnBML0mWUzRrNBue\n"
                               "-----END PRIVATE KEY-----\n";
static const char locked_pem[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                 "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgGW8Av2ClzowICCAAw\n"
                                 "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEJ+fW2Th4CUXlWWT8FjYl8YEQPoO\n"
                                 "tsi7Mg/8hfD/JbmR8CCcTy2X9vOQkMnx1Ftaf5IY7PuyFadakgIoRthBbAs5W9Fe\n"
                                 "xAjBot/D3ChjOiwq/2M=\n"
                                 "-----END ENCRYPTED PRIVATE KEY-----\n";

/* Loads a file with this content and mode; the reason in *error_out is the caller's. */
static struct signing_key *load(const char *content, mode_t mode, char **error_out)
{
    char path[] = "/tmp/postern-key-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, content, strlen(content)), 1);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    *error_out = NULL;
    struct signing_key *key = signing_key_load(path, error_out);
    unlink(path);
    return key;
}

static void takes_keys_that_are_kept_safe(void **state)
{
    (void)state;
    static const struct row {
        const char *content;
        mode_t mode;
        const char *error; /* NULL: taken */
    } rows[] = {
        { ed25519_pem, 0600, NULL },
        { ed25519_pem, 0400, NULL },
        { ed25519_pem, 0640, NULL }, /* root's, for the daemon's group */
        { ed25519_pem, 0644, "open to more" },
        { ed25519_pem, 0660, "open to more" },
        { ed25519_pem, 0604, "open to more" },
        { "", 0600, "no private key" },
        { "nonsense\n", 0600, "no private key" },
        { "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
          "-----END PUBLIC KEY-----\n",
          0600, "no private key" },
        { locked_pem, 0600, "without a password" },
        { short_rsa_pem, 0600, "an RSA key of 512 bits" },
        { p256_pem, 0600, "neither an RSA nor an Ed25519 key" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *error;
        struct signing_key *key = load(rows[i].content, rows[i].mode, &error);
        assert_int_equal(key != NULL, rows[i].error == NULL);
        if (rows[i].error)
            assert_non_null(strstr(error, rows[i].error));
        free(error);
        signing_key_free(&key);
    }
}

static void names_what_is_missing(void **state)
{
    (void)state;
    char *error = NULL;
    assert_null(signing_key_load("/nowhere/key.pem", &error));
    assert_non_null(strstr(error, "/nowhere/key.pem"));
    free(error);
    error = NULL;
    assert_null(signing_key_load("/dev/null", &error));
    assert_non_null(strstr(error, "not a regular file"));
    free(error);
}

static void refuses_what_is_too_large(void **state)
{
    (void)state;
    struct strbuf content;
    char *error;
    strbuf_init(&content, 2 * SIGNING_KEY_FILE_MAX);
    strbuf_add_str(&content, ed25519_pem);
    while (content.len <= SIGNING_KEY_FILE_MAX)
        strbuf_add_char(&content, '\n');
    assert_null(load(content.data, 0600, &error));
    assert_non_null(strstr(error, "holds more than 65536 bytes"));
    free(error);
    strbuf_free(&content);
}

/* What DKIM key records have of the two kinds: an RSA SubjectPublicKeyInfo, and the 32 octets of Ed25519 alone. */
static void makes_keys_and_tells_their_public_half(void **state)
{
    (void)state;
    char folder[] = "/tmp/postern-keys-XXXXXX", file[100];
    assert_non_null(mkdtemp(folder));
    const struct row {
        enum signing_key_kind kind;
        unsigned bits;
        const char *begins;
        size_t len;
    } rows[] = { { SIGNING_KEY_RSA, 2048, "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A", 392 },
                 { SIGNING_KEY_ED25519, 256, "", 44 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *error = NULL;
        struct stat st;
        snprintf(file, sizeof file, "%s/key", folder);
        assert_int_equal(signing_key_make(file, rows[i].kind, rows[i].bits, &error), 1);
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        struct signing_key *key = signing_key_load(file, &error);
        assert_non_null(key);
        assert_int_equal(signing_key_bits(key), rows[i].bits);
        char *public = signing_key_public(key);
        assert_memory_equal(public, rows[i].begins, strlen(rows[i].begins));
        assert_int_equal(strlen(public), rows[i].len);
        /* A second one does not take its place. */
        assert_int_equal(signing_key_make(file, rows[i].kind, rows[i].bits, &error), 0);
        assert_non_null(strstr(error, "is there already"));
        free(error);
        struct signing_key *again = signing_key_load(file, &error);
        char *same = signing_key_public(again);
        assert_string_equal(same, public);
        free(same);
        free(public);
        signing_key_free(&again);
        signing_key_free(&key);
        unlink(file);
    }
    char *error = NULL;
    assert_int_equal(signing_key_make("/nowhere/key", SIGNING_KEY_ED25519, 256, &error), -1);
    assert_non_null(strstr(error, "/nowhere/key can't be written"));
    free(error);
    assert_int_equal(rmdir(folder), 0); /* nothing else is left in it */
}

/* Killed in the middle of writing, here by a limit of file sizes, it leaves nothing behind, least of all a key. */
static void a_kill_leaves_no_draft_of_a_key(void **state)
{
    (void)state;
    char folder[] = "/tmp/postern-keys-XXXXXX", file[100];
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/key", folder);
    pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit little = { 16, 16 };
        char *error = NULL;
        signal(SIGXFSZ, SIG_DFL);
        if (setrlimit(RLIMIT_FSIZE, &little) == 0 && setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }) == 0)
            _exit(signing_key_make(file, SIGNING_KEY_ED25519, 256, &error) == 1 ? 2 : 3);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
    assert_int_equal(rmdir(folder), 0);
}

/* RFC 8032 section 7.1, test 1. */
static void tells_the_public_half_of_a_known_key(void **state)
{
    (void)state;
    char *error;
    struct signing_key *key = load(ed25519_pem, 0600, &error);
    char *public = signing_key_public(key);
    assert_string_equal(public, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    free(public);
    signing_key_free(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_keys_that_are_kept_safe),   cmocka_unit_test(names_what_is_missing),
        cmocka_unit_test(refuses_what_is_too_large),       cmocka_unit_test(makes_keys_and_tells_their_public_half),
        cmocka_unit_test(a_kill_leaves_no_draft_of_a_key), cmocka_unit_test(tells_the_public_half_of_a_known_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
