/* smtp_matrix_dialogue.c - every command in every state: plays the cells of tests/dialogue/smtp_tables/NAME.matrix, whose
 * format smtp.matrix tells */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/dialogue/script_text.h"
#include "tests/dialogue/smtp_scene.h"

#define TABLES POSTERN_SOURCE_DIR "/tests/dialogue/smtp_tables/"

enum { LINE_SIZE = 1000, STATES_MAX = 12, CELL_SIZE = 40, WIRE_MAX = 4000 };

enum manner { LINE_BY_LINE, BYTE_BY_BYTE, ALL_AT_ONCE, MANNERS };
static const char *const manner_names[MANNERS] = { "line by line", "byte by byte", "all at once" };

struct table {
    const char *file;
    int line;
    struct scene_settings settings;
    char names[STATES_MAX][CELL_SIZE];
    struct strbuf setups[STATES_MAX];
    size_t state_count;
    unsigned failures;
};

/* "250,250>ready" */
struct cell {
    char codes[CELL_SIZE]; /* "250,250,"; "" for none */
    char next[CELL_SIZE];  /* "closed" for "!" */
};

static void read_cell(const char *text, const char *state, struct cell *cell)
{
    char codes[CELL_SIZE];
    *cell = (struct cell){ .codes = "" };
    snprintf(cell->next, sizeof cell->next, "%s", state);
    assert_true(sscanf(text, " %20[0-9,-]>%20s", codes, cell->next) >= 1);
    if (strchr(text, '!'))
        snprintf(cell->next, sizeof cell->next, "closed");
    if (strcmp(codes, "-") != 0)
        snprintf(cell->codes, sizeof cell->codes, "%.20s,", codes);
}

/* What cannot be told apart by probe_state(). */
static const char *family(const char *state)
{
    static const char *const families[][2] = { { "recipient", "envelope" },
                                               { "spoilt", "chunked" },
                                               { "chunk", "content" } };
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (strcmp(state, families[i][0]) == 0)
            return families[i][1];
    }
    return state;
}

static const char *probe_state(struct scene *scene)
{
    static const struct {
        const char *reply, *state;
    } answers[] = {
        { "503 5.5.1 Say EHLO first\r\n", "start" },
        { "503 5.5.1 Say LHLO first\r\n", "start" },
        { "503 5.5.1 Say MAIL first\r\n", "ready" },
        { "250 ", "envelope" },
        { "503 5.5.1 Only BDAT or RSET after BDAT\r\n", "chunked" },
    };
    if (!scene->client)
        return "closed";
    size_t from = scene->received.len;
    scene_say(scene, "RCPT TO:<probe@silo.example.org>\r\n");
    const char *reply = scene->received.data + from;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        if (strncmp(reply, answers[i].reply, strlen(answers[i].reply)) == 0)
            return answers[i].state;
    }
    return *reply ? reply : "content";
}

/* In plain where TLS is required RCPT does not tell the state, but STARTTLS does. */
static const char *probe_plain_state(struct scene *scene)
{
    if (!scene->client)
        return "closed";
    size_t from = scene->received.len;
    scene_say(scene, "STARTTLS\r\n");
    return strncmp(scene->received.data + from, "503 ", 4) == 0 ? "start" : "ready";
}

static void play_cell(struct table *table, size_t column, const struct strbuf *command, const struct cell *cell,
                      enum manner manner)
{
    const struct strbuf *setup = &table->setups[column];
    struct scene_settings settings = table->settings;
    settings.is_slow = manner == ALL_AT_ONCE;
    struct scene *scene = scene_new(&settings);
    size_t before = scene->received.len;
    char wire[WIRE_MAX];
    if (manner == ALL_AT_ONCE) {
        /* as many replies as the setup has are its */
        struct scene *rehearsal = scene_new(&table->settings);
        size_t greeted = rehearsal->received.len;
        scene_send(rehearsal, setup->data, setup->len);
        size_t replies = scene_count_replies(rehearsal, greeted);
        scene_free(&rehearsal);
        assert_true(setup->len + command->len <= sizeof wire);
        memcpy(wire, setup->data, setup->len);
        memcpy(wire + setup->len, command->data, command->len);
        scene_send(scene, wire, setup->len + command->len);
        for (; replies > 0; replies--) {
            const char *reply = scene_reply(scene, before, 0);
            assert_non_null(reply);
            before = (size_t)(strstr(reply, "\r\n") + 2 - scene->received.data);
        }
    } else {
        scene_send(scene, setup->data, setup->len);
        before = scene->received.len;
        if (manner == BYTE_BY_BYTE)
            scene_send_bytes(scene, command->data, command->len);
        else
            scene_send(scene, command->data, command->len);
    }
    char codes[CELL_SIZE * 4] = "";
    const char *reply;
    for (size_t i = 0; (reply = scene_reply(scene, before, i)) && i < CELL_SIZE; i++)
        snprintf(codes + strlen(codes), 5, "%.3s,", reply);
    const char *state = table->settings.needs_tls ? probe_plain_state(scene) : probe_state(scene);
    if (strcmp(codes, cell->codes) != 0 || strcmp(state, family(cell->next)) != 0) {
        print_error("%s:%d, %s, %s: got %s and %s, not %s and %s\n", table->file, table->line, table->names[column],
                    manner_names[manner], codes, state, cell->codes, cell->next);
        table->failures++;
    }
    scene_free(&scene);
}

static void read_state(struct table *table, const char *text)
{
    int name_len = 0;
    assert_true(table->state_count < STATES_MAX);
    char *name = table->names[table->state_count];
    struct strbuf *setup = &table->setups[table->state_count++];
    strbuf_init(setup, WIRE_MAX);
    assert_true(sscanf(text, "state %20s %n", name, &name_len) == 1);
    assert_true(script_unescape(text + name_len, setup));
}

static void play_row(struct table *table, char *text)
{
    char *bar = strstr(text, " |");
    assert_non_null(bar);
    char *cells = bar + 1;
    while (bar > text && bar[-1] == ' ')
        bar--;
    bool has_end = bar > text && bar[-1] == '\\';
    bar[has_end ? -1 : 0] = '\0';
    struct strbuf command;
    strbuf_init(&command, WIRE_MAX);
    assert_true(script_unescape(text, &command));
    if (!has_end)
        strbuf_add_str(&command, "\r\n");
    for (size_t column = 0; column < table->state_count; column++) {
        struct cell cell;
        assert_non_null(cells);
        char *next = strchr(cells + 1, '|');
        if (next)
            *next = '\0';
        read_cell(cells + 1, table->names[column], &cell);
        for (enum manner manner = 0; manner < MANNERS; manner++)
            play_cell(table, column, &command, &cell, manner);
        cells = next;
    }
    assert_null(cells);
    strbuf_free(&command);
}

static void play_table(void **state)
{
    struct table table = { .file = *state };
    char path[400];
    char text[LINE_SIZE];
    snprintf(path, sizeof path, TABLES "%s", table.file);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    unsigned rows = 0;
    while (fgets(text, sizeof text, file)) {
        table.line++;
        text[strcspn(text, "\n")] = '\0';
        if (strcmp(text, "lmtp") == 0) {
            table.settings.is_lmtp = true;
        } else if (strcmp(text, "tls") == 0) {
            table.settings.needs_tls = true;
        } else if (strncmp(text, "state ", 6) == 0) {
            read_state(&table, text);
        } else if (text[0] != '\0' && text[0] != '#') {
            play_row(&table, text);
            rows++;
        }
    }
    fclose(file);
    for (size_t i = 0; i < table.state_count; i++)
        strbuf_free(&table.setups[i]);
    assert_true(rows > 0);
    assert_int_equal(table.failures, 0);
}

int main(void)
{
    static char smtp[] = "smtp.matrix", lmtp[] = "lmtp.matrix", tls[] = "tls_required.matrix";
    const struct CMUnitTest tests[] = {
        { smtp, play_table, NULL, NULL, smtp },
        { lmtp, play_table, NULL, NULL, lmtp },
        { tls, play_table, NULL, NULL, tls },
    };
    scene_silence_log();
    return cmocka_run_group_tests_name("smtp_matrix_dialogue", tests, NULL, NULL);
}
